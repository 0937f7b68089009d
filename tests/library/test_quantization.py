"""Kernels in eight bits, by hand: quantizers, and layers that are quantized."""

from typing import Any

import numpy as np
import pytest

import refnet
from refnet import Sequential, layers, mixed_precision, ops, optimizers, quantizers
from refnet.errors import ArgumentError, DtypeError, MissingNameError
from refnet.layers.quantized import relaid
from refnet.quantizers import AbsMaxQuantizer, Int8QuantizationConfig

# Each row's and each column's largest number is 127, but for epsilon: so scales are 1, and integers themselves.
X = np.array([[1, 127, 3], [-127, 0, 2], [4, -2, 127], [0, 127, -3]], "float32")
KERNEL = np.array([[127, 0], [2, -127], [0, 3]], "float32")
BIAS = np.array([1, -2], "float32")
SCALE = np.float32(127) / (np.float32(127) + np.float32(1e-7))
assert SCALE == 1


def short(variables: Any) -> list[str]:
    return [v.name.rpartition("/")[2] for v in variables]


def whole_dense(**more: Any) -> layers.Dense:
    layer = layers.Dense(2, name="whole", **more)
    layer.build((None, 3))
    layer.set_weights([KERNEL, BIAS])
    return layer


# ---- quantizers


def test_integers_and_their_scale() -> None:
    q, scale = quantizers.abs_max_quantize(np.array([[1, -2, 0.5], [0, 0, 0]], "float32"), axis=-1)
    np.testing.assert_array_equal(q, [[64, -127, 32], [0, 0, 0]])  # 63.5 and 31.75; of halves the even one
    np.testing.assert_array_equal(scale, np.float32(127) / (np.array([[2], [0]], "float32") + np.float32(1e-7)))
    assert (q.dtype, scale.dtype) == ("int8", "float32")
    q, scale = quantizers.abs_max_quantize(X, axis=(0, 1), value_range=(-8, 7), dtype="int32")
    assert q.dtype == "int32" and scale.shape == (1, 1) and q.max() == 7 and q.min() == -7
    q, scale = AbsMaxQuantizer(axis=0)(np.array([[np.nan, 4.0]]))
    assert q.tolist() == [[0, 127]] and np.isnan(scale[0, 0])


def test_quantizers_and_their_configs() -> None:
    made = AbsMaxQuantizer(axis=(0, 2), value_range=(-100, 100), epsilon=0.5)
    for again in (AbsMaxQuantizer.from_config(made.get_config()), quantizers.get(quantizers.serialize(made))):
        assert (again.axis, again.value_range, again.epsilon) == ((0, 2), (-100, 100), 0.5)
    assert isinstance(quantizers.get("AbsMaxQuantizer"), AbsMaxQuantizer) and quantizers.get(None) is None
    assert quantizers.get(quantizers.Quantizer)(3) == 3 and refnet.Quantizer is quantizers.Quantizer
    config = Int8QuantizationConfig(weight_quantizer=made, activation_quantizer=None)
    again = Int8QuantizationConfig.from_config(config.get_config())
    assert again.weight_quantizer.epsilon == 0.5 and again.activation_quantizer is None and again.mode == "int8"
    assert Int8QuantizationConfig().activation_quantizer.axis is None


