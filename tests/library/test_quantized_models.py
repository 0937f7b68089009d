"""Models whose kernels are kept in eight bits: which layers, their lists, copies, configs and files."""

import copy
import json
import warnings
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import Sequential, layers, quantizers
from refnet.errors import ArgumentError, DtypeError, FileError
from refnet.models import Model, clone_model, load_model
from refnet.quantizers import AbsMaxQuantizer, Int8QuantizationConfig

KERNEL = np.array([[127, 0], [2, -127], [0, 3]], "float32")  # whole numbers, whose scales are 1: they stay as they are
X = np.array([[1, 127, 3], [-127, 0, 2], [4, -2, 127], [0, 127, -3]], "float32")  # the same


def whole_dense() -> layers.Dense:
    layer = layers.Dense(2, name="whole")
    layer.build((None, 3))
    layer.set_weights([KERNEL, np.array([1, -2], "float32")])
    return layer


def network() -> Any:
    words = layers.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8, name="table")(words)
    x = layers.MultiHeadAttention(2, 4, name="heads")(x, x)
    return Model(words, layers.Dense(3, name="out")(layers.Conv1D(4, 2, name="windows")(x)))


WORDS = np.random.default_rng(3).integers(0, 9, (5, 6))


def test_a_compiled_model_is_quantized_and_trained_on() -> None:
    model = network()
    model.compile("adam", "mse")
    model.fit(WORDS, np.ones((5, 5, 3)), verbose=0)
    before = model.predict(WORDS, verbose=0)
    with pytest.warns(UserWarning, match="quantize: of windows the weights stay as they are"):
        model.quantize("int8")
    kernels = [v for v in model.weights if v.name.endswith(("/kernel", "/embeddings"))]
    assert [v.dtype for v in kernels].count("int8") == 6 and len(kernels) == 7
    after = model.predict(WORDS, verbose=0)
    assert 0 < abs(after - before).max() < 0.1 * abs(before).max()
    integers = [v.numpy() for v in kernels if v.dtype == "int8"]
    model.fit(WORDS, np.ones((5, 5, 3)), epochs=2, verbose=0)
    for now, then in zip((v.numpy() for v in kernels if v.dtype == "int8"), integers, strict=True):
        np.testing.assert_array_equal(now, then)
    assert np.any(model.predict(WORDS, verbose=0) != after)


@pytest.mark.parametrize(
    "filters, chosen",
    [("^out$", ["out"]), (["table", "key"], ["table", "key"]), (lambda layer: layer.name == "value", ["value"])],
)
def test_filters(filters: Any, chosen: list[str]) -> None:
    model = network()
    model.quantize("int8", filters=filters)
    assert sorted(x.name for x in model._flatten_layers() if x.quantization_mode) == sorted(chosen)
    for wrong in (3, "[", ["d1", 3]):
        with pytest.raises(ArgumentError, match="quantize: filters is a pattern of layers' names, a list of patterns"):
            network().quantize("int8", filters=wrong)


def test_a_kernel_that_is_normalized_stays_as_it_is() -> None:
    inner = layers.Dense(2, name="inner")
    model = Sequential([layers.Input((3,)), layers.SpectralNormalization(inner, name="norm"), layers.Dense(1)])
    with pytest.warns(UserWarning, match="of inner the weights stay as they are"):
        model.quantize("int8")
    assert [layer.dtype for layer in (inner.kernel, model.layers[1].kernel)] == ["float32", "int8"]
    for name, use in (("quantize", lambda: inner.quantize("int8")), ("enable_lora", lambda: inner.enable_lora(1))):
        with pytest.raises(ArgumentError, match=f"inner.{name}: norm divides its kernel by the largest singular value"):
            use()
    assert [v.name.rpartition("/")[2] for v in model.layers[0].weights] == ["kernel", "vector_u", "bias"]
    with pytest.raises(ArgumentError, match="norm normalizes a kernel of floats; that of whole is int8"):
        layer = whole_dense()
        layer.quantize("int8")
        layers.SpectralNormalization(layer, name="norm")(X)


