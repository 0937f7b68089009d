"""What a configuration may hold and what it may not; files of weights that are read by a model they do not fit."""

import json
from typing import Any

import numpy as np
import pytest

from refnet import ops, saving
from refnet.errors import ArgumentError, FileError, MissingFileError
from refnet.layers import Dense, Input, Layer
from refnet.models import Model, Sequential, clone_model, load_model, model_from_json


@saving.register_keras_serializable("configs")
class Holds(Layer):
    """Keeps what it was given."""

    def __init__(self, what: Any = None, **more: Any):
        super().__init__(**more)
        self.what = what

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "what": self.what}


def again(what: Any, path: Any) -> Any:
    Sequential([Input((2,)), Holds(what)]).save(path / "model.keras")
    return load_model(path / "model.keras").layers[-1].what


@pytest.mark.parametrize("what", [slice(1, None, 2), Ellipsis, {"a": [1, None]}, "text", -1.5, True])
def test_values_that_come_back_from_a_file(what: Any, tmp_path: Any) -> None:
    assert again(what, tmp_path) == what


@pytest.mark.parametrize("dtype", ["int16", "float64", "bool", "bfloat16"])
def test_arrays_of_numbers_come_back_in_their_dtype(dtype: str, tmp_path: Any) -> None:
    array = np.asarray(ops.cast(np.array([[1.0, 0.0]]), dtype))
    for found in (again(array, tmp_path), clone_model(Sequential([Input((2,)), Holds(array)])).layers[-1].what):
        assert found.dtype == array.dtype and found.tolist() == array.tolist()


def test_a_model_with_a_short_constant_comes_back(tmp_path: Any) -> None:
    x = Input((2,), dtype="bfloat16")
    model = Model(x, ops.multiply(x, ops.cast(np.array([1.5, 2.0]), "bfloat16")))
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").predict(np.ones((1, 2)), verbose=0).tolist() == [[1.5, 2]]


@pytest.mark.parametrize("array", [np.array(["cat", "dog"]), np.array([1.5, "a"], object)])
def test_arrays_of_something_else_are_refused_before_a_file_is_written_and_are_kept_by_copies(
    array: Any, tmp_path: Any
) -> None:
    """A file with them could not be read."""
    model = Sequential([Input((2,)), Holds(array)])
    with pytest.raises(
        ArgumentError,
        match="an array of dtype .* cannot be saved, since files have arrays of numbers only. Give a list",
    ):
        model.save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())
    assert clone_model(model).layers[-1].what.tolist() == array.tolist()


def test_parts_of_tensors_are_read(tmp_path: Any) -> None:
    x = Input((4, 6))
    model, data = Model(x, [x[..., 1:3], x[:, 0, ::2]]), np.arange(24.0).reshape(1, 4, 6)
    model.save(tmp_path / "model.keras")
    first, second = load_model(tmp_path / "model.keras").predict(data, verbose=0)
    np.testing.assert_array_equal(first, data[..., 1:3])
    np.testing.assert_array_equal(second, data[:, 0, ::2])


@pytest.mark.parametrize(
    "words, config",
    [
        ("a class is named by a string; got 3", {"class_name": 3, "config": {}}),
        ("the configuration of Dense must be a dict; got list", {"class_name": "Dense", "config": []}),
        ("the configuration holds a __set__", {"class_name": "__set__", "config": []}),
        ("holds something else than numbers", {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "int8"}}),
        ("has dtype object; only numbers", {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}}),
        ("has dtype str32; only numbers", {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "str32"}}),
        ("Dense with gptq_unpacked_column_size=4 is something refnet does not have", {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1, "gptq_unpacked_column_size": 4}}),
    ],
)  # fmt: skip
def test_configurations_that_are_none(words: str, config: Any) -> None:
    with pytest.raises(FileError, match=words):
        saving.deserialize_keras_object(config)


@pytest.mark.parametrize(
    "words, text",
    [
        ("the configuration must be a JSON object; got a list", "[]"),
        ("describes a 'Dense', not a model", json.dumps({"class_name": "Dense", "config": {"units": 1}})),
    ],
)
def test_texts_that_describe_no_model(words: str, text: str) -> None:
    with pytest.raises(FileError, match=f"the JSON text: .*{words}"):
        model_from_json(text)


# ---- weights


def small(**first: Any) -> Sequential:
    return Sequential([Input((3,)), Dense(2, name="one", **first), Dense(1, name="two")], name="small")


