"""The first edition's `.h5` files: whole models and weights, by order and by name; files as Keras 2 wrote them; lambdas."""

import json
import pathlib
from typing import Any

import h5py
import numpy as np
import pytest

from refnet import Input, Model, Sequential, callbacks, layers, models, ops, optimizers, regularizers, saving, utils
from refnet.errors import ArgumentError, FileError
from refnet.testing.conformance import agree

generator = np.random.default_rng(2)
X = generator.normal(size=(8, 3)).astype("float32")
Y = generator.normal(size=(8, 2)).astype("float32")


def shared_and_nested() -> Any:
    inner = Sequential([Input((4,)), layers.Dense(5, "relu", kernel_regularizer=regularizers.L2(0.1)), layers.Dense(4)])
    inner.layers[0].trainable = False
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = layers.Dense(4, name="shared")
    model = Model([a, b], layers.Dense(2, name="last")(layers.concatenate([inner(shared(a)), shared(b)]) * 2.0))
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"], loss_weights=None)
    return model


@pytest.mark.api("model.save", "models.load_model")
@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
def test_a_whole_model_comes_back_and_trains_on(ending: str, tmp_path: pathlib.Path) -> None:
    model = shared_and_nested()
    model.fit([X, X], Y, verbose=0)
    model.save(tmp_path / f"m{ending}")
    again = models.load_model(tmp_path / f"m{ending}")
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    again.summary(print_fn=lambda line: lines.remove(line))
    assert lines == []
    np.testing.assert_array_equal(again.predict([X, X]), model.predict([X, X]))
    for each in (model, again):
        each.fit([X, X], Y, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.evaluate([X, X], Y, verbose=0) == model.evaluate([X, X], Y, verbose=0)
    model.save(tmp_path / "bare.h5", include_optimizer=False)
    assert not models.load_model(tmp_path / "bare.h5").compiled
    assert not models.load_model(tmp_path / f"m{ending}", compile=False).compiled


@pytest.mark.api("model.save_weights / load_weights", "layer.set_weights")
def test_weights_by_order_by_name_and_where_they_fit(tmp_path: pathlib.Path) -> None:
    def net(units: int, *names: str) -> Any:
        return Sequential([Input((3,)), layers.Dense(4, name=names[0]), layers.Dense(units, name=names[1])])

    model = net(2, "embedding_4", "last")
    model.save_weights(tmp_path / "w.h5")
    other = net(2, "embedding_5", "other")
    other.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    third = net(2, "new", "last")
    before = third.get_weights()
    third.load_weights(tmp_path / "w.h5", by_name=True)
    np.testing.assert_array_equal(third.get_weights()[0], before[0])
    np.testing.assert_array_equal(third.get_weights()[2], model.get_weights()[2])
    wide = net(7, "embedding_4", "last")
    with pytest.raises(FileError, match=r"last/kernel has shape \(4, 7\); the file's last/kernel has shape \(4, 2\)"):
        wide.load_weights(tmp_path / "w.h5")
    with pytest.warns(UserWarning, match="It stays as it is"):
        wide.load_weights(tmp_path / "w.h5", skip_mismatch=True)
    np.testing.assert_array_equal(wide.get_weights()[0], model.get_weights()[0])
    model.save_weights(tmp_path / "w.weights.h5")
    fresh = net(7, "embedding_4", "last")
    with pytest.warns(UserWarning, match="last stays as it is"):
        fresh.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(fresh.get_weights()[0], model.get_weights()[0])
    with pytest.raises(ArgumentError, match="only older '.h5' files are read by name"):
        fresh.load_weights(tmp_path / "w.weights.h5", by_name=True)
    with pytest.raises(FileError, match="weights only"):
        models.load_model(tmp_path / "w.h5")
    model.layers[0].set_weights([np.ones((3, 4)), np.zeros(4)])
    assert model.layers[0].get_weights()[0].sum() == 12


def test_more_names_than_an_attribute_takes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refnet.saving.old.NAMES_IN_ATTRIBUTE", 3)
    model = Sequential([Input((2,)), *(layers.Dense(2) for _ in range(8))])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert len(file["model_weights"].attrs["layer_names2"]) == 2
    np.testing.assert_array_equal(models.load_model(tmp_path / "m.h5").predict(Y), model.predict(Y))


@pytest.mark.api("ModelCheckpoint")
def test_a_checkpoint_of_the_first_edition(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    kept = callbacks.ModelCheckpoint(filepath=str(tmp_path / "my_model.h5"), monitor="val_loss", save_best_only=True)
    model.fit(X, Y, validation_data=(X, Y), callbacks=[kept], verbose=0)
    np.testing.assert_array_equal(models.load_model(tmp_path / "my_model.h5").predict(X), model.predict(X))


# ---- as Keras 2.0.8 wrote them


def old_dense(name: str, units: int, **more: Any) -> dict[str, Any]:
    scaling = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
    config = {
        "name": name,
        "trainable": True,
        "units": units,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": {"class_name": "VarianceScaling", "config": scaling},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.001}},
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
        **more,
    }
    return {"class_name": "Dense", "config": config}


TRAINING = {
    "optimizer_config": {"class_name": "RMSprop", "config": {"lr": 0.25, "rho": 0.9, "decay": 0.0, "epsilon": 1e-08}},
    "loss": "binary_crossentropy",
    "metrics": ["acc"],
    "sample_weight_mode": None,
    "loss_weights": None,
}


def put(path: pathlib.Path, config: dict[str, Any], values: dict[str, list[Any]]) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.0.8"
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["training_config"] = json.dumps(TRAINING).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in values]
        for name, arrays in values.items():
            inner = group.create_group(name)
            inner.attrs["weight_names"] = [f"{name}/w_{i}:0".encode() for i in range(len(arrays))]
            for i, array in enumerate(arrays):
                inner[f"{name}/w_{i}:0"] = array
        state = file.create_group("optimizer_weights")
        state.attrs["weight_names"] = [b"training/RMSprop/Variable:0"]
        state["training/RMSprop/Variable:0"] = np.zeros((3, 4))


def arrays_for(*shapes: Any) -> list[Any]:
    return [generator.normal(size=shape).astype("float32") for shape in shapes]


@pytest.mark.filterwarnings("ignore:the file's optimizer")
def test_a_sequential_of_keras_2(tmp_path: pathlib.Path) -> None:
    entries = [
        old_dense("dense_1", 4, batch_input_shape=[None, 3], dtype="float32", activation="relu"),
        {"class_name": "Dropout", "config": {"name": "dropout_1", "trainable": True, "rate": 0.5}},
        old_dense("dense_2", 1, activation="sigmoid"),
    ]
    held = {"dense_1": arrays_for((3, 4), (4,)), "dropout_1": [], "dense_2": arrays_for((4, 1), (1,))}
    put(tmp_path / "old.h5", {"class_name": "Sequential", "config": entries}, held)
    model = models.load_model(tmp_path / "old.h5")
    (a, b), (c, d) = held["dense_1"], held["dense_2"]
    agree(model, 1 / (1 + np.exp(-(np.maximum(X @ a + b, 0) @ c + d))), X)
    assert float(model.optimizer.learning_rate) == 0.25 and [layer.name for layer in model.layers] == list(held)
    assert "acc" in model.fit(X, np.ones((8, 1)), verbose=0).history
    with pytest.warns(UserWarning, match="optimizer has 1 variables, which are not those of rm_sprop: it starts anew"):
        models.load_model(tmp_path / "old.h5")


@pytest.mark.filterwarnings("ignore:the file's optimizer")
def test_a_functional_model_of_keras_2_with_shared_and_nested_parts(tmp_path: pathlib.Path) -> None:
    def entry(kind: str, name: str, nodes: Any, config: Any) -> dict[str, Any]:
        return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}

    inputs = {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False}
    dense, last = old_dense("dense_1", 4)["config"], old_dense("dense_3", 1)["config"]
    stack = [old_dense("dense_2", 4, batch_input_shape=[None, 4])]
    config = {
        "name": "model_1",
        "layers": [
            entry("InputLayer", "input_1", [], inputs),
            entry("InputLayer", "input_2", [], inputs),
            entry("Dense", "dense_1", [[["input_1", 0, 0, {}]], [["input_2", 0, 0, {}]]], dense),
            {"class_name": "Sequential", "config": stack, "name": "seq", "inbound_nodes": [[["dense_1", 0, 0, {}]]]},
            entry("Add", "add_1", [[["seq", 1, 0, {}], ["dense_1", 1, 0, {}]]], {"trainable": True}),
            entry("Dense", "dense_3", [[["add_1", 0, 0, {}]]], last),
        ],
        "input_layers": [["input_1", 0, 0], ["input_2", 0, 0]],
        "output_layers": [["dense_3", 0, 0], ["seq", 1, 0]],
    }
    held = {"dense_1": arrays_for((3, 4), (4,)), "seq": arrays_for((4, 4), (4,)), "dense_3": arrays_for((4, 1), (1,))}
    put(tmp_path / "old.h5", {"class_name": "Model", "config": config}, held)
    model = models.load_model(tmp_path / "old.h5", compile=False)
    (a, b), (c, d), (e, f) = held.values()
    left, right = X @ a + b, 2 * X @ a + b
    agree(model, [(left @ c + d + right) @ e + f, left @ c + d], [X, 2 * X])


