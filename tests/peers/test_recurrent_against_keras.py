"""Recurrent layers, their wrappers and masks against the installed Keras: outputs, and steps of training.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

from typing import Any

import numpy as np
import pytest

import refnet
from refnet import layers as ours
from refnet import optimizers
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree
from refnet.testing.whole import hold_step

pytestmark = pytest.mark.peers

RANDOM = np.random.default_rng(0)
STEPS = RANDOM.standard_normal((3, 6, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 0, 0], [0, 1, 1, 0, 1, 1], [0, 0, 0, 0, 0, 1]], bool)
WORDS = np.array([[3, 1, 4, 1, 0, 0], [0, 2, 2, 0, 1, 3], [0, 0, 0, 0, 4, 4]], "int32")
FRAMES = {
    1: RANDOM.standard_normal((3, 6, 5, 4)).astype("float32"),
    2: RANDOM.standard_normal((3, 6, 5, 4, 2)).astype("float32"),
    3: RANDOM.standard_normal((3, 6, 3, 4, 2, 2)).astype("float32"),
}
# Six steps, each of products of eight terms, two elementary functions and eight operations, on both sides.
OVER_STEPS = 2 * 6 * (8 + 2 * ELEMENTARY + 8)
RECURRENT = [
    {},
    {"return_sequences": True, "return_state": True},
    {"go_backwards": True, "return_sequences": True},
    {"use_bias": False, "kernel_initializer": "he_normal"},
    {"activation": "relu", "dropout": 0.3, "recurrent_dropout": 0.3},
    {"activation": "silu", "return_sequences": True},
    {"activation": "softmax", "go_backwards": True, "return_state": True},
    {"zero_output_for_mask": True, "return_sequences": True},
]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("more", RECURRENT, ids=str)
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_a_recurrent_layer(keras: Any, compared: Any, name: str, more: dict[str, Any], mask: Any) -> None:
    given = {} if mask is None else {"mask": mask}
    # a state of relu that is 0 but for rounding may go either way, again at each step
    roundings = OVER_STEPS if more.get("activation") == "relu" else None
    compared(getattr(keras.layers, name)(3, **more), getattr(ours, name)(3, **more), [STEPS], given, roundings)


def test_variants_of_the_gates(keras: Any, compared: Any) -> None:
    for name, more in (
        ("GRU", {"reset_after": False}),
        ("GRU", {"reset_after": False, "recurrent_activation": "hard_sigmoid"}),
        ("GRU", {"use_bias": False, "activation": "mish"}),
        ("LSTM", {"unit_forget_bias": False, "recurrent_activation": "hard_sigmoid", "activation": None}),
    ):
        compared(getattr(keras.layers, name)(3, **more), getattr(ours, name)(3, **more), [STEPS], {})


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_initial_states(keras: Any, compared: Any, name: str) -> None:
    states = [RANDOM.standard_normal((3, 3)).astype("float32") for _ in range(2 if name == "LSTM" else 1)]
    their = getattr(keras.layers, name)(3, return_sequences=True)
    compared(their, getattr(ours, name)(3, return_sequences=True), [STEPS], {"initial_state": states})


@pytest.mark.parametrize("name", ["SimpleRNNCell", "LSTMCell", "GRUCell"])
def test_a_cell_and_an_rnn_over_cells(keras: Any, compared: Any, name: str) -> None:
    count = 2 if name == "LSTMCell" else 1
    states = [RANDOM.standard_normal((3, 3)).astype("float32") for _ in range(count)]
    compared(getattr(keras.layers, name)(3), getattr(ours, name)(3), [STEPS[:, 0], states], {})
    for mask in (None, MASK):
        given = {} if mask is None else {"mask": mask}

        def stack(k: Any) -> Any:
            cells = [getattr(k, name)(3), k.LSTMCell(2, activation="relu"), getattr(k, name)(4)]
            return k.RNN(k.StackedRNNCells(cells), return_sequences=True, return_state=True)

        compared(stack(keras.layers), stack(ours), [STEPS], given)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
def test_bidirectional(keras: Any, compared: Any, mode: Any, sequences: bool, mask: Any) -> None:
    def both(k: Any) -> Any:
        return k.Bidirectional(k.LSTM(3, return_sequences=sequences, return_state=sequences), merge_mode=mode)

    given = {} if mask is None else {"mask": mask}
    compared(both(keras.layers), both(ours), [STEPS], given)


def test_bidirectional_layers_and_states(keras: Any, compared: Any) -> None:
    def both(k: Any) -> Any:
        return k.Bidirectional(k.GRU(3), backward_layer=k.GRU(2, go_backwards=True, reset_after=False))

    compared(both(keras.layers), both(ours), [STEPS], {})
    states = [RANDOM.standard_normal((3, 3)).astype("float32") for _ in range(4)]
    compared(
        keras.layers.Bidirectional(keras.layers.LSTM(3)),
        ours.Bidirectional(ours.LSTM(3)),
        [STEPS],
        {"initial_state": states},
    )


@pytest.mark.parametrize(
    "inner",
    [
        lambda k: k.Dense(3, activation="tanh"),
        lambda k: k.Conv1D(3, 2),
        lambda k: k.LSTM(2),
        lambda k: k.Flatten(),
        lambda k: k.BatchNormalization(),
        lambda k: k.Softmax(axis=0),
        lambda k: k.UnitNormalization(axis=0),
    ],
    ids=["Dense", "Conv1D", "LSTM", "Flatten", "BatchNormalization", "Softmax", "UnitNormalization"],
)
def test_time_distributed(keras: Any, compared: Any, inner: Any) -> None:
    x = FRAMES[1]
    compared(keras.layers.TimeDistributed(inner(keras.layers)), ours.TimeDistributed(inner(ours)), [x], {})
    their, own = keras.layers.TimeDistributed(inner(keras.layers)), ours.TimeDistributed(inner(ours))
    their(x)
    own(x)
    own.set_weights(their.get_weights())
    expected = np.asarray(keras.ops.convert_to_numpy(their(x, training=True)))
    agree(own, expected, x, training=True)
    for a, b in zip(own.get_weights(), their.get_weights()):  # moving means have followed step by step
        # six times, by means of so many numbers and of squares
        close(a, b, 2 * 6 * (x[:, 0].size + 4), 1 + (x**2).max())


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    "more",
    [
        {"padding": "same", "return_sequences": True, "return_state": True},
        {"strides": 2, "go_backwards": True, "use_bias": False},
        {"dilation_rate": 2, "unit_forget_bias": False, "activation": "relu", "padding": "same"},
    ],
    ids=str,
)
def test_convolutional_memories(keras: Any, compared: Any, more: dict[str, Any], axes: int, mask: Any) -> None:
    name, given = f"ConvLSTM{axes}D", {} if mask is None else {"mask": mask}
    compared(getattr(keras.layers, name)(3, 2, **more), getattr(ours, name)(3, 2, **more), [FRAMES[axes]], given)


# ---- steps of training


def embedded(k: Any, layers: Any, rest: Any) -> Any:
    words = k.Input((None,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(words)
    return k.Model(words, rest(layers, x))


class Ours:
    Input, Model = staticmethod(ours.Input), refnet.models.Model


def stacked(layers: Any, x: Any) -> Any:
    x = layers.Dropout(0.0)(layers.Dense(4, activation="tanh")(x))
    x = layers.LSTM(4, return_sequences=True, kernel_regularizer="l2")(x)
    return layers.Dense(1)(layers.GRU(3)(layers.LayerNormalization()(x)))


def tagged(layers: Any, x: Any) -> Any:
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
    x = layers.Add()([x, layers.TimeDistributed(layers.Dense(6))(x)])
    return layers.TimeDistributed(layers.Dense(3, activation="softmax"))(x)


def simple(layers: Any, x: Any) -> Any:
    return layers.Dense(1)(layers.SimpleRNN(3, recurrent_regularizer="l1", go_backwards=True)(x))


def attended(layers: Any, x: Any) -> Any:
    x = layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    x = layers.Attention(use_scale=True)([x, x])
    return layers.Dense(1)(layers.GlobalAveragePooling1D()(x))


@pytest.mark.parametrize("rest", [stacked, tagged, simple, attended], ids=lambda f: f.__name__)
def test_masked_models_train_alike(keras: Any, rest: Any) -> None:
    """Masks reach the layers, the loss and the metrics: a step gives equal losses, metrics and weights."""
    words = WORDS if rest is not attended else np.where(WORDS == 0, 1, WORDS) * (np.arange(6) < [[4], [6], [3]])
    their, own = embedded(keras, keras.layers, rest), embedded(Ours, ours, rest)
    own.set_weights(their.get_weights())
    agree(own, their.predict(words, verbose=0), words)
    by_step = rest is tagged
    y = np.array([[0, 1, 2, 1, 0, 0]] * 3) if by_step else np.array([[1.0], [-1.0], [0.5]], "float32")
    weights = (np.arange(18).reshape(3, 6) % 4 if by_step else np.array([1.0, 2.0, 0.0])).astype("float32")
    for k, model in ((keras, their), (refnet, own)):
        loss = "sparse_categorical_crossentropy" if by_step else "mse"
        watched = [[], ["accuracy"]] if by_step else [["mae"], ["mse"]]
        model.compile(k.optimizers.SGD(0.5), loss, metrics=watched[0], weighted_metrics=watched[1])
    expected = their.evaluate(words, y, sample_weight=weights, verbose=0)
    evaluated = own.evaluate(words, y, sample_weight=weights, verbose=0)
    trained = their.train_on_batch(words, y, sample_weight=weights)
    if by_step:  # a softmax over many steps: more comparisons that rounding decides than can be followed
        close(own.train_on_batch(words, y, sample_weight=weights), trained, 4 * OVER_STEPS, 1)
        for a, b in zip(own.get_weights(), their.get_weights(), strict=True):
            close(a, b, 4 * OVER_STEPS, 1)  # two layers, there and back
    else:
        hold_step(own, words, y, sample_weight=weights, theirs=(trained, their.get_weights()))
    of_step = list(own.get_metrics_result().values())  # of the weights before it, as what `evaluate` tells
    close(evaluated, of_step, 2 * words.size)
    close(expected, trained, 2 * words.size)


@pytest.mark.parametrize(
    "layer",
    [
        lambda k: k.LSTM(3, return_sequences=True),
        lambda k: k.GRU(3, activation="silu", return_sequences=True),
        lambda k: k.GRU(3, reset_after=False, return_sequences=True),
        lambda k: k.SimpleRNN(3, activation="softsign", return_sequences=True),
        lambda k: k.RNN([k.GRUCell(3), k.LSTMCell(2)], return_sequences=True),
        lambda k: k.Bidirectional(k.LSTM(2, return_sequences=True), merge_mode="mul"),
    ],
    ids=["LSTM", "GRU-silu", "GRU-before", "SimpleRNN", "stacked", "Bidirectional"],
)
def test_gradients_with_masks(keras: Any, layer: Any) -> None:
    """One step of plain SGD shows the gradients of all weights."""
    their = keras.Sequential([keras.Input((6, 4)), keras.layers.Masking(9.0), layer(keras.layers)])
    own = refnet.models.Sequential([ours.Input((6, 4)), ours.Masking(9.0), layer(ours)])
    own.set_weights(their.get_weights())
    x = np.where(MASK[:, :, None], STEPS, 9.0).astype("float32")
    y = RANDOM.standard_normal(own.predict(x).shape).astype("float32")
    their.compile(keras.optimizers.SGD(1.0), "mse")
    own.compile(optimizers.SGD(1.0), "mse")
    theirs = their.train_on_batch(x, y), their.get_weights()
    if "silu" not in str(own.get_config()):
        hold_step(own, x, y, theirs=theirs)
        return
    close(own.train_on_batch(x, y), theirs[0], OVER_STEPS, 1)  # whose comparisons with 0 are rounding's to decide
    for a, b in zip(own.get_weights(), theirs[1], strict=True):
        close(a, b, 2 * OVER_STEPS, 1)


def test_stateful_predictions(keras: Any) -> None:
    """Training of stateful layers fails in Keras on PyTorch (their states are changed in place): `tests/library` has it."""

    def made(k: Any, model: Any) -> Any:
        layers = [k.LSTM(4, stateful=True, return_sequences=True), k.GRU(3, stateful=True), k.Dense(1)]
        return model([k.Input(batch_shape=(3, 3, 4)), *layers])

    their, own = made(keras.layers, keras.Sequential), made(ours, refnet.models.Sequential)
    own.set_weights(their.get_weights())
    halves = np.concatenate([STEPS[:, :3], STEPS[:, 3:]])
    for _ in range(2):
        expected = their.predict(halves, batch_size=3, verbose=0)
        close(own.predict(halves, batch_size=3), expected, 4 * OVER_STEPS, 1)  # of twelve steps by two layers
    for a, b in zip(own.layers[0].states, their.layers[0].states):
        close(a.numpy(), keras.ops.convert_to_numpy(b), 2 * OVER_STEPS, 1)
    for model in (their, own):
        model.layers[0].reset_state()
        model.layers[1].reset_states()
    close(own.predict(halves, batch_size=3), their.predict(halves, batch_size=3, verbose=0), 2 * OVER_STEPS, 1)


def test_masks_and_initial_states_as_in_keras(keras: Any) -> None:
    """Given by name, an initial state hides the mask that the inputs carry: in Keras without a word, here with a warning."""

    def made(k: Any, layers: Any) -> Any:
        words, state = k.Input((None,), dtype="int32"), k.Input((3,))
        x = layers.Embedding(5, 4, mask_zero=True)(words)
        return k.Model([words, state], layers.LSTM(3, return_sequences=True)(x, initial_state=[state, state]))

    their = made(keras, keras.layers)
    with pytest.warns(UserWarning, match="does not read the mask"):
        own = made(Ours, ours)
    own.set_weights(their.get_weights())
    inputs = [WORDS, STEPS[:, 0, :3]]
    agree(own, their.predict(inputs, verbose=0), inputs)
