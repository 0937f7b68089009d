"""ONNX Runtime gives what predict gives, for any number of rows. Numbers at the edges: test_onnx_numbers.py."""

import pathlib
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, layers, ops, utils
from refnet.export.model import written
from refnet.testing.closeness import close

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
            near(got, wanted, model)


def near(got: Any, wanted: Any, model: Any) -> None:
    """Sums are taken in another order there, of as many terms as the kernels have; sixteen more roundings are the functions'."""
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    if wanted.dtype.kind in "iub":
        np.testing.assert_array_equal(got, wanted)
    else:
        terms = sum(v.value[..., 0].size for v in model.weights if v.value.ndim > 1)
        close(got, wanted, 2 * (16 + terms), np.abs(wanted).max(initial=1))


@pytest.fixture(autouse=True)
def seeded() -> None:
    utils.set_random_seed(1)


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


@pytest.mark.parametrize("mode", ["log", "psd", "stft"])
def test_spectrograms(mode: str) -> None:
    for opened in (False, True):
        alone(layers.STFTSpectrogram(mode, 4, 2, padding="same"), STEPS, opened)
    alone(layers.STFTSpectrogram(mode, 3, expand_dims=True, data_format="channels_first"), STEPS)


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
    (layers.Lambda(lambda x: layers.CategoryEncoding(6, "count")(ops.stack([x - 2, x], 1))), WORDS),
    (layers.Lambda(lambda x: ops.bincount(x, minlength=9)), WORDS),
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
    near(got, model.predict(IMAGES, verbose=0), model)


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
    assert [x.name for x in session.get_inputs()] == ["numbers", "words"]  # a dict's keys in their order, as in Keras
    assert session.get_inputs()[1].shape == ["batch", 4]
    results = dict(zip(["price", "kind"], session.run(["price", "kind"], {"words": WORDS, "numbers": ROWS})))
    expected = model.predict({"words": WORDS, "numbers": ROWS}, verbose=0)
    for name, got in results.items():
        near(got, expected[name], model)


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
    near(got, model.predict([ROWS, ROWS[:, :2]], verbose=0), model)


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
    near(got, model.predict(ROWS, verbose=0), model)
    pair = Own()
    pair([ROWS[:1], ROWS[:1, :2]])
    session = onnxruntime.InferenceSession(written(pair), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, dict(zip([x.name for x in session.get_inputs()], [ROWS, ROWS[:, :2]])))
    near(got, pair.predict([ROWS, ROWS[:, :2]], verbose=0), pair)


def test_constants_made_on_the_way_are_not_taken_for_each_other() -> None:
    start = Input((12, 12, 2))
    image = RANDOM.standard_normal((2, 12, 12, 2)).astype("float32")
    kinds = ("bilinear", "bicubic", "bilinear", "bicubic")
    compared(Model(start, [layers.Resizing(24, 24, interpolation=kind)(start) for kind in kinds]), image)
    y = layers.UpSampling2D(2, interpolation="bicubic")(start)
    y = layers.UpSampling2D(2, interpolation="bilinear")(layers.Resizing(15, 15, interpolation="bilinear")(y))
    compared(Model(start, y), image)
