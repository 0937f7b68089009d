"""A function with a gradient of its own; and the derivative of one along a direction."""

import functools
from collections.abc import Callable
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.definition import Op, Spec
from refnet.errors import ArgumentError, ShapeError
from refnet.gradients import reverse
from refnet.graph import Node, Tensor, as_tensor
from refnet.ops.arguments import flag, floating, is_symbolic, shape_of
from refnet.ops.control import same_structure
from refnet.structure import flatten, packed


def _rule(y: Spec, *xs: Spec, gradient: Callable[..., Any]) -> Spec:
    return Spec(tuple(y.shape), y.dtype)


def _gradient(node: Node, dy: Tensor) -> list[Tensor | None]:
    _, *xs = node.inputs
    gradients = flatten(node.attributes["gradient"](dy))
    if len(gradients) != len(xs):
        raise ArgumentError(
            f"custom_gradient: the function has {len(xs)} arguments; its gradient gave {len(gradients)}."
        )
    for x, dx in zip(xs, gradients):
        if dx is not None and len(dx.shape) != len(x.shape):
            raise ShapeError(
                f"custom_gradient: the gradient for an argument of shape {x.shape} must have that shape; got {dx.shape}."
            )
    return [None, *(None if dx is None else as_tensor(dx, x.dtype) for x, dx in zip(xs, gradients))]


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


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """A function's value, and how it changes when its arguments move.

        t = sum over k of  (d fun / d primals[k]) tangents[k]

    the derivative, with respect to u, of the gradient of u fun(x) times the tangents: that gradient is linear in u.

    Args:
        fun: a function of arrays; it gives an array, or a list, tuple or dict of some; with `has_aux` a pair of that and anything else.
        primals: a tuple or list of its arguments: floating arrays, tensors or numbers, or structures of such.
        tangents: how they move, in the same structure and shapes.
        has_aux: whether the function gives a pair.
    Returns:
        (value, t), t built like the value; with `has_aux` (value, t, what else it gave).
    Ties, NaN: as in the gradients of the ops that `fun` is made of.
    Raises:
        ArgumentError: arguments and tangents that are not built alike; an op without a second derivative.  ShapeError: other shapes.
    Source: Keras 3 `ops.jvp`; Townsend 2017 (forward mode from twice reverse).

    >>> jvp(lambda x: x * x, (np.array([1.0, 3.0]),), (np.array([1.0, 10.0]),))
    (array([1., 9.]), array([ 2., 60.]))
    """
    from refnet.functions import jit

    if not callable(fun) or not all(isinstance(v, (tuple, list)) for v in (primals, tangents)):
        raise ArgumentError("jvp takes a function, and tuples or lists of its arguments and of how they move.")
    same_structure("jvp", list(primals), list(tangents))
    xs, vs = (
        [floating("jvp", x, name) for x in flatten(list(v))]
        for v, name in ((primals, "primals"), (tangents, "tangents"))
    )
    for x, v in zip(xs, vs):
        if tuple(shape_of(x)) != tuple(shape_of(v)):
            raise ShapeError(
                f"jvp: a tangent of shape {tuple(shape_of(v))} does not move an argument of {tuple(shape_of(x))}."
            )
    aux = flag("jvp", has_aux, "has_aux")

    def both(points: list[Tensor], moves: list[Tensor]) -> tuple[Any, ...]:
        given = [ops.unary.same(x) for x in points]
        result = fun(*packed(list(primals), given))
        value = result[0] if aux else result
        ys = [as_tensor(y) for y in flatten(value)]
        seeds = [ops.unary.same(ops.zeros_like(y)) for y in ys]
        gradients = reverse(ys, seeds, given, None)
        total = sum((ops.sum(ops.multiply(g, v)) for g, v in zip(gradients, moves) if g is not None), ops.zeros(()))
        one = ops.unary.same(ops.ones_like(total))
        found = reverse([total], [one], seeds, None) if isinstance(total, Tensor) else [None] * len(ys)
        changes = packed(value, [ops.zeros_like(y) if t is None else t for y, t in zip(ys, found)])
        return (value, changes, result[1]) if aux else (value, changes)

    result: tuple[Any, ...] = jit(both)(xs, vs)
    return result
