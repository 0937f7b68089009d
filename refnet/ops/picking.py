"""Picking by several index arrays at once: what `get_item` does with a key that holds them."""

import builtins
import functools
import operator
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.definition import Op, Spec, broadcast_shapes
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.ops.arguments import shape_of
from refnet.ops.shapes import reshape, shape
from refnet.ops.slicing import get_item, has_symbolic_bounds, is_array, is_single, range_of, resolved, whole_bound


def picked_together(x: TensorLike, entries: list[Any]) -> TensorLike:
    """x picked by several arrays at once; integers beside arrays count as such."""
    picks = [i for i, entry in enumerate(entries) if is_array(entry) or is_single(entry)]
    parts = []
    for i in picks:
        extent = shape_of(x)[sum(entry is not None for entry in entries[:i])]
        if is_single(entries[i]) and extent is not None:
            resolved(extent, range_of(entries[i]))  # raises if it is outside
        range_of(entries[i])
        parts.append(ops.indexing.whole_numbers("get_item", entries[i]))
        axis = sum(entry is not None for entry in entries[:i])
        ops.indexing.inside("get_item", parts[-1], extent, axis, f"entry {i} of the key")
    x = get_item(x, tuple(builtins.slice(None) if i in picks else entry for i, entry in enumerate(entries)))
    first = picks[0] if picks == list(range(picks[0], picks[-1] + 1)) else 0
    rest = [axis for axis in range(len(shape_of(x))) if axis not in picks]
    x = ops.transpose(x, (*rest[:first], *picks, *rest[first:]))
    broadcast_shapes("get_item", *map(shape_of, parts))
    whole = functools.reduce(ops.add, [ops.zeros_like(part, "int64") for part in parts])
    flat = place_op(x, *[ops.add(ops.cast(part, "int64"), whole) for part in parts], first=first)
    return ops.take(joined(x, first, len(picks)), flat, first)


def cut(x: TensorLike, entries: list[Any]) -> tuple[TensorLike, list[Any]]:
    """x cut along the axes whose slices have tensors as bounds, and the entries with whole axes in their places."""
    left = list(entries)
    for i, entry in enumerate(entries):
        if has_symbolic_bounds(entry):
            axis = sum(before is not None for before in entries[:i])
            extent = shape(x)[axis]
            if entry.step is not None and (isinstance(entry.step, Tensor) or whole_bound(entry.step) != 1):
                raise ArgumentError(f"get_item: a slice up to a tensor has steps of 1; got {entry.step!r}.")
            start = 0 if entry.start is None else bound(entry.start, extent)
            stop = extent if entry.stop is None else bound(entry.stop, extent)
            places = ops.arange(ops.maximum(ops.subtract(stop, start), 0))
            x = ops.take(x, ops.add(places, start), axis)
            left[i] = builtins.slice(None)
    return x, left


def bound(given: Any, extent: Any) -> TensorLike:
    """A bound of a slice as a number from 0 to the axis's extent; negative ones count from the end."""
    if isinstance(given, Tensor):
        if given.shape != ():
            raise ArgumentError(
                f"get_item: a bound of a slice is a single integer; got a tensor of shape {given.shape}."
            )
        given = ops.indexing.whole_numbers("get_item", given, "a bound of a slice")
    else:
        given = whole_bound(given)
    counted = ops.where(ops.less(given, 0), ops.add(given, extent), given)
    return ops.minimum(ops.maximum(counted, 0), extent)


def joined(x: TensorLike, first: int, count: int) -> TensorLike:
    """x with that many axes, from `first` on, made one."""
    dims = shape(x)
    length = functools.reduce(
        operator.mul if None not in shape_of(x)[first : first + count] else ops.multiply, dims[first : first + count], 1
    )
    return reshape(x, (*dims[:first], length, *dims[first + count :]))


def place_expanded(x: TensorLike, *parts: TensorLike, first: int) -> TensorLike:
    from refnet.ops.scattering import flat_index_op

    return flat_index_op(*parts, extents=tuple(shape_of(x)[first : first + len(parts)]))


# The number of the place that one index for each of x's axes names, counted over these axes in row-major order.
place_op = Op(
    "place",
    lambda x, *parts, first: Spec(tuple(parts[0].shape), "int64"),
    expand=place_expanded,
    shape_only=(0,),
)
