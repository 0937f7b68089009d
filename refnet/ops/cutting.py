"""Blocks of an array: a start and an extent for each axis, of which some may be known when the program runs only."""

from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.definition import Op, Spec
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.ops.arguments import converted, dtype_of, shape_of
from refnet.ops.indexing import whole_numbers
from refnet.ops.shapes import shape as shape_now
from refnet.ops.slicing import WHOLE, Range, get_item, item_gradient_op, item_op, listed
from refnet.tracing import trace


@trace.inside(composite="slice")
def slice(inputs: TensorLike, start_indices: Any, shape: Any) -> TensorLike:
    """A block of x.

        y[i, j] = x[start0 + i, start1 + j]   for i < shape[0], j < shape[1]

    Args:
        inputs: an array or tensor of any dtype.
        start_indices: where the block starts, an integer for each axis; each, or all, may be a tensor.
        shape: how far it reaches, an integer for each axis; where an axis is open, one may come from `ops.shape`.
    Returns:
        That shape, the dtype of `inputs`.
    NaN: copied. Empty: an extent may be 0.
    Raises:
        ArgumentError: not one start and one extent for each axis.  ShapeError: a block that leaves the array.
        DataError: a tensor's start with which the block leaves the array, when the program runs.
    Source: Keras 3 `ops.slice`.

    >>> slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2))
    array([[2, 3],
           [5, 6]])
    """
    x = converted("slice", inputs)
    starts = starts_of("slice", start_indices, len(shape_of(x)))
    extents = [whole("slice", "shape", n) if isinstance(n, Tensor) else n for n in listed("slice", "shape", shape)]
    if not len(starts) == len(extents) == len(shape_of(x)):
        raise ArgumentError(
            f"slice needs one start and one extent for each of {len(shape_of(x))} axes; got {starts} and {extents}."
        )
    for s, n, d in zip(starts, extents, shape_of(x)):
        least = 0 if isinstance(n, Tensor) else n
        if (
            least < 0
            or (d is not None and least > d)
            or (not isinstance(s, Tensor) and (s < 0 or (d is not None and s + least > d)))
        ):
            raise ShapeError(
                f"slice: a block of shape {tuple(extents)} from {tuple(starts)} leaves shape {tuple(shape_of(x))}."
            )
    symbolic = [isinstance(s, Tensor) or isinstance(n, Tensor) for s, n in zip(starts, extents)]
    ranges = tuple(WHOLE if late else (s, s + n, 1) for late, s, n in zip(symbolic, starts, extents))
    x = item_op(x, ranges=ranges) if None not in shape_of(x) else block_op(x, ranges=ranges)
    for axis, (late, s, n) in enumerate(zip(symbolic, starts, extents)):
        x = block_from(x, s, n, axis) if late else x
    return x


def block_rule(x: Spec, *, ranges: tuple[Range, ...]) -> Spec:
    return Spec(tuple(d if r == WHOLE else r[1] - r[0] for d, r in zip(x.shape, ranges)), x.dtype)


def block_expanded(x: TensorLike, *, ranges: tuple[Range, ...]) -> TensorLike:
    extents = tuple(shape_of(x))
    if any(r != WHOLE and r[1] > d for d, r in zip(extents, ranges)):
        wanted = tuple(block_rule(Spec(extents, ""), ranges=ranges).shape)
        raise ShapeError(
            f"slice: a block of shape {wanted} from {tuple(r[0] or 0 for r in ranges)} leaves shape {extents}."
        )
    return item_op(x, ranges=ranges)


# A part that must not be cut short, of a tensor whose axes are open.
block_op = Op(
    "slice_block",
    block_rule,
    expand=block_expanded,
    gradient=lambda node, dy: [item_gradient_op(dy, node.inputs[0], ranges=node.attributes["ranges"])],
    spoken="slice",
)


def starts_of(op: str, given: Any, rank: int) -> list[Any]:
    """The starts of a block: integers, and tensors where they are known when the program runs only."""
    if isinstance(given, Tensor):
        if given.shape != (rank,):
            raise ArgumentError(f"{op} needs one start for each of {rank} axes; got a tensor of shape {given.shape}.")
        given = [get_item(given, axis) for axis in range(rank)]
    return [whole(op, "start_indices", s) if isinstance(s, Tensor) else s for s in listed(op, "start_indices", given)]


def whole(op: str, name: str, entry: Tensor) -> TensorLike:
    """An entry that is a tensor as an integer to count with. Raises ArgumentError for several, DtypeError for floats."""
    if entry.shape != ():
        raise ArgumentError(f"{op}: an entry of {name} must be a single integer; got a tensor of shape {entry.shape}.")
    return whole_numbers(op, entry, name)


def block_from(x: TensorLike, start: int | Tensor, length: int | Tensor, axis: int) -> TensorLike:
    """`length` places of an axis from a start, one of them known when the program runs."""
    if not isinstance(start, Tensor):
        return ops.take(x, ops.add(ops.arange(length), start), axis)
    # A start below 0 must not count from the end: it is sent beyond it, where it is found out.
    sound = ops.where(ops.less(start, 0), ops.cast(shape_now(x)[axis], dtype_of(start)), start)
    return ops.take(x, ops.add(sound, ops.cast(ops.arange(length), dtype_of(start))), axis)
