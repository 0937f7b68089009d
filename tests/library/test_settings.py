"""Epsilon and the image data format: what reads them, when, and what is traced anew. Beside Keras: tests/peers."""

import math
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import applications, config, constraints, layers, losses, metrics, ops, random, utils
from refnet.errors import ArgumentError
from refnet.models import Model, Sequential
from refnet.preprocessing.image import ImageDataGenerator
from refnet.testing.closeness import ELEMENTARY, close

RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.uniform(0, 255, (2, 6, 5, 3)).astype("float32")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    config.set_epsilon(1e-7)
    config.set_image_data_format("channels_last")


# ---- epsilon


def test_losses_metrics_and_constraints_read_epsilon_when_they_are_called() -> None:
    sure, wrong = np.array([[1.0, 0.0]], "float32"), np.array([[0.0, 1.0]], "float32")
    for e in (2.0**-7, 2.0**-13):
        config.set_epsilon(e)
        assert config.epsilon() == refnet.backend.epsilon() == e
        close(losses.binary_crossentropy(sure, wrong), [-math.log(e)], 2 * (ELEMENTARY + 4))
        close(losses.categorical_crossentropy(sure, wrong), [-math.log(e)], 2 * (ELEMENTARY + 4))
        close(losses.kl_divergence(sure, wrong), [-math.log(e) + e * math.log(e)], 2 * (ELEMENTARY + 6))
        close(losses.mean_absolute_percentage_error([[0.0]], [[1.0]]), [100 / e], 2 * 4)
        close(
            constraints.UnitNorm()(np.array([[3.0], [4.0]])), np.array([[3.0], [4.0]]) / (5 + e), 2 * (ELEMENTARY + 4)
        )
        close(ops.normalize([0.0, e / 2]), [0, 0.5], 2 * 4)
        score = metrics.F1Score(threshold=0.5)
        score.update_state([[1.0]], [[1.0]])
        rate = 1 / (1 + e)
        close(score.result(), [2 * rate * rate / (2 * rate + e)], 2 * 8)
    assert losses.Tversky()(np.zeros((1, 2)), np.zeros((1, 2))) == 1


def test_what_is_traced_is_traced_anew() -> None:
    """A jitted function, a layer on arrays, a model's steps, an optimizer's constraint: each reads the number that holds now."""
    share = refnet.jit(lambda y: losses.mean_absolute_percentage_error(np.zeros((1, 1), "float32"), y))
    layer = layers.Normalization(mean=0.0, variance=0.0)
    model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mean_absolute_percentage_error")
    one = np.ones((1, 1), "float32")
    start = refnet.Variable(np.array([[3.0], [4.0]], "float32"), constraint=constraints.UnitNorm())
    optimizer = refnet.optimizers.SGD(0.0)
    for e in (2.0**-3, 2.0**-5):
        config.set_epsilon(e)
        assert share(one).tolist() == [100 / e] and layer(one).tolist() == [[1 / e]]
        assert model.evaluate(one, np.zeros((1, 1)), verbose=0) == 100 / e
        start.assign(np.array([[3.0], [4.0]]))
        optimizer.apply([np.zeros((2, 1), "float32")], [start])
        close(start.numpy(), np.array([[3.0], [4.0]]) / (5 + e), 2 * (ELEMENTARY + 4))


def test_an_epsilon_that_is_told_is_its_own() -> None:
    config.set_epsilon(0.5)
    assert layers.BatchNormalization().epsilon == 1e-3 and refnet.optimizers.Adam().epsilon == 1e-7
    assert refnet.optimizers.Adam(epsilon=None).epsilon == 0.5  # Keras 2's way to ask for it
    close(ops.layer_normalization(np.array([1.0, 3.0]), epsilon=3.0), [-0.5, 0.5], 2 * 8)


@pytest.mark.parametrize("value", [0, -1e-7, float("inf"), float("nan"), "small", None, True])
def test_epsilons_that_are_none(value: Any) -> None:
    with pytest.raises(ArgumentError, match="set_epsilon takes a number above 0; got"):
        config.set_epsilon(value)
    assert config.epsilon() == 1e-7


# ---- the image data format


