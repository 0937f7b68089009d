"""Adapters of layers (LoRA) beside Keras's: lists of weights, values, a step of training, configs and files both ways.

Weights and inputs are whole numbers and learning rates powers of 2, so both libraries' results are exact, and equal.
"""

import json
from typing import Any

import numpy as np
import pytest

import refnet

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

LIBRARIES = [refnet, keras]
BOTH_WAYS = pytest.mark.parametrize("writer", [0, 1], ids=["ours_read_by_keras", "keras_read_by_us"])
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "dense": ("Dense", {"units": 3, "activation": "relu"}, (4, 5)),
    "dense without bias": ("Dense", {"units": 3, "use_bias": False}, (4, 2, 5)),
    "einsum": ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, (2, 4, 5)),
    "embedding": ("Embedding", {"input_dim": 5, "output_dim": 3}, (2, 4)),
    "reversible": ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3}, (2, 4)),
    "untied": ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3, "tie_weights": False}, (2, 4)),
    "series": ("Conv1D", {"filters": 3, "kernel_size": 2, "padding": "causal"}, (2, 4, 2)),
    "image": ("Conv2D", {"filters": 4, "kernel_size": (2, 3), "groups": 2, "padding": "same"}, (2, 3, 4, 4)),
    "volume": ("Conv3D", {"filters": 2, "kernel_size": 2, "strides": 2}, (2, 4, 4, 4, 1)),
}  # fmt: skip
EACH = pytest.mark.parametrize("case", CASES)


def whole(shape: Any, seed: int, least: int = -3, most: int = 4) -> Any:
    return np.random.default_rng(seed).integers(least, most, shape).astype("float32")


def data_for(case: str) -> Any:
    name, _, shape = CASES[case]
    return whole(shape, 1, 0, 5).astype("int32") if "Embedding" in name else whole(shape, 1)


def adapted(library: Any, case: str, **more: Any) -> Any:
    """The layer, built, with an adapter of rank 2 that counts two times. (Keras's Dense and Embedding forget a lora_alpha that they
    are made with when they are built, so it is enabled afterwards.)"""
    name, arguments, shape = CASES[case]
    layer = getattr(library.layers, name)(**arguments, **more)
    layer.build((None, *shape[1:]))
    layer.enable_lora(2, lora_alpha=4)
    layer.set_weights([whole(w.shape, 10 + i) for i, w in enumerate(layer.get_weights())])
    return layer


def array(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x) if keras.ops.is_tensor(x) else x)


def names(variables: Any) -> list[str]:
    return ["/".join(v.path.split("/")[1:]) for v in variables]


@EACH
def test_lists_values_and_kernels(case: str) -> None:
    ours, theirs = (adapted(library, case) for library in LIBRARIES)
    for held in ("weights", "trainable_weights"):
        assert names(getattr(ours, held)) == names(getattr(theirs, held))
    assert {*names(ours.non_trainable_weights)} == {*names(theirs.non_trainable_weights)}
    x = data_for(case)
    np.testing.assert_array_equal(ours(x), array(theirs(x)))
    kernel = "embeddings" if "mbedding" in CASES[case][0] else "kernel"
    np.testing.assert_array_equal(np.asarray(getattr(ours, kernel)), array(getattr(theirs, kernel)))
    if CASES[case][0] == "ReversibleEmbedding":
        back = whole((2, 4, 3), 3)
        np.testing.assert_array_equal(ours(back, reverse=True), array(theirs(back, reverse=True)))
    for word in ("lora_rank", "lora_alpha", "lora_enabled"):
        assert getattr(ours, word) == getattr(theirs, word)


@EACH
@BOTH_WAYS
def test_configs_are_each_others(case: str, writer: int) -> None:
    layer, reader = adapted(LIBRARIES[writer], case), LIBRARIES[1 - writer]
    config = json.loads(json.dumps(layer.get_config()))
    assert (config["lora_rank"], config["lora_alpha"]) == (2, 4)
    again = getattr(reader.layers, CASES[case][0]).from_config(config)
    if (
        reader is keras and case == "untied"
    ):  # Keras 3.15 locks it when it has the adapter, before the second table is made
        with pytest.raises(ValueError):
            again.build((None, *CASES[case][2][1:]))
        return
    again.build((None, *CASES[case][2][1:]))
    assert again.lora_enabled and again.lora_rank == 2
    values = dict(zip(names(layer.weights), layer.get_weights()))  # an adapter that came later may stand elsewhere
    again.set_weights([values[name] for name in names(again.weights)])
    if again.lora_alpha == 4:
        np.testing.assert_array_equal(array(again(data_for(case))), array(layer(data_for(case))))
    else:
        assert reader is keras and CASES[case][0] in ("Dense", "Embedding", "ReversibleEmbedding")


