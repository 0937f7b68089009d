"""Calls that repeat, roll and take apart."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


def along_an_axis(draw: Draw) -> tuple[Any, int]:
    x = draw.array(draw.shape(1, 3), draw.real())
    return x, draw.integer(-x.ndim, x.ndim - 1)


@usage("repeat")
def repeat_usages(draw: Draw) -> Any:
    x, axis = along_an_axis(draw)
    each = [draw.integer(0, 2) for _ in range(x.shape[axis])]
    return (x, draw.choice((draw.integer(0, 3), each))), {"axis": axis}


@usage("tile")
def tile_usages(draw: Draw) -> Any:
    x, _ = along_an_axis(draw)
    return (x, tuple(draw.integer(0, 3) for _ in range(draw.integer(1, 3)))), {}


@usage("roll")
def roll_usages(draw: Draw) -> Any:
    x, axis = along_an_axis(draw)
    return (x, draw.integer(-7, 7)), {"axis": draw.choice((axis, None))}


@usage("unstack")
def unstack_usages(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    return (draw.array(shape, draw.real()),), {"axis": draw.integer(0, len(shape) - 1)}


refuse("repeat", np.zeros(3), -1, error=ArgumentError, words="repeats")
refuse("repeat", np.zeros(3), [1, 2], 0, error=ShapeError, words="one number for each")
refuse("tile", np.zeros(3), (2, -1), error=ArgumentError, words="repeats")
refuse("roll", np.zeros(3), (1, 2), 0, error=ArgumentError, words="integer for each axis")
refuse("roll", np.zeros(3), 1, 1, error=ArgumentError, words="axis")
refuse("unstack", np.zeros((2, 3)), 3, error=ShapeError, words="num = 3")
