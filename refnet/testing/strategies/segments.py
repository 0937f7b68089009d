"""Calls that bring rows of one number together."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def rows(draw: Draw, dtype: str) -> tuple[Array, Array, int]:
    """Data, the numbers of its rows, -1 among them, and how many segments there are."""
    lead, inner, segments = draw.shape(1, 2), draw.shape(0, 1), draw.extent(1)
    ids = draw.array(lead, "int32", low=-1 if draw.flag() else 0, high=segments - 1)
    return draw.array((*lead, *inner), dtype), ids, segments


@strategy("segment_sum")
def segment_sum_calls(draw: Draw) -> Any:
    data, ids, segments = rows(draw, draw.floating())
    return [data, ids], {"segments": segments}


@strategy("segment_sum_integers")
def segment_sum_integers_calls(draw: Draw) -> Any:
    data, ids, segments = rows(draw, draw.choice(("int32", "int64", "uint8") if draw.exotic else ("int32",)))
    return [data, ids], {"segments": segments}


@strategy("segment_max")
def segment_max_calls(draw: Draw) -> Any:
    data, ids, segments = rows(draw, draw.real())
    if draw.calm:  # every segment has a row: an infinity has no slope
        segments = max(int(np.prod(ids.shape)), 1)
        ids = np.arange(segments, dtype="int32").reshape(ids.shape) // 2
        segments = int(ids.max()) + 1
    return [data, ids], {"segments": segments}


@strategy("segment_max_gradient")
def segment_max_gradient_calls(draw: Draw) -> Any:
    data, ids, segments = rows(draw, draw.floating())
    return [draw.array((segments, *data.shape[ids.ndim :]), data.dtype.name), data, ids], {}


def numbers(draw: Draw, dtype: str) -> Any:
    length = draw.extent(1)
    x = draw.array((draw.extent(), draw.extent()), draw.index(), low=0, high=length - 1)
    return [draw.array(x.shape, dtype), x], {"length": length}


@strategy("bincount")
def bincount_calls(draw: Draw) -> Any:
    return numbers(draw, draw.floating())


@strategy("bincount_integers")
def bincount_integers_calls(draw: Draw) -> Any:
    return numbers(draw, "int32")


@usage("multi_hot")
def multi_hot_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(1, 2), "int32", low=-1, high=6), draw.integer(0, 6)), {}


@usage("segment_sum", "segment_max")
def segment_usages(draw: Draw) -> Any:
    return rows(draw, draw.real()), {}


@usage("bincount")
def bincount_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(1, 2), "int32", low=0, high=4),), {"minlength": 5}


for _name in ("segment_sum", "segment_max"):
    refuse(_name, np.zeros((2, 3)), np.array([0, 5]), 3, error=DataError, words="must lie in")
    refuse(_name, np.zeros((2, 3)), np.array([0, 1, 1]), 3, error=ShapeError, words="leading axes")
    refuse(_name, np.zeros((2, 3)), np.array([0.0, 1.0]), 3, error=DtypeError, words="integers")
    refuse(_name, np.zeros((2, 3)), np.array([0, 1]), -3, error=ArgumentError, words="num_segments")
refuse("bincount", np.array([1, -1]), minlength=3, error=DataError, words="must lie in")
refuse("bincount", np.array([[[1]]]), minlength=3, error=ShapeError, words="one axis or two")
refuse("bincount", np.array([1, 2]), np.zeros(3), 3, error=ShapeError, words="weights")
refuse("multi_hot", np.array([0.5]), 3, error=DtypeError, words="integers")
