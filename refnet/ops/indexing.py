"""Indexing: elements picked by arrays of integers, and labels turned into vectors."""

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, broadcast_shapes, size_of
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, checked_axis, converted, dtype_of, flag, integer, shape_of
from refnet.ops.shapes import broadcast_to, ravel, shape


def whole_numbers(op: str, x: TensorLike, name: str = "indices") -> TensorLike:
    """x as integers that a loop can count with. Raises DtypeError for floats and bools."""
    x = converted(op, x, name)
    dtype = dtype_of(x)
    if not isinstance(x, Tensor) and x.size == 0 and dtypes.is_floating(dtype):
        return x.astype(np.int64)  # an empty list has no dtype of its own
    if not dtypes.is_integer(dtype):
        raise DtypeError(f"{op}: {name} must be integers; got {dtype}. Cast them with ops.cast.")
    if dtype != "uint64":
        return x
    most = np.uint64(2**63 - 1)  # what is larger would come round to a negative number, which counts from the end
    return as_dtype(ops.minimum(x, most) if isinstance(x, Tensor) else np.minimum(x, most), "int64")


def inside(op: str, indices: TensorLike, extent: int | None, axis: int, name: str) -> None:
    """Raises DataError, in the user's words, where an index array that is known leaves -extent..extent-1."""
    if isinstance(indices, Tensor) or extent is None:
        return
    outside = np.argwhere((indices < -extent) | (indices >= extent))
    if len(outside):
        place = ", ".join(str(i) for i in outside[0])
        raise DataError(
            f"{op}: {name} must lie in {-extent}..{extent - 1}, the places of axis {axis}; "
            f"{f'the one at [{place}]' if place else 'it'} is {int(indices[tuple(outside[0])])}."
        )


def row_of(index: int, extent: int) -> int:
    """The place an index means: negative ones count from the end; what lies outside is brought to the nearest end."""
    if index < 0:
        index += extent
    if index < 0:
        index = 0
    if index >= extent:
        index = extent - 1
    return index


# ---- take: whole rows, the same for every place of the other axes


def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> TensorLike:
    """Slices of x along an axis, picked by number.

        y[o, j, i] = x[o, indices[j], i]

    Args:
        x: an array or tensor of any dtype.
        indices: integers of any shape, in -n..n-1 for an axis of length n; negative ones count from the end.
        axis: the axis to pick along; None picks from x.ravel().
    Returns:
        x's dtype; the axis replaced by the axes of `indices`.
    NaN: copied. Empty: no indices give an empty result.
    Raises:
        DtypeError: indices that are no integers.  ArgumentError: no such axis.  ShapeError: nothing to pick from.
        DataError: an index outside the axis. (Inside a compiled program it is clamped and flagged, the step does not commit.)
    Source: Keras 3 `ops.take`.

    >>> take([[1, 2], [3, 4], [5, 6]], [2, 0, -1], axis=0)
    array([[5, 6],
           [1, 2],
           [5, 6]])
    """
    x, indices = converted("take", x), whole_numbers("take", indices)
    if axis is None:
        return take_op(ravel(x), indices, axis=0)
    return take_op(x, indices, axis=checked_axis("take", axis, len(shape_of(x))))


