"""Activation functions by name. Each is an op of `refnet.ops`."""

from collections.abc import Callable
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.naming import resolved

Function = Callable[..., Any]

elu, hard_sigmoid, leaky_relu, linear = ops.elu, ops.hard_sigmoid, ops.leaky_relu, ops.linear
log_softmax, relu6, selu, sigmoid = ops.log_softmax, ops.relu6, ops.selu, ops.sigmoid
silu, softmax, softplus, softsign, tanh = ops.silu, ops.softmax, ops.softplus, ops.softsign, ops.tanh
swish, exponential = silu, ops.exp
celu, glu, mish, squareplus, sparsemax = ops.celu, ops.glu, ops.mish, ops.squareplus, ops.sparsemax
hard_silu, hard_swish, hard_tanh, log_sigmoid = ops.hard_silu, ops.hard_silu, ops.hard_tanh, ops.log_sigmoid
hard_shrink, soft_shrink, tanh_shrink, threshold = ops.hard_shrink, ops.soft_shrink, ops.tanh_shrink, ops.threshold
sparse_plus, sparse_sigmoid = ops.sparse_plus, ops.sparse_sigmoid


def gelu(x: TensorLike, approximate: bool = False) -> TensorLike:
    """x times the probability that a standard normal number is below x: `ops.gelu`, exact unless told otherwise.

    Args:
        x: an array or tensor.
        approximate: whether the formula with tanh is used.
    Returns:
        x's shape and dtype.
    Source: Hendrycks and Gimpel 2016; Keras 3 `activations.gelu`.

    >>> gelu([-1.0, 0.0, 1.0])
    array([-0.15865526,  0.        ,  0.8413447 ], dtype=float32)
    """
    return ops.gelu(x, approximate=approximate)


def relu(
    x: TensorLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> TensorLike:
    """What is above the threshold, at most max_value; below it a slope.

        y = max_value                          for x >= max_value
        y = x                                  for threshold <= x < max_value
        y = negative_slope * (x - threshold)   for x < threshold

    Args:
        x: an array or tensor.
        negative_slope: the slope below the threshold.
        max_value: where it is cut off; None for never.
        threshold: where it begins.
    Returns:
        x's shape and dtype.
    Source: Keras 3 `activations.relu`.

    >>> relu([-2.0, 0.5, 3.0], negative_slope=0.25, max_value=2.0)
    array([-0.5,  0.5,  2. ], dtype=float32)
    """
    if threshold == 0 and max_value is None:
        return ops.relu(x) if negative_slope == 0 else ops.leaky_relu(x, negative_slope)
    below = ops.multiply(ops.subtract(x, threshold), negative_slope)
    y = ops.where(ops.less(x, threshold), below, x)
    return y if max_value is None else ops.minimum(y, max_value)


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
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "swish": swish,
    "tanh": tanh,
    "tanh_shrink": tanh_shrink,
    "threshold": threshold,
}


def get(identifier: Any) -> Function:
    """A function by name, or as itself; `linear` for None.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    if identifier is None:
        return linear
    function: Function = resolved("activation", identifier, known)
    return function


def serialize(activation: Function) -> Any:
    """A function as files name it."""
    from refnet.saving.serialization import serialized

    return serialized(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A function from what `serialize` gave.

    Args:
        config: the name, or a config.
        custom_objects: {name: function} of the user's.

    >>> deserialize(serialize(mish)).__name__
    'mish'
    """
    from refnet.registration import custom_object_scope

    with custom_object_scope(custom_objects):
        return get(config)
