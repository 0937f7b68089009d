"""Scattering: values put into an array at places that indices name."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, converted, dimensions, dtype_of, is_symbolic, shape_of
from refnet.ops.cutting import starts_of
from refnet.ops.indexing import inside, row_of, whole_numbers
from refnet.ops.segments import segment_sum
from refnet.ops.slicing import slice_inputs_gradient
from refnet.tracing import trace

# ---- places: rows of indices as numbers of rows


def flat_index_loop(tasks: Tasks, parts: tuple[Array, ...], extents: tuple[int, ...], y: Array) -> None:
    for (j,) in tasks:
        place = 0
        for k in range(len(parts)):
            place = place * extents[k] + row_of(parts[k][j], extents[k])
        y[j] = place


def flat_index_form(*parts: Spec, extents: tuple[int, ...]) -> Form:
    view = View((size_of(parts[0].shape),))
    return Form((view,) * len(parts), (extents,), (view,), view.shape, cost=4 * len(parts))


def flat_index_rule(*parts: Spec, extents: tuple[int, ...]) -> Spec:
    if len(extents) != len(parts):
        raise ArgumentError(
            f"an index into several axes takes one for each; got {len(parts)} for the extents {extents}."
        )
    if 0 in extents and 0 not in parts[0].shape:
        raise ShapeError(f"scatter cannot put anything into an empty array; its leading axes are {extents}.")
    return Spec(tuple(parts[0].shape), "int64")


# The row-major number of the place that one index for each axis names; negative indices count from the end.
flat_index_op = Op(
    "flat_index",
    flat_index_rule,
    loop=flat_index_loop,
    form=flat_index_form,
    ranges=lambda *parts, extents: {k: (-n, n) for k, n in enumerate(extents)},
    variadic=True,
    spoken="an index into several axes",
)


def places(op: str, indices: TensorLike, shape: tuple[int, ...]) -> tuple[Any, int]:
    """The numbers (N,) of the rows that indices (..., depth) name in an array of that shape, and the depth."""
    indices = whole_numbers(op, indices)
    given = tuple(shape_of(indices))
    depth = given[-1] if given else None
    if depth is None or not 0 < depth <= len(shape):
        raise ShapeError(
            f"{op}: the last axis of indices holds one index for each of the first axes of shape {shape}; "
            f"got indices of shape {given}."
        )
    if None in shape[:depth]:
        raise ShapeError(f"{op}: the axes that are indexed must have known lengths; got shape {shape}.")
    for k in range(depth):
        inside(op, indices if is_symbolic(indices) else indices[..., k], shape[k], k, f"indices[..., {k}]")
    columns = ops.reshape(indices, (-1, depth)) if None in given else ops.reshape(indices, (size_of(given[:-1]), depth))
    parts = [ops.get_item(columns, (slice(None), k)) for k in range(depth)]
    return flat_index_op(*parts, extents=tuple(shape[:depth])), depth


def as_rows(op: str, values: TensorLike, indices: TensorLike, rest: tuple[int, ...]) -> TensorLike:
    """Values (..., rest) as (N, inner). Raises ShapeError where they do not go with the indices."""
    due = (*shape_of(indices)[:-1], *rest)
    given = tuple(shape_of(values))
    if len(due) != len(given) or any(a != b and None not in (a, b) for a, b in zip(due, given)):
        raise ShapeError(f"{op}: for indices of shape {tuple(shape_of(indices))} values need shape {due}; got {given}.")
    count = -1 if None in given[: len(given) - len(rest)] else size_of(given[: len(given) - len(rest)])
    return ops.reshape(values, (count, size_of(rest)))


# ---- into zeros


def scatter(indices: TensorLike, values: TensorLike, shape: Any) -> TensorLike:
    """An array of zeros, to which values are added at places that indices name.

        y[r, i] = sum over n with indices[n] = r of  values[n, i],  in the order of n;  r may be several indices

    Args:
        indices: integers (..., depth): one for each of the first `depth` axes; negative ones count from the end.
        values: (..., the rest of shape).
        shape: the result's shape, integers.
    Returns:
        That shape, the dtype of `values`; bool gives int32. Integers wrap around.
    Ties: values for one place add up. NaN: spreads to its place. Empty: zeros.
    Raises:
        DtypeError: indices that are no integers.  ShapeError: shapes that do not go together.  DataError: an index outside.
    Source: Keras 3 `ops.scatter`.

    >>> scatter([[1], [3], [1]], [1.0, 2.0, 4.0], (4,))
    array([0., 5., 0., 2.], dtype=float32)
    """
    values, indices = converted("scatter", values, "values"), whole_numbers("scatter", indices)
    shape = dimensions("scatter", shape)
    if is_symbolic(*shape):
        raise ArgumentError("scatter: the shape must be made of integers, not tensors.")
    flat, depth = places("scatter", indices, shape)
    rows = as_rows("scatter", values, indices, shape[depth:])
    return ops.reshape(segment_sum(rows, flat, size_of(shape[:depth])), shape)


# ---- into an array

REDUCTIONS = {None: 0, "max": 1, "min": 2, "mul": 3}


def scatter_update(
    inputs: TensorLike, indices: TensorLike, updates: TensorLike, reduction: str | None = None
) -> TensorLike:
    """An array with some of its elements replaced, or combined with others.

        y[r, i] = updates[n, i] for the last n with indices[n] = r, else inputs[r, i];  r may be several indices
        with a reduction: inputs[r, i] combined with all of them, in the order of n

    Args:
        inputs: an array or tensor; the axes that are indexed have known lengths.
        indices: integers (..., depth): one for each of the first `depth` axes; negative ones count from the end.
        updates: (..., the rest of inputs' axes), cast to the dtype of `inputs`.
        reduction: None to replace, "add", "max", "min" or "mul".
    Returns:
        Shape and dtype of `inputs`.
    Ties: of several updates for one place the last stays and gets the gradient; for "max" and "min" the first of equals gets
        it, `inputs` before all.
    NaN: replaces like any value; stays in every reduction. Empty: no updates leave the inputs.
    Raises:
        DtypeError: indices that are no integers.  ShapeError: shapes that do not go together.  DataError: an index outside.
        ArgumentError: an unknown reduction; a gradient through "mul".
    Source: Keras 3 `ops.scatter_update`.

    >>> scatter_update([0, 0, 0], [[0], [2]], [5, 7])
    array([5, 0, 7])
    """
    if not isinstance(reduction, str | None) or reduction not in (*REDUCTIONS, "add"):
        raise ArgumentError(f"scatter_update: reduction must be None, 'add', 'max', 'min' or 'mul'; got {reduction!r}.")
    x, indices = converted("scatter_update", inputs, "inputs"), whole_numbers("scatter_update", indices)
    given = tuple(shape_of(x))
    flat, depth = places("scatter_update", indices, given)
    dtype = dtype_of(x)
    values = as_dtype(converted("scatter_update", updates, "updates"), dtype)
    rest = given[depth:]
    if None in rest:
        raise ShapeError(f"scatter_update: inputs must have a known shape; got {given}.")
    rows = as_rows("scatter_update", values, indices, rest)
    count = size_of(given[:depth])
    if reduction == "add":
        return ops.add(x, as_dtype(ops.reshape(segment_sum(rows, flat, count), given), dtype))
    table = ops.reshape(x, (count, size_of(rest)))
    return ops.reshape(scatter_update_op(table, flat, rows, reduction=REDUCTIONS[reduction]), given)


def scatter_update_loop(tasks: Tasks, x: Array, rows: Array, updates: Array, reduction: int, y: Array) -> None:
    for (i,) in tasks:
        for r in range(x.shape[0]):
            y[r, i] = x[r, i]
        for n in range(rows.shape[0]):
            if 0 <= rows[n] < x.shape[0]:
                y[rows[n], i] = combined(y[rows[n], i], updates[n, i], reduction)


def combined(old: Any, new: Any, reduction: int) -> Any:
    if reduction == 1:
        return new if new > old or new != new else old
    if reduction == 2:
        return new if new < old or new != new else old
    if reduction == 3:
        return old * new
    return new


def scatter_update_form(x: Spec, rows: Spec, updates: Spec, *, reduction: int) -> Form:
    count, inner = x.shape
    views = View((count, inner)), View((rows.shape[0],)), View((rows.shape[0], inner))
    return Form(views, (reduction,), views[:1], (inner,), cost=count + 2 * rows.shape[0])


def scatter_update_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    """dy goes to the update whose value stands there: the last, or the first that is largest; else to the input."""
    x, rows, updates = node.inputs
    reduction = node.attributes["reduction"]
    if reduction == REDUCTIONS["mul"]:
        raise ArgumentError("scatter_update: there is no gradient through reduction='mul'.")
    count = ops.shape(updates)[0]
    order = ops.broadcast_to(ops.expand_dims(ops.arange(count), 1), ops.shape(updates))
    if reduction == 0:
        candidates, nobody, pick = order, -1, REDUCTIONS["max"]
    else:
        y = node.outputs[0]
        stands = ops.equal(ops.take(y, rows, axis=0), updates)
        moved = ops.take(ops.not_equal(x, y), rows, axis=0)
        nobody, pick = 2**31 - 1, REDUCTIONS["min"]
        candidates = ops.where(ops.logical_and(stands, moved), order, nobody)
    winner = scatter_update_op(ops.full_like(x, nobody, "int32"), rows, candidates, reduction=pick)
    won = ops.logical_and(ops.equal(ops.take(winner, rows, axis=0), order), ops.equal(candidates, order))
    back = ops.where(ops.equal(winner, nobody), dy, 0)
    return [back, None, ops.where(won, ops.take(dy, rows, axis=0), 0)]


scatter_update_op: Op = Op(
    "scatter_update",
    lambda x, rows, updates, *, reduction: Spec(x.shape, x.dtype),
    loop=scatter_update_loop,
    form=scatter_update_form,
    axes="rows inner, updates, updates inner",
    gradient=scatter_update_gradient,
    ranges=lambda x, rows, updates, *, reduction: {1: (0, x.shape[0])},
)


@trace.inside(composite="slice_update")
def slice_update(inputs: TensorLike, start_indices: Any, updates: TensorLike) -> TensorLike:
    """An array with a block of it replaced.

        y[i, j] = updates[i - start0, j - start1] where that exists, else inputs[i, j]

    Args:
        inputs: an array or tensor.
        start_indices: where the block starts, an integer for each axis; each, or all, may be a tensor.
        updates: the block, whole where an axis of the inputs is open; cast to the dtype of `inputs`; as many axes, none longer than fits.
    Returns:
        Shape and dtype of `inputs`.
    NaN: what is replaced has no influence. Empty: an empty block leaves the inputs.
    Raises:
        ArgumentError: not one start for each axis.  ShapeError: a block that leaves the array.
        DataError: a tensor's start with which the block leaves the array, when the program runs.
    Source: Keras 3 `ops.slice_update`.

    >>> slice_update([1, 2, 3, 4], (1,), [8, 9])
    array([1, 8, 9, 4])
    """
    x = converted("slice_update", inputs, "inputs")
    block = as_dtype(converted("slice_update", updates, "updates"), dtype_of(x))
    given, extents = tuple(shape_of(x)), tuple(shape_of(block))
    starts = starts_of("slice_update", start_indices, len(given))
    if not len(starts) == len(extents) == len(given):
        raise ArgumentError(
            f"slice_update needs one start and one extent for each of {len(given)} axes; got {starts} and {extents}."
        )
    known = [0 if isinstance(s, Tensor) else s for s in starts]
    whole_axes = [d is None and n is None and s == 0 and s is k for d, n, s, k in zip(given, extents, starts, known)]
    fits = [
        whole or (None not in (n, d) and s >= 0 and s + n <= d)
        for whole, s, n, d in zip(whole_axes, known, extents, given)
    ]
    if not all(fits):
        raise ShapeError(f"slice_update: a block of shape {extents} from {tuple(starts)} leaves shape {given}.")
    if 0 in extents or not given:
        return ops.unary.same(x) if given else block
    if None in given:
        block = whole_block_op(block, x, axes=tuple(axis for axis, d in enumerate(given) if d is None))
    with in_memory("slice_update"):
        inside = np.zeros([1 if d is None else d for d in given], bool)  # an open axis is one that is broadcast
    inside[tuple(slice(s, 1 if n is None else s + n) for s, n in zip(known, extents))] = True
    y, taken = slice_inputs_gradient(block, x, tuple(known), (1,) * len(given)), inside
    for axis, (start, n) in enumerate(zip(starts, extents)):
        if isinstance(start, Tensor):
            places_ = rolled(start, given[axis], n)
            y, taken = ops.take(y, places_, axis), ops.take(taken, places_, axis)
    return ops.where(taken, y, x)


def whole_block_expanded(block: TensorLike, x: TensorLike, *, axes: tuple[int, ...]) -> TensorLike:
    if any(shape_of(block)[axis] != shape_of(x)[axis] for axis in axes):
        raise ShapeError(
            f"slice_update: a block of shape {tuple(shape_of(block))} for an array of shape {tuple(shape_of(x))} must be as long as "
            f"that along the open {'axes' if len(axes) > 1 else 'axis'} {', '.join(map(str, axes))}."
        )
    return block


# The block, once it is known that it is as long as the array along axes that were open.
whole_block_op = Op(
    "slice_update_block",
    lambda block, x, *, axes: Spec(block.shape, block.dtype),
    expand=whole_block_expanded,
    gradient=lambda node, dy: [dy, None],
    shape_only=(1,),
    spoken="slice_update",
)


def rolled(start: Tensor, extent: int, length: int) -> TensorLike:
    """Where each place of an axis finds its own in one whose block starts at 0. A block that leaves the axis is flagged."""
    room = extent - length + 1
    outside = ops.logical_or(ops.less(start, 0), ops.greater_equal(start, room))
    sound = ops.take(np.arange(room), ops.where(outside, room, ops.cast(start, "int64")), 0)
    return ops.mod(ops.subtract(np.arange(extent), sound), extent)
