"""Calls of comparisons and of logic."""

from typing import Any

import numpy as np

from refnet.testing.draw import Draw
from refnet.testing.strategies import strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
@usage("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
def comparison_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.real()), {}


@strategy("isfinite", "isinf", "isnan")
@usage("isfinite", "isinf", "isnan")
def class_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating()), {}


@strategy("logical_and", "logical_or")
@usage("logical_and", "logical_or")
def logical_calls(draw: Draw) -> Any:
    return operands(draw, 2, "bool"), {}


@usage("logical_xor")
def xor_usages(draw: Draw) -> Any:
    return tuple(operands(draw, 2, draw.real())), {}


@strategy("logical_not")
@usage("logical_not")
def not_calls(draw: Draw) -> Any:
    return operands(draw, 1, "bool"), {}


@strategy("where")
def where_calls(draw: Draw) -> Any:
    dtype = draw.real()
    condition, x1, x2 = operands(draw, 3, dtype)
    with np.errstate(invalid="ignore"):  # NaN among them
        return [condition > 0, x1, x2], {}


@strategy("clip")
def clip_calls(draw: Draw) -> Any:
    return operands(draw, 3, draw.real()), {}


@usage("where")
def where_usages(draw: Draw) -> Any:
    arrays, _ = where_calls(draw)
    return tuple(arrays), {}


@usage("clip")
def clip_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(), draw.floating()), -1.0, 1.5), {}
