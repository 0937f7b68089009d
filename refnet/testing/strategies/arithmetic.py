"""Calls of functions of one or two numbers."""

from typing import Any

import numpy as np

from refnet.errors import DtypeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("gcd")
def gcd_calls(draw: Draw) -> Any:
    shape, dtype = draw.shape(1, 2), draw.choice(("int32", "uint8", "int64") if draw.exotic else ("int32",))
    return [draw.array(shape, dtype), draw.array(shape, dtype)], {}


@strategy("bessel")
def bessel_calls(draw: Draw) -> Any:
    return [draw.array(draw.shape(0, 2), draw.floating(), low=-60, high=60)], {"order": draw.integer(0, 2)}


@usage("hypot", "logaddexp2")
def pair_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(1, 2, 1), draw.floating()
    return (draw.array(shape, dtype), draw.array(shape[-1:], dtype)), {}


refuse("gcd", np.zeros(2), np.ones(2), error=DtypeError, words="integers")
refuse("lcm", np.zeros(2), np.ones(2), error=DtypeError, words="integers")
refuse("ldexp", np.zeros(2), np.ones(2), error=DtypeError, words="integers")
