"""Images, their files and generators against the installed Keras: same inputs, equal outputs.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

import pathlib
from typing import Any

import numpy as np
import pytest

from refnet import ops, utils
from refnet.preprocessing import image
from refnet.testing.closeness import ELEMENTARY, close

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")

RANDOM = np.random.default_rng(7)
IMAGES = RANDOM.random((3, 7, 9, 3)).astype("float32")


# Roundings, ours and Keras's.
# A pixel that is moved: four weights, each off by as much as a coordinate up to 9, which is made by an elementary function and eight
# operations, in two directions.
MOVED = 2 * (3 * 4 + 2 * 9 * (ELEMENTARY + 8))


def numpy(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine_transform(fill_mode: str, interpolation: str) -> None:
    transforms = RANDOM.normal(0, 1, (3, 8)).astype("float32") * [1, 0.5, 4, 0.5, 1, 4, 0, 0]
    transforms = transforms.astype("float32")
    how = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": 0.5}
    expected = numpy(keras.ops.image.affine_transform(IMAGES, transforms.copy(), **how))
    reach = (abs(transforms) @ [9, 7, 1, 0, 0, 0, 0, 0]).max() + (abs(transforms) @ [0, 0, 0, 9, 7, 1, 0, 0]).max()
    close(ops.image.affine_transform(IMAGES, transforms, **how), expected, 2 * (3 * 4 + 5 * reach), 1)
    whole = (IMAGES * 255).astype("uint8")
    how["fill_value"] = 7  # a value that bytes can hold
    expected = numpy(keras.ops.image.affine_transform(whole, transforms.copy(), **how))
    got = ops.image.affine_transform(whole, transforms, **how)
    assert got.dtype == expected.dtype and abs(got.astype(int) - expected).max() <= 1


def test_files_and_arrays_of_images(tmp_path: pathlib.Path) -> None:
    x = RANDOM.integers(0, 256, (10, 14, 3), dtype=np.uint8)
    utils.save_img(tmp_path / "a.png", x, scale=False)
    for how in (
        {},
        {"target_size": (5, 6)},
        {"target_size": (4, 9), "interpolation": "bicubic", "keep_aspect_ratio": True},
        {"color_mode": "grayscale"},
        {"color_mode": "rgba", "target_size": (20, 20), "interpolation": "lanczos"},
    ):
        our, their = utils.load_img(tmp_path / "a.png", **how), keras.utils.load_img(tmp_path / "a.png", **how)
        np.testing.assert_array_equal(utils.img_to_array(our), keras.utils.img_to_array(their))
    for given in (x.astype("float32"), x[:, :, :1] / 300.0):
        for scale in (True, False):
            a, b = utils.array_to_img(given, scale=scale), keras.utils.array_to_img(given, scale=scale)
            assert a.mode == b.mode
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    close(image.smart_resize(IMAGES, (4, 3)), keras.preprocessing.image.smart_resize(IMAGES, (4, 3)), MOVED, 1)


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect"])
def test_changes_of_images(fill_mode: str) -> None:
    """The same parameters, by SciPy's splines there and by the affine op here."""
    from scipy import ndimage

    for p in (
        {"theta": 33.0},
        {"tx": 1.6, "ty": -2.3},
        {"shear": 12.0, "zx": 0.8, "zy": 1.3},
        {"theta": -70.0, "tx": 0.4, "ty": 3.0, "shear": 20.0, "zx": 1.2, "zy": 0.7},
    ):
        from refnet.preprocessing.changes import matrix_of

        matrix = matrix_of(p, 7, 9)
        expected = np.stack(
            [
                ndimage.affine_transform(IMAGES[0, :, :, c], matrix[:2, :2], matrix[:2, 2], order=1, mode=fill_mode)
                for c in range(3)
            ],
            -1,
        )
        got = image.ImageDataGenerator(fill_mode=fill_mode).apply_transform(IMAGES[0], p)
        close(got, expected, MOVED, 1)


def test_the_matrices_of_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras's own function, with SciPy's name for the interpolation as it was then. Since it changed the book's Keras, it
    exchanges rows and columns (height_shift_range moves sideways there), and turns about the centre of square images only."""
    from keras.src.legacy.preprocessing import image as theirs
    from scipy import ndimage

    class Namespace:
        interpolation = ndimage

    monkeypatch.setattr(theirs, "scipy", type("Scipy", (), {"ndimage": Namespace}))
    square = IMAGES[0, :, :7]
    axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    for p in ({"theta": 33.0}, {"tx": 1.6, "ty": -2.3, "zx": 0.8}, {"shear": 12.0, "theta": 5.0, "zy": 1.4}):
        expected = theirs.apply_affine_transform(square, **p, **axes)
        got = image.apply_affine_transform(square.transpose(1, 0, 2), **p, **axes).transpose(1, 0, 2)
        close(got, expected, MOVED, 1)
    for intensity in (0.1, -0.4):
        expected = theirs.apply_channel_shift(IMAGES[0], intensity, 2)
        np.testing.assert_array_equal(image.apply_channel_shift(IMAGES[0], intensity, 2), expected)
    bright = 255 * IMAGES[0]
    for scale in (True, False):
        expected = theirs.apply_brightness_shift(bright, 0.6, scale)
        np.testing.assert_array_equal(image.apply_brightness_shift(bright, 0.6, scale), expected)


@pytest.mark.parametrize(
    "arguments",
    [
        {"samplewise_std_normalization": True, "rescale": 0.5},
        {"featurewise_std_normalization": True},
        {"zca_whitening": True, "zca_epsilon": 0.1},
        {"featurewise_center": True, "preprocessing_function": np.sqrt},
    ],
)
def test_standardizing(arguments: dict[str, Any]) -> None:
    from keras.src.legacy.preprocessing import image as theirs

    x = RANDOM.random((12, 4, 4, 3)).astype("float32")
    our, their = image.ImageDataGenerator(**arguments), theirs.ImageDataGenerator(**arguments)
    for generator in (our, their):
        generator.fit(x)
    # Means of up to 192 numbers and of their squares; what is less than 1 is divided by a deviation, or whitened by a function of the
    # covariances, (c + epsilon)**-0.5, whose slope is the larger.
    size = 0.5 * 0.1**-1.5 if "zca_epsilon" in arguments else 2 / x.std()
    for i in range(3):
        close(our.standardize(x[i].copy()), their.standardize(x[i].copy()), 2 * (2 * 192 + 6), size, dtype="float32")


def test_iterators_of_files(tmp_path: pathlib.Path) -> None:
    from keras.src.legacy.preprocessing import image as theirs

    for kind in ("a", "b", "c"):
        (tmp_path / kind).mkdir()
        for i in range(4):
            utils.save_img(tmp_path / kind / f"{i}.png", RANDOM.random((6, 8, 3)))
    for mode in ("categorical", "sparse", "input"):
        for subset in (None, "training", "validation"):
            how = {"target_size": (4, 5), "batch_size": 4, "shuffle": False, "class_mode": mode, "subset": subset}
            flows = [
                k.ImageDataGenerator(validation_split=0.25).flow_from_directory(tmp_path, **how)
                for k in (image, theirs)
            ]
            assert flows[0].filenames == flows[1].filenames and flows[0].class_indices == flows[1].class_indices
            assert len(flows[0]) == len(flows[1])
            for _ in range(5):
                for a, b in zip(*(next(flow) for flow in flows)):
                    np.testing.assert_array_equal(a, b)
