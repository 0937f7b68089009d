"""Recurrent layers: by hand, against their own steps, in training, in configs; what they refuse."""

from typing import Any

import numpy as np
import pytest

from refnet import initializers, ops, optimizers
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    ConvLSTM2D,
    Dense,
    Embedding,
    GRUCell,
    Input,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    TimeDistributed,
)
from refnet.models import Model, Sequential
from refnet.structure import flatten
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

DRAWS = np.random.default_rng(3)
STEPS = DRAWS.standard_normal((3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 1]], bool)
KINDS = [(SimpleRNN, SimpleRNNCell), (LSTM, LSTMCell), (GRU, GRUCell)]
by_name = {"ids": lambda value: getattr(value, "__name__", None)}


# ---- sizes


@pytest.mark.api("SimpleRNN", "LSTM", "GRU", "Bidirectional")
def test_parameter_counts_of_the_book() -> None:
    network = Sequential([Embedding(10000, 32, "zeros"), SimpleRNN(32)])
    network.build((None, None))
    assert [layer.count_params() for layer in network.layers] == [320_000, 2_080] and network.count_params() == 322_080
    deep = Sequential(
        [Embedding(10000, 32, "zeros"), *[SimpleRNN(32, return_sequences=True) for _ in range(3)], SimpleRNN(32)]
    )
    deep.build((None, None))
    assert deep.count_params() == 328_320 and deep.output_shape == (None, 32)
    assert parameters(LSTM(32), 32) == 4 * (32 * 32 + 32 * 32 + 32)
    assert parameters(LSTM(128, **FAST), 57) == 4 * (57 * 128 + 128 * 128 + 128) == 95_232
    assert parameters(GRU(32, reset_after=False), 32) == 6_240 and parameters(GRU(32), 32) == 6_240 + 96
    assert parameters(Bidirectional(LSTM(32)), 32) == 2 * 8_320


FAST = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}  # a large matrix takes a while in Python


def parameters(layer: Any, features: int) -> int:
    layer(Input((None, features)))
    return int(layer.count_params())


@pytest.mark.api("LSTM")
def test_the_text_generator_of_the_book() -> None:
    model = Sequential([LSTM(128, input_shape=(60, 57), **FAST), Dense(57, "softmax", kernel_initializer="zeros")])
    assert model.count_params() == 95_232 + 129 * 57 and model.output_shape == (None, 57)
    small = Sequential([LSTM(3, input_shape=(4, 5)), Dense(5, activation="softmax")])
    close(small.predict(np.zeros((2, 4, 5), bool), verbose=0).sum(1), np.ones(2), 2 * 5 + 1)


def test_output_shapes_with_an_open_time_axis() -> None:
    x = Input((None, 14))
    assert GRU(32)(x).shape == (None, 32) and GRU(32, return_sequences=True)(x).shape == (None, None, 32)
    assert Bidirectional(GRU(32))(x).shape == (None, 64)
    model = Sequential([GRU(6, input_shape=(None, 14), dropout=0.2, recurrent_dropout=0.2), Dense(1)])
    for steps in (1, 4, 7):
        assert model.predict(np.zeros((2, steps, 14), "float32"), verbose=0).shape == (2, 1)


def test_weights_have_keras_names_and_starts() -> None:
    layer = LSTM(3)
    layer(STEPS)
    assert [v.name for v in layer.weights] == ["lstm_cell/kernel", "lstm_cell/recurrent_kernel", "lstm_cell/bias"]
    assert layer.get_weights()[2].tolist() == [0] * 3 + [1] * 3 + [0] * 6
    recurrent = layer.get_weights()[1]
    close(recurrent @ recurrent.T, np.eye(3), 12 + 2, 1)  # twelve products of numbers rounded once, of rows of length 1
    plain = LSTM(3, unit_forget_bias=False, bias_initializer=initializers.Constant(0.5))
    plain(STEPS)
    assert set(plain.get_weights()[2]) == {0.5}
    assert (
        layer.units == 3
        and layer.unit_forget_bias
        and GRU(2).reset_after
        and SimpleRNN(2, dropout=0.25).dropout == 0.25
    )


# ---- values


@pytest.mark.api("SimpleRNN")
def test_a_simple_recurrence_by_hand() -> None:
    layer = SimpleRNN(
        1, activation=None, return_sequences=True, kernel_initializer="ones", recurrent_initializer="ones"
    )
    assert layer(np.array([[[1.0], [2.0], [4.0]]], "float32"))[0, :, 0].tolist() == [1, 3, 7]
    masked = layer(np.array([[[1.0], [2.0], [4.0]]], "float32"), mask=np.array([[True, False, True]]))
    assert masked[0, :, 0].tolist() == [1, 1, 5]
    backwards = SimpleRNN(
        1,
        activation=None,
        return_sequences=True,
        go_backwards=True,
        kernel_initializer="ones",
        recurrent_initializer="ones",
    )
    assert backwards(np.array([[[1.0], [2.0], [4.0]]], "float32"))[0, :, 0].tolist() == [4, 6, 7]


