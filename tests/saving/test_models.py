"""What is saved comes back: predictions, optimizer, what compile was told, and classes of the user's."""

import copy
import json
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

from refnet import (
    Input,
    Model,
    Sequential,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    regularizers,
    saving,
)
from refnet.engine import use_engine
from refnet.errors import (
    ArgumentError,
    FileError,
    RefnetError,
    ShapeError,
)

random = np.random.default_rng(3)
x = random.normal(size=(12, 5)).astype("float32")
y = random.integers(0, 3, 12)


def classifier(optimizer: Any = "adam") -> Any:
    dense = layers.Dense(4, "relu", kernel_regularizer=regularizers.L2(0.1))
    model = Sequential([Input((5,)), dense, layers.Dropout(0.5), layers.Dense(3, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def same(a: Any, b: Any) -> None:
    for p, q in zip(a, b, strict=True):
        np.testing.assert_array_equal(np.asarray(p), np.asarray(q))


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD,
        lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=1.0),
        lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        lambda: optimizers.Adam(0.01, amsgrad=True, weight_decay=0.1),
    ],
)
def test_a_model_comes_back_with_its_optimizer(optimizer: Any, tmp_path: pathlib.Path) -> None:
    model = classifier(optimizer())
    model.fit(x, y, epochs=2, batch_size=4)
    model.save(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras")
    same([again.predict(x)], [model.predict(x)])
    assert again.optimizer.get_config() == model.optimizer.get_config()
    same(again.optimizer.variables, model.optimizer.variables)
    assert again.evaluate(x, y, return_dict=True) == model.evaluate(x, y, return_dict=True)
    assert int(again.optimizer.iterations) == 6 and again.metrics_names == ["loss", "accuracy"]
    again.fit(x, y)
    assert int(again.optimizer.iterations) == 7


def test_a_model_saved_before_its_first_step_has_a_fresh_optimizer(tmp_path: pathlib.Path) -> None:
    model = classifier()
    model.save(tmp_path / "m.keras")
    again = models.load_model(tmp_path / "m.keras")
    assert int(again.optimizer.iterations) == 0 and all(not v.numpy().any() for v in again.optimizer.variables[2:])
    assert models.load_model(tmp_path / "m.keras", compile=False).optimizer is None


def test_frozen_layers_and_names_come_back(tmp_path: pathlib.Path) -> None:
    a = Input((5,), name="a")
    frozen = layers.Dense(4, name="frozen", trainable=False)
    model = Model(a, layers.Dense(2, name="head")(frozen(a)), name="whole")
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras")
    assert [(v.name, v.shape) for v in again.weights] == [(v.name, v.shape) for v in model.weights]
    assert not again.get_layer("frozen").trainable and len(again.trainable_weights) == 2 and again.name == "whole"


def test_ops_outside_of_layers_with_attributes_come_back(tmp_path: pathlib.Path) -> None:
    a = Input((4, 6))
    taken = ops.transpose(a, (0, 2, 1))[:, 1:4] * np.float32(0.1)
    model = Model(a, [ops.max(taken, axis=-1), ops.reshape(taken, (-1, 12)), ops.concatenate([taken, taken], axis=1)])
    model.save(tmp_path / "m.keras")
    inputs = random.normal(size=(2, 4, 6)).astype("float32")
    same(saving.load_model(tmp_path / "m.keras").predict(inputs), model.predict(inputs))


def test_clones_and_json_have_new_weights() -> None:
    model = classifier()
    for again in (models.clone_model(model), models.model_from_json(model.to_json())):
        assert not set(again.weights) & set(model.weights) and not again.compiled
        assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
        again.set_weights(model.get_weights())
        same([again.predict(x)], [model.predict(x)])
    assert json.loads(model.to_json(indent=2))["class_name"] == "Sequential"


# ---- what is the user's own


@saving.register_keras_serializable("tests")
class Scale(layers.Layer):
    def __init__(self, start: float = 2.0, **more: Any):
        super().__init__(**more)
        self.start = start

    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight((input_shape[-1],), lambda shape, dtype=None: np.full(shape, self.start, dtype))

    def call(self, inputs: Any) -> Any:
        return ops.multiply(inputs, self.factor)


@saving.register_keras_serializable("tests")
def squares(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), axis=-1)


def cube(value: Any) -> Any:
    return ops.multiply(value, ops.square(value))


@saving.register_keras_serializable("tests")
class Pair(Model):
    """A subclass: layers in an attribute and in a list."""

    def __init__(self, units: int = 3, **more: Any):
        super().__init__(**more)
        self.units, self.first = units, layers.Dense(units)
        self.rest = [layers.Dense(units), Sequential([layers.Dense(2)])]

    def call(self, inputs: Any) -> Any:
        for layer in [self.first, *self.rest]:
            inputs = layer(inputs)
        return inputs


