"""Calls that put values into an array at named places."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.indexing import indices


@strategy("flat_index")
def flat_index_calls(draw: Draw) -> Any:
    extents = draw.shape(1, 3, 1)
    count = draw.extent()
    parts = [draw.array((count,), "int32", low=-n, high=n - 1) for n in extents]
    return parts, {"extents": extents}


@strategy("scatter_update")
def scatter_update_calls(draw: Draw) -> Any:
    count, inner, updates = draw.extent(1), draw.extent(), draw.extent()
    dtype = draw.real()
    reduction = draw.integer(0, 2 if draw.calm else 3)
    places = draw.array((updates,), "int64", low=0, high=count - 1)
    return [draw.array((count, inner), dtype), places, draw.array((updates, inner), dtype)], {"reduction": reduction}


def places_in(draw: Draw, shape: tuple[int, ...]) -> Any:
    """Indices for the first axes of a shape, and how many axes they index."""
    depth = draw.integer(1, len(shape))
    count = draw.extent()
    columns = [indices(draw, (count, 1), n) for n in shape[:depth]]
    return np.concatenate(columns, axis=1), count, depth


@usage("scatter")
def scatter_usages(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    named, count, depth = places_in(draw, shape)
    return (named, draw.array((count, *shape[depth:]), draw.real()), shape), {}


@usage("scatter_update")
def scatter_update_usages(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    named, count, depth = places_in(draw, shape)
    dtype = draw.real()
    values = draw.array(shape, dtype), named, draw.array((count, *shape[depth:]), dtype)
    more = () if draw.calm else ("mul",)  # which has no gradient
    return values, {"reduction": draw.choice((None, "add", "max", "min", *more))}


@usage("slice_update")
def slice_update_usages(draw: Draw) -> Any:
    shape = draw.shape(1, 3)
    start = tuple(draw.integer(0, n) for n in shape)
    dtype = draw.real()
    block = tuple(draw.integer(0, n - s) for n, s in zip(shape, start))
    return (draw.array(shape, dtype), start, draw.array(block, dtype)), {}


refuse("scatter", np.array([[0, 3]]), np.zeros(1), (2, 3), error=DataError, words="must lie in")
refuse("scatter", np.array([[0]]), np.zeros((1, 2)), (2, 3), error=ShapeError, words="values need shape")
refuse("scatter", np.array([[0.5]]), np.zeros((1, 3)), (2, 3), error=DtypeError, words="integers")
refuse("scatter", np.zeros((1, 3), int), np.zeros(1), (2, 3), error=ShapeError, words="last axis of indices")
refuse("scatter_update", np.zeros((2, 3)), np.array([[2]]), np.zeros((1, 3)), error=DataError, words="must lie in")
refuse(
    "scatter_update", np.zeros(2), np.array([[1]]), np.zeros(1), reduction="sum", error=ArgumentError, words="reduction"
)
refuse("slice_update", np.zeros((2, 3)), (0, 2), np.zeros((2, 2)), error=ShapeError, words="leaves shape")
refuse("slice_update", np.zeros((2, 3)), (0,), np.zeros((2, 2)), error=ArgumentError, words="one start")
