"""Calls of reductions over neighbouring axes."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def neighbours(draw: Draw, dtype: str, least: int = 0) -> Any:
    shape = draw.shape(1, 3, least, 7)
    start = draw.integer(0, len(shape) - 1)
    count = draw.integer(1, len(shape) - start)
    return [draw.array(shape, dtype)], {"start": start, "count": count, "keepdims": draw.flag()}


@strategy("sum")
def sum_calls(draw: Draw) -> Any:
    return neighbours(draw, draw.real() if draw.flag() else draw.floating())


@usage("sum", "mean", "max", "min", "prod", "var", "std", "logsumexp")
def reduction_usages(draw: Draw) -> Any:
    # one element alone has a deviation of 0, where the root has no slope
    shape = draw.shape(1, 3, 2 if draw.calm else 1)
    axis = draw.choice((None, 0, -1, (0, len(shape) - 1) if len(shape) > 1 else (0,)))
    return (draw.array(shape, draw.floating()),), {"axis": axis, "keepdims": draw.flag()}


for _name in ("sum", "mean", "max", "min", "argmax"):
    refuse(_name, np.zeros((2, 3)), axis=2, error=ArgumentError, words="axis 2")
refuse("sum", np.zeros((2, 3)), axis=(0, 0), error=ArgumentError, words="twice")


@strategy("max", "min", "argmax", "argmin")
def extremum_calls(draw: Draw) -> Any:
    return neighbours(draw, draw.real(), least=1)


@strategy("prod")
def prod_calls(draw: Draw) -> Any:
    return neighbours(draw, draw.real())


@strategy("any", "all")
def any_calls(draw: Draw) -> Any:
    return neighbours(draw, "bool")


@strategy("max_gradient", "min_gradient", "prod_gradient")
def back_calls(draw: Draw) -> Any:
    (x,), attributes = neighbours(draw, draw.floating(), least=1)
    reduced = x.shape[: attributes["start"]], x.shape[attributes["start"] + attributes["count"] :]
    kept = (1,) * attributes["count"] if attributes["keepdims"] else ()
    return [draw.array((*reduced[0], *kept, *reduced[1]), x.dtype.name), x], attributes


@strategy("others")
def others_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    return [draw.array(shape, draw.real())], {
        "start": draw.integer(0, len(shape) - 1),
        "count": 1,
        "fill": draw.choice((0, 1)),
    }


@usage("any", "all", "count_nonzero")
def truth_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(1, 3), draw.anything()),), {"axis": draw.choice((None, 0, -1))}


@usage("argmax", "argmin")
def argument_usages(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    return (draw.array(shape, draw.floating()),), {"axis": draw.choice((None, 0, -1))}
