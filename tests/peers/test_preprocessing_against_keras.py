"""Preprocessing layers against the installed Keras: same inputs, equal outputs.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

import inspect
import pathlib
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import layers as ours
from refnet.testing.closeness import ELEMENTARY, close

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")

RANDOM = np.random.default_rng(7)
IMAGES = RANDOM.random((3, 7, 9, 3)).astype("float32")


# Roundings, ours and Keras's. A colour is a dozen operations on numbers no larger than the largest there is.
COLOUR = 2 * 12
# A pixel that is moved: four weights, each off by as much as a coordinate up to 9, which is made by an elementary function and eight
# operations, in two directions.
MOVED = 2 * (3 * 4 + 2 * 9 * (ELEMENTARY + 8))
BLURRED = COLOUR + 2 * (25 + 2 * ELEMENTARY)


def nearest(got: Any, candidates: Any) -> Any:
    return min(candidates, key=lambda c: float(abs(np.asarray(got) - c).max()))


def numpy(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x))


def same(
    name: str,
    inputs: Any,
    arguments: dict[str, Any],
    roundings: float = COLOUR,
    size: float | None = None,
    adapt: Any = None,
    **call: Any,
) -> None:
    """Ours and Keras's, apart by so many roundings of `size`: the largest number, of inputs or results, if None."""
    their, our = getattr(keras.layers, name)(**arguments), getattr(ours, name)(**arguments)
    if adapt is not None:
        their.adapt(adapt)
        our.adapt(adapt)
    expected = numpy(their(inputs, **call))
    got = our(inputs, **call)
    if got.dtype.kind == "f":
        largest = [float(abs(a).max()) for a in (np.asarray(inputs), expected) if a.size and a.dtype.kind in "fiu"]
        close(got, expected, roundings, max(largest, default=0) if size is None else size)
    else:
        np.testing.assert_array_equal(got, expected)
    assert got.dtype == expected.dtype
    again = getattr(ours, name).from_config(our.get_config())
    if adapt is None:
        np.testing.assert_array_equal(again(inputs, **call), got)


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("Resizing", {"height": 4, "width": 11}),
        ("Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}),
        ("Resizing", {"height": 14, "width": 4, "interpolation": "nearest"}),
        ("CenterCrop", {"height": 3, "width": 4}),
        ("CenterCrop", {"height": 9, "width": 4}),
        ("CenterCrop", {"height": 4, "width": 5}),
    ],
)
def test_sizes(name: str, arguments: dict[str, Any]) -> None:
    same(name, IMAGES, arguments)


@pytest.mark.parametrize("fill_mode", ["reflect", "wrap", "constant", "nearest"])
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("RandomRotation", {"factor": (0.07, 0.07)}),
        ("RandomTranslation", {"height_factor": (0.23, 0.23), "width_factor": (-0.31, -0.31)}),
        ("RandomZoom", {"height_factor": (0.4, 0.4)}),
        ("RandomZoom", {"height_factor": (-0.3, -0.3), "width_factor": (0.2, 0.2)}),
    ],
)
def test_movements_by_fixed_amounts(name: str, arguments: dict[str, Any], fill_mode: str) -> None:
    same(name, IMAGES, {**arguments, "fill_mode": fill_mode, "fill_value": 0.25}, MOVED, training=True)
    same(name, IMAGES, {**arguments, "fill_mode": fill_mode}, training=False)


def test_shear_is_one_of_two() -> None:
    arguments = {"x_factor": (0.3, 0.3), "y_factor": (0.2, 0.2)}
    theirs = [numpy(keras.layers.RandomShear(**arguments, seed=i)(IMAGES[:1])) for i in range(12)]
    for i in range(6):
        got = ours.RandomShear(**arguments, seed=i)(IMAGES[:1])
        close(got, nearest(got, theirs), MOVED, 1)


