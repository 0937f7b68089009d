"""Calls of running totals and products."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def lanes(draw: Draw, count: int, dtype: str) -> Any:
    shape = draw.shape(1, 3)
    return [draw.array(shape, dtype) for _ in range(count)], {"axis": draw.integer(0, len(shape) - 1)}


@strategy("cumsum")
def cumsum_calls(draw: Draw) -> Any:
    arrays, attributes = lanes(draw, 1, draw.real())
    return arrays, attributes | {"reverse": draw.flag()}


@strategy("cumprod")
def cumprod_calls(draw: Draw) -> Any:
    return lanes(draw, 1, draw.real())


@strategy("cumprod_gradient")
def cumprod_gradient_calls(draw: Draw) -> Any:
    return lanes(draw, 2, draw.floating())


@usage("cumsum", "cumprod")
def accumulation_usages(draw: Draw) -> Any:
    dtype = draw.choice((draw.anything(), "int8"))
    return (draw.array(draw.shape(1, 3), dtype),), {"axis": draw.choice((None, 0, -1))}


for _name in ("cumsum", "cumprod"):
    refuse(_name, np.zeros((2, 3)), axis=2, error=ArgumentError, words="axis 2")
