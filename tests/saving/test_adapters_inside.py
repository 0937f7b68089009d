"""Adapters, and kernels in integers, of layers inside other layers: a file of the model has them."""

import copy
import json
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

from refnet import Model, layers, saving
from refnet.errors import FileError
from refnet.models import load_model
from refnet.quantizers import Int8QuantizationConfig

X = np.random.default_rng(0).normal(size=(4, 3, 4)).astype("float32")


class Block(layers.Layer):
    """A layer of a user's own, with a layer inside."""

    def __init__(self, **more: Any):
        super().__init__(**more)
        self.dense = layers.Dense(4, name="dense")

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def network(adapted: bool, integers: bool) -> Model:
    start = layers.Input((3, 4))
    heads = layers.MultiHeadAttention(2, 3, name="heads")
    model = Model(start, layers.Dense(2, name="out")(Block(name="block")(heads(start, start))))
    inner = [heads.query_dense, heads.value_dense, model.get_layer("block").dense]
    if integers:
        inner[0].quantize(config=Int8QuantizationConfig(activation_quantizer=None))
        model.quantize("int8", filters=["value", "dense"])
    if adapted:
        for layer in inner:
            layer.enable_lora(2, lora_alpha=3)
            layer.set_weights([w + 0.5 if "lora" in v.name else w for v, w in zip(layer.weights, layer.get_weights())])
    model.compile("adam", "mse")
    model.fit(X, np.ones((4, 3, 2)), verbose=0)
    return model


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("adapted, integers", [(True, False), (False, True), (True, True)])
def test_a_file_has_them(adapted: bool, integers: bool, ending: str, tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    model = network(adapted, integers)
    model.save(tmp_path / f"m.{ending}")
    read = load_model(tmp_path / f"m.{ending}", custom_objects={"Block": Block})
    assert [v.name for v in read.trainable_weights] == [v.name for v in model.trainable_weights]
    assert [(v.path, v.dtype) for v in read.weights] == [(v.path, v.dtype) for v in model.weights]
    for own, saved in zip(read.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(own, saved)
    heads = read.get_layer("heads")
    if adapted:
        assert (heads.query_dense.lora_rank, heads.query_dense.lora_alpha) == (2, 3)
    if integers:
        assert heads.query_dense.quantization_config.activation_quantizer is None
    again, due = read.predict(X, verbose=0), model.predict(X, verbose=0)
    if ending == "h5" or not adapted:  # where the sum is not rounded anew
        np.testing.assert_array_equal(again, due)
    read.fit(X, np.ones((4, 3, 2)), verbose=0)
    assert np.any(read.predict(X, verbose=0) != again)


@pytest.mark.parametrize(
    "how", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("integers", [False, True])
def test_a_copy_of_a_model_goes_on_as_the_model_does(integers: bool, how: Any) -> None:
    pytest.importorskip("h5py")
    with saving.custom_object_scope({"Block": Block}):
        model = network(True, integers)
        again = how(model)
    for one in (model, again):
        one.fit(X, np.ones((4, 3, 2)), verbose=0, shuffle=False)
    assert np.any(model.get_layer("heads").query_dense.lora_kernel_b.numpy())
    for own, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_what_a_file_says_of_them_is_checked(tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    network(True, True).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for said, words in (
        ({"lora_rank": 2**40}, "more weights than the file has"),
        ({"lora_rank": "a"}, "rank must be an integer of at least 1"),
        ({"quantization_config": "int4"}, "mode is 'int8'; got 'int4'"),
    ):
        config = json.loads(parts["config.json"])
        config["adapters_and_integers"] = dict.fromkeys(config["adapters_and_integers"], said)
        with zipfile.ZipFile(tmp_path / "n.keras", "w") as archive:
            for name, content in {**parts, "config.json": json.dumps(config).encode()}.items():
                archive.writestr(name, content)
        with pytest.raises(FileError, match=words):
            load_model(tmp_path / "n.keras", custom_objects={"Block": Block})
