"""Calls that cut images and change their colours."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("rgb_to_grayscale", "rgb_to_hsv", "hsv_to_rgb")
def colour_usages(draw: Draw) -> Any:
    return (draw.array((draw.extent(), 2, 3, 3), draw.floating(), low=0, high=1),), {}


@usage("pad_images", "crop_images")
def frame_usages(draw: Draw) -> Any:
    return (draw.array((2, 5, 6, 1), draw.real()), *(draw.integer(0, 2) for _ in range(4))), {}


@usage("extract_patches")
def extract_patches_usages(draw: Draw) -> Any:
    images = draw.array((draw.extent(), draw.extent(1), draw.extent(1), 2), draw.real())
    return (images, (draw.integer(1, 3), draw.integer(1, 3))), {
        "strides": draw.choice((None, 1, 2)),
        "padding": draw.choice(("valid", "same")),
    }


refuse("rgb_to_grayscale", np.zeros((2, 3, 4)), error=ShapeError, words="three channels")
refuse("rgb_to_hsv", np.zeros((2, 3, 3), "uint8"), error=DtypeError, words="255")
refuse("pad_images", np.zeros((2, 3, 3)), 1, 1, 1, error=ArgumentError, words="two of")
refuse("crop_images", np.zeros((2, 3, 3)), 1, 0, 2, 0, error=ShapeError, words="length of 2")
refuse("extract_patches", np.zeros((2, 3, 3)), 0, error=ArgumentError, words="at least 1")
