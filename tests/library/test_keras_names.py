"""Names of Keras 3 around layers and models: cloning, the order of layers, configs of layers, names of the user's classes."""

from typing import Any

import numpy as np
import pytest

import refnet
from refnet import Input, Model, Sequential, activations, backend, config, layers, models, saving, utils
from refnet.errors import ArgumentError, DtypeError, ShapeError

X = np.arange(6, dtype="float32").reshape(2, 3)


def branched() -> Any:
    start = Input((3,), name="start")
    deep = layers.Dense(2, name="deep")(layers.Dense(4, name="first")(start))
    return Model(start, layers.Add(name="sum")([layers.Dense(2, name="short")(start), deep]), name="branched")


def test_layers_stand_in_order_of_depth() -> None:
    assert [x.name for x in branched().layers] == ["start", "first", "short", "deep", "sum"]


@pytest.mark.parametrize("make", [branched, lambda: Sequential([Input((3,)), layers.Dense(4), layers.Dense(2)])])
def test_cloning_with_a_function(make: Any) -> None:
    model, seen = make(), []

    def doubled(layer: Any) -> Any:
        seen.append(layer.name)
        told = layer.get_config()
        return type(layer).from_config({**told, **({"activation": "relu"} if "units" in told else {})})

    clone = models.clone_model(model, clone_function=doubled)
    assert sorted(seen) == sorted(x.name for x in model.layers if not isinstance(x, layers.InputLayer))
    assert clone.name == model.name and all(a is not b for a, b in zip(clone.layers, model.layers))
    clone.set_weights(model.get_weights())
    assert clone.predict(X, verbose=0).min() >= 0 and clone.output_shape == model.output_shape


def test_cloning_with_calls_inputs_and_inner_models() -> None:
    called: list[str] = []

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(layer.name)
        return layer(*args, **kwargs)

    start = Input((3,), name="other")
    clone = models.clone_model(branched(), input_tensors=start, call_function=call)
    assert clone.inputs == [start] and called == ["first", "deep", "short", "sum"]
    outer = Sequential([Input((3,)), branched()])
    units = {"units": 7}

    def wide(layer: Any) -> Any:
        told = layer.get_config()
        return type(layer).from_config({**told, **(units if "units" in told else {})})

    again = models.clone_model(outer, clone_function=wide, recursive=True)
    assert again.output_shape == (None, 7)
    with pytest.raises(ArgumentError, match="clone_function must give a layer; for first it gave None"):
        models.clone_model(branched(), clone_function=lambda layer: None)
    with pytest.raises(ArgumentError, match="call_function is for functional models"):
        models.clone_model(outer, call_function=call)
    with pytest.raises(ArgumentError, match="input_tensors must be 1 tensors"):
        models.clone_model(branched(), input_tensors=[start, start])


@pytest.mark.parametrize(
    "made", [layers.Dense(2), layers.LSTM(2), layers.MultiHeadAttention(1, 2), layers.Bidirectional]
)
def test_build_called_directly_builds(made: Any) -> None:
    if made is layers.Bidirectional:
        made = layers.Bidirectional(layers.GRU(2))
    shape = (None, 3) if isinstance(made, layers.Dense) else (None, 4, 3)
    shapes = [shape, shape] if isinstance(made, layers.MultiHeadAttention) else [shape]
    made.build(*shapes)
    assert made.built and made.weights
    before = [id(v) for v in made.weights]
    inputs = np.ones((2, *shape[1:]), "float32")
    made(*[inputs] * len(shapes))
    assert [id(v) for v in made.weights] == before


def test_a_subclass_that_does_not_set_built() -> None:
    class Own(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight((), "ones", name="factor")

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    layer = Own()
    layer.build((None, 3))
    assert layer.built
    layer(X)
    assert len(layer.weights) == 1


def test_configs_of_layers() -> None:
    config = layers.serialize(layers.Dense(2, "relu", name="last"))
    again = layers.deserialize(config)
    assert (again.name, again.units, again.activation) == ("last", 2, activations.relu)
    with pytest.raises(ArgumentError, match="takes what layers.serialize gave"):
        layers.deserialize({"class_name": "Adam", "config": {}, "module": "keras.optimizers"})


def test_no_activation_is_linear() -> None:
    assert activations.get(None) is activations.linear is layers.Dense(1).activation


@pytest.mark.parametrize(
    ("units", "y", "kind"),
    [
        (1, [[0.0], [1.0]], "binary"),
        (3, [[0], [2]], "sparse_categorical"),
        (3, [[1.0, 0, 0], [0, 0, 1]], "categorical"),
    ],
)
def test_crossentropy_that_fits(units: int, y: Any, kind: str) -> None:
    activation = "sigmoid" if units == 1 else "softmax"
    found = []
    for loss, metric in (("crossentropy", "crossentropy"), (f"{kind}_crossentropy", f"{kind}_crossentropy")):
        model = Sequential([Input((3,)), layers.Dense(units, activation, kernel_initializer="ones")])
        model.compile("sgd", loss, metrics=[metric, "accuracy"])
        found.append(model.fit(X, np.array(y), epochs=2, verbose=0).history)
    assert list(found[0]) == ["accuracy", "crossentropy", "loss"]
    assert found[0]["loss"] == found[1]["loss"]
    assert found[0]["crossentropy"] == found[1][f"{kind}_crossentropy"]


def test_what_an_input_must_be_like() -> None:
    class Own(layers.Layer):
        def __init__(self, spec: Any):
            super().__init__(name="own")
            self.input_spec = spec

        def call(self, inputs: Any) -> Any:
            return inputs

    spec = layers.InputSpec
    assert Own(spec(ndim=2, axes={-1: 3}))(X).shape == (2, 3)
    for told, message in (
        (spec(ndim=3), r"the input of own must have 3 axes, the batch counted; got shape \(None, 3\)"),
        (spec(min_ndim=3), "at least 3 axes"),
        (spec(max_ndim=1), "at most 1 axes"),
        (spec(axes={1: 4}), "length 4 along axis 1"),
        (spec(shape=(None, 5)), "length 5 along axis 1"),
    ):
        with pytest.raises(ShapeError, match=message):
            Own(told)(X)
    with pytest.raises(DtypeError, match="must have dtype int32; got float32"):
        Own(spec(dtype="int32"))(X)
    with pytest.raises(ArgumentError, match="own takes 2 inputs; got 1"):
        Own([spec(), spec()])(X)


def test_names_in_utils_and_backend() -> None:
    @utils.register_keras_serializable(package="mine")
    class Thing(layers.Layer):
        pass

    assert utils.get_registered_name(Thing) == "mine>Thing" and utils.get_registered_object("mine>Thing") is Thing
    assert utils.get_registered_object("Given", module_objects={"Given": Thing}) is Thing
    assert utils.CustomObjectScope is utils.custom_object_scope is saving.CustomObjectScope
    with utils.CustomObjectScope({"Other": Thing}):
        assert utils.get_registered_object("Other") is Thing
    assert utils.is_keras_tensor(Input((2,))) and not utils.is_keras_tensor(X)
    assert backend.result_type("int8", "uint8") == "int16" and backend.is_int_dtype("uint8")
    assert [backend.get_uid("x"), backend.get_uid("x"), backend.get_uid("y")] == [1, 2, 1]
    assert backend.is_float_dtype("bfloat16") and backend.standardize_dtype(None) == config.floatx() == "float32"
    for name in ("Initializer", "InputSpec", "KerasTensor", "Loss", "Metric", "Optimizer", "Regularizer"):
        assert isinstance(getattr(refnet, name), type)
