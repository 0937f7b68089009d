"""Calls that a tuned kernel leaves to the definition, because it would round too much of them."""

import numpy as np

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
