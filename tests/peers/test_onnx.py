"""ONNX Runtime gives what predict gives, for any number of rows.

The bound, 2e-6 of the largest output and 2e-6 more, is some sixteen roundings of float32: sums are taken in another order there.
"""

import functools
import pathlib
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, activations, layers, ops, use_engine, utils
from refnet.errors import ArgumentError
from refnet.export.model import written

pytestmark = pytest.mark.peers

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.standard_normal((3, 5)).astype("float32")
STEPS = RANDOM.standard_normal((3, 6, 4)).astype("float32")
IMAGES = RANDOM.standard_normal((3, 7, 6, 4)).astype("float32")
VOLUMES = RANDOM.standard_normal((2, 5, 4, 6, 2)).astype("float32")
WORDS = np.array([[1, 2, 0, 0], [0, 0, 0, 0], [3, 1, 2, 4]], "int32")
HIDDEN = STEPS * (RANDOM.random((3, 6, 1)) > 0.4)


def compared(model: Any, *inputs: Any) -> None:
    """Random weights; then all rows, and one, through both."""
    import onnxruntime

    for v in model.weights:
        values = RANDOM.standard_normal(v.shape) * 0.3
        if np.issubdtype(v.value.dtype, np.floating):
            v.set(np.abs(values) + 0.1 if "variance" in v.name else values)
    session = onnxruntime.InferenceSession(written(model), providers=["CPUExecutionProvider"])
    for rows in (len(inputs[0]), 1):
        fed = [x[:rows] for x in inputs]
        expected = model.predict(fed if len(fed) > 1 else fed[0], verbose=0)
        expected = list(expected) if isinstance(expected, (list, tuple)) else [expected]
        results = session.run(None, {slot.name: x for slot, x in zip(session.get_inputs(), fed, strict=True)})
        for got, wanted in zip(results, expected, strict=True):
            assert got.shape == wanted.shape and got.dtype == wanted.dtype
            bound = 2e-6 * np.abs(wanted).max(initial=1) + 2e-6
            np.testing.assert_allclose(got, wanted, rtol=0, atol=0 if wanted.dtype.kind in "iub" else bound)


@pytest.fixture(autouse=True)
def interpreted() -> Any:
    utils.set_random_seed(1)
    with use_engine("reference"):
        yield


def alone(made: Any, inputs: Any, opened: bool = False) -> None:
    shape = (*[None] * (inputs.ndim - 2), inputs.shape[-1]) if opened else inputs.shape[1:]
    compared(Sequential([Input(shape, dtype=str(inputs.dtype)), made]), inputs)


WINDOWS = [("valid", 1, 1), ("valid", 2, 1), ("same", 1, 1), ("same", 2, 1), ("same", 1, 2), ("valid", 1, 2)]


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(("padding", "strides", "dilation"), WINDOWS)
def test_convolution(padding: str, strides: int, dilation: int, opened: bool) -> None:
    more = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    alone(layers.Conv1D(3, 3, **more), STEPS, opened)
    alone(layers.Conv2D(6, (3, 2), groups=2, activation="relu", **more), IMAGES, opened)
    alone(layers.Conv3D(2, 2, **more), VOLUMES, opened)
    alone(layers.Conv2DTranspose(3, (2, 4), **more), IMAGES, opened)
    alone(layers.DepthwiseConv2D(2, depth_multiplier=2, **more), IMAGES, opened)


OTHER_CONVOLUTIONS = [
    (layers.Conv1D, {"padding": "causal", "dilation_rate": 2}, STEPS),
    (layers.Conv1DTranspose, {"strides": 2, "padding": "same"}, STEPS),
    (layers.Conv3DTranspose, {"strides": 2}, VOLUMES),
    (layers.Conv2DTranspose, {"strides": 4}, IMAGES),  # places that no kernel element falls on
    (layers.Conv2DTranspose, {"strides": 2, "padding": "same", "output_padding": 1}, IMAGES),
    (layers.SeparableConv1D, {}, STEPS),
    (layers.SeparableConv2D, {"padding": "same"}, IMAGES),
    (layers.Conv2D, {"data_format": "channels_first"}, IMAGES),
]


@pytest.mark.parametrize(("kind", "more", "inputs"), OTHER_CONVOLUTIONS)
def test_other_convolutions(kind: Any, more: dict[str, Any], inputs: Any) -> None:
    alone(kind(3, 3, **more), inputs)


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("inputs", [STEPS, IMAGES, VOLUMES])
def test_pooling(kind: str, inputs: Any) -> None:
    axes = f"{inputs.ndim - 2}D"
    for padding, strides in (("valid", None), ("same", 2), ("same", 1)):
        for opened in (False, True):
            alone(getattr(layers, f"{kind}Pooling{axes}")(3, strides, padding), inputs, opened)
    alone(getattr(layers, f"Global{kind}Pooling{axes}")(), inputs)
    alone(getattr(layers, f"Adaptive{kind}Pooling{axes}")(2), inputs)


