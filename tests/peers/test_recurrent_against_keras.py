"""Recurrent layers, their wrappers, masks and attention against the installed Keras: outputs, and steps of training.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

import inspect
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
# Six steps, each of products of eight terms, two elementary functions and eight operations, on both sides.
OVER_STEPS = 2 * 6 * (8 + 2 * ELEMENTARY + 8)
FRAMES = {
    1: RANDOM.standard_normal((3, 6, 5, 4)).astype("float32"),
    2: RANDOM.standard_normal((3, 6, 5, 4, 2)).astype("float32"),
    3: RANDOM.standard_normal((3, 6, 3, 4, 2, 2)).astype("float32"),
}


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras as installed

    return installed


def leaves(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (list, tuple)) else [value]


def numpy_of(keras: Any, value: Any) -> list[Any]:
    """The leaves of an output as arrays."""
    return [np.asarray(keras.ops.convert_to_numpy(leaf)) for leaf in leaves(value)]


def tensors(keras: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [tensors(keras, part) for part in value]
    return keras.ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value


def compared(keras: Any, their: Any, own: Any, args: Any, more: dict[str, Any]) -> None:
    """Equal outputs from equal weights; our layer comes back from its config, and from Keras's."""
    expected = numpy_of(
        keras, their(*[tensors(keras, a) for a in args], **{k: tensors(keras, v) for k, v in more.items()})
    )
    own(*args, **more)
    weights = [np.asarray(keras.ops.convert_to_numpy(w)) for w in their.weights]
    assert [w.path.split("/")[-1] for w in their.weights] == [v.name.split("/")[-1] for v in own.weights]
    own.set_weights(weights)
    got = leaves(own(*args, **more))
    if "'relu'" in str(own.get_config()):  # a state that is 0 but for rounding may go either way, again at each step
        for a, b in zip(got, expected, strict=True):
            close(a, b, OVER_STEPS, max(1, abs(b).max()))
    else:
        agree(lambda *args, **more: leaves(own(*args, **more)), expected, *args, **more)
    for config in (own.get_config(), their.get_config()):
        again = type(own).from_config(config)
        again(*args, **more)
        again.set_weights(weights)
        for a, b in zip(leaves(again(*args, **more)), got, strict=True):
            np.testing.assert_array_equal(a, b)


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
def test_a_recurrent_layer(keras: Any, name: str, more: dict[str, Any], mask: Any) -> None:
    given = {} if mask is None else {"mask": mask}
    compared(keras, getattr(keras.layers, name)(3, **more), getattr(ours, name)(3, **more), [STEPS], given)


def test_variants_of_the_gates(keras: Any) -> None:
    for name, more in (
        ("GRU", {"reset_after": False}),
        ("GRU", {"reset_after": False, "recurrent_activation": "hard_sigmoid"}),
        ("GRU", {"use_bias": False, "activation": "mish"}),
        ("LSTM", {"unit_forget_bias": False, "recurrent_activation": "hard_sigmoid", "activation": None}),
    ):
        compared(keras, getattr(keras.layers, name)(3, **more), getattr(ours, name)(3, **more), [STEPS], {})


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_initial_states(keras: Any, name: str) -> None:
    states = [RANDOM.standard_normal((3, 3)).astype("float32") for _ in range(2 if name == "LSTM" else 1)]
    their = getattr(keras.layers, name)(3, return_sequences=True)
    compared(keras, their, getattr(ours, name)(3, return_sequences=True), [STEPS], {"initial_state": states})


@pytest.mark.parametrize("name", ["SimpleRNNCell", "LSTMCell", "GRUCell"])
def test_a_cell_and_an_rnn_over_cells(keras: Any, name: str) -> None:
    count = 2 if name == "LSTMCell" else 1
    states = [RANDOM.standard_normal((3, 3)).astype("float32") for _ in range(count)]
    compared(keras, getattr(keras.layers, name)(3), getattr(ours, name)(3), [STEPS[:, 0], states], {})
    for mask in (None, MASK):
        given = {} if mask is None else {"mask": mask}

        def stack(k: Any) -> Any:
            cells = [getattr(k, name)(3), k.LSTMCell(2, activation="relu"), getattr(k, name)(4)]
            return k.RNN(k.StackedRNNCells(cells), return_sequences=True, return_state=True)

        compared(keras, stack(keras.layers), stack(ours), [STEPS], given)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
def test_bidirectional(keras: Any, mode: Any, sequences: bool, mask: Any) -> None:
    def both(k: Any) -> Any:
        return k.Bidirectional(k.LSTM(3, return_sequences=sequences, return_state=sequences), merge_mode=mode)

    given = {} if mask is None else {"mask": mask}
    compared(keras, both(keras.layers), both(ours), [STEPS], given)


