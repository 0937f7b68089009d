"""Data sets: how a file is found, what comes out of it, and what is said when it is nowhere."""

import hashlib
import io
import pickle
import re
import socket
import urllib.request

import numpy as np
import pytest

from refnet.datasets import boston_housing, files, glove, imdb, jena_climate, mnist, nietzsche, pima, reuters
from refnet.datasets.sequences import Encoding
from refnet.errors import ArgumentError, DataError, MissingFileError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of the user's; Keras's is another, empty one."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("REFNET_DATA_DIR", str(own))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return own


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise urllib.error.URLError(socket.gaierror("no network in this test"))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def small_mnist(path, first=7):
    arrays = {"x_train": np.full((3, 28, 28), first, np.uint8), "y_train": np.array([5, 0, 4], np.uint8)}
    np.savez(path, x_test=np.zeros((2, 28, 28), np.uint8), y_test=np.array([7, 2], np.uint8), **arrays)


def ragged(*lists):
    result = np.empty(len(lists), object)
    result[:] = [list(entry) for entry in lists]
    return result


# ---- finding files


@pytest.mark.api("mnist")
def test_the_users_folder_comes_before_keras(folder, tmp_path, offline):
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    small_mnist(tmp_path / "keras" / "datasets" / "mnist.npz", first=1)
    assert mnist.load_data()[0][0][0, 0, 0] == 1
    small_mnist(folder / "mnist.npz", first=2)
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert x_train[0, 0, 0] == 2
    assert (x_train.dtype, y_train.tolist(), x_test.shape, y_test.tolist()) == (
        np.uint8,
        [5, 0, 4],
        (2, 28, 28),
        [7, 2],
    )


def test_a_full_path_is_taken_as_it_is(folder, tmp_path, offline):
    small_mnist(tmp_path / "mine.npz", first=9)
    assert mnist.load_data(str(tmp_path / "mine.npz"))[0][0][0, 0, 0] == 9


def test_a_missing_file_names_file_places_and_commands(folder, tmp_path, offline):
    with pytest.raises(MissingFileError) as caught:
        mnist.load_data()
    text = str(caught.value)
    for part in ("mnist.npz", str(folder), str(tmp_path / "keras" / "datasets"), "no network in this test"):
        assert part in text
    assert "export REFNET_DATA_DIR=" in text
    assert f"curl -o {tmp_path / 'keras' / 'datasets' / 'mnist.npz'} {files.ORIGIN}mnist.npz" in text
    assert isinstance(caught.value, FileNotFoundError)
    assert list(tmp_path.rglob("*.npz*")) == []


class Answer(io.BytesIO):
    """What urlopen gives: a stream, closed at the end of a with."""


def test_a_fetched_file_is_kept_only_if_it_is_the_known_one(folder, tmp_path, monkeypatch):
    small_mnist(tmp_path / "offered.npz", first=3)
    content = (tmp_path / "offered.npz").read_bytes()
    asked = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda address, timeout: asked.append(address) or Answer(content))
    with pytest.raises(DataError, match=f"SHA-256 {hashlib.sha256(content).hexdigest()}.*was not kept"):
        mnist.load_data()
    kept = tmp_path / "keras" / "datasets" / "mnist.npz"
    assert not kept.exists()
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(content).hexdigest())
    assert mnist.load_data()[0][0][0, 0, 0] == 3
    assert kept.read_bytes() == content
    mnist.load_data()
    assert asked == [files.ORIGIN + "mnist.npz"] * 2


