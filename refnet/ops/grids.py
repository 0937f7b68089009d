"""Grids: numbers laid out evenly, coordinates, triangles and diagonals."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.definition import broadcast_shapes
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.ops.arguments import (
    as_dtype,
    checked_axis,
    converted,
    dimensions,
    dtype_of,
    flag,
    integer,
    is_symbolic,
    number,
    promoted,
    shape_of,
)

# ---- evenly spaced numbers


def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: str | None = None,
    axis: int = 0,
) -> Any:
    """So many numbers, evenly spaced from start to stop.

        y[i] = start + i * step,  step = (stop - start) / (num - 1), without endpoint (stop - start) / num

    Args:
        start, stop: numbers, arrays or tensors; shapes that broadcast.
        num: how many, not below 0.
        endpoint: whether the last number is stop itself; it is then exact.
        retstep: whether to return (y, step).
        dtype: the result's dtype; the promoted floating dtype of start and stop if None. Integers are rounded down.
        axis: where the numbers run in the result.
    Returns:
        The common shape with a new axis of length num. Numbers and arrays are worked out in float64.
    NaN: spreads. Empty: num of 0 gives an empty result; the step for a single number is NaN.
    Raises:
        ArgumentError: num that is no integer, or below 0.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.linspace`; NumPy.

    >>> linspace(0, 1, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    if isinstance(num, bool) or not isinstance(num, (int, np.integer)) or num < 0:
        raise ArgumentError(f"linspace: num must be an integer, not below 0; got {num!r}.")
    first, last = promoted("linspace", start, stop)
    common = broadcast_shapes("linspace", shape_of(first), shape_of(last))
    axis = checked_axis("linspace", axis, len(common) + 1)
    dimensions("linspace", (num, *[d or 1 for d in common]))
    endpoint, retstep = flag("linspace", endpoint, "endpoint"), flag("linspace", retstep, "retstep")
    floating = dtype_of(first) if dtypes.is_floating(dtype_of(first)) else dtypes.floatx()
    wanted = floating if dtype is None else dtypes.standardize(dtype)
    if not is_symbolic(first, last):
        first, last = (np.asarray(as_dtype(x, "float64")) for x in (first, last))
        with in_memory("linspace"), np.errstate(all="ignore"):
            y, step = np.linspace(first, last, int(num), endpoint, retstep=True, axis=axis)
        y = np.floor(y) if dtypes.is_integer(wanted) else y
        y, step = y.astype(dtypes.as_numpy(wanted)), np.asarray(step).astype(dtypes.as_numpy(floating))
        return (y, step) if retstep else y
    first, last = as_dtype(first, floating), as_dtype(last, floating)
    gaps = num - 1 if endpoint else num
    step = ops.divide(ops.subtract(last, first), gaps if gaps > 0 else 1)
    rank = max(len(shape_of(first)), len(shape_of(last)))
    place = checked_axis("linspace", axis, rank + 1)
    places = ops.reshape(ops.arange(num, dtype=floating), [num if a == place else 1 for a in range(rank + 1)])
    low, high, gap = (in_line(x, rank, place) for x in (first, last, step))
    y = ops.add(low, ops.multiply(gap, places))
    if endpoint and num > 1:
        y = ops.where(ops.equal(places, num - 1), high, y)
    y = as_dtype(ops.floor(y) if dtypes.is_integer(wanted) else y, wanted)
    if not retstep:
        return y
    return y, step if gaps > 0 else ops.multiply(step, float("nan"))


def in_line(x: TensorLike, rank: int, place: int) -> TensorLike:
    """x with `rank` axes and a new one at `place`."""
    missing = rank - len(shape_of(x))
    x = ops.expand_dims(x, tuple(range(missing))) if missing else x
    return ops.expand_dims(x, place)


def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: str | None = None,
    axis: int = 0,
) -> TensorLike:
    """So many numbers whose logarithms are evenly spaced.

        y[i] = base ** linspace(start, stop, num, endpoint)[i]

    Args:
        base: a number.
        start, stop, num, endpoint, dtype, axis: as in `linspace`.
    Returns:
        The common shape with a new axis of length num.
    NaN: spreads. Empty: num of 0 gives an empty result.
    Raises: as `linspace`.
    Source: Keras 3 `ops.logspace`; NumPy.

    >>> logspace(0, 2, 3)
    array([  1.,  10., 100.], dtype=float32)
    """
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    wanted = dtype_of(exponents) if dtype is None else dtypes.standardize(dtype)
    if is_symbolic(exponents):
        return as_dtype(ops.power(number("logspace", base, "base"), exponents), wanted)
    wide = linspace(start, stop, num, endpoint, dtype="float64", axis=axis)
    return np.power(number("logspace", base, "base"), wide).astype(dtypes.as_numpy(wanted))


# ---- coordinates


def meshgrid(*x: TensorLike, indexing: str = "xy") -> list[TensorLike]:
    """The coordinates of all points of a grid, given those along its axes.

        y_k[i_0, i_1, ...] = x_k[i_k];  for "xy" the first two axes of every result are exchanged

    Args:
        x: arrays or tensors with at most one axis.
        indexing: "xy" (rows are the second coordinate) or "ij".
    Returns:
        A list of arrays, one for each x, in its dtype, all of the grid's shape.
    NaN: copied. Empty: an empty grid.
    Raises:
        ArgumentError: another indexing.  ShapeError: an array with more axes.
    Source: Keras 3 `ops.meshgrid`.

    >>> meshgrid([1, 2], [3, 4, 5])[1]
    array([[3, 3],
           [4, 4],
           [5, 5]])
    """
    if not isinstance(indexing, str) or indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing must be 'xy' or 'ij'; got {indexing!r}.")
    given = [converted("meshgrid", part) for part in x]
    for part in given:
        if len(shape_of(part)) > 1:
            raise ShapeError(f"meshgrid takes arrays with one axis; got shape {tuple(shape_of(part))}.")
    lines = [ops.ravel(part) for part in given]
    axes = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        axes[0], axes[1] = 1, 0
    extents: list[Any] = [None] * len(lines)
    for line, axis in zip(lines, axes):
        extents[axis] = ops.shape(line)[0]
    spread = [ops.reshape(line, [-1 if a == axis else 1 for a in range(len(lines))]) for line, axis in zip(lines, axes)]
    return [ops.broadcast_to(part, extents) for part in spread]


# ---- triangles and diagonals


def tri(N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> TensorLike:
    """A matrix with ones on and below a diagonal, zeros above it.

        y[i, j] = 1 if j - i <= k else 0

    Args:
        N: rows.
        M: columns; N if None.
        k: which diagonal; 0 is the main one, positive lies above it.
        dtype: the result's dtype; the default floating dtype if None.
    Returns:
        (N, M).
    Source: Keras 3 `ops.tri`.

    >>> tri(2, 3, dtype="int32")
    array([[1, 0, 0],
           [1, 1, 0]], dtype=int32)
    """
    rows, columns = dimensions("tri", (N, N if M is None else M))
    name, place = dtypes.standardize(dtype), max(-rows, min(integer("tri", k, "k"), columns))
    with in_memory("tri"):
        return np.tri(rows, columns, place).astype(dtypes.as_numpy(name))


def below_diagonal(op: str, x: TensorLike, k: int) -> tuple[TensorLike, TensorLike]:
    """x, and whether a place of its last two axes lies on or below diagonal k."""
    x, k = converted(op, x), integer(op, k, "k")
    if len(shape_of(x)) < 2:
        raise ShapeError(f"{op} needs at least two axes, rows and columns; got shape {tuple(shape_of(x))}.")
    rows, columns = ops.shape(x)[-2:]
    places = ops.subtract(ops.arange(columns), ops.expand_dims(ops.arange(rows), 1))
    return x, ops.less_equal(places, max(-(2**31), min(k, 2**31 - 1)))


def tril(x: TensorLike, k: int = 0) -> TensorLike:
    """x on and below a diagonal of its last two axes, zero above.

        y[n, i, j] = x[n, i, j] if j - i <= k else 0

    Args:
        x: an array or tensor of any dtype, with at least two axes.
        k: which diagonal; 0 is the main one, positive lies above it.
    Returns:
        x's shape and dtype.
    NaN: what is replaced has no influence. Empty: an empty result.
    Raises:
        ShapeError: less than two axes.
    Source: Keras 3 `ops.tril`.

    >>> tril([[1, 2], [3, 4]])
    array([[1, 0],
           [3, 4]])
    """
    x, below = below_diagonal("tril", x, k)
    return ops.where(below, x, ops.zeros((), dtype_of(x)))


def triu(x: TensorLike, k: int = 0) -> TensorLike:
    """x on and above a diagonal of its last two axes, zero below.

        y[n, i, j] = x[n, i, j] if j - i >= k else 0

    Args:
        x: an array or tensor of any dtype, with at least two axes.
        k: which diagonal; 0 is the main one, positive lies above it.
    Returns:
        x's shape and dtype.
    NaN: what is replaced has no influence. Empty: an empty result.
    Raises:
        ShapeError: less than two axes.
    Source: Keras 3 `ops.triu`.

    >>> triu([[1, 2], [3, 4]])
    array([[1, 2],
           [0, 4]])
    """
    x, below = below_diagonal("triu", x, integer("triu", k, "k") - 1)
    return ops.where(below, ops.zeros((), dtype_of(x)), x)


def diag(x: TensorLike, k: int = 0) -> TensorLike:
    """A matrix with x on a diagonal; or the diagonal of a matrix.

        y[i, j] = x[min(i, j)] if j - i == k else 0      for x with one axis
        y[i] = x[i + max(-k, 0), i + max(k, 0)]          for x with two

    Args:
        x: an array or tensor of any dtype, with one axis or two (then of known length).
        k: which diagonal; 0 is the main one, positive lies above it.
    Returns:
        x's dtype; (n + |k|, n + |k|), or the diagonal's length.
    NaN: copied. Empty: a diagonal outside the matrix is empty.
    Raises:
        ShapeError: another number of axes, or a matrix of unknown shape.
    Source: Keras 3 `ops.diag`.

    >>> diag([1, 2])
    array([[1, 0],
           [0, 2]])
    >>> diag([[1, 2], [3, 4]], 1)
    array([2])
    """
    x, k = converted("diag", x), integer("diag", k, "k")
    given = tuple(shape_of(x))
    if len(given) == 1:
        longer = ops.pad(x, ((0, ops.abs(k).item()),))
        side = ops.shape(longer)[0]
        places = ops.subtract(ops.arange(side), ops.expand_dims(ops.arange(side), 1))
        line = ops.expand_dims(longer, 1 if k >= 0 else 0)
        return ops.where(ops.equal(places, k), line, ops.zeros((), dtype_of(x)))
    if len(given) != 2 or None in given:
        raise ShapeError(f"diag takes an array with one axis, or a matrix of known shape; got shape {given}.")
    rows, columns = given
    row, column = (0, k) if k >= 0 else (-k, 0)
    length = int(np.clip(min(rows - row, columns - column), 0, None))
    start, step = row * columns + column, columns + 1
    last = start + (length - 1) * step + 1
    return ops.get_item(ops.ravel(x), slice(start, last, step) if length else slice(0, 0))
