"""Layers of a user's own that put numbers and files of theirs beside their variables."""

import pathlib
import zipfile

import numpy as np
import pytest

import refnet
from refnet import layers, saving
from refnet.errors import ArgumentError, FileError

pytest.importorskip("h5py", reason="files need the extra `files`")


@refnet.saving.register_keras_serializable(package="tests")
class Counting(layers.Dense):
    """Knows how often it was told to remember, and what."""

    def __init__(self, units, **more):
        super().__init__(units, **more)
        self.seen, self.words = np.zeros(3), []

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seen"] = self.seen

    def load_own_variables(self, store):
        self.seen = np.array(store["seen"])
        super().load_own_variables({name: value for name, value in store.items() if name != "seen"})

    def save_assets(self, inner_path):
        folder = pathlib.Path(inner_path, "lists")
        folder.mkdir()
        (folder / "words.txt").write_text("\n".join(self.words))

    def load_assets(self, inner_path):
        self.words = pathlib.Path(inner_path, "lists", "words.txt").read_text().split("\n")


def counting_model():
    model = refnet.Sequential([layers.Input((2,)), Counting(2), layers.Dense(1)])
    model.layers[0].seen, model.layers[0].words = np.array([1.0, 2.0, 3.0]), ["one", "two"]
    return model


@pytest.mark.parametrize(("name", "zipped"), [("model.keras", None), ("folder", False)])
def test_whole_models_bring_their_own_state_back(tmp_path, name, zipped):
    model = counting_model()
    model.save(tmp_path / name, zipped=zipped)
    again = saving.load_model(tmp_path / name)
    assert again.layers[0].seen.tolist() == [1, 2, 3] and again.layers[0].words == ["one", "two"]
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_weights_files_have_the_numbers(tmp_path):
    model, other = counting_model(), counting_model()
    model.save_weights(tmp_path / "m.weights.h5")
    other.layers[0].seen = np.zeros(3)
    other.load_weights(tmp_path / "m.weights.h5")
    assert other.layers[0].seen.tolist() == [1, 2, 3]
    assert np.array_equal(other.get_weights()[0], model.get_weights()[0])


def test_the_archive_holds_the_files_where_keras_looks_for_them(tmp_path):
    counting_model().save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert archive.read("assets/layers/counting/lists/words.txt") == b"one\ntwo"


class Wordy(layers.Dense):
    def save_own_variables(self, store):
        store["words"] = np.array(["one"])


class Forgetful(layers.Dense):
    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["more"] = np.ones(1)


def test_what_is_no_number_is_refused_before_anything_is_written(tmp_path):
    model = refnet.Sequential([layers.Input((2,)), Wordy(2, name="wordy")])
    with pytest.raises(ArgumentError, match="wordy.save_own_variables: 'words' must be an array of numbers"):
        model.save_weights(tmp_path / "m.weights.h5")
    assert not list(tmp_path.iterdir())


def test_a_layer_that_adds_and_does_not_take_out_is_told(tmp_path):
    model = refnet.Sequential([layers.Input((2,)), Forgetful(2, name="forgetful"), layers.Dense(1)])
    before = [w.copy() for w in model.get_weights()]
    model.save_weights(tmp_path / "m.weights.h5")
    model.set_weights([w + 1 for w in before])
    with pytest.raises(FileError, match=r"forgetful has 2 variables of its own, and the file has \['0', '1', 'more'\]"):
        model.load_weights(tmp_path / "m.weights.h5")
    assert all(np.array_equal(w, b + 1) for w, b in zip(model.get_weights(), before, strict=True))