def test_models_that_cannot_be_quantized_stay() -> None:
    with pytest.raises(ArgumentError, match="quantize: it is not built yet"):
        Sequential([layers.Dense(2)]).quantize("int8")
    model = Sequential([layers.Input((3,)), layers.Dense(2), layers.Dense(2, dtype="mixed_float16", name="half")])
    with pytest.raises(DtypeError, match="int8 is for layers that compute in float32"):
        model.quantize("int8")
    assert all(layer.quantization_mode is None for layer in model.layers)
    model = network()
    with pytest.raises(
        ArgumentError, match="a weight_quantizer gives as many int8"
    ):  # for the table alone it would serve
        model.quantize(config=Int8QuantizationConfig(AbsMaxQuantizer(axis=-1)), filters=["table", "out"])
    assert all(layer.quantization_mode is None for layer in model.layers)


def test_summary_and_copies() -> None:
    model = Sequential([layers.Input((3,)), whole_dense()])
    model.quantize("int8")
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "Total params: 10 (22.00 B)" in "\n".join(lines) and "Trainable params: 2 " in "\n".join(lines)
    again = clone_model(model)
    again.set_weights(model.get_weights())
    for other in (again, copy.deepcopy(model)):
        assert other.layers[0].dtype_policy.name == "int8_from_float32"
        np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    layer = copy.deepcopy(model.layers[0])
    np.testing.assert_array_equal(layer(X), model.layers[0](X))


@pytest.mark.parametrize("ending", ["keras", "h5", "weights.h5"])
def test_files(ending: str, tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    model = Sequential(
        [
            layers.Input((6,), dtype="int32"),
            layers.Embedding(9, 4),
            layers.EinsumDense("abc,cd->abd", (None, 3)),
            layers.Dense(2),
        ]
    )
    model.quantize("int8", filters="embedding")
    model.quantize(config=Int8QuantizationConfig(activation_quantizer=None), filters="einsum")
    model.quantize("int8", filters="^dense")
    model.compile("adam", "mse")
    model.fit(WORDS, np.ones((5, 6, 2)), verbose=0)
    due, path = model.predict(WORDS, verbose=0), tmp_path / f"m.{ending}"
    if ending == "weights.h5":
        model.save_weights(path)
        read = clone_model(model)
        read.load_weights(path)
    else:
        model.save(path)
        read = load_model(path)
    np.testing.assert_array_equal(read.predict(WORDS, verbose=0), due)
    assert read.layers[1].quantization_config.activation_quantizer is None
    assert [v.dtype for v in read.weights] == [v.dtype for v in model.weights]


def test_files_hold_integers_and_adapter_in_one(tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    model = Sequential([layers.Input((3,)), whole_dense()])
    model.quantize("int8")
    layer = model.layers[0]
    layer.enable_lora(1)
    a, b = np.array([[0], [0], [1]], "float32"), np.array([[127, 4]], "float32")
    layer.lora_kernel_a.assign(a)
    layer.lora_kernel_b.assign(b)
    model.save(tmp_path / "m.keras")
    read = load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(read.layers[0].get_weights()[3], KERNEL + a @ b)
    np.testing.assert_array_equal(read.predict(X, verbose=0), model.predict(X, verbose=0))
    floats = Sequential([layers.Input((3,)), layers.Dense(2)])
    floats.save_weights(tmp_path / "f.weights.h5")
    with pytest.raises(FileError, match="has 3 variables"):
        clone_model(read).load_weights(tmp_path / "f.weights.h5")


def test_a_class_of_the_users_called_quantizer_is_none_of_ours() -> None:
    described = {"module": None, "class_name": "Quantizer", "config": {}}
    with pytest.raises(FileError, match="names a class 'Quantizer', which is not known"):
        refnet.saving.deserialize_keras_object(described)
    ours = refnet.saving.deserialize_keras_object({**described, "module": "keras.quantizers"})
    assert type(ours) is quantizers.Quantizer


def test_configs_say_so_only_where_it_is_so() -> None:
    assert "quantization_config" not in layers.Dense(2).get_config()
    layer = whole_dense()
    layer.quantize("int8")
    config = json.loads(json.dumps(layer.get_config()))
    assert (
        config["dtype"] == "int8_from_float32"
        and config["quantization_config"]["class_name"] == "Int8QuantizationConfig"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = layers.Dense.from_config(config)
        again.build((None, 3))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(X), layer(X))
