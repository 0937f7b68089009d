"""Segments: rows that share a number, brought together: sums, largest elements, counts."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.arrays import read_once
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, integer, is_symbolic, shape_of
from refnet.ops.indexing import whole_numbers
from refnet.scalars import INF

# ---- calls in canonical form: data (n, inner), ids (n,), a result (segments, inner); a task is a column


def prepared(op: str, data: TensorLike, segment_ids: TensorLike, num_segments: Any) -> tuple[Any, Any, int]:
    """Data, ids and the number of segments, checked."""
    data, ids = converted(op, data, "data"), whole_numbers(op, segment_ids, "segment_ids")
    if num_segments is None:
        if isinstance(ids, Tensor):
            raise ArgumentError(f"{op}: in a graph num_segments must be given; the ids are not known yet.")
        num_segments = int(np.max(read_once(ids), initial=-1)) + 1
    if isinstance(num_segments, bool) or not isinstance(num_segments, (int, np.integer)) or num_segments < 0:
        raise ArgumentError(f"{op}: num_segments must be an integer, not below 0; got {num_segments!r}.")
    if dtype_of(data) == "bool":
        data = as_dtype(data, "int32")
    return data, ids, int(num_segments)


def segment_rule(name: str) -> Any:
    def rule(data: Spec, ids: Spec, *, segments: int) -> Spec:
        lead = tuple(data.shape[: len(ids.shape)])
        fits = len(lead) == len(ids.shape) and all(a == b or None in (a, b) for a, b in zip(lead, ids.shape))
        if not len(ids.shape) or not fits:
            raise ShapeError(
                f"{name}: segment_ids must have the shape of data's leading axes, at least one; "
                f"got {tuple(ids.shape)} for data of shape {tuple(data.shape)}."
            )
        return Spec((segments, *data.shape[len(ids.shape) :]), data.dtype)

    return rule


def segment_form(data: Spec, ids: Spec, *, segments: int) -> Form:
    views = segment_views(data, ids, segments)
    count, inner = views[0].shape
    return Form(views[:2], (), views[2:], (inner,), cost=count + segments)


def segment_sum_form(data: Spec, ids: Spec, *, segments: int) -> Form:
    """With room for a column's sums, which are kept wide until they are complete."""
    return segment_form(data, ids, segments=segments)._replace(scratch=((segments,),))


def segment_views(data: Spec, ids: Spec, segments: int) -> tuple[View, View, View]:
    count, inner = size_of(ids.shape), size_of(data.shape[len(ids.shape) :])
    return View((count, inner)), View((count,)), View((segments, inner))


def ids_range(data: Spec, ids: Spec, *, segments: int) -> dict[int, tuple[int, int]]:
    return {1: (-1, segments)}


# ---- sums


