"""Files from the network, archives, progress bars, pictures of models, rows of length 1."""

import hashlib
import io
import pathlib
import sys
import tarfile
import urllib.request
import zipfile

import numpy as np
import pytest

from refnet import layers, models, ops, progress, utils
from refnet.errors import ArgumentError, DataError, MissingFileError, MissingPackageError
from refnet.testing.closeness import ELEMENTARY, close
from refnet.utils.layered_layout import layered

CONTENT = b"some text\n" * 1000


class Answer(io.BytesIO):
    headers = {"Content-Length": str(len(CONTENT))}


@pytest.fixture
def offered(monkeypatch):
    """What the network gives, and which addresses were asked."""
    asked = []
    content = {"bytes": CONTENT}

    def urlopen(address, timeout):
        asked.append(address)
        if content["bytes"] is None:
            raise urllib.error.URLError("no network in this test")
        return Answer(content["bytes"])

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked, content


@pytest.mark.api("utils.get_file")
def test_a_file_is_fetched_once(tmp_path, offered, monkeypatch, capsys):
    """As the book's 8.1 gets its text."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("REFNET_DATA_DIR", raising=False)
    asked, _ = offered
    for _ in range(2):
        path = utils.get_file("nietzsche.txt", origin="https://example.org/a/nietzsche.txt")
    assert path == str(tmp_path / "datasets" / "nietzsche.txt") and asked == ["https://example.org/a/nietzsche.txt"]
    assert pathlib.Path(path).read_bytes() == CONTENT
    assert capsys.readouterr().out == "Downloading data from https://example.org/a/nietzsche.txt\n"
    other = utils.get_file(origin="https://example.org/b.txt?x=1", cache_dir=tmp_path / "mine", cache_subdir="texts")
    assert other == str(tmp_path / "mine" / "texts" / "b.txt")
    utils.get_file("nietzsche.txt", origin="https://example.org/a/nietzsche.txt", force_download=True)
    assert len(asked) == 3


@pytest.mark.api("utils.get_file")
def test_a_file_of_the_data_folder_is_taken_if_it_has_the_hash(tmp_path, offered, monkeypatch):
    asked, _ = offered
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("REFNET_DATA_DIR", str(tmp_path))
    (tmp_path / "nietzsche.txt").write_bytes(b"mine")
    origin = "https://example.org/a/nietzsche.txt"
    assert utils.get_file("nietzsche.txt", origin=origin) == str(tmp_path / "nietzsche.txt") and not asked
    known = hashlib.sha256(CONTENT).hexdigest()
    fetched = utils.get_file("nietzsche.txt", origin=origin, file_hash=known)
    assert fetched == str(tmp_path / "keras" / "datasets" / "nietzsche.txt") and asked == [origin]
    assert (tmp_path / "nietzsche.txt").read_bytes() == b"mine"


def test_a_bar_while_it_comes(tmp_path, offered, monkeypatch, capsys):
    monkeypatch.setattr(progress, "live", lambda: True)
    utils.get_file("a.txt", origin="https://example.org/a.txt", cache_dir=tmp_path)
    assert "a.txt" in capsys.readouterr().out


@pytest.mark.parametrize("algorithm", ["md5", "sha256", "auto"])
def test_hashes_are_checked(tmp_path, offered, algorithm):
    asked, content = offered
    known = hashlib.new("sha256" if algorithm == "auto" else algorithm, CONTENT).hexdigest()
    how = {
        "origin": "https://example.org/a.txt",
        "cache_dir": tmp_path,
        "file_hash": known,
        "hash_algorithm": algorithm,
    }
    path = utils.get_file("a.txt", **how)
    utils.get_file("a.txt", **how)
    assert len(asked) == 1
    with open(path, "ab") as file:
        file.write(b"spoiled")
    utils.get_file("a.txt", **how)  # fetched again: what is there is another file
    assert len(asked) == 2 and pathlib.Path(path).read_bytes() == CONTENT
    content["bytes"] = b"something else"
    with pytest.raises(DataError, match="It was not kept"):
        utils.get_file("b.txt", **{**how, "origin": "https://example.org/b.txt"})
    assert sorted(p.name for p in (tmp_path / "datasets").iterdir()) == ["a.txt"]


def archive(kind, members):
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as file:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_are_unpacked(tmp_path, offered, kind):
    offered[1]["bytes"] = archive(kind, {"set/a.txt": b"a", "set/inner/b.txt": b"b"})
    how = {"origin": f"https://example.org/set.{kind}", "cache_dir": tmp_path, "extract": True}
    folder = utils.get_file(**how)
    assert folder == str(tmp_path / "datasets" / f"set.{kind}")
    assert pathlib.Path(folder, "set/inner/b.txt").read_text() == "b"
    assert utils.get_file(f"other.{kind}", **how) == str(tmp_path / "datasets" / "other_extracted")
    with pytest.raises(DataError, match="no archive of the formats"):
        utils.get_file("x", **{**how, "archive_format": "zip" if kind == "tar" else "tar"})


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../outside.txt", "a/../../outside.txt", "/tmp/refnet-outside.txt"])
def test_no_member_leaves_the_folder(tmp_path, offered, kind, name):
    offered[1]["bytes"] = archive(kind, {"good.txt": b"g", name: b"evil"})
    target = tmp_path / "datasets" / "x"
    try:
        utils.get_file("x", origin="https://example.org/x", cache_dir=tmp_path, extract=True)
    except DataError as error:
        assert "was not unpacked" in str(error)
        assert not target.exists()
    else:  # tarfile's filter may bring an absolute name below the folder
        assert name.startswith("/") and kind == "tar"
    assert not list(tmp_path.glob("outside.txt")) and not list((tmp_path / "datasets").glob("outside.txt"))


def test_a_python_that_cannot_keep_a_tar_inside_of_a_folder_unpacks_none(tmp_path, offered, monkeypatch):
    """Such as 3.11.2: its `extractall` has no argument `filter`."""
    offered[1]["bytes"] = archive("tar", {"a.txt": b"a"})
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DataError, match=r"was not unpacked: Python .* Use Python 3\.11\.4 or a later one"):
        utils.get_file("x", origin="https://example.org/x", cache_dir=tmp_path, untar=True)


def test_links_out_of_a_tar_are_refused(tmp_path, offered):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    offered[1]["bytes"] = buffer.getvalue()
    with pytest.raises(DataError, match="was not unpacked"):
        utils.get_file("x", origin="https://example.org/x", cache_dir=tmp_path, untar=True)


def test_mistakes_with_files(tmp_path, offered):
    for arguments, error, words in (
        ({"fname": "a"}, ArgumentError, "give origin"),
        ({"fname": "../a", "origin": "https://e.org/a"}, ArgumentError, "without folders"),
        ({"origin": "https://e.org/"}, ArgumentError, "without folders"),
        ({"fname": "a", "origin": "https://e.org/a", "file_hash": "1", "hash_algorithm": "crc"}, ArgumentError, "crc"),
        ({"fname": "a", "origin": "https://e.org/a", "extract": True, "archive_format": "rar"}, ArgumentError, "rar"),
    ):
        with pytest.raises(error, match=words):
            utils.get_file(**arguments, cache_dir=tmp_path)
    offered[1]["bytes"] = None
    with pytest.raises(MissingFileError, match="could not be fetched.*\n.*curl -o"):
        utils.get_file("a", origin="https://e.org/a", cache_dir=tmp_path)


# ---- progress


def test_a_progress_bar_averages_what_it_shows(capsys):
    bar = utils.Progbar(4, verbose=2, stateful_metrics=["rate"])
    bar.update(1, [("loss", 4.0), ("rate", 0.1)])
    bar.add(2, [("loss", 1.0), ("rate", 0.2)])
    assert bar.values() == {"loss": 2.0, "rate": 0.2}
    bar.add(1)
    line = capsys.readouterr().out
    assert line.startswith("4/4 - ") and "loss: 2.0000 - rate: 0.2000" in line
    others = utils.Progbar(None, verbose=0, stateless_metrics=["loss"])
    others.update(2, [("loss", 1.0), ("rate", 3.0)])
    others.update(4, [("loss", 3.0), ("rate", 4.0)], finalize=True)
    assert others.values() == {"loss": 2.0, "rate": 4.0}
    with pytest.raises(ArgumentError, match="not both"):
        utils.Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"])


# ---- pictures of models


def branched():
    a, b = layers.Input((6,), name="a"), layers.Input((6,), name="b")
    shared = layers.Dense(4, activation="relu", name="shared")
    joined = layers.concatenate([shared(a), shared(b)])
    inner = models.Sequential([layers.Input((8,)), layers.Dense(8, name="deep"), layers.Dropout(0.5)], name="inner")
    scaled = inner(joined) * 2.0
    return models.Model([a, b], layers.Dense(1, name="out")(layers.concatenate([scaled, a])))


def test_a_model_as_a_picture(tmp_path):
    for ending in ("png", "svg"):
        figure = utils.plot_model(branched(), tmp_path / f"m.{ending}", show_shapes=True, show_layer_names=True)
        assert (tmp_path / f"m.{ending}").stat().st_size > 1000
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "shared (Dense)" in texts and "in: (None, 6)" in texts and "multiply" in texts
    assert texts.count("shared (Dense)") == 2
    assert not any("deep" in text for text in texts)
    shown = utils.plot_model(
        branched(),
        None,
        expand_nested=True,
        show_layer_names=True,
        show_layer_activations=True,
        show_dtype=True,
        rankdir="LR",
    )
    texts = [text.get_text() for text in shown.axes[0].texts]
    assert "deep (Dense)" in texts and "activation: relu" in texts and "dtype: float32" in texts
    for arguments, words in (
        ({"rankdir": "up"}, "rankdir"),
        ({"to_file": "m.gif"}, "to_file ends in"),
        ({"show_shape": True}, "no argument 'show_shape'"),
    ):
        with pytest.raises(ArgumentError, match=words):
            utils.plot_model(branched(), **arguments)
    with pytest.raises(ArgumentError, match="graph of .* is not known"):
        utils.plot_model(models.Sequential([layers.Dense(1)]))


def test_a_model_as_a_text_of_graphviz():
    text = utils.model_to_dot(branched(), show_trainable=True)
    assert text.startswith("digraph model {") and '"shared (Dense)\\ntrainable"' in text
    assert text.count("->") == 9
    assert utils.model_to_dot(branched(), subgraph=True).startswith("subgraph")


def test_boxes_stand_below_what_they_come_from_and_apart():
    layout = layered([(1.0, 0.5)] * 5, [(), (0,), (0,), (1, 2), (0, 3)])
    y = [centre[1] for centre in layout.centres]
    assert y[0] < y[1] == y[2] < y[3] < y[4]
    (x1, _), (x2, _) = layout.centres[1:3]
    assert abs(x1 - x2) >= 1.0
    assert len(layout.paths) == 6 and layout.width > 2 and layout.height > y[4]
    around = layout.paths[-2]  # from box 0 past two layers to box 4
    assert all(abs(px - x) >= 0.5 for px, py in around[1:-1] for x, cy in layout.centres[1:4] if abs(py - cy) < 0.25)
    assert layered([], []).centres == []


def test_rows_of_length_1():
    np.testing.assert_array_equal(utils.normalize(np.array([[3.0, 4.0], [0, 0]])), [[0.6, 0.8], [0, 0]])
    np.testing.assert_array_equal(utils.normalize(np.array([3.0, 4.0])), [0.6, 0.8])
    assert utils.normalize([[3.0, 4.0]]).dtype == utils.normalize([[3, 4]]).dtype == "float32"
    with pytest.raises(ArgumentError, match="normalize: there is no axis -1: a single number has no axes"):
        utils.normalize(3.0)
    np.testing.assert_array_equal(
        utils.normalize(np.array([[1.0, 3.0], [1.0, 1.0]]), axis=0, order=1), [[0.5, 0.75], [0.5, 0.25]]
    )
    assert utils.normalize(layers.Input((3,))).shape == (None, 3)


@pytest.mark.api("utils.to_categorical")
def test_class_numbers_as_rows():
    assert utils.to_categorical([2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert utils.to_categorical(np.array([[1], [0]]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(DataError, match=r"x\[1\] is 5"):
        utils.to_categorical([0, 5], 3)


@pytest.mark.api("feature engineering")
def test_the_angles_of_a_clocks_hands():
    """The book's 4.3.2: from the ends of the hands to their angles, and from these the time."""
    hands = np.array([[0.7, 0.7], [0.5, 0.0], [-0.38, 0.32]])
    angles = np.arctan2(hands[:, 1], hands[:, 0])
    close(ops.arctan2(hands[:, 1], hands[:, 0]), angles, 2 * ELEMENTARY)
    assert np.all(abs(np.degrees(angles) - [45, 0, 139.899]) < 0.0005)  # to the digits given


def test_packages_that_are_missing_are_named_with_their_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'refnet\[images\]'"):
        utils.load_img("a.png")
    with pytest.raises(MissingPackageError, match="Pillow"):
        utils.array_to_img(np.zeros((2, 2, 3)))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'refnet\[viz\]'"):
        utils.plot_model(branched())
