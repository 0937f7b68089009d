"""Calls that read images at points between their pixels."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.affine import FILL_MODES
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def points_of(draw: Draw, count: int, dtype: str) -> Array:
    """Points inside and outside of small images; on pixels too, unless slopes are asked for."""
    shape = (count, draw.extent(1), 2)
    if draw.calm or draw.flag():
        return draw.array(shape, dtype, low=-7, high=9, calm=(-7, 9))
    return draw.array(shape, "int32", low=-7, high=9).astype(dtype) / 2


@strategy("sample_images")
def sample_images_calls(draw: Draw) -> Any:
    dtype, count = draw.floating(), draw.extent()
    images = draw.array((count, draw.extent(1), draw.extent(1), draw.extent(1, 3)), dtype)
    how = {"nearest": draw.flag(), "mode": draw.integer(0, len(FILL_MODES) - 1), "fill": draw.choice((0.0, -1.5))}
    return [images, points_of(draw, count, wide(dtype))], how


@strategy("sample_images_inputs_gradient")
def inputs_gradient_calls(draw: Draw) -> Any:
    dtype, count = draw.floating(), draw.extent()
    points = points_of(draw, count, wide(dtype))
    dy = draw.array((count, points.shape[1], draw.extent(1, 3)), dtype)
    how = {"nearest": draw.flag(), "mode": draw.integer(0, len(FILL_MODES) - 1)}
    return [dy, points], {"extents": (draw.extent(1), draw.extent(1)), **how}


@strategy("sample_images_points_gradient")
def points_gradient_calls(draw: Draw) -> Any:
    dtype, count, channels = draw.floating(), draw.extent(), draw.extent(1, 3)
    points = points_of(draw, count, wide(dtype))
    dy = draw.array((count, points.shape[1], channels), dtype)
    images = draw.array((count, draw.extent(1), draw.extent(1), channels), dtype)
    return [dy, images, points], {"mode": draw.integer(0, len(FILL_MODES) - 1), "fill": draw.choice((0.0, -1.5))}


def wide(dtype: str) -> str:
    """Points are not kept in 16 bits."""
    return "float64" if dtype == "float64" else "float32"


@usage("affine_transform")
def affine_usages(draw: Draw) -> Any:
    images = draw.array((draw.extent(1), draw.extent(1), draw.extent(1), 2), draw.real())
    transform = draw.array((len(images), 8), "float64" if draw.calm else "float32", low=-2, high=2)
    return (images, transform, draw.choice(("nearest", "bilinear"))), {"fill_mode": draw.choice(FILL_MODES)}


refuse("affine_transform", np.zeros((4, 4)), np.zeros(8), error=ShapeError, words="three axes")
refuse("affine_transform", np.zeros((4, 0, 1)), np.zeros(8), error=ShapeError, words="not 0")
refuse("affine_transform", np.zeros((4, 4, 1)), np.zeros(6), error=ShapeError, words="eight numbers")
refuse("affine_transform", np.zeros((3, 4, 4, 1)), np.zeros((2, 8)), error=ShapeError, words="3 images")
refuse("affine_transform", np.zeros((4, 4, 1)), np.zeros(8), "cubic", error=ArgumentError, words="interpolation")
refuse("affine_transform", np.zeros((4, 4, 1)), np.zeros(8), fill_mode="edge", error=ArgumentError, words="fill_mode")