def model_of(library: Any, case: str, layer: Any) -> Any:
    x = data_for(case)
    model = library.Sequential([library.Input(x.shape[1:], dtype=x.dtype.name), layer])
    model.compile(library.optimizers.SGD(2.0**-8), Sum(library))
    return model


class Sum:
    """A loss whose slopes are whole numbers: half the sum of squares, whatever the number of elements."""

    __name__ = "half_the_sum_of_squares"

    def __init__(self, library: Any):
        self.ops = library.ops

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return self.ops.sum(self.ops.square(y_pred - y_true)) / 2


@EACH
def test_a_step_of_training(case: str) -> None:
    """Ours is adapted after it was compiled and used, Keras's before."""
    x, theirs = data_for(case), adapted(keras, case)
    model = model_of(keras, case, theirs)
    y = whole(model.predict(x, verbose=0).shape, 2)
    name, arguments, shape = CASES[case]
    ours = getattr(refnet.layers, name)(**arguments)
    used = model_of(refnet, case, ours)
    used.fit(x, y, batch_size=len(x), verbose=0)
    ours.enable_lora(2, lora_alpha=4)
    ours.set_weights(theirs.get_weights())
    for held in (model, used):
        held.fit(x, y, batch_size=len(x), verbose=0)
    for own, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def whole_models(library: Any, alpha: int = 4) -> Any:
    """A model with an adapter of each kind, which has done a step."""
    words = library.Input((4,), dtype="int32")
    table, conv = library.layers.Embedding(5, 4), library.layers.Conv1D(4, 2, padding="same")
    einsum, dense = library.layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), library.layers.Dense(2)
    model = library.Model(words, dense(einsum(conv(table(words)))))
    for layer in (table, conv, einsum, dense):
        layer.enable_lora(2, alpha)
    model.set_weights([whole(w.shape, 20 + i, -1, 2) for i, w in enumerate(model.get_weights())])
    model.compile(library.optimizers.Adam(2.0**-4), "mse")
    return model


@pytest.mark.parametrize("ending", ["keras", "weights.h5", "h5"])
@BOTH_WAYS
def test_files(writer: int, ending: str, tmp_path: Any) -> None:
    """The product is part of the kernel in `.keras` and `.weights.h5`, and beside it in `.h5`. (What Keras reads from that, it computes
    without the lora_alpha: see `adapted`.)"""
    model, reader = whole_models(LIBRARIES[writer], 2 if ending == "h5" else 4), LIBRARIES[1 - writer]
    path, x = str(tmp_path / f"m.{ending}"), data_for("embedding")
    due = model.predict(x, verbose=0)
    if ending == "weights.h5":
        model.save_weights(path)
        read = whole_models(reader)
        read.load_weights(path)
    else:
        model.save(path)
        read = reader.saving.load_model(path)
    np.testing.assert_array_equal(read.predict(x, verbose=0), due)
    before = dict(zip(names_of(model), model.get_weights()))
    after = dict(zip(names_of(read), read.get_weights()))
    assert list(before) == list(after)
    for name, w in after.items():
        if name.endswith("_b") and ending != "h5":
            assert not np.any(w), name
    if reader is refnet or ending != "h5":  # Keras 3.15 cannot train on what it read from such a file
        read.fit(x, np.ones_like(due), epochs=2, verbose=0)  # the optimizer's state fits the variables
    if reader is refnet:
        trained = dict(zip(names_of(read), read.get_weights()))
        for name, w in trained.items():
            frozen = name.endswith(("/kernel", "/embeddings"))
            assert np.array_equal(w, after[name]) == frozen, name


def names_of(model: Any) -> list[str]:
    """Kinds of layers and weights, without the numbers that a process gives layers."""
    return [f"{v.path.split('/')[0].rstrip('_0123456789')}/{v.path.split('/')[-1]}" for v in model.weights]


