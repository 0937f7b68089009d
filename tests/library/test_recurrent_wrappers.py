"""Cells of ones own, stacked cells, Bidirectional, TimeDistributed and convolutional memories."""

from typing import Any

import numpy as np
import pytest

from refnet import layers, ops, optimizers
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import (
    GRU,
    LSTM,
    RNN,
    ActivityRegularization,
    Bidirectional,
    ConvLSTM1D,
    ConvLSTM2D,
    ConvLSTM3D,
    Dense,
    Dropout,
    Flatten,
    GRUCell,
    Input,
    Lambda,
    Layer,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    TimeDistributed,
)
from refnet.layers.wrappers import apart
from refnet.models import Model, Sequential
from refnet.testing.closeness import close
from refnet.testing.conformance import agree

DRAWS = np.random.default_rng(3)
STEPS = DRAWS.standard_normal((3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 1]], bool)


# ---- cells of all kinds


class Leaky(Layer):
    """A cell of a user's own: the state runs out slowly."""

    def __init__(self, units: int, **more: Any):
        super().__init__(**more)
        self.units = self.state_size = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.units), "ones", name="kernel")

    def call(self, inputs: Any, states: Any) -> Any:
        h = states[0] * 0.5 + ops.matmul(inputs, self.kernel)
        return h, [h]


class Bare:
    """A cell that is no layer."""

    state_size = 1

    def call(self, inputs: Any, states: Any) -> Any:
        return inputs * 2.0, [states[0] + 1.0]


