"""A function with a gradient of its own."""

import functools
from collections.abc import Callable
from typing import Any

from refnet.annotations import TensorLike
from refnet.definition import Op, Spec
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Node, Tensor, as_tensor
from refnet.ops.arguments import is_symbolic
from refnet.structure import flatten


def _rule(y: Spec, *xs: Spec, gradient: Callable[..., Any]) -> Spec:
    return Spec(tuple(y.shape), y.dtype)


def _gradient(node: Node, dy: Tensor) -> list[Tensor | None]:
    _, *xs = node.inputs
    slopes = flatten(node.attributes["gradient"](dy))
    if len(slopes) != len(xs):
        raise ArgumentError(f"custom_gradient: the function has {len(xs)} arguments; its gradient gave {len(slopes)}.")
    for x, dx in zip(xs, slopes):
        if dx is not None and len(dx.shape) != len(x.shape):
            raise ShapeError(
                f"custom_gradient: the gradient for an argument of shape {x.shape} must have that shape; got {dx.shape}."
            )
    return [None, *(None if dx is None else as_tensor(dx, x.dtype) for x, dx in zip(xs, slopes))]


with_gradient = Op("with_gradient", _rule, expand=lambda y, *xs, gradient: y, gradient=_gradient)


def custom_gradient(f: Callable[..., tuple[TensorLike, Callable[..., Any]]]) -> Callable[..., TensorLike]:
    """A function whose gradient is written by hand.

    Args:
        f: takes tensors or arrays; gives a result y and a function `gradient(upstream)`, which gives, for each argument of f, what
            flows to it when `upstream` flows into y. It may also take `*args, upstream=None`, as Keras writes it.
    Returns:
        A function of the same arguments that gives y.
    Raises:
        ArgumentError: a gradient with another number of parts than f has arguments.  ShapeError: a part of another rank.
    Source: Keras 3 `ops.custom_gradient`.

    >>> from refnet import grad, ops
    >>> @custom_gradient
    ... def straight_through(x):
    ...     return ops.round(x), lambda upstream: upstream
    >>> grad(lambda x: ops.sum(straight_through(x) * 3.0))(1.6)
    array(3., dtype=float32)
    """

    @functools.wraps(f)
    def wrapped(*args: TensorLike) -> TensorLike:
        result, gradient = f(*args)
        if not any(is_symbolic(x) or isinstance(x, Tensor) for x in [result, *args]):
            return result
        inputs = (as_tensor(result), *(as_tensor(x) for x in args))
        return Node(with_gradient, inputs, {"gradient": gradient}).outputs[0]

    return wrapped
