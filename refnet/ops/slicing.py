"""Slicing: a regular part of an array, and the reverse, an array spread into a larger one."""

import builtins
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, Number, Shape, Tasks, TensorLike
from refnet.definition import MOST, Form, Op, Spec, View, row_major, size_of
from refnet.errors import ArgumentError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import checked_axes, converted, dtype_of, shape_of
from refnet.ops.shapes import copy_loop, expand_dims, squeeze, viewed

# ---- get_item: what x[key] means

Range = tuple[Any, ...]  # (start, stop, step) as in a slice; step 0 means: only the element at `start`
WHOLE: Range = (None, None, 1)


def get_item(x: TensorLike, key: Any) -> TensorLike:
    """A part of x, as `x[key]` gives it.

        y[i, j] = x[start0 + i * step0, start1 + j * step1]

    Args:
        x: an array or tensor of any dtype.
        key: one entry for each axis from the first, or a tuple of them: integers (the axis is dropped), slices, None (a new
            axis of length 1), one Ellipsis (as many whole axes as are left), arrays or tensors of integers (as in `take`;
            several are broadcast and read together, y[k] = x[a[k], b[k]]). Negative integers count from the end, also where
            the length is open. The bounds of a slice in steps of 1 may come from `ops.shape`.
    Returns:
        x's dtype, the shape NumPy gives: the axes of index arrays stand where these stood, or first if something was between.
    NaN: copied. Empty: slices may be empty.
    Raises:
        ArgumentError: an index outside its axis, too many entries, or an entry of another kind.
        ShapeError: index arrays that do not broadcast.  DataError: an index in an array that is outside its axis.
    Source: NumPy's indexing; Keras 3 `ops.get_item`.

    >>> get_item([[1, 2, 3], [4, 5, 6]], np.s_[:, ::-2])
    array([[3, 1],
           [6, 4]])
    >>> get_item([[1, 2, 3], [4, 5, 6]], (-1, ..., None))
    array([[4],
           [5],
           [6]])
    >>> get_item([[1, 2, 3], [4, 5, 6]], ([1, 0, 1], [0, 2, 2]))
    array([4, 3, 6])
    """
    x = converted("get_item", x)
    entries = _one_for_each_axis(key if isinstance(key, tuple) else (key,), len(shape_of(x)))
    if any(map(has_symbolic_bounds, entries)):
        from refnet.ops.picking import cut

        x, entries = cut(x, entries)
    if any(map(is_array, entries)) and sum(is_array(e) or is_single(e) for e in entries) > 1:
        from refnet.ops.picking import picked_together

        return picked_together(x, entries)
    ranges = tuple(range_of(entry) for entry in entries if entry is not None)
    if any(r != WHOLE for r in ranges) or not isinstance(x, Tensor):
        x = item_op(x, ranges=ranges)
    return _rearranged(x, entries)


def _one_for_each_axis(key: tuple[Any, ...], rank: int) -> list[Any]:
    """The key without Ellipsis: None for new axes, and one entry for each of x's axes."""
    used = sum(entry is not None and entry is not Ellipsis for entry in key)
    dots = [i for i, entry in enumerate(key) if entry is Ellipsis]
    if used > rank or len(dots) > 1:
        raise ArgumentError(f"get_item: {used} indices and {len(dots)} '...' do not fit an array with {rank} axes.")
    at = dots[0] if dots else len(key)
    return [*key[:at], *[builtins.slice(None)] * (rank - used), *key[at + 1 :]]


def range_of(entry: Any) -> Range:
    if isinstance(entry, builtins.slice):
        parts = []
        for part, default in ((entry.start, None), (entry.stop, None), (entry.step, 1)):
            parts.append(default if part is None else whole_bound(part))
        if parts[2] == 0:
            raise ArgumentError("get_item: the step of a slice must not be 0.")
        return tuple(parts)
    if is_single(entry):
        return (int(entry), None, 0)
    if is_array(entry) and dtype_of(converted("get_item", entry, "key")) != "bool":
        return WHOLE
    raise ArgumentError(
        f"get_item takes integers, slices, None, ... and arrays of integers; got {entry!r}. "
        "A boolean mask gives a shape that depends on values: use ops.where, or NumPy before the graph."
    )


def whole_bound(part: Any) -> int:
    try:
        return operator.index(part)
    except TypeError:
        raise ArgumentError(f"get_item: the bounds and the step of a slice are integers; got {part!r}.") from None


def _rearranged(x: TensorLike, entries: list[Any]) -> TensorLike:
    """Drops the axes of integers, puts in new ones, then picks by the array, if there is one."""
    single = [is_single(entry) for entry in entries]
    arrays = [i for i, entry in enumerate(entries) if is_array(entry)]
    own = [i for i, entry in enumerate(entries) if entry is not None]
    dropped = tuple(axis for axis, i in enumerate(own) if single[i])
    if dropped:
        x = squeeze(x, dropped)
    left = [i for i in range(len(entries)) if not single[i]]
    new = tuple(axis for axis, i in enumerate(left) if entries[i] is None)
    if new:
        x = expand_dims(x, new)
    return ops.take(x, entries[arrays[0]], axis=arrays[0]) if arrays else x