@pytest.mark.parametrize(
    "kind, words, use",
    [
        (DtypeError, "abs_max_quantize takes floats; got int64", lambda: quantizers.abs_max_quantize([1, 2], -1)),
        (DtypeError, "dtype is one of integers; got 'float32'", lambda: quantizers.abs_max_quantize([1.0], -1, dtype="float32")),
        (ArgumentError, "a pair .low, high. with low below high; got .3, 3.", lambda: AbsMaxQuantizer(value_range=(3, 3))),
        (ArgumentError, "int8 holds -128 to 127; got value_range=.-129, 5.", lambda: AbsMaxQuantizer(value_range=(-129, 5))),
        (ArgumentError, "weight_quantizer gives int8; this one gives 'int32'", lambda: Int8QuantizationConfig(AbsMaxQuantizer(output_dtype="int32"))),
        (ArgumentError, "unknown quantizer 'abs_max_quantiser'. Did you mean", lambda: quantizers.get("abs_max_quantiser")),
        (ArgumentError, "a quantizer is a function, its name or config, or None; got 3", lambda: quantizers.get(3)),
        (MissingNameError, "quantizers.pack_int4", lambda: quantizers.pack_int4),
        (MissingNameError, "refnet has no dtype_policies.GPTQDTypePolicy", lambda: refnet.dtype_policies.GPTQDTypePolicy),
        (DtypeError, "mode is 'int8'; got 'int4'. int4, float8, GPTQ and AWQ are not here", lambda: mixed_precision.get("int4_from_float32")),
        (DtypeError, "int8 is for layers that compute in float32, float64 or bfloat16; got the policy 'mixed_float16'", lambda: mixed_precision.QuantizedDTypePolicy("int8", "mixed_float16")),
        (ArgumentError, "dtype='int8_from_float32' is for Dense, EinsumDense and Embedding; Dropout has no kernel", lambda: layers.Dropout(0.5, dtype="int8_from_float32")),
    ],
)  # fmt: skip
def test_what_is_refused(kind: Any, words: str, use: Any) -> None:
    with pytest.raises(kind, match=words):
        use()


def test_policies() -> None:
    policy = mixed_precision.get("int8_from_mixed_bfloat16")
    assert (policy.name, policy.compute_dtype, policy.variable_dtype) == (
        "int8_from_mixed_bfloat16",
        "bfloat16",
        "float32",
    )
    assert policy.get_config() == {"mode": "int8", "source_name": "mixed_bfloat16"}
    described = {"class_name": "QuantizedDTypePolicy", "config": policy.get_config()}
    assert (
        mixed_precision.get(described) == policy == refnet.dtype_policies.QuantizedDTypePolicy("int8", "mixed_bfloat16")
    )
    assert repr(policy) == '<QuantizedDTypePolicy "int8_from_mixed_bfloat16">'
    assert mixed_precision.get("int8").quantization_mode is None  # the dtype


def test_axes_by_name() -> None:
    x = np.arange(6).reshape(1, 2, 3)
    assert relaid(x, "abc", "cdb").shape == (3, 1, 2) and relaid(x, "abc", "abc").tolist() == x.tolist()
    assert relaid(x, "abc", "cb").tolist() == x[0].T.tolist()


# ---- layers


def test_a_dense_layer_of_whole_numbers_computes_what_it_did() -> None:
    layer = whole_dense(activation="relu")
    before = layer(X)
    layer.quantize("int8")
    assert short(layer.weights) == ["bias", "kernel", "kernel_scale"] and short(layer.trainable_weights) == ["bias"]
    np.testing.assert_array_equal(layer.kernel, KERNEL)
    np.testing.assert_array_equal(layer.kernel_scale, [1, 1])
    assert (layer.kernel.dtype, layer.quantization_mode, layer.dtype_policy.name) == (
        "int8",
        "int8",
        "int8_from_float32",
    )
    np.testing.assert_array_equal(layer(X), before)


def test_rounding_by_hand() -> None:
    """1 of 2 is 63.5 of 127, and of halves the even one is taken: 64. The sum, 24257, is more than eight bits hold."""
    layer = layers.Dense(1, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.array([[2.0], [1.0]])])
    layer.quantize("int8")
    np.testing.assert_array_equal(layer.kernel, [[127], [64]])
    np.testing.assert_array_equal(layer.kernel_scale, [63.5])
    due = np.float32(127 * 127 + 127 * 64) / np.float32(63.5**2)
    np.testing.assert_array_equal(layer(np.full((1, 2), 2, "float32")), [[due]])


def test_what_flows_back_passes_the_rounding() -> None:
    layer = whole_dense()
    layer.quantize("int8")
    slope = refnet.grad(lambda x: ops.sum(layer(x) * Y))(X / 1000)
    np.testing.assert_array_equal(slope, Y @ KERNEL.T)


Y = np.array([[1, -1], [2, 0], [0, 3], [-2, 1]], "float32")


