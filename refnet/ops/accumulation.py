"""Running totals and products along an axis."""

from refnet import dtypes, ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.gradients import differentiated
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, checked_axis, converted, dtype_of, shape_of
from refnet.ops.reduction import others_op, sum_op


def cumsum(x: TensorLike, axis: int | None = None, dtype: str | None = None) -> Array:
    """The sums of the elements up to each place along an axis, that place included.

        y[o, r, i] = sum over k <= r of  x[o, k, i]

    Args:
        x: an array or tensor of any dtype.
        axis: the axis; negative counts from the last; None runs over x.ravel().
        dtype: the result's dtype; x's if None.
    Returns:
        x's shape (with axis None one axis), `dtype`; bool gives int32. Integers wrap around.
    NaN: from the first NaN on, and once inf meets -inf. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.cumsum`.

    >>> cumsum([[1, 2, 3], [4, 5, 6]], axis=1)
    array([[ 1,  3,  6],
           [ 4,  9, 15]])
    """
    x, axis = lanes_of("cumsum", x, axis, dtype)
    return cumsum_op(x, axis=axis, reverse=False)


def cumprod(x: TensorLike, axis: int | None = None, dtype: str | None = None) -> Array:
    """The products of the elements up to each place along an axis, that place included.

        y[o, r, i] = product over k <= r of  x[o, k, i]

    Args:
        x: an array or tensor of any dtype.
        axis: the axis; negative counts from the last; None runs over x.ravel().
        dtype: the result's dtype; x's if None.
    Returns:
        x's shape (with axis None one axis), `dtype`; bool gives int32. Integers wrap around.
    NaN: from the first NaN on, and once 0 meets an infinity. Empty: an empty result. The gradient is right at zeros too.
    Raises:
        ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.cumprod`.

    >>> cumprod([[1, 2, 3], [4, 5, 6]], axis=1)
    array([[  1,   2,   6],
           [  4,  20, 120]])
    """
    x, axis = lanes_of("cumprod", x, axis, dtype)
    return cumprod_op(x, axis=axis)


def lanes_of(name: str, x: TensorLike, axis: int | None, dtype: str | None) -> tuple[TensorLike, int]:
    """x in the dtype that is counted in, and the axis from the front."""
    x = converted(name, x)
    if dtype is not None:
        x = as_dtype(x, dtypes.standardize(dtype))
    if dtype_of(x) == "bool":
        x = as_dtype(x, "int32")
    if axis is None:
        return ops.ravel(x), 0
    return x, checked_axis(name, axis, len(shape_of(x)))


def same_rule(*inputs: Spec, axis: int, reverse: bool = False) -> Spec:
    return Spec(tuple(inputs[-1].shape), inputs[-1].dtype)


def lane_view(x: Spec, axis: int) -> View:
    return View((size_of(x.shape[:axis]), x.shape[axis], size_of(x.shape[axis + 1 :])))


def cumsum_form(x: Spec, *, axis: int, reverse: bool) -> Form:
    """(outer, lane, inner); one task for each lane."""
    view = lane_view(x, axis)
    outer, lane, inner = view.shape
    return Form((view,), (reverse,), (view,), (outer, inner), cost=lane)


def cumsum_loop(tasks: Tasks, x: Array, reverse: bool, y: Array) -> None:
    for o, i in tasks:
        total = 0
        for k in range(x.shape[1]):
            r = x.shape[1] - 1 - k if reverse else k
            total += x[o, r, i]
            y[o, r, i] = total


def cumsum_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    """Each element is in the totals from its own place on: totals the other way."""
    return [cumsum_op(dy, axis=node.attributes["axis"], reverse=not node.attributes["reverse"])]


cumsum_op = Op("cumsum", same_rule, loop=cumsum_loop, form=cumsum_form, gradient=cumsum_gradient)


# ---- products


def cumprod_form(x: Spec, *, axis: int) -> Form:
    """(outer, lane, inner); one task for each lane."""
    view = lane_view(x, axis)
    outer, lane, inner = view.shape
    return Form((view,), (), (view,), (outer, inner), cost=lane)


def cumprod_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        total = 1
        for r in range(x.shape[1]):
            total *= x[o, r, i]
            y[o, r, i] = total


def cumprod_gradient_form(dy: Spec, x: Spec, *, axis: int) -> Form:
    """One task for each element."""
    view = lane_view(x, axis)
    return Form((view, view), (), (view,), view.shape, cost=2 * view.shape[1])


def cumprod_gradient_loop(tasks: Tasks, dy: Array, x: Array, dx: Array) -> None:
    # Nothing is divided by x[o, k, i], which may be 0: the products of the others are made anew.
    for o, k, i in tasks:
        others = 1
        for r in range(k):
            others = others * x[o, r, i]
        total = dy[o, k, i] * others
        for r in range(k + 1, x.shape[1]):
            others = others * x[o, r, i]
            total += dy[o, r, i] * others
        dx[o, k, i] = total


def cumprod_gradient_composite(dy: TensorLike, x: TensorLike, axis: int) -> list[TensorLike]:
    """What the gradient's loop computes, written with ops: to be differentiated.

    products[o, k, r, i] are those up to r that x[o, k, i] is left out of; they count from r = k on.
    """
    products = cumprod_op(others_op(x, start=axis, count=1, fill=1), axis=axis + 1)
    place = cumsum_op(ops.ones_like(x), axis=axis, reverse=False)
    later = ops.greater_equal(ops.expand_dims(place, axis), ops.expand_dims(place, axis + 1))
    terms = ops.where(later, ops.multiply(ops.expand_dims(dy, axis), products), 0)
    return [sum_op(terms, start=axis + 1, count=1, keepdims=False)]


def cumprod_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    return [cumprod_gradient_op(dy, node.inputs[0], **node.attributes)]


cumprod_gradient_op = Op(
    "cumprod_gradient",
    same_rule,
    loop=cumprod_gradient_loop,
    form=cumprod_gradient_form,
    axis_of=1,
    gradient=lambda node, *ds: differentiated(cumprod_gradient_composite, node, ds),
)
cumprod_op = Op("cumprod", same_rule, loop=cumprod_loop, form=cumprod_form, gradient=cumprod_gradient)
