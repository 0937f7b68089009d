"""Reductions: many elements become one."""

from refnet.definition import Form, Op, Spec, View, size_of, whole
from refnet.ops.arguments import as_dtype, checked_axes, converted, dtype_of, shape_of

# Every reduction is brought to three axes, (outer, reduced, inner), and reduces the middle one.


def reduced_rule(name, result=None):
    """The shape rule of a reduction over neighbouring axes `start`..`start + count - 1`."""

    def rule(x, *, start, count, keepdims):
        kept = (1,) * count if keepdims else ()
        return Spec(x.shape[:start] + kept + x.shape[start + count :], result or x.dtype)

    return rule


def reduced_form(x, *, start, count, keepdims):
    """(outer, reduced, inner); one task for each pair of outer and inner."""
    outer, inner = size_of(x.shape[:start]), size_of(x.shape[start + count :])
    reduced = size_of(x.shape[start : start + count])
    view = View((outer, reduced, inner))
    return Form((view,), (), (View((outer, inner)),), (outer, inner), cost=reduced)


def reduce(op, name, x, axis, keepdims):
    """Calls a reduction op; axes that are not neighbours are first brought together."""
    from refnet.ops import shapes

    x = converted(name, x)
    rank = len(shape_of(x))
    axes = checked_axes(name, axis, rank)
    if not axes:
        return op(x, start=0, count=0, keepdims=False)
    if axes[-1] - axes[0] + 1 == len(axes):
        return op(x, start=axes[0], count=len(axes), keepdims=keepdims)
    kept = [a for a in range(rank) if a not in axes]
    moved = shapes.transpose(x, [*kept, *axes])
    y = op(moved, start=len(kept), count=len(axes), keepdims=False)
    return shapes.expand_dims(y, axes) if keepdims else y


def sum(x, axis=None, keepdims=False):
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
    x = converted("sum", x)
    dtype = dtype_of(x)
    if dtype in ("bool", "int8", "int16"):
        x = as_dtype(x, "int32")
    elif dtype in ("uint8", "uint16"):
        x = as_dtype(x, "uint32")
    return reduce(sum_op, "sum", x, axis, keepdims)


def sum_loop(tasks, x, y):
    for o, i in tasks:
        total = 0
        for r in range(x.shape[1]):
            total += x[o, r, i]
        y[o, i] = total


def repeated_back(dy, x, start, count, keepdims):
    """dy repeated along the axes that a reduction of x took away."""
    from refnet.ops import shapes

    if not keepdims:
        dy = shapes.expand_dims(dy, tuple(range(start, start + count))) if count else dy
    return shapes.broadcast_like(dy, x)


sum_op = Op(
    "sum",
    reduced_rule("sum"),
    loop=sum_loop,
    form=reduced_form,
    gradient=lambda node, dy: [repeated_back(dy, node.inputs[0], **node.attributes)],
)


def sum_like_rule(dy, x):
    return Spec(x.shape, dy.dtype)


def sum_like_expanded(dy, x):
    """Groups of neighbouring axes along which x was repeated, each summed; then x's shape."""
    from refnet.ops import shapes

    rank = len(shape_of(dy))
    wanted = (1,) * (rank - len(shape_of(x))) + tuple(shape_of(x))
    axis = 0
    while axis < rank:
        end = axis
        while end < rank and wanted[end] == 1 and shape_of(dy)[end] != 1:
            end += 1
        if end > axis:
            dy = sum_op(dy, start=axis, count=end - axis, keepdims=True)
        axis = max(end, axis + 1)
    return shapes.reshape(dy, shape_of(x))


sum_like_op = Op(
    "sum_like",
    sum_like_rule,
    expand=sum_like_expanded,
    shape_only=(1,),
    gradient=lambda node, d: [_broadcast_like(d, node.inputs[0]), None],
)


def _broadcast_like(d, x):
    from refnet.ops import shapes

    return shapes.broadcast_like(d, x)