def test_layers_keep_the_format_in_which_they_were_made(tmp_path: pathlib.Path) -> None:
    turned = IMAGES.transpose(0, 3, 1, 2).copy()
    config.set_image_data_format("channels_first")
    assert refnet.backend.image_data_format() == "channels_first"
    x = layers.Input((3, 6, 5))
    y = layers.Flatten()(layers.MaxPooling2D()(layers.Conv2D(2, 3, padding="same")(x)))
    model = Model(x, y)
    assert model.layers[1].output.shape == (None, 2, 6, 5) and model.layers[2].output.shape == (None, 2, 3, 2)
    assert layers.GlobalAveragePooling1D().data_format == layers.Conv1D(1, 2).data_format == "channels_first"
    told = model.predict(turned, verbose=0)
    model.save(tmp_path / "m.keras")
    config.set_image_data_format("channels_last")
    assert (
        model.layers[1].get_config()["data_format"] == model.layers[3].get_config()["data_format"] == "channels_first"
    )
    for again in (model, refnet.models.load_model(tmp_path / "m.keras"), refnet.models.clone_model(model)):
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again.predict(turned, verbose=0), told)
    assert layers.Conv2D(1, 2).data_format == "channels_last"


def test_ops_read_the_format_when_they_are_called() -> None:
    kernel = RANDOM.standard_normal((2, 2, 3, 4)).astype("float32")
    turned = IMAGES.transpose(0, 3, 1, 2).copy()
    both = refnet.jit(lambda x: (ops.conv(x, kernel), ops.resize(x, (3, 3))))
    last = both(IMAGES)
    config.set_image_data_format("channels_first")
    for got, due in zip(both(turned), last, strict=True):
        np.testing.assert_array_equal(got.transpose(0, 2, 3, 1), due)


def test_images_of_open_size_are_resized_as_the_format_was_at_the_call() -> None:
    config.set_image_data_format("channels_first")
    x = layers.Input((3, None, None))
    model = Model(x, [ops.resize(x, (3, 4)), layers.UpSampling2D(2, interpolation="lanczos3")(x)])
    config.set_image_data_format("channels_last")
    small, large = model.predict(IMAGES.transpose(0, 3, 1, 2).copy(), verbose=0)
    np.testing.assert_array_equal(small, ops.resize(IMAGES, (3, 4)).transpose(0, 3, 1, 2))
    assert large.shape == (2, 3, 12, 10)


LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("AugMix", {}),
    ("CenterCrop", {"height": 3, "width": 7}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 1)}),
    ("CutMix", {}),
    ("Equalization", {}),
    ("RandAugment", {}),
    ("RandomBrightness", {"factor": 0.3}),
    ("RandomColorDegeneration", {"factor": 0.3}),
    ("RandomColorJitter", {"value_range": (0, 255), "hue_factor": 0.3, "saturation_factor": 0.5}),
    ("RandomContrast", {"factor": 0.3}),
    ("RandomCrop", {"height": 3, "width": 2}),
    ("RandomElasticTransform", {}),
    ("RandomErasing", {}),
    ("RandomFlip", {}),
    ("RandomGaussianBlur", {}),
    ("RandomGrayscale", {}),
    ("RandomHue", {"factor": 0.3}),
    ("RandomPerspective", {}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomSaturation", {"factor": 0.3}),
    ("RandomSharpness", {"factor": 0.3}),
    ("RandomShear", {"x_factor": 0.3}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}),
    ("RandomZoom", {"height_factor": 0.3}),
    ("Resizing", {"height": 3, "width": 7, "crop_to_aspect_ratio": True}),
    ("Solarization", {}),
    ("AdaptiveAveragePooling2D", {"output_size": 2}),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 2}),
    ("DepthwiseConv2D", {"kernel_size": 2}),
    ("SeparableConv2D", {"filters": 2, "kernel_size": 2}),
    ("STFTSpectrogram", {"frame_length": 4}),
    ("ZeroPadding2D", {}),
]


@pytest.mark.parametrize(("name", "more"), LAYERS, ids=[name for name, _ in LAYERS])
def test_a_format_that_is_told_is_that_of_every_op_inside(name: str, more: dict[str, Any]) -> None:
    """The same numbers whatever the default is: no op within a layer reads it."""
    if "factor" in str(more) or name.startswith(("Random", "AugMix", "Rand", "CutMix")):
        more = {**more, "seed": 3}
    images: Any = {"images": IMAGES, "labels": np.eye(2, dtype="float32")} if name == "CutMix" else IMAGES
    images = IMAGES[:, :, 0] if name == "STFTSpectrogram" else images
    results = []
    for form in ("channels_last", "channels_first"):
        config.set_image_data_format(form)
        random.set_random_seed(2)
        layer = getattr(layers, name)(**more, data_format="channels_last")
        result = layer(images, **({"training": True} if "training" in layer.call_parameters() else {}))
        results.append(result["images"] if isinstance(result, dict) else result)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("make", [layers.Cropping1D, layers.UpSampling1D, lambda: layers.SpatialDropout1D(0.5, seed=1)])