ONE_INPUT = [
    *[(layers.BatchNormalization(axis=axis), STEPS) for axis in (-1, 1)],
    *[(layers.LayerNormalization(axis=axis), STEPS) for axis in (-1, [1, 2])],
    *[(layers.UpSampling2D(2, interpolation=i), IMAGES) for i in ("nearest", "bilinear", "bicubic")],
    *[(layers.Resizing(5, 9, interpolation=i), IMAGES) for i in ("nearest", "bilinear")],
    (layers.GroupNormalization(2), IMAGES),
    (layers.RMSNormalization(), STEPS),
    (layers.UnitNormalization(), STEPS),
    (layers.SpectralNormalization(layers.Dense(3)), STEPS),
    (layers.Normalization(mean=1.0, variance=2.0), STEPS),
    (layers.Embedding(9, 3), WORDS),
    (layers.CategoryEncoding(6, "multi_hot"), WORDS),
    (layers.Discretization(bin_boundaries=[-0.5, 0.0, 1.0]), STEPS),
    (layers.EinsumDense("abc,cd->abd", output_shape=(None, 3)), STEPS),
    (layers.TimeDistributed(layers.Dense(3)), STEPS),
    (layers.PReLU(), STEPS),
    (layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3), STEPS),
    (layers.Softmax(axis=1), STEPS),
    (layers.Flatten(), STEPS),
    (layers.Reshape((-1, 2)), STEPS),
    (layers.Permute((2, 1)), STEPS),
    (layers.RepeatVector(3), ROWS),
    (layers.Dropout(0.5), ROWS),
    (layers.ZeroPadding2D(((1, 0), (2, 1))), IMAGES),
    (layers.Cropping2D(1), IMAGES),
    (layers.CenterCrop(4, 4), IMAGES),
    (layers.Lambda(lambda x: x[:, ::2] * ops.cast(ops.shape(x)[1], "float32")), STEPS),
    (layers.Lambda(lambda x: ops.sort(x, 1) + ops.top_k(x, 2)[0][..., :1]), STEPS),
    (layers.Lambda(lambda x: ops.mod(x, 0.3) + ops.logsumexp(x, 1, keepdims=True) + ops.log2(ops.abs(x) + 1)), STEPS),
    (layers.Lambda(lambda x: ops.any(ops.greater(x, 1.5), 1)), STEPS),
    (layers.Lambda(lambda x: ops.argmax(x, -1)), STEPS),
]


@pytest.mark.parametrize(("made", "inputs"), ONE_INPUT)
def test_other_layers_and_ops(made: Any, inputs: Any) -> None:
    alone(made, inputs)


NAMES = (
    *(
        "relu",
        "relu6",
        "sigmoid",
        "tanh",
        "softmax",
        "softplus",
        "softsign",
        "selu",
        "elu",
        "exponential",
        "hard_sigmoid",
    ),
    *(
        "hard_tanh",
        "hard_silu",
        "leaky_relu",
        "log_sigmoid",
        "log_softmax",
        "linear",
        "gelu",
        "silu",
        "mish",
        "celu",
        "glu",
    ),
    *("hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus"),
)


FAR = np.concatenate([-np.geomspace(1e-6, 300, 40), [0.0, -0.0], np.geomspace(1e-6, 80, 40), [90.0, 300.0]])
# Those that keep every digit of what is small. Not sigmoid: ONNX Runtime's own is a polynomial, 0 from -18 on.
RELATIVE = {"elu", "selu", "celu", "tanh", "softsign", "relu", "relu6", "leaky_relu", "exponential", "linear"}


@pytest.mark.parametrize("name", NAMES)
def test_activations(name: str) -> None:
    alone(layers.Activation(name), STEPS * 2)
    function = getattr(activations, name)
    row = FAR[None, : -2 if name == "exponential" else None].astype("float32")  # e**90 is infinite
    relative = 2e-6 if name in RELATIVE else 0.0
    got, expected = both(function, row)
    bound = 0.0 if relative else 2e-6 * np.abs(expected).max(initial=1)
    np.testing.assert_allclose(got, expected, rtol=relative, atol=bound)


