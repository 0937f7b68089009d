"""Kernels in eight bits beside Keras's: the same integers, scales and results to the bit; slopes, policies, configs and files."""

import json
from typing import Any

import numpy as np
import pytest

import refnet
from refnet.testing.closeness import close

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

LIBRARIES = [refnet, keras]
BOTH_WAYS = pytest.mark.parametrize("writer", [0, 1], ids=["ours_read_by_keras", "keras_read_by_us"])
# Keras 3.15 cannot quantize an EinsumDense whose equation has "...".
CASES: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Dense", {"units": 3, "activation": "relu"}, (4, 5)),
    ("Dense", {"units": 3, "use_bias": False}, (4, 2, 5)),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, (2, 4, 5)),
    ("EinsumDense", {"equation": "abcd,cde->abe", "output_shape": (None, 3), "bias_axes": "e"}, (2, 4, 3, 2)),
    ("EinsumDense", {"equation": "abc,bcd->abd", "output_shape": (3, 4)}, (2, 3, 5)),
    ("EinsumDense", {"equation": "abc,bcd->ad", "output_shape": (4,)}, (2, 3, 5)),
    ("EinsumDense", {"equation": "abc,cd->adb", "output_shape": (4, 3)}, (2, 3, 5)),
    ("EinsumDense", {"equation": "abc,dc->abd", "output_shape": (None, 4)}, (2, 3, 5)),
    ("Embedding", {"input_dim": 5, "output_dim": 3}, (2, 4)),
]
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1].get('equation', '')}")
draws = np.random.default_rng(4)


def inputs_of(case: Any) -> Any:
    name, _, shape = case
    return (
        draws.integers(0, 5, shape).astype("int32")
        if name == "Embedding"
        else draws.standard_normal(shape).astype("float32")
    )


def beside(case: Any, **more: Any) -> tuple[Any, Any]:
    """The layer of both, built, with the same weights."""
    made = [getattr(k.layers, case[0])(**case[1], **more) for k in LIBRARIES]
    for layer in made:
        layer.build((None, *case[2][1:]))
    weights = [draws.standard_normal(w.shape).astype(w.dtype) for w in made[0].get_weights()]
    for layer in made:
        layer.set_weights(weights)
    return made[0], made[1]


def array(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x) if keras.ops.is_tensor(x) else x)


def names(variables: Any) -> list[str]:
    return ["/".join(v.path.split("/")[1:]) for v in variables]


def held_alike(ours: Any, theirs: Any) -> None:
    """The same weights, in the same order, to the bit; and the same in files."""
    assert names(ours.weights) == names(theirs.weights)
    assert names(ours.trainable_weights) == names(theirs.trainable_weights)
    for own, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert own.dtype == other.dtype
        np.testing.assert_array_equal(own, other)


@EACH
def test_integers_scales_and_results(case: Any) -> None:
    ours, theirs = beside(case)
    for layer in (ours, theirs):
        layer.quantize("int8")
    held_alike(ours, theirs)
    for _ in range(3):
        x = inputs_of(case)
        np.testing.assert_array_equal(ours(x), array(theirs(x)))
    for word in ("quantization_mode", "compute_dtype", "variable_dtype"):
        assert getattr(ours, word) == getattr(theirs, word)
    assert ours.dtype_policy.name == theirs.dtype_policy.name


@EACH
def test_in_bfloat16(case: Any) -> None:
    ours, theirs = beside(case, dtype="mixed_bfloat16")
    for layer in (ours, theirs):
        layer.quantize("int8")
    held_alike(ours, theirs)
    x = inputs_of(case)
    got, due = ours(x), array(keras.ops.cast(theirs(x), "float32"))
    assert got.dtype.name == "bfloat16"
    bias = 0 if ours.get_weights()[0].dtype == "int8" else abs(ours.get_weights()[0]).max()
    # Keras's table gives its rows as float32, rounded to bfloat16 by who reads them
    close(got.astype("float32"), due, 6, abs(due) + bias, dtype="bfloat16")


@pytest.mark.parametrize("first", ["adapter", "integers"])
@pytest.mark.parametrize(
    "case", [CASES[i] for i in (0, 2, 3, 8)], ids=lambda case: f"{case[0]} {case[1].get('equation', '')}"
)
def test_with_an_adapter(case: Any, first: str) -> None:
    """Whole numbers of small size, whose products with the adapter are exact."""
    ours, theirs = beside(case)
    steps = [lambda layer: layer.enable_lora(2, 4), lambda layer: layer.quantize("int8")]
    for layer in (ours, theirs):
        for step in steps if first == "adapter" else reversed(steps):
            step(layer)
    adapter = {
        v.path.split("/")[-1]: draws.integers(-3, 4, v.shape).astype("float32")
        for v in ours.weights
        if "lora" in v.path
    }
    for layer in (ours, theirs):
        for v in layer.weights:
            if "lora" in v.path:
                v.assign(adapter[v.path.split("/")[-1]])
    held_alike(ours, theirs)
    x = draws.integers(0, 5, case[2]).astype("int32" if case[0] == "Embedding" else "float32")
    np.testing.assert_array_equal(ours(x), array(theirs(x)))
    kept: list[dict[str, Any]] = [{}, {}]
    for layer, store in zip((ours, theirs), kept):
        layer.save_own_variables(store)
    assert sorted(kept[0]) == sorted(kept[1])
    # Kernel and adapter were added before they were rounded anew: what is near a half may fall to either side.
    for name in kept[0]:
        own, other = np.asarray(kept[0][name]), array(kept[1][name])
        assert own.dtype == other.dtype and own.shape == other.shape
        if own.dtype == "int8":
            assert abs(own.astype("int32") - other).max() <= 1
        else:
            close(own, other, 2 * 6)


