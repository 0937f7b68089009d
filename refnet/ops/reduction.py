"""Reductions: many elements become one."""

from collections.abc import Callable

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ShapeError
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, checked_axes, converted, dtype_of, flag, shape_of
from refnet.ops.comparison import truth

# Every reduction is brought to three axes, (outer, reduced, inner), and reduces the middle one.


def reduced_rule(name: str, result: str | None = None, some: bool = False) -> Callable[..., Spec]:
    """The shape rule of a reduction over neighbouring axes `start`..`start + count - 1`; `some`: it needs an element."""

    def rule(x: Spec, *, start: int, count: int, keepdims: bool) -> Spec:
        if some and 0 in x.shape[start : start + count]:
            raise ShapeError(
                f"{name} of nothing is not defined; x has shape {tuple(x.shape)}, with length 0 along a reduced axis."
            )
        kept = (1,) * count if keepdims else ()
        return Spec(tuple(x.shape[:start]) + kept + tuple(x.shape[start + count :]), result or x.dtype)

    return rule


def reduced_view(x: Spec, start: int, count: int) -> View:
    return View((size_of(x.shape[:start]), size_of(x.shape[start : start + count]), size_of(x.shape[start + count :])))


def reduced_form(x: Spec, *, start: int, count: int, keepdims: bool) -> Form:
    """(outer, reduced, inner); one task for each pair of outer and inner."""
    view = reduced_view(x, start, count)
    outer, reduced, inner = view.shape
    return Form((view,), (), (View((outer, inner)),), (outer, inner), cost=reduced)


def reduce(op: Op, name: str, x: TensorLike, axis: TensorLike, keepdims: bool) -> Array:
    """Calls a reduction op; axes that are not neighbours are first brought together."""
    x = converted(name, x)
    rank = len(shape_of(x))
    axes, keepdims = checked_axes(name, axis, rank), flag(name, keepdims, "keepdims")
    if not axes:
        return op(x, start=0, count=0, keepdims=False)
    if axes[-1] - axes[0] + 1 == len(axes):
        return op(x, start=axes[0], count=len(axes), keepdims=keepdims)
    kept = [a for a in range(rank) if a not in axes]
    moved = ops.transpose(x, [*kept, *axes])
    y = op(moved, start=len(kept), count=len(axes), keepdims=False)
    return ops.expand_dims(y, axes) if keepdims else y


def widened_integers(x: TensorLike) -> TensorLike:
    """bool and integers below 32 bits as int32 (unsigned: uint32): what totals are kept in."""
    dtype = dtype_of(x)
    if dtype in ("bool", "int8", "int16"):
        return as_dtype(x, "int32")
    return as_dtype(x, "uint32") if dtype in ("uint8", "uint16") else x


def repeated_back(dy: TensorLike, x: TensorLike, start: int, count: int, keepdims: bool) -> TensorLike:
    """dy repeated along the axes that a reduction of x took away."""
    if not keepdims and count:
        dy = ops.expand_dims(dy, tuple(range(start, start + count)))
    return ops.shapes.broadcast_like(dy, x)


# ---- sum


