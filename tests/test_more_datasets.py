"""The data sets beside the first four: read from small files of their forms, from what lies in REFNET_DATA_DIR, or asked for."""

import gzip
import io
import os
import pathlib
import pickle
import socket
import tarfile
import urllib.request

import numpy as np
import pytest

from refnet.datasets import (
    acl_imdb,
    california_housing,
    cats_and_dogs,
    cifar10,
    cifar100,
    fashion_mnist,
    files,
    glove,
    jena_climate,
    nietzsche,
    pima,
)
from refnet.errors import ArgumentError, DataError, MissingFileError

SHARED = os.environ.get("REFNET_DATA_DIR", "")


def at_hand(name):
    """For tests of real files, which a checkout does not have."""
    return pytest.mark.skipif(not (SHARED and (pathlib.Path(SHARED) / name).exists()), reason=f"{name} is not here")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("REFNET_DATA_DIR", str(own))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def refuse(*_, **__):
        raise urllib.error.URLError(socket.gaierror("no network in this test"))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return own


# ---- Fashion-MNIST: four IDX files


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


def test_fashion_mnist_from_its_four_files_and_from_one(folder):
    arrays = [np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28), np.array([9, 0, 1], np.uint8)]
    arrays += [arrays[0][:2] + 1, np.array([4, 4], np.uint8)]
    (folder / "fashion-mnist").mkdir()
    for name, array in zip(fashion_mnist.FILES, arrays):
        (folder / "fashion-mnist" / name).write_bytes(idx(array))
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    for got, due in zip((x_train, y_train, x_test, y_test), arrays):
        np.testing.assert_array_equal(got, due)
    x_train[0] = 0  # writable
    assert fashion_mnist.get_label_names()[9] == "Ankle boot"
    np.savez(folder / "fashion_mnist.npz", x_train=arrays[2], y_train=arrays[3], x_test=arrays[0], y_test=arrays[1])
    assert fashion_mnist.load_data()[0][1].tolist() == [4, 4]


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc", mtime=0), gzip.compress(b"", mtime=0)],
    ids=range(3),
)
def test_a_damaged_idx_file(folder, content):
    (folder / "fashion-mnist").mkdir()
    for name in fashion_mnist.FILES:
        (folder / "fashion-mnist" / name).write_bytes(content)
    with pytest.raises(DataError, match="Delete it to have it fetched again"):
        fashion_mnist.load_data()


# ---- CIFAR: pickles in an archive


def batch(rows, labels, **more):
    """A pickle as Python 2 wrote it: keys are bytes."""
    content = {b"data": np.asarray(rows, np.uint8), **{key.encode(): value for key, value in more.items()}}
    return pickle.dumps({**content, b"labels": labels} if labels is not None else content, protocol=2)


def packed(path, folder, contents):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def rows(first):
    """Two photos: reds `first`, greens and blues that differ."""
    planes = np.concatenate([np.full(1024, first), np.arange(1024) % 7, np.full(1024, 9)])
    return np.stack([planes, planes + 1])


@pytest.mark.api("cifar10")
@pytest.mark.parametrize("unpacked", [False, True])
def test_cifar10_from_the_archive_and_from_the_folder(folder, unpacked):
    contents = {f"data_batch_{i}": batch(rows(i), [i, 9 - i]) for i in range(1, 6)}
    contents["test_batch"] = batch(rows(7), [6, 6])
    if unpacked:  # as Keras leaves it
        inner = folder / "cifar-10-batches-py-target" / "cifar-10-batches-py"
        inner.mkdir(parents=True)
        for name, content in contents.items():
            (inner / name).write_bytes(content)
    else:
        packed(folder / "cifar-10-python.tar.gz", "cifar-10-batches-py", contents)
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert (x_train.shape, y_train.shape, x_train.dtype, y_train.dtype) == ((10, 32, 32, 3), (10, 1), "uint8", "uint8")
    assert x_train[2, 0, 1].tolist() == [2, 1, 9] and x_train[3, 31, 31].tolist() == [3, 1023 % 7 + 1, 10]
    assert y_train.reshape(-1).tolist() == [1, 8, 2, 7, 3, 6, 4, 5, 5, 4] and y_test.tolist() == [[6], [6]]
    assert cifar10.get_label_names()[int(y_test[0, 0])] == "frog"
    assert x_test[0, 0, 0, 0] == 7


def test_cifar100_has_two_kinds_of_labels(folder):
    contents = {
        "train": batch(rows(1), None, fine_labels=[99, 3], coarse_labels=[19, 0]),
        "test": batch(rows(2), None, fine_labels=[5, 5], coarse_labels=[1, 1]),
    }
    packed(folder / "cifar-100-python.tar.gz", "cifar-100-python", contents)
    assert cifar100.load_data()[0][1].tolist() == [[99], [3]]
    assert cifar100.load_data("coarse")[1][1].tolist() == [[1], [1]]
    with pytest.raises(ArgumentError, match="'fine' or 'coarse'"):
        cifar100.load_data("medium")


