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
celu, glu, mish, squareplus, sparsemax = ops.celu, ops.glu, ops.mish, ops.squareplus, ops.sparsemax
hard_silu, hard_swish, hard_tanh, log_sigmoid = ops.hard_silu, ops.hard_silu, ops.hard_tanh, ops.log_sigmoid
hard_shrink, soft_shrink, tanh_shrink, threshold = ops.hard_shrink, ops.soft_shrink, ops.tanh_shrink, ops.threshold

known: dict[str, Function] = {
    "celu": celu,
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_swish,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "swish": swish,
    "tanh": tanh,
    "tanh_shrink": tanh_shrink,
    "threshold": threshold,
}


def get(identifier: Any) -> Function | None:
    """A function by name; None stays None.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    function: Function | None = resolved("activation", identifier, known)
    return function
