"""Calls that make images larger and smaller."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("resize_axis", "resize_axis_gradient")
def resize_axis_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    axis = draw.integer(0, len(shape) - 1)
    # Kernels keep the weights of 64 places at a time.
    length = draw.integer(1, 9) if draw.integer(0, 5) else draw.integer(65, 70)
    return [draw.array(shape, draw.floating())], {"axis": axis, "length": length, "cubic": draw.flag()}


@usage("resize")
def resize_usages(draw: Draw) -> Any:
    images = draw.array((draw.extent(), draw.extent(1), draw.extent(1), draw.extent(1)), draw.real())
    method = draw.choice(("nearest", "bilinear", "bicubic", "lanczos3"))
    fit = draw.choice(({}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}, {"antialias": True}))
    return (images, (draw.integer(1, 6), draw.integer(1, 6)), method), fit


refuse("resize", np.zeros((4, 4)), (2, 2), error=ShapeError, words="three axes")
refuse("resize", np.zeros((4, 0, 1)), (2, 2), error=ShapeError, words="not 0")
refuse("resize", np.zeros((4, 4, 1)), (2, 0), error=ArgumentError, words="size")
refuse("resize", np.zeros((4, 4, 1)), (2, 2), "lanczos", error=ArgumentError, words="interpolation")
refuse("resize", np.zeros((4, 4, 1)), (2, 2), antialias=np.ones(2, bool), error=ArgumentError, words="antialias")