def test_the_files_of_both_hold_the_same_numbers(tmp_path: Any) -> None:
    import h5py

    held: list[dict[str, Any]] = []
    for library in LIBRARIES:
        path = tmp_path / f"{library.__name__}.weights.h5"
        whole_models(library).save_weights(path)
        held.append({})
        with h5py.File(path) as file:
            file.visititems(lambda name, x: held[-1].update({name: x[()]}) if isinstance(x, h5py.Dataset) else None)
    ours, theirs = ({name: x for name, x in found.items() if not name.startswith("optimizer")} for found in held)
    assert len(ours) == 7 and sorted(ours) == sorted(theirs)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])


@BOTH_WAYS
def test_a_file_of_an_adapted_model_is_read_without_adapters(writer: int, tmp_path: Any) -> None:
    path, x = str(tmp_path / "m.weights.h5"), data_for("dense")
    model = model_of(LIBRARIES[writer], "dense", adapted(LIBRARIES[writer], "dense"))
    model.save_weights(path)
    reader = LIBRARIES[1 - writer]
    plain = model_of(reader, "dense", reader.layers.Dense(**CASES["dense"][1]))
    plain.load_weights(path)
    np.testing.assert_array_equal(plain.predict(x, verbose=0), model.predict(x, verbose=0))


def attending(library: Any) -> Any:
    """A model with adapters inside another layer, of which that layer's config does not tell."""
    start = library.Input((3, 4))
    heads = library.layers.MultiHeadAttention(2, 3)
    model = library.Model(start, library.layers.Dense(2)(heads(start, start)))
    for layer in heads._flatten_layers():
        if layer.name in ("query", "value"):
            layer.enable_lora(2)
    model.compile("adam", "mse")
    return model


@BOTH_WAYS
def test_files_of_adapters_inside_a_layer(writer: int, tmp_path: Any) -> None:
    """Each reads the other's as if the sum had always been the kernel. The optimizer's state, of other weights, begins anew."""
    path, x, model = str(tmp_path / "m.keras"), whole((2, 3, 4), 5), attending(LIBRARIES[writer])
    model.fit(x, np.ones((2, 3, 2)), epochs=2, verbose=0)
    model.save(path)
    with pytest.warns(UserWarning, match="variables of an optimizer|variables whereas the saved optimizer"):
        read = LIBRARIES[1 - writer].saving.load_model(path)
    assert not any("lora" in v.path for v in read.weights)
    due = {layer.name: array(layer.kernel) for layer in projections(model)}
    got = {layer.name: array(layer.kernel) for layer in projections(read)}
    assert sorted(due) == sorted(got) == ["attention_output", "key", "query", "value"]
    for name, kernel in got.items():
        np.testing.assert_array_equal(kernel, due[name])


def projections(model: Any) -> list[Any]:
    return [layer for layer in model._flatten_layers() if type(layer).__name__ == "EinsumDense"]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("case", ["dense", "embedding", "einsum", "series"])
def test_policies(case: str, policy: str) -> None:
    """The kernel has parts that 16 bits lose and that the adapter brings back: what is rounded, and when, is seen."""
    ours, theirs = (adapted(library, case, dtype=policy) for library in LIBRARIES)
    fine = 2.0**-13 if policy != "float16" else 0.0
    kernel, *rest = theirs.get_weights()
    for layer in (ours, theirs):
        layer.set_weights([kernel + np.float32(fine), *rest])
    assert [v.dtype for v in ours.weights] == [v.dtype for v in theirs.weights]
    x = data_for(case)
    got, due = ours(x), theirs(x)
    assert got.dtype.name == keras.backend.standardize_dtype(due.dtype)
    np.testing.assert_array_equal(got.astype("float32"), array(keras.ops.cast(due, "float32")))


@pytest.mark.parametrize("case", ["dense", "embedding", "image"])
def test_both_refuse_the_same(case: str) -> None:
    name, arguments, _ = CASES[case]
    for library in LIBRARIES:
        layer = adapted(library, case)
        with pytest.raises(ValueError, match="adapter|once per layer"):
            layer.enable_lora(2)
        with pytest.raises(ValueError, match="built"):
            getattr(library.layers, name)(**arguments).enable_lora(2)
        word = "embeddings_constraint" if name == "Embedding" else "kernel_constraint"
        held = getattr(library.layers, name)(**arguments, **{word: "non_neg"})
        held.build((None, *CASES[case][2][1:]))
        with pytest.raises(ValueError, match="constraint"):
            held.enable_lora(2)
