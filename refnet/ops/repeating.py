"""Repeating: elements, blocks and orders that come again; and one axis taken apart."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.graph import Tensor
from refnet.ops.arguments import MOST_PARTS, checked_axis, converted, integer, is_symbolic, shape_of


def count(op: str, name: str, n: Any) -> Any:
    """n as a Python int, not below 0, or an integer that comes from `ops.shape`. Raises ArgumentError."""
    if isinstance(n, Tensor) and n.shape == () and dtypes.is_integer(n.dtype):
        return n
    if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ArgumentError(f"{op}: {name} must be integers, not below 0; got {n!r}.")
    return int(n)


def repeat(x: TensorLike, repeats: Any, axis: int | None = None) -> TensorLike:
    """Each element along an axis several times over, one after the other.

        y[o, j, i] = x[o, r, i]   for repeats[0] + ... + repeats[r-1] <= j < repeats[0] + ... + repeats[r]

    Args:
        x: an array or tensor of any dtype.
        repeats: one integer for all elements, which may come from `ops.shape`, or one for each place of the axis (whose length must then be known).
        axis: the axis; None repeats the elements of x.ravel().
    Returns:
        x's dtype, the axis as long as the sum of the repeats.
    NaN: copied. Empty: an empty result; repeats may be 0.
    Raises:
        ArgumentError: negative repeats, no such axis.  ShapeError: not one number for each place.
    Source: Keras 3 `ops.repeat`.

    >>> repeat([1, 2], 2)
    array([1, 1, 2, 2])
    >>> repeat([[1, 2], [3, 4]], [1, 2], axis=0)
    array([[1, 2],
           [3, 4],
           [3, 4]])
    """
    x = converted("repeat", x)
    if axis is None:
        x, axis = ops.ravel(x), 0
    axis = checked_axis("repeat", axis, len(shape_of(x)))
    times = converted("repeat", repeats, "repeats")
    if is_symbolic(times) and times.shape not in ((), (1,)):
        raise ArgumentError("repeat: a tensor of repeats must be one integer, for all elements.")
    if is_symbolic(times) or times.ndim == 0 or times.size == 1:
        one = ops.reshape(times, ())
        n = count("repeat", "repeats", one if is_symbolic(times) else one.item())
        dims = ops.shape(x)
        wider = ops.broadcast_to(ops.expand_dims(x, axis + 1), (*dims[: axis + 1], n, *dims[axis + 1 :]))
        return ops.reshape(wider, (*dims[:axis], dims[axis] * n, *dims[axis + 1 :]))
    counts = [count("repeat", "repeats", n) for n in times.tolist()] if times.ndim == 1 else [-1]
    if shape_of(x)[axis] != len(counts) or times.ndim != 1:
        raise ShapeError(
            f"repeat needs one number for each of {shape_of(x)[axis]} places of axis {axis}; got shape {times.shape}."
        )
    with in_memory("repeat"):
        picks = np.repeat(np.arange(len(counts)), counts)
    return ops.take(x, picks, axis)


def tile(x: TensorLike, repeats: Any) -> TensorLike:
    """x set side by side with itself, several times along each axis.

        y[i, j] = x[i mod n, j mod m]

    Args:
        x: an array or tensor of any dtype.
        repeats: an integer for each axis, counted from the last; more than x has axes add leading ones. They may come from
            `ops.shape`, one by one or put together to a tensor.
    Returns:
        x's dtype, each axis so many times as long.
    NaN: copied. Empty: an empty result; repeats may be 0.
    Raises:
        ArgumentError: negative repeats.
    Source: Keras 3 `ops.tile`.

    >>> tile([1, 2], (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    x = converted("tile", x)
    if isinstance(repeats, Tensor) and len(repeats.shape) == 1 and repeats.shape[0] is not None:
        given: Any = [repeats[i] for i in range(repeats.shape[0])]
    else:
        given = repeats if isinstance(repeats, (tuple, list)) or np.ndim(repeats) else (repeats,)
    times = [count("tile", "repeats", n) for n in given]
    rank = max(len(times), len(shape_of(x)))
    times = [1] * (rank - len(times)) + times
    dims = [1] * (rank - len(shape_of(x))) + list(ops.shape(x))
    between = [d for n in dims for d in (1, n)]
    wide = [d for k, n in zip(times, dims) for d in (k, n)]
    return ops.reshape(ops.broadcast_to(ops.reshape(x, between), wide), [n * k for k, n in zip(times, dims)])


def roll(x: TensorLike, shift: Any, axis: Any = None) -> TensorLike:
    """x moved along axes; what leaves at one end comes in at the other.

        y[o, j, i] = x[o, (j - shift) mod n, i]

    Args:
        x: an array or tensor of any dtype.
        shift: how far, negative towards the front; an integer, or one for each axis given.
        axis: one axis, several, or None to roll x.ravel().
    Returns:
        x's shape and dtype.
    NaN: moved like any element. Empty: an empty result.
    Raises:
        ArgumentError: no such axis, or not one shift for each axis.
    Source: Keras 3 `ops.roll`.

    >>> roll([1, 2, 3, 4], 1)
    array([4, 1, 2, 3])
    >>> roll([[1, 2], [3, 4]], (1, 1), (0, 1))
    array([[4, 3],
           [2, 1]])
    """
    x = converted("roll", x)
    if axis is None:
        return ops.reshape(roll(ops.ravel(x), shift, 0), ops.shape(x))
    axes = [checked_axis("roll", a, len(shape_of(x))) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    shifts = list(shift) if isinstance(shift, (tuple, list)) else [shift] * len(axes)
    if len(shifts) != len(axes) or not all(isinstance(s, (int, np.integer)) for s in shifts):
        raise ArgumentError(f"roll needs an integer for each axis; got shift {shift!r} for axis {axis!r}.")
    for s, a in zip(shifts, axes):
        x = rolled(x, integer("roll", s, "s"), a)
    return x


def rolled(x: TensorLike, shift: int, axis: int) -> TensorLike:
    length = shape_of(x)[axis]
    if length is None:
        n = ops.shape(x)[axis]
        return ops.take(x, ops.mod(ops.subtract(ops.arange(n), shift), ops.cast(n, "int32")), axis)
    if length == 0 or shift % length == 0:
        return x
    before = [slice(None)] * axis
    cut = length - shift % length
    parts = [ops.get_item(x, (*before, slice(cut, None))), ops.get_item(x, (*before, slice(cut)))]
    return ops.concatenate(parts, axis)


def unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[TensorLike]:
    """The slices of x along an axis, without that axis: the reverse of `stack`.

        y_k[o, i] = x[o, k, i]

    Args:
        x: an array or tensor of any dtype.
        num: the length of the axis; may be left out where it is known.
        axis: the axis to take apart.
    Returns:
        A list with one array or tensor for each place of the axis.
    NaN: copied. Empty: an axis of length 0 gives an empty list.
    Raises:
        ArgumentError: no such axis; an open length and no num; more than 65536 places.  ShapeError: another length than num.
    Source: Keras 3 `ops.unstack`.

    >>> unstack([[1, 2], [3, 4]], axis=1)
    [array([1, 3]), array([2, 4])]
    """
    x = converted("unstack", x)
    axis = checked_axis("unstack", axis, len(shape_of(x)))
    length = shape_of(x)[axis]
    num = None if num is None else integer("unstack", num, "num")
    if length is None and num is None:
        raise ArgumentError(f"unstack: the length of axis {axis} is open; say it with num.")
    if None not in (length, num) and length != num:
        raise ShapeError(f"unstack: axis {axis} of shape {tuple(shape_of(x))} has not the length num = {num}.")
    places: Any = num if length is None else length
    if places > MOST_PARTS:
        raise ArgumentError(f"unstack makes an array of each place, of {MOST_PARTS} at most; axis {axis} has {places}.")
    before = [slice(None)] * axis
    return [ops.get_item(x, (*before, k)) for k in range(places)]