def test_bidirectional_layers_and_states(keras: Any) -> None:
    def both(k: Any) -> Any:
        return k.Bidirectional(k.GRU(3), backward_layer=k.GRU(2, go_backwards=True, reset_after=False))

    compared(keras, both(keras.layers), both(ours), [STEPS], {})
    states = [RANDOM.standard_normal((3, 3)).astype("float32") for _ in range(4)]
    compared(
        keras,
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
    ],
    ids=["Dense", "Conv1D", "LSTM", "Flatten", "BatchNormalization"],
)
def test_time_distributed(keras: Any, inner: Any) -> None:
    x = FRAMES[1]
    compared(keras, keras.layers.TimeDistributed(inner(keras.layers)), ours.TimeDistributed(inner(ours)), [x], {})
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
def test_convolutional_memories(keras: Any, more: dict[str, Any], axes: int, mask: Any) -> None:
    name, given = f"ConvLSTM{axes}D", {} if mask is None else {"mask": mask}
    compared(keras, getattr(keras.layers, name)(3, 2, **more), getattr(ours, name)(3, 2, **more), [FRAMES[axes]], given)


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


# ---- attention

QUERY = RANDOM.standard_normal((3, 5, 4)).astype("float32")
VALUE = RANDOM.standard_normal((3, 6, 4)).astype("float32")
KEY = RANDOM.standard_normal((3, 6, 4)).astype("float32")
QUERY_MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1], [0, 0, 0, 0, 1]], bool)
VALUE_MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 1, 1], [1, 0, 0, 0, 0, 1]], bool)  # every query sees something
SEEN = RANDOM.random((3, 5, 6)) > 0.3
SEEN[:, np.arange(5), np.arange(5)] = True


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mask": [QUERY_MASK, VALUE_MASK]},
        {"mask": [None, VALUE_MASK], "use_causal_mask": True, "return_attention_scores": True},
        {"use_causal_mask": True},
    ],
    ids=["plain", "masks", "causal-scores", "causal"],
)
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("Attention", {}),
        ("Attention", {"use_scale": True, "dropout": 0.3}),
        ("Attention", {"score_mode": "concat"}),
        ("Attention", {"score_mode": "concat", "use_scale": True}),
        ("AdditiveAttention", {}),
        ("AdditiveAttention", {"use_scale": False}),
    ],
    ids=str,
)
def test_attention(keras: Any, name: str, more: dict[str, Any], given: dict[str, Any]) -> None:
    for args in ([QUERY, VALUE], [QUERY, VALUE, KEY]):
        compared(keras, getattr(keras.layers, name)(**more), getattr(ours, name)(**more), [args], given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"attention_mask": SEEN},
        {"attention_mask": SEEN, "return_attention_scores": True},
        {"use_causal_mask": True},
        {"use_causal_mask": True, "return_attention_scores": True},
    ],
    ids=["plain", "mask", "mask-scores", "causal", "causal-scores"],
)
@pytest.mark.parametrize(
    "more",
    [{}, {"use_bias": False}, {"sliding_window": 2}, {"use_gate": True, "dropout": 0.3}],
    ids=str,
)
def test_attention_of_several_heads(keras: Any, more: dict[str, Any], given: dict[str, Any]) -> None:
    more = {**more, "bias_initializer": "random_normal"}
    args = [QUERY, VALUE, KEY]
    heads = {"num_heads": 2, "key_dim": 3}
    compared(
        keras, keras.layers.MultiHeadAttention(**heads, **more), ours.MultiHeadAttention(**heads, **more), args, given
    )
    groups = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    their, own = keras.layers.GroupQueryAttention(**groups, **more), ours.GroupedQueryAttention(**groups, **more)
    compared(keras, their, own, args, given)


def test_attention_of_other_shapes_and_axes(keras: Any) -> None:
    images = RANDOM.standard_normal((2, 3, 4, 5)).astype("float32")
    for more, args, given in (
        ({"value_dim": 5, "output_shape": 7}, [QUERY, VALUE], {"value_mask": VALUE_MASK, "use_causal_mask": True}),
        ({"value_dim": 5}, [QUERY, VALUE], {"key_mask": VALUE_MASK, "return_attention_scores": True}),
        ({}, [images, images], {}),
        ({"attention_axes": (2,)}, [images, images], {}),
        ({"attention_axes": 1, "output_shape": (2, 3)}, [images, images], {"return_attention_scores": True}),
    ):
        their = keras.layers.MultiHeadAttention(2, 3, **more)
        compared(keras, their, ours.MultiHeadAttention(2, 3, **more), args, given)


# ---- signatures

NAMES = ["SimpleRNN", "LSTM", "GRU", "SimpleRNNCell", "LSTMCell", "GRUCell", "RNN", "StackedRNNCells", "Bidirectional"]
NAMES += ["TimeDistributed", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Masking", "Attention", "AdditiveAttention"]
NAMES += ["MultiHeadAttention", "GroupQueryAttention"]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_have_keras_names_order_and_defaults(keras: Any, name: str) -> None:
    def listed(kind: Any) -> list[Any]:
        taken = inspect.signature(kind.__init__).parameters.values()
        own = [p for p in taken if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
        return [(p.name, str(p.default).lower()) for p in own]

    assert listed(getattr(ours, name)) == listed(getattr(keras.layers, name))
