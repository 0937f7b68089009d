"""A layer that stands in several places of a model, inside of others too, is one layer again when the model is loaded."""

import json
import pathlib
import pickle
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, layers, models, ops, saving
from refnet.errors import FileError

random = np.random.default_rng(5)
x = random.normal(size=(6, 5)).astype("float32")
steps = random.normal(size=(6, 3, 5)).astype("float32")


def encoder() -> Any:
    return Sequential(
        [Input((5,)), layers.Dense(4, "relu", name="first"), layers.Dense(2, name="second")], name="encoder"
    )


def in_a_wrapper() -> Any:
    """The encoder of a sample, and of each step of a sequence."""
    one, several, shared = Input((5,)), Input((3, 5)), encoder()
    each = layers.GlobalAveragePooling1D()(layers.TimeDistributed(shared)(several))
    return Model([one, several], layers.Dense(1)(layers.Concatenate()([shared(one), each]))), [x, steps]


def in_two_models() -> Any:
    """The encoder, and a model of its first half beside it, as those who compare features make them."""
    one, whole = Input((5,)), encoder()
    half = Model(whole.inputs, whole.get_layer("first").output, name="half")
    return Model(one, layers.Dense(1)(layers.Concatenate()([whole(one), half(one)]))), x


@saving.register_keras_serializable("shared")
class Twice(layers.Layer):
    """A layer of the user's that holds another."""

    def __init__(self, inner: Any, **more: Any):
        super().__init__(**more)
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(self.inner(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "inner": layers.serialize(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config["inner"] = layers.deserialize(config["inner"])
        return cls(**config)


def in_a_layer_of_the_users() -> Any:
    one, inner = Input((5,)), layers.Dense(5, "tanh", name="inner")
    return Model(one, layers.Dense(1)(Twice(inner)(inner(one)))), x


@saving.register_keras_serializable("shared")
class ReadBackwards(Twice):
    """The weights of an embedding, read the other way. It makes no weights of its own of it."""

    def call(self, inputs: Any) -> Any:
        return ops.matmul(inputs, ops.transpose(self.inner.embeddings))

    def get_config(self) -> dict[str, Any]:
        return {**layers.Layer.get_config(self), "inner": saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(saving.deserialize_keras_object(config["inner"]), name=config["name"])


def of_tied_weights() -> Any:
    words = Input((3,), dtype="int32")
    embedding = layers.Embedding(7, 4)
    scores = layers.GlobalAveragePooling1D()(ReadBackwards(embedding)(embedding(words)))
    return Model(words, layers.Dense(1)(scores)), np.arange(18).reshape(6, 3) % 7


KINDS = [in_a_wrapper, in_two_models, in_a_layer_of_the_users, of_tied_weights]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_layer_is_one_again(kind: Any, ending: str, tmp_path: pathlib.Path) -> None:
    model, data = kind()
    model.compile("adam", "mse")
    model.fit(data, x[:, :1], verbose=0)
    model.save(tmp_path / f"model{ending}")
    again = saving.load_model(tmp_path / f"model{ending}")
    assert len(again.weights) == len(model.weights)
    for network in (model, again):  # one more step: the shared weights and the optimizer's state are the same
        network.fit(data, x[:, :1], shuffle=False, verbose=0)  # in one order, for sums are rounded
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_layer_is_one_in_a_clone(kind: Any) -> None:
    model, data = kind()
    clone = models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(data, verbose=0), model.predict(data, verbose=0))
    assert not set(map(id, clone.weights)) & set(map(id, model.weights))


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_layer_is_one_in_a_pickle_and_from_json(kind: Any) -> None:
    model, data = kind()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))
    assert len(models.model_from_json(model.to_json()).weights) == len(model.weights)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_layer_is_one_from_a_config(kind: Any) -> None:
    model, data = kind()
    for config in (model.get_config(), json.loads(model.to_json())["config"]):
        again = Model.from_config(config)
        assert len(again.weights) == len(model.weights)
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


def test_a_sequential_keeps_a_layer_that_stands_in_two_of_its_own_one() -> None:
    shared = layers.Dense(5, "tanh")
    model = Sequential([Input((5,)), Sequential([Input((5,)), shared]), Sequential([Input((5,)), shared])])
    again = Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@saving.register_keras_serializable("shared")
class Committee(layers.Layer):
    """Models of one configuration, each with weights of its own."""

    def __init__(self, member: dict[str, Any], **more: Any):
        super().__init__(**more)
        self.member, self.members = member, [Model.from_config(member) for _ in range(2)]

    def call(self, inputs: Any) -> Any:
        return ops.add(*(member(inputs) for member in self.members))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "member": self.member}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


