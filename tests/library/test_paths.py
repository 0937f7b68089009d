"""Paths: the names of the layers around a layer or a variable, by which patterns find weights."""

import copy
import json
import pickle
import zipfile
from typing import Any

import h5py
import numpy as np
import pytest

from refnet import Model, Sequential, Variable, layers, models, name_scope, optimizers, saving
from refnet.layers import Dense, Input, Layer

X = np.ones((2, 3), "float32")


class Block(Layer):
    """One layer built by `build`, the other by its first call, and weights made in __init__ and in `build`."""

    def __init__(self, **more: Any):
        super().__init__(**more)
        self.first, self.more = Dense(3, name="first"), [Dense(3, name="second")]
        self.early = self.add_weight(shape=(), name="early")

    def build(self, input_shape: Any) -> None:
        self.first.build(input_shape)
        self.late, self.bare = self.add_weight(shape=(), name="late"), Variable(0.0, name="bare")

    def call(self, inputs: Any) -> Any:
        return self.more[0](self.first(inputs)) * self.late + self.early + self.bare


class Net(Model):
    def __init__(self, **more: Any):
        super().__init__(**more)
        self.encoder, self.head = Block(name="encoder"), Sequential([Dense(1, name="last")], name="head")

    def call(self, inputs: Any) -> Any:
        return self.head(self.encoder(inputs))


def paths(layer: Any) -> list[str]:
    return [weight.path for weight in layer.weights]


def test_a_path_has_the_names_of_the_layers_around() -> None:
    net = Net(name="net")
    assert net.path is None and net.encoder.path is None and net.encoder.early.path == "encoder/early"
    net(X)
    assert (net.path, net.encoder.path, net.encoder.more[0].path) == ("net", "net/encoder", "net/encoder/second")
    inside = ["late", "bare", "first/kernel", "first/bias", "second/kernel", "second/bias"]
    head = ["net/head/last/kernel", "net/head/last/bias"]
    assert paths(net) == ["encoder/early", *(f"net/encoder/{name}" for name in inside), *head]
    assert net.encoder.first.kernel.name == "first/kernel"  # a name stays as in the first edition
    assert paths(copy.deepcopy(net.encoder)) == paths(net.encoder)


def test_a_model_of_tensors_is_no_name_and_a_sequential_is_one() -> None:
    inner = Sequential([Dense(2, name="a")], name="inner")
    before = Sequential([Input((3,)), Dense(2, name="b")], name="before")
    outer = Sequential([Input((3,)), inner, Dense(3, name="c"), before], name="outer")
    kernels = [path for path in paths(outer) if path.endswith("kernel")]
    assert kernels == ["outer/inner/a/kernel", "outer/c/kernel", "before/b/kernel"]
    x = Input((3,))
    model = Model(x, Dense(1, name="d")(outer(x)), name="model")
    assert model.path == "model" and paths(model)[-2:] == ["d/kernel", "d/bias"]


def test_a_shared_layer_has_the_path_of_its_first_place() -> None:
    shared = Dense(3, name="shared")

    class Around(Layer):
        def __init__(self, **more: Any):
            super().__init__(**more)
            self.inner = shared

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    model = Sequential([Input((3,)), Around(name="one"), Around(name="two"), shared], name="model")
    assert paths(model) == ["model/one/shared/kernel", "model/one/shared/bias"]


def test_layers_inside_of_layers_of_ours() -> None:
    steps = Input((4, 3))
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="ls"), name="both")(steps)
    y = layers.TimeDistributed(Dense(2, name="d"), name="each")(y)
    y = layers.MultiHeadAttention(1, 2, use_bias=False, name="heads")(y, y)
    found = paths(Model(steps, y))
    assert found[0] == "both/forward_ls/lstm_cell/kernel" and found[3] == "both/backward_ls/lstm_cell/kernel"
    parts = ["query", "key", "value", "attention_output"]
    assert found[6:] == ["each/d/kernel", "each/d/bias", *(f"heads/{part}/kernel" for part in parts)]


def test_patterns_of_optimizers_find_outer_names() -> None:
    slow, fast = optimizers.SGD(0.0), optimizers.SGD(0.5)
    net = Net(name="net")
    net.compile(optimizers.MultiOptimizer(optimizers.OptimizerMap(fast, {"net/encoder/.*": slow})), "mse")
    net(X)
    first = net.get_weights()
    net.fit(X, np.ones((2, 1)), verbose=0)
    same = {w.path: np.array_equal(a, w.numpy()) for a, w in zip(first, net.weights)}
    assert same["net/encoder/first/kernel"] and same["net/encoder/second/bias"] and not same["net/head/last/kernel"]


def test_muon_leaves_layers_to_adam_by_outer_names() -> None:
    net = Net(name="net")
    net(X)
    muon = optimizers.Muon(exclude_layers=["net/encoder/first"])
    kernels = {w.path: muon.takes_adam(w) for w in net.weights if w.path.endswith("kernel")}
    first, second, last = (f"net/{name}/kernel" for name in ("encoder/first", "encoder/second", "head/last"))
    assert kernels == {first: True, second: False, last: False}
    tied = Net(name="embedding_net")
    tied(X)
    assert all(muon.takes_adam(w) for w in tied.weights)


