"""Layers that resize, crop and change images, by hand-computed examples, and what they refuse."""

import numpy as np
import pytest

from refnet import layers, models, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Input
from refnet.testing import close

RANDOM = np.random.default_rng(4)
IMAGES = RANDOM.random((4, 5, 6, 3)).astype("float32")


# ---- sizes


def test_resizing_and_cropping():
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(layers.Resizing(2, 2)(x)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    assert layers.Resizing(2, 2)(x.astype("uint8")).dtype == "uint8"
    assert layers.CenterCrop(2, 2)(x)[0, :, :, 0].tolist() == [[5, 6], [9, 10]]
    assert layers.CenterCrop(6, 3)(x).shape == (1, 6, 3, 1)
    assert layers.CenterCrop(2, 4)(x[0]).shape == (2, 4, 1)  # one image
    wide = layers.Resizing(2, 2, crop_to_aspect_ratio=True)(
        np.pad(np.ones((1, 2, 2, 1), "float32"), ((0, 0), (0, 0), (1, 1), (0, 0)))
    )
    assert (wide == 1).all()
    assert models.Sequential([Input((9, 7, 3)), layers.Resizing(4, 5), layers.CenterCrop(2, 2)]).output_shape == (
        None,
        2,
        2,
        3,
    )
    first = layers.Resizing(2, 3, data_format="channels_first")
    assert first.compute_output_shape((None, 3, 8, 8)) == (None, 3, 2, 3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"interpolation": "nearest", "crop_to_aspect_ratio": True},
        {"interpolation": "bicubic", "pad_to_aspect_ratio": True, "fill_value": 2.0},
        {"interpolation": "lanczos3", "antialias": True},
        {"data_format": "channels_first"},
    ],
)
def test_resizing_takes_images_whose_size_is_open(options):
    layer = layers.Resizing(3, 4, **options)
    first = layer.data_format == "channels_first"
    images = Input((3, None, None) if first else (None, None, 3))
    small = layer(images)
    assert small.shape == ((None, 3, 3, 4) if first else (None, 3, 4, 3))
    model = models.Model(images, small)
    for size in ((5, 6), (3, 4), (2, 7)):
        x = RANDOM.random((2, 3, *size) if first else (2, *size, 3)).astype("float32")
        np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))


def test_what_is_before_a_resizing_of_open_images_learns_the_same():
    learned = []
    for size in ((5, 6), (None, None)):
        conv = layers.Conv2D(1, 2, kernel_initializer="ones")
        model = models.Sequential([Input((*size, 3)), conv, layers.Resizing(2, 3), layers.Flatten()])
        model.compile("sgd", "mse")
        model.train_on_batch(IMAGES, np.zeros((4, 6), "float32"))
        learned.append(conv.get_weights())
    assert not np.any(learned[0][0] == 1)
    np.testing.assert_array_equal(learned[0][0], learned[1][0])


def test_resizing_averages_where_it_is_told_to():
    layer = layers.Resizing(1, 2, "lanczos3", antialias=True)
    again = layers.Resizing.from_config(layer.get_config())
    x = np.arange(8.0, dtype="float32").reshape(1, 2, 4, 1)
    np.testing.assert_array_equal(again(x), ops.resize(x, (1, 2), "lanczos3", antialias=True))
    assert (again(x) != layers.Resizing(1, 2, "lanczos3")(x)).all()


