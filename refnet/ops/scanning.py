"""Scans of what may be grouped freely."""

from collections.abc import Callable
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import checked_axis, converted, flag, shape_of
from refnet.structure import flatten, packed


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All that a grouping function makes of the parts up to each place.

        y[0] = x[0],  y[k] = f(y[k - 1], x[k])

    grouped so that f works on many parts at once: it must not matter how they are grouped.

    Args:
        f: a function of two structures like `elems`, cut along the axis; it gives a third.
        elems: an array or tensor of known length along the axis, or a structure of such.
        reverse: whether to begin at the end.
        axis: the axis of the parts.
    Returns:
        A structure like `elems`.
    Empty: an error.
    Raises:
        ShapeError: an open axis, parts of two lengths, none at all.  ArgumentError: no function.
    Source: Keras 3 `ops.associative_scan`; Blelloch 1990.

    >>> associative_scan(lambda a, b: a + b, np.array([1, 2, 3, 4]))
    array([ 1,  3,  6, 10])
    """
    if not callable(f):
        raise ArgumentError(f"associative_scan: f must be a function; got {f!r}.")
    parts = [converted("associative_scan", x, "elems") for x in flatten(elems)]
    places = [checked_axis("associative_scan", axis, len(shape_of(x))) for x in parts]
    lengths = {shape_of(x)[a] for x, a in zip(parts, places)}
    if len(lengths) != 1 or None in lengths or 0 in lengths:
        raise ShapeError(f"associative_scan needs parts of one known length above 0; got {sorted(map(str, lengths))}.")
    backwards = flag("associative_scan", reverse, "reverse")
    if backwards:
        parts = [ops.flip(x, a) for x, a in zip(parts, places)]

    def joined(a: list[TensorLike], b: list[TensorLike]) -> list[TensorLike]:
        return flatten(f(packed(elems, a), packed(elems, b)))

    y = grouped_scan(joined, parts, places)
    return packed(elems, [ops.flip(x, a) for x, a in zip(y, places)] if backwards else y)


def grouped_scan(
    joined: Callable[[list[TensorLike], list[TensorLike]], list[TensorLike]], parts: list[TensorLike], axes: list[int]
) -> list[TensorLike]:
    """Pairs first, then all up to each pair, then those between."""
    length = shape_of(parts[0])[axes[0]]
    if length < 2:
        return parts

    def cut(xs: list[TensorLike], *bounds: int | None) -> list[TensorLike]:
        return [ops.get_item(x, (*[slice(None)] * a, slice(*bounds))) for x, a in zip(xs, axes)]

    pairs = joined(cut(parts, 0, length - 1, 2), cut(parts, 1, None, 2))
    odd = grouped_scan(joined, pairs, axes)
    between = joined(cut(odd, 0, (length - 1) // 2), cut(parts, 2, None, 2)) if length > 2 else cut(odd, 0, 0)
    even = [ops.concatenate([x, y], a) for x, y, a in zip(cut(parts, 0, 1), between, axes)]
    return [interleaved(p, q, a) for p, q, a in zip(even, odd, axes)]


def interleaved(even: TensorLike, odd: TensorLike, axis: int) -> TensorLike:
    """The parts of two arrays in turn; the first may have one more."""
    count = shape_of(odd)[axis]
    lead = (slice(None),) * axis
    both = ops.stack([ops.get_item(even, (*lead, slice(0, count))), odd], axis + 1)
    dims = list(ops.shape(even))
    y = ops.reshape(both, (*dims[:axis], 2 * count, *dims[axis + 1 :]))
    return (
        y
        if shape_of(even)[axis] == count
        else ops.concatenate([y, ops.get_item(even, (*lead, slice(count, None)))], axis)
    )
