"""Calls of adaptive pooling: fewer windows than places, more, and as many."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def along(draw: Draw, dtype: str) -> Any:
    shape = draw.shape(1, 3, 1, 7)
    return [draw.array(shape, dtype)], {"axis": draw.integer(0, len(shape) - 1), "length": draw.integer(1, 7)}


@strategy("adaptive_argmax")
def adaptive_argmax_calls(draw: Draw) -> Any:
    return along(draw, draw.real())


@strategy("adaptive_mean", "adaptive_mean_gradient")
def adaptive_mean_calls(draw: Draw) -> Any:
    return along(draw, draw.floating())


@usage("adaptive_max_pool", "adaptive_average_pool")
def adaptive_usages(draw: Draw) -> Any:
    rank = draw.choice((1, 2, 3))
    shape = (draw.extent(longest=2), *draw.several(rank, 4), draw.extent(1, 3))
    size = draw.choice((1, 2, draw.several(rank, 5)))
    if draw.flag():
        return (draw.array(shape, "float32"), size), {}
    return (draw.array((shape[0], shape[-1], *shape[1:-1]), "float32"), size), {"data_format": "channels_first"}


for _name in ("adaptive_max_pool", "adaptive_average_pool"):
    refuse(_name, np.zeros((2, 3)), 2, error=ShapeError, words="1 to 3 spatial axes")
    refuse(_name, np.zeros((2, 0, 4, 1)), 2, error=ShapeError, words="needs an element along each spatial axis")
    refuse(_name, np.zeros((2, 5, 5, 1)), (2, 0), error=ArgumentError, words="output_size must be at least 1")
    refuse(_name, np.zeros((2, 5, 5, 1)), 2, data_format="last", error=ArgumentError, words="data_format")