def has_symbolic_bounds(entry: Any) -> bool:
    return isinstance(entry, builtins.slice) and any(
        isinstance(part, Tensor) for part in (entry.start, entry.stop, entry.step)
    )


def is_single(entry: Any) -> bool:
    return isinstance(entry, (int, np.integer)) and not isinstance(entry, bool)


def is_array(entry: Any) -> bool:
    return isinstance(entry, (list, np.ndarray, Tensor))


def resolved(extent: int, given: Range) -> tuple[int, int, int]:
    """(start, number of elements, step) of a range on an axis of that length."""
    start, stop, step = given
    if step == 0:
        if not -extent <= start < extent:
            raise ArgumentError(f"get_item: index {start} is outside an axis of length {extent}.")
        return start % extent, 1, 1
    start, stop, step = builtins.slice(start, stop, step).indices(extent)
    return start, len(range(start, stop, step)), step


def item_rule(x: Spec, *, ranges: tuple[Range, ...]) -> Spec:
    return Spec(tuple(_length(extent, r) for extent, r in zip(x.shape, ranges)), x.dtype)


def _length(extent: int | None, given: Range) -> int | None:
    if extent is None:
        return 1 if given[2] == 0 else None
    return resolved(extent, given)[1]


def item_expanded(x: TensorLike, *, ranges: tuple[Range, ...]) -> TensorLike:
    start, extents, step = zip(*[resolved(d, r) for d, r in zip(shape_of(x), ranges)]) if ranges else ((), (), ())
    return slice_op(x, start=start, step=step, extents=extents)


def item_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    return [item_gradient_op(dy, node.inputs[0], ranges=node.attributes["ranges"])]


item_op = Op("get_item", item_rule, expand=item_expanded, gradient=item_gradient)


def item_gradient_expanded(dy: TensorLike, x: TensorLike, *, ranges: tuple[Range, ...]) -> TensorLike:
    start, _, step = zip(*[resolved(d, r) for d, r in zip(shape_of(x), ranges)]) if ranges else ((), (), ())
    return slice_inputs_gradient(dy, x, start, step)


item_gradient_op = Op(
    "get_item_x_gradient",
    lambda dy, x, *, ranges: Spec(x.shape, dy.dtype),
    expand=item_gradient_expanded,
    shape_only=(1,),
    gradient=lambda node, d: [item_op(d, ranges=node.attributes["ranges"]), None],
)


def joined(parts: Sequence[Tensor]) -> TensorLike | None:
    """The sum of gradients of pieces that a tensor was cut into along one axis: the pieces' own, one after the other.

    Each part is 0 outside of its piece, so that adding them would write the whole tensor once for each.

    Returns:
        None if the parts are anything else, or if it is not known how long the axis is.
    """
    nodes = [part.node for part in parts if part.node is not None and part.node.op is item_gradient_op]
    if len(nodes) < len(parts):
        return None
    cut = {axis for node in nodes for axis, r in enumerate(node.attributes["ranges"]) if r != WHOLE}
    if len(cut) != 1:
        return None
    (axis,) = cut
    length = parts[0].shape[axis]
    if length is None:
        return None
    places = [(*resolved(length, node.attributes["ranges"][axis]), node.inputs[0]) for node in nodes]
    places.sort(key=lambda place: place[:2])
    end = 0
    for start, count, step, _ in places:
        if start != end or (step != 1 and count != 1):
            return None
        end += count
    return ops.concatenate([dy for *_, dy in places], axis) if end == length else None


# ---- slice: a regular part, whose extents are known


def listed(op: str, name: str, given: Any) -> list[Any]:
    """The integers, and tensors, of a sequence."""
    entries = (
        list(given) if isinstance(given, (tuple, list)) or (isinstance(given, np.ndarray) and given.ndim) else None
    )
    if entries is None or not all(isinstance(i, (int, np.integer, Tensor)) or is_whole(i) for i in entries):
        raise ArgumentError(f"{op}: {name} must be integers, one for each axis; got {given!r}.")
    return [i if isinstance(i, Tensor) else int(i) for i in entries]