def test_where_weights_may_be_read_from(tmp_path: Any) -> None:
    model = small()
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    (tmp_path / "model.weights.h5").rename(tmp_path / "other.h5")
    for name in ("model.keras", "other.h5"):  # what is in a file counts, not what it is called
        other = small()
        other.load_weights(tmp_path / name)
        for a, b in zip(other.get_weights(), model.get_weights()):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(FileError, match="only older '.h5' files are read by name"):
        model.load_weights(tmp_path / "other.h5", by_name=True)
    with pytest.raises(MissingFileError, match="there is no file .*none.weights.h5"):
        model.load_weights(tmp_path / "none.weights.h5")
    with pytest.raises(
        ArgumentError, match="small.save_weights: the file's name ends in '.weights.h5'; got 'weights.txt'"
    ):
        model.save_weights("weights.txt")
    for method in ("save_weights", "load_weights"):
        with pytest.raises(ArgumentError, match="has no weights yet: call it once"):
            getattr(Sequential([Dense(2)]), method)(tmp_path / "none.weights.h5")


def test_a_layer_with_another_number_of_weights_than_the_older_files(tmp_path: Any) -> None:
    model, other = small(), small(use_bias=False)
    model.save_weights(tmp_path / "old.h5")
    with pytest.raises(FileError, match="one has 1 weights; the file's layer 'one' has 2"):
        other.load_weights(tmp_path / "old.h5")
    before = other.get_weights()[0]
    with pytest.warns(UserWarning, match="the file's layer 'one' has 2. It stays as it is"):
        other.load_weights(tmp_path / "old.h5", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], before)
    np.testing.assert_array_equal(other.get_weights()[1], model.get_weights()[2])


@pytest.mark.parametrize("told", [["mse", "mae"], {"p": "mse", "q": "mae"}])
def test_losses_of_several_outputs_come_back_from_an_older_file(told: Any, tmp_path: Any) -> None:
    x = Input((3,))
    model, ones = Model(x, [Dense(1, name="p")(x), Dense(1, name="q")(x)]), np.ones((2, 1))
    model.compile("sgd", told)
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    data = np.ones((2, 3)), [ones, ones]
    assert again.evaluate(*data, verbose=0) == model.evaluate(*data, verbose=0)


def test_a_name_in_the_store_of_a_layer_is_one_word(tmp_path: Any) -> None:
    class Stores(Holds):
        def save_own_variables(self, store: Any) -> None:
            store["a/b"] = np.ones(2)

        def load_own_variables(self, store: Any) -> None:
            raise AssertionError("nothing was written")

    model = Sequential([Input((2,)), Stores()])
    with pytest.raises(ArgumentError, match="a name in the store is a string without '/'; got 'a/b'"):
        model.save_weights(tmp_path / "model.weights.h5")
    assert not list(tmp_path.iterdir())


class Stepping(Model):
    """A step of one's own, and no constructor: made of inputs and outputs."""

    def test_step(self, data: Any) -> Any:
        return {"mine": ops.mean(self(data[0]))}


class Handing(Stepping):
    """The same with a constructor that hands everything on."""

    def __init__(self, *args: Any, **more: Any):
        super().__init__(*args, **more)


@pytest.mark.parametrize("kind", [Stepping, Handing])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_subclass_made_of_inputs_and_outputs_comes_back(kind: Any, ending: str, tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    x, a = np.arange(20, dtype="float32").reshape(4, 5) / 10, Input((5,))
    model = kind(a, Dense(2)(Dense(3)(a)), name="mine")
    model.compile("sgd", "mse")
    model.fit(x, x[:, :2], verbose=0)
    model.save(tmp_path / f"m.{ending}")
    read = load_model(tmp_path / f"m.{ending}", {kind.__name__: kind})
    clone = clone_model(model)
    clone.set_weights(model.get_weights())
    for again in (read, clone):
        assert type(again) is kind and again.name == "mine" and len(again.layers) == 3
        np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert list(read.evaluate(x, x[:, :2], return_dict=True, verbose=0)) == ["mine"]


def test_a_subclass_that_takes_tensors_beside_others_says_what_it_needs(tmp_path: Any) -> None:
    class Counted(Model):
        def __init__(self, inputs: Any, outputs: Any, count: int = 1):
            super().__init__(inputs, outputs)

    a = Input((5,))
    with pytest.raises(ArgumentError, match="takes such an argument says in a get_config and a from_config of its own"):
        Counted(a, Dense(2)(a)).save(tmp_path / "m.keras")