@pytest.mark.parametrize(("layer", "cell"), KINDS, **by_name)
@pytest.mark.parametrize("more", [{}, {"go_backwards": True}, {"use_bias": False}], ids=str)
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_the_op_over_all_steps_equals_the_cells_own(layer: Any, cell: Any, more: dict[str, Any], mask: Any) -> None:
    """An activation that the op does not know makes the layer take step after step; tanh written by hand is one."""
    whole = layer(3, return_sequences=True, return_state=True, **more)
    single = layer(3, activation=lambda x: ops.tanh(x), return_sequences=True, return_state=True, **more)
    assert whole.cell.takes_sequences and not single.cell.takes_sequences
    given = {} if mask is None else {"mask": mask}
    whole(STEPS, **given)
    single(STEPS, **given)
    single.set_weights(whole.get_weights())
    agree(whole, single(STEPS, **given), STEPS, **given)


def test_both_gated_recurrent_units_equal_their_steps() -> None:
    for reset_after in (True, False):
        whole = GRU(3, reset_after=reset_after, bias_initializer="random_normal")
        whole(STEPS)
        single = GRU(3, reset_after=reset_after, activation=lambda x: ops.tanh(x))
        single(STEPS)
        single.set_weights(whole.get_weights())
        agree(whole, single(STEPS), STEPS)


@pytest.mark.parametrize(("layer", "cell"), KINDS, **by_name)
def test_a_layer_is_a_loop_over_its_cell(layer: Any, cell: Any) -> None:
    one = cell(3)
    outputs = RNN(one, return_sequences=True)
    outputs(STEPS)
    states, seen = one.get_initial_state(batch_size=3), []
    for t in range(5):
        output, states = one(STEPS[:, t], states)
        seen.append(output)
    agree(outputs, np.stack(seen, 1), STEPS)
    own = layer(3, return_sequences=True)
    own(STEPS)
    own.set_weights(one.get_weights())
    agree(outputs, own(STEPS), STEPS)


def test_initial_states_as_a_list_of_inputs_or_by_name() -> None:
    h, c = DRAWS.standard_normal((2, 3, 6)).astype("float32")
    layer = LSTM(6)
    by_name = layer(STEPS, initial_state=[h, c])
    np.testing.assert_array_equal(layer([STEPS, h, c]), by_name)
    assert np.abs(layer(STEPS) - by_name).max() > 1e-3
    halves = layer(STEPS[:, 2:], initial_state=list(LSTM_like(layer, STEPS[:, :2])[1:]))
    agree(layer, halves, STEPS)
    x, state = Input((5, 4)), [Input((6,)), Input((6,))]
    model = Model([x, *state], layer(x, initial_state=state))
    np.testing.assert_array_equal(model.predict([STEPS, h, c], verbose=0), by_name)
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict([STEPS, h, c], verbose=0), by_name)
    with pytest.raises(ArgumentError, match="has 2 states; initial_state has 1"):
        layer(STEPS, initial_state=[h])


def LSTM_like(layer: Any, steps: Any) -> Any:
    """The outputs and states of a layer of the same weights."""
    twin = LSTM(layer.units, return_state=True)
    twin(steps)
    twin.set_weights(layer.get_weights())
    return twin(steps)


@pytest.mark.parametrize(
    "layer, shapes",
    [
        (SimpleRNN(3), [(2, 3)]),
        (GRU(3), [(2, 3)]),
        (LSTM(3), [(2, 3), (2, 3)]),
        (RNN([LSTMCell(3), GRUCell(4)]), [(2, 3), (2, 3), (2, 4)]),
    ],
)
def test_a_layer_gives_the_states_it_begins_with(layer: Any, shapes: Any) -> None:
    """As Keras's layers do: for a decoder that is called step by step."""
    states = layer.get_initial_state(batch_size=2)
    assert [state.shape for state in flatten(states)] == shapes and not any(state.any() for state in flatten(states))
    x = np.ones((2, 4, 5), "float32")
    assert np.array_equal(layer(x, initial_state=states), layer(x))


def test_a_convolutional_layer_knows_its_states_once_it_is_built() -> None:
    layer = ConvLSTM2D(2, 3)
    with pytest.raises(ArgumentError, match="does not know the shape of its states yet: it is built by its first call"):
        layer.get_initial_state(batch_size=2)
    layer(np.ones((1, 2, 6, 5, 3), "float32"))
    assert [state.shape for state in layer.get_initial_state(batch_size=2)] == [(2, 4, 3, 2)] * 2