def test_layers_of_steps_that_take_no_format_have_channels_last(make: Any) -> None:
    steps = RANDOM.standard_normal((2, 5, 4)).astype("float32")
    last = make()(steps, **({"training": True} if "training" in make().call_parameters() else {}))
    config.set_image_data_format("channels_first")
    layer = make()
    np.testing.assert_array_equal(
        layer(steps, **({"training": True} if "training" in layer.call_parameters() else {})), last
    )
    config.set_image_data_format("channels_last")
    assert type(layer).from_config(layer.get_config()).data_format == "channels_last"


def test_elastic_moves_are_smoothed_alike_whatever_the_format_is() -> None:
    images = RANDOM.uniform(0, 255, (2, 24, 24, 3)).astype(
        "float32"
    )  # of 6 places the window would be one, which smooths nothing
    results = []
    for form in ("channels_last", "channels_first"):
        config.set_image_data_format(form)
        random.set_random_seed(2)
        layer = layers.RandomElasticTransform(1.0, scale=1.0, seed=3, data_format="channels_last")
        results.append(layer(images, training=True))
    np.testing.assert_array_equal(*results)
    assert (results[0] != images).any()


def test_ops_of_ops_read_no_format() -> None:
    pair = RANDOM.standard_normal((2, 7)).astype("float32")
    makes = (
        lambda: ops.convolve(pair[0], pair[1][:3]) if hasattr(ops, "convolve") else ops.correlate(pair[0], pair[1][:3]),
        lambda: ops.image.elastic_transform(IMAGES, seed=1, data_format="channels_last"),
        lambda: ops.image.gaussian_blur(IMAGES, data_format="channels_last"),
        lambda: ops.image.resize(IMAGES, (4, 4), pad_to_aspect_ratio=True, data_format="channels_last"),
        lambda: ops.image.extract_patches(IMAGES, (2, 2), data_format="channels_last"),
        lambda: ops.image.affine_transform(
            IMAGES, np.array([1.0, 0, 1, 0, 1, 0, 0, 0], "float32"), data_format="channels_last"
        ),
    )
    for make in makes:
        last = make()
        config.set_image_data_format("channels_first")
        np.testing.assert_array_equal(make(), last)
        config.set_image_data_format("channels_last")


def test_files_and_generators_give_images_in_the_format(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    utils.save_img(tmp_path / "a" / "0.png", IMAGES[0])
    last = utils.image_dataset_from_directory(
        tmp_path, image_size=(4, 3), labels=None, verbose=False, pad_to_aspect_ratio=True
    )[0]
    generator = ImageDataGenerator(rescale=0.5, brightness_range=(0.5, 1.5))
    flow = next(generator.flow(IMAGES, shuffle=False, seed=1))
    config.set_image_data_format("channels_first")
    first = utils.image_dataset_from_directory(
        tmp_path, image_size=(4, 3), labels=None, verbose=False, pad_to_aspect_ratio=True
    )[0]
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))
    generator = ImageDataGenerator(rescale=0.5, brightness_range=(0.5, 1.5))
    turned = next(generator.flow(IMAGES.transpose(0, 3, 1, 2).copy(), shuffle=False, seed=1))
    np.testing.assert_array_equal(turned, flow.transpose(0, 3, 1, 2))
    assert utils.img_to_array(utils.load_img(tmp_path / "a" / "0.png")).shape == (3, 6, 5)
    assert utils.array_to_img(IMAGES[0].transpose(2, 0, 1)).size == (5, 6)
    with pytest.raises(ArgumentError, match="VGG16 is for images with channels last; the default is 'channels_first'"):
        applications.VGG16(weights=None)


@pytest.mark.parametrize("value", ["last", None, 3])
def test_formats_that_are_none(value: Any) -> None:
    with pytest.raises(ArgumentError, match="set_image_data_format takes 'channels_last' or 'channels_first'; got"):
        config.set_image_data_format(value)
    assert config.image_data_format() == "channels_last"
