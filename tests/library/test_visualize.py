"""Pictures: what is in them, read back from the figure; what is refused."""

import sys
from statistics import NormalDist

import numpy as np
import pytest

from refnet import backend, dtypes, layers, models, utils, visualize
from refnet.errors import ArgumentError, DataError, MissingPackageError, PlaceError, ShapeError
from refnet.testing.closeness import ELEMENTARY, close
from refnet.visualize.images import displayable
from refnet.visualize.inside import tiled

HISTORY = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.5], "acc": [0.1, 0.5, 0.9], "val_acc": [0.1, 0.4, 0.6]}


def convnet(classes=3):
    utils.set_random_seed(0)
    model = models.Sequential([layers.Input((6, 6, 1))])
    model.add(layers.Conv2D(2, 3, padding="same", name="first"))
    model.add(layers.Conv2D(3, 3, activation="relu", name="last"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(classes, activation="softmax" if classes > 1 else "sigmoid"))
    return model


def lines_of(axis):
    return {line.get_label(): list(line.get_ydata()) for line in axis.lines}


def test_training_curves(tmp_path):
    figure = visualize.training_curves(HISTORY, title="T", to_file=tmp_path / "curves.png")
    loss, acc = figure.axes
    assert lines_of(loss) == {"training": [3, 2, 1], "validation": [3, 2.5, 2.5]}
    assert acc.get_title(loc="left") == "acc" and acc.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    (only,) = visualize.training_curves(HISTORY, metrics=["acc"], smooth=0.5, baseline={"acc": 0.3}).axes
    assert lines_of(only)["training"] == [0.1, 0.3, 0.6] and "baseline" in lines_of(only)


def test_curves_of_a_fit_and_of_several():
    model = models.Sequential([layers.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.ones((4, 1)), np.ones(4), epochs=2, verbose=0)
    (axis,) = visualize.training_curves(history).axes
    assert lines_of(axis)["training"] == history.history["loss"]
    (axis,) = visualize.training_curves({"a": history, "b": {"loss": [1.0], "val_loss": [0.5]}}).axes
    assert lines_of(axis) == {"a": history.history["loss"], "b": [0.5]}


def test_what_curves_refuse(tmp_path):
    with pytest.raises(ArgumentError, match="no 'accc'. Did you mean 'acc'"):
        visualize.training_curves(HISTORY, metrics=["accc"])
    with pytest.raises(ArgumentError, match="at least one epoch"):
        visualize.training_curves({})
    with pytest.raises(ArgumentError, match=r"smooth lies in \[0, 1\); got 1"):
        visualize.training_curves(HISTORY, smooth=1)
    with pytest.raises(ArgumentError, match="does not end in a kind of picture"):
        visualize.training_curves(HISTORY, to_file=tmp_path / "curves.txt")


def test_series_bars_and_points():
    (axis,) = visualize.series({"a": [1, 200]}, log=True).axes
    assert axis.get_yscale() == "log"
    (axis,) = visualize.series({"a": [1, 2], "b": [2, 1]}, x=[5, 6], x_label="t").axes
    assert axis.get_yscale() == "linear"
    assert lines_of(axis) == {"a": [1, 2], "b": [2, 1]} and list(axis.lines[0].get_xdata()) == [5, 6]
    (axis,) = visualize.bars({"one": 1.0, "two": 2.0}, baseline=1.5).axes
    assert [bar.get_width() for bar in axis.patches] == [1, 2]
    (axis,) = visualize.scatter_2d([[0, 0], [1, 1], [2, 2]], [0, 1, 1], names=["x", "y"]).axes
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["x", "y"]
    (axis,) = visualize.scatter_2d([[0, 0], [1, 1]], np.array(["left", "right"])).axes
    assert [text.get_text() for text in axis.texts] == ["left", "right"]
    with pytest.raises(ShapeError, match=r"points must have shape \(n, 2\); got \(2, 3\)"):
        visualize.scatter_2d(np.zeros((2, 3)))


def test_images_are_brought_to_what_can_be_shown():
    assert displayable(np.full((2, 2, 1), 51, "uint8"))[0, 0] == 0.2
    assert displayable(np.full((2, 2, 3), 102.0)).max() == 0.4
    assert displayable(np.array([[-1.0, 1.0]])).tolist() == [[0, 1]]
    assert displayable(np.array([[0.25, 0.5]])).tolist() == [[0.25, 0.5]]
    with pytest.raises(ShapeError, match=r"got \(2, 2, 2\)"):
        displayable(np.zeros((2, 2, 2)))
    figure = visualize.image_grid(np.zeros((5, 4, 4, 1)), titles=["a", "b"], columns=3)
    assert len(figure.axes) == 6 and [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", ""]
    assert sum(len(axis.images) for axis in figure.axes) == 5
    with pytest.raises(ShapeError, match="no images"):
        visualize.image_grid([])


def test_a_confusion_matrix_counts():
    truth, chances = np.array([0, 0, 1, 2]), np.eye(3)[[0, 1, 1, 1]]
    (axis,) = visualize.confusion_matrix(truth, chances, names=["a", "b", "c"]).axes
    assert {(t.get_position()[::-1], t.get_text()) for t in axis.texts} == {
        ((0, 0), "1"),
        ((0, 1), "1"),
        ((1, 1), "1"),
        ((2, 1), "1"),
    }
    assert axis.images[0].get_array()[0].tolist() == [0.5, 0.5, 0]
    (axis,) = visualize.confusion_matrix([0, 1], np.array([[0.2], [0.9]])).axes
    assert len(axis.texts) == 2
    with pytest.raises(ShapeError, match="4 true classes, but 3 predictions"):
        visualize.confusion_matrix(truth, chances[:3])


def test_a_confusion_matrix_of_bfloat16_and_names_in_an_array():
    chances = np.eye(3)[[0, 2]].astype(dtypes.as_numpy("bfloat16"))
    for read in (chances, chances.argmax(1).astype(chances.dtype)):
        (axis,) = visualize.confusion_matrix([0, 1], read).axes
        np.testing.assert_array_equal(axis.images[0].get_array(), [[1, 0, 0], [0, 0, 1], [0, 0, 0]])
    (axis,) = visualize.confusion_matrix([0, 1], [0, 1], names=np.array(["a", "b", "c"])).axes
    assert axis.images[0].get_array().shape == (3, 3)


def test_pictures_of_what_is_no_class_are_refused_in_words():
    """A class of -1 was counted as the last one."""
    for truth, read, error, words in (
        ([-1, 1], [0, 1], DataError, "class numbers begin with 0; y_true holds -1"),
        ([0, 1], [0, np.nan], DataError, "class numbers begin with 0; y_pred holds nan"),
        (["cat"], ["dog"], DataError, "y_true must hold class numbers; got dtype <U3"),
        ([], [], DataError, "y_true holds no samples"),
        ([0, 2], [0, 1], ArgumentError, "classes up to 2, but 2 names"),
    ):
        with pytest.raises(error, match=words):
            visualize.confusion_matrix(truth, read, names=["a", "b"])
    points = np.zeros((3, 2))
    with pytest.raises(ShapeError, match="a label for each of 3 points"):
        visualize.scatter_2d(points, [0, 1])
    for labels in ([0, 1, 2], [0, 0.5, 1], [0, 1, np.nan]):
        with pytest.raises(DataError, match="labels are whole numbers below 2, the number of names, or strings"):
            visualize.scatter_2d(points, labels, names=["a", "b"])
    (axis,) = visualize.scatter_2d(points, np.array(["x", "y", "z"], object)).axes
    assert len(axis.texts) == 3
    with pytest.raises(ShapeError, match="x has 2 places, but 'a' 3 values"):
        visualize.series({"a": [1, 2, 3]}, x=[1, 2])
    with pytest.raises(ArgumentError, match="columns is at least 1"):
        visualize.image_grid(np.zeros((2, 4, 4)), columns=-1)
    with pytest.raises(PlaceError, match=r"/nowhere/a.png cannot be written"):
        visualize.bars({"a": 1.0}, to_file="/nowhere/a.png")


# ---- inside a network


def test_tiles_are_scaled_one_by_one():
    channels = np.zeros((24, 24, 3))
    channels[:12, :, 1], channels[:, :12, 2] = 5, 0.001
    whole = tiled(channels, 2)
    assert whole.shape == (49, 49) and np.isnan(whole[24]).all() and np.isnan(whole[25:, 25:]).all()
    assert (whole[:24, :24] == 0).all()  # the same everywhere
    np.testing.assert_array_equal(whole[:24, 25:][[0, -1], 0], [0.75, 0.25])
    np.testing.assert_array_equal(whole[25:, :24][0, [0, -1]], [0.75, 0.25])


def test_activation_grids_show_the_layers_asked_for():
    model, image = convnet(), np.ones((6, 6, 1), "float32")
    figure = visualize.activation_grids(model, image)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["first: 6 x 6 x 2", "last: 4 x 4 x 3"]
    (axis,) = visualize.activation_grids(model, image, ["first"]).axes
    answer = models.Model(model.input, model.get_layer("first").output).predict(image[None], verbose=0)[0]
    assert np.array_equal(axis.images[0].get_array().filled(np.nan), tiled(answer, 2), equal_nan=True)
    with pytest.raises(ShapeError, match="dense.* gives .*no images.*first, last"):
        visualize.activation_grids(model, image, [model.layers[-1].name])
    with pytest.raises(ShapeError, match="give one image"):
        visualize.activation_grids(model, np.ones((2, 6, 6, 1)))


def test_gradient_ascent_climbs():
    model = convnet()
    first = model.get_layer("first").output
    start = np.zeros((2, 6, 6, 1), "float32")
    ask = models.Model(model.input, first)
    images = visualize.gradient_ascent(model, first[..., 1], start, steps=3, rate=0.1)
    assert (
        ask.predict(images, verbose=0)[..., 1].sum((1, 2)) > ask.predict(start, verbose=0)[..., 1].sum((1, 2))
    ).all()
    # a linear layer: the direction does not change, and each step has the root mean square 0.1
    step = visualize.gradient_ascent(model, first[..., 1], start, steps=1, rate=0.1)
    np.testing.assert_array_equal(images, 3 * step)
    (gradient,) = backend.function([model.input], backend.gradients(first[..., 1], [model.input]))([start])
    size = np.sqrt((gradient**2).mean((1, 2, 3)))
    close(np.sqrt((step**2).mean((1, 2, 3))), 0.1 * size / (size + 1e-5), 2 * (gradient[0].size + ELEMENTARY + 6))


def test_filter_patterns_draw_the_filters_asked_for():
    figure = visualize.filter_patterns(convnet(), "last", [2, 0], steps=2)
    assert sum(len(axis.images) for axis in figure.axes) == 2
    assert len(visualize.filter_patterns(convnet(), "last", 64, steps=1).axes) == 3
    with pytest.raises(ArgumentError, match=r"has the filters 0..2; asked for \[3\]"):
        visualize.filter_patterns(convnet(), "last", [3])


def test_a_heatmap_by_hand():
    """One channel, averaged and multiplied by 2 for class 0 and by -1 for class 1: Grad-CAM is the channel, or nothing."""
    model = models.Sequential([layers.Input((2, 2, 1))])
    model.add(layers.Conv2D(1, 1, use_bias=False, name="channel"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(2, use_bias=False))
    model.set_weights([np.ones((1, 1, 1, 1)), np.array([[2.0, -1.0]])])
    image = np.array([[0.0, 1.0], [2.0, 4.0]])[..., None]
    assert visualize.heatmap(model, image, "channel", 0).tolist() == [[0, 0.25], [0.5, 1]]
    assert visualize.heatmap(model, image, "channel").tolist() == [[0, 0.25], [0.5, 1]]  # class 0 is the largest
    assert (visualize.heatmap(model, image, "channel", 1) == 0).all()
    with pytest.raises(ArgumentError, match="2 outputs; there is no class 5"):
        visualize.heatmap(model, image, "channel", 5)
    with pytest.raises(ArgumentError, match="there is no class 'cat'"):
        visualize.heatmap(model, image, "channel", "cat")


def test_one_sigmoid_output_has_two_classes():
    model = models.Sequential([layers.Input((2, 2, 1)), layers.Conv2D(1, 1, use_bias=False, name="channel")])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1, use_bias=False, activation="sigmoid"))
    model.set_weights([np.ones((1, 1, 1, 1)), np.array([[1.0]])])
    image = np.array([[0.0, 1.0], [2.0, 4.0]])[..., None]
    np.testing.assert_array_equal(visualize.heatmap(model, image, "channel", 1), [[0, 0.25], [0.5, 1]])
    assert (visualize.heatmap(model, image, "channel", 0) == 0).all()


def test_grad_cam_shows_image_and_overlay():
    figure = visualize.grad_cam(convnet(), np.full((6, 6, 1), 0.5), "last", title="why")
    assert [axis.get_title() for axis in figure.axes] == ["image", "evidence"]
    both = visualize.overlay(np.full((4, 4, 3), 0.5), np.zeros((2, 2)), strength=0.5)
    np.testing.assert_array_equal(both[0, 0], [0.25, 0.25, 0.5])  # the map's cold end is half blue


def test_a_manifold_is_laid_out_by_rows():
    class Decoder:
        def predict(self, codes, **_):
            self.codes = codes
            return np.clip(codes.sum(1) / 10 + 0.5, 0, 1).reshape(-1, 1, 1, 1)

    decoder = Decoder()
    (axis,) = visualize.latent_manifold(decoder, n=3, margin=0.1).axes
    shown = axis.images[0].get_array()
    assert shown.shape == (3, 3) and shown[1, 1] == 0.5
    np.testing.assert_array_equal(decoder.codes[0], np.float32([NormalDist().inv_cdf(0.1)] * 2))
    assert shown[0, 2] == 0.5 and shown[2, 2] > shown[1, 2] > shown[0, 2]
    with pytest.raises(ArgumentError, match="margin in"):
        visualize.manifold_codes(3, margin=0.5)


def test_a_model_graph(tmp_path):
    figure = visualize.model_graph(convnet(), to_file=tmp_path / "model.png")
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"Conv2D", "Dense", "out: (None, 3)"} <= words and (tmp_path / "model.png").exists()


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'refnet\[viz\]'"):
        visualize.bars({"a": 1.0})


def test_words_at_one_point_are_written_side_by_side() -> None:
    points = np.array([[0.0, 0.0], [0.01, 0.0], [0.0, 0.01], [3.0, 2.0]])
    figure = visualize.scatter_2d(points, np.array(["because", "house", "table", "far"]))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