def test_what_flows_back() -> None:
    import torch

    ours, theirs = beside(CASES[0])
    for layer in (ours, theirs):
        layer.quantize("int8")
    x = inputs_of(CASES[0])
    asked = torch.tensor(x, requires_grad=True)
    weights = draws.standard_normal((4, 3)).astype("float32")
    (theirs(asked) * torch.tensor(weights)).sum().backward()
    got = refnet.grad(lambda x: refnet.ops.sum(ours(x) * weights))(x)
    kernel = ours.kernel.numpy() / ours.kernel_scale.numpy()
    close(got, asked.grad.numpy(), 2 * (3 + 3), abs(weights) @ abs(kernel).T)


def whole_models(k: Any) -> Any:
    words = k.Input((4,), dtype="int32")
    x = k.layers.Embedding(5, 4, name="table")(words)
    x = k.layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", name="middle")(x)
    model = k.Model(words, k.layers.Dense(2, name="out")(k.layers.Dense(3, activation="relu", name="each")(x)))
    drawn = np.random.default_rng(8)
    model.set_weights([drawn.standard_normal(w.shape) for w in model.get_weights()])
    model.compile(k.optimizers.Adam(2.0**-4), "mse")
    return model


WORDS = draws.integers(0, 5, (3, 4)).astype("int32")


@pytest.mark.parametrize("ending", ["keras", "weights.h5", "h5"])
@pytest.mark.parametrize("kind", ["default", "weights alone"])
@BOTH_WAYS
def test_files(writer: int, kind: str, ending: str, tmp_path: Any) -> None:
    def quantized(k: Any) -> Any:
        model = whole_models(k)
        config = k.quantizers.Int8QuantizationConfig(activation_quantizer=None) if kind == "weights alone" else None
        model.quantize("int8", config=config)
        return model

    model, reader = quantized(LIBRARIES[writer]), LIBRARIES[1 - writer]
    model.fit(WORDS, np.ones((3, 4, 2)), verbose=0)
    path, due = str(tmp_path / f"m.{ending}"), model.predict(WORDS, verbose=0)
    if ending == "weights.h5":
        model.save_weights(path)
        read = quantized(reader)
        read.load_weights(path)
    else:
        model.save(path)
        read = reader.saving.load_model(path)
    got = read.predict(WORDS, verbose=0)
    if kind == "default":
        np.testing.assert_array_equal(got, due)
    else:  # sums of floats
        close(got, due, 2 * 4 * (4 + 3), abs(due).max() * 8)
    assert names_of(read) == names_of(model)
    if reader is refnet or ending != "h5":  # Keras 3.15 cannot train on what it read from such a file
        before = read.get_weights()
        read.fit(WORDS, np.ones((3, 4, 2)), verbose=0)
        for v, now, then in zip(read.weights, read.get_weights(), before):
            assert np.array_equal(now, then) == (v.path.split("/")[-1] != "bias")


def names_of(model: Any) -> list[str]:
    return ["/".join(v.path.split("/")[-2:]) for v in model.weights]


@EACH
@BOTH_WAYS
def test_configs_are_each_others(case: Any, writer: int) -> None:
    layer, reader = beside(case)[writer], LIBRARIES[1 - writer]
    layer.quantize("int8")
    again = getattr(reader.layers, case[0]).from_config(json.loads(json.dumps(layer.get_config())))
    again.build((None, *case[2][1:]))
    assert again.quantization_mode == "int8"
    again.set_weights(layer.get_weights())
    x = inputs_of(case)
    np.testing.assert_array_equal(array(again(x)), array(layer(x)))


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_quantizers(axis: Any, dtype: str) -> None:
    x = draws.standard_normal((3, 4, 5))
    for own, other in zip(
        refnet.quantizers.abs_max_quantize(refnet.ops.cast(x, dtype), axis),
        keras.quantizers.abs_max_quantize(keras.ops.cast(x, dtype), axis),
        strict=True,
    ):
        theirs = array(keras.ops.cast(other, "float32"))
        assert own.dtype.name == keras.backend.standardize_dtype(other.dtype)
        np.testing.assert_array_equal(own.astype("float32"), theirs)
    given = {"axis": axis, "value_range": (-100, 90), "epsilon": 0.25}
    ours, theirs = (k.quantizers.AbsMaxQuantizer(**given) for k in LIBRARIES)
    assert json.loads(json.dumps(ours.get_config())) == json.loads(json.dumps(theirs.get_config()))
    one, two = ours(x.astype("float32")), theirs(x.astype("float32"))
    np.testing.assert_array_equal(one[0], array(two[0]))
    np.testing.assert_array_equal(one[1], array(two[1]))


def test_what_a_model_has_quantized() -> None:
    """Those inside other layers as well; both warn of what stays."""
    found = []
    for k in LIBRARIES:
        start = k.Input((4, 6))
        x = k.layers.Conv1D(6, 2, padding="same", name="windows")(start)
        model = k.Model(start, k.layers.Dense(2, name="out")(k.layers.MultiHeadAttention(2, 3, name="heads")(x, x)))
        with pytest.warns(UserWarning):
            model.quantize("int8", filters=["windows", "out", "key"])
        found.append(sorted(x.name for x in model._flatten_layers() if x.quantization_mode == "int8"))
    assert found[0] == found[1] == ["attention_output", "key", "out"]