def test_inputs_may_stay_floats() -> None:
    layer = whole_dense()
    layer.quantize(config=Int8QuantizationConfig(activation_quantizer=None))
    x = X / 1000  # whose rounding would be seen
    np.testing.assert_array_equal(layer(x), layers.Dense(2, weights=[KERNEL, BIAS])(x))
    assert layer.get_config()["quantization_config"]["config"]["activation_quantizer"] is None


def test_class_numbers_are_floats_first() -> None:
    layer = whole_dense()
    layer.quantize("int8")
    np.testing.assert_array_equal(layer(X.astype("int32")), layer(X))


EQUATIONS = [
    ("abc,cde->abde", (2, 4, 5), (None, 2, 3), (1, 1, 2, 3)),
    ("abcd,cde->abe", (2, 4, 3, 2), (None, 3), (1, 1, 3)),
    ("abc,bcd->abd", (2, 3, 5), (3, 4), (1, 3, 4)),
    ("abc,cd->adb", (2, 3, 5), (4, 3), (1, 4, 1)),
    ("abc,dc->abd", (2, 3, 5), (None, 4), (1, 1, 4)),
    ("abc,bcd->ad", (2, 3, 5), 4, (1, 4)),
    ("...a,ab->...b", (2, 4, 5), 3, (1, 1, 3)),
    ("ab...,bc->ac...", (2, 5, 2, 3), 3, (1, 3, 1, 1)),
]


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("equation, shape, outputs, scales", EQUATIONS)
def test_einsum_is_near_what_it_was(equation: str, shape: Any, outputs: Any, scales: Any, rank: Any) -> None:
    """Rounding moves an input or a weight by half of what one step of 127 is, of the largest in its sum."""
    draws = np.random.default_rng(0)
    layer, x = layers.EinsumDense(equation, outputs, lora_rank=rank), draws.standard_normal(shape).astype("float32")
    layer.build((None, *shape[1:]))
    layer.set_weights([draws.standard_normal(w.shape) for w in layer.get_weights()])
    whole = np.asarray(layer.kernel)
    due, kernel = layer(x), layer.get_weights()[0]
    layer.quantize("int8")
    assert layer.kernel_scale.shape == scales
    sums = abs(x).max() * abs(kernel).max() * kernel.size / (127 - 1)
    assert 0 < abs(layer(x) - due).max() < sums
    back = (
        np.asarray(layer.kernel)
        if rank
        else layer._scale_for_kernel(layer.kernel_scale.value) ** -1 * layer.kernel.numpy()
    )
    assert 0 < abs(back - whole).max() <= abs(kernel).max() / (2 * 126)
    slope = refnet.grad(lambda x: ops.sum(layer(x)))(x)
    assert slope.shape == x.shape and np.any(slope)


def test_equations_that_no_kernel_in_integers_serves() -> None:
    for equation, outputs in (("ab,b->ab", 3), ("abc,bd->ad", 2)):
        layer = layers.EinsumDense(equation, outputs)
        layer.build((None, 3) if outputs == 3 else (None, 3, 4))
        with pytest.raises(ArgumentError, match="equations that sum over letters of both inputs and kernel"):
            layer.quantize("int8")
        assert layer.quantization_mode is None and layer.kernel.dtype == "float32"
    layer = layers.EinsumDense("...a,ab->...b", 3, dtype="int8_from_float32")
    layer.build((None, 4, 5))
    with pytest.raises(refnet.errors.ShapeError, match="built for inputs of 3 axes, for which its kernel's scales are"):
        layer(np.ones((2, 3, 4, 5)))


def test_rows_of_a_table() -> None:
    table = np.array([[127, -3], [0, 0], [2, 127]], "float32")
    layer = layers.Embedding(3, 2, weights=table, mask_zero=True)
    layer.quantize("int8")
    assert short(layer.weights) == ["embeddings", "embeddings_scale"] and layer.trainable_weights == []
    numbers = np.array([[2, 0], [1, 2]])
    np.testing.assert_array_equal(layer(numbers), table[numbers])
    layer.enable_lora(1, 2)
    layer.lora_embeddings_a.assign([[1], [2], [3]])
    layer.lora_embeddings_b.assign([[1, -1]])
    added = table + 2 * np.array([[1], [2], [3]]) @ np.array([[1, -1]])
    np.testing.assert_array_equal(layer(numbers), added[numbers])
    np.testing.assert_array_equal(np.asarray(layer.embeddings), added)