class Harmful:
    def __reduce__(self):
        return print, ("this must not be printed",)


@pytest.mark.parametrize(
    "content, words",
    [
        (pickle.dumps({b"data": Harmful()}, protocol=2), "print"),
        (b"no pickle", "damaged"),
        (pickle.dumps([1], protocol=2), "not a dict"),
        (batch(np.zeros((2, 5)), [1, 2]), r"shape \(2, 5\)"),
        (batch(rows(1), None), "not data and labels"),
    ],
)
def test_files_that_are_no_batches_of_photos(folder, content, words, capsys):
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    packed(folder / "cifar-10-python.tar.gz", "cifar-10-batches-py", dict.fromkeys(names, content))
    with pytest.raises(DataError, match=words):
        cifar10.load_data()
    assert capsys.readouterr().out == ""


def test_a_broken_archive(folder):
    (folder / "cifar-10-python.tar.gz").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="is not the archive"):
        cifar10.load_data()


def test_a_part_is_taken_only_if_asked_for(folder):
    np.savez(
        folder / "cifar10_small.npz",
        x_train=np.zeros((2, 32, 32, 3), np.uint8),
        y_train=np.array([[6], [9]], np.uint8),
        x_test=np.zeros((1, 32, 32, 3), np.uint8),
        y_test=np.array([[3]], np.uint8),
    )
    with pytest.raises(MissingFileError, match=r"cifar10.load_data\(allow_part=True\)") as caught:
        cifar10.load_data()
    assert "cs.toronto.edu" in str(caught.value) and "cifar10_small.npz" in str(caught.value)
    assert cifar10.load_data(allow_part=True)[0][1].tolist() == [[6], [9]]


# ---- tables and texts


def test_california_is_shuffled_as_keras_does(folder):
    np.savez(folder / "california_housing.npz", x=np.arange(1400.0).reshape(700, 2), y=np.arange(700.0))
    (x_train, y_train), (x_test, y_test) = california_housing.load_data()
    order = np.arange(700)
    np.random.RandomState(113).shuffle(order)
    assert y_train.tolist() == order[:560].tolist() and y_test.tolist() == order[560:].tolist()
    assert (x_train[:, 0] == 2 * y_train).all()
    assert len(california_housing.load_data("small", test_split=0.5)[0][0]) == 300
    with pytest.raises(ArgumentError, match="version"):
        california_housing.load_data("tiny")
    with pytest.raises(ArgumentError, match="test_split"):
        california_housing.load_data(test_split=1)


@pytest.mark.api("Pima Indians diabetes")
def test_pima_is_a_table_without_a_header(folder):
    (folder / "pima-indians-diabetes.csv").write_text("6,148,72,35,0,33.6,0.627,50,1\n1,85,66,29,0,26.6,0.351,31,0\n\n")
    x, y = pima.load_data()
    assert x[0].tolist() == [6, 148, 72, 35, 0, 33.6, 0.627, 50] and y.tolist() == [1, 0] and len(pima.COLUMNS) == 8
    for text, words in (
        ("1,2,3\n", "line 1: 9 entries"),
        ("1,2,3,4,5,6,7,8,x\n", "not all entries"),
        ("\n", "no rows"),
    ):
        (folder / "pima-indians-diabetes.csv").write_text(text)
        with pytest.raises(DataError, match=words):
            pima.load_data()


@pytest.mark.api("Jena climate 2009-2016")
def test_jena_is_a_table_with_names_and_times(folder):
    head = '"Date Time","p (mbar)","T (degC)"\n'
    text = head + "01.01.2009 00:10:00,996.52,-8.02\n01.01.2009 00:20:00,996.57,-8.41\n"
    (folder / "jena_climate_2009_part.csv").write_text(text)
    with pytest.raises(MissingFileError, match="420,551|allow_part=True"):
        jena_climate.load_data()
    table = jena_climate.load_data(allow_part=True)
    assert table.columns == ("p (mbar)", "T (degC)") and table.times[1] == "01.01.2009 00:20:00"
    assert table.data[:, table.columns.index("T (degC)")].tolist() == [-8.02, -8.41]
    (folder / "jena_climate_2009_2016.csv").write_text(text + text[len(head) :])
    assert jena_climate.load_data().data.shape == (4, 2)
    (folder / "jena_climate_2009_2016.csv").write_text("1,2\n")
    with pytest.raises(DataError, match="column names"):
        jena_climate.load_data()


