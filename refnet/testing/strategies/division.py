"""Calls of divisions and powers."""

from typing import Any

from refnet.testing.draw import Draw
from refnet.testing.strategies import strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("divide")
@usage("divide", "true_divide")
def divide_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.floating(), calm=(0.5, 3)), {}


@strategy("floor_divide", "mod")
@usage("floor_divide", "mod")
def floor_divide_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.real(), calm=(0.5, 3)), {}


@strategy("power")
@usage("power")
def power_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.floating(), calm=(0.5, 3)), {}


@strategy("integer_power")
def integer_power_calls(draw: Draw) -> Any:
    return operands(draw, 2, "int32"), {}


@usage("fmod", "divide_no_nan")
def fmod_usages(draw: Draw) -> Any:
    return tuple(operands(draw, 2, draw.choice(("float32", "int32")))), {}