def sum(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """The sum of the elements along axes.

        y[o, i] = sum over r of  x[o, r, i]

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype; bool and integers below 32 bits give int32 (unsigned: uint32). Integers wrap around.
    NaN: any NaN gives NaN, as do inf and -inf together. Empty: 0.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.sum`.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.], dtype=float32)
    """
    return reduce(sum_op, "sum", widened_integers(converted("sum", x)), axis, keepdims)


def sum_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        total = 0
        for r in range(x.shape[1]):
            total += x[o, r, i]
        y[o, i] = total


sum_op = Op(
    "sum",
    reduced_rule("sum"),
    loop=sum_loop,
    form=reduced_form,
    gradient=lambda node, dy: [repeated_back(dy, node.inputs[0], **node.attributes)],
)


def sum_like_rule(dy: Spec, x: Spec) -> Spec:
    return Spec(x.shape, dy.dtype)


def sum_like_expanded(dy: TensorLike, x: TensorLike) -> TensorLike:
    """Groups of neighbouring axes along which x was repeated, each summed; then x's shape."""
    rank = len(shape_of(dy))
    wanted = (1,) * (rank - len(shape_of(x))) + tuple(shape_of(x))
    axis = 0
    while axis < rank:
        end = axis
        while end < rank and wanted[end] == 1 and shape_of(dy)[end] != 1:
            end += 1
        if end > axis:
            dy = sum_op(dy, start=axis, count=end - axis, keepdims=True)
        axis = end if end > axis else axis + 1
    return ops.reshape(dy, shape_of(x))


sum_like_op = Op(
    "sum_like",
    sum_like_rule,
    expand=sum_like_expanded,
    shape_only=(1,),
    gradient=lambda node, d: [ops.shapes.broadcast_like(d, node.inputs[0]), None],
)


# ---- product


def prod(x: TensorLike, axis: TensorLike = None, keepdims: bool = False, dtype: TensorLike = None) -> Array:
    """The product of the elements along axes.

        y[o, i] = product over r of  x[o, r, i]

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
        dtype: the result's dtype, to which x is cast first.
    Returns:
        x's dtype; bool and integers below 32 bits give int32 (unsigned: uint32). Integers wrap around.
    NaN: any NaN gives NaN, as do 0 and inf together. Empty: 1. The gradient is exact beside zeros.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.prod`.

    >>> prod([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([3., 8.], dtype=float32)
    """
    x = converted("prod", x)
    return reduce(prod_op, "prod", widened_integers(x) if dtype is None else ops.cast(x, dtype), axis, keepdims)


def prod_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        total = 1
        for r in range(x.shape[1]):
            total *= x[o, r, i]
        y[o, i] = total


def prod_gradient_loop(tasks: Tasks, dy: Array, x: Array, dx: Array) -> None:
    for o, r, i in tasks:
        others = dy[o, i]
        for k in range(x.shape[1]):
            if k != r:
                others = others * x[o, k, i]
        dx[o, r, i] = others


def back_rule(dy: Spec, x: Spec, *, start: int, count: int, keepdims: bool) -> Spec:
    return Spec(tuple(x.shape), dy.dtype)


def prod_gradient_form(dy: Spec, x: Spec, *, start: int, count: int, keepdims: bool) -> Form:
    view = reduced_view(x, start, count)
    outer, reduced, inner = view.shape
    return Form((View((outer, inner)), view), (), (view,), view.shape, cost=reduced)


def others_loop(tasks: Tasks, x: Array, fill: int, y: Array) -> None:
    for o, r, k, i in tasks:
        y[o, r, k, i] = fill if k == r else x[o, k, i]


def others_rule(x: Spec, *, start: int, count: int, fill: int) -> Spec:
    reduced = tuple(x.shape[start : start + count])
    return Spec(tuple(x.shape[:start]) + reduced + reduced + tuple(x.shape[start + count :]), x.dtype)


def others_form(x: Spec, *, start: int, count: int, fill: int) -> Form:
    view = reduced_view(x, start, count)
    outer, reduced, inner = view.shape
    y = View((outer, reduced, reduced, inner))
    return Form((view,), (fill,), (y,), y.shape)


def others_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    start, count = node.attributes["start"], node.attributes["count"]
    mask = others_op(ops.ones_like(node.inputs[0]), start=start, count=count, fill=0)
    return [sum_op(ops.multiply(dy, mask), start=start, count=count, keepdims=False)]


# y[o, r, k, i] is x[o, k, i], or `fill` where k is r: what each element's gradient multiplies. Only for second derivatives.
others_op = Op("others", others_rule, loop=others_loop, form=others_form, gradient=others_gradient)


def prod_gradient_gradient(node: Node, d: TensorLike) -> list[TensorLike]:
    """dx = dy * prod over k of others[r, k]: the product's gradient again, one level up."""
    (dy, x), (start, count, keepdims) = node.inputs, node.attributes.values()
    alone = prod_gradient_op(ops.ones_like(dy), x, **node.attributes)
    lanes = others_op(x, start=start, count=count, fill=1)
    weight = ops.multiply(d, repeated_back(dy, x, start, count, keepdims))
    inner = prod_gradient_op(weight, lanes, start=start + count, count=count, keepdims=False)
    mask = others_op(ops.ones_like(x), start=start, count=count, fill=0)
    return [
        sum_op(ops.multiply(d, alone), **node.attributes),
        sum_op(ops.multiply(inner, mask), start=start, count=count, keepdims=False),
    ]


prod_gradient_op = Op(
    "prod_gradient", back_rule, loop=prod_gradient_loop, form=prod_gradient_form, gradient=prod_gradient_gradient
)
prod_op = Op(
    "prod",
    reduced_rule("prod"),
    loop=prod_loop,
    form=reduced_form,
    gradient=lambda node, dy: [prod_gradient_op(dy, node.inputs[0], **node.attributes)],
)


# ---- any and all


def any(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """Whether some element along axes is true.

    Args:
        x: an array or tensor of any dtype; what is not zero is true.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        bool.
    NaN: is true. Empty: False. There is no gradient.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.any`.

    >>> any([[0, 1], [0, 0]], axis=1)
    array([ True, False])
    """
    return reduce(any_op, "any", truth("any", x), axis, keepdims)


def any_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        found = False
        for r in range(x.shape[1]):
            if x[o, r, i]:
                found = True
        y[o, i] = found


def all(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """Whether every element along axes is true. See `any`. Empty: True.

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        bool.
    NaN: is true. Empty: True.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.all`.

    >>> all([[1, 1], [0, 1]], axis=1)
    array([ True, False])
    """
    return reduce(all_op, "all", truth("all", x), axis, keepdims)


def all_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        held = True
        for r in range(x.shape[1]):
            if not x[o, r, i]:
                held = False
        y[o, i] = held


any_op = Op("any", reduced_rule("any"), loop=any_loop, form=reduced_form)
all_op = Op("all", reduced_rule("all"), loop=all_loop, form=reduced_form)


def count_nonzero(x: TensorLike, axis: TensorLike = None) -> Array:
    """How many elements along axes are not zero, as int32; NaN counts.

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
    Returns:
        int32.
    NaN: is not zero. Empty: 0.
    Raises:
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.count_nonzero`.

    >>> count_nonzero([[0, 1], [2, 3]], axis=1)
    array([1, 2], dtype=int32)
    """
    return sum(ops.cast(truth("count_nonzero", x), "int32"), axis)
