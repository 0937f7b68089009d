"""Images: resizing by hand and against Keras's own backends, patches against conv's windows, colours there and back."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from refnet import layers, ops
from refnet.errors import ShapeError
from refnet.ops.interpolation import fall
from refnet.ops.resizing import kernel
from refnet.testing import close

RNG = np.random.default_rng(3)
IMAGES = RNG.random((2, 5, 7, 3))


def test_names_are_keras():
    assert ops.image.resize is ops.resize


def test_nearest_takes_the_pixel_a_point_lies_in():
    x = np.arange(5).reshape(1, 5, 1)
    assert ops.resize(x, (1, 3), "nearest")[0, :, 0].tolist() == [0, 2, 4]
    assert ops.resize(x, (2, 10), "nearest")[1, :, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_bilinear_by_hand():
    x = np.array([0.0, 1.0, 4.0]).reshape(1, 3, 1)
    np.testing.assert_array_equal(ops.resize(x, (1, 6))[0, :, 0], [0, 0.25, 0.75, 1.75, 3.25, 4])


def test_whole_numbers_are_rounded_and_kept_in_range():
    x = np.array([0, 255, 255, 0], "uint8").reshape(1, 4, 1)
    y = ops.resize(x, (1, 9), "bicubic")
    assert y.dtype == "uint8" and y.max() == 255 and y[0, 4, 0] == 255
    half = ops.resize(np.array([1, 2], "uint8").reshape(1, 2, 1), (1, 1))
    assert half.tolist() == [[[2]]]


def test_grey_images_are_grey_already():
    grey = IMAGES[..., :1]
    np.testing.assert_array_equal(ops.rgb_to_grayscale(grey), grey)
    first = np.moveaxis(grey, -1, 1)
    np.testing.assert_array_equal(ops.rgb_to_grayscale(first, data_format="channels_first"), first)
    whole = layers.RandomGrayscale(1.0)(grey.astype("float32"), training=True)
    np.testing.assert_array_equal(whole, grey.astype("float32"))


def test_ratio_is_kept_by_cutting_or_filling():
    x = np.arange(8.0).reshape(2, 4, 1)
    np.testing.assert_array_equal(ops.resize(x, (2, 2), crop_to_aspect_ratio=True)[..., 0], [[1, 2], [5, 6]])
    y = ops.resize(x, (4, 4), "nearest", pad_to_aspect_ratio=True, fill_value=9.0)
    np.testing.assert_array_equal(y[[0, 3], :, 0], np.full((2, 4), 9.0))


def test_frames():
    padded = ops.pad_images(IMAGES, 1, target_height=8, left_padding=2, right_padding=0)
    assert padded.shape == (2, 8, 9, 3)
    np.testing.assert_array_equal(ops.crop_images(padded, 1, 2, target_height=5, target_width=7), IMAGES)
    first = np.moveaxis(IMAGES, -1, 1)
    assert ops.crop_images(first, 0, 0, 4, 5, data_format="channels_first").shape == (2, 3, 1, 2)
    with pytest.raises(ShapeError, match="do not go with a length of 5"):
        ops.pad_images(IMAGES, 0, 0, target_height=3, target_width=7)


def test_patches_are_windows():
    y = ops.extract_patches(IMAGES, (2, 3), strides=(1, 2))
    assert y.shape == (2, 4, 3, 18)
    np.testing.assert_array_equal(y[1, 2, 1], IMAGES[1, 2:4, 2:5].ravel())
    same = ops.extract_patches(IMAGES, 3, strides=2, padding="same")
    assert same.shape == (2, 3, 4, 27) and (same[:, 0, 0, :9] == 0).all()
    dilated = ops.extract_patches(IMAGES[0], 2, strides=1, dilation_rate=2)
    np.testing.assert_array_equal(dilated[1, 1], IMAGES[0, 1:4:2, 1:4:2].ravel())


def test_colours_there_and_back():
    close(ops.hsv_to_rgb(ops.rgb_to_hsv(IMAGES)), IMAGES, 40, 1)
    special = np.array([[[0, 0, 0], [0.5, 0.5, 0.5], [1, 0, 0], [1, 0, 1.0]]])
    expected = [[[0, 0, 0], [0, 0, 0.5], [0, 1, 1], [5 / 6, 1, 1]]]
    close(ops.rgb_to_hsv(special), expected, 2)


def test_a_smaller_image_averages_over_what_it_leaves_out():
    # by hand: from 4 pixels to 2, a triangle 2 pixels wide on each side around 0.5 and 2.5, cut off by the edges
    x = np.array([1.0, 0, 0, 0]).reshape(1, 4, 1)
    y = ops.resize(x, (1, 2), antialias=True)[0, :, 0]
    np.testing.assert_array_equal(y, [0.75 / 1.75, 0])
    assert ops.resize(x, (1, 2))[0, 0, 0] == 0.5
    np.testing.assert_array_equal(ops.resize(x, (1, 4), "lanczos3", antialias=True), x)
    whole = np.full((1, 6, 1), 200, "uint8")
    assert ops.resize(whole, (1, 4), "lanczos5", antialias=True).tolist() == [[[200]] * 4]


METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
SIZES = ((3, 4), (10, 14), (9, 2), (5, 7))
KERAS = f"""
import numpy as np
from keras import ops
x, last = np.load("x.npy"), dict(data_format="channels_last")
made = {{}}
for method in {METHODS}:
    for height, width in {SIZES}:
        for smooth in (False, True):
            made[f"{{method}} {{height}} {{width}} {{smooth}}"] = ops.image.resize(x, (height, width), method, smooth, **last)
