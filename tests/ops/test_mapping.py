"""Images blurred, compared, and read at points, by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.testing.closeness import ELEMENTARY, close

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(2, 5, 4, 3))


def test_a_blur_of_one_pixel_is_its_window():
    x = np.zeros((5, 5, 1))
    x[2, 2] = 1
    y = ops.image.gaussian_blur(x, (3, 5), (1.0, 2.0))[..., 0]
    across, down = (np.exp(-((np.arange(n) - n // 2) ** 2) / 2 / s**2) for n, s in ((3, 1.0), (5, 2.0)))
    close(y[:, 1:4], np.outer(down / down.sum(), across / across.sum()), 2 * (2 * ELEMENTARY + 8))


def test_a_blur_keeps_bytes_and_halves():
    bytes_ = (X * 255).astype("uint8")
    assert ops.image.gaussian_blur(bytes_).dtype == np.uint8
    assert ops.image.gaussian_blur(X.astype("float16")).dtype == np.float16
    with pytest.raises(ArgumentError, match="bools"):
        ops.image.gaussian_blur(X > 0.5)


@pytest.mark.parametrize("function", [ops.image.gaussian_blur, ops.image.sobel_edges], ids=lambda f: f.__name__)
def test_channels_first_is_the_same_seen_from_elsewhere(function):
    last = function(X)
    first = function(X.transpose(0, 3, 1, 2), data_format="channels_first")
    np.testing.assert_array_equal(np.moveaxis(last, 3, 1), first)
    np.testing.assert_array_equal(function(X[0]), last[0])


def test_likeness_of_the_same_and_of_others():
    np.testing.assert_array_equal(ops.image.ssim(X, X, filter_size=3), [1, 1])
    assert ops.image.ssim(X[0], X[1], filter_size=3) < 0.9
    assert ops.psnr(X, X, 1.0) == np.inf


def test_whole_points_are_elements():
    points = np.stack(np.meshgrid(*[np.arange(n) for n in X.shape[1:]], indexing="ij")).astype(float)
    for order in (0, 1):
        np.testing.assert_array_equal(ops.image.map_coordinates(X[0], points, order), X[0])


def test_halves_are_rounded_away_from_zero():
    x = np.arange(5.0)
    np.testing.assert_array_equal(ops.image.map_coordinates(x, np.array([[0.5, 1.5, 2.5]]), 0), [1, 2, 3])


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("constant", [9, 9, 0, 3, 9]),
        ("nearest", [0, 0, 0, 3, 3]),
        ("wrap", [2, 3, 0, 3, 0]),
        ("mirror", [2, 1, 0, 3, 2]),
        ("reflect", [1, 0, 0, 3, 3]),
    ],
)
def test_places_outside(mode, expected):
    points = np.array([[-2.0, -1.0, 0.0, 3.0, 4.0]])
    np.testing.assert_array_equal(ops.image.map_coordinates(np.arange(4.0), points, 1, mode, 9), expected)


def test_points_that_are_nan_or_far_read_the_fill_value():
    points = np.array([[np.nan, np.inf, 1e12, 1.0]])
    for order in (0, 1):
        y = ops.image.map_coordinates(np.arange(4.0), points, order, "nearest", 7)
        np.testing.assert_array_equal(y, [7, 7, 7, 1])


def test_corners_go_where_they_are_told():
    start = np.array([[0, 0], [0, 3], [4, 0], [3, 4]], float)
    end = np.array([[1, 0], [0, 4], [3, 1], [3, 3]], float)
    x = RNG.uniform(size=(5, 5, 1))
    y = ops.image.perspective_transform(x, start, end)
    # Eight equations in numbers up to 16: the worst that elimination in such a system makes is 8 * 8 roundings of 16 * 16 of each of
    # the eight coefficients; the coordinates read a surface that rises by up to 1 a pixel.
    roundings = 8 * 8 * 8 * 16 * 16
    for (a, b), (c, d) in zip(start.astype(int), end.astype(int)):
        close(y[d, c], x[b, a], roundings, 1)


def test_cloth_depends_on_its_seed_alone():
    one, same, other = (ops.image.elastic_transform(X, 3.0, 1.0, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert ops.image.elastic_transform(Tensor((None, 5, 4, 3), "uint8"), seed=1).shape == (None, 5, 4, 3)


def test_scaled_by_one_and_shifted_by_whole_places():
    y = ops.image.scale_and_translate(np.arange(4.0), (6,), np.ones(1), np.ones(1), (0,), "cubic")
    np.testing.assert_array_equal(y, [0, 0, 1, 2, 3, 0])
