"""Steps of an open number: the same bits as where it is known, forward and through a training."""

from typing import Any

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import ops, utils
from refnet.engine import use_engine
from refnet.errors import ArgumentError
from refnet.layers import (
    RNN,
    ActivityRegularization,
    Bidirectional,
    ConvLSTM1D,
    Dense,
    Dropout,
    GRUCell,
    Input,
    Layer,
    LSTMCell,
    Masking,
    TimeDistributed,
)
from refnet.models import Model

DRAWS = np.random.default_rng(11)


class Minimal(Layer):
    """A cell of a user's own."""

    def __init__(self, units: int, **more: Any):
        super().__init__(**more)
        self.units = self.state_size = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.units), "glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight((self.units, self.units), "orthogonal", name="recurrent_kernel")

    def call(self, inputs: Any, states: Any) -> Any:
        h = ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel)
        return h, [h]


class Drawing(Minimal):
    def call(self, inputs: Any, states: Any) -> Any:
        return super().call(Dropout(0.5)(inputs, training=True), states)


class Louder(Layer):
    def call(self, inputs: Any, training: Any = None) -> Any:
        return inputs * 2.0 if training else inputs


class Inner(Minimal):
    def call(self, inputs: Any, states: Any) -> Any:
        return super().call(Louder()(inputs), states)


class Shouting(Minimal):
    """Twice its inputs in training; as the cells in Keras's guides it says so in its `call`."""

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        return super().call(inputs * 2.0 if training else inputs, states)


class ShoutingGate(GRUCell):
    """A cell of ours, changed."""

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        return super().call(inputs * 2.0 if training else inputs, states, training=training)


class Turned(Layer):
    """What it computes of its weight has nothing to do with the step."""

    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight((input_shape[-1],), "ones")

    def call(self, inputs: Any) -> Any:
        return inputs * ops.expand_dims(ops.exp(self.factor), 0)


class Doubling(Layer):
    """A layer of a user's own."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0 + ops.mean(inputs, axis=0, keepdims=True)


def sine(x: Any) -> Any:
    return ops.sin(x)


LAYERS: dict[str, Any] = {
    "own cell": lambda: RNN(Minimal(3)),
    "all outputs, backwards": lambda: RNN(Minimal(3), return_sequences=True, go_backwards=True),
    "own cell with training": lambda: RNN(Shouting(3)),
    "own gates with training": lambda: RNN(ShoutingGate(3)),
    "stacked with training": lambda: RNN([Minimal(3), Shouting(2)]),
    "stacked": lambda: RNN([Minimal(3), GRUCell(2, dropout=0.4), Minimal(2)], return_sequences=True),
    "an activation no op knows": lambda: RNN(LSTMCell(3, activation=sine, dropout=0.3, recurrent_dropout=0.3)),
    "both directions": lambda: Bidirectional(RNN(Minimal(2), return_sequences=True)),
    "masked": lambda: (lambda inner: lambda x: inner(Masking()(x)))(RNN(Minimal(3), zero_output_for_mask=True)),
    "images": lambda: ConvLSTM1D(2, 2, padding="same", dropout=0.3, recurrent_dropout=0.3),
    "own layer": lambda: TimeDistributed(Doubling()),
    "own weights": lambda: TimeDistributed(Turned()),
}


def trained(name: str, steps: int | None) -> list[Any]:
    """What a model predicts, the losses of a training, and the weights after it."""
    utils.set_random_seed(4)
    shape = (4, 3) if name == "images" else (3,)
    x = DRAWS_OF[shape]
    inputs = Input((steps, *shape))
    outputs = LAYERS[name]()(inputs)
    model = Model(inputs, Dense(1)(ops.reshape(outputs, (-1, outputs.shape[-1]))))
    model.compile("adam", None)
    model.add_loss(ops.mean(ops.square(model.output - 1.0)))
    before = model.predict(x, batch_size=6, verbose=0)
    losses = model.fit(x, batch_size=4, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and (model.predict(x, batch_size=6, verbose=0) != before).any()
    return [before, *losses, *model.get_weights()]


DRAWS_OF = {shape: DRAWS.standard_normal((6, 5, *shape)).astype("float32") for shape in ((3,), (4, 3))}
DRAWS_OF[(3,)][2, 1] = 0.0  # what Masking leaves out


@pytest.mark.parametrize("name", LAYERS)
def test_open_time_changes_no_bit(name: str) -> None:
    for known, opened in zip(trained(name, 5), trained(name, None), strict=True):
        np.testing.assert_array_equal(opened, known)


@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_engines_take_any_length(engine: str) -> None:
    utils.set_random_seed(1)
    inputs = Input((None, 3))
    model = Model(inputs, RNN(Minimal(2))(inputs))
    for length in (1, 4):
        x = DRAWS.integers(-4, 5, (2, length, 3)).astype("float32")
        kernel, recurrent = (np.round(4 * w) / 4 for w in model.get_weights())
        model.set_weights([kernel, recurrent])
        h = np.zeros((2, 2))
        for t in range(length):  # numbers of few bits: exact in any order
            h = x[:, t] @ kernel + h @ recurrent
        with use_engine(engine):
            np.testing.assert_array_equal(model.predict(x, verbose=0), h)


def test_what_an_open_number_of_steps_does_not_allow() -> None:
    steps = Input((None, 3))
    with pytest.raises(ArgumentError, match="the number of steps is open, and a step draws random numbers.*Give Input"):
        RNN(Drawing(2))(steps)
    with pytest.raises(ArgumentError, match="a step depends on whether it is training"):
        RNN(Inner(2))(steps)
    with pytest.raises(ArgumentError, match="loss"):
        TimeDistributed(ActivityRegularization(l2=0.1))(steps)


@pytest.mark.parametrize("cell", [Shouting, ShoutingGate])
@pytest.mark.parametrize("steps", [4, None])
def test_a_cell_is_told_whether_it_is_training(cell: Any, steps: int | None) -> None:
    inputs = Input((steps, 3))
    layer = RNN(cell(2))
    model = Model(inputs, layer(inputs))
    x = DRAWS.standard_normal((2, 4, 3)).astype("float32")
    quiet, loud = layer(x), layer(x, training=True)
    np.testing.assert_array_equal(layer(2.0 * x), loud)
    np.testing.assert_array_equal(model(x, training=True), loud)
    np.testing.assert_array_equal(model(x), quiet)
    assert (quiet != loud).any()
