"""Arrays put together, taken apart and turned: what is written with concatenate, split, transpose and flip."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.ops.arguments import MOST_PARTS, checked_axis, converted, dtype_of, entries, integer, promoted, shape_of

# ---- put together


@called_as("append", "concatenate")
def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> TensorLike:
    """One array after another. See `concatenate`.

    Args:
        x1, x2: arrays or tensors of any dtype.
        axis: along which axis; None appends x2.ravel() to x1.ravel().
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no such axis.
    Source: Keras 3 `ops.append`.

    >>> append([1, 2], [[3, 4]])
    array([1, 2, 3, 4])
    """
    a, b = promoted("append", x1, x2)
    if axis is None:
        return ops.concatenate([ops.ravel(a), ops.ravel(b)])
    return ops.concatenate([a, b], axis)


def parts(op: str, xs: Any) -> list[TensorLike]:
    """The arrays of a list, or the slices of an array; at least one."""
    given = entries(op, xs, "xs") if not hasattr(xs, "shape") else ops.unstack(converted(op, xs, "xs"))
    if not given:
        raise ArgumentError(f"{op} needs at least one array.")
    return [converted(op, x, f"xs[{k}]") for k, x in enumerate(given)]


@called_as("hstack", "concatenate")
def hstack(xs: Any) -> TensorLike:
    """Arrays side by side: along the second axis, those with one axis along it.

    Args:
        xs: arrays or tensors of any dtype; single numbers count as arrays of one.
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no array at all.
    Source: Keras 3 `ops.hstack`.

    >>> hstack([[1, 2], [3]])
    array([1, 2, 3])
    """
    given = [ops.expand_dims(x, 0) if not len(shape_of(x)) else x for x in parts("hstack", xs)]
    return ops.concatenate(given, 0 if len(shape_of(given[0])) == 1 else 1)


@called_as("vstack", "concatenate")
def vstack(xs: Any) -> TensorLike:
    """Arrays below one another: along the first axis, those with one axis as rows.

    Args:
        xs: arrays or tensors of any dtype.
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no array at all.
    Source: Keras 3 `ops.vstack`.

    >>> vstack([[1, 2], [3, 4]])
    array([[1, 2],
           [3, 4]])
    """
    return ops.concatenate([with_axes(x, 2) for x in parts("vstack", xs)], 0)


@called_as("dstack", "concatenate")
def dstack(xs: Any) -> TensorLike:
    """Arrays behind one another: along the third axis, which those with fewer get.

    Args:
        xs: arrays or tensors of any dtype.
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no array at all.
    Source: Keras 3 `ops.dstack`.

    >>> dstack([[1, 2], [3, 4]])
    array([[[1, 3],
            [2, 4]]])
    """
    return ops.concatenate([with_axes(x, 3) for x in parts("dstack", xs)], 2)


def with_axes(x: TensorLike, rank: int) -> TensorLike:
    """x with 2 or 3 axes at least: new ones before a row, and one after a matrix."""
    if len(shape_of(x)) == 0:
        x = ops.expand_dims(x, 0)
    if len(shape_of(x)) == 1:
        x = ops.expand_dims(x, 0)
    return ops.expand_dims(x, 2) if rank == 3 and len(shape_of(x)) == 2 else x


# ---- taken apart


@called_as("array_split", "split")
def array_split(x: TensorLike, indices_or_sections: Any, axis: int = 0) -> list[TensorLike]:
    """An array in pieces, of which the first may be longer by one than the last. See `split`.

    Args:
        x: an array or tensor of any dtype; the axis has a known length.
        indices_or_sections: how many pieces, or where to cut.
        axis: along which axis.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ArgumentError: no piece at all, no such axis.
    Source: Keras 3 `ops.array_split`.

    >>> array_split([1, 2, 3], 2)
    [array([1, 2]), array([3])]
    """
    x = converted("array_split", x)
    axis = checked_axis("array_split", axis, len(shape_of(x)))
    if not isinstance(indices_or_sections, (int, np.integer)):
        return ops.split(x, indices_or_sections, axis)
    count, length = integer("array_split", indices_or_sections, "indices_or_sections"), shape_of(x)[axis]
    if not 1 <= count <= MOST_PARTS:
        raise ArgumentError(f"array_split: there must be 1 to {MOST_PARTS} pieces; got {count}.")
    if length is None:
        raise ShapeError(f"array_split: axis {axis} must have a known length; got shape {tuple(shape_of(x))}.")
    size, longer = divmod(length, count)
    return ops.split(x, [k * size + min(k, longer) for k in range(1, count)], axis)


def split_along(op: str, x: TensorLike, indices_or_sections: Any, axis: int, least: int) -> list[TensorLike]:
    x = converted(op, x)
    if len(shape_of(x)) < least:
        raise ShapeError(f"{op} needs an array with {least} axes or more; got shape {tuple(shape_of(x))}.")
    return ops.split(x, indices_or_sections, axis)


@called_as("hsplit", "split")
def hsplit(x: TensorLike, indices_or_sections: Any) -> list[TensorLike]:
    """An array in pieces along its second axis, or its only one. See `split`.

    Args:
        x: an array or tensor of any dtype.
        indices_or_sections: how many equal pieces, or where to cut.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ShapeError: no axis.  ArgumentError: what `split` refuses.
    Source: Keras 3 `ops.hsplit`.

    >>> hsplit([[1, 2, 3, 4]], 2)
    [array([[1, 2]]), array([[3, 4]])]
    """
    return split_along("hsplit", x, indices_or_sections, 0 if len(shape_of(converted("hsplit", x))) == 1 else 1, 1)


@called_as("vsplit", "split")
def vsplit(x: TensorLike, indices_or_sections: Any) -> list[TensorLike]:
    """An array with two axes or more in pieces along its first axis. See `split`.

    Args:
        x: an array or tensor of any dtype.
        indices_or_sections: how many equal pieces, or where to cut.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ShapeError: less than two axes.  ArgumentError: what `split` refuses.
    Source: Keras 3 `ops.vsplit`.

    >>> vsplit([[1, 2], [3, 4]], 2)
    [array([[1, 2]]), array([[3, 4]])]
    """
    return split_along("vsplit", x, indices_or_sections, 0, 2)


@called_as("dsplit", "split")
def dsplit(x: TensorLike, indices_or_sections: Any) -> list[TensorLike]:
    """An array with three axes or more in pieces along its third axis. See `split`.

    Args:
        x: an array or tensor of any dtype.
        indices_or_sections: how many equal pieces, or where to cut.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ShapeError: less than three axes.  ArgumentError: what `split` refuses.
    Source: Keras 3 `ops.dsplit`.

    >>> dsplit([[[1, 2]]], 2)
    [array([[[1]]]), array([[[2]]])]
    """
    return split_along("dsplit", x, indices_or_sections, 2, 3)


# ---- turned


def fliplr(x: TensorLike) -> TensorLike:
    """An array with its second axis the other way round. See `flip`.

    Args:
        x: an array or tensor with two axes or more.
    Returns:
        x's shape and dtype.
    NaN: copied. Empty: an empty result.
    Raises:
        ShapeError: less than two axes.
    Source: Keras 3 `ops.fliplr`.

    >>> fliplr([[1, 2], [3, 4]])
    array([[2, 1],
           [4, 3]])
    """
    x = converted("fliplr", x)
    if len(shape_of(x)) < 2:
        raise ShapeError(f"fliplr needs an array with two axes or more; got shape {tuple(shape_of(x))}.")
    return ops.flip(x, 1)


def flipud(x: TensorLike) -> TensorLike:
    """An array with its first axis the other way round. See `flip`.

    Args:
        x: an array or tensor with an axis.
    Returns:
        x's shape and dtype.
    NaN: copied. Empty: an empty result.
    Raises:
        ShapeError: no axis.
    Source: Keras 3 `ops.flipud`.

    >>> flipud([1, 2, 3])
    array([3, 2, 1])
    """
    x = converted("flipud", x)
    if not len(shape_of(x)):
        raise ShapeError("flipud needs an array with an axis; got a single number.")
    return ops.flip(x, 0)


def rot90(array: TensorLike, k: int = 1, axes: Any = (0, 1)) -> TensorLike:
    """An array turned by quarters of a turn, from the first of two axes to the second.

    Args:
        array: an array or tensor with two axes or more.
        k: how many quarters; negative ones turn back.
        axes: the two axes.
    Returns:
        array's dtype; the two axes exchanged if k is odd.
    NaN: copied. Empty: an empty result.
    Raises:
        ShapeError: less than two axes.  ArgumentError: axes that array does not have, or one twice.
    Source: Keras 3 `ops.rot90`.

    >>> rot90([[1, 2], [3, 4]])
    array([[2, 4],
           [1, 3]])
    """
    x, given = converted("rot90", array, "array"), entries("rot90", axes, "axes")
    if len(shape_of(x)) < 2:
        raise ShapeError(f"rot90 needs an array with two axes or more; got shape {tuple(shape_of(x))}.")
    if len(given) != 2:
        raise ArgumentError(f"rot90 turns two axes; got {axes!r}.")
    first, second = (checked_axis("rot90", a, len(shape_of(x))) for a in given)
    if first == second:
        raise ArgumentError(f"rot90: axes {axes!r} names an axis twice.")
    turns = integer("rot90", k, "k") % 4
    if turns == 2:
        return ops.flip(x, (first, second))
    if turns == 1:
        return ops.swapaxes(ops.flip(x, second), first, second)
    return ops.flip(ops.swapaxes(x, first, second), second) if turns else ops.unary.same(x)


# ---- how much there is, and where


def product(lengths: list[Any]) -> Any:
    """The product of lengths, of which some may be tensors."""
    total: Any = 1
    for n in lengths:
        total = total * n if isinstance(total, int) and isinstance(n, int) else ops.multiply(total, n)
    return total


def size(x: TensorLike) -> Any:
    """How many elements an array has.

    Args:
        x: an array, tensor or number.
    Returns:
        An int; a tensor where an axis is open.
    Source: Keras 3 `ops.size`.

    >>> size([[1, 2, 3], [4, 5, 6]])
    6
    """
    return product(list(ops.shape(converted("size", x))))


def ndim(x: TensorLike) -> int:
    """How many axes an array has.

    Args:
        x: an array, tensor or number.
    Returns:
        An int.
    Source: Keras 3 `ops.ndim`.

    >>> ndim([[1, 2, 3]])
    2
    """
    return len(shape_of(converted("ndim", x)))


def unravel_index(indices: TensorLike, shape: Any) -> tuple[TensorLike, ...]:
    """The places that row-major numbers of elements mean.

        y_k[i] = indices[i] // (the product of the lengths after axis k) mod (the length of axis k)

    Args:
        indices: integers; negative ones count from the end.
        shape: the shape of the array that is numbered, integers.
    Returns:
        An array for each axis, of the indices' shape and dtype.
    Empty: no indices give empty results.
    Raises:
        DtypeError: no integers.  ArgumentError: a shape that is none.  DataError: an index outside, where it is known.
    Source: Keras 3 `ops.unravel_index`.

    >>> unravel_index([5, 1], (2, 3))
    (array([1, 0]), array([2, 1]))
    """
    x = ops.indexing.whole_numbers("unravel_index", indices)
    lengths = ops.arguments.dimensions("unravel_index", shape)
    if any(not isinstance(n, int) for n in lengths):
        raise ArgumentError("unravel_index: the shape must be made of integers, not tensors.")
    dtype, count = dtype_of(x), product(list(lengths))
    ops.indexing.inside("unravel_index", x, count, 0, "indices")
    x = ops.cast(x, "int64")
    x = ops.where(ops.less(x, 0), ops.add(x, count), x)
    found: list[TensorLike] = []
    for n in reversed(lengths):
        found.append(ops.cast(ops.mod(x, max(n, 1)), dtype))
        x = ops.floor_divide(x, max(n, 1))
    return tuple(reversed(found))
