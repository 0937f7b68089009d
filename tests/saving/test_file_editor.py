"""Files of weights that are listed, compared, changed and written again."""

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refnet import layers
from refnet.errors import ArgumentError, FileError, MissingFileError
from refnet.models import Model, Sequential
from refnet.saving import KerasFileEditor

h5py = pytest.importorskip("h5py")


def network(*units: int, compiled: bool = False) -> Any:
    """Dense layers, one of them in a model inside, one in a wrapper."""
    inner = Sequential([layers.Input((units[0],)), layers.Dense(units[1])], name="inner")
    model = Sequential([layers.Input((3,)), layers.Dense(units[0]), layers.Flatten(), inner, layers.Dense(units[2])])
    if compiled:
        model.compile("adam", "mse")
    return model


@pytest.fixture
def saved(tmp_path: pathlib.Path) -> pathlib.Path:
    network(4, 5, 2).save_weights(tmp_path / "m.weights.h5")
    return tmp_path / "m.weights.h5"


def test_what_is_in_a_file(saved: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    editor = KerasFileEditor(saved)
    assert capsys.readouterr().out == f"Keras model file '{saved}'\n" and editor.config is editor.metadata is None
    editor.summary()
    assert capsys.readouterr().out.splitlines() == [
        "Weights structure",
        "  layers",
        "    dense",
        "      0: shape=(3, 4), dtype=float32",
        "      1: shape=(4,), dtype=float32",
        "    dense_1",
        "      0: shape=(5, 2), dtype=float32",
        "      1: shape=(2,), dtype=float32",
        "    sequential",
        "      layers",
        "        dense",
        "          0: shape=(4, 5), dtype=float32",
        "          1: shape=(5,), dtype=float32",
    ]
    assert editor.object_metadata["/layers/sequential"] == {"name": "inner"}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("ending", ["weights.h5", "keras"])
def test_what_is_written_again_is_read_as_before(tmp_path: pathlib.Path, ending: str, compiled: bool) -> None:
    model = network(4, 5, 2, compiled=compiled)
    if compiled:
        model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    (model.save_weights if ending == "weights.h5" else model.save)(tmp_path / f"m.{ending}")
    editor = KerasFileEditor(str(tmp_path / f"m.{ending}"))
    if ending == "keras":
        assert editor.config is not None and editor.config["class_name"] == "Sequential" and editor.metadata
    arrays = 6 + (2 + 12 if compiled else 0)
    assert editor.compare(model) == {"status": "success", "error_count": 0, "match_count": arrays}
    editor.resave_weights(tmp_path / "again.weights.h5")
    other = network(4, 5, 2, compiled=compiled)
    other.load_weights(tmp_path / "again.weights.h5")
    for a, b in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if compiled:
        assert int(other.optimizer.iterations) == 1
    assert KerasFileEditor(tmp_path / "again.weights.h5").object_metadata == editor.object_metadata


def test_a_file_is_fitted_to_a_model_that_was_changed(saved: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The layer within the model became one of the stack, and the last one has another width."""
    x = layers.Input((3,))
    changed = Model(x, layers.Dense(6)(layers.Dense(5)(layers.Dense(4)(x))))
    editor = KerasFileEditor(saved)
    capsys.readouterr()
    assert editor.compare(changed) == {"status": "error", "error_count": 4, "match_count": 2}
    told = capsys.readouterr().out
    assert "...layers/dense_1/0 has shape (5, 2) in the file, (4, 5) in the model." in told.replace("/layers", "layers")
    assert "/layers/dense_2 is in the model, and not in the file." in told
    assert "/layers/sequential is in the file, and not in the model." in told and "4 differences" in told
    inner = editor.weights_dict["layers"]["sequential"]["layers"]["dense"]
    editor.delete_object("layers/dense_1")
    editor.delete_object("sequential")
    editor.add_object("layers/dense_1", {"0": inner["0"]})
    editor.add_weights("dense_1", {"1": inner["1"]})
    editor.add_object("layers/last", {"0": np.ones((5, 6), "float32"), "1": np.zeros(6, "float32"), "2": np.zeros(1)})
    editor.delete_weight("last", "2")
    editor.rename_object("last", "dense_2")
    assert editor.compare(changed)["status"] == "success"
    editor.save(saved)
    changed.load_weights(saved)
    np.testing.assert_array_equal(changed.get_weights()[2], inner["0"])
    np.testing.assert_array_equal(changed.get_weights()[4], np.ones((5, 6)))


def test_layers_beside_arrays_and_numbers_of_16_bits(tmp_path: pathlib.Path) -> None:
    """A layer that has arrays of its own and layers inside keeps both; bfloat16 comes back as it was."""

    class Both(layers.Layer):
        def __init__(self) -> None:
            super().__init__(dtype="bfloat16")
            self.inner = layers.Dense(2, dtype="bfloat16")

        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight((2,), "ones")

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs) * self.factor

    models = [Sequential([layers.Input((3,)), Both()]) for _ in range(2)]
    models[0].save_weights(tmp_path / "m.weights.h5")
    editor = KerasFileEditor(tmp_path / "m.weights.h5")
    assert set(editor.weights_dict["layers"]["both"]) == {"0", "inner"}
    editor.save(tmp_path / "m.weights.h5")
    models[1].load_weights(tmp_path / "m.weights.h5")
    for a, b in zip(*(m.get_weights() for m in models), strict=True):
        assert a.dtype.name == "bfloat16"
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda e: e.delete_object("dense"), "delete_object: 2 objects are called 'dense'; give the path"),
        (lambda e: e.delete_object("dens_1"), r"there is no object 'dens_1' in the file\. Did you mean 'dense_1'"),
        (lambda e: e.delete_object("layers/dens_1"), "no object 'layers/dens_1' in the file"),
        (lambda e: e.delete_object(""), "an object's name is a string"),
        (lambda e: e.rename_object("dense_1", "layers/x"), "new_name is a name without '/'"),
        (
            lambda e: e.rename_object("dense_1", "sequential"),
            "there is an object 'sequential' beside 'dense_1' already",
        ),
        (lambda e: e.add_object("layers/dense_1", {}), "there is an object 'layers/dense_1' already; delete it first"),
        (lambda e: e.add_object("layer/x", {}), "add_object: there is no object 'layer' in the file"),
        (
            lambda e: e.add_object("layers/vars", {}),
            "the last part of object_path is a name without '/', and not 'vars'",
        ),
        (lambda e: e.add_object("layers/x", [1.0]), "weights is a dict {name: array}; got list"),
        (lambda e: e.add_object("layers/x", {"a/b": 1.0}), "a weight's name is a name without '/'"),
        (lambda e: e.add_object(3, {}), "the last part of object_path is a name without '/', and not 'vars'; got 3"),
        (
            lambda e: e.add_weights("dense_1", {"0": [[1], [1, 2]]}),
            "'0' must be an array of numbers; got .*inhomogeneous",
        ),
        (lambda e: e.compare(3), "compare takes a model that has its weights: call it on data first; got 3"),
        (
            lambda e: e.compare(Sequential([layers.Dense(2)])),
            "compare takes a model that has its weights",
        ),
        (lambda e: e.add_weights("dense_1", {"0": ["a"]}), "'0' must be an array of numbers; got dtype <U1"),
        (lambda e: e.add_weights("sequential", {"layers": 1.0}), "'layers' in 'sequential' is an object"),
        (lambda e: e.delete_weight("dense_1", "2"), "'dense_1' has no array '2'; it has 0, 1"),
        (lambda e: e.save("m.h5"), r"the file's name ends in '\.weights\.h5'; got 'm\.h5'"),
    ],
)
def test_what_cannot_be_done(saved: pathlib.Path, act: Callable[[Any], Any], words: str) -> None:
    editor = KerasFileEditor(saved)
    before = repr(editor.weights_dict)
    with pytest.raises(ArgumentError, match=words):
        act(editor)
    assert repr(editor.weights_dict) == before


def test_files_that_are_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArgumentError, match=r"the file's name ends in '\.keras' or '\.weights\.h5'"):
        KerasFileEditor(tmp_path / "m.h5")
    path = tmp_path / "m.weights.h5"
    with pytest.raises(MissingFileError, match="there is no file"):
        KerasFileEditor(path)
    path.write_bytes(b"no weights")
    with pytest.raises(FileError, match="it is damaged or in another format"):
        KerasFileEditor(path)
    hostile: list[tuple[Callable[[Any], Any], str]] = [
        (lambda f: f.create_group("a").__setitem__("itself", f["a"]), "stands in it twice"),
        (lambda f: f.__setitem__("a", h5py.ExternalLink("other.h5", "/")), "is a link to elsewhere"),
        (lambda f: f.create_dataset("a", (2**40,), "float32", chunks=(1024,)), "says it has 4398046511104 bytes"),
        (lambda f: f.create_dataset("a", data="text"), "holds object, not numbers"),
        (
            lambda f: (f.create_dataset("a/vars/0", data=1.0), f.create_dataset("a/0/vars/0", data=1.0)),
            "/a has an array and an object of one name: 0",
        ),
    ]
    for make, words in hostile:
        with h5py.File(path, "w") as file:
            make(file)
        with pytest.raises(FileError, match=words):
            KerasFileEditor(path)


def test_an_objects_name_of_bytes_that_are_no_letters_does_not_keep_a_file_from_being_saved(
    saved: pathlib.Path,
) -> None:
    with h5py.File(saved, "r+") as file:
        file["layers/dense/vars"].attrs["name"] = "letters"
    saved.write_bytes(saved.read_bytes().replace(b"letters", b"\xffetters"))
    editor = KerasFileEditor(saved)
    editor.save(saved)
    assert KerasFileEditor(saved).object_metadata["/layers/dense"] == {"name": "?etters"}


def test_paths_may_begin_at_the_root_and_what_was_put_in_by_hand_is_an_array(
    saved: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    editor = KerasFileEditor(saved)
    editor.add_object("/layers/more", {"0": [1.0]})
    assert editor.weights_dict["layers"]["more"]["0"].tolist() == [1.0]
    editor.weights_dict["layers"]["more"]["0"] = [1.0]
    with pytest.raises(ArgumentError, match="'0' in weights_dict is a list, where an array or a dict is needed"):
        editor.save(tmp_path / "n.weights.h5")
    assert not (tmp_path / "n.weights.h5").exists()
