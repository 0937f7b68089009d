"""Calls that pick by number, and what flows back through them."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, DtypeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def indices(draw: Draw, shape: tuple[int, ...], length: int) -> Array:
    """Indices into an axis, negative ones too, unless the dtype has none."""
    dtype = draw.index()
    return draw.array(shape, dtype, low=0 if dtype.startswith("u") else -length, high=length - 1)


@strategy("take")
def take_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    axis = draw.integer(0, len(shape) - 1)
    return [draw.array(shape, draw.real()), indices(draw, draw.shape(0, 2), shape[axis])], {"axis": axis}


@strategy("take_x_gradient")
def take_gradient_calls(draw: Draw) -> Any:
    outer, inner, length = draw.shape(0, 1), draw.shape(0, 1), draw.extent(1)
    picked = indices(draw, draw.shape(1, 2), length)
    dy = draw.array((*outer, *picked.shape, *inner), draw.floating())
    return [dy, picked], {"axis": len(outer), "length": length}


def along(draw: Draw) -> tuple[tuple[int, ...], int, Array]:
    shape = draw.shape(1, 3, 1)
    axis = draw.integer(0, len(shape) - 1)
    count = draw.extent()
    return shape, axis, indices(draw, (*shape[:axis], count, *shape[axis + 1 :]), shape[axis])


@strategy("take_along_axis")
def take_along_axis_calls(draw: Draw) -> Any:
    dtype = draw.real()
    shape, axis, picked = along(draw)
    return [draw.array(shape, dtype), picked], {"axis": axis}


@strategy("take_along_axis_x_gradient")
def take_along_axis_gradient_calls(draw: Draw) -> Any:
    dtype = draw.floating()
    shape, axis, picked = along(draw)
    return [draw.array(picked.shape, dtype), picked], {"axis": axis, "length": shape[axis]}


@strategy("one_hot")
def one_hot_calls(draw: Draw) -> Any:
    shape = draw.shape(0, 2)
    labels = draw.array(shape, draw.index(), low=-2, high=6)
    return [labels], {"num_classes": draw.integer(0, 6), "axis": draw.integer(0, len(shape)), "dtype": draw.floating()}


refuse("take", np.zeros((2, 3)), np.array([3]), axis=1, error=DataError, words="indices must lie in")
refuse("take", np.zeros((2, 3)), np.array([0.5]), axis=1, error=DtypeError, words="take")
refuse("one_hot", np.array([0.5]), 3, error=DtypeError, words="one_hot")
refuse("one_hot", np.array([0]), -1, error=ArgumentError, words="num_classes")


@usage("take", "take_along_axis")
def take_usages(draw: Draw) -> Any:
    length = draw.extent(1)
    return (draw.array((length,), draw.floating()), indices(draw, (draw.extent(),), length)), {"axis": 0}


@usage("one_hot")
def one_hot_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(0, 2), "int32", low=0, high=6), draw.integer(0, 6)), {}