def test_colours_by_fixed_amounts() -> None:
    x = 255 * IMAGES
    same("RandomBrightness", x, {"factor": (0.2, 0.2)})
    same("RandomBrightness", IMAGES, {"factor": (-0.2, -0.2), "value_range": (0, 1)})
    same("RandomGrayscale", x, {"factor": 1.0})
    same("RandomInvert", x, {"factor": (1.0, 1.0)})
    same("RandomColorDegeneration", x, {"factor": (0.4, 0.4)})
    same("RandomSaturation", IMAGES, {"factor": (0.7, 0.7), "value_range": (0, 1)})
    same("Solarization", x, {"value_range": (0, 255)})
    same("Solarization", IMAGES, {"value_range": (0, 1)})


def test_filters_and_patches_by_fixed_amounts() -> None:
    x, first = 255 * IMAGES, np.moveaxis(255 * IMAGES, -1, 1).copy()
    same("AutoContrast", x, {})
    same("AutoContrast", IMAGES, {"value_range": (0, 2)})
    for bits in (1, 3, 8):
        same("RandomPosterization", x, {"factor": (bits, bits)})
    for factor in (0.0, 0.3, 0.5, 1.0):
        same("RandomSharpness", x, {"factor": (factor, factor)})
    same("RandomGaussianBlur", x, {"factor": (1.0, 1.0), "sigma": (0.7, 0.7)}, BLURRED)
    more = {"factor": (1.0, 1.0), "kernel_size": 5, "sigma": (0.7, 0.7), "data_format": "channels_first"}
    same("RandomGaussianBlur", first, more, BLURRED)
    same("RandomColorJitter", x, {"brightness_factor": (0.2, 0.2), "contrast_factor": (0.0, 0.0)})
    same("RandomErasing", x, {"factor": (1.0, 1.0), "scale": (1.0, 1.0), "fill_value": 7})
    same("RandomErasing", x, {"factor": (0.0, 0.0)})
    same("RandomPerspective", x, {"scale": 0.0}, MOVED)


def test_equal_shares_of_values() -> None:
    x = 255 * IMAGES
    for more in ({}, {"bins": 20}, {"value_range": (0, 300)}):
        same("Equalization", x, more)
    same("Equalization", np.moveaxis(x, -1, 1).copy(), {"data_format": "channels_first"})
    same("Equalization", x, {}, training=False)
    name = "ContrastLimitedAdaptiveHistogramEqualization"
    # Tiles that fit but for one row: two are mirrored wrongly by Keras on PyTorch (ours are as on JAX and TensorFlow).
    same(name, x, {"clip_limit": 0, "tile_grid_size": (2, 3)})
    first = {"value_range": (0, 1), "data_format": "channels_first"}
    same(name, np.moveaxis(IMAGES, -1, 1).copy(), {"clip_limit": 0, "tile_grid_size": (2, 9), **first})
    # On PyTorch Keras counts in whole numbers and cuts the limit to one; here it is one: 4 times 256 pixels / 256 values. A sum over
    # the values stands before the dozen operations.
    large = (255 * RANDOM.random((2, 32, 32, 1))).astype("float32")
    same(name, large, {"tile_grid_size": (2, 2)}, COLOUR + 2 * 256)


def test_images_mixed_by_fixed_amounts() -> None:
    share, order, labels = np.array([0.2, 1.0, 0.5], "float32"), np.array([2, 0, 1]), np.eye(3, dtype="float32")
    their, our = keras.layers.MixUp(), ours.MixUp()
    told = {"mix_weight": share, "permutation_order": order}
    close(our.blended(IMAGES, order, share), numpy(their.transform_images(IMAGES, told)), COLOUR, 1)
    close(our.blended(labels, order, share), numpy(their.transform_labels(labels, told)), COLOUR, 1)
    rows, columns = ((a[:, None], b[:, None]) for a, b in RANDOM.uniform(0, 3.5, (2, 2, 3)).astype("float32").cumsum(1))
    their, our = keras.layers.CutMix(), ours.CutMix()
    corners = [keras.ops.convert_to_tensor(a[:, 0]) for a in (*columns, *rows)]
    masks, mix = their._generate_batch_mask(IMAGES.shape, corners)
    told = {"batch_masks": masks, "mix_weight": mix, "permutation_order": order}
    got = our.cut({"images": IMAGES, "labels": labels}, order, rows, columns)
    np.testing.assert_array_equal(got["images"], numpy(their.transform_images(IMAGES, told)))
    close(got["labels"], numpy(their.transform_labels(labels, told)), COLOUR, 1)


