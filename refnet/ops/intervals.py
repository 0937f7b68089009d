"""Intervals: how many numbers fall into each, and numbers whose ratios are equal."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, DataError
from refnet.ops.arguments import (
    as_dtype,
    checked_axis,
    converted,
    dtype_of,
    floating,
    integer,
    is_symbolic,
    promoted,
    shape_of,
)


def histogram(x: TensorLike, bins: Any = 10, range: Any = None) -> tuple[Array, Array]:
    """How many elements fall between edges.

        h[k] = how many x[i] with e[k] <= x[i] < e[k + 1];  the last edge belongs to the last interval

    Args:
        x: an array or tensor of any dtype but bool.
        bins: how many intervals of equal width, or the edges, ascending.
        range: (least, largest) for intervals of equal width; that of x if None, (0, 1) for nothing.
    Returns:
        (counts as int32, edges). The edges of equal intervals are in x's floating dtype, or the default one.
    NaN: is counted nowhere; with range None an error, in a graph counts that mean nothing. Empty: zeros.
    Raises:
        ArgumentError: no interval, edges that do not ascend, a range that is none.  DataError: NaN or infinities in an array, and
        no range.
    Source: Keras 3 `ops.histogram`; NumPy.

    >>> histogram([1.0, 2.0, 2.5, 4.0], 3, (1, 4))
    (array([1, 2, 1], dtype=int32), array([1., 2., 3., 4.], dtype=float32))
    """
    x = converted("histogram", x)
    if dtype_of(x) == "bool":
        raise ArgumentError("histogram: bools have no order to speak of; cast them first.")
    values = ops.ravel(floating("histogram", x))
    edges = edges_of(values, bins, range)
    count = shape_of(edges)[0] - 1
    last = ops.get_item(edges, -1)
    place = ops.subtract(ops.searchsorted(edges, values, "right"), 1)
    place = ops.where(ops.equal(values, last), count - 1, place)
    inside = ops.logical_and(ops.greater_equal(values, ops.get_item(edges, 0)), ops.less_equal(values, last))
    place = ops.cast(ops.where(inside, place, -1), "int32")
    return ops.segment_sum(ops.ones_like(values, "int32"), place, count), edges


def edges_of(values: TensorLike, bins: Any, limits: Any) -> TensorLike:
    """The edges of a histogram's intervals, in the values' dtype."""
    if isinstance(bins, (list, tuple, np.ndarray)) or is_symbolic(bins):
        edges = as_dtype(converted("histogram", bins, "bins"), dtype_of(values))
        ascends = is_symbolic(edges) or not edges.ndim or bool(np.all(np.asarray(edges[1:] >= edges[:-1])))
        if len(shape_of(edges)) != 1 or shape_of(edges)[0] is None or shape_of(edges)[0] < 2 or not ascends:
            raise ArgumentError(
                f"histogram: edges are a row of two or more that ascend; got shape {tuple(shape_of(edges))}."
            )
        return edges
    count = integer("histogram", bins, "bins")
    if not 1 <= count <= 2**24:
        raise ArgumentError(f"histogram: bins must lie in 1..2**24; got {bins!r}.")
    if limits is not None:
        given = ops.arguments.entries("histogram", limits, "range")
        low, high = [ops.arguments.number("histogram", v, "range") for v in given] if len(given) == 2 else (1.0, 0.0)
        if not -np.inf < low <= high < np.inf:
            raise ArgumentError(f"histogram: range must be (least, largest), finite; got {limits!r}.")
        wide = (low - 0.5, high + 0.5) if low == high else (low, high)
        return ops.linspace(*wide, count + 1, dtype=dtype_of(values))
    if 0 in shape_of(values):
        return ops.linspace(0.0, 1.0, count + 1, dtype=dtype_of(values))
    least, most = ops.min(values), ops.max(values)
    if not is_symbolic(values) and not np.isfinite([float(least), float(most)]).all():
        raise DataError("histogram: x holds NaN or infinities; give the range.")
    same = ops.equal(least, most)
    least, most = ops.where(same, ops.subtract(least, 0.5), least), ops.where(same, ops.add(most, 0.5), most)
    return ops.linspace(least, most, count + 1, dtype=dtype_of(values))


def geomspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: str | None = None,
    axis: int = 0,
) -> TensorLike:
    """So many numbers, each the same multiple of the one before.

        y[i] = start * (stop / start)**(i / (num - 1)),  without endpoint i / num

    Args:
        start, stop: numbers, arrays or tensors of one sign, not 0; shapes that broadcast.
        num, endpoint, dtype, axis: as in `linspace`.
    Returns:
        The common shape with a new axis of length num.
    NaN: spreads; ends of two signs, or 0, give NaN. Empty: num of 0 gives an empty result.
    Raises: as `linspace`.
    Source: Keras 3 `ops.geomspace`; NumPy.

    >>> geomspace(1, 8, 4)
    array([1., 2., 4., 8.], dtype=float32)
    """
    a, b = promoted("geomspace", start, stop)
    wanted = (
        (dtype_of(a) if dtypes.is_floating(dtype_of(a)) else dtypes.floatx())
        if dtype is None
        else dtypes.standardize(dtype)
    )
    a, b = as_dtype(a, "float64"), as_dtype(b, "float64")
    ratio = ops.log(ops.divide(b, a))
    exponents = ops.linspace(ops.zeros_like(ratio), ratio, num, endpoint, dtype="float64", axis=axis)
    rank = len(shape_of(exponents))
    first = ops.grids.in_line(a, rank - 1, checked_axis("geomspace", axis, rank))
    y = ops.multiply(first, ops.exp(exponents))
    return ops.cast(ops.round(y, 9) if dtypes.is_integer(wanted) else y, wanted)
