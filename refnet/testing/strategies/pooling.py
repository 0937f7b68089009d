"""Calls of pooling: windows that overlap or leave gaps, and reach out of the image at every side."""

from typing import Any

import numpy as np

from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def pools(draw: Draw) -> tuple[Shape, Shape, dict[str, Any]]:
    """The shapes of an image and of the result, and the attributes; every window holds an element of the image."""
    pool, strides = draw.several(2, 3), draw.several(2, 4)
    before = tuple(draw.integer(0, size - 1) for size in pool)
    windows, extents = draw.several(2, 3), []
    for count, size, stride, ahead in zip(windows, pool, strides, before):
        last = (count - 1) * stride - ahead  # where the last window starts
        extents.append(max(1, last + 1) + draw.integer(0, size + stride))
    batch, channels = draw.extent(longest=2), draw.extent(1, 3)
    attributes = {"pool": pool, "strides": strides, "padding": before}
    return (batch, *extents, channels), (batch, *windows, channels), attributes


@strategy("max_pool2d")
def max_pool2d_calls(draw: Draw) -> Any:
    x, y, attributes = pools(draw)
    return [draw.array(x, draw.real())], {**attributes, "extents": y[1:-1]}


@strategy("max_pool2d_picked")
def max_pool2d_picked_calls(draw: Draw) -> Any:
    x, y, attributes = pools(draw)
    dtype = draw.floating()
    return [draw.array(x, dtype), draw.array(x, dtype)], {**attributes, "extents": y[1:-1]}


@strategy("max_pool2d_inputs_gradient")
def max_pool2d_inputs_gradient_calls(draw: Draw) -> Any:
    x, y, attributes = pools(draw)
    dtype = draw.floating()
    return [draw.array(y, dtype), draw.array(x, dtype)], {**attributes, "extents": x[1:-1]}


@strategy("average_pool2d")
def average_pool2d_calls(draw: Draw) -> Any:
    x, y, attributes = pools(draw)
    return [draw.array(x, draw.floating())], {**attributes, "extents": y[1:-1]}


@strategy("average_pool2d_inputs_gradient")
def average_pool2d_inputs_gradient_calls(draw: Draw) -> Any:
    x, y, attributes = pools(draw)
    return [draw.array(y, draw.floating())], {**attributes, "extents": x[1:-1]}


@usage("max_pool", "average_pool")
def pool_usages(draw: Draw) -> Any:
    rank = draw.choice((1, 2, 3))
    pool, padding = draw.several(rank, 3), draw.choice(("valid", "same"))
    extents = tuple(draw.integer(size if padding == "valid" else 1, 5) for size in pool)
    first, batch, channels = draw.flag(), draw.extent(longest=2), draw.extent(1, 2)
    x = draw.array((batch, channels, *extents) if first else (batch, *extents, channels), "float32")
    strides = draw.choice((None, 1, draw.several(rank, 4)))
    data_format = "channels_first" if first else draw.choice((None, "channels_last"))
    return (x, pool), {"strides": strides, "padding": padding, "data_format": data_format}


for _name in ("max_pool", "average_pool"):
    refuse(_name, np.zeros((2, 3)), 2, error=ShapeError, words="1 to 3 spatial axes")
    refuse(_name, np.zeros((2, 5, 2, 1)), 3, error=ShapeError, words="(3, 3) does not fit into spatial axes of (5, 2)")
    refuse(_name, np.zeros((2, 5, 5, 1)), 0, error=ArgumentError, words="pool_size must be at least 1")
    refuse(
        _name,
        np.zeros((2, 5, 5, 1)),
        (2, 2, 2),
        error=ArgumentError,
        words="pool_size must be an integer or a tuple of 2",
    )
    refuse(_name, np.zeros((2, 5, 5, 1)), 2, strides=(2, 0), error=ArgumentError, words="strides must be at least 1")
    refuse(_name, np.zeros((2, 5, 5, 1)), 2, padding="causal", error=ArgumentError, words="'valid' or 'same'")
    refuse(_name, np.zeros((2, 5, 5, 1)), 2, data_format="last", error=ArgumentError, words="data_format")
