"""Sorting and searching: elements in order, and where they stand."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, ShapeError, called_as, in_memory
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
from refnet.ops.indexing import whole_numbers
from refnet.tracing import trace


def ascends(a: Number, b: Number) -> Number:
    """Whether a stands before b in ascending order: NaN last, equal numbers nowhere."""
    return a < b or (b != b and a == a)


def descends(a: Number, b: Number) -> Number:
    """Whether a stands before b in descending order: NaN first."""
    return a > b or (a != a and b == b)


# ---- sorting


def argsort(x: TensorLike, axis: int | None = -1) -> TensorLike:
    """Where the elements stand that would come first, second, ... in ascending order along an axis.

        x[o, y[o, 0, i], i] <= x[o, y[o, 1, i], i] <= ...

    Args:
        x: an array or tensor of any dtype.
        axis: the axis; None sorts x.ravel().
    Returns:
        x's shape, int32.
    Ties: in their order in x (0.0 and -0.0 are equal). NaN: last. Empty: an empty result. There is no gradient.
    Raises:
        ArgumentError: no such axis.
    Source: Keras 3 `ops.argsort`; merging from the bottom up: Knuth 5.2.4.

    >>> argsort([3, 1, 2, 1])
    array([1, 3, 2, 0], dtype=int32)
    """
    x, place = lane("argsort", x, axis)
    return argsort_op(counted(x), axis=place, descending=False)


def lane(op: str, x: TensorLike, axis: int | None) -> tuple[TensorLike, int]:
    """x and an axis of it, counted from the front."""
    x = converted(op, x)
    if axis is None or not len(shape_of(x)):
        x, axis = ops.ravel(x), 0
    return x, checked_axis(op, axis, len(shape_of(x)))


def counted(x: TensorLike) -> TensorLike:
    return as_dtype(x, "int32") if dtype_of(x) == "bool" else x


def sort(x: TensorLike, axis: int | None = -1) -> TensorLike:
    """The elements in ascending order along an axis.

        y[o, j, i] = x[o, order[o, j, i], i],  order = argsort(x, axis)

    Args:
        x: an array or tensor of any dtype.
        axis: the axis; None sorts x.ravel().
    Returns:
        x's shape and dtype.
    Ties: in their order in x. NaN: last. Empty: an empty result.
    Raises:
        ArgumentError: no such axis.
    Source: Keras 3 `ops.sort`.

    >>> sort([3.0, float("nan"), 1.0])
    array([ 1.,  3., nan], dtype=float32)
    """
    x, place = lane("sort", x, axis)
    return picked(x, argsort_op(counted(x), axis=place, descending=False), place)


def picked(x: TensorLike, order: TensorLike, axis: int) -> TensorLike:
    return x if shape_of(x)[axis] == 0 else ops.take_along_axis(x, order, axis)


def argsort_form(x: Spec, *, axis: int, descending: bool) -> Form:
    """(outer, lane, inner); a task sorts a lane by merging runs of 1, 2, 4, ... elements."""
    view = View((size_of(x.shape[:axis]), x.shape[axis], size_of(x.shape[axis + 1 :])))
    outer, n, inner = view.shape
    cost = 4 * n * max(n, 2).bit_length()
    return Form((view,), (descending,), (view,), (outer if n else 0, inner), cost=cost, scratch=((n,),))


def argsort_loop(tasks: Tasks, x: Array, descending: bool, y: Array, before: Array) -> None:
    n = x.shape[1]
    for o, i in tasks:
        for r in range(n):
            y[o, r, i] = r
        width = 1
        while width < n:
            for r in range(n):
                before[r] = y[o, r, i]
            for low in range(0, n, 2 * width):
                merge(x, o, i, descending, before, low, low + width, low + 2 * width, y)
            width = 2 * width


def merge(
    x: Array, o: int, i: int, descending: bool, before: Array, low: int, middle: int, high: int, y: Array
) -> None:
    """Two sorted runs of `before`, low..middle and middle..high, become one of y. Of equals the left one comes first."""
    n = x.shape[1]
    middle = middle if middle < n else n
    high = high if high < n else n
    left = low
    right = middle
    for place in range(low, high):
        from_left = right >= high
        if left < middle and right < high:
            a, b = x[o, int(before[left]), i], x[o, int(before[right]), i]
            from_left = not (descends(b, a) if descending else ascends(b, a))
        if from_left:
            y[o, place, i] = int(before[left])
            left += 1
        else:
            y[o, place, i] = int(before[right])
            right += 1


argsort_op = Op(
    "argsort",
    lambda x, *, axis, descending: Spec(x.shape, "int32"),
    loop=argsort_loop,
    form=argsort_form,
)


def top_k(x: TensorLike, k: int, sorted: bool = True) -> tuple[TensorLike, TensorLike]:
    """The k largest elements of the last axis, the largest first, and where they stand.

        values[o, j] = x[o, indices[o, j]],  values[o, 0] >= values[o, 1] >= ...

    Args:
        x: an array or tensor with axes, of any dtype.
        k: how many.
        sorted: whether they must be in order; they always are.
    Returns:
        values (x's dtype) and indices (int32), the last axis k long.
    Ties: the first in x. NaN: counts as the largest. Empty: k may be 0.
    Raises:
        ArgumentError: k that is no integer, or below 0.  ShapeError: fewer than k elements, or no axis.
    Source: Keras 3 `ops.top_k`.

    >>> top_k([1, 9, 5, 9], 3)
    (array([9, 9, 5]), array([1, 3, 2], dtype=int32))
    """
    x = converted("top_k", x)
    k = checked_k("top_k", k)
    rank = len(shape_of(x))
    if not rank or (shape_of(x)[-1] is not None and shape_of(x)[-1] < k):
        raise ShapeError(f"top_k cannot give {k} elements of the last axis of shape {tuple(shape_of(x))}.")
    order = ops.get_item(argsort_op(counted(x), axis=rank - 1, descending=True), (..., slice(k)))
    values = ops.get_item(x, (..., slice(k))) if k == 0 else ops.take_along_axis(x, order, rank - 1)
    return values, order


def checked_k(op: str, k: Any) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 0:
        raise ArgumentError(f"{op}: k must be an integer, not below 0; got {k!r}.")
    return int(k)


@called_as("in_top_k", "take_along_axis")
@trace.inside(composite="in_top_k")
def in_top_k(targets: TensorLike, predictions: TensorLike, k: int) -> TensorLike:
    """Whether a class is among the k with the largest scores.

        y[n] = fewer than k of the classes c have  predictions[n, c] > predictions[n, targets[n]]

    Args:
        targets: classes (batch,), integers.
        predictions: scores (batch, classes).
        k: an integer.
    Returns:
        (batch,), bool.
    Ties: a class whose score equals that of the k-th is among them. NaN: a target's score of NaN is not; one elsewhere does
        not count. Empty: an empty result.
    Raises:
        ShapeError: other shapes.  DtypeError: targets that are no integers.  DataError: a target that is no class.
    Source: Keras 3 `ops.in_top_k`.

    >>> in_top_k([2, 0], [[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]], 2)
    array([ True, False])
    """
    targets, scores = whole_numbers("in_top_k", targets, "targets"), converted("in_top_k", predictions, "predictions")
    k = checked_k("in_top_k", k)
    batches = shape_of(targets)[:1], shape_of(scores)[:1]
    if (
        len(shape_of(targets)) != 1
        or len(shape_of(scores)) != 2
        or (None not in batches[0] + batches[1] and batches[0] != batches[1])
    ):
        raise ShapeError(
            f"in_top_k needs targets (batch,) and predictions (batch, classes); "
            f"got {tuple(shape_of(targets))} and {tuple(shape_of(scores))}."
        )
    own = ops.take_along_axis(scores, ops.expand_dims(targets, 1), 1)
    above = ops.count_nonzero(ops.greater(scores, own), axis=1)
    known = ops.squeeze(ops.equal(own, own), 1)
    return ops.logical_and(ops.less(above, k), known)


# ---- searching


def searchsorted(sorted_sequence: TensorLike, values: TensorLike, side: str = "left") -> TensorLike:
    """Where values would have to go into a sorted sequence to keep it sorted.

        y[i] = number of j with  sorted_sequence[j] < values[i]  (left)  or  <= values[i]  (right)

    Args:
        sorted_sequence: one axis, ascending (NaN last).
        values: an array or tensor of any shape.
        side: "left" goes before what is equal, "right" after it.
    Returns:
        The shape of `values`, int32.
    NaN: counts as larger than any number. Empty: zeros, or an empty result. There is no gradient.
    Raises:
        ShapeError: a sequence with another number of axes.  ArgumentError: another side.
    Source: Keras 3 `ops.searchsorted`; binary search: Knuth 6.2.1.

    >>> searchsorted([1, 3, 3, 5], [3, 4], side="right")
    array([3, 3], dtype=int32)
    """
    if not isinstance(side, str) or side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side must be 'left' or 'right'; got {side!r}.")
    row, x = promoted("searchsorted", sorted_sequence, values)
    if len(shape_of(row)) != 1:
        raise ShapeError(f"searchsorted needs a sequence with one axis; got shape {tuple(shape_of(row))}.")
    return searchsorted_op(counted(row), counted(x), right=side == "right")


def searchsorted_loop(tasks: Tasks, row: Array, x: Array, right: bool, y: Array) -> None:
    for (i,) in tasks:
        low = 0
        high = row.shape[0]
        while low < high:
            middle = (low + high) // 2
            # Everything before `low` stands before x[i], everything from `high` on does not.
            before = not ascends(x[i], row[middle]) if right else ascends(row[middle], x[i])
            if before:
                low = middle + 1
            else:
                high = middle
        y[i] = low


def searchsorted_form(row: Spec, x: Spec, *, right: bool) -> Form:
    view = View((size_of(x.shape),))
    return Form(
        (View(tuple(row.shape)), view), (right,), (view,), view.shape, cost=4 * max(row.shape[0], 1).bit_length()
    )


searchsorted_op = Op(
    "searchsorted",
    lambda row, x, *, right: Spec(tuple(x.shape), "int32"),
    loop=searchsorted_loop,
    form=searchsorted_form,
    axes="places, ?",
)


def digitize(x: TensorLike, bins: TensorLike) -> TensorLike:
    """The number of the bin that each element falls into.

        y[i] = number of j with bins[j] <= x[i]

    Args:
        x: an array or tensor of any shape.
        bins: the bins' lower ends, one axis, ascending.
    Returns:
        x's shape, int32: 0 below the first end, len(bins) from the last on.
    NaN: falls into the last bin. Empty: an empty result. There is no gradient.
    Raises:
        ShapeError: bins with another number of axes.
    Source: Keras 3 `ops.digitize`.

    >>> digitize([0.0, 1.0, 5.0], [1.0, 3.0])
    array([0, 1, 2], dtype=int32)
    """
    if len(shape_of(converted("digitize", bins, "bins"))) != 1:
        raise ShapeError(f"digitize needs bins with one axis; got shape {tuple(shape_of(bins))}.")
    return searchsorted(bins, x, side="right")


# ---- results whose shape depends on values: arrays only


def known(op: str, x: TensorLike) -> Array:
    """x as an array. Raises ArgumentError for a tensor."""
    x = converted(op, x)
    if is_symbolic(x):
        raise ArgumentError(f"{op} gives a shape that depends on values; it takes arrays, not symbolic tensors.")
    return np.asarray(x)


def nonzero(x: TensorLike) -> tuple[Array, ...]:
    """Where the elements stand that are not zero, in row-major order.

        x[y_0[k], y_1[k], ...] != 0

    Args:
        x: an array of any dtype; no tensor, as the result's length depends on values.
    Returns:
        A tuple with one int32 array for each axis.
    NaN: is not zero. Empty: empty results.
    Raises:
        ArgumentError: a symbolic tensor, or a number without axes.
    Source: Keras 3 `ops.nonzero`.

    >>> nonzero([[0, 7], [5, 0]])
    (array([0, 1], dtype=int32), array([1, 0], dtype=int32))
    """
    x = known("nonzero", x)
    if not x.ndim:
        raise ArgumentError("nonzero needs an array with axes; got a single number.")
    return tuple(places.astype(np.int32) for places in np.nonzero(x))


def unique(
    x: TensorLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different elements, or slices, of an array, in ascending order.

    Args:
        x: an array of any dtype; no tensor, as the result's length depends on values.
        sorted: whether they must be in order; they always are.
        return_index: whether to return where each stands first.
        return_inverse: whether to return, for each element of x, its number among the different ones.
        return_counts: whether to return how often each occurs.
        axis: the axis whose slices are compared; None compares the elements of x.ravel().
        size: the length of the result: the first ones, or filled up with `fill_value` (indices with 1, counts with 0).
        fill_value: 0 if None.
    Returns:
        The different ones, in x's dtype; then what was asked for, int32.
    Ties: 0.0 and -0.0 are equal. NaN: each is different from all. Empty: an empty result.
    Raises:
        ArgumentError: a symbolic tensor, no such axis, a negative size.
    Source: Keras 3 `ops.unique`; NumPy.

    >>> unique([3, 1, 3], return_counts=True)
    (array([1, 3]), array([1, 2], dtype=int32))
    """
    x = known("unique", x)
    place = None if axis is None else checked_axis("unique", axis, x.ndim)
    if fill_value is not None and dtypes.is_integer(dtype_of(x)):
        fill_value = integer("unique", fill_value, "fill_value")
    asked = {"return_index": return_index, "return_inverse": return_inverse, "return_counts": return_counts}
    wanted = [flag("unique", yes, name) for name, yes in asked.items()]
    with in_memory("unique"):
        return padded_unique(x, place, size, fill_value, *wanted)


def padded_unique(x: Array, place: int | None, size: Any, fill_value: Any, *wanted: Any) -> Any:
    """The different slices, then their first places, their numbers and their counts, as far as wanted."""
    values, index, inverse, counts = np.unique(x, True, True, True, axis=place, equal_nan=False)
    if size is not None:
        (size,), dim = dimensions("unique", (size,)), 0 if place is None else place
        short = int(np.clip(size - values.shape[dim], 0, None))
        widths = [(0, short if d == dim else 0) for d in range(values.ndim)]
        kept = tuple(slice(size) if d == dim else slice(None) for d in range(values.ndim))
        values = np.pad(
            values[kept],
            widths,
            constant_values=0 if fill_value is None else number("unique", fill_value, "fill_value"),
        )
        index, counts = np.pad(index[:size], (0, short), constant_values=1), np.pad(counts[:size], (0, short))
    asked = zip(wanted, (index, inverse.reshape(x.shape if place is None else -1), counts))
    more = [part.astype(np.int32) for yes, part in asked if yes]
    return (values, *more) if more else values
