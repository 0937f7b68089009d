"""Calls of special functions."""

from typing import Any

import numpy as np

from refnet.errors import DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("cbrt", "log2", "log10")
@usage("cbrt", "log2", "log10", "exp2")
def positive_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating(), calm=(0.25, 3)), {}


@strategy("erfc")
@usage("erfc")
def erfc_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating()), {}


@strategy("erfinv")
@usage("erfinv")
def erfinv_calls(draw: Draw) -> Any:
    """Mostly inside -1..1; now and then anything."""
    limits = {} if draw.calm or draw.integer(0, 3) == 0 else {"low": -1, "high": 1}
    return operands(draw, 1, draw.floating(), calm=(-0.9, 0.9), **limits), {}


@strategy("logaddexp")
@usage("logaddexp")
def logaddexp_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.floating()), {}


refuse("logaddexp", np.zeros((2, 3)), np.zeros((2, 4)), error=ShapeError, words="logaddexp")
refuse("erfinv", np.array(["a"]), error=DtypeError, words="must hold numbers")