def test_an_embedding_read_both_ways() -> None:
    words = np.array([[1, 0, 3], [2, 2, 0]])
    for more in ({}, {"tie_weights": False}, {"logit_soft_cap": 0.01}):
        their, our = (m.layers.ReversibleEmbedding(4, 5, **more) for m in (keras, refnet))
        their.build()
        our(words)
        their.set_weights(our.get_weights())
        found = numpy(their(words))
        np.testing.assert_array_equal(our(words), found)
        close(our(found, reverse=True), numpy(their(found, reverse=True)), 2 * 5 + 2 * ELEMENTARY, 0.05**2 * 5)


def test_a_hue_is_turned_either_way() -> None:
    theirs = [numpy(keras.layers.RandomHue((0.3, 0.3), (0, 1), seed=i)(IMAGES[:1])) for i in range(10)]
    for i in range(5):
        got = ours.RandomHue((0.3, 0.3), (0, 1), seed=i)(IMAGES[:1])
        close(got, nearest(got, theirs), 6 * COLOUR, 1)  # a hue is six times a colour's difference, there and back


def test_a_call_on_arrays_trains_in_both() -> None:
    for library in (keras.layers, ours):
        layer = library.RandomTranslation(0.5, 0.5, seed=1)
        assert abs(numpy(layer(IMAGES)) - IMAGES).max() > 0.1
        np.testing.assert_array_equal(numpy(layer(IMAGES, training=False)), IMAGES)


