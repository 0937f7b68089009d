"""Calls of circular and hyperbolic functions and of their inverses."""

from typing import Any

import numpy as np

from refnet.errors import DtypeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("sin", "cos", "arctan", "sinh", "cosh", "arcsinh")
@usage("sin", "cos", "arctan", "sinh", "cosh", "arcsinh", "sinc")
def everywhere_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating()), {}


@strategy("tan")
@usage("tan")
def tan_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating(), calm=(-1.2, 1.2)), {}


@strategy("arcsin", "arccos", "arctanh")
@usage("arcsin", "arccos", "arctanh")
def ball_calls(draw: Draw) -> Any:
    """Mostly inside -1..1; now and then anything."""
    limits = {} if draw.calm or draw.integer(0, 3) == 0 else {"low": -1, "high": 1}
    return operands(draw, 1, draw.floating(), calm=(-0.9, 0.9), **limits), {}


@strategy("arccosh")
@usage("arccosh")
def arccosh_calls(draw: Draw) -> Any:
    limits = {} if draw.calm or draw.integer(0, 3) == 0 else {"low": 1, "high": 9}
    return operands(draw, 1, draw.floating(), calm=(1.2, 4), **limits), {}


@strategy("arctan2")
@usage("arctan2")
def arctan2_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.floating(), calm=(0.5, 3)), {}


for _name in ("sin", "arccosh", "sinc"):
    refuse(_name, np.array(["a"]), error=DtypeError, words="must hold numbers")