def test_registered_classes_and_functions_come_back(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((5,)), Scale(3.0), layers.Dense(3)])
    wrapped = metrics.MeanMetricWrapper(squares, name="mine")
    model.compile("sgd", losses.LossFunctionWrapper(squares), metrics=[wrapped, squares])
    model.fit(x, x[:, :3])
    model.save(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras")
    same([again.predict(x)], [model.predict(x)])
    assert again.layers[0].start == 3.0 and again.evaluate(x, x[:, :3]) == model.evaluate(x, x[:, :3])
    assert saving.get_registered_name(Scale) == "tests>Scale" and saving.get_registered_object("tests>Scale") is Scale


def test_custom_objects_are_found_by_name_and_nothing_else_is(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((5,)), layers.Dense(3, activation=cube)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(FileError, match="function 'cube', which is not known. Register it"):
        saving.load_model(tmp_path / "m.keras")
    same([saving.load_model(tmp_path / "m.keras", custom_objects={"cube": cube}).predict(x)], [model.predict(x)])
    with saving.custom_object_scope({"cube": cube}):
        saving.load_model(tmp_path / "m.keras")

    class Unregistered(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    model = Sequential([Input((5,)), Unregistered()])
    model.save(tmp_path / "u.keras")
    with pytest.raises(FileError, match="class 'Unregistered', which is not known"):
        saving.load_model(tmp_path / "u.keras")
    assert len(saving.load_model(tmp_path / "u.keras", {"Unregistered": Unregistered}).layers) == 1


def test_a_subclass_comes_back(tmp_path: pathlib.Path) -> None:
    model = Pair(4)
    expected = model.predict(x)
    model.save_weights(tmp_path / "p.weights.h5")
    other = Pair(4)
    with pytest.raises(ArgumentError, match="call it once"):
        other.load_weights(tmp_path / "p.weights.h5")
    other.build((None, 5))
    other.load_weights(tmp_path / "p.weights.h5")
    same([other.predict(x)], [expected])


def test_lambdas_are_refused_before_a_file_is_written(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((5,)), layers.Dense(3, activation=lambda value: value)])
    with pytest.raises(ArgumentError, match="a lambda cannot be saved"):
        model.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


# ---- weights


def test_weights_of_another_shape_change_nothing(tmp_path: pathlib.Path) -> None:
    model = classifier()
    model.save_weights(tmp_path / "a.weights.h5")
    other = Sequential([Input((5,)), layers.Dense(4), layers.Dense(7)])
    before = other.get_weights()
    with pytest.raises(FileError, match=r"kernel has shape \(4, 7\); the file has shape \(4, 3\)"):
        other.load_weights(tmp_path / "a.weights.h5")
    same(other.get_weights(), before)
    with pytest.warns(UserWarning, match="its state stays as it is"):
        third = classifier(optimizers.SGD(0.1))
        classifier().save_weights(tmp_path / "b.weights.h5")
        third.load_weights(tmp_path / "b.weights.h5")


def test_old_files_are_taken_in_the_layers_order(tmp_path: pathlib.Path) -> None:
    import h5py

    values = {"dense_7": [random.normal(size=(5, 4)), np.zeros(4)], "dense_9": [random.normal(size=(4, 3)), np.ones(3)]}
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense_7", b"dropout_3", b"dense_9"]
        file.create_group("dropout_3").attrs["weight_names"] = []
        for name, arrays in values.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            for word, array in zip(("kernel", "bias"), arrays):
                group.create_dataset(f"{name}/{word}:0", data=array)
    model = classifier()
    model.load_weights(tmp_path / "old.h5")
    same(model.get_weights(), [a.astype("float32") for arrays in values.values() for a in arrays])
    with pytest.raises(FileError, match="has 1 layers with weights; the file has 2"):
        Sequential([Input((5,)), layers.Dense(4)]).load_weights(tmp_path / "old.h5")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_bfloat16_weights_come_back(ending: str, tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((5,)), layers.Dense(4, dtype="bfloat16")])
    model.compile("adam", "mse")
    model.fit(np.ones((2, 5)), np.ones((2, 4)), verbose=0)

    def held(one: Any) -> list[Any]:
        return [v.numpy().astype("float32") for v in [*one.weights, *one.optimizer.variables]]

    model.save(tmp_path / f"m{ending}")
    again = saving.load_model(tmp_path / f"m{ending}")
    assert again.weights[0].dtype == "bfloat16"
    same(held(again), held(model))
    weights = tmp_path / {".keras": "m.weights.h5", ".h5": "w.h5"}[ending]
    model.save_weights(weights)
    for weight in again.weights:
        weight.set(np.zeros(weight.shape))
    again.load_weights(weights)
    same(held(again), held(model))


# ---- errors


def test_a_layer_closing_over_tensors_is_refused(tmp_path: pathlib.Path) -> None:
    a = Input((5,))

    class Outer(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return ops.add(inputs, a)

    with pytest.raises(ArgumentError, match="closes over tensors"):
        Model(a, Outer()(layers.Dense(5)(a))).save(tmp_path / "m.keras")
    assert issubclass(FileError, RefnetError) and issubclass(ShapeError, RefnetError)


def test_the_archive_has_keras_three_parts(tmp_path: pathlib.Path) -> None:
    classifier().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert json.loads(archive.read("metadata.json"))["keras_version"].startswith("3.")


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Relu", {}),
        ("Sigmoid", {}),
        ("Softmax", {"axis": 1}),
        ("Gelu", {"approximate": True}),
        ("LeakyRelu", {"negative_slope": 0.3}),
        ("Mean", {"axis": 1, "keepdims": True}),
        ("Sum", {"axis": [1, 2], "keepdims": False}),
        ("Max", {"axis": -1, "keepdims": False, "initial": None}),
        ("Reshape", {"newshape": [-1, 6]}),
        ("Transpose", {"axes": [0, 2, 1]}),
        ("Clip", {"x_min": -0.5, "x_max": 0.5}),
        ("Cast", {"dtype": "int32"}),
        ("Norm", {"ord": None, "axis": -1, "keepdims": False}),
    ],
)
def test_operations_of_keras_between_layers_are_read(kind: str, config: dict[str, Any]) -> None:
    """The entry is ours for an op without arguments, with Keras's class and arguments put in."""
    inputs = Input((2, 3))
    whole = json.loads(Model(inputs, ops.exp(inputs)).to_json())
    entry = whole["config"]["layers"][1]
    assert entry["class_name"] == "Exp"
    entry.update(class_name=kind, registered_name=kind, config={"name": "exp", **config})
    given = random.normal(size=(4, 2, 3)).astype("float32")
    name = {"LeakyRelu": "leaky_relu"}.get(kind, kind.lower())
    with use_engine("reference"):  # as refnet.ops
        got = models.model_from_json(json.dumps(whole)).predict(given, verbose=0)
    np.testing.assert_array_equal(got, getattr(ops, name)(given, **config))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_and_a_pickle_are_the_model_with_its_optimizer(copied: Any) -> None:
    model = Sequential([Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    x = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    again = copied(model)
    assert again is not model and again.optimizer is not model.optimizer
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    before = model.get_weights()
    both = [m.fit(x, x[:, :1], epochs=2, verbose=0, shuffle=False).history["loss"][-1] for m in (again, model)]
    assert both[0] == both[1]
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_model_that_cannot_be_described_says_so_when_it_is_copied() -> None:
    class Own(Model):
        def __init__(self, units: int):
            super().__init__()
            self.dense = layers.Dense(units)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Own(2)
    with pytest.raises(ArgumentError, match="is not built yet: call it once"):
        copy.deepcopy(model)
    model(np.ones((1, 3)))
    with pytest.raises(RefnetError, match="Own"):
        copy.deepcopy(model)


def written_by_keras(model: Any, training: dict[str, Any]) -> Any:
    """The model from its config as Keras writes it: it numbers no calls, and fills in what a layer's `call` has as default."""
    config = model.get_config()
    for layer in config["layers"]:
        for use in layer["inbound_nodes"]:
            del use["number"]
            if layer["class_name"] in training:
                use["kwargs"] = {"training": training[layer["class_name"]]}
    return Model.from_config(config)


def test_the_training_that_keras_fills_in_leaves_it_to_fit_and_predict() -> None:
    images = Input((4, 4, 1))
    kept = layers.RandomFlip("horizontal", seed=1)(images)
    model = Model(images, layers.Dropout(0.5, seed=2)(kept))
    draws = np.random.default_rng(0).standard_normal((20, 4, 4, 1)).astype("float32")
    read = written_by_keras(model, {"Dropout": False, "RandomFlip": True})
    np.testing.assert_array_equal(read.predict(draws, verbose=0), draws)
    trained = np.asarray(read(draws, training=True))
    assert 0.4 < (trained == 0).mean() < 0.6
    assert set(abs(trained[trained != 0])) <= set(abs(2 * draws).ravel())
    assert any((y != 0).sum() > 0 and not np.any((y != 0) & (y == 2 * x)) for x, y in zip(draws, trained))  # flipped


def test_a_training_that_keras_did_not_fill_in_is_kept() -> None:
    x = Input((3,))
    model = Model(x, layers.Dropout(0.5)(layers.BatchNormalization()(x)))
    read = written_by_keras(model, {"BatchNormalization": False, "Dropout": True})
    draws = np.full((50, 3), 5.0, "float32")
    y = read.predict(draws, verbose=0)
    assert 0 < (y == 0).mean() < 1
    read(draws, training=True)
    np.testing.assert_array_equal(read.layers[1].moving_mean.numpy(), np.zeros(3))