@pytest.mark.parametrize("axis", [-1, 1, (1, 3), None])
def test_normalization(axis: Any) -> None:
    for invert in (False, True):
        # Sums of multiples of a sixteenth are exact; half of what squares of up to 567 numbers lose is in their root.
        seen = np.round(16 * (5 * IMAGES + 2)).astype("float32") / 16
        same("Normalization", IMAGES, {"axis": axis, "invert": invert}, 2 * (567 // 2 + 8), 7, adapt=seen)
    same("Normalization", IMAGES, {"axis": -1, "mean": [0.1, 0.2, 0.3], "variance": [1.0, 2.0, 3.0]})
    same("Normalization", IMAGES, {"axis": -1, "mean": 0.1, "variance": 2.0})


def test_normalization_from_batches() -> None:
    """Keras needs TensorFlow for batches; the whole at once has the same statistics."""
    x = RANDOM.random((20, 5)).astype("float32")
    layers = [keras.layers.Normalization(), ours.Normalization()]
    layers[0].adapt(x)
    layers[1].adapt([x[:3], x[3:14], x[14:]])
    close(layers[1](x), numpy(layers[0](x)), 2 * (20 + 8), 2 / x.std(0).min())  # means of 20 numbers up to 1


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_discretization_and_category_encoding(mode: str) -> None:
    x = RANDOM.normal(0, 2, (6, 4)).astype("float32")
    for inputs in (x, x[:, :1], x[:, 0]):
        same("Discretization", inputs, {"bin_boundaries": [-1.0, 0.0, 2.0], "output_mode": mode})
    if mode != "int":
        numbers = RANDOM.integers(0, 5, (6, 3))
        for inputs in (numbers, numbers[:, :1], numbers[:, 0]):
            same("CategoryEncoding", inputs, {"num_tokens": 5, "output_mode": mode})
    if mode == "count":
        same(
            "CategoryEncoding",
            numbers,
            {"num_tokens": 5, "output_mode": mode},
            count_weights=RANDOM.random((6, 3)).astype("float32"),
        )


def test_boundaries_that_are_learned() -> None:
    example = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
    for data in (example, RANDOM.normal(0, 3, (700, 2))):
        for bins in (2, 4, 7):
            for batches in ([data], [data[: len(data) // 3], data[len(data) // 3 :]]):
                their, our = (library.Discretization(num_bins=bins, epsilon=0.02) for library in (keras.layers, ours))
                for batch in batches:  # what adapt does; itself it looks for TensorFlow
                    their.update_state(batch)
                their.finalize_state()
                our.adapt(batches)
                np.testing.assert_array_equal(our.bin_boundaries, their.bin_boundaries)


LAYERS = [
    *("AutoContrast", "Pipeline", "RandomColorJitter", "RandomErasing", "RandomGaussianBlur", "RandomPerspective"),
    *("RandomPosterization", "RandomSharpness"),
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "Normalization",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomGrayscale",
    "RandomInvert",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "StringLookup",
    "TextVectorization",
]


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_have_keras_names_order_and_defaults(name: str) -> None:
    def listed(kind: Any) -> list[Any]:
        taken = inspect.signature(kind.__init__).parameters.values()
        return [(p.name, str(p.default)) for p in taken if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]

    assert listed(getattr(ours, name)) == listed(getattr(keras.layers, name))


@pytest.mark.parametrize("writer", [0, 1], ids=["ours_read_by_keras", "keras_read_by_us"])
def test_files_of_models_that_prepare_their_data(writer: int, tmp_path: pathlib.Path) -> None:
    libraries = [refnet, keras]
    k = libraries[writer]
    scaled = k.layers.Normalization(axis=-1)
    scaled.adapt(IMAGES * 3 + 1)
    bins = k.layers.Discretization(bin_boundaries=[0.2, 0.5], output_mode="multi_hot")
    table = k.Sequential([k.Input((4,)), bins, k.layers.Dense(2)])
    layers = [k.layers.RandomFlip(seed=1), k.layers.RandomRotation(0.1), k.layers.RandomBrightness(0.2)]
    layers += [
        k.layers.RandomZoom(0.2, (0.1, 0.2)),
        k.layers.RandomTranslation(0.2, (-0.1, 0.2)),
        k.layers.RandomShear(0.2),
    ]
    layers += [
        k.layers.RandomContrast(0.3),
        k.layers.RandomInvert(0.5),
        k.layers.RandomGrayscale(0.3),
        k.layers.RandomHue(0.1),
    ]
    layers += [k.layers.RandomSaturation(0.3), k.layers.RandomColorDegeneration(0.3), k.layers.Solarization(0.1, 0.2)]
    layers += [k.layers.AutoContrast((0, 1)), k.layers.RandomPosterization(4), k.layers.RandomSharpness(0.3)]
    layers += [k.layers.RandomGaussianBlur(0.5), k.layers.RandomColorJitter((0, 1), 0.1, 0.2, 0.3, 0.1)]
    layers += [
        k.layers.RandomErasing(0.5),
        k.layers.Resizing(4, 5),
        k.layers.CenterCrop(3, 3),
        scaled,
        k.layers.Flatten(),
        k.layers.Dense(2),
    ]
    photos = k.Sequential([k.Input((7, 9, 3)), *layers])
    for model, x in ((photos, IMAGES), (table, RANDOM.random((5, 4)).astype("float32"))):
        path = str(tmp_path / f"{model.name}.keras")
        model.save(path)
        read = libraries[1 - writer].saving.load_model(path)
        kernel = numpy(model.layers[-1].weights[0])  # of the last layer, after a dozen operations on each pixel
        close(
            numpy(read.predict(x, verbose=0)),
            numpy(model.predict(x, verbose=0)),
            COLOUR + 2 * 2 * len(kernel),
            abs(x).max() * abs(kernel).sum(0).max(),
        )
