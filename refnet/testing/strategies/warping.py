"""Calls that read images at points."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.ops.warping import FILL_MODES
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def points(draw: Draw, dtype: str) -> Any:
    """Rows and columns inside and outside of small images; now and then anywhere."""
    shape = (draw.extent(), draw.extent(), draw.extent())
    precise = "float64" if dtype == "float64" else "float32"
    if draw.integer(0, 3) == 0 and not draw.calm:
        return [draw.array(shape, precise), draw.array(shape, precise)]
    return [draw.array(shape, precise, low=-5, high=9, calm=(-3, 5)) for _ in range(2)]


def sampled(draw: Draw, dtype: str, fills: tuple[float, ...]) -> Any:
    rows, cols = points(draw, dtype)
    x = draw.array((rows.shape[0], draw.extent(1, 4), draw.extent(1, 4), draw.extent(1, 2)), dtype)
    return [x, rows, cols], {"mode": draw.integer(0, 4), "fill": draw.choice(fills)}


@strategy("sample_nearest")
def sample_nearest_calls(draw: Draw) -> Any:
    """Whole numbers too, beyond 2**53 at times."""
    if not draw.calm and draw.integer(0, 3) == 0:
        return sampled(draw, "uint64", (0, 3))
    return sampled(draw, draw.floating(), (0.0, 1.5))


@strategy("sample_bilinear")
def sample_bilinear_calls(draw: Draw) -> Any:
    return sampled(draw, draw.floating(), (0.0, 1.5))


@strategy("sample_nearest_x_gradient", "sample_bilinear_x_gradient")
def adjoint_calls(draw: Draw) -> Any:
    dtype = draw.floating()
    rows, cols = points(draw, dtype)
    dy = draw.array((*rows.shape, draw.extent(1, 2)), dtype)
    return [dy, rows, cols], {"mode": draw.integer(0, 4), "height": draw.extent(1, 4), "width": draw.extent(1, 4)}


@usage("affine_transform")
def affine_transform_usages(draw: Draw) -> Any:
    images = draw.array((2, 3, 4, 2), draw.floating())
    shape = draw.choice(((8,), (2, 8)))
    transform = np.array([1, 0, 0, 0, 1, 0, 0, 0]) + draw.array(shape, "float64", low=-0.3, high=0.3, calm=(-0.3, 0.3))
    return (images, transform), {
        "interpolation": draw.choice(("nearest", "bilinear")),
        "fill_mode": draw.choice(tuple(FILL_MODES)),
        "fill_value": draw.choice((0, 2.5)),
    }


KEEP = np.array([1, 0, 0, 0, 1, 0, 0, 0], "float32")
refuse("affine_transform", np.zeros((2, 3)), KEEP, error=ShapeError, words="three axes")
refuse("affine_transform", np.zeros((2, 3, 1)), KEEP[:6], error=ShapeError, words="8 numbers")
refuse("affine_transform", np.zeros((2, 2, 3, 1)), np.zeros((3, 8)), error=ShapeError, words="each of 2 images")
refuse("affine_transform", np.zeros((2, 0, 1)), KEEP, error=ShapeError, words="not 0")
refuse("affine_transform", np.zeros((2, 3, 1)), KEEP, "bicubic", error=ArgumentError, words="interpolation")
refuse("affine_transform", np.zeros((2, 3, 1)), KEEP, fill_mode="edge", error=ArgumentError, words="fill_mode")
refuse("affine_transform", np.zeros((2, 3, 1), "uint8"), KEEP, fill_value=-1, error=ArgumentError, words="filled with")