for name in ("rgb_to_grayscale", "rgb_to_hsv", "hsv_to_rgb"):
    made[name] = getattr(ops.image, name)(x, **last)
for padding in ("valid", "same"):
    made[padding] = ops.image.extract_patches(x, (2, 3), 2, padding=padding, **last)
np.savez("theirs.npz", **made)
"""


@pytest.mark.peers
def test_against_keras(tmp_path):
    """Keras's NumPy backend (it needs JAX) gives the expected results, in a process of its own: a process has one backend."""
    np.save(tmp_path / "x.npy", IMAGES.astype("float32"))
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    subprocess.run([sys.executable, "-c", KERAS], env=environment, cwd=tmp_path, check=True, timeout=300)
    theirs, x = np.load(tmp_path / "theirs.npz"), IMAGES.astype("float32")
    for method, (height, width), smooth in itertools.product(METHODS, SIZES, (False, True)):
        expected = theirs[f"{method} {height} {width} {smooth}"]
        # In two directions: a coordinate up to 14 by a few operations, up to 14 weights of eight operations of it, and their sum.
        close(ops.resize(x, (height, width), method, smooth), expected, 2 * 2 * (14 * 4 + 14 * 8 + 14), 2)
    for name in ("rgb_to_grayscale", "rgb_to_hsv", "hsv_to_rgb"):
        close(getattr(ops, name)(x), theirs[name], 40, 1)
    for padding in ("valid", "same"):
        np.testing.assert_array_equal(ops.extract_patches(x, (2, 3), 2, padding=padding), theirs[padding])
    print(f"{len(theirs.files)} calls compared with Keras")


# ---- affine transformations


def shifted(x, across, down, **more):
    return ops.image.affine_transform(x, [1, 0, -across, 0, 1, -down, 0, 0], **more)


def test_affine_reads_each_pixel_at_its_point():
    x = np.arange(12.0).reshape(3, 4, 1)
    assert shifted(x, 1, 0, fill_value=-1)[:, :, 0].tolist() == [[-1, 0, 1, 2], [-1, 4, 5, 6], [-1, 8, 9, 10]]
    assert shifted(x, 0, -1, fill_mode="nearest")[:, :, 0].tolist() == [[4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11]]
    np.testing.assert_array_equal(shifted(x, 0.25, 0.5, fill_mode="nearest")[1, 1, 0], 5 - 0.25 - 2)
    turned = ops.image.affine_transform(x[:, :3], [0, -1, 2, 1, 0, 0, 0, 0])  # y[i, j] = x[j, 2 - i]
    assert turned[:, :, 0].tolist() == np.rot90(x[:, :3, 0]).tolist()


@pytest.mark.parametrize(
    "mode, left, right",
    [
        ("constant", [9, 9, 9], [9, 9, 9]),
        ("nearest", [0, 0, 0], [2, 2, 2]),
        ("wrap", [0, 1, 2], [0, 1, 2]),
        ("mirror", [1, 2, 1], [1, 0, 1]),
        ("reflect", [2, 1, 0], [2, 1, 0]),
    ],
)
def test_what_lies_outside_an_image(mode, left, right):
    x = np.arange(3.0).reshape(1, 3, 1)
    assert shifted(x, 3, 0, fill_mode=mode, fill_value=9)[0, :, 0].tolist() == left
    assert shifted(x, -3, 0, fill_mode=mode, fill_value=9)[0, :, 0].tolist() == right
    one = ops.image.affine_transform(x[:, :1], [1, 0, 5, 0, 1, -4, 0, 0], fill_mode=mode, fill_value=9)
    assert one.item() == (9 if mode == "constant" else 0)


def test_affine_on_whole_numbers_batches_layouts_and_far_points():
    x = np.array([10, 21], "uint8").reshape(1, 2, 1)
    half = shifted(x, 0.5, 0, fill_mode="nearest")
    assert half.dtype == "uint8" and half[0, :, 0].tolist() == [10, 16]  # 15.5, to the even one
    assert shifted(x, 0.5, 0, interpolation="nearest", fill_mode="nearest")[0, :, 0].tolist() == [10, 10]
    both = np.stack([IMAGES[0], IMAGES[0]])
    moves = np.array([[1, 0, -1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 1, -1, 0, 0]])
    result = ops.image.affine_transform(both, moves)
    np.testing.assert_array_equal(result[0, :, 1:], IMAGES[0, :, :-1])
    np.testing.assert_array_equal(result[1, 1:], IMAGES[0, :-1])
    first = ops.image.affine_transform(np.moveaxis(both, -1, 1), moves, data_format="channels_first")
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), result)
    for far in (np.nan, np.inf, 1e30):
        assert (shifted(IMAGES[0], far, 0, fill_mode="wrap", fill_value=3.0) == 3).all()
    spoiled = IMAGES[0].copy()
    spoiled[0, 0] = np.nan
    np.testing.assert_array_equal(shifted(spoiled, 0, 0), spoiled)  # weights of 0 spread nothing
    assert ops.image.affine_transform(IMAGES[:0], np.zeros((0, 8))).shape == (0, 5, 7, 3)


def test_the_weights_of_pixels_mean_the_same_in_both_places():
    """One distance at a time in a loop, and all at once: the same operations in the same order, so that the bits agree."""
    distances = np.concatenate(
        [np.arange(0, 161) / 64, np.arange(0, 26) / 10, [np.nextafter(1, 0), np.nextafter(2, 0)]]
    )
    for name, cubic in (("linear", False), ("cubic", True)):
        alone = [kernel(float(t), cubic) for t in distances]
        np.testing.assert_array_equal(np.asarray(fall(distances, name)), alone)
        assert alone == [kernel(-float(t), cubic) for t in distances]
