"""Statistics along axes, written with sums: mean, variance, deviation, and the logarithm of a sum of exponentials."""

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.ops.arguments import checked_axes, converted, dtype_of, floating, shape_of


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
    count = ops.cast(1, dtype_of(x))
    for extent in (ops.shape(x)[axis] for axis in axes):
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

    >>> std([1.0, 3.0])
    array(1., dtype=float32)
    """
    x = converted("std", x)
    dtype = dtype_of(x) if dtypes.is_floating(dtype_of(x)) else dtypes.floatx()
    return ops.cast(ops.sqrt(variance(x, axis, keepdims)), dtype)


def logsumexp(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """The logarithm of the sum of exponentials along axes.

        y[o, i] = ln(sum over r of  e**x[o, r, i])

    computed with the largest element taken off first, so that nothing overflows.

    Args:
        x: an array or tensor; integers and bools take the default floating dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype. -inf where all are -inf; inf where one is inf.
    NaN: any NaN gives NaN. Empty: an error.
    Raises:
        ShapeError: no element along a reduced axis.
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.logsumexp`.

    >>> logsumexp([1000.0, 1000.0])
    array(1000.6932, dtype=float32)
    """
    x = floating("logsumexp", x)
    axes = checked_axes("logsumexp", axis, len(shape_of(x)))
    largest = ops.stop_gradient(ops.max(x, axes, keepdims=True))
    shift = ops.where(ops.isfinite(largest), largest, 0)
    y = ops.add(ops.log(ops.sum(ops.exp(ops.subtract(x, shift)), axes, keepdims=True)), shift)
    return y if keepdims or not axes else ops.squeeze(y, axes)