def segment_sum(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> TensorLike:
    """The sum of the rows that share a segment.

        y[s, i] = sum over j with segment_ids[j] = s of  data[j, i],  in the order of j

    Args:
        data: an array or tensor; the ids number its leading axes.
        segment_ids: integers in -1..num_segments-1; rows with -1 are left out.
        num_segments: how many segments; the largest id + 1 if None (arrays only).
        sorted: whether the ids ascend; the result is the same.
    Returns:
        (num_segments, the rest of data's axes), data's dtype; bool gives int32. 0 for a segment without rows. Integers wrap.
    NaN: spreads within its segment. Empty: zeros.
    Raises:
        ShapeError: ids of another shape.  DataError: ids outside.  ArgumentError: no num_segments in a graph.
    Source: Keras 3 `ops.segment_sum`.

    >>> segment_sum([1.0, 2.0, 4.0], [0, 2, 0], 3)
    array([5., 0., 2.], dtype=float32)
    """
    data, ids, segments = prepared("segment_sum", data, segment_ids, num_segments)
    op = segment_sum_op if dtypes.is_floating(dtype_of(data)) else segment_sum_integers_op
    return op(data, ids, segments=segments)


def segment_sum_loop(tasks: Tasks, data: Array, ids: Array, y: Array, total: Array) -> None:
    for (i,) in tasks:
        for s in range(y.shape[0]):
            total[s] = 0
        for j in range(data.shape[0]):
            if 0 <= ids[j] < y.shape[0]:
                total[ids[j]] += data[j, i]
        for s in range(y.shape[0]):
            y[s, i] = total[s]


def segment_sum_integers_loop(tasks: Tasks, data: Array, ids: Array, y: Array) -> None:
    # Integers add up exactly in y itself; as floats they would not.
    for (i,) in tasks:
        for s in range(y.shape[0]):
            y[s, i] = 0
        for j in range(data.shape[0]):
            if 0 <= ids[j] < y.shape[0]:
                y[ids[j], i] += data[j, i]


def rows_of(x: TensorLike, ids: TensorLike) -> TensorLike:
    """x[ids[j]] for every j; zeros where the id is -1."""
    kept = ops.greater_equal(ids, 0)
    if shape_of(x)[0] == 0:
        return ops.broadcast_to(ops.zeros((), dtype_of(x)), (*ops.shape(ids), *ops.shape(x)[1:]))
    rows = ops.take(x, ops.maximum(ids, ops.zeros((), dtype_of(ids))), axis=0)
    inner = len(shape_of(x)) - 1
    mask = ops.expand_dims(kept, tuple(range(-inner, 0))) if inner else kept
    return ops.where(mask, rows, ops.zeros((), dtype_of(x)))


segment_sum_op = Op(
    "segment_sum",
    segment_rule("segment_sum"),
    loop=segment_sum_loop,
    form=segment_sum_form,
    gradient=lambda node, dy: [rows_of(dy, node.inputs[1]), None],
    ranges=ids_range,
)
segment_sum_integers_op = Op(
    "segment_sum_integers",
    segment_rule("segment_sum"),
    loop=segment_sum_integers_loop,
    form=segment_form,
    ranges=ids_range,
)


# ---- largest elements


def segment_max(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> TensorLike:
    """The largest element, in each column, of the rows that share a segment.

        y[s, i] = max over j with segment_ids[j] = s of  data[j, i]

    Args:
        data, segment_ids, num_segments, sorted: as in `segment_sum`.
    Returns:
        (num_segments, the rest of data's axes), data's dtype; bool gives int32. -inf, or the lowest integer, for a segment
        without rows.
    Ties: the whole gradient goes to the first largest element.
    NaN: any NaN gives NaN, and the first gets the gradient. Empty: as without rows.
    Raises:
        ShapeError: ids of another shape.  DataError: ids outside.  ArgumentError: no num_segments in a graph.
    Source: Keras 3 `ops.segment_max`.

    >>> segment_max([1, 2, 4], [0, 1, 0], 2)
    array([4, 2])
    """
    data, ids, segments = prepared("segment_max", data, segment_ids, num_segments)
    return segment_max_op(data, ids, segments=segments)


def segment_max_form(data: Spec, ids: Spec, *, segments: int) -> Form:
    """With what a segment without rows gets: the least value of the dtype that is stored."""
    least = -INF if dtypes.is_floating(data.dtype) else int(np.iinfo(data.dtype).min)
    return segment_form(data, ids, segments=segments)._replace(attributes=(least,))


def segment_max_loop(tasks: Tasks, data: Array, ids: Array, least: float, y: Array) -> None:
    for (i,) in tasks:
        for s in range(y.shape[0]):
            y[s, i] = least
        for j in range(data.shape[0]):
            s = ids[j]
            if 0 <= s < y.shape[0] and (data[j, i] > y[s, i] or data[j, i] != data[j, i]):
                y[s, i] = data[j, i]


def segment_max_gradient_loop(tasks: Tasks, dy: Array, data: Array, ids: Array, dx: Array, best: Array) -> None:
    for (i,) in tasks:
        for s in range(dy.shape[0]):
            best[s] = -1
        for j in range(data.shape[0]):
            s = ids[j]
            if 0 <= s < dy.shape[0] and (best[s] < 0 or beats(data[j, i], data[int(best[s]), i])):
                best[s] = j
        for j in range(data.shape[0]):
            s = ids[j]
            dx[j, i] = dy[s, i] if 0 <= s < dy.shape[0] and best[s] == j else 0


def beats(a: float, b: float) -> bool:
    return a > b or (a != a and b == b)


def segment_max_gradient_form(dy: Spec, data: Spec, ids: Spec) -> Form:
    segments = dy.shape[0]
    x, numbers, y = segment_views(data, ids, segments)
    return Form((y, x, numbers), (), (x,), (x.shape[1],), cost=2 * x.shape[0], scratch=((segments,),))


def segment_max_gradient_gradient(node: Node, d: TensorLike) -> list[TensorLike]:
    """d at the elements that were picked."""
    dy, data, ids = node.inputs
    here = segment_max_gradient_op(ops.ones_like(dy), data, ids)
    return [segment_sum(ops.where(here, d, 0), ids, shape_of(dy)[0]), None, None]


def segment_max_gradient_rule(dy: Spec, data: Spec, ids: Spec) -> Spec:
    if len(dy.shape) != 1 + len(data.shape) - len(ids.shape):
        raise ShapeError(
            f"segment_max_gradient: data of shape {tuple(data.shape)} in segments by ids of shape {tuple(ids.shape)} cannot have "
            f"a gradient of shape {tuple(dy.shape)}."
        )
    return Spec(data.shape, dy.dtype)


segment_max_gradient_op: Op = Op(
    "segment_max_gradient",
    segment_max_gradient_rule,
    loop=segment_max_gradient_loop,
    form=segment_max_gradient_form,
    gradient=segment_max_gradient_gradient,
    ranges=lambda dy, data, ids: {2: (-1, dy.shape[0])},
)
segment_max_op = Op(
    "segment_max",
    segment_rule("segment_max"),
    loop=segment_max_loop,
    form=segment_max_form,
    gradient=lambda node, dy: [segment_max_gradient_op(dy, *node.inputs), None],
    ranges=ids_range,
)


# ---- counts


@called_as("bincount", "bincount_integers", "one_hot")
def bincount(x: TensorLike, weights: TensorLike = None, minlength: int = 0, sparse: bool = False) -> TensorLike:
    """How often each whole number occurs; or the sum of the weights it occurs with.

        y[v] = number of j with x[j] = v,   or the sum of weights[j] over them

    Args:
        x: integers not below 0, with one axis or two (then each row is counted by itself).
        weights: None, or numbers of x's shape.
        minlength: the least length of the result; in a graph its length, which all of x must lie below.
        sparse: must be False; there are no sparse tensors here.
    Returns:
        The largest number + 1, at least minlength, as last axis; int32, or the promoted dtype of x and weights.
    NaN: in a weight spreads to its number. Empty: zeros.
    Raises:
        DtypeError: x that are no integers.  ShapeError: another number of axes, weights of another shape.
        DataError: a number below 0, in a graph also one not below minlength.  ArgumentError: negative minlength; none in a graph.
    Source: Keras 3 `ops.bincount`; NumPy.

    >>> bincount([1, 3, 1])
    array([0, 2, 0, 1], dtype=int32)
    """
    if flag("bincount", sparse, "sparse"):
        raise ArgumentError("bincount: sparse=True is not supported; the result is dense.")
    if isinstance(minlength, bool) or not isinstance(minlength, (int, np.integer)) or minlength < 0:
        raise ArgumentError(f"bincount: minlength must be an integer, not below 0; got {minlength!r}.")
    x = whole_numbers("bincount", x, "x")
    rank = len(shape_of(x))
    if weights is None:
        amounts = ops.broadcast_to(np.ones((), np.int32), ops.shape(x))
    else:
        weights = converted("bincount", weights, "weights")
        amounts = as_dtype(weights, dtypes.promote(dtype_of(x), dtype_of(weights)))
        if len(shape_of(amounts)) != rank or any(
            a != b and None not in (a, b) for a, b in zip(shape_of(amounts), shape_of(x))
        ):
            raise ShapeError(f"bincount: weights need x's shape {shape_of(x)}; got {shape_of(amounts)}.")
    if rank not in (1, 2):
        raise ShapeError(f"bincount takes one axis or two; got shape {tuple(shape_of(x))}.")
    if is_symbolic(x) and minlength == 0:
        raise ArgumentError("bincount: in a graph the length of the result must be given as minlength.")
    length = (
        integer("bincount", minlength, "minlength")
        if is_symbolic(x)
        else max(int(np.max(read_once(x))) + 1 if np.size(x) else 0, integer("bincount", minlength, "minlength"))
    )
    op = bincount_op if dtypes.is_floating(dtype_of(amounts)) else bincount_integers_op
    if rank == 1:
        return ops.squeeze(op(ops.expand_dims(amounts, 0), ops.expand_dims(x, 0), length=length), 0)
    return op(amounts, x, length=length)


def bincount_form(amounts: Spec, x: Spec, *, length: int) -> Form:
    rows, count = x.shape
    views = View((rows, count)), View((rows, length))
    return Form((views[0], views[0]), (), (views[1],), (rows,), cost=count + length)


def bincount_wide_form(amounts: Spec, x: Spec, *, length: int) -> Form:
    return bincount_form(amounts, x, length=length)._replace(scratch=((length,),))


def bincount_loop(tasks: Tasks, amounts: Array, x: Array, y: Array, total: Array) -> None:
    for (n,) in tasks:
        for v in range(y.shape[1]):
            total[v] = 0
        for j in range(x.shape[1]):
            if 0 <= x[n, j] < y.shape[1]:
                total[x[n, j]] += amounts[n, j]
        for v in range(y.shape[1]):
            y[n, v] = total[v]


def bincount_integers_loop(tasks: Tasks, amounts: Array, x: Array, y: Array) -> None:
    for (n,) in tasks:
        for v in range(y.shape[1]):
            y[n, v] = 0
        for j in range(x.shape[1]):
            if 0 <= x[n, j] < y.shape[1]:
                y[n, x[n, j]] += amounts[n, j]


def bincount_rule(amounts: Spec, x: Spec, *, length: int) -> Spec:
    return Spec((x.shape[0], length), amounts.dtype)


bincount_op = Op(
    "bincount",
    bincount_rule,
    loop=bincount_loop,
    form=bincount_wide_form,
    axes="rows places, rows places",
    gradient=lambda node, dy: [ops.take_along_axis(dy, node.inputs[1], axis=1), None],
    ranges=lambda amounts, x, *, length: {1: (0, length)},
)
bincount_integers_op = Op(
    "bincount_integers",
    bincount_rule,
    loop=bincount_integers_loop,
    form=bincount_form,
    axes="rows places, rows places",
    ranges=lambda amounts, x, *, length: {1: (0, length)},
)


def multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: str | None = None,
    sparse: bool = False,
) -> TensorLike:
    """A set of labels as one vector, with ones at the labels' places.

        y[n, c] = 1 if inputs[n, j] == c for some j, else 0

    Args:
        inputs: integers; the second axis, or the only one, holds the set.
        num_classes: the length of the new axis; must be given.
        axis: where each label's `one_hot` has its new axis; negative counts from the last.
        dtype: the result's dtype; the default floating dtype if None.
        sparse: must be False; there are no sparse tensors here.
    Returns:
        The shape of `one_hot` without the set's axis.
    Ties: labels outside 0..num_classes-1 count for nothing. Empty: a set without labels gives zeros.
    Raises:
        DtypeError: labels that are no integers.  ArgumentError: no such axis, no or negative num_classes, sparse=True.
    Source: Keras 3 `ops.multi_hot`.

    >>> multi_hot([[0, 2], [1, 1]], 3)
    array([[1., 0., 1.],
           [0., 1., 0.]], dtype=float32)
    """
    if flag("multi_hot", sparse, "sparse"):
        raise ArgumentError("multi_hot: sparse=True is not supported; the result is dense.")
    if num_classes is None:
        raise ArgumentError("multi_hot needs num_classes, how many labels there are.")
    x = whole_numbers("multi_hot", inputs, "inputs")
    if not len(shape_of(x)):
        raise ShapeError("multi_hot needs an array of labels; got a single number. See one_hot.")
    return ops.max(ops.one_hot(x, num_classes, axis, dtype), axis=1 if len(shape_of(x)) > 1 else 0, initial=0)
