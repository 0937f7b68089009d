"""Activation functions by name. Each is an op of `refnet.ops`."""

from collections.abc import Callable
from typing import Any

from refnet import ops
from refnet.naming import resolved

Function = Callable[..., Any]

elu, gelu, hard_sigmoid, leaky_relu, linear = ops.elu, ops.gelu, ops.hard_sigmoid, ops.leaky_relu, ops.linear
log_softmax, relu, relu6, selu, sigmoid = ops.log_softmax, ops.relu, ops.relu6, ops.selu, ops.sigmoid
silu, softmax, softplus, softsign, tanh = ops.silu, ops.softmax, ops.softplus, ops.softsign, ops.tanh
swish, exponential = silu, ops.exp

known: dict[str, Function] = {
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "hard_sigmoid": hard_sigmoid,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_softmax": log_softmax,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "swish": swish,
    "tanh": tanh,
}


def get(identifier: Any) -> Function | None:
    """A function by name; None stays None.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    function: Function | None = resolved("activation", identifier, known)
    return function