def test_cells_of_ones_own() -> None:
    x = np.array([[[1.0], [0.0], [2.0]]], "float32")
    layer = RNN(Leaky(1), return_sequences=True)
    assert layer(x)[0, :, 0].tolist() == [1, 0.5, 2.25] and layer.count_params() == 1
    assert layer(x, mask=np.array([[False, True, True]]))[0, :, 0].tolist() == [0, 0, 2]
    y, state = RNN(Bare(), return_sequences=True, return_state=True)(x)
    assert y[0, :, 0].tolist() == [2, 0, 4] and state.tolist() == [[3.0]]
    model = Sequential([Input((3, 1)), RNN(Leaky(2))])
    model.compile("sgd", "mse")
    history = model.fit(x.repeat(4, 0), np.zeros((4, 2), "float32"), epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    with pytest.raises(ArgumentError, match="a cell has `call"):
        RNN(Dense)  # a class, and no cell: it has no state_size


def test_a_subclass_that_changes_the_step_is_taken_at_its_word() -> None:
    class Doubled(SimpleRNNCell):
        def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
            return super().call(inputs * 2.0, states, training)

    cell = Doubled(2)
    plain = RNN(SimpleRNNCell(2))
    doubled = RNN(cell)
    plain(STEPS)
    doubled(STEPS)
    doubled.set_weights(plain.get_weights())
    assert not cell.takes_sequences
    agree(doubled, plain(STEPS * 2), STEPS)


def test_stacked_cells_are_layers_on_top_of_each_other() -> None:
    lower, upper = LSTM(4, return_sequences=True), GRU(3, return_sequences=True, return_state=True)
    for backwards in (False, True):
        for mask in (None, MASK):
            given = {} if mask is None else {"mask": mask}
            stack = RNN([LSTMCell(4), GRUCell(3)], return_sequences=True, return_state=True, go_backwards=backwards)
            steps = STEPS[:, ::-1].copy() if backwards else STEPS
            flipped = {} if mask is None else {"mask": mask[:, ::-1].copy() if backwards else mask}
            stack(STEPS, **given)
            expected = upper(lower(steps, **flipped), **flipped)
            stack.set_weights([*lower.get_weights(), *upper.get_weights()])
            expected = upper(lower(steps, **flipped), **flipped)
            y, (h, c), top = stack(STEPS, **given)
            np.testing.assert_array_equal(y, expected[0])
            np.testing.assert_array_equal(top, expected[1])
            assert h.shape == c.shape == (3, 4)
    stepwise = RNN(StackedRNNCells([LSTMCell(4, activation=lambda x: ops.tanh(x)), GRUCell(3)]), return_sequences=True)
    stepwise(STEPS)
    stepwise.set_weights([*lower.get_weights(), *upper.get_weights()])
    agree(lambda x: upper(lower(x))[0], stepwise(STEPS), STEPS)
    assert RNN([LSTMCell(4), GRUCell(3)])(Input((None, 4))).shape == (None, 3)
    with pytest.raises(ArgumentError, match="takes a list of cells"):
        StackedRNNCells([])


# ---- both ways


@pytest.mark.api("Bidirectional")
@pytest.mark.parametrize("sequences", [True, False])
def test_bidirectional_is_two_layers(sequences: bool) -> None:
    layer = Bidirectional(LSTM(3, return_sequences=sequences), merge_mode=None)
    forward, backward = layer(STEPS)
    ahead, back = LSTM(3, return_sequences=sequences), LSTM(3, return_sequences=sequences, go_backwards=True)
    ahead(STEPS)
    back(STEPS)
    ahead.set_weights(layer.get_weights()[:3])
    back.set_weights(layer.get_weights()[3:])
    np.testing.assert_array_equal(forward, ahead(STEPS))
    np.testing.assert_array_equal(backward, back(STEPS)[:, ::-1] if sequences else back(STEPS))
    for mode, merged in (
        ("concat", np.concatenate([forward, backward], -1)),
        ("sum", forward + backward),
        ("ave", (forward + backward) / 2),
        ("mul", forward * backward),
    ):
        other = Bidirectional(LSTM(3, return_sequences=sequences), merge_mode=mode, weights=layer.get_weights())
        np.testing.assert_array_equal(other(STEPS), merged)


def test_bidirectional_states_masks_and_layers() -> None:
    layer = Bidirectional(LSTM(3, return_sequences=True, return_state=True, name="x"))
    assert (layer.forward_layer.name, layer.backward_layer.name) == ("forward_x", "backward_x")
    y, *states = layer(STEPS, mask=MASK)
    assert y.shape == (3, 5, 6) and len(states) == 4 and np.array_equal(np.any(y != 0, axis=-1), MASK)
    again = layer(STEPS, initial_state=states)
    assert np.abs(again[0] - layer(STEPS)[0]).max() > 1e-4
    mixed = Bidirectional(LSTM(3), backward_layer=GRU(2, go_backwards=True))
    assert mixed(STEPS).shape == (3, 5)
    copy = Bidirectional.from_config(mixed.get_config())
    copy(STEPS)
    copy.set_weights(mixed.get_weights())
    assert np.array_equal(copy(STEPS), mixed(STEPS)) and type(copy.backward_layer) is GRU
    masked = Input((5, 4))
    assert Bidirectional(GRU(2, return_sequences=True))(masked, mask=Input((5,), dtype="bool")).mask is not None
    for make, message in (
        (lambda: Bidirectional(Dense(2)), "needs a recurrent layer"),
        (lambda: Bidirectional(LSTM(2), merge_mode="max"), "merge_mode is one of 'concat', 'sum', 'mul', 'ave', None"),
        (
            lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2)),
            "must go different ways; go_backwards is False in both",
        ),
        (
            lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2, go_backwards=True, return_sequences=True)),
            "return_sequences must be the same in both",
        ),
        (lambda: Bidirectional("lstm"), "layer must be a layer; got 'lstm'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            make()


# ---- the same layer for every step


def test_time_distributed_takes_all_steps_at_once_where_it_can() -> None:
    layer = TimeDistributed(Dense(2))
    assert layer(Input((None, 4))).shape == (None, None, 2)
    agree(layer, STEPS @ layer.layer.get_weights()[0], STEPS)
    inner = Sequential([Input((4, 3)), Flatten(), Dense(2)])
    videos = DRAWS.standard_normal((2, 5, 4, 3)).astype("float32")
    np.testing.assert_array_equal(TimeDistributed(inner)(videos)[:, 3], inner(videos[:, 3]))
    recurrent = TimeDistributed(GRU(2))
    np.testing.assert_array_equal(recurrent(videos)[1, 2], recurrent.layer(videos[1:2, 2])[0])


def test_time_distributed_goes_step_by_step_where_it_must() -> None:
    def centred(x: Any) -> Any:  # over the batch
        return x - ops.mean(x, axis=0, keepdims=True)

    agree(TimeDistributed(Lambda(centred)), STEPS - STEPS.mean(0, keepdims=True), STEPS)
    penalised = Model(*(lambda x: (x, TimeDistributed(Dense(2, activity_regularizer="l2"))(x)))(Input((5, 4))))
    penalised.compile("sgd", None)
    loss = penalised.evaluate(STEPS, verbose=0)
    outputs = penalised.predict(STEPS, verbose=0)
    close(loss, 0.01 * np.square(outputs).sum() / 3, 2 * (outputs.size + 4))
    assert TimeDistributed(ActivityRegularization(l2=0.1))(STEPS).shape == STEPS.shape
    drawn = TimeDistributed(Dropout(0.5, seed=1))(np.ones((1, 40, 1), "float32"), training=True)
    assert len(np.unique(drawn)) == 2  # each step draws its own
    with pytest.raises(ShapeError, match="at least 3 axes"):
        TimeDistributed(Dense(2))(np.ones((2, 3), "float32"))
    with pytest.raises(ArgumentError, match="wraps a layer; got 3"):
        TimeDistributed(3)
    with pytest.raises(ShapeError, match=r"the mask begins with the axes \(batch, time\)"):
        TimeDistributed(Dense(2))(STEPS, mask=np.ones((3, 4), bool))


# ---- convolutional


INNER = {
    "Softmax(0)": lambda: layers.Softmax(axis=0),
    "Softmax(0, 1)": lambda: layers.Softmax(axis=(0, 1)),
    "Softmax(-2)": lambda: layers.Softmax(axis=-2),
    "UnitNormalization(0)": lambda: layers.UnitNormalization(axis=0),
    "UnitNormalization(-2)": lambda: layers.UnitNormalization(axis=-2),
    "LayerNormalization(0)": lambda: layers.LayerNormalization(axis=0),
    "RMSNormalization(-2)": lambda: layers.RMSNormalization(axis=-2),
    "Normalization(0)": lambda: layers.Normalization(axis=0, mean=[0.0, 1.0, 2.0], variance=[1.0, 2.0, 3.0]),
    "EinsumDense": lambda: layers.EinsumDense("ab,ac->cb", output_shape=(4,)),
    "inside a model": lambda: Sequential([Input((4,)), layers.Softmax(axis=0), Dense(2)]),
    "behind a bend": lambda: Sequential([Input((4,)), layers.UnitNormalization(axis=-2)]),
    "joined": lambda: (lambda x: Model(x, layers.Concatenate(axis=0)([x, Dense(4)(x)])))(Input((4,))),
}


@pytest.mark.parametrize("name", INNER)
def test_time_distributed_does_not_mix_steps_where_a_layer_works_across_the_batch(name: str) -> None:
    inner = INNER[name]()
    every, one = TimeDistributed(inner), Input(batch_shape=(3, 4))
    for steps in (5, None):
        slot = Input(batch_shape=(3, steps, 4))
        found = Model(slot, every(slot)).predict(STEPS, batch_size=3)
        step = Model(one, inner(one))  # after the first call, which makes the weights
        due = [step.predict(STEPS[:, t], batch_size=3) for t in range(5)]
        np.testing.assert_array_equal(found, np.stack(due, 1))


@pytest.mark.parametrize("kind", [Dropout, layers.AlphaDropout])
def test_noise_of_a_fixed_shape_is_drawn_for_each_step(kind: Any) -> None:
    ones = np.ones((3, 6, 8), "float32")
    for shape in ((3, 1), (1, 8)):
        found = TimeDistributed(kind(0.5, noise_shape=shape, seed=1))(ones, training=True)
        shared = 2 if shape == (3, 1) else 0  # along this axis all are dropped, or none
        assert (found == np.take(found, [0], shared)).all()
        assert (found != found[:, :1]).any()
    agree(TimeDistributed(kind(0.5, noise_shape=(3, 1))), ones, ones)


@pytest.mark.parametrize(
    "layer", [layers.Softmax(), layers.UnitNormalization([1]), Dropout(0.5, noise_shape=(None, 1))]
)
def test_time_distributed_still_takes_all_steps_at_once_along_other_axes(layer: Any) -> None:
    assert apart(layer, 2)
    np.testing.assert_array_equal(TimeDistributed(layer)(STEPS)[:, 3], layer(STEPS[:, 3]))


def test_a_convolutional_memory_of_one_pixel_is_an_lstm() -> None:
    plain, image = LSTM(3, return_sequences=True), ConvLSTM2D(3, 1, return_sequences=True)
    plain(STEPS)
    image(STEPS[:, :, None, None])
    kernel, recurrent, bias = plain.get_weights()
    image.set_weights([kernel[None, None], recurrent[None, None], bias])
    agree(image, plain(STEPS)[:, :, None, None], STEPS[:, :, None, None])
    agree(image, plain(STEPS, mask=MASK)[:, :, None, None], STEPS[:, :, None, None], mask=MASK)


@pytest.mark.parametrize(("kind", "axes"), [(ConvLSTM1D, 1), (ConvLSTM2D, 2), (ConvLSTM3D, 3)], ids=["1D", "2D", "3D"])
def test_shapes_of_convolutional_memories(kind: Any, axes: int) -> None:
    x = DRAWS.standard_normal((2, 3, *(5, 4, 3)[:axes], 2)).astype("float32")
    y, h, c = kind(4, 2, strides=2, return_state=True, return_sequences=True)(x)
    assert y.shape == (2, 3, *(2, 2, 1)[:axes], 4) and h.shape == c.shape == (2, *(2, 2, 1)[:axes], 4)
    np.testing.assert_array_equal(y[:, -1], h)
    first = kind(4, 2, padding="same", data_format="channels_first")
    last = kind(4, 2, padding="same")
    last(x)
    first(np.moveaxis(x, -1, 2))
    first.set_weights(last.get_weights())
    np.testing.assert_array_equal(np.moveaxis(first(np.moveaxis(x, -1, 2)), 1, -1), last(x))


def test_a_convolutional_memory_trains_with_dropout_and_keeps_states() -> None:
    x = DRAWS.standard_normal((4, 3, 4, 4, 1)).astype("float32")
    model = Sequential([Input((3, 4, 4, 1)), ConvLSTM2D(2, 3, dropout=0.2, recurrent_dropout=0.2), Flatten(), Dense(1)])
    model.compile(optimizers.Adam(0.05), "mse")
    losses = model.fit(x, x.mean((1, 2, 3)), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    kept, plain = ConvLSTM2D(2, 3, padding="same", stateful=True), ConvLSTM2D(2, 3, padding="same")
    plain(x)
    kept(x[:, :1])
    kept.set_weights(plain.get_weights())
    kept.reset_state()
    kept(x[:, :1])
    np.testing.assert_array_equal(kept(x[:, 1:]), plain(x))
    with pytest.raises(ShapeError, match="expects inputs of 5 axes"):
        ConvLSTM2D(2, 3)(STEPS)
    with pytest.raises(ArgumentError, match="cannot both be above 1"):
        ConvLSTM2D(2, 3, strides=2, dilation_rate=2)
