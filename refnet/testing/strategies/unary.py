"""Calls of elementary functions and of casts."""

from typing import Any

import numpy as np

from refnet.errors import DtypeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("exp", "expm1", "tanh", "erf")
@usage("exp", "expm1", "tanh", "erf", "relu", "sigmoid", "softplus", "negative", "square", "abs", "sign")
@usage(
    "absolute",
    "fabs",
    "linear",
    "swish",
    "hard_swish",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "silu",
    "gelu",
    "softsign",
    "hard_sigmoid",
    "reciprocal",
)
def smooth_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating()), {}


@strategy("log", "log1p", "sqrt")
@usage("log", "log1p", "sqrt", "rsqrt")
def positive_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating(), calm=(0.25, 3)), {}


@strategy("cast")
def cast_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.real()), {"dtype": draw.floating()}


@strategy("cast_to_bool")
def cast_to_bool_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.real()), {}


@strategy("cast_to_integer")
def cast_to_integer_calls(draw: Draw) -> Any:
    source = draw.real() if draw.exotic else draw.choice(("float32", "int32"))
    return operands(draw, 1, source), {"dtype": draw.choice(("int32", "uint8"))}


for _name in ("exp", "log", "tanh", "sqrt", "relu", "sigmoid", "softmax"):
    refuse(_name, np.array(["a"]), error=DtypeError, words="must hold numbers")
