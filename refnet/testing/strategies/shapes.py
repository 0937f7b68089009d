"""Calls that move elements without changing them."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("reshape")
def reshape_calls(draw: Draw) -> Any:
    shape = draw.shape(0, 3)
    target = draw.choice((shape[::-1], (int(np.prod(shape, dtype=int)),), (*shape, 1)))
    return [draw.array(shape, draw.anything())], {"shape": target}


@strategy("broadcast_to")
@usage("broadcast_to")
def broadcast_to_calls(draw: Draw) -> Any:
    target = draw.shape(0, 3)
    source = tuple(1 if draw.flag() else d for d in target)[draw.integer(0, len(target)) :]
    return [draw.array(source, draw.anything())], {"shape": target}


@strategy("transpose")
def transpose_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 4)
    axes, left = [], list(range(len(shape)))
    while left:
        axes.append(left.pop(draw.integer(0, len(left) - 1)))
    return [draw.array(shape, draw.anything())], {"axes": tuple(axes)}


refuse("reshape", np.zeros((2, 3)), (4, 2), error=ShapeError, words="reshape cannot turn")
refuse("reshape", np.zeros((2, 3)), (-1, -1), error=ShapeError, words="-1")
refuse("transpose", np.zeros((2, 3)), (0, 0), error=ArgumentError, words="each of the 2 axes once")
refuse("expand_dims", np.zeros(2), 3, error=ArgumentError, words="axis 3")
refuse("squeeze", np.zeros((2, 3)), 0, error=ShapeError, words="length 1")
refuse("broadcast_to", np.zeros((2, 3)), (2, 4), error=ShapeError, words="broadcast_to")


@usage("transpose")
def transpose_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(0, 3), draw.floating()),), {}


@usage("swapaxes", "moveaxis")
def swapaxes_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(1, 3), draw.anything())
    return (x, *(draw.integer(-x.ndim, x.ndim - 1) for _ in range(2))), {}


@usage("expand_dims", "flip")
def axis_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(1, 3), draw.anything())
    return (x, draw.integer(-x.ndim, x.ndim - 1)), {}


@usage("squeeze")
def squeeze_usages(draw: Draw) -> Any:
    return (draw.array((1, draw.extent(), 1), draw.anything()), draw.choice((0, -1, (0, 2)))), {}


@usage("reshape")
def reshape_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(1, 3, 1), draw.floating()), (-1,)), {}