def take_rule(x: Spec, indices: Spec, *, axis: int) -> Spec:
    if x.shape[axis] == 0 and 0 not in indices.shape:
        raise ShapeError(f"take cannot pick from axis {axis} of shape {tuple(x.shape)}: it is empty.")
    return Spec((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


def take_form(x: Spec, indices: Spec, *, axis: int) -> Form:
    """(outer, n, inner), flat indices; a task picks for one place of the outer axis and one index."""
    outer, inner, count = size_of(x.shape[:axis]), size_of(x.shape[axis + 1 :]), size_of(indices.shape)
    views = (View((outer, x.shape[axis], inner)), View((count,)))
    return Form(views, (), (View((outer, count, inner)),), (outer, count), cost=inner)


def take_loop(tasks: Tasks, x: Array, indices: Array, y: Array) -> None:
    for o, j in tasks:
        row = row_of(indices[j], x.shape[1])
        for i in range(x.shape[2]):
            y[o, j, i] = x[o, row, i]


def take_x_gradient(dy: TensorLike, indices: TensorLike, like: TensorLike, axis: int) -> TensorLike:
    """The gradient of `take` with respect to x: each row's sum of the gradients that were picked from it.

        dx[o, r, i] = sum over j with indices[j] = r of  dy[o, j, i],  in the order of j

    Args:
        dy: the gradient of take's result.
        indices: as in take.
        like: take's x, read for its shape only.
        axis: as in take, counted from the front.
    Returns:
        like's shape, dy's dtype; 0 where nothing was picked.

    >>> take_x_gradient(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 0]), like=np.zeros(4), axis=0)
    array([4., 0., 2., 0.])
    """
    dy, indices = converted("take_x_gradient", dy, "dy"), whole_numbers("take_x_gradient", indices)
    axis = checked_axis("take_x_gradient", axis, len(shape_of(converted("take_x_gradient", like, "like"))))
    length = shape_of(like)[axis]
    if length is None:
        return take_like_gradient_op(dy, indices, like, axis=axis)
    return take_x_gradient_op(dy, indices, axis=axis, length=length)


def take_x_gradient_rule(dy: Spec, indices: Spec, *, axis: int, length: int) -> Spec:
    picked = dy.shape[axis : axis + len(indices.shape)]
    if len(picked) != len(indices.shape) or any(None not in (a, b) and a != b for a, b in zip(picked, indices.shape)):
        raise ShapeError(
            f"take_x_gradient: dy must have the axes of the indices {tuple(indices.shape)} from axis {axis} on; "
            f"got {tuple(dy.shape)}."
        )
    return Spec((*dy.shape[:axis], length, *dy.shape[axis + len(indices.shape) :]), dy.dtype)


def take_x_gradient_form(dy: Spec, indices: Spec, *, axis: int, length: int) -> Form:
    """A task is a column of dx, so that no two tasks add to one element; its sums are kept wide until they are complete."""
    outer, inner = size_of(dy.shape[:axis]), size_of(dy.shape[axis + len(indices.shape) :])
    count = size_of(indices.shape)
    views = (View((outer, count, inner)), View((count,)))
    return Form(views, (), (View((outer, length, inner)),), (outer, inner), cost=count + length, scratch=((length,),))


def take_x_gradient_loop(tasks: Tasks, dy: Array, indices: Array, dx: Array, total: Array) -> None:
    for o, i in tasks:
        for r in range(dx.shape[1]):
            total[r] = 0
        for j in range(indices.shape[0]):
            total[row_of(indices[j], dx.shape[1])] += dy[o, j, i]
        for r in range(dx.shape[1]):
            dx[o, r, i] = total[r]


take_op = Op(
    "take",
    take_rule,
    loop=take_loop,
    form=take_form,
    gradient=lambda node, dy: [take_x_gradient(dy, node.inputs[1], node.inputs[0], node.attributes["axis"]), None],
    ranges=lambda x, indices, *, axis: {1: (-x.shape[axis], x.shape[axis])},
)
take_x_gradient_op = Op(
    "take_x_gradient",
    take_x_gradient_rule,
    loop=take_x_gradient_loop,
    form=take_x_gradient_form,
    axis_of=None,
    gradient=lambda node, d: [take_op(d, node.inputs[1], axis=node.attributes["axis"]), None],
    ranges=lambda dy, indices, *, axis, length: {1: (-length, length)},
)
take_like_gradient_op = Op(
    "take_x_gradient_like",
    lambda dy, indices, like, *, axis: Spec(like.shape, dy.dtype),
    expand=take_x_gradient,
    axis_of=2,
    gradient=lambda node, d: [take_op(d, node.inputs[1], axis=node.attributes["axis"]), None, None],
    shape_only=(2,),
)


# ---- take_along_axis: one element for each place of the other axes


def take_along_axis(x: TensorLike, indices: TensorLike, axis: int | None = None) -> TensorLike:
    """Elements of x along an axis, picked by number for each place of the other axes.

        y[o, j, i] = x[o, indices[o, j, i], i]

    Args:
        x: an array or tensor of any dtype.
        indices: integers in -n..n-1, of x's rank; the other axes broadcast against x's.
        axis: the axis to pick along; None picks from x.ravel().
    Returns:
        x's dtype, the broadcast shape, the axis as long as that of `indices`.
    NaN: copied. Empty: no indices give an empty result.
    Raises:
        DtypeError: indices that are no integers.  ShapeError: ranks or shapes that do not fit.  DataError: outside the axis.
    Source: Keras 3 `ops.take_along_axis`.

    >>> take_along_axis([[1, 2, 3], [4, 5, 6]], [[2], [0]], axis=1)
    array([[3],
           [4]])
    """
    x, indices = converted("take_along_axis", x), whole_numbers("take_along_axis", indices)
    if axis is None:
        x, indices, axis = ravel(x), ravel(indices), 0
    rank = len(shape_of(x))
    axis = checked_axis("take_along_axis", axis, rank)
    if len(shape_of(indices)) != rank:
        raise ShapeError(
            f"take_along_axis needs indices of x's rank; got shapes {shape_of(x)} and {shape_of(indices)}."
        )
    return take_along_axis_op(_repeated(x, indices, axis), _repeated(indices, x, axis), axis=axis)


def _repeated(x: TensorLike, other: TensorLike, axis: int) -> TensorLike:
    """x broadcast against the other, but for the axis."""
    own, others = shape(x), shape(other)
    static = [tuple(1 if i == axis else d for i, d in enumerate(shape_of(v))) for v in (x, other)]
    broadcast_shapes("take_along_axis", *static)
    wanted = [b if static[0][i] == 1 and i != axis else a for i, (a, b) in enumerate(zip(own, others))]
    grows = any(i != axis and a == 1 and b != 1 for i, (a, b) in enumerate(zip(*static)))
    return broadcast_to(x, wanted) if grows else x


def take_along_axis_rule(x: Spec, indices: Spec, *, axis: int) -> Spec:
    kept = [s[:axis] + s[axis + 1 :] for s in (tuple(x.shape), tuple(indices.shape))]
    if len(x.shape) != len(indices.shape) or any(None not in (a, b) and a != b for a, b in zip(*kept)):
        raise ShapeError(
            f"take_along_axis: {x.shape} and {indices.shape} differ in more than the extent of axis {axis}."
        )
    if x.shape[axis] == 0 and 0 not in indices.shape:
        raise ShapeError(f"take_along_axis cannot pick from axis {axis} of shape {tuple(x.shape)}: it is empty.")
    return Spec(tuple(indices.shape), x.dtype)


def _three_axes(shape: Shape, axis: int) -> View:
    return View((size_of(shape[:axis]), shape[axis], size_of(shape[axis + 1 :])))


def take_along_axis_form(x: Spec, indices: Spec, *, axis: int) -> Form:
    views = _three_axes(x.shape, axis), _three_axes(indices.shape, axis)
    return Form(views, (), (views[1],), views[1].shape)


def take_along_axis_loop(tasks: Tasks, x: Array, indices: Array, y: Array) -> None:
    for o, j, i in tasks:
        y[o, j, i] = x[o, row_of(indices[o, j, i], x.shape[1]), i]


def take_along_axis_x_gradient(dy: TensorLike, indices: TensorLike, like: TensorLike, axis: int) -> TensorLike:
    """The gradient of `take_along_axis` with respect to x, once both had their broadcast shapes.

        dx[o, r, i] = sum over j with indices[o, j, i] = r of  dy[o, j, i],  in the order of j

    Args:
        dy: the gradient of the result.
        indices: as in take_along_axis, of dy's shape.
        like: x, read for its shape only.
        axis: as in take_along_axis, counted from the front.
    Returns:
        like's shape, dy's dtype; 0 where nothing was picked.
    """
    length = shape_of(like)[axis]
    if length is None:
        return take_along_axis_like_gradient_op(dy, indices, like, axis=axis)
    return take_along_axis_x_gradient_op(dy, indices, axis=axis, length=length)


def take_along_axis_x_gradient_rule(dy: Spec, indices: Spec, *, axis: int, length: int) -> Spec:
    return Spec((*dy.shape[:axis], length, *dy.shape[axis + 1 :]), dy.dtype)


def take_along_axis_x_gradient_form(dy: Spec, indices: Spec, *, axis: int, length: int) -> Form:
    """A task is a column of dx, as in `take_x_gradient`."""
    view = _three_axes(dy.shape, axis)
    outer, count, inner = view.shape
    dx = View((outer, length, inner))
    return Form((view, view), (), (dx,), (outer, inner), cost=count + length, scratch=((length,),))


def take_along_axis_x_gradient_loop(tasks: Tasks, dy: Array, indices: Array, dx: Array, total: Array) -> None:
    for o, i in tasks:
        for r in range(dx.shape[1]):
            total[r] = 0
        for j in range(indices.shape[1]):
            total[row_of(indices[o, j, i], dx.shape[1])] += dy[o, j, i]
        for r in range(dx.shape[1]):
            dx[o, r, i] = total[r]


def take_along_axis_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    x, indices = node.inputs
    return [take_along_axis_x_gradient(dy, indices, x, node.attributes["axis"]), None]


take_along_axis_op = Op(
    "take_along_axis",
    take_along_axis_rule,
    loop=take_along_axis_loop,
    form=take_along_axis_form,
    gradient=take_along_axis_gradient,
    ranges=lambda x, indices, *, axis: {1: (-x.shape[axis], x.shape[axis])},
)
take_along_axis_x_gradient_op = Op(
    "take_along_axis_x_gradient",
    take_along_axis_x_gradient_rule,
    loop=take_along_axis_x_gradient_loop,
    form=take_along_axis_x_gradient_form,
    gradient=lambda node, d: [take_along_axis_op(d, node.inputs[1], axis=node.attributes["axis"]), None],
    ranges=lambda dy, indices, *, axis, length: {1: (-length, length)},
)
take_along_axis_like_gradient_op = Op(
    "take_along_axis_x_gradient_like",
    lambda dy, indices, like, *, axis: Spec(like.shape, dy.dtype),
    expand=take_along_axis_x_gradient,
    axis_of=2,
    gradient=lambda node, d: [take_along_axis_op(d, node.inputs[1], axis=node.attributes["axis"]), None, None],
    shape_only=(2,),
)


# ---- one_hot


def one_hot(
    x: TensorLike, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False
) -> TensorLike:
    """Each label as a vector with a one at the label's place.

        y[o, c, i] = 1 if x[o, i] == c else 0

    Args:
        x: integers of any shape.
        num_classes: the length of the new axis.
        axis: where the new axis stands in the result; negative counts from the last.
        dtype: the result's dtype; the default floating dtype if None.
        sparse: must be False; there are no sparse tensors here.
    Returns:
        x's shape with the new axis.
    Ties: none. Labels outside 0..num_classes-1 give zeros. Empty: an empty result.
    Raises:
        DtypeError: labels that are no integers.  ArgumentError: no such axis, negative num_classes, sparse=True.
    Source: Keras 3 `ops.one_hot`.

    >>> one_hot([2, 0, 5], 3)
    array([[0., 0., 1.],
           [1., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    if flag("one_hot", sparse, "sparse"):
        raise ArgumentError("one_hot: sparse=True is not supported; the result is dense.")
    if isinstance(num_classes, bool) or not isinstance(num_classes, (int, np.integer)) or num_classes < 0:
        raise ArgumentError(f"one_hot: num_classes must be an integer, not below 0; got {num_classes!r}.")
    x = whole_numbers("one_hot", x, "x")
    place = checked_axis("one_hot", axis, len(shape_of(x)) + 1)
    return one_hot_op(
        x, num_classes=integer("one_hot", num_classes, "num_classes"), axis=place, dtype=dtypes.standardize(dtype)
    )


def one_hot_rule(x: Spec, *, num_classes: int, axis: int, dtype: str) -> Spec:
    return Spec((*x.shape[:axis], num_classes, *x.shape[axis:]), dtype)


def one_hot_form(x: Spec, *, num_classes: int, axis: int, dtype: str) -> Form:
    outer, inner = size_of(x.shape[:axis]), size_of(x.shape[axis:])
    result = (outer, num_classes, inner)
    return Form((View((outer, inner)),), (), (View(result),), result)


def one_hot_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, c, i in tasks:
        y[o, c, i] = 1 if x[o, i] == c else 0


one_hot_op = Op("one_hot", one_hot_rule, loop=one_hot_loop, form=one_hot_form, axis_of=None)
