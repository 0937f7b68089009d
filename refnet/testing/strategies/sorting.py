"""Calls that sort and search."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("argsort")
def argsort_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 0, 9)
    return [draw.array(shape, draw.real())], {"axis": draw.integer(0, len(shape) - 1), "descending": draw.flag()}


@usage("argsort", "sort")
def sort_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(0, 3), draw.anything())
    return (x,), {"axis": draw.integer(-x.ndim, x.ndim - 1) if x.ndim and draw.flag() else None}


@usage("top_k")
def top_k_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(1, 3, 1), draw.real())
    return (x, draw.integer(0, x.shape[-1])), {}


@usage("in_top_k")
def in_top_k_usages(draw: Draw) -> Any:
    batch, classes = draw.extent(), draw.extent(1)
    targets = draw.array((batch,), "int32", low=0, high=classes - 1)
    return (targets, draw.array((batch, classes), "float32"), draw.integer(0, 4)), {}


def ascending(draw: Draw, dtype: str) -> Array:
    return np.sort(draw.array((draw.extent(),), dtype))


@strategy("searchsorted")
def searchsorted_calls(draw: Draw) -> Any:
    dtype = draw.real() if draw.exotic else draw.choice(("float32", "int32"))
    return [ascending(draw, dtype), draw.array(draw.shape(0, 2), dtype)], {"right": draw.flag()}


@usage("searchsorted")
def searchsorted_usages(draw: Draw) -> Any:
    return (ascending(draw, "float32"), draw.array((3,), "int32")), {"side": draw.choice(("left", "right"))}


@usage("digitize")
def digitize_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(), "float32"), ascending(draw, "float32")), {}


refuse("sort", np.zeros((2, 3)), 2, error=ArgumentError, words="axis")
refuse("top_k", np.zeros((2, 3)), 4, error=ShapeError, words="cannot give 4")
refuse("top_k", np.zeros((2, 3)), -1, error=ArgumentError, words="k must")
refuse("in_top_k", np.array([3]), np.zeros((1, 3)), 1, error=DataError, words="must lie in")
refuse("in_top_k", np.array([1, 1]), np.zeros((1, 3)), 1, error=ShapeError, words="in_top_k")
refuse("searchsorted", np.zeros((2, 3)), np.zeros(2), error=ShapeError, words="one axis")
refuse("searchsorted", np.zeros(3), np.zeros(2), side="middle", error=ArgumentError, words="side")