@pytest.mark.parametrize("first", ["adapter", "integers"])
def test_an_adapter_beside_integers_is_trained(first: str) -> None:
    layer = whole_dense()
    if first == "adapter":
        layer.enable_lora(1, 4)
    layer.quantize("int8")
    if first == "integers":
        layer.enable_lora(1, 4)
    assert short(layer.weights) == ["bias", "lora_kernel_a", "lora_kernel_b", "kernel", "kernel_scale"]
    a, b = np.array([[1], [0], [-2]], "float32"), np.array([[2, -1]], "float32")
    layer.set_weights([BIAS, a, b, KERNEL, [1, 1]])
    whole = KERNEL + 4 * a @ b
    np.testing.assert_array_equal(layer(X), X @ whole + BIAS)
    np.testing.assert_array_equal(np.asarray(layer.kernel), whole)
    model = Sequential([layers.Input((3,)), layer])
    model.compile(optimizers.SGD(2.0**-14), "mse")
    model.fit(X, Y, batch_size=4, verbose=0)
    slope = 2 * (X @ whole + BIAS - Y) / Y.size
    due = [BIAS - 2**-14 * slope.sum(0), a - 2**-12 * X.T @ slope @ b.T, b - 2**-12 * a.T @ X.T @ slope, KERNEL, [1, 1]]
    for got, expected in zip(layer.get_weights(), due, strict=True):
        np.testing.assert_array_equal(got, np.asarray(expected, "float32"))


@pytest.mark.parametrize(
    "words, use",
    [
        ("whole.quantize: say mode='int8', or give a config", lambda layer: layer.quantize()),
        ("whole.quantize: mode is 'int8'; got 'int4'. int4, float8, GPTQ and AWQ are not here", lambda layer: layer.quantize("int4")),
        ("config is an Int8QuantizationConfig; got 3", lambda layer: layer.quantize("int8", config=3)),
        ("it is not built yet: call it once", lambda layer: layers.Dense(2).quantize("int8")),
        ("for a kernel of shape .3, 2. a weight_quantizer gives as many int8 and scales of shape .1, 2.; this one gave int8 of shape .3, 2. and scales of shape .3, 1.",
         lambda layer: layer.quantize(config=Int8QuantizationConfig(AbsMaxQuantizer()))),
    ],
)  # fmt: skip
def test_a_refusal_changes_nothing(words: str, use: Any) -> None:
    layer = whole_dense()
    with pytest.raises(ArgumentError, match=words):
        use(layer)
    assert layer.quantization_mode is None and layer.quantization_config is None
    np.testing.assert_array_equal(layer(X), X @ KERNEL + BIAS)


class Doubled(layers.Dense):
    """A Dense of a user's own."""


def test_subclasses_are_asked_about() -> None:
    layer = Doubled(2)
    layer.build((None, 3))
    with pytest.raises(
        ArgumentError, match="Doubled is a subclass, which may compute something else. Give type_check=False"
    ):
        layer.quantize("int8")
    layer.quantize("int8", type_check=False)
    assert layer.kernel.dtype == "int8"
    with pytest.raises(ArgumentError, match="it is quantized already, as int8_from_float32"):
        layer.quantize("int8", type_check=False)
    table = layers.ReversibleEmbedding(3, 2)
    table.build(None)
    with pytest.raises(ArgumentError, match="ReversibleEmbedding keeps its table in floats"):
        table.quantize("int8", type_check=False)
    with pytest.raises(ArgumentError, match="ReversibleEmbedding has no kernel in integers"):
        layers.ReversibleEmbedding(3, 2, dtype="int8_from_float32")
    model = Sequential([layers.Input((2,), dtype="int32"), table])
    with pytest.warns(UserWarning, match="of reversible_embedding.* the weights stay as they are"):
        model.quantize("int8", type_check=False)
    with pytest.raises(MissingNameError, match="conv2d.*.quantize: Dense, EinsumDense and Embedding can keep"):
        layers.Conv2D(2, 2).quantize("int8")
