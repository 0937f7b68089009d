"""Recurrent layers and cells of the user's say what they begin with: by `get_initial_state`, of Keras 3 or of Keras 2."""

from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, ops
from refnet.layers import GRU, LSTM, RNN, Bidirectional, ConvLSTM1D, GRUCell, Layer, LSTMCell

STEPS = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 4, 3)


def by_batch(self: Any, batch_size: Any = None) -> list[Any]:
    """As Keras 3 asks."""
    return [ops.full((batch_size, 2), 0.5) for _ in range(self.count)]


def by_inputs(self: Any, inputs: Any) -> list[Any]:
    """As Keras 2 asks."""
    return [ops.full((ops.shape(inputs)[0], 2), 0.5) for _ in range(self.count)]


def by_all(self: Any, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> list[Any]:
    """As tf.keras asks of cells."""
    return [ops.full((batch_size, inputs.shape[-1] - 1), 0.5, dtype) for _ in range(self.count)]


def from_zeros(self: Any, inputs: Any) -> list[Any]:
    """Keras 2's own, and what a class makes of it."""
    return [ops.add(state, 0.5) for state in super(type(self), self).get_initial_state(inputs)]


FORMS = [by_batch, by_inputs, by_all, from_zeros]


def derived(kind: Any, form: Any, count: int) -> Any:
    return type("Own" + kind.__name__, (kind,), {"get_initial_state": form, "count": count})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("kind, count", [(LSTM, 2), (GRU, 1)])
def test_a_layer_of_the_users(kind: Any, count: int, form: Any, stateful: bool) -> None:
    own, twin = derived(kind, form, count)(2, stateful=stateful), kind(2)
    got = own(STEPS)
    twin(STEPS)
    twin.set_weights(own.get_weights()[: len(twin.get_weights())])
    half = np.full((2, 2), 0.5, "float32")
    np.testing.assert_array_equal(got, twin(STEPS, initial_state=[half] * count))
    np.testing.assert_array_equal(own(STEPS, initial_state=[0 * half] * count), twin(STEPS))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind, count", [(LSTMCell, 2), (GRUCell, 1)])
def test_a_cell_of_the_users(kind: Any, count: int, form: Any) -> None:
    own, twin, stacked = derived(kind, form, count)(2), kind(2), derived(kind, form, count)(2)
    half = np.full((2, 2), 0.5, "float32")
    layer, plain, stack = RNN(own), RNN(twin), RNN([stacked, kind(2)])
    x = Input((None, 3))
    model = Model(x, layer(x))
    plain(STEPS)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(model.predict(STEPS, verbose=0), plain(STEPS, initial_state=[half] * count))
    zeros = [0 * half] * count
    np.testing.assert_array_equal(stack(STEPS), stack(STEPS, initial_state=[half] * count + zeros))


@pytest.mark.parametrize("form", FORMS[:3])
def test_a_cell_that_is_written_anew(form: Any) -> None:
    class Adding(Layer):
        state_size, count = 2, 1
        get_initial_state = form

        def call(self, inputs: Any, states: Any) -> Any:
            output = ops.add(states[0], inputs[:, :2])
            return output, [output]

    np.testing.assert_array_equal(
        RNN(Adding())(STEPS), RNN(Adding())(STEPS, initial_state=np.full((2, 2), 0.5, "float32"))
    )


def test_a_convolutional_layer_and_both_directions() -> None:
    images = np.linspace(-1, 1, 30, dtype="float32").reshape(2, 3, 5, 1)

    class Lit(ConvLSTM1D):
        def get_initial_state(self, inputs: Any) -> list[Any]:
            return [ops.add(state, 0.5) for state in super().get_initial_state(inputs)]

    own, twin = Lit(2, 3), ConvLSTM1D(2, 3)
    got = own(images)
    twin(images)
    twin.set_weights(own.get_weights())
    np.testing.assert_array_equal(got, twin(images, initial_state=[np.full((2, 3, 2), 0.5, "float32")] * 2))
    both = Bidirectional(derived(GRU, by_batch, 1)(2))
    half = np.full((2, 2), 0.5, "float32")
    np.testing.assert_array_equal(both(STEPS), both(STEPS, initial_state=[half, half]))


def test_the_inputs_tell_how_many_samples_there_are() -> None:
    for layer, count in ((LSTM(2), 2), (GRUCell(2), 1), (RNN([LSTMCell(2), GRUCell(2)]), 2)):
        assert len(layer.get_initial_state(STEPS)) == count == len(layer.get_initial_state(2))
        first = layer.get_initial_state(STEPS)[0]
        assert (first[0] if isinstance(first, list) else first).shape == (2, 2)


def test_cells_may_be_the_number_of_units() -> None:
    class Counted(LSTM):
        def __init__(self, cells: int):
            super().__init__(cells)
            self.cells = cells

    own, twin = Counted(2), LSTM(2)
    got = own(STEPS)
    twin(STEPS)
    twin.set_weights(own.get_weights())
    np.testing.assert_array_equal(got, twin(STEPS))


def test_a_cell_that_takes_whatever_it_is_told_by_name() -> None:
    class Open(GRUCell):
        def get_initial_state(self, **told: Any) -> list[Any]:
            return [ops.full((told["batch_size"], 2), 0.5)]

    own, twin = RNN(Open(2)), GRU(2)
    got = own(STEPS)
    twin(STEPS)
    twin.set_weights(own.get_weights())
    np.testing.assert_array_equal(got, twin(STEPS, initial_state=np.full((2, 2), 0.5, "float32")))
