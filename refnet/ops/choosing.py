"""Choices by conditions and numbers, other names of ops, and segments' smallest elements and products."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.definition import Spec
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.graph import Tensor
from refnet.ops.arguments import (
    checked_axis,
    converted,
    dtype_of,
    entries,
    integer,
    is_symbolic,
    promoted,
    shape_of,
)
from refnet.ops.bits import whole
from refnet.ops.control import picked, same_structure
from refnet.ops.segments import prepared, segment_rule
from refnet.tracing import trace

# ---- choices


def select(condlist: Any, choicelist: Any, default: TensorLike = 0) -> Array:
    """The element of the first choice whose condition holds.

        y[i] = choicelist[k][i] for the first k with condlist[k][i], else default[i], with broadcasting

    Args:
        condlist: a list of conditions, what is not zero is true.
        choicelist: a list of as many choices.
        default: a number, array or tensor.
    Returns:
        The common shape, in the promoted dtype of choices and default.
    NaN: what is not chosen has no influence. Empty: an empty result.
    Raises:
        ArgumentError: no condition, or as many as there are no choices.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.select`.

    >>> select([[True, False, False], [True, True, False]], [[1, 2, 3], [10, 20, 30]], 7)
    array([ 1, 20,  7])
    """
    conditions, choices = entries("select", condlist, "condlist"), entries("select", choicelist, "choicelist")
    if not conditions or len(conditions) != len(choices):
        raise ArgumentError(f"select needs a choice for each condition; got {len(conditions)} and {len(choices)}.")
    *choices, y = promoted("select", *choices, default)
    for condition, choice in zip(reversed(conditions), reversed(choices)):
        y = ops.where(condition, choice, y)
    return y


def switch(index: TensorLike, branches: Any, *operands: Any) -> Any:
    """What the function of a number gives.

        y = branches[min(max(index, 0), n - 1)](*operands)

    A symbolic index computes all and picks, as `cond` does.

    Args:
        index: a whole number; a tensor or a number.
        branches: a list of functions that give the same structure.
        operands: their arguments.
    Returns:
        What the chosen function gives.
    Raises:
        ArgumentError: no function, two structures, or an assignment inside.  ShapeError: an index with axes longer than 1.
    Source: Keras 3 `ops.switch`.

    >>> switch(1, [lambda x: x + 1, lambda x: x * 10], 5)
    50
    """
    functions = entries("switch", branches, "branches")
    if not functions or not all(callable(f) for f in functions):
        raise ArgumentError(f"switch needs a list of functions; got {len(functions)} entries.")
    index = ops.indexing.whole_numbers("switch", index, "index")
    if any(n != 1 for n in shape_of(index)):
        raise ShapeError(f"switch needs a single index; got shape {tuple(shape_of(index))}.")
    if not is_symbolic(index):
        place = min(max(int(np.reshape(index, ())), 0), len(functions) - 1)
        return functions[place](*operands)
    with trace.inside(pure=True):
        results = [f(*operands) for f in functions]
    number, y = ops.reshape(index, ()), results[0]
    for k, result in enumerate(results[1:], 1):
        same_structure("switch", results[0], result)
        y = picked(ops.greater_equal(number, k), result, y)
    return y


# ---- other names


def amax(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """Another name of `max`.

    Args:
        x, axis, keepdims: as in `max`.
    Returns:
        As `max`.
    Ties, NaN, Empty: as in `max`.
    Raises: as `max`.
    Source: Keras 3 `ops.amax`.

    >>> amax([[1, 5], [7, 2]], axis=1)
    array([5, 7])
    """
    return ops.max(x, axis, keepdims)


def amin(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """Another name of `min`.

    Args:
        x, axis, keepdims: as in `min`.
    Returns:
        As `min`.
    Ties, NaN, Empty: as in `min`.
    Raises: as `min`.
    Source: Keras 3 `ops.amin`.

    >>> amin([[1, 5], [7, 2]], axis=1)
    array([1, 2])
    """
    return ops.min(x, axis, keepdims)


def bitwise_invert(x: TensorLike) -> Array:
    """Every bit turned over: -x - 1 of a signed integer, `logical_not` of a bool.

    Args:
        x: an integer or bool array, tensor or number.
    Returns:
        x's shape and dtype. There is no gradient.
    Empty: an empty result.
    Raises:
        DtypeError: a floating x.
    Source: Keras 3 `ops.bitwise_invert`.

    >>> bitwise_invert([0, 5, -1])
    array([-1, -6,  0])
    """
    x = whole("bitwise_invert", converted("bitwise_invert", x), converted("bitwise_invert", x))[0]
    if dtype_of(x) == "bool":
        return ops.logical_not(x)
    ones = np.asarray(np.iinfo(dtype_of(x)).max if dtype_of(x).startswith("u") else -1, dtype_of(x))
    return ops.bitwise_xor(x, ones)


def bitwise_not(x: TensorLike) -> Array:
    """Another name of `bitwise_invert`.

    Args:
        x: as in `bitwise_invert`.
    Returns:
        As `bitwise_invert`.
    Empty: an empty result.
    Raises: as `bitwise_invert`.
    Source: Keras 3 `ops.bitwise_not`.

    >>> bitwise_not(5)
    array(-6, dtype=int32)
    """
    return bitwise_invert(x)


def bitwise_left_shift(x: TensorLike, y: TensorLike) -> Array:
    """Another name of `left_shift`.

    Args:
        x, y: as in `left_shift`.
    Returns:
        As `left_shift`.
    Empty: an empty result.
    Raises: as `left_shift`.
    Source: Keras 3 `ops.bitwise_left_shift`.

    >>> bitwise_left_shift([1, 3], 2)
    array([ 4, 12])
    """
    return ops.left_shift(x, y)


def bitwise_right_shift(x: TensorLike, y: TensorLike) -> Array:
    """Another name of `right_shift`.

    Args:
        x, y: as in `right_shift`.
    Returns:
        As `right_shift`.
    Empty: an empty result.
    Raises: as `right_shift`.
    Source: Keras 3 `ops.bitwise_right_shift`.

    >>> bitwise_right_shift([4, 12], 2)
    array([1, 3])
    """
    return ops.right_shift(x, y)


def array(x: TensorLike, dtype: str | None = None) -> TensorLike:
    """Another name of `convert_to_tensor`.

    Args:
        x, dtype: as in `convert_to_tensor`.
    Returns:
        As `convert_to_tensor`.
    Raises: as `convert_to_tensor`.
    Source: Keras 3 `ops.array`.

    >>> array([1, 2], "float32")
    array([1., 2.], dtype=float32)
    """
    return ops.convert_to_tensor(x, dtype)


def copy(x: TensorLike) -> TensorLike:
    """The same elements once more.

    Args:
        x: an array, tensor or number.
    Returns:
        x's shape and dtype, in memory of its own.
    NaN: copied. Empty: an empty result.
    Source: Keras 3 `ops.copy`.

    >>> copy([1, 2])
    array([1, 2])
    """
    return ops.unary.same(converted("copy", x))


def empty(shape: Any, dtype: str | None = None) -> TensorLike:
    """An array whose elements nobody has chosen; here they are zeros, so that no program depends on chance.

    Args:
        shape, dtype: as in `zeros`.
    Returns:
        As `zeros`.
    Raises: as `zeros`.
    Source: Keras 3 `ops.empty`.

    >>> empty((2,)).shape
    (2,)
    """
    return ops.zeros(shape, dtype)


def empty_like(x: TensorLike, dtype: str | None = None) -> TensorLike:
    """`empty` of another array's shape.

    Args:
        x, dtype: as in `zeros_like`.
    Returns:
        As `zeros_like`.
    Source: Keras 3 `ops.empty_like`.

    >>> empty_like([1.0, 2.0]).shape
    (2,)
    """
    return ops.zeros_like(x, dtype)


def is_tensor(x: Any) -> bool:
    """Whether x is an array or a symbolic tensor.

    Args:
        x: anything.
    Returns:
        A bool; False for lists and numbers.
    Source: Keras 3 `ops.is_tensor`.

    >>> is_tensor(np.zeros(2)), is_tensor([0.0, 0.0])
    (True, False)
    """
    return isinstance(x, (np.ndarray, Tensor))


def argpartition(x: TensorLike, kth: int, axis: int | None = -1) -> Array:
    """Places of elements, the kth where it would stand in order, none before it larger, none after it smaller.

    Here all of them are in order, which is one such way: see `argsort`.

    Args:
        x: an array or tensor.
        kth: a place along the axis.
        axis: the axis; None for x.ravel().
    Returns:
        int32, x's shape.
    Ties: the first in x comes first. NaN: last. Empty: an error.
    Raises:
        ArgumentError: a place or an axis that there is not.
    Source: Keras 3 `ops.argpartition`.

    >>> argpartition([3, 1, 2], 1)
    array([1, 2, 0], dtype=int32)
    """
    x, place = converted("argpartition", x), integer("argpartition", kth, "kth")
    lane = ops.ravel(x) if axis is None else x
    along = checked_axis("argpartition", -1 if axis is None else axis, len(shape_of(lane)))
    length = shape_of(lane)[along]
    if length is not None and not -length <= place < length:
        raise ArgumentError(f"argpartition: kth must lie in {-length}..{length - 1}; got {kth!r}.")
    return ops.argsort(lane, along)


# ---- segments


@called_as("segment_min", "segment_max")
def segment_min(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> TensorLike:
    """The smallest element, in each column, of the rows that share a segment.

        y[s, i] = min over j with segment_ids[j] = s of  data[j, i]

    Args:
        data, segment_ids, num_segments, sorted: as in `segment_sum`.
    Returns:
        (num_segments, the rest of data's axes), data's dtype; bool gives int32. inf, or the largest integer, for a segment
        without rows.
    Ties: the whole gradient goes to the first smallest element. NaN: any NaN gives NaN. Empty: as without rows.
    Raises: as `segment_max`.
    Source: Keras 3 `ops.segment_min`.

    >>> segment_min([1, 2, 4], [0, 1, 0], 2)
    array([1, 2])
    """
    data, ids, segments = prepared("segment_min", data, segment_ids, num_segments)
    # Turning over the bits of an integer turns its order round, and meets no overflow.
    turned = ops.negative if dtypes.is_floating(dtype_of(data)) else bitwise_invert
    return turned(ops.segment_max(turned(data), ids, segments))


def segment_prod(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> TensorLike:
    """The product of the rows that share a segment.

        y[s, i] = product over j with segment_ids[j] = s of  data[j, i],  in the order of j

    Args:
        data, segment_ids, num_segments, sorted: as in `segment_sum`; in a graph data's other axes have known lengths.
    Returns:
        (num_segments, the rest of data's axes), data's dtype; bool gives int32. 1 for a segment without rows. Integers wrap.
    NaN: spreads within its segment. Empty: ones. There is no gradient.
    Raises:
        As `segment_sum`. ArgumentError: a gradient.
    Source: Keras 3 `ops.segment_prod`.

    >>> segment_prod([2.0, 3.0, 4.0], [0, 1, 0], 2)
    array([8., 3.], dtype=float32)
    """
    data, ids, segments = prepared("segment_prod", data, segment_ids, num_segments)
    segment_rule("segment_prod")(*[Spec(tuple(shape_of(v)), dtype_of(v)) for v in (data, ids)], segments=segments)
    ops.indexing.inside("segment_prod", ids if is_symbolic(ids) else ids[ids != -1], segments, 0, "segment_ids")
    rest = ops.shape(data)[len(shape_of(ids)) :]
    start = ops.ones((segments + 1, *rest), dtype_of(data))
    # Rows of -1 go to a segment of their own, which is left out.
    places = ops.expand_dims(ops.where(ops.less(ids, 0), segments, ids), -1)
    return ops.get_item(ops.scatter_update(start, places, data, "mul"), slice(0, segments))