def test_mistakes_with_sizes():
    for make, words in (
        (lambda: layers.Resizing(0, 2), "height must be an integer of at least 1"),
        (lambda: layers.Resizing(2, 2, "cubic"), "interpolation"),
        (lambda: layers.CenterCrop(2, 2.5), "width"),
        (lambda: layers.RandomCrop(2, 2, data_format="last"), "data_format"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    with pytest.raises(ShapeError, match="images \\(batch, height, width, channels\\)"):
        layers.CenterCrop(2, 2)(np.zeros((4, 4)))
    with pytest.raises(ShapeError, match="height and width"):
        layers.CenterCrop(2, 2)(Input((None, 4, 3)))


# ---- random changes

CHANGING = [
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}),
    ("RandomZoom", {"height_factor": 0.4}),
    ("RandomShear", {"x_factor": 0.5, "y_factor": 0.5}),
    ("RandomBrightness", {"factor": 0.4, "value_range": (0, 1)}),
    ("RandomContrast", {"factor": 0.8, "value_range": (0, 1)}),
    ("RandomGrayscale", {"factor": 0.5}),
    ("RandomInvert", {"value_range": (0, 1)}),
    ("RandomHue", {"factor": 0.8, "value_range": (0, 1)}),
    ("RandomSaturation", {"factor": (0.1, 0.8), "value_range": (0, 1)}),
    ("RandomColorDegeneration", {"factor": (0, 1), "value_range": (0, 1)}),
    ("Solarization", {"addition_factor": 0.4, "threshold_factor": 0.8, "value_range": (0, 1)}),
]


@pytest.mark.parametrize("name, arguments", CHANGING)
def test_changes_in_training_and_none_at_inference(name, arguments):
    layer = getattr(layers, name)(**arguments, seed=3)
    many = np.repeat(IMAGES[:1], 12, 0)
    np.testing.assert_array_equal(layer(many, training=False), many)
    changed = layer(many)  # a call on arrays trains, as in Keras
    assert changed.shape == many.shape and changed.dtype == "float32"
    assert len({image.tobytes() for image in changed}) > 1, "each image has its own draw"
    assert not np.array_equal(layer(many), changed), "each call has its own draws"
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(many), changed)
    model = models.Sequential([Input((5, 6, 3)), layer])
    np.testing.assert_array_equal(model.predict(many, verbose=0), many)
    assert not np.array_equal(model(many, training=True), many)
    assert layer(many[0]).shape == (5, 6, 3)  # one image


def test_a_pipeline_called_on_arrays_trains_but_dropout_in_it_does_not():
    ones = np.ones((3, 4, 4, 1), "float32")
    pipeline = models.Sequential([layers.RandomBrightness((0.5, 0.5), (0, 9)), layers.Dropout(0.5)])
    assert (pipeline(ones) == 5.5).all()
    assert (pipeline(ones, training=False) == 1).all()


def test_flips_are_the_ones_asked_for():
    x = np.arange(6.0, dtype="float32").reshape(1, 2, 3, 1)
    rows = {"horizontal": x[:, :, ::-1], "vertical": x[:, ::-1], "horizontal_and_vertical": x[:, ::-1, ::-1]}
    for mode, due in rows.items():
        seen = layers.RandomFlip(mode, seed=1)(np.repeat(x, 30, 0))
        kinds = {image.tobytes() for image in seen}
        assert kinds == {x[0].tobytes(), np.ascontiguousarray(due[0]).tobytes()}
    first = layers.RandomFlip("horizontal", seed=1, data_format="channels_first")(
        np.repeat(x.transpose(0, 3, 1, 2), 30, 0)
    )
    np.testing.assert_array_equal(
        first.transpose(0, 2, 3, 1), layers.RandomFlip("horizontal", seed=1)(np.repeat(x, 30, 0))
    )


def test_movements_by_fixed_amounts():
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    turned = layers.RandomRotation((0.25, 0.25))(x)
    # coordinates up to 4 come by a dozen operations; a pixel further the image is up to 5 more
    close(turned[0, :, :, 0], np.rot90(x[0, :, :, 0]), 12 + 8, 4 * 5 + x.max())
    down = layers.RandomTranslation((0.25, 0.25), 0.0, fill_mode="constant", fill_value=-1)(x)
    np.testing.assert_array_equal(down[0, :, :, 0], np.vstack([np.full((1, 4), -1), x[0, :3, :, 0]]))
    out = layers.RandomZoom((1.0, 1.0), (0.0, 0.0), fill_mode="constant")(x)[0, :, :, 0]
    assert (out[0] == 0).all() and out[1:3].min() > 0
    slanted = layers.RandomShear((1.0, 1.0), seed=0, fill_mode="wrap")(x)[0, :, :, 0]
    assert slanted[1].tolist() in ([5, 6, 7, 4], [7, 4, 5, 6]) and slanted[0].tolist() == [0, 1, 2, 3]


