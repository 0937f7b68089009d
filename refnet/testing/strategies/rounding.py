"""Calls of functions to whole numbers."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("floor", "ceil", "round", "trunc")
@usage("floor", "ceil", "trunc")
def whole_calls(draw: Draw) -> Any:
    """Halves among the numbers: there the even one wins."""
    shape, dtype = draw.shape(), draw.floating()
    if draw.calm or draw.flag():
        return [draw.array(shape, dtype)], {}
    halves = draw.array(shape, "int32", low=-9, high=9)
    return [(halves / 2).astype(draw.array((), dtype).dtype)], {}


@usage("round")
def round_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(), draw.choice(("float32", "int32"))), draw.integer(-2, 2)), {}


@usage("nan_to_num")
def nan_to_num_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(), draw.floating()),), draw.choice(({}, {"nan": 3.0, "posinf": 1.0, "neginf": -1.0}))


refuse("round", np.zeros(2), 1.5, error=ArgumentError, words="decimals")