def test_weight_decay_leaves_alone_what_outer_and_last_names_say() -> None:
    net = Net(name="net")
    net(X)
    optimizer = optimizers.SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["net/encoder/first", "^bias$", "^encoder/kernel$"])
    first = net.get_weights()
    optimizer.apply([np.zeros(w.shape) for w in net.weights], net.weights)
    same = {w.path: np.array_equal(a, w.numpy()) for a, w in zip(first, net.weights)}
    assert same["net/encoder/first/kernel"] and same["net/head/last/bias"]
    assert not same["net/encoder/second/kernel"] and not same["net/head/last/kernel"]


def chosen_by_path(model: Any) -> dict[str, str]:
    return {w.path: model.optimizer.optimizer_map(w).name for w in model.weights}


@pytest.mark.parametrize("ending", [".keras", ".h5", "pickle"])
def test_a_model_that_is_read_chooses_as_it_did(tmp_path: Any, ending: str) -> None:
    """A stack inside of another, and a model of the user's, are made alone when they are read."""
    inner = Sequential([Dense(3, name="a"), Dense(3, name="b")], name="inner")
    begun = Sequential([Input((3,)), Dense(3, name="c")], name="begun")
    outer = Sequential([Input((3,)), inner, begun, Dense(1, name="d")], name="outer")
    several = optimizers.OptimizerMap(
        optimizers.Adam(0.25, name="rest"), {"outer/inner/.*": optimizers.Adam(0.5, name="inner")}
    )
    outer.compile(optimizers.MultiOptimizer(several), "mse")
    outer.fit(X, X[:, :1], verbose=0)
    outer.save(tmp_path / f"model{ending}") if ending[0] == "." else None
    read = saving.load_model(tmp_path / f"model{ending}") if ending[0] == "." else pickle.loads(pickle.dumps(outer))
    assert paths(read) == paths(outer) == paths(models.clone_model(outer))
    assert chosen_by_path(read) == chosen_by_path(outer) and set(chosen_by_path(read).values()) == {"rest", "inner"}
    for model in (read, outer):
        model.fit(X, X[:, :1], verbose=0)
    for a, b in zip(read.optimizer.variables, outer.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("told", [["other"], "outer/d/kernel", [1, 2], {"a": 1}, None, ["x/bias", "x/kernel"]])
def test_paths_in_a_file_that_are_not_those_of_its_weights_are_left_out(tmp_path: Any, told: Any) -> None:
    Sequential([Input((3,)), Dense(1, name="d")], name="outer").save(tmp_path / "model", zipped=False)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["weight_paths"] == ["outer/d/kernel", "outer/d/bias"]
    (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "weight_paths": told}))
    assert paths(saving.load_model(tmp_path / "model")) == ["outer/d/kernel", "outer/d/bias"]


@pytest.mark.parametrize("ending", [".keras", ".h5", ""])
def test_a_file_that_is_older_than_paths_has_its_optimizers_state(tmp_path: Any, ending: str) -> None:
    """Its optimizers chose weights by their names."""
    model = Sequential([Input((3,)), Dense(3, name="a"), Dense(1, name="b")], name="net")
    for weight in model.weights:
        weight.path = weight.name
    several = optimizers.OptimizerMap(optimizers.SGD(0.25, name="rest"), {"a/.*": optimizers.Adam(0.5, name="first")})
    model.compile(optimizers.MultiOptimizer(several), "mse")
    model.fit(X, X[:, :1], verbose=0)
    file = tmp_path / f"model{ending}"
    model.save(file, zipped=False if not ending else None)
    if ending == ".h5":
        with h5py.File(file, "a") as content:
            del content.attrs["weight_paths"]
    elif ending:
        with zipfile.ZipFile(file) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts["config.json"] = without_paths(parts["config.json"])
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
    else:
        (file / "config.json").write_bytes(without_paths((file / "config.json").read_bytes()))
    read = saving.load_model(file)
    assert chosen_by_path(read) == chosen_by_path(model) and "a/kernel" in paths(read)
    for a, b in zip(read.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def without_paths(config: bytes) -> bytes:
    return json.dumps({key: value for key, value in json.loads(config).items() if key != "weight_paths"}).encode()


def test_a_pickle_of_a_variable_that_is_older_than_paths() -> None:
    weight = Variable(1.0, name="dense/kernel")
    del weight.path
    assert copy.deepcopy(weight).path == pickle.loads(pickle.dumps(weight)).path == "dense/kernel"


def test_attributes_of_the_users_that_sound_like_paths() -> None:
    class Reading(Layer):
        def __init__(self, **more: Any):
            super().__init__(**more)
            self._path, self._placed, self.inner = np.zeros(3), True, Dense(2, name="inner")

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    layer = Reading(name="reading")
    layer(X)
    assert paths(layer) == ["reading/inner/kernel", "reading/inner/bias"] and layer._path.shape == (3,)


def test_a_block_may_be_entered_again() -> None:
    block = name_scope("block")
    with block, block:
        assert Variable(1.0, name="a").path == "block/block/a"
    with block, name_scope("x", override_parent=""):
        assert Variable(1.0, name="a").path == "x/a"
    assert Variable(1.0, name="a").path == "a"