@saving.register_keras_serializable("shared")
class Held(Twice):
    """A layer that writes the config of a model, and makes the model of it itself."""

    def get_config(self) -> dict[str, Any]:
        return {**layers.Layer.get_config(self), "inner": self.inner.get_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(Model.from_config(config["inner"]), name=config["name"])


def test_the_numbers_of_a_config_that_is_kept_mean_nothing_in_a_file(tmp_path: pathlib.Path) -> None:
    one, shared = Input((5,)), layers.Dense(5)
    member = in_two_models()[0]
    inner = Sequential([Input((5,)), shared])
    y = layers.Add()(
        [shared(one), Held(Model(inner.inputs[0], inner.outputs[0]))(one), Committee(member.get_config())(one)]
    )
    model = Model(one, y)
    assert len(model.weights) == 2 + 2 * len(member.weights)
    model.save(tmp_path / "model.keras")
    for again in (saving.load_model(tmp_path / "model.keras"), Model.from_config(model.get_config())):
        assert len(again.weights) == len(model.weights)
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_only_what_is_shared_has_a_number() -> None:
    """As in Keras, which reads the entry too. Layers that stand in one place have none."""
    assert "shared_object_id" not in encoder().to_json()
    encoder_and_its_layers = 4
    assert in_a_wrapper()[0].to_json().count("shared_object_id") == 2 * encoder_and_its_layers


@pytest.mark.parametrize("number", [[1], "one", None])
def test_what_is_no_number(number: Any) -> None:
    whole = json.loads(in_a_wrapper()[0].to_json())
    for entry in whole["config"]["layers"]:
        if "shared_object_id" in entry:
            entry["shared_object_id"] = number
    with pytest.raises(FileError, match="shared_object_id must be an integer; got"):
        models.model_from_json(json.dumps(whole))


def test_one_number_for_two_classes() -> None:
    whole = json.loads(in_a_wrapper()[0].to_json())
    for entry in whole["config"]["layers"]:
        entry["shared_object_id"] = 0
    with pytest.raises(FileError, match="layers of two classes, .* have the same shared_object_id 0"):
        models.model_from_json(json.dumps(whole))


@saving.register_keras_serializable("shared")
class Backbone(layers.Layer):
    """A layer that reads a model from a file of its own."""

    def __init__(self, source: str, **more: Any):
        super().__init__(**more)
        self.source, self.inner = source, saving.load_model(source)

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "source": self.source}


def test_the_numbers_of_one_file_mean_nothing_in_another(tmp_path: pathlib.Path) -> None:
    inner, data = in_two_models()
    inner.save(tmp_path / "inner.keras")
    one, whole = Input((5,)), encoder()
    half = Model(whole.inputs, whole.get_layer("first").output)
    read = Backbone(str(tmp_path / "inner.keras"))(one)
    outer = Model(one, layers.Dense(1)(layers.Concatenate()([whole(one), half(one), read])))
    outer.save(tmp_path / "outer.keras")
    for again in (saving.load_model(tmp_path / "outer.keras"), models.clone_model(outer)):
        assert len(again.weights) == len(outer.weights)
        again.set_weights(outer.get_weights())
        np.testing.assert_array_equal(again.predict(data, verbose=0), outer.predict(data, verbose=0))


@saving.register_keras_serializable("shared")
class Tabled(layers.Layer):
    """A config with an entry of that name, which says something else."""

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "table": {"shared_object_id": [1, 2]}, "number": {"shared_object_id": 5}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        assert config.pop("table") == {"shared_object_id": [1, 2]} and config.pop("number") == {"shared_object_id": 5}
        return cls(**config)


def test_configs_of_the_users(tmp_path: pathlib.Path) -> None:
    one, shared = Input((5,)), layers.Dense(5)
    inner = Sequential([Input((5,)), shared])
    model = Model(one, layers.Dense(1)(Tabled()(shared(inner(one)))))
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    assert len(again.weights) == len(model.weights) == 4
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
