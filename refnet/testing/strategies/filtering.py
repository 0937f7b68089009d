"""Calls that blur images, find their edges and compare them."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("gaussian_blur")
def blur_usages(draw: Draw) -> Any:
    images = draw.array((draw.extent(), 4, 3, 2), draw.floating())
    return (images, draw.several(2, 3)), {"sigma": (draw.choice((0.5, 1.0)), 1.5)}


@usage("sobel_edges")
def sobel_usages(draw: Draw) -> Any:
    return (draw.array((draw.extent(), 3, 4, 2), draw.floating()),), {}


@usage("psnr")
def psnr_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(1, 3, 1), draw.floating()
    return (draw.array(shape, dtype), draw.array(shape, dtype), 2.0), {}


@usage("ssim")
def ssim_usages(draw: Draw) -> Any:
    shape, dtype = (draw.extent(1, 2), 4, 3, 2), draw.floating()
    pair = [draw.array(shape, dtype, low=0, high=1, calm=(0, 1)) for _ in range(2)]
    return tuple(pair), {"filter_size": draw.integer(1, 3)}


refuse("gaussian_blur", np.zeros((2, 3)), error=ShapeError, words="three axes")
refuse("gaussian_blur", np.zeros((2, 3, 1)), (0, 3), error=ArgumentError, words="kernel_size must be at least 1")
refuse("gaussian_blur", np.zeros((2, 3, 1)), sigma=(1.0, 0.0), error=ArgumentError, words="above 0")
refuse("sobel_edges", np.zeros((2, 3)), error=ShapeError, words="three axes")
refuse("psnr", np.zeros(3), np.zeros(2), 1.0, error=ShapeError, words="one shape")
refuse("psnr", np.zeros(3), np.zeros(3), 0.0, error=ArgumentError, words="max_val must be above 0")
refuse("ssim", np.zeros((4, 4, 1)), np.zeros((4, 4, 1)), error=ShapeError, words="does not fit")
refuse("ssim", np.zeros((4, 4, 1)), np.zeros((4, 4, 2)), error=ShapeError, words="one shape")