def test_several_layers_in_one_model() -> None:
    start = Input((7, 6, 4))
    y = layers.Conv2D(5, 3, activation="selu", padding="same")(start)
    y = layers.Resizing(12, 10, interpolation="bicubic")(layers.BatchNormalization()(y))
    y = layers.Conv2D(5, 3, strides=2, activation="elu")(layers.Resizing(10, 12, interpolation="bilinear")(y))
    y = layers.AveragePooling2D(2)(layers.Activation("celu")(y * 40))
    y = layers.LSTM(4, return_sequences=True)(layers.Reshape((-1, 5))(y))
    y = layers.LayerNormalization()(layers.MultiHeadAttention(2, 3)(y, y) + y)
    compared(Model(start, [y, layers.Dense(3, "softmax")(layers.Flatten()(y))]), IMAGES)


@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_recurrent_layers(kind: Any) -> None:
    alone(kind(5), STEPS, opened=True)
    alone(kind(5, return_sequences=True, go_backwards=True, activation="relu", recurrent_dropout=0.3), STEPS)
    alone(kind(3, unroll=True), STEPS)
    compared(Sequential([Input((6, 4)), layers.Masking(0.0), kind(5)]), HIDDEN)
    words = [Input((None,), dtype="int32"), layers.Embedding(6, 4, mask_zero=True)]
    compared(Sequential([*words, layers.Bidirectional(kind(3, return_sequences=True)), kind(3)]), WORDS)
    start = Input((6, 4))
    compared(Model(start, kind(3, return_state=True)(start)), STEPS)


RECURRENT = ("hard_sigmoid", "softsign", "softplus", "elu", "selu", "relu6", "leaky_relu", "hard_tanh", "log_sigmoid")


@pytest.mark.parametrize("name", RECURRENT)
def test_activations_inside_a_recurrence(name: str) -> None:
    alone(layers.LSTM(3, activation=name, recurrent_activation="hard_sigmoid"), STEPS * 0.3)


def test_other_recurrences() -> None:
    alone(layers.GRU(3, reset_after=False), STEPS)
    alone(layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]), STEPS)
    alone(layers.ConvLSTM2D(2, 2), VOLUMES)


def test_attention() -> None:
    start = Input((6, 4))
    compared(Model(start, layers.MultiHeadAttention(2, 3)(start, start)), STEPS)
    compared(Model(start, layers.GroupQueryAttention(3, 4, 2)(start, start)), STEPS)
    compared(Model(start, layers.Attention(use_scale=True)([start, start])), STEPS)
    compared(Model(start, layers.AdditiveAttention()([start, start])), STEPS)
    compared(Model(start, layers.MultiHeadAttention(2, 3)(start, start, use_causal_mask=True)), STEPS)
    four = ops.reshape(start, (-1, 6, 2, 2))
    compared(Model(start, ops.dot_product_attention(four, four, four, is_causal=True)), STEPS)
    words = Input((None,), dtype="int32")
    vectors = layers.Embedding(6, 4, mask_zero=True)(words)
    compared(Model(words, layers.MultiHeadAttention(2, 3)(vectors, vectors)), WORDS)


@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_merging(kind: str) -> None:
    a, b = Input((6, 4)), Input((6, 4))
    compared(Model([a, b], getattr(layers, kind)()([a, b])), STEPS, STEPS[::-1].copy())


def test_dot_nested_and_shared() -> None:
    a, b = Input((6, 4)), Input((6, 4))
    compared(Model([a, b], layers.Dot((2, 2), normalize=True)([a, b])), STEPS, STEPS[::-1].copy())
    inner = Sequential([Input((6, 4)), layers.Dense(4, "gelu"), layers.Dense(4)])
    compared(Model(a, [inner(a), layers.Dense(2)(inner(a) + 1)]), STEPS)


def test_a_fixed_batch() -> None:
    start = Input(batch_shape=(3, 7, 6, 4))
    y = layers.Conv2D(3, 3, strides=2, padding="same")(start)
    y = layers.MaxPooling2D(2)(layers.ZeroPadding2D(1)(layers.UpSampling2D(2, interpolation="bilinear")(y)))
    model = Model(start, layers.Flatten()(layers.Conv2DTranspose(2, 3, strides=2)(y)))
    import onnxruntime

    session = onnxruntime.InferenceSession(written(model))
    (got,) = session.run(None, {session.get_inputs()[0].name: IMAGES})
    np.testing.assert_allclose(got, model.predict(IMAGES, verbose=0), rtol=0, atol=4e-6)


def test_other_dtypes() -> None:
    double = [Input((5,), dtype="float64"), layers.Dense(3, "tanh", dtype="float64")]
    compared(Sequential(double), ROWS.astype("float64"))