def is_whole(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.ndim == 0 and x.dtype.kind in "iu"


def slice_rule(x: Spec, *, start: Shape, step: Shape, extents: Shape) -> Spec:
    if not len(x.shape) == len(start) == len(step) == len(extents):
        raise ArgumentError(
            f"slice needs a start, a step and an extent for each axis of shape {tuple(x.shape)}; got {start}, {step}, {extents}."
        )
    return Spec(tuple(extents), x.dtype)


def slice_form(x: Spec, *, start: Shape, step: Shape, extents: Shape) -> Form:
    strides = row_major(tuple(x.shape))
    offset = sum(s * stride for s, stride in zip(start, strides)) if 0 not in extents else 0
    return viewed(extents, [s * stride for s, stride in zip(step, strides)], offset)


def slice_inputs_gradient(dy: TensorLike, like: TensorLike, start: Shape, step: Shape) -> TensorLike:
    """dy, the gradient of a slice, back in the place where the slice was taken; zeros around it.

        dx[start + i * step] = dy[i],  0 elsewhere

    Args:
        dy: the slice's gradient; its shape gives the extents.
        like: the array that was sliced, read for its shape only.
        start, step: of the slice, an integer for each axis.
    Returns:
        like's shape, dy's dtype.

    >>> slice_inputs_gradient([1.0, 2.0], np.zeros(5), (3,), (-2,))
    array([0., 2., 0., 1., 0.], dtype=float32)
    """
    y, rank = (
        converted("slice_inputs_gradient", dy, "dy"),
        len(shape_of(converted("slice_inputs_gradient", like, "like"))),
    )
    start, step = (tuple(listed("slice_inputs_gradient", name, v)) for name, v in (("start", start), ("step", step)))
    if not len(shape_of(y)) == len(start) == len(step) == rank:
        raise ArgumentError(
            f"slice_inputs_gradient needs one start and one step for each of {rank} axes, and as many axes of dy; "
            f"got {start}, {step} and shape {tuple(shape_of(y))}."
        )
    if 0 in step:
        raise ArgumentError(f"slice_inputs_gradient: a step must not be 0; got {step}.")
    if not all(map(lies_inside, shape_of(y), shape_of(like), start, step)):
        raise ArgumentError(
            f"slice_inputs_gradient: places from {start} on by {step} for a dy of shape {tuple(shape_of(y))} lie outside of "
            f"shape {tuple(shape_of(like))}."
        )
    for axis, length in enumerate(shape_of(like)):
        if shape_of(y)[axis] != length or step[axis] != 1:
            y = spread_op(y, axis=axis, start=start[axis], step=step[axis], length=length, value=0)
    return y


def lies_inside(count: int | None, length: int | None, start: int, step: int) -> bool:
    """Whether the places start + i * step, i < count, lie in 0..length-1, as far as these are known."""
    if max(abs(start), abs(step)) > MOST:
        return False
    last = start if count is None else start + (count - 1) * step
    return count == 0 or (min(start, last) >= 0 and (length is None or max(start, last) < length))


slice_op = Op(
    "slice",
    slice_rule,
    loop=copy_loop,
    form=slice_form,
    gradient=lambda node, dy: [
        slice_inputs_gradient(dy, node.inputs[0], node.attributes["start"], node.attributes["step"])
    ],
)


# ---- spread: along one axis, the reverse of a slice


def spread_rule(x: Spec, *, axis: int, start: int, step: int, length: int, value: Number) -> Spec:
    return Spec((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype)


def spread_form(x: Spec, *, axis: int, start: int, step: int, length: int, value: Number) -> Form:
    outer, inner = size_of(x.shape[:axis]), size_of(x.shape[axis + 1 :])
    result = (outer, length, inner)
    return Form((View((outer, x.shape[axis], inner)),), (start, step, value), (View(result),), result)


def spread_loop(tasks: Tasks, x: Array, start: int, step: int, value: Number, y: Array) -> None:
    # Gathers: each element of y asks whether one of x lands on it.
    for o, place, i in tasks:
        j = (place - start) // step
        if 0 <= j < x.shape[1] and start + j * step == place:
            y[o, place, i] = x[o, j, i]
        else:
            y[o, place, i] = value


def spread_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    """The places that x landed on; other axes may be open."""
    axis, start, step = (node.attributes[name] for name in ("axis", "start", "step"))
    shape = node.inputs[0].shape
    stop = start + shape[axis] * step
    landed = (start, stop if stop >= 0 else None, step)
    return [item_op(dy, ranges=tuple(landed if i == axis else WHOLE for i in range(len(shape))))]


spread_op = Op("spread", spread_rule, loop=spread_loop, form=spread_form, gradient=spread_gradient)


# ---- flip


def flip(x: TensorLike, axis: Any = None) -> TensorLike:
    """x with the order of its elements reversed along axes.

        y[i] = x[n - 1 - i]

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all.
    Returns:
        x's shape and dtype.
    NaN: copied. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.flip`.

    >>> flip([[1, 2], [3, 4]], axis=1)
    array([[2, 1],
           [4, 3]])
    """
    x = converted("flip", x)
    rank = len(shape_of(x))
    axes = checked_axes("flip", axis, rank)
    return item_op(x, ranges=tuple((None, None, -1) if i in axes else WHOLE for i in range(rank)))
