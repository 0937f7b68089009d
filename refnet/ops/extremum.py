"""The largest and the smallest element along axes, and where they stand."""

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View
from refnet.graph import Node
from refnet.ops.arguments import checked_axes, converted, dtype_of, flag, shape_of
from refnet.ops.reduction import back_rule, reduce, reduced_form, reduced_rule, reduced_view, sum_op


def max(x: TensorLike, axis: TensorLike = None, keepdims: bool = False, initial: TensorLike = None) -> Array:
    """The largest element along axes.

        y[o, i] = max over r of  x[o, r, i]

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
        initial: a number that the result is at least; with it, nothing has a maximum too.
    Returns:
        x's dtype.
    Ties: the whole gradient goes to the first largest element, in row-major order of the reduced axes (JAX splits it).
    NaN: any NaN gives NaN, and the first gets the gradient. Empty: an error, or `initial`.
    Raises:
        ShapeError: no element along a reduced axis, and no `initial`.
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.max`.

    >>> max([[1, 5], [7, 2]], axis=1)
    array([5, 7])
    """
    return extremum(max_op, "max", x, axis, keepdims, initial)


def min(x: TensorLike, axis: TensorLike = None, keepdims: bool = False, initial: TensorLike = None) -> Array:
    """The smallest element along axes.

        y[o, i] = min over r of  x[o, r, i]

    Args:
        x: an array or tensor of any dtype.
        axis: one axis, several, or None for all; negative axes count from the last.
        keepdims: whether reduced axes stay, with length 1.
        initial: a number that the result is at most; with it, nothing has a minimum too.
    Returns:
        x's dtype.
    Ties: the whole gradient goes to the first smallest element, in row-major order of the reduced axes (JAX splits it).
    NaN: any NaN gives NaN, and the first gets the gradient. Empty: an error, or `initial`.
    Raises:
        ShapeError: no element along a reduced axis, and no `initial`.
        ArgumentError: an axis that x does not have, or one named twice.
    Source: Keras 3 `ops.min`.

    >>> min([[1, 5], [7, 2]], axis=1)
    array([1, 2])
    """
    return extremum(min_op, "min", x, axis, keepdims, initial)


def extremum(op: Op, name: str, x: TensorLike, axis: TensorLike, keepdims: bool, initial: TensorLike) -> TensorLike:
    x = converted(name, x)
    if initial is None:
        return reduce(op, name, x, axis, keepdims)
    bound = ops.cast(initial, dtype_of(x))
    given = shape_of(x)
    axes = checked_axes(name, axis, len(given))
    if 0 in [given[a] for a in axes]:
        dims = ops.shape(x)
        stay = flag(name, keepdims, "keepdims")
        kept = [1 if a in axes else d for a, d in enumerate(dims) if stay or a not in axes]
        return ops.broadcast_to(bound, kept)
    pick = ops.maximum if op is max_op else ops.minimum
    return pick(reduce(op, name, x, axis, keepdims), bound)


def argmax(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """Where the largest element along an axis stands.

        y[o, i] = the first r for which x[o, r, i] is largest

    Args:
        x: an array or tensor of any dtype.
        axis: the axis; None for all, counted in row-major order.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        int32.
    Ties: the first, and 0.0 and -0.0 are equal. NaN: counts as the largest. Empty: an error. There is no gradient.
    Raises:
        ShapeError: no element along the axis.  ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.argmax`.

    >>> argmax([[1, 7, 7], [9, 2, 3]], axis=1)
    array([1, 0], dtype=int32)
    """
    return reduce(argmax_op, "argmax", x, axis, keepdims)


def argmin(x: TensorLike, axis: TensorLike = None, keepdims: bool = False) -> Array:
    """Where the smallest element along an axis stands.

        y[o, i] = the first r for which x[o, r, i] is smallest

    Args:
        x: an array or tensor of any dtype.
        axis: the axis; None for all, counted in row-major order.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        int32.
    Ties: the first, and 0.0 and -0.0 are equal. NaN: counts as the smallest. Empty: an error. There is no gradient.
    Raises:
        ShapeError: no element along the axis.  ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.argmin`.

    >>> argmin([[1, 7, 1], [9, 2, 3]], axis=1)
    array([0, 1], dtype=int32)
    """
    return reduce(argmin_op, "argmin", x, axis, keepdims)


# The first NaN wins: nothing compares greater or less than it, so it stays once it is best.


def first_largest(x: Array, o: int, i: int) -> int:
    best = 0
    for r in range(x.shape[1]):
        if x[o, r, i] > x[o, best, i] or (x[o, r, i] != x[o, r, i] and x[o, best, i] == x[o, best, i]):
            best = r
    return best


def first_smallest(x: Array, o: int, i: int) -> int:
    best = 0
    for r in range(x.shape[1]):
        if x[o, r, i] < x[o, best, i] or (x[o, r, i] != x[o, r, i] and x[o, best, i] == x[o, best, i]):
            best = r
    return best


def max_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        y[o, i] = x[o, first_largest(x, o, i), i]


def min_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        y[o, i] = x[o, first_smallest(x, o, i), i]


def argmax_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        y[o, i] = first_largest(x, o, i)


def argmin_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        y[o, i] = first_smallest(x, o, i)


def max_gradient_loop(tasks: Tasks, dy: Array, x: Array, dx: Array) -> None:
    for o, i in tasks:
        best = first_largest(x, o, i)
        for r in range(x.shape[1]):
            dx[o, r, i] = dy[o, i] if r == best else 0


def min_gradient_loop(tasks: Tasks, dy: Array, x: Array, dx: Array) -> None:
    for o, i in tasks:
        best = first_smallest(x, o, i)
        for r in range(x.shape[1]):
            dx[o, r, i] = dy[o, i] if r == best else 0


def back_form(dy: Spec, x: Spec, *, start: int, count: int, keepdims: bool) -> Form:
    """dy as (outer, inner), x as (outer, reduced, inner); one task for each lane."""
    view = reduced_view(x, start, count)
    outer, reduced, inner = view.shape
    return Form((View((outer, inner)), view), (), (view,), (outer, inner), cost=2 * reduced)


def picked(op: Op, node: Node, d: TensorLike) -> list[TensorLike | None]:
    """The gradient of max_gradient and min_gradient: d at the elements that were picked."""
    dy, x = node.inputs
    here = op(ops.ones_like(dy), x, **node.attributes)
    return [sum_op(ops.where(here, d, 0), **node.attributes), None]


max_gradient_op: Op = Op(
    "max_gradient",
    back_rule,
    loop=max_gradient_loop,
    form=back_form,
    gradient=lambda node, d: picked(max_gradient_op, node, d),
)
min_gradient_op: Op = Op(
    "min_gradient",
    back_rule,
    loop=min_gradient_loop,
    form=back_form,
    gradient=lambda node, d: picked(min_gradient_op, node, d),
)
max_op = Op(
    "max",
    reduced_rule("max", some=True),
    loop=max_loop,
    form=reduced_form,
    gradient=lambda node, dy: [max_gradient_op(dy, node.inputs[0], **node.attributes)],
)
min_op = Op(
    "min",
    reduced_rule("min", some=True),
    loop=min_loop,
    form=reduced_form,
    gradient=lambda node, dy: [min_gradient_op(dy, node.inputs[0], **node.attributes)],
)
argmax_op = Op("argmax", reduced_rule("argmax", "int32", some=True), loop=argmax_loop, form=reduced_form)
argmin_op = Op("argmin", reduced_rule("argmin", "int32", some=True), loop=argmin_loop, form=reduced_form)
