"""Rounding: whole numbers, and numbers in the place of what is none."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, TensorLike
from refnet.errors import ArgumentError
from refnet.ops.arguments import as_dtype, converted, dtype_of, floating, number
from refnet.ops.elementwise import elementwise
from refnet.scalars import ceil as ieee_ceil
from refnet.scalars import floor as ieee_floor
from refnet.scalars import nearest
from refnet.scalars import trunc as ieee_trunc


def floor(x: TensorLike) -> Array:
    """The largest whole number not above x.

        y[i] = max of the whole k <= x[i]

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. Infinities and signed zeros stay. The gradient is 0 everywhere.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.floor`.

    >>> floor([1.5, -1.5])
    array([ 1., -2.], dtype=float32)
    """
    return floor_op(floating("floor", x))


def floor_scalar(x: Number) -> Number:
    return ieee_floor(x)


def ceil(x: TensorLike) -> Array:
    """The smallest whole number not below x.

        y[i] = min of the whole k >= x[i]

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. Infinities and signed zeros stay; -0.5 gives -0.0. The gradient is 0 everywhere.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.ceil`.

    >>> ceil([1.5, -1.5])
    array([ 2., -1.], dtype=float32)
    """
    return ceil_op(floating("ceil", x))


def ceil_scalar(x: Number) -> Number:
    return ieee_ceil(x)


def trunc(x: TensorLike) -> Array:
    """The whole number next to x, towards zero.

        y[i] = floor(x[i]) if x[i] >= 0 else ceil(x[i])

    Args:
        x: an array, tensor or number; integers and bools stay as they are.
    Returns:
        x's shape and dtype. Infinities and signed zeros stay; -0.5 gives -0.0. The gradient is 0 everywhere.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.trunc`.

    >>> trunc([1.5, -1.5])
    array([ 1., -1.], dtype=float32)
    """
    x = converted("trunc", x)
    return trunc_op(x) if dtypes.is_floating(dtype_of(x)) else ops.unary.same(x)


def trunc_scalar(x: Number) -> Number:
    return ieee_trunc(x)


def round(x: TensorLike, decimals: int = 0) -> Array:
    """The nearest number with so many decimals, the even one of two.

        y[i] = the whole k nearest to x[i] * 10**decimals, the even one of two, / 10**decimals

    Args:
        x: an array, tensor or number. Integers and bools stay as they are, unless decimals is negative.
        decimals: how many digits stay after the point; negative ones count before it.
    Returns:
        x's shape and dtype. Infinities and signed zeros stay. The gradient is 0 everywhere.
    NaN: stays; where x[i] * 10**decimals overflows, the result is infinite. Empty: an empty result.
    Raises:
        ArgumentError: decimals that is no integer.
    Source: Keras 3 `ops.round`; NumPy.

    >>> round([0.5, 1.5, -2.5])
    array([ 0.,  2., -2.], dtype=float32)
    >>> round([1234, 1250], -2)
    array([1200, 1200])
    """
    x = converted("round", x)
    if isinstance(decimals, bool) or not isinstance(decimals, (int, np.integer)):
        raise ArgumentError(f"round: decimals must be an integer; got {decimals!r}.")
    if not -309 < decimals < 309:
        raise ArgumentError(f"round: 10**decimals must be a float; got decimals {decimals}.")
    dtype = dtype_of(x)
    if not dtypes.is_floating(dtype):
        return ops.unary.same(x) if decimals >= 0 else as_dtype(round(as_dtype(x, "float64"), decimals), dtype)
    if decimals == 0:
        return round_op(x)
    scale = 10.0 ** (decimals if decimals > 0 else -decimals)
    if decimals > 0:
        return ops.divide(round_op(ops.multiply(x, scale)), scale)
    return ops.multiply(round_op(ops.divide(x, scale)), scale)


def round_scalar(x: Number) -> Number:
    return nearest(x)


floor_op = elementwise("floor", floor_scalar)
ceil_op = elementwise("ceil", ceil_scalar)
trunc_op = elementwise("trunc", trunc_scalar)
round_op = elementwise("round", round_scalar)


def nan_to_num(x: TensorLike, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """x with numbers in the place of NaN and of the infinities.

        y[i] = nan if x[i] is NaN, posinf if it is inf, neginf if it is -inf, else x[i]

    Args:
        x: an array, tensor or number of any dtype; integers and bools stay as they are.
        nan, posinf, neginf: the numbers; for None the largest and the lowest finite number of the dtype.
    Returns:
        x's shape and dtype. No gradient flows where x was replaced.
    Empty: an empty result.
    Source: Keras 3 `ops.nan_to_num`.

    >>> nan_to_num([float("nan"), float("inf"), 1.0], posinf=9.0)
    array([0., 9., 1.], dtype=float32)
    """
    x = converted("nan_to_num", x)
    dtype = dtype_of(x)
    if not dtypes.is_floating(dtype):
        return ops.unary.same(x)
    high = largest(dtype) if posinf is None else posinf
    low = -largest(dtype) if neginf is None else neginf
    x = ops.where(ops.isnan(x), number("nan_to_num", nan, "nan"), x)
    x = ops.where(ops.equal(x, np.inf), number("nan_to_num", high, "high"), x)
    return ops.where(ops.equal(x, -np.inf), number("nan_to_num", low, "low"), x)


def largest(dtype: str) -> float:
    """The largest finite number of a floating dtype."""
    if dtype == "bfloat16":
        import ml_dtypes

        return float(ml_dtypes.finfo(dtype).max)
    return float(np.finfo(dtype).max)
