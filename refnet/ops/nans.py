"""Reductions that leave NaN out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.errors import called_as
from refnet.ops.arguments import as_dtype, checked_axes, converted, dtype_of, shape_of
from refnet.ops.quantiles import ordered_at
from refnet.ops.statistics import wide_enough
from refnet.tracing import trace


def without(op: str, x: TensorLike, instead: float) -> tuple[TensorLike, TensorLike | None]:
    """x with NaN replaced, and where it was; None where there can be none."""
    x = converted(op, x)
    if not dtypes.is_floating(dtype_of(x)):
        return x, None
    lost = ops.isnan(x)
    return ops.where(lost, instead, x), lost


@called_as("nansum", "sum")
def nansum(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The sum of the elements along axes that are not NaN. See `sum`.

    Args:
        x, axis, keepdims: as in `sum`.
    Returns:
        As `sum`.
    NaN: left out; 0 where nothing else is. inf and -inf together give NaN. Empty: 0. A NaN's gradient is 0.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.nansum`.

    >>> nansum([[1.0, float("nan")], [3.0, 4.0]], axis=0)
    array([4., 4.], dtype=float32)
    """
    return ops.sum(without("nansum", x, 0.0)[0], axis, keepdims)


@called_as("nanprod", "prod")
def nanprod(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The product of the elements along axes that are not NaN. See `prod`.

    Args:
        x, axis, keepdims: as in `prod`.
    Returns:
        As `prod`.
    NaN: left out; 1 where nothing else is. 0 and inf together give NaN. Empty: 1. A NaN's gradient is 0.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.nanprod`.

    >>> nanprod([2.0, float("nan"), 3.0])
    array(6., dtype=float32)
    """
    return ops.prod(without("nanprod", x, 1.0)[0], axis, keepdims)


@called_as("nancumsum", "cumsum")
def nancumsum(x: TensorLike, axis: int | None = None, dtype: str | None = None) -> Array:
    """The running sums along an axis, NaN counted as 0. See `cumsum`.

    Args:
        x, axis, dtype: as in `cumsum`.
    Returns:
        As `cumsum`.
    NaN: adds nothing. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.nancumsum`.

    >>> nancumsum([1.0, float("nan"), 3.0])
    array([1., 1., 4.], dtype=float32)
    """
    return ops.cumsum(without("nancumsum", x, 0.0)[0], axis, dtype)


@called_as("nancumprod", "cumprod")
def nancumprod(x: TensorLike, axis: int | None = None, dtype: str | None = None) -> Array:
    """The running products along an axis, NaN counted as 1. See `cumprod`.

    Args:
        x, axis, dtype: as in `cumprod`.
    Returns:
        As `cumprod`.
    NaN: changes nothing. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.nancumprod`.

    >>> nancumprod([2.0, float("nan"), 3.0])
    array([2., 2., 6.], dtype=float32)
    """
    return ops.cumprod(without("nancumprod", x, 1.0)[0], axis, dtype)


@called_as("nanmax", "max", "all")
def nanmax(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The largest element along axes that is not NaN. See `max`.

    Args:
        x, axis, keepdims: as in `max`.
    Returns:
        x's dtype.
    Ties: the first gets the gradient. NaN: left out; NaN where nothing else is. Empty: an error.
    Raises:
        ShapeError: no element along a reduced axis.  ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.nanmax`.

    >>> nanmax([[1.0, float("nan")], [3.0, 2.0]], axis=1)
    array([1., 3.], dtype=float32)
    """
    return nan_extremum("nanmax", ops.max, -np.inf, x, axis, keepdims)


@called_as("nanmin", "min", "all")
def nanmin(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The smallest element along axes that is not NaN. See `min`.

    Args:
        x, axis, keepdims: as in `min`.
    Returns:
        x's dtype.
    Ties: the first gets the gradient. NaN: left out; NaN where nothing else is. Empty: an error.
    Raises:
        ShapeError: no element along a reduced axis.  ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.nanmin`.

    >>> nanmin([[1.0, float("nan")], [3.0, 2.0]], axis=1)
    array([1., 2.], dtype=float32)
    """
    return nan_extremum("nanmin", ops.min, np.inf, x, axis, keepdims)


def nan_extremum(
    name: str, pick: Callable[..., Array], worst: float, x: TensorLike, axis: Any, keepdims: bool
) -> TensorLike:
    x, lost = without(name, x, worst)
    y = pick(x, axis, keepdims)
    return y if lost is None else ops.where(ops.all(lost, axis, keepdims), float("nan"), y)


@called_as("nanargmax", "argmax")
def nanargmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Array:
    """Where the largest element along an axis stands that is not NaN. See `argmax`.

    Args:
        x, axis, keepdims: as in `argmax`.
    Returns:
        int32; -1 where all are NaN.
    Ties: the first. NaN: left out. Empty: an error.
    Raises:
        ShapeError: no element along the axis.  ArgumentError: no such axis.
    Source: Keras 3 `ops.nanargmax`.

    >>> nanargmax([[1.0, float("nan")], [3.0, 5.0]], axis=1)
    array([0, 1], dtype=int32)
    """
    return nan_place("nanargmax", ops.argmax, -np.inf, x, axis, keepdims)


@called_as("nanargmin", "argmin")
def nanargmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Array:
    """Where the smallest element along an axis stands that is not NaN. See `argmin`.

    Args:
        x, axis, keepdims: as in `argmin`.
    Returns:
        int32; -1 where all are NaN.
    Ties: the first. NaN: left out. Empty: an error.
    Raises:
        ShapeError: no element along the axis.  ArgumentError: no such axis.
    Source: Keras 3 `ops.nanargmin`.

    >>> nanargmin([[1.0, float("nan")], [3.0, 5.0]], axis=1)
    array([0, 0], dtype=int32)
    """
    return nan_place("nanargmin", ops.argmin, np.inf, x, axis, keepdims)


def nan_place(
    name: str, pick: Callable[..., Array], worst: float, x: TensorLike, axis: Any, keepdims: bool
) -> TensorLike:
    x, lost = without(name, x, worst)
    y = ops.cast(pick(x, axis, keepdims), "int32")
    return y if lost is None else ops.where(ops.all(lost, axis, keepdims), -1, y)


# ---- means


def kept_mean(x: TensorLike, lost: TensorLike | None, axes: tuple[int, ...], keepdims: bool) -> TensorLike:
    """The mean of what is not lost; x is 0 where it is."""
    if lost is None:
        return ops.mean(x, axes, keepdims)
    count = ops.sum(ops.cast(ops.logical_not(lost), dtype_of(x)), axes, keepdims)
    return ops.divide(ops.sum(x, axes, keepdims), count)


def nanmean(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The mean of the elements along axes that are not NaN. See `mean`.

    Args:
        x, axis, keepdims: as in `mean`.
    Returns:
        As `mean`.
    NaN: left out; NaN where nothing else is. Empty: NaN. A NaN's gradient is 0.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.nanmean`.

    >>> nanmean([[1.0, float("nan")], [3.0, 4.0]], axis=0)
    array([2., 4.], dtype=float32)
    """
    x, lost = without("nanmean", x, 0.0)
    dtype = dtype_of(x) if lost is not None else "float32"
    axes = checked_axes("nanmean", axis, len(shape_of(x)))
    return as_dtype(kept_mean(wide_enough(x), lost, axes, keepdims), dtype)


def nanvar(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The variance of the elements along axes that are not NaN. See `var`.

    Args:
        x, axis, keepdims: as in `var`.
    Returns:
        As `var`.
    NaN: left out; NaN where nothing else is. Empty: NaN.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.nanvar`.

    >>> nanvar([1.0, float("nan"), 3.0])
    array(1., dtype=float32)
    """
    return as_dtype(kept_variance("nanvar", x, axis, keepdims), result_dtype(x))


def nanstd(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The standard deviation of the elements along axes that are not NaN: the square root of `nanvar`.

    Args:
        x, axis, keepdims: as in `std`.
    Returns:
        As `std`. Where it is 0, the gradient is NaN.
    NaN: left out; NaN where nothing else is. Empty: NaN.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.nanstd`.

    >>> nanstd([1.0, float("nan"), 3.0])
    array(1., dtype=float32)
    """
    return as_dtype(ops.sqrt(kept_variance("nanstd", x, axis, keepdims)), result_dtype(x))


def result_dtype(x: TensorLike) -> str:
    dtype = dtype_of(converted("nanvar", x))
    return dtype if dtypes.is_floating(dtype) else dtypes.floatx()


def kept_variance(op: str, x: TensorLike, axis: Any, keepdims: bool) -> TensorLike:
    x, lost = without(op, x, 0.0)
    x, axes = wide_enough(x), checked_axes(op, axis, len(shape_of(x)))
    distance = ops.subtract(x, kept_mean(x, lost, axes, True))
    if lost is not None:
        distance = ops.where(lost, 0.0, distance)
    return kept_mean(ops.square(distance), lost, axes, keepdims)


# ---- quantiles


@trace.inside(composite="nanquantile")
def nanquantile(
    x: TensorLike, q: TensorLike, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Array:
    """What stands at the part q of the way through the elements along axes that are not NaN. See `quantile`.

    Args:
        x, q, axis, method, keepdims: as in `quantile`.
    Returns:
        As `quantile`.
    NaN: left out; NaN where nothing else is. Empty: an error.
    Raises: as `quantile`.
    Source: Keras 3 `ops.nanquantile`.

    >>> nanquantile([1.0, float("nan"), 2.0, 4.0], 0.5)
    array(2., dtype=float32)
    """
    return ordered_at("nanquantile", x, q, axis, method, keepdims, skip=True)


@trace.inside(composite="nanpercentile")
def nanpercentile(
    x: TensorLike, q: TensorLike, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Array:
    """`nanquantile` in hundredths.

    Args:
        x, axis, method, keepdims: as in `quantile`.
        q: parts in 0..100.
    Returns:
        As `quantile`.
    NaN: left out; NaN where nothing else is. Empty: an error.
    Raises: as `quantile`.
    Source: Keras 3 `ops.nanpercentile`.

    >>> nanpercentile([1.0, float("nan"), 2.0, 4.0], 50)
    array(2., dtype=float32)
    """
    return ordered_at("nanpercentile", x, q, axis, method, keepdims, whole=100, skip=True)


@trace.inside(composite="nanmedian")
def nanmedian(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The middle of the elements along axes that are not NaN. See `median`.

    Args:
        x, axis, keepdims: as in `median`.
    Returns:
        As `median`.
    NaN: left out; NaN where nothing else is. Empty: an error.
    Raises: as `median`.
    Source: Keras 3 `ops.nanmedian`.

    >>> nanmedian([[1.0, float("nan"), 3.0], [1.0, 2.0, 9.0]], axis=1)
    array([2., 2.], dtype=float32)
    """
    return ordered_at("nanmedian", x, 0.5, axis, "linear", keepdims, skip=True)
