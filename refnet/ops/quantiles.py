"""Quantiles: what stands at a given part of the way through the elements in order."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.ops.arguments import as_dtype, checked_axes, converted, dtype_of, flag, floating, is_symbolic, shape_of
from refnet.ops.statistics import wide_enough
from refnet.tracing import trace

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@trace.inside(composite="median")
def median(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The element in the middle of the order along axes, or the mean of the two in the middle.

        y = quantile(x, 1/2, axis)

    Args:
        x: an array or tensor; bool and integers take the default floating dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype, or the default one.
    Ties: see `quantile`. NaN: any NaN gives NaN. Empty: an error.
    Raises:
        ShapeError: nothing to choose from.  ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.median`.

    >>> median([[1, 5, 2], [4, 3, 9]], axis=1)
    array([2., 4.], dtype=float32)
    >>> median([1, 2, 3, 4])
    array(2.5, dtype=float32)
    """
    return ordered_at("median", x, 0.5, axis, "linear", keepdims)


@trace.inside(composite="quantile")
def quantile(x: TensorLike, q: TensorLike, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Array:
    """What stands at the part q of the way through the elements in ascending order along axes.

        y[k, o] = s[o, l] + (s[o, l + 1] - s[o, l]) * (p - l),   p = q[k] * (R - 1),  l = floor(p),  s the R elements in order

    "lower" takes s[l], "higher" s[ceil(p)], "midpoint" the mean of the two, "nearest" the one next to p, of two the even place.

    Args:
        x: an array or tensor; bool and integers take the default floating dtype.
        q: parts in 0..1: a number, or any array or tensor, whose axes come first in the result.
        axis: one axis, several, or None for all; negative axes count from the last.
        method: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype, or the default one. p is computed in float64.
    Ties: of equal elements the first in x comes first in order, and gets the gradient of its place.
    NaN: any NaN in x gives NaN. Empty: an error.
    Raises:
        ShapeError: nothing to choose from.  ArgumentError: a part outside 0..1, an unknown method, an axis that x does not have.
        DataError: a part outside 0..1 in a tensor, when the program runs.
    Source: Keras 3 `ops.quantile`; Hyndman and Fan 1996, definition 7.

    >>> quantile([1.0, 2.0, 4.0, 8.0], [0.0, 0.5, 0.75])
    array([1., 3., 5.], dtype=float32)
    """
    return ordered_at("quantile", x, q, axis, method, keepdims)


@trace.inside(composite="percentile")
def percentile(x: TensorLike, q: TensorLike, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Array:
    """`quantile` in hundredths.

    Args:
        x, axis, method, keepdims: as in `quantile`.
        q: parts in 0..100.
    Returns:
        As `quantile`.
    NaN: any NaN in x gives NaN. Empty: an error.
    Raises: as `quantile`.
    Source: Keras 3 `ops.percentile`.

    >>> percentile([1.0, 2.0, 4.0, 8.0], [0, 50])
    array([1., 3.], dtype=float32)
    """
    return ordered_at("percentile", x, q, axis, method, keepdims, whole=100)


def ordered_at(
    op: str, x: TensorLike, q: TensorLike, axis: Any, method: str, keepdims: bool, whole: int = 1, skip: bool = False
) -> TensorLike:
    """The quantiles of x at q / whole, computed for `op`; skip: without what is NaN."""
    x, parts = floating(op, x), as_dtype(converted(op, q, "q"), "float64")
    if isinstance(q, (float, list, tuple)) and not is_symbolic(parts):
        parts = np.asarray(q, "float64")  # not by way of the default dtype
    if not isinstance(method, str) or method not in METHODS:
        raise ArgumentError(f"{op}: method must be one of {', '.join(METHODS)}; got {method!r}.")
    with in_memory(op):
        known = is_symbolic(parts) or bool(np.all((parts >= 0) & (parts <= whole)))
    if not known:
        raise ArgumentError(f"{op}: q must lie in 0..{whole}; got {q!r}.")
    parts = ops.divide(parts, float(whole)) if whole != 1 else parts
    shape, axes = shape_of(x), checked_axes(op, axis, len(shape_of(x)))
    if any(shape[a] == 0 for a in axes):
        raise ShapeError(f"{op} of nothing is not defined: x has shape {tuple(shape)}.")
    lanes = in_lanes(wide_enough(x), axes)
    s = ops.sort(lanes, -1)
    last = ops.cast(ops.subtract(ops.shape(lanes)[-1], 1), "float64")
    # A part below 0 must not count from the end: it is sent beyond it, where it is found out.
    beyond = ops.less(parts, 0)
    others = tuple(range(len(shape_of(parts))))
    if skip:
        kept = ops.sum(ops.cast(ops.logical_not(ops.isnan(lanes)), "float64"), -1)
        count = ops.maximum(ops.subtract(ops.expand_dims(kept, others_last(others)), 1), 0)
        y = between(ops.where(beyond, ops.add(last, 1), ops.multiply(parts, count)), method, own_places(s, others))
    else:
        y = between(
            ops.where(beyond, ops.add(last, 1), ops.multiply(parts, last)), method, lambda place: ops.take(s, place, -1)
        )
    y = ops.moveaxis(y, others_last(others), others)
    if not skip:  # NaN stands last in order
        y = ops.where(ops.expand_dims(ops.isnan(ops.take(s, -1, -1)), others), float("nan"), y)
    if flag(op, keepdims, "keepdims"):
        y = ops.expand_dims(y, tuple(a + len(others) for a in axes))
    return ops.cast(y, dtype_of(x))


def in_lanes(x: TensorLike, axes: tuple[int, ...]) -> TensorLike:
    """x with its reduced axes moved to the end and made one."""
    kept = [a for a in range(len(shape_of(x))) if a not in axes]
    dims = ops.shape(x)
    reduced = 1
    for a in axes:
        reduced = ops.multiply(reduced, dims[a]) if is_symbolic(reduced, dims[a]) else reduced * dims[a]
    return ops.reshape(ops.transpose(x, (*kept, *axes)), (*[dims[a] for a in kept], reduced))


def others_last(others: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a - len(others) for a in others)


def own_places(s: TensorLike, others: tuple[int, ...]) -> Callable[[TensorLike], TensorLike]:
    """What takes elements of s along its last axis at places that differ from lane to lane, in as many new axes as `others`."""

    def pick(place: TensorLike) -> TensorLike:
        lead = len(shape_of(place)) - len(others)
        flat = ops.reshape(place, (*ops.shape(place)[:lead], -1)) if others else ops.expand_dims(place, -1)
        return ops.reshape(ops.take_along_axis(s, flat, -1), ops.shape(place))

    return pick


def between(p: TensorLike, method: str, pick: Callable[[TensorLike], TensorLike]) -> TensorLike:
    """The elements, in order, at the places p, which need not be whole; `pick` gives those at whole ones."""
    if method == "nearest":
        return pick(ops.cast(ops.round(p), "int32"))
    below, above = ops.floor(p), ops.ceil(p)
    low, high = (pick(ops.cast(place, "int32")) for place in (below, above))
    if method in ("lower", "higher"):
        return low if method == "lower" else high
    share = ops.cast(
        ops.subtract(p, below) if method == "linear" else ops.multiply(ops.not_equal(p, below), 0.5), dtype_of(low)
    )
    # Between equals of infinite size, and where nothing of the gap is needed, inf - inf or inf * 0 would be NaN.
    still = ops.logical_or(ops.equal(share, 0), ops.logical_and(ops.equal(low, high), ops.isinf(low)))
    return ops.add(low, ops.multiply(share, ops.where(still, 0.0, ops.subtract(high, low))))
