"""Padding: more elements around an array."""

import contextlib
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Number, TensorLike
from refnet.definition import Op, Spec
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, is_symbolic, shape_of
from refnet.ops.joining import concatenate
from refnet.ops.repeating import repeat
from refnet.ops.shapes import shape
from refnet.ops.slicing import WHOLE, item_op, spread_op


def pad(x: TensorLike, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> TensorLike:
    """x with more elements before and after it, along each axis.

        y[i] = x[i - before] where that exists, else the constant ("constant"), the nearest element ("edge"), or x mirrored at
        its first and last element, which are not repeated ("reflect") or are ("symmetric")

    Args:
        x: an array or tensor of any dtype.
        pad_width: ((before, after), ...) for each axis; (before, after) or an integer for all. With a constant, the numbers of the
            first form may come from `ops.shape`.
        mode: "constant", "reflect", "symmetric" or "edge". A mirrored axis must have a known length.
        constant_values: the constant; 0 if None.
    Returns:
        x's dtype, each axis longer by before + after.
    NaN: copied. Empty: a constant may surround nothing.
    Raises:
        ArgumentError: negative or ill-formed widths, an unknown mode, a constant in another mode.
        ShapeError: elements to be mirrored or repeated that do not exist.
    Source: Keras 3 `ops.pad`; NumPy's `pad`.

    >>> pad([1, 2, 3], ((1, 2),), constant_values=9)
    array([9, 1, 2, 3, 9, 9])
    >>> pad([1, 2, 3], 2, "reflect")
    array([3, 2, 1, 2, 3, 2, 1])
    """
    x = converted("pad", x)
    if not isinstance(mode, str) or mode not in ("constant", "reflect", "symmetric", "edge"):
        raise ArgumentError(f"pad: mode must be 'constant', 'reflect', 'symmetric' or 'edge'; got {mode!r}.")
    if _has_symbolic(pad_width):
        if mode != "constant":
            raise ArgumentError(
                f"pad: mode {mode!r} takes widths that are integers, not tensors; only a constant may wait for them."
            )
        return _surrounded(x, pad_width, constant_of(x, constant_values))
    widths = _checked_widths(pad_width, len(shape_of(x)))
    if mode == "constant":
        value = constant_of(x, constant_values)
        return pad_op(x, widths=widths, value=value) if any(w != (0, 0) for w in widths) else x
    if constant_values is not None:
        raise ArgumentError(f"pad: constant_values belongs to mode 'constant', not {mode!r}.")
    for axis, (before, after) in enumerate(widths):
        if (before or after) and mode == "edge":
            x = _extended(x, axis, before, after)
        elif before or after:
            x = _mirrored(x, axis, before, after, 1 if mode == "reflect" else 0)
    return x


def constant_of(x: TensorLike, given: Any) -> Any:
    """The constant as a number of x's dtype."""
    value = converted("pad", 0 if given is None else given, "constant_values")
    if shape_of(value) != () or is_symbolic(value):
        raise ArgumentError(f"pad: constant_values must be a single number; got {given!r}.")
    return as_dtype(value, dtype_of(x)).item()


def _has_symbolic(pad_width: Any) -> bool:
    pairs = pad_width if isinstance(pad_width, (list, tuple)) else ()
    return any(isinstance(n, Tensor) for pair in pairs if isinstance(pair, (list, tuple)) for n in pair)


def _surrounded(x: TensorLike, pad_width: Any, value: Any) -> TensorLike:
    """x between constants, as many as is known when the program is planned."""
    for axis, (before, after) in enumerate(_checked_widths(pad_width, len(shape_of(x)))):
        lead, behind = list(shape(x)), list(shape(x))
        lead[axis], behind[axis] = before, after
        dtype = dtype_of(x)
        x = concatenate([ops.full(tuple(lead), value, dtype), x, ops.full(tuple(behind), value, dtype)], axis)
    return x


def _checked_widths(pad_width: Any, rank: int) -> tuple[tuple[Any, Any], ...]:
    """A pair (before, after) for each axis: integers, and the tensors that stand among them."""
    pairs = pad_width
    if not _has_symbolic(pad_width):
        with contextlib.suppress(ValueError):  # of uneven lengths, or not to be spread over the axes: refused below
            pairs = np.broadcast_to(np.asarray(pad_width), (rank, 2)).tolist()
    paired = isinstance(pairs, (list, tuple)) and len(pairs) == rank
    if not paired or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        raise _widths_error(pad_width, rank)
    if not all(_is_width(n) for pair in pairs for n in pair):
        raise _widths_error(pad_width, rank)
    return tuple((before, after) for before, after in pairs)


def _is_width(n: Any) -> bool:
    return isinstance(n, Tensor) or (isinstance(n, (int, np.integer)) and not isinstance(n, bool) and bool(n >= 0))


def _widths_error(pad_width: Any, rank: int) -> ArgumentError:
    return ArgumentError(
        f"pad: pad_width must be ((before, after), ...), one pair for each of {rank} axes, not below 0; got {pad_width!r}."
    )


def _mirrored(x: TensorLike, axis: int, before: int, after: int, skip: int) -> TensorLike:
    n = shape_of(x)[axis]
    if n is None or max(before, after) > n - skip:
        raise ShapeError(
            f"pad: axis {axis} of length {n} cannot be mirrored {before} elements before and {after} after it."
        )
    ahead = (skip + before - 1, skip - 1 if skip else None, -1)
    behind = (n - 1 - skip, n - 1 - skip - after if n - 1 - skip - after >= 0 else None, -1)
    parts = []
    for wanted, given in ((before, ahead), (n, WHOLE), (after, behind)):
        if wanted:
            parts.append(item_op(x, ranges=tuple(given if i == axis else WHOLE for i in range(len(shape_of(x))))))
    return concatenate(parts, axis)


def _extended(x: TensorLike, axis: int, before: int, after: int) -> TensorLike:
    """The first slice so many times before x, the last one after it."""
    if shape_of(x)[axis] == 0:
        raise ShapeError(f"pad: axis {axis} is empty; there is no edge to repeat.")
    parts = [x]
    for wanted, place in ((before, 0), (after, -1)):
        if wanted:
            ranges = tuple((place, None, 0) if i == axis else WHOLE for i in range(len(shape_of(x))))
            edge = repeat(item_op(x, ranges=ranges), wanted, axis)
            parts = [edge, *parts] if place == 0 else [*parts, edge]
    return concatenate(parts, axis)


def pad_expanded(x: TensorLike, *, widths: tuple[tuple[int, int], ...], value: Number) -> TensorLike:
    for axis, (before, after) in enumerate(widths):
        if before or after:
            length = shape_of(x)[axis] + before + after
            x = spread_op(x, axis=axis, start=before, step=1, length=length, value=value)
    return x


pad_op = Op(
    "pad",
    lambda x, *, widths, value: Spec(tuple(d if d is None else d + sum(w) for d, w in zip(x.shape, widths)), x.dtype),
    expand=pad_expanded,
    gradient=lambda node, dy: [
        item_op(dy, ranges=tuple((before, -after if after else None, 1) for before, after in node.attributes["widths"]))
    ],
)