@pytest.mark.api("GloVe loader", "GloVe 6B 100d", "Word2Vec / pre-trained embeddings")
def test_glove_gives_vectors_and_the_weights_of_an_embedding(folder):
    (folder / "glove.6B.100d.txt").write_text("the 0.5 -1 2\ncafé 1e-3 0 1\n", encoding="utf-8")
    vectors = glove.load_data()
    assert vectors["café"].tolist() == [np.float32(1e-3), 0, 1] and vectors["the"].dtype == np.float32
    matrix = glove.embedding_matrix(vectors, {"the": 2, "unseen": 1, "café": 7}, 4)
    assert matrix.tolist() == [[0, 0, 0], [0, 0, 0], [0.5, -1, 2], [0, 0, 0]]
    (folder / "glove.6B.100d.txt").write_text("the 0.5 -1 2\nof 1\n")
    with pytest.raises(DataError, match="line 2"):
        glove.load_data()


@pytest.mark.api("aclImdb raw text")
def test_reviews_as_texts(folder):
    for part, text in (("train/neg", "bad"), ("train/pos", "göod"), ("test/neg", "dull"), ("test/pos", "fine")):
        (folder / "aclImdb" / part).mkdir(parents=True)
        (folder / "aclImdb" / part / "0_1.txt").write_text(text, encoding="utf-8")
    texts, labels = acl_imdb.load_data()
    assert texts == ["bad", "göod"] and labels.tolist() == [0, 1]
    with pytest.raises(ArgumentError, match="'train' or 'test'"):
        acl_imdb.load_data("validation")
    (folder / "aclImdb" / "test" / "pos" / "0_1.txt").unlink()
    (folder / "aclImdb" / "test" / "pos").rmdir()
    with pytest.raises(DataError, match="test/pos"):
        acl_imdb.directory()


@pytest.mark.parametrize(
    "load",
    [
        fashion_mnist.load_data,
        cifar10.load_data,
        cifar100.load_data,
        california_housing.load_data,
        pima.load_data,
        nietzsche.load_data,
        jena_climate.load_data,
        glove.load_data,
        acl_imdb.directory,
        cats_and_dogs.directory,
    ],
    ids=lambda f: f.__module__,
)
def test_what_is_missing_is_named_with_places_and_a_command(folder, tmp_path, load):
    with pytest.raises(MissingFileError) as caught:
        load()
    text = str(caught.value)
    assert str(folder) in text and str(tmp_path / "keras" / "datasets") in text
    assert "export REFNET_DATA_DIR=" in text and "http" in text or "Max Planck" in text
    assert list(tmp_path.rglob("*.part")) == []


# ---- the real files, where they are


@at_hand("cifar10_small.npz")
def test_the_real_part_of_cifar10():
    (x_train, y_train), (x_test, y_test) = cifar10.load_data(allow_part=True)
    assert len(x_train) >= 2000 and y_train[:5].reshape(-1).tolist() == [6, 9, 9, 4, 1] and len(x_test) >= 500


@at_hand("pima-indians-diabetes.csv")
def test_the_real_pima():
    x, y = pima.load_data()
    assert x.shape == (768, 8) and np.bincount(y).tolist() == [500, 268]


@at_hand("nietzsche.txt")
@pytest.mark.api("Nietzsche corpus", "character windows")
def test_the_real_nietzsche():
    """Sequences of 60 characters, 3 apart, as in the book's 8.1."""
    text = nietzsche.load_data().lower()
    assert len(text) == 600893 and len(set(text)) == 57
    assert len(range(0, len(text) - 60, 3)) == 200278


@at_hand("jena_climate_2024_part.csv")
def test_the_real_part_of_jena():
    table = jena_climate.load_data(allow_part=True)
    assert table.data.shape[1] == 14 and table.columns[1] == "T (degC)" and np.isfinite(table.data).all()


@at_hand("cats_and_dogs_small")
@pytest.mark.api("cats vs dogs small")
def test_the_real_photos_are_a_part():
    folder = cats_and_dogs.directory(allow_part=True)
    if len(list((folder / "train" / "cats").glob("*.jpg"))) < 1000:
        with pytest.raises(DataError, match="allow_part=True"):
            cats_and_dogs.directory()


def test_folders_of_photos(folder):
    for part, count in (("train", 3), ("validation", 1), ("test", 1)):
        for kind in ("cats", "dogs"):
            (folder / "cats_and_dogs_small" / part / kind).mkdir(parents=True)
            for i in range(count):
                (folder / "cats_and_dogs_small" / part / kind / f"{kind}.{i}.jpg").write_bytes(b"")
    assert cats_and_dogs.directory(allow_part=True) == folder / "cats_and_dogs_small"
    with pytest.raises(DataError, match="3 photos, not 1000"):
        cats_and_dogs.directory()
    (folder / "cats_and_dogs_small" / "test" / "dogs" / "dogs.0.jpg").unlink()
    with pytest.raises(DataError, match="no photos in test/dogs"):
        cats_and_dogs.directory(allow_part=True)


def test_present_takes_the_first_folder_that_has_it(folder, tmp_path):
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    (tmp_path / "keras" / "datasets" / "b").write_text("")
    assert files.present("a", "b") == tmp_path / "keras" / "datasets" / "b"
    (folder / "a").mkdir()
    assert files.present("a", "b") == folder / "a"