# ---- lambdas


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_lambda_is_made_again_only_if_asked_for(ending: str, tmp_path: pathlib.Path) -> None:
    factor = 3.0
    inner = layers.Lambda(lambda x, power=2: ops.power(x, power) * factor)
    model = Sequential([Input((3,)), inner, layers.Dense(2)])
    path = tmp_path / f"m{ending}"
    model.save(path)
    with pytest.raises(FileError, match="safe_mode=False only if you trust"):
        models.load_model(path)
    again = models.load_model(path, safe_mode=False)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(models.clone_model(again).layers[0](X), again.layers[0](X))
    held = [X]
    with pytest.raises(ArgumentError, match="a lambda that closes over held, a list, cannot be saved"):
        Sequential([Input((3,)), layers.Lambda(lambda x: x + held[0])]).save(path)


@saving.register_keras_serializable("tests")
def doubled(x: Any) -> Any:
    return x * 2


class Twice(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs * 2


def test_own_classes_are_given_or_registered(tmp_path: pathlib.Path) -> None:
    utils.set_random_seed(3)
    model = Sequential([Input((3,)), Twice(), layers.Dense(2, activation=doubled)])
    model.save(tmp_path / "m.h5")
    with pytest.raises(FileError, match="'Twice', which is not known"):
        models.load_model(tmp_path / "m.h5")
    again = models.load_model(tmp_path / "m.h5", custom_objects={"Twice": Twice})
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    with saving.custom_object_scope({"Twice": Twice}):
        models.load_model(tmp_path / "m.h5")


def test_a_class_with_the_name_of_one_of_refnets_changes_nothing_for_it(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    kept = dict(layers.Layer.kinds)

    class Dense(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 0.0

    try:
        np.testing.assert_array_equal(models.load_model(tmp_path / "m.keras").predict(X), model.predict(X))
        np.testing.assert_array_equal(type(models.clone_model(model).layers[0]), layers.Dense)
        own = Sequential([Input((3,)), Dense()])
        assert type(models.clone_model(own).layers[0]) is Dense
        own.save(tmp_path / "own.keras")
        again = models.load_model(tmp_path / "own.keras", custom_objects={"Dense": Dense})
        assert not again.predict(X).any()
    finally:
        layers.Layer.kinds.clear()
        layers.Layer.kinds.update(kept)