def test_zero_output_for_mask() -> None:
    layer = RNN(SimpleRNNCell(2), return_sequences=True, zero_output_for_mask=True)
    assert np.array_equal(np.any(layer(STEPS, mask=MASK) != 0, axis=-1), MASK)


# ---- dropout


@pytest.mark.parametrize("layer", [SimpleRNN, LSTM, GRU], **by_name)
def test_dropout_masks_are_drawn_in_training_only_and_once_for_all_steps(layer: Any) -> None:
    one = layer(3, dropout=0.5, recurrent_dropout=0.5, seed=1)
    assert np.array_equal(one(STEPS), one(STEPS)) and np.any(one(STEPS, training=True) != one(STEPS, training=True))
    inputs_only = SimpleRNN(
        2, activation=None, dropout=0.5, kernel_initializer="ones", recurrent_initializer="zeros", return_sequences=True
    )
    y = inputs_only(np.ones((8, 6, 1), "float32"), training=True)
    assert set(np.unique(y)) <= {0.0, 2.0} and np.all(y == y[:, :1]) and len(set(y[:, 0, 0])) == 2
    nothing = layer(3, dropout=0.0, recurrent_dropout=0.0)
    assert np.array_equal(nothing(STEPS, training=True), nothing(STEPS))


def test_recurrent_dropout_draws_a_mask_for_each_gate() -> None:
    """A state of ones, an identity for each gate: what arrives are the masks."""

    class Seen(LSTMCell):
        def sequence(self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any) -> Any:
            _, dropped = self.dropout_masks(inputs, training)
            assert dropped.shape == (4, None, 50) or training is False or dropped is None
            y = ops.transpose(dropped[:, :, 0]) if dropped is not None else ops.zeros_like(inputs[:, 0])
            return ops.expand_dims(y, 1), y, [y, y]

    y = RNN(Seen(50, recurrent_dropout=0.5))(np.ones((64, 2, 4), "float32"), training=True)
    assert set(np.unique(y)) == {0.0, 2.0} and len({tuple(column) for column in y.T}) == 4


def test_training_with_dropout_learns_and_predicts_without() -> None:
    x = DRAWS.standard_normal((16, 4, 2)).astype("float32")
    y = x[:, :, 0].sum(1, keepdims=True)
    model = Sequential([Input((None, 2)), GRU(4, dropout=0.1, recurrent_dropout=0.1), Dense(1)])
    model.compile(optimizers.Adam(0.05), "mse")
    history = model.fit(x, y, epochs=15, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    assert np.array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))


# ---- stateful


@pytest.mark.parametrize("layer", [SimpleRNN, LSTM, GRU], **by_name)
def test_a_stateful_layer_goes_on_where_the_last_batch_ended(layer: Any) -> None:
    stateful, plain = layer(3, stateful=True), layer(3)
    plain(STEPS)
    stateful(STEPS[:, :2])
    stateful.set_weights(plain.get_weights())
    stateful.reset_state()
    stateful(STEPS[:, :2])
    agree(plain, stateful(STEPS[:, 2:]), STEPS)
    stateful.reset_states()
    np.testing.assert_array_equal(stateful(STEPS), plain(STEPS))


def test_states_last_through_predict_and_fit_batch_by_batch() -> None:
    model = Sequential([SimpleRNN(2, batch_input_shape=(3, 2, 4), stateful=True), Dense(1)])
    plain = Sequential([Input((None, 4)), SimpleRNN(2), Dense(1)])
    plain.set_weights(model.get_weights())
    ordered = np.concatenate([STEPS[:, :2], STEPS[:, 2:4]])  # the second batch goes on with the first's samples
    second = model.predict(ordered, batch_size=3, verbose=0)[3:]
    np.testing.assert_array_equal(second, plain.predict(STEPS[:, :4], verbose=0))
    recurrent = model.layers[0]
    assert len(model.weights) == 5 and len(recurrent.states) == 1 and np.any(recurrent.states[0].numpy())
    recurrent.reset_states()
    assert not np.any(recurrent.states[0].numpy())
    model.compile("sgd", "mse")
    model.fit(ordered, np.ones((6, 1), "float32"), batch_size=3, epochs=2, shuffle=False, verbose=0)
    assert np.any(recurrent.states[0].numpy())


def test_a_stateful_models_step_is_that_of_a_given_state() -> None:
    """The state is a constant for the gradient: nothing flows back into the batch before."""
    h = DRAWS.standard_normal((3, 2)).astype("float32")
    model = Sequential([Input(batch_shape=(3, 5, 4)), SimpleRNN(2, stateful=True), Dense(1)])
    x, state = Input((5, 4)), Input((2,))
    twin = Model([x, state], Dense(1)(SimpleRNN(2)(x, initial_state=state)))
    twin.set_weights(model.get_weights())
    model.layers[0].states[0].assign(h)
    target = np.ones((3, 1), "float32")
    for one, inputs in ((model, STEPS), (twin, [STEPS, h])):
        one.compile(optimizers.SGD(0.1), "mse")
        one.train_on_batch(inputs, target)
    for got, expected in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_array_equal(got, expected)


