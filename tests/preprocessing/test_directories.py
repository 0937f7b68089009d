"""Data sets of files in folders, windows of time, data sets cut in two."""

import numpy as np
import pytest

from refnet import layers, models
from refnet.errors import ArgumentError, FileError, MissingFileError, ShapeError
from refnet.utils import (
    PyDataset,
    image_dataset_from_directory,
    save_img,
    split_dataset,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)
from refnet.utils.ahead import ahead
from refnet.utils.dataset_utils import ArrayDataset


@pytest.fixture
def photos(tmp_path):
    for kind, count in (("a", 4), ("b", 3)):
        (tmp_path / kind).mkdir()
        for i in range(count):
            save_img(
                tmp_path / kind / f"{i}.png", np.full((4, 6, 3), 10 * i + 100 * (kind == "b"), np.uint8), scale=False
            )
    (tmp_path / ".hidden").mkdir()
    return tmp_path


@pytest.fixture
def reviews(tmp_path):
    for kind, texts in (("neg", ["bad", "dull ünd so"]), ("pos", ["fine", "good", "great"])):
        (tmp_path / kind).mkdir()
        for i, text in enumerate(texts):
            (tmp_path / kind / f"{i}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_images_of_folders(photos, capsys):
    data = image_dataset_from_directory(photos, image_size=(2, 3), batch_size=3, shuffle=False)
    assert capsys.readouterr().out == "Found 7 files belonging to 2 classes.\n"
    assert data.class_names == ["a", "b"] and len(data) == 3 and len(data.file_paths) == 7
    x, y = data[1]
    assert x.shape == (3, 2, 3, 3) and x.dtype == "float32" and y.dtype == "int32"
    assert x[:, 0, 0, 0].tolist() == [30, 100, 110] and y.tolist() == [0, 1, 1]
    assert sum(len(labels) for _, labels in data) == 7


@pytest.mark.parametrize(
    "mode, due", [("int", [0, 1]), ("binary", [[0.0], [1.0]]), ("categorical", [[1.0, 0.0], [0.0, 1.0]])]
)
def test_kinds_of_labels(photos, mode, due):
    data = image_dataset_from_directory(photos, label_mode=mode, shuffle=False, image_size=(2, 2), verbose=False)
    assert data[0][1][[0, 6]].tolist() == due


def test_labels_of_ones_own_and_none(photos):
    own = image_dataset_from_directory(photos, labels=[2, 0, 1, 1, 0, 2, 2], shuffle=False, image_size=(2, 2))
    assert own[0][1].tolist() == [2, 0, 1, 1, 0, 2, 2] and own.class_names == ["0", "1", "2"]
    bare = image_dataset_from_directory(
        photos, labels=None, batch_size=None, image_size=(2, 2), data_format="channels_first"
    )
    assert bare[0].shape == (3, 2, 2) and len(bare) == 7 and bare.class_names is None
    one = image_dataset_from_directory(photos, class_names=["b"], color_mode="grayscale", image_size=(2, 2))
    assert len(one.file_paths) == 3 and one[0][0].shape == (3, 2, 2, 1)


def test_parts_do_not_overlap_and_cover_all(photos):
    how = {"validation_split": 0.3, "seed": 5, "image_size": (2, 2), "verbose": False}
    training, validation = image_dataset_from_directory(photos, subset="both", **how)
    assert (len(training.file_paths), len(validation.file_paths)) == (5, 2)
    assert set(training.file_paths) | set(validation.file_paths) == set(
        image_dataset_from_directory(photos, image_size=(2, 2), verbose=False).file_paths
    )
    assert image_dataset_from_directory(photos, subset="training", **how).file_paths == training.file_paths
    assert image_dataset_from_directory(photos, subset="validation", **how).file_paths == validation.file_paths
    for x, y in training:
        np.testing.assert_array_equal(x[:, 0, 0, 0] >= 100, y == 1)


def test_each_epoch_has_its_own_order(photos):
    data = image_dataset_from_directory(photos, image_size=(2, 2), batch_size=7, seed=2, verbose=False)
    first = data[0][0][:, 0, 0, 0].tolist()
    data.on_epoch_end()
    second = data[0][0][:, 0, 0, 0].tolist()
    assert sorted(first) == sorted(second) and first != second
    again = image_dataset_from_directory(photos, image_size=(2, 2), batch_size=7, seed=2, verbose=False)
    assert again[0][0][:, 0, 0, 0].tolist() == first


@pytest.mark.parametrize(
    ("word", "rows"), [("crop_to_aspect_ratio", [110] * 4), ("pad_to_aspect_ratio", [110, 110, 0, 0])]
)
def test_ratios_are_kept_on_demand(photos, word, rows):
    """Of 4 x 6 pixels 4 x 4 are kept, or 2 x 4 are made, before which TensorFlow puts no row: two thirds of one."""
    data = image_dataset_from_directory(photos / "b", labels=None, image_size=(4, 4), shuffle=False, **{word: True})
    np.testing.assert_array_equal(data[0][1, :, :, 0], np.repeat(np.float32(rows)[:, None], 4, axis=1))


def test_fit_takes_them(photos):
    data = image_dataset_from_directory(photos, image_size=(2, 2), batch_size=2, seed=1, verbose=False)
    model = models.Sequential(
        [layers.Input((2, 2, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(data, epochs=2, validation_data=data, verbose=0)
    assert len(history.history["val_accuracy"]) == 2


def test_texts_of_folders(reviews):
    data = text_dataset_from_directory(reviews, batch_size=4, shuffle=False, verbose=False)
    texts, labels = data[0]
    assert texts.tolist() == ["bad", "dull ünd so", "fine", "good"] and labels.tolist() == [0, 0, 1, 1]
    assert text_dataset_from_directory(reviews, max_length=3, shuffle=False, labels=None)[0].tolist()[1] == "dul"
    vectorize = layers.TextVectorization(output_sequence_length=3)
    vectorize.adapt(data)
    assert vectorize(texts).shape == (4, 3)
    (reviews / "neg" / "0.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(FileError, match="UTF-8"):
        data[0]


def test_mistakes_with_folders(photos, tmp_path):
    for arguments, error, words in (
        ({"directory": tmp_path / "none"}, MissingFileError, "there is no folder"),
        ({"class_names": ["c"]}, ArgumentError, "no folder 'c'"),
        ({"label_mode": "integer"}, ArgumentError, "label_mode"),
        ({"labels": "folders"}, ArgumentError, "labels is"),
        ({"labels": [1, 2]}, ArgumentError, "each of 7 files"),
        ({"labels": None, "class_names": ["a"]}, ArgumentError, "class_names goes with"),
        ({"class_names": ["a"], "label_mode": "binary"}, ArgumentError, "two classes; there are 1"),
        ({"subset": "training"}, ArgumentError, "go together"),
        ({"subset": "training", "validation_split": 2.0}, ArgumentError, "between 0 and 1"),
        ({"subset": "training", "validation_split": 0.5}, ArgumentError, "give a seed"),
        ({"subset": "validation", "validation_split": 0.01, "seed": 1}, ArgumentError, "leaves none"),
        ({"subset": "testing"}, ArgumentError, "subset is"),
        ({"batch_size": 0}, ArgumentError, "batch_size"),
        ({"image_size": 3}, ArgumentError, "size is"),
        ({"interpolation": "lanczos"}, ArgumentError, "interpolation"),
        ({"color_mode": "bgr"}, ArgumentError, "color_mode"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, ArgumentError, "not both"),
    ):
        with pytest.raises(error, match=words):
            image_dataset_from_directory(**{"directory": photos, **arguments})
    with pytest.raises(MissingFileError, match="no files that end in .txt"):
        text_dataset_from_directory(photos)


# ---- windows of time


@pytest.mark.api("time-series window generator")
def test_windows_and_what_follows_them():
    """Keras's own example: 10 points, windows of 3, the target being the point after."""
    data = np.arange(20)
    windows = timeseries_dataset_from_array(data[:-3], data[3:], 3, batch_size=5)
    x, y = windows[0]
    assert x.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]] and y.tolist() == [3, 4, 5, 6, 7]
    assert len(windows) == 3 and sum(len(y) for _, y in windows) == 15
    spread = timeseries_dataset_from_array(
        data, None, 3, sequence_stride=4, sampling_rate=2, start_index=2, end_index=16
    )
    assert spread[0].tolist() == [[2, 4, 6], [6, 8, 10], [10, 12, 14]]
    single = timeseries_dataset_from_array(data, data, 4, batch_size=None)
    assert single[1][0].tolist() == [1, 2, 3, 4] and single[1][1] == 1
    table = np.arange(24.0).reshape(12, 2)
    assert timeseries_dataset_from_array(table, table[:, 0], 5)[0][0].shape == (8, 5, 2)


def test_shuffled_windows_keep_their_targets():
    data = np.arange(50)
    windows = timeseries_dataset_from_array(data[:-4], data[4:], 4, batch_size=8, shuffle=True, seed=3)
    seen = [y for _, ys in windows for y in ys.tolist()]
    assert sorted(seen) == list(range(4, 47)) and seen != sorted(seen)
    for x, y in windows:
        np.testing.assert_array_equal(x[:, -1] + 1, y)
    windows.on_epoch_end()
    assert [y for _, ys in windows for y in ys.tolist()] != seen


def test_mistakes_with_windows():
    data = np.arange(10)
    for arguments, words in (
        ({"sequence_length": 0}, "sequence_length"),
        ({"sequence_length": 11}, "no window of 11 points"),
        ({"sequence_length": 3, "sampling_rate": 10}, r"sampling_rate must be an integer, in 1\.\.9"),
        ({"sequence_length": 3, "sequence_stride": 0}, "sequence_stride"),
        ({"sequence_length": 3, "start_index": 10}, "start_index"),
        ({"sequence_length": 3, "start_index": 5, "end_index": 5}, "end_index"),
        ({"sequence_length": 3, "batch_size": 0}, "batch_size"),
    ):
        with pytest.raises(ArgumentError, match=words):
            timeseries_dataset_from_array(data, None, **arguments)
    with pytest.raises(ArgumentError, match="with a target: there are 0"):
        timeseries_dataset_from_array(data, [], 3)


# ---- data sets cut in two


def test_a_table_of_pandas_is_cut_by_its_rows():
    class Table:
        iloc = None
        __array__ = lambda self, dtype=None, copy=None: np.arange(6).reshape(3, 2)
        __iter__ = lambda self: iter(["a", "b"])  # the columns' names

    left, right = split_dataset(Table(), left_size=2)
    assert left.arrays.tolist() == [[0, 1], [2, 3]] and right.arrays.tolist() == [[4, 5]]


def test_a_data_set_cut_in_two():
    x, y = np.arange(10).reshape(5, 2), np.arange(5)
    left, right = split_dataset((x, y), left_size=0.6)
    assert left.arrays[1].tolist() == [0, 1, 2] and right.arrays[1].tolist() == [3, 4]
    assert [int(b) for _, b in left] == [0, 1, 2]
    assert len(split_dataset(y, right_size=1)[0]) == 4
    with pytest.raises(ShapeError, match="got single numbers"):
        split_dataset([[1, 2], [3, 4]], left_size=1)
    small = split_dataset(y, left_size=1, right_size=2)
    assert [part.arrays.tolist() for part in small] == [[0], [3, 4]]
    shuffled = split_dataset([x, y], left_size=3, shuffle=True, seed=2)
    both = np.concatenate([part.arrays[1] for part in shuffled])
    assert sorted(both.tolist()) == [0, 1, 2, 3, 4] and (shuffled[0].arrays[0][:, 0] == 2 * shuffled[0].arrays[1]).all()
    batches = split_dataset(ArrayDataset({"x": x, "y": y}, batch_size=2), left_size=3)
    assert len(batches[0]) == 2 and batches[0][0]["y"].tolist() == [0, 1]
    joined = split_dataset([(x[:3], y[:3]), (x[3:], y[3:])].__iter__(), left_size=0.2)
    assert joined[1].arrays[1].tolist() == [1, 2, 3, 4]
    for sizes in ({}, {"left_size": 5}, {"left_size": 1.5}, {"left_size": 0.8, "right_size": 0.8}, {"left_size": "a"}):
        with pytest.raises(ArgumentError, match="left_size"):
            split_dataset(y, **sizes)
    with pytest.raises(ShapeError, match="lengths"):
        split_dataset((x, y[:3]), left_size=1)


def test_things_made_ahead_come_in_order_and_stop():
    made = []

    def things():
        for i in range(100):
            made.append(i)
            yield i

    coming = ahead(things(), 3)
    assert [next(coming) for _ in range(4)] == [0, 1, 2, 3]
    coming.close()
    assert len(made) <= 9  # three waiting, one in the hand, and not one more after the end
    assert list(ahead(iter([]), 1)) == []


def test_a_pass_of_a_data_set_can_be_its_own():
    class Numbers(PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.full((2, 1), float(index)), np.zeros((2, 1))

    assert [int(x[0, 0]) for x, _ in Numbers().iterate([2, 0])] == [2, 0]


def test_images_without_folders_for_their_classes(tmp_path):
    from refnet import utils
    from refnet.preprocessing.image import ImageDataGenerator

    utils.save_img(tmp_path / "a.png", np.zeros((4, 4, 3)))
    for call in (utils.image_dataset_from_directory, ImageDataGenerator().flow_from_directory):
        with pytest.raises(MissingFileError, match="has no folders in it; there must be one for each class"):
            call(tmp_path)
    assert len(utils.image_dataset_from_directory(tmp_path, labels=None, verbose=False)) == 1
