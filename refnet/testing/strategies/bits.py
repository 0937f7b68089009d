"""Calls that work on the bits of integers."""

from typing import Any

import numpy as np

from refnet.errors import DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("bitwise_and", "bitwise_or", "bitwise_xor")
@usage("bitwise_and", "bitwise_or", "bitwise_xor")
def bitwise_calls(draw: Draw) -> Any:
    more = ("int8", "uint8", "uint32", "uint64") if draw.exotic else ()
    return operands(draw, 2, draw.choice(("int32", "bool", "int64", *more))), {}


@strategy("left_shift", "right_shift")
@usage("left_shift", "right_shift")
def shift_calls(draw: Draw) -> Any:
    more = ("int8", "uint8", "uint32", "uint64") if draw.exotic else ()
    dtype = draw.choice(("int32", "int64", *more))
    x = draw.array(draw.shape(), dtype)
    return [x, draw.array(x.shape, dtype, low=0 if dtype.startswith("u") else -2, high=66)], {}


for _name in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"):
    refuse(_name, np.zeros(3, "int32"), np.zeros(3, "float32"), error=DtypeError, words="integers")
    refuse(_name, np.zeros((2, 3), "int32"), np.zeros((2, 4), "int32"), error=ShapeError, words=_name)
