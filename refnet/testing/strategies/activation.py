"""Calls of activations; softmax and its like work along lanes."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("relu")
def relu_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.real()), {}


@strategy("relu_gradient")
def relu_gradient_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.floating()), {}


@strategy("sigmoid", "softplus")
def sigmoid_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.floating()), {}


def lanes(draw: Draw, count: int) -> Any:
    shape = draw.shape(1, 3)
    dtype = draw.floating()
    return [draw.array(shape, dtype) for _ in range(count)], {"axis": draw.integer(0, len(shape) - 1)}


@strategy("softmax", "log_softmax")
def softmax_calls(draw: Draw) -> Any:
    return lanes(draw, 1)


@strategy("softmax_gradient", "log_softmax_gradient")
def softmax_gradient_calls(draw: Draw) -> Any:
    return lanes(draw, 2)


@usage("softmax", "log_softmax")
def softmax_usages(draw: Draw) -> Any:
    arrays, keywords = lanes(draw, 1)
    return tuple(arrays), keywords


for _name in ("softmax", "log_softmax"):
    refuse(_name, np.zeros((2, 3)), axis=2, error=ArgumentError, words="axis")
