"""Picking by several index arrays at once: what `get_item` does with a key that holds them."""

import builtins
import functools
import operator
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.definition import Op, Spec, broadcast_shapes
from refnet.ops.arguments import shape_of
from refnet.ops.shapes import reshape, shape
from refnet.ops.slicing import get_item, is_array, is_single, range_of, resolved


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
