"""Statistics along axes: mean, variance, deviation, norms, and the logarithm of a sum of exponentials."""

import math

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Op
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.graph import Node
from refnet.ops.activation import largest
from refnet.ops.arguments import (
    checked_axes,
    converted,
    dtype_of,
    floating,
    is_symbolic,
    number,
    shape_of,
    together_as_floats,
)
from refnet.ops.loss import compatible
from refnet.ops.reduction import reduce, reduced_form, reduced_rule, repeated_back
from refnet.scalars import INF, exp, log


def mean(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """The mean of the elements along axes.

        y[o, i] = (sum over r of  x[o, r, i]) / R

    Args:
        x: an array or tensor; bool and integers are averaged as float32.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype, or float32. float16 and bfloat16 are summed in float32, where they do not overflow.
    NaN: any NaN gives NaN. Empty: NaN.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.mean`.

    >>> mean([[1, 2], [3, 4]], axis=0)
    array([2., 3.], dtype=float32)
    """
    x = converted("mean", x)
    dtype = dtype_of(x) if dtypes.is_floating(dtype_of(x)) else "float32"
    x = wide_enough(x)
    axes = checked_axes("mean", axis, len(shape_of(x)))
    return ops.cast(ops.divide(ops.sum(x, axes, keepdims), number_of_elements(x, axes)), dtype)


def wide_enough(x: TensorLike) -> TensorLike:
    """x as float64 if it is that, else as float32."""
    return x if dtype_of(x) == "float64" else ops.cast(x, "float32")


def number_of_elements(x: TensorLike, axes: tuple[int, ...]) -> TensorLike:
    """How many elements each reduction over the axes meets, in x's dtype; a tensor while a dimension is open."""
    extents = [ops.shape(x)[axis] for axis in axes]
    if not is_symbolic(*extents):
        kind = dtypes.as_numpy(dtype_of(x)).type  # each product rounded, as below
        return np.asarray(math.prod(map(kind, extents), start=kind(1)))
    count = ops.cast(1, dtype_of(x))
    for extent in extents:
        count = ops.multiply(count, ops.cast(extent, dtype_of(x)))
    return count


def var(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """The variance of the elements along axes: the mean squared distance from their mean.

        y[o, i] = (sum over r of  (x[o, r, i] - m[o, i])**2) / R,   m the mean

    Args:
        x: an array or tensor; bool and integers take the default floating dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype, or the default one. float16 and bfloat16 are computed in float32.
    NaN: any NaN or infinity gives NaN. Empty: NaN.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.var`.

    >>> var([1.0, 3.0])
    array(1., dtype=float32)
    """
    x = converted("var", x)
    dtype = dtype_of(x) if dtypes.is_floating(dtype_of(x)) else dtypes.floatx()
    return ops.cast(variance(x, axis, keepdims), dtype)


def variance(x: TensorLike, axis: TensorLike, keepdims: bool) -> TensorLike:
    x = wide_enough(x)
    axes = checked_axes("var", axis, len(shape_of(x)))
    distance = ops.subtract(x, mean(x, axes, keepdims=True))
    return mean(ops.square(distance), axes, keepdims)


def std(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """The standard deviation: the square root of `var`. Where it is 0, the gradient is NaN.

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype; bool and integers the default floating dtype. float16 and bfloat16 are computed in float32.
    NaN: any NaN or infinity gives NaN. Empty: NaN.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.std`.

    >>> std([1.0, 3.0])
    array(1., dtype=float32)
    """
    x = converted("std", x)
    dtype = dtype_of(x) if dtypes.is_floating(dtype_of(x)) else dtypes.floatx()
    return ops.cast(ops.sqrt(variance(x, axis, keepdims)), dtype)


@called_as("moments", "mean")
def moments(x: TensorLike, axes: TensorLike, keepdims: bool = False, synchronized: bool = False) -> tuple[Array, Array]:
    """The mean and the variance of the elements along axes (see `mean` and `var`).

    Args:
        x: an array or tensor; bool and integers take the default floating dtype.
        axes: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
        synchronized: across devices; there is one, so that it changes nothing.
    Returns:
        (mean, variance) in x's dtype. float16 and bfloat16 are computed in float32.
    NaN: any NaN gives NaN. Empty: NaN.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.moments`.

    >>> moments([1.0, 3.0], axes=[0])
    (array(2., dtype=float32), array(1., dtype=float32))
    """
    x = floating("moments", x)
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def average(x: TensorLike, axis: TensorLike = None, weights: TensorLike = None) -> Array:
    """The mean of the elements along axes, each counted by its weight.

        y[o, i] = (sum over r of  x[o, r, i] * w[o, r, i]) / (sum over r of  w[o, r, i])

    Args:
        x: an array or tensor; bool and integers take the default floating dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        weights: in x's shape, or one for each place along the one axis; None for `mean`.
    Returns:
        The promoted floating dtype.
    NaN: any NaN gives NaN, as do weights whose sum is 0 where the sum above is. Empty: NaN.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.  ShapeError: weights of another shape.
    Source: Keras 3 `ops.average`.

    >>> average([[1.0, 2.0], [3.0, 4.0]], axis=1, weights=[3.0, 1.0])
    array([1.25, 3.25], dtype=float32)
    """
    if weights is None:
        return mean(floating("average", x), axis)
    x, weights = together_as_floats("average", converted("average", x), converted("average", weights, "weights"))
    shape, given, axes = shape_of(x), shape_of(weights), checked_axes("average", axis, len(shape_of(x)))
    if len(given) == 1 and len(axes) == 1 and compatible(given, (shape[axes[0]],)):
        others = tuple(a for a in range(len(shape)) if a not in axes)
        weights = ops.shapes.broadcast_like(ops.expand_dims(weights, others), x)
    elif not compatible(given, shape):
        raise ShapeError(
            f"average needs weights in x's shape {shape}, or one for each place along one axis; got weights of shape "
            f"{given} and axis {axis}."
        )
    return ops.divide(ops.sum(ops.multiply(x, weights), axes), ops.sum(weights, axes))


def norm(x: TensorLike, ord: TensorLike = None, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """The norm of vectors, or of matrices.

        of a vector: y[o] = (sum over r of  |x[o, r]|**ord)**(1 / ord),   2 if ord is None

    inf and -inf: the largest and the smallest |x[o, r]|; 0: how many are not 0.
    Of a matrix: 'fro' (or None) the root of the sum of all squares; 1 and -1 the largest and smallest sum of absolute values
    of a column, inf and -inf of a row.

    Args:
        x: an array or tensor; bool and integers take the default floating dtype.
        ord: which norm.
        axis: the axis of the vectors, or the two of the matrices; None for all of x, which without `ord` may have any rank.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype. Where a 2-norm or 'fro' is 0, the gradient is NaN. float16 and bfloat16 are computed in float32.
    NaN: any NaN gives NaN (but ord 0 counts it). Empty: 0; an error where the largest or smallest is asked for.
    Raises:
        ArgumentError: axes that x does not have, or more than two; an ord that is not defined for them. The matrix norms 2, -2
        and 'nuc' need singular values, which refnet does not compute.
    Source: Keras 3 `ops.norm`.

    >>> norm([[3.0, -4.0], [0.0, 1.0]], axis=1)
    array([5., 1.], dtype=float32)
    >>> norm([[3.0, -4.0], [0.0, 1.0]], ord=1)
    array(5., dtype=float32)
    """
    x = floating("norm", x)
    rank = len(shape_of(x))
    axes = checked_axes("norm", axis, rank)
    if not (ord is None or isinstance(ord, str)):
        number("norm", ord, "ord")
    wide, size = wide_enough(x), ops.abs(wide_enough(x))
    if (
        ord is None
        and (axis is None or len(axes) <= 2)
        or ord == "fro"
        and len(axes) == 2
        or ord == 2
        and len(axes) == 1
    ):
        y = ops.sqrt(ops.sum(ops.square(wide), axes, keepdims))
    elif len(axes) == 1 and not isinstance(ord, str):
        y = vector_norm(size, ord, axes, keepdims)
    elif len(axes) == 2 and ord in (1, -1, INF, -INF):
        rows, columns = (a % rank for a in (axis if axis is not None else (0, 1)))
        inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
        pick = ops.max if ord > 0 else ops.min
        y = pick(ops.sum(size, inner, keepdims=True), outer, keepdims=True)
        y = y if keepdims else ops.squeeze(y, axes)
    else:
        raise ArgumentError(
            f"norm: ord {ord!r} is not defined for axis {axis} of an array with {rank} axes; vectors (one axis) take any "
            f"number, matrices (two) 'fro', 1, -1, inf and -inf."
        )
    return ops.cast(y, dtype_of(x))


def vector_norm(size: TensorLike, ord: float, axes: tuple[int, ...], keepdims: bool) -> TensorLike:
    if ord in (INF, -INF):
        return (ops.max if ord > 0 else ops.min)(size, axes, keepdims)
    if ord == 0:
        return ops.sum(ops.cast(ops.not_equal(size, 0), dtype_of(size)), axes, keepdims)
    if ord == 1:
        return ops.sum(size, axes, keepdims)
    return ops.power(ops.sum(ops.power(size, ord), axes, keepdims), 1 / ord)


def logsumexp(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """The logarithm of the sum of exponentials along axes.

        y[o, i] = ln(sum over r of  e**x[o, r, i])

    computed with the largest element taken off first, so that nothing overflows.

    Args:
        x: an array or tensor; integers and bools take the default floating dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype. -inf where all are -inf; inf where one is inf. There the gradient is NaN.
    NaN: any NaN gives NaN. Empty: an error.
    Raises:
        ShapeError: no element along a reduced axis.
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.logsumexp`.

    >>> logsumexp([1000.0, 1000.0])
    array(1000.6932, dtype=float32)
    """
    return reduce(logsumexp_op, "logsumexp", floating("logsumexp", x), axis, keepdims)


def logsumexp_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        best = largest(x, o, i)
        if not -INF < best < INF:
            best = 0  # inf - inf would be NaN
        total = 0
        for r in range(x.shape[1]):
            total += exp(x[o, r, i] - best)
        y[o, i] = best + log(total)


def logsumexp_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    (x,), (y,) = node.inputs, node.outputs
    share = ops.exp(ops.subtract(x, repeated_back(y, x, **node.attributes)))
    return [ops.multiply(repeated_back(dy, x, **node.attributes), share)]


logsumexp_op = Op(
    "logsumexp",
    reduced_rule("logsumexp", some=True),
    loop=logsumexp_loop,
    form=reduced_form,
    gradient=logsumexp_gradient,
)