def test_colours_by_fixed_amounts():
    x = np.array([[[[10.0], [30.0]], [[50.0], [250.0]]]], "float32")
    assert layers.RandomBrightness((0.1, 0.1))(x)[0, :, :, 0].tolist() == [[35.5, 55.5], [75.5, 255.0]]
    contrast = layers.RandomContrast((0.5, 0.5), seed=2)(x)[0, :, :, 0]
    factor = (contrast[0, 1] - contrast[0, 0]) / 20
    assert 0.5 <= factor <= 1.5
    close(contrast, np.clip((x[0, :, :, 0] - 85) * factor + 85, 0, 255), 2 * 6, 2 * 255)
    assert layers.RandomInvert((1.0, 1.0))(x)[0, :, :, 0].tolist() == [[245, 225], [205, 5]]
    grey = layers.RandomGrayscale(1.0)(IMAGES)
    close(grey[..., 1], IMAGES @ np.array([0.2989, 0.587, 0.114], "float32"), 2 * 5)


def test_hues_by_fixed_amounts():
    red = np.array([[[[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]]], "float32")
    turned = layers.RandomHue((2 / 3, 2 / 3), (0, 1), seed=1)(red)[0, 0]
    assert [round(float(v), 4) for v in turned[0]] in ([0, 1, 0], [0, 0, 1]) and turned[1].tolist() == [0.5] * 3
    close(layers.RandomSaturation((0.5, 0.5), (0, 1))(IMAGES), IMAGES, 2 * 12, 1)
    pale = layers.RandomSaturation((0.0, 0.0), (0, 1))(IMAGES)
    np.testing.assert_array_equal(pale, np.repeat(IMAGES.max(-1, keepdims=True), 3, -1))
    grey = layers.RandomColorDegeneration((1.0, 1.0), (0, 1))(IMAGES)
    close(grey, np.repeat(layers.RandomGrayscale(1.0)(IMAGES)[..., :1], 3, -1), 2 * 5)
    x = np.array([[[[0.0], [100.0], [255.0]]]], "float32")
    assert layers.Solarization()(x)[0, 0, :, 0].tolist() == [255, 155, 0]


def test_a_random_crop():
    x = np.arange(2 * 36.0, dtype="float32").reshape(2, 6, 6, 1)
    crop = layers.RandomCrop(2, 3, seed=1)
    corners = set()
    for _ in range(20):
        y = crop(x, training=True)
        assert y.shape == (2, 2, 3, 1)
        top, left = divmod(int(y[0, 0, 0, 0]), 6)
        np.testing.assert_array_equal(y, x[:, top : top + 2, left : left + 3])  # the same place for both
        corners.add((top, left))
    assert len(corners) > 8 and max(corners)[0] <= 4
    assert crop(x, training=False).shape == (2, 2, 3, 1) and crop(x[:, :1], training=True).shape == (2, 2, 3, 1)
    np.testing.assert_array_equal(layers.RandomCrop(6, 6)(x), x)


def test_mistakes_with_factors():
    for make, words in (
        (lambda: layers.RandomRotation(2), r"factor is a number in -1\.\.1"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "a pair"),
        (lambda: layers.RandomRotation("much"), "got 'much'"),
        (lambda: layers.RandomZoom(-1), "above -1"),
        (lambda: layers.RandomShear(-0.5), r"0\.\.1"),
        (lambda: layers.RandomFlip("both"), "mode is"),
        (lambda: layers.RandomRotation(0.1, "edge"), "fill_mode"),
        (lambda: layers.RandomTranslation(0.1, 0.1, interpolation="bicubic"), "interpolation"),
        (lambda: layers.RandomContrast(0.5, value_range=3), "value_range"),
        (lambda: layers.RandomFlip(seed=-1), "seed"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
