"""Sparsemax: the point of the probability simplex nearest to a lane of scores."""

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Op
from refnet.graph import Node
from refnet.ops.activation import along, lane_form, lane_rule
from refnet.ops.arguments import floating
from refnet.scalars import NAN, divide


def sparsemax(x: TensorLike, axis: int = -1) -> Array:
    """Scores as probabilities that sum to one along an axis, many of them exactly zero.

        y[o, r, i] = max(x[o, r, i] - tau, 0),  tau such that the lane sums to 1

    tau is the mean of the lane's support less 1 / its size; x[r] is in the support if 1 + k x[r] exceeds the sum of the k
    elements that are not smaller than it.

    Args:
        x: an array or tensor with axes; integers and bools take the default floating dtype.
        axis: one axis, several (together they are one lane), or None for all.
    Returns:
        x's shape and dtype.
    Ties: equal scores get equal shares. On the edge of the support the gradient is 0.
    NaN: a lane with NaN or inf, or of -inf alone, is all NaN. Empty: an empty result.
    Raises:
        ArgumentError: a number without axes, or an axis that x does not have.
    Source: Martins and Astudillo 2016; Keras 3 `ops.sparsemax`.

    >>> sparsemax([0.5, 1.0, -3.0])
    array([0.25, 0.75, 0.  ], dtype=float32)
    """
    return along(sparsemax_op, "sparsemax", floating("sparsemax", x), axis)


def sparsemax_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        size = 0
        total = 0
        spoiled = False
        for r in range(x.shape[1]):
            spoiled = spoiled or x[o, r, i] != x[o, r, i]
            k = 0
            upper = 0
            for j in range(x.shape[1]):
                if x[o, j, i] >= x[o, r, i]:
                    k += 1
                    upper += x[o, j, i]
            if 1 + k * x[o, r, i] > upper:
                size += 1
                total += x[o, r, i]
        for r in range(x.shape[1]):
            y[o, r, i] = share(x[o, r, i], total, size) if size > 0 and not spoiled else NAN


def share(score: float, total: float, size: int) -> float:
    rest = score - divide(total - 1, size)
    return 0 if rest <= 0 else rest


def sparsemax_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    """Inside the support dy less its mean there; zero outside."""
    y, axis = node.outputs[0], node.attributes["axis"]
    inside = ops.greater(y, 0)
    size = ops.sum(ops.where(inside, ops.ones_like(y), 0), axis, keepdims=True)
    mean = ops.divide(ops.sum(ops.where(inside, dy, 0), axis, keepdims=True), size)
    return [ops.where(inside, ops.subtract(dy, mean), 0)]


sparsemax_op = Op("sparsemax", lane_rule, loop=sparsemax_loop, form=lane_form, gradient=sparsemax_gradient)