def test_a_fixed_batch_size_is_asked_for_before_anything_changes() -> None:
    with pytest.raises(ShapeError, match=r"is stateful: .* the batch size must be fixed; got shape \(None, 5, 4\)"):
        LSTM(3, stateful=True)(Input((5, 4)))
    model = Sequential([Input(batch_shape=(2, 5, 4), name="in"), LSTM(3, stateful=True), Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    for method, call in (
        ("fit", lambda: model.fit(STEPS, np.ones((3, 1)), batch_size=2, verbose=0)),
        ("evaluate", lambda: model.evaluate(STEPS, np.ones((3, 1)), batch_size=2, verbose=0)),
        ("predict", lambda: model.predict(STEPS, verbose=0)),
    ):
        with pytest.raises(
            ShapeError, match=f"{method}: in takes batches of exactly 2 samples; got 3 samples in batches of"
        ):
            call()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


# ---- configs and errors


@pytest.mark.parametrize(
    "layer",
    [
        SimpleRNN(3, activation="relu", return_sequences=True),
        LSTM(3, dropout=0.2, kernel_regularizer="l2", go_backwards=True, kernel_constraint="max_norm"),
        GRU(3, reset_after=False, recurrent_initializer="glorot_uniform", return_state=True),
        RNN([LSTMCell(3), GRUCell(2)], return_sequences=True),
        Bidirectional(GRU(2), merge_mode="sum"),
        TimeDistributed(Dense(2, activation="tanh")),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_come_back_from_their_configs(layer: Any) -> None:
    again = type(layer).from_config(layer.get_config())
    y = layer(STEPS)
    again(STEPS)
    again.set_weights(layer.get_weights())
    for got, expected in zip(*(x if isinstance(x, list | tuple) else [x] for x in (again(STEPS), y)), strict=True):
        assert np.array_equal(got, expected)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: LSTM(0), ArgumentError, "units must be an integer of at least 1; got 0"),
        (lambda: GRU(3, dropout=1.5), ArgumentError, "dropout must be a number from 0 to 1"),
        (lambda: LSTM(3, activation="tan"), ArgumentError, "unknown activation 'tan'"),
        (
            lambda: LSTM(3, return_sequence=True),
            ArgumentError,
            "has no argument 'return_sequence'. Did you mean 'return_sequences'",
        ),
        (
            lambda: LSTM(3)(np.ones((2, 4), "float32")),
            ShapeError,
            r"expects inputs of shape \(batch, time, features\), got shape",
        ),
        (lambda: LSTM(3)(Input((None, None))), ShapeError, r"needs to know the number of features \(last axis\)"),
        (
            lambda: Sequential([Input((5, 4)), LSTM(3), GRU(3)]),
            ShapeError,
            "in front of it needs return_sequences=True",
        ),
        (lambda: RNN(LSTM(3)), ArgumentError, "takes a cell, as LSTMCell; got a LSTM, which is an RNN by itself"),
        (
            lambda: called_twice(GRU(3), STEPS, STEPS[:, :, :3]),
            ShapeError,
            r"expects inputs with 4 features \(last axis\)",
        ),
        (
            lambda: called_twice(GRU(3), STEPS, STEPS[:, 0]),
            ShapeError,
            r"expects inputs of shape \(batch, time, features\)",
        ),
        (lambda: LSTM(3)(Input((0, 4))), ShapeError, "needs at least one time step"),
        (lambda: LSTM(3, use_cudnn="no"), ArgumentError, "use_cudnn is 'auto', True or False"),
    ],
)
def test_errors_name_the_layer_and_what_is_needed(make: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def called_twice(layer: Any, first: Any, second: Any) -> None:
    layer(first)
    layer(second)


def test_regularizers_and_constraints_of_the_cell_reach_the_model() -> None:
    model = Sequential([Input((5, 4)), LSTM(2, kernel_regularizer="l2", recurrent_constraint="unit_norm"), Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.losses) == 1
    model.fit(STEPS, np.ones((3, 1), "float32"), verbose=0)
    close(np.linalg.norm(model.get_weights()[1], axis=0), np.ones(8), 2 * (2 + ELEMENTARY))


def test_a_backup_holds_the_states() -> None:
    from refnet.saving.state import variables

    model = Sequential([Input(batch_shape=(3, 5, 4)), Bidirectional(LSTM(2, stateful=True)), Dense(1)])
    model.compile("sgd", "mse")
    held = set(variables(model))
    assert len(model.layers[0].states) == 4 and all(state in held for state in model.layers[0].states)