def test_a_trained_model_in_a_file(tmp_path: pathlib.Path) -> None:
    import onnx
    import onnxruntime

    words, numbers = Input((4,), dtype="int32", name="words"), Input((5,), name="numbers")
    y = layers.Concatenate()([layers.GlobalAveragePooling1D()(layers.Embedding(6, 3)(words)), layers.Dense(3)(numbers)])
    model = Model(
        {"words": words, "numbers": numbers}, {"price": layers.Dense(1)(y), "kind": layers.Dense(2, "softmax")(y)}
    )
    model.compile("adam", {"price": "mse", "kind": "sparse_categorical_crossentropy"})
    targets = {"price": ROWS[:, :1], "kind": np.array([0, 1, 1])}
    model.fit({"words": WORDS, "numbers": ROWS}, targets, epochs=2, verbose=0)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an older file")
    model.export(path, format="onnx")
    assert [x.name for x in tmp_path.iterdir()] == ["model.onnx"]  # no half-written file beside it
    assert [d.version for d in onnx.load(path).opset_import] == [18]
    session = onnxruntime.InferenceSession(path)
    assert [x.name for x in session.get_inputs()] == ["words", "numbers"]
    assert session.get_inputs()[0].shape == ["batch", 4]
    results = dict(zip(["price", "kind"], session.run(["price", "kind"], {"words": WORDS, "numbers": ROWS})))
    expected = model.predict({"words": WORDS, "numbers": ROWS}, verbose=0)
    for name, got in results.items():
        np.testing.assert_allclose(got, expected[name], rtol=0, atol=4e-6)


class Own(Model):
    def __init__(self) -> None:
        super().__init__(name="own")
        self.dense = layers.Dense(2, "relu")

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs[0]) + inputs[1]


def test_a_subclass_by_its_signature() -> None:
    import onnxruntime

    model = Own()
    content = written(model, [[Input((5,), name="left"), Input((2,), name="right")]])
    session = onnxruntime.InferenceSession(content)
    (got,) = session.run(None, {"left": ROWS, "right": ROWS[:, :2]})
    np.testing.assert_allclose(got, model.predict([ROWS, ROWS[:, :2]], verbose=0), rtol=0, atol=4e-6)


class Plain(Model):
    def __init__(self) -> None:
        super().__init__(name="plain")
        self.dense = layers.Dense(2, "relu")

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.dense(inputs)


@pytest.mark.parametrize("built", ["called", "built", "predicted", "called in training"])
def test_a_subclass_that_has_seen_inputs(built: str) -> None:
    import onnxruntime

    model = Plain()
    if built == "built":
        model.build((None, 5))
    elif built == "predicted":
        model.predict(ROWS, verbose=0)
    else:
        model(ROWS[:2], training=built != "called")
    session = onnxruntime.InferenceSession(written(model), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {session.get_inputs()[0].name: ROWS})
    np.testing.assert_allclose(got, model.predict(ROWS, verbose=0), rtol=0, atol=4e-6)
    pair = Own()
    pair([ROWS[:1], ROWS[:1, :2]])
    session = onnxruntime.InferenceSession(written(pair), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, dict(zip([x.name for x in session.get_inputs()], [ROWS, ROWS[:, :2]])))
    np.testing.assert_allclose(got, pair.predict([ROWS, ROWS[:, :2]], verbose=0), rtol=0, atol=4e-6)


def test_constants_made_on_the_way_are_not_taken_for_each_other() -> None:
    start = Input((12, 12, 2))
    image = RANDOM.standard_normal((2, 12, 12, 2)).astype("float32")
    kinds = ("bilinear", "bicubic", "bilinear", "bicubic")
    compared(Model(start, [layers.Resizing(24, 24, interpolation=kind)(start) for kind in kinds]), image)
    y = layers.UpSampling2D(2, interpolation="bicubic")(start)
    y = layers.UpSampling2D(2, interpolation="bilinear")(layers.Resizing(15, 15, interpolation="bilinear")(y))
    compared(Model(start, y), image)


def both(function: Any, *inputs: Any) -> tuple[Any, Any]:
    """What ONNX Runtime makes of a function, and what refnet makes of it."""
    import onnxruntime

    slots = [Input(x.shape[1:], dtype=str(x.dtype)) for x in inputs]
    content = written(Model(slots, function(*slots)))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {slot.name: x for slot, x in zip(session.get_inputs(), inputs, strict=True)})
    expected = np.asarray(function(*inputs))
    assert got.shape == expected.shape and got.dtype == expected.dtype
    return got, expected


