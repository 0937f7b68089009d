"""Calls that read arrays at points."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.ops.warping import FILL_MODES
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("map_coordinates")
def map_coordinates_usages(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1, 4)
    points = draw.array((len(shape), draw.extent()), "float64", low=-5, high=9, calm=(-3, 5))
    return (draw.array(shape, draw.floating()), points, draw.integer(0, 1), draw.choice(tuple(FILL_MODES))), {}


@usage("perspective_transform")
def perspective_usages(draw: Draw) -> Any:
    corners = np.array([[0, 0], [0, 4], [4, 0], [4, 5]], float)
    shape = draw.choice(((4, 2), (2, 4, 2)))
    points = [corners + draw.array(shape, "float64", low=-0.5, high=0.5, calm=(-0.5, 0.5)) for _ in range(2)]
    return (draw.array((2, 3, 4, 1), draw.floating()), *points), {}


@usage("scale_and_translate")
def scale_and_translate_usages(draw: Draw) -> Any:
    images = draw.array((3, draw.extent(1), 2), draw.floating())
    numbers = [draw.array((2,), "float64", low=0.4, high=1.7, calm=(0.4, 1.7)) for _ in range(2)]
    kernel = draw.choice(("linear", "cubic", "lanczos3"))
    return (images, (4, images.shape[1], 3), *numbers, (0, 2), kernel), {"antialias": draw.flag()}


X, CORNERS = np.zeros((3, 3, 1)), np.zeros((4, 2))
refuse("map_coordinates", X, np.zeros((2, 5)), 1, error=ShapeError, words="each of the 3 axes")
refuse("map_coordinates", X, np.zeros((3, 5)), 2, error=ArgumentError, words="order")
refuse("map_coordinates", X, np.zeros((3, 5)), [], error=ArgumentError, words="order must be a number")
refuse("map_coordinates", np.zeros((0, 2)), np.zeros((2, 5)), 1, error=ShapeError, words="above 0")
refuse("perspective_transform", X, np.zeros((3, 2)), CORNERS, error=ShapeError, words="(4, 2)")
refuse("elastic_transform", np.zeros((3, 3)), error=ShapeError, words="three axes")
refuse("elastic_transform", X, 1.0, 0.0, error=ArgumentError, words="sigma")
refuse("elastic_transform", X, interpolation="cubic", error=ArgumentError, words="interpolation")
ONE = np.ones(1)
refuse("scale_and_translate", X, (3, 4, 1), ONE, ONE, (0,), "linear", error=ShapeError, words="cannot become")
refuse("scale_and_translate", X, (4, 3, 1), ONE, ONE, (0,), "box", error=ArgumentError, words="method")