def test_another_file_of_that_name_is_refused(folder):
    np.savez(folder / "mnist.npz", x=np.zeros(3))
    with pytest.raises(DataError, match="holds x, not x_train, y_train, x_test, y_test"):
        mnist.load_data()
    (folder / "mnist.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DataError, match=re.escape("is not an .npz file")):
        mnist.load_data()


class Harmful:
    def __reduce__(self):
        return print, ("this must not be printed",)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\3\4 cut off", "npy", "cut", "folder"])
def test_what_is_no_data_file_is_refused_in_words(folder, content):
    """What a browser or a proxy leaves behind under a set's name; a single array; a file that was cut off."""
    for name, load in (("mnist.npz", mnist.load_data), ("imdb.npz", imdb.load_data)):
        path = folder / name
        if content == "folder":
            path.mkdir()
        elif content == "npy":
            np.save(folder / "one.npy", np.zeros(3))
            (folder / "one.npy").rename(path)
        elif content == "cut":
            small_mnist(path)
            path.write_bytes(path.read_bytes()[:-100])
        else:
            path.write_bytes(content)
        with pytest.raises(DataError, match=re.escape(f"{path} is not an .npz file")):
            load()


def test_what_is_no_text_is_refused_in_words(folder):
    junk = b"\xff\xfe\0 junk"
    for name, load in (
        ("imdb_word_index.json", imdb.get_word_index),
        ("nietzsche.txt", nietzsche.load_data),
        ("pima-indians-diabetes.csv", pima.load_data),
        ("glove.6B.100d.txt", glove.load_data),
        ("jena_climate_2009_2016.csv", jena_climate.load_data),
    ):
        (folder / name).write_bytes(junk)
        with pytest.raises(DataError, match="is no text in UTF-8"):
            load()
    (folder / "imdb_word_index.json").write_text("<html>")
    with pytest.raises(DataError, match="is no JSON file"):
        imdb.get_word_index()


def test_another_name_is_not_answered_with_the_sets_own_file(folder, offline):
    """`imdb.load_data("10000")` gave all words of imdb_flat.npz: only the set's own name has a second one."""
    for name in ("imdb_flat.npz", "reuters_flat.npz", "pima-indians-diabetes.data.csv"):
        (folder / name).write_bytes(b"")
    for load in (imdb.load_data, reuters.load_data, pima.load_data):
        with pytest.raises(MissingFileError, match="file 10000 is not in"):
            load("10000")


def test_a_pickle_that_asks_for_more_than_numbers_is_not_read(folder, capsys):
    harmful = np.empty(1, object)
    harmful[0] = Harmful()
    np.savez(folder / "reuters.npz", x=harmful, y=np.zeros(1, np.int64))
    assert b"print" in pickle.dumps(Harmful())
    with pytest.raises(DataError, match="builtins.print"):
        reuters.load_data()
    assert capsys.readouterr().out == ""


# ---- what comes out


@pytest.mark.api("boston_housing")
def test_boston_is_shuffled_as_keras_does(folder):
    np.savez(folder / "boston_housing.npz", x=np.arange(20.0).reshape(10, 2), y=np.arange(10.0))
    (x_train, y_train), (x_test, y_test) = boston_housing.load_data()
    order = np.arange(10)
    np.random.RandomState(113).shuffle(order)
    assert y_train.tolist() == order[:8].tolist() and y_test.tolist() == order[8:].tolist()
    assert (x_train[:, 0] == 2 * y_train).all() and len(x_test) == 2
    with pytest.raises(ArgumentError, match="test_split"):
        boston_housing.load_data(test_split=1)


@pytest.mark.api("imdb")
@pytest.mark.parametrize("flat", [False, True])
def test_imdb_from_the_keras_file_and_from_the_flat_one(folder, flat):
    texts = {"train": [[1, 2, 3], [50], [4, 60, 5]], "test": [[7], [8, 9]]}
    arrays = {}
    for part, lists in texts.items():
        arrays[f"y_{part}"] = np.arange(len(lists))
        if flat:
            arrays[f"x_{part}_flat"] = np.concatenate(lists).astype(np.int32)
            arrays[f"x_{part}_offsets"] = np.cumsum([0, *map(len, lists)])
        else:
            arrays[f"x_{part}"] = ragged(*lists)
    np.savez(folder / ("imdb_flat.npz" if flat else "imdb.npz"), **arrays)
    (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=50)
    random, order, test_order = np.random.RandomState(113), np.arange(3), np.arange(2)
    random.shuffle(order)
    random.shuffle(test_order)
    encoded = [[1, 4, 5, 6], [1, 2], [1, 7, 2, 8]]
    assert x_train.tolist() == [encoded[i] for i in order] and y_train.tolist() == order.tolist()
    assert x_test.tolist() == [[[1, 10], [1, 11, 12]][i] for i in test_order] and y_test.tolist() == test_order.tolist()
    assert x_train.dtype == object and type(x_train[0]) is list and type(x_train[0][0]) is int


def test_the_encoding_of_words():
    texts, labels = [np.array([1, 2, 3]), np.array([4, 5, 6, 7])], np.array([0, 1])
    plain = lambda **arguments: [t.tolist() for t in Encoding(**arguments).encode(texts, labels)[0]]
    assert plain() == [[1, 4, 5, 6], [1, 7, 8, 9, 10]]
    assert plain(start_char=None, index_from=0) == [[1, 2, 3], [4, 5, 6, 7]]
    assert plain(num_words=6) == [[1, 4, 5, 2], [1, 2, 2, 2, 2]]
    assert plain(num_words=6, oov_char=None) == [[1, 4, 5], [1]]
    assert plain(skip_top=5) == [[2, 2, 5, 6], [2, 7, 8, 9, 10]]
    kept, of = Encoding(maxlen=5).encode(texts, labels)
    assert [t.tolist() for t in kept] == [[1, 4, 5, 6]] and of.tolist() == [0]
    with pytest.raises(ArgumentError, match="maxlen=2"):
        Encoding(maxlen=2).encode(texts, labels)


@pytest.mark.api("reuters")
def test_reuters_split_and_topics(folder):
    np.savez(folder / "reuters.npz", x=ragged([1], [2], [3], [4], [5]), y=np.arange(5))
    (x_train, y_train), (x_test, y_test) = reuters.load_data(test_split=0.4)
    assert [text[1] - 4 for text in [*x_train, *x_test]] == [*y_train, *y_test]
    assert (len(x_train), len(x_test)) == (3, 2)
    assert len(reuters.get_label_names()) == 46 and reuters.get_label_names()[3] == "earn"


def test_a_word_index(folder):
    (folder / "imdb_word_index.json").write_text('{"the": 1, "caf\\u00e9": 2}')
    assert imdb.get_word_index() == {"the": 1, "café": 2}


@pytest.mark.peers
def test_what_keras_makes_of_the_same_files(folder, monkeypatch):
    """Keras reads the same small files with its own code; its check of their hashes is told to let them pass."""
    from keras.src.datasets import imdb as keras_imdb
    from keras.src.datasets import reuters as keras_reuters

    random = np.random.default_rng(0)
    texts = lambda n: ragged(*[random.integers(1, 99, random.integers(2, 9)).tolist() for _ in range(n)])
    np.savez(folder / "reuters.npz", x=texts(30), y=np.arange(30))
    np.savez(folder / "imdb.npz", x_train=texts(20), y_train=np.arange(20), x_test=texts(9), y_test=np.arange(9))
    for theirs, ours, name in ((keras_imdb, imdb, "imdb.npz"), (keras_reuters, reuters, "reuters.npz")):
        monkeypatch.setattr(theirs, "get_file", lambda *_, path=folder / name, **__: str(path))
        for arguments in (
            {"num_words": 40},
            {"num_words": 60, "skip_top": 8, "maxlen": 6},
            {"num_words": 50, "oov_char": None},
        ):
            expected, got = theirs.load_data(**arguments), ours.load_data(**arguments)
            for (x, y), (x_due, y_due) in zip(got, expected):
                assert [list(t) for t in x] == [list(map(int, t)) for t in x_due]
                assert y.tolist() == y_due.tolist()
