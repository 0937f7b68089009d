"""Calls that a tuned kernel leaves to the definition, because it would round too much of them."""

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engine)
from refnet.engine import get_engine
from refnet.testing import check
from refnet.testing.certificates import named


def test_a_mean_over_a_large_window_is_not_one_long_sum() -> None:
    """262144 times 0.1, added one after the other in float32, are 0.25 % off."""
    x = np.full((1, 1024, 256, 1), 0.1, "float32")
    attributes = {"pool": (1024, 256), "strides": (1, 1), "padding": (0, 0), "extents": (1, 1)}
    (y,) = get_engine("cpu").compute(named("average_pool2d"), [x], attributes)
    np.testing.assert_allclose(y, np.float32(0.1), rtol=2048 * 2**-24)


def test_a_point_more_precise_than_its_image_keeps_its_weights() -> None:
    """2**-40 before a pixel the one before it has a weight, which an infinity shows; in float32 it would be 0, and 0 * inf nan."""
    x = np.array([[1, np.inf, 2], [3, 4, 5]], "float32").reshape(1, 2, 3, 1)
    rows, cols = np.full((1, 1, 1), 1 - 2.0**-40), np.full((1, 1, 1), 0.5)
    check("sample_bilinear", "cpu", [x, rows, cols], {"mode": 0, "fill": 0.0})


def test_a_slope_at_a_whole_point_goes_to_one_pixel() -> None:
    """What is infinite there must not meet the weights 0 of the pixels beside it."""
    rows, cols = np.array([[[0.0, 1.0, 2.0]]], "float32"), np.array([[[1.0, 1.5, 2.0]]], "float32")
    dy = np.array([np.inf, 2, -np.inf], "float32").reshape(1, 1, 3, 1)
    attributes = {"mode": 1, "height": 3, "width": 3}
    (dx,) = get_engine("cpu").compute(named("sample_bilinear_x_gradient"), [dy, rows, cols], attributes)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, np.inf, 0], [0, 1, 1], [0, 0, -np.inf]])


def test_points_anywhere_in_an_image_that_goes_in_bands() -> None:
    """The sums of an image that takes more than 32 MB are made a band of rows after the other; a point between two adds to both."""
    width, rows = 2**19, np.array([[[0.5, 2.25, 5.0, 3.5]]])
    cols = np.array([[[width - 2.5, 7.75, width - 1.0, 0.5]]])
    dy = np.arange(1.0, 9).reshape(1, 1, 4, 2)
    attributes = {"mode": 0, "height": 6, "width": width}
    for name in ("sample_bilinear_x_gradient", "sample_nearest_x_gradient"):
        given = [dy, rows, cols], attributes
        (due,), (dx,) = (get_engine(engine).compute(named(name), *given) for engine in ("derived", "cpu"))
        assert np.count_nonzero(due) >= 4 * 2
        np.testing.assert_array_equal(dx, due)


@pytest.mark.parametrize("name", ["sample_bilinear_x_gradient", "sample_nearest_x_gradient"])
def test_points_that_are_no_places_add_nowhere(name: str) -> None:
    """Numbers beyond any image, and what is no number, stay out of memory that is not the image's."""
    odd = [np.nan, np.inf, -np.inf, 2.0**30, -(2.0**30), 2.0**62, -(2.0**63), 1e300]
    rows, cols = (np.array(np.meshgrid([*odd, 0.5], [*odd, 1.25])[axis])[None] for axis in (0, 1))
    dy, attributes = np.full((1, 9, 9, 3), 8.0), {"height": 2, "width": 3}
    for mode in range(5):
        (dx,) = get_engine("cpu").compute(named(name), [dy, rows, cols], attributes | {"mode": mode})
        np.testing.assert_array_equal(dx.sum(axis=(0, 1, 2)), [8, 8, 8])  # of the one point that is a place