def exactly(function: Any, *inputs: Any) -> None:
    np.testing.assert_array_equal(*both(function, *inputs))


def spread_out(dtype: str, low: float, high: float) -> Any:
    """Numbers of both signs and of every size from 1e-30 to `high`, and those of `low` that are smaller in size."""
    sizes = np.concatenate([10.0 ** np.arange(-30, 0), np.linspace(0.1, 2, 60), np.linspace(2, high, 60)])
    row = np.concatenate([-sizes, [-0.0, 0.0], sizes])
    return row[row >= low][None].astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_expm1_and_log1p_keep_their_relative_accuracy(dtype: str) -> None:
    eight = 8 * float(np.finfo(dtype).eps)
    with np.errstate(all="ignore"):
        for function, x in (
            (ops.expm1, spread_out(dtype, -1000, 1000)),
            (ops.log1p, spread_out(dtype, -0.999, 1e6)),
            (ops.log1p, np.array([[-2.0, -1.0, np.inf, np.nan]], dtype)),
            (ops.expm1, np.array([[-np.inf, np.inf, np.nan]], dtype)),
        ):
            np.testing.assert_allclose(*both(function, x), rtol=eight, atol=0)
    far = np.array([[-50.0, -178.0, -200.0, -1e6]], dtype)
    exactly(ops.expm1, far)
    assert np.all(both(ops.expm1, far)[0] == -1)


def test_logaddexp_where_both_are_infinite_and_where_one_is_small() -> None:
    a = np.array([[np.inf, -np.inf, np.inf, 0, 0, 100]], "float32")
    b = np.array([[np.inf, -np.inf, -np.inf, -30, 0, 100]], "float32")
    np.testing.assert_allclose(*both(ops.logaddexp, a, b), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_remainders_of_floats(dtype: str) -> None:
    a = np.array([[1, -1, 5, -5, 5, -5, 0.0, 1e8, 1e30, 1, -1, 3, -3, np.nan, 7.5]], dtype)
    b = np.array([[0.1, 0.1, 3, 3, -3, -3, 2, 3, 0.7, np.inf, np.inf, 0, 0, 1, 2.5]], dtype)
    with np.errstate(all="ignore"):
        exactly(ops.mod, a, b)
        exactly(ops.floor_divide, a[:, [*range(8), *range(9, 15)]], b[:, [*range(8), *range(9, 15)]])
        np.testing.assert_allclose(*both(ops.floor_divide, a, b), rtol=2 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_remainders_of_integers(dtype: str) -> None:
    a, b = np.array([[7, -7, 7, -7, 5, 0]]).astype(dtype), np.array([[2, 2, -2, -2, 0, 0]]).astype(dtype)
    exactly(ops.mod, a, b)
    exactly(ops.floor_divide, a, b)
    exactly(lambda x: ops.floor_divide(x, 3), a)


@pytest.mark.parametrize("source", ["float32", "float64", "float16"])
@pytest.mark.parametrize("target", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_casts_to_integers(source: str, target: str) -> None:
    values = [
        -300,
        -1.7,
        -0.5,
        0.5,
        1.7,
        300,
        3e4,
        2.0**31,
        2.0**32,
        2.0**63,
        2.0**64,
        1e20,
        -1e20,
        np.nan,
        np.inf,
        -np.inf,
    ]
    with np.errstate(all="ignore"):
        exactly(lambda x: ops.cast(x, target), np.array([values]).astype(source))


ONES = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 1]])
OF_ONE = ("isnan", "isinf", "isfinite", "sign")
ALONG = ("max", "min", "argmax", "argmin", "sum", "prod", "any", "all", "cumsum", "sort", "argsort")
OF_TWO = (
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "maximum", "minimum", "add", "multiply"),
    *("logical_and", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "mod", "floor_divide"),
)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32"])
def test_ops_of_bools_and_integers(dtype: str) -> None:
    x = ONES.astype(dtype)
    for name in OF_ONE:
        exactly(getattr(ops, name), x)
    for name in ALONG:
        exactly(functools.partial(getattr(ops, name), axis=1), x)
    for name in OF_TWO:
        exactly(getattr(ops, name), x, x[::-1].copy())
    exactly(lambda a, b: ops.where(ops.equal(a, b), a, b), x, x[::-1].copy())


def test_what_onnx_refuses_is_told_with_the_layer() -> None:
    made = Sequential([Input((3,), dtype="uint64"), layers.Lambda(ops.negative, name="turned")], name="whole")
    with pytest.raises(ArgumentError, match=r"whole\.export: .*turned/Neg"):
        written(made)
