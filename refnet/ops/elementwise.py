"""Elementwise arithmetic and comparison: each op is one function of one element of each input."""

from refnet import dtypes
from refnet.definition import Op, Spec, broadcast_shapes
from refnet.ops.arguments import as_dtype, converted, dtype_of, floating, promoted, shape_of


def elementwise(name, scalar, *partials, result=None, attributes=()):
    """An elementwise op.

    Args:
        scalar: the definition: one element of each input, then the attributes.
        partials: for each input, `partial(dy, y, *inputs, **attributes)`: its gradient before broadcasting is undone.
        result: the result's dtype; that of the first input if None.
    """

    def rule(*inputs, **_):
        return Spec(broadcast_shapes(name, *(tuple(x.shape) for x in inputs)), result or inputs[0].dtype)

    def gradient(node, dy):
        y = node.outputs[0]
        return [
            None if partial is None else sum_like(partial(dy, y, *node.inputs, **node.attributes), x)
            for partial, x in zip(partials, node.inputs)
        ]

    return Op(name, rule, scalar=scalar, gradient=gradient if partials else None, attributes=attributes)


def sum_like(dy, x):
    """dy summed over the axes along which x was repeated, so that it has x's shape."""
    from refnet.ops.reduction import sum_like_op

    same = shape_of(dy) == shape_of(x) and None not in shape_of(x)
    return dy if same else sum_like_op(dy, x)


# ---- arithmetic


def add(x1, x2):
    """The sum of two arrays, element by element.

        y[i] = x1[i] + x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. Integers wrap around; bool is logical or.
    NaN: if either is NaN, or for inf + -inf. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.add`; IEEE 754.

    >>> add([1.0, 2.0], 10)
    array([11., 12.], dtype=float32)
    """
    return add_op(*promoted("add", x1, x2))


def add_scalar(x1, x2):
    return x1 + x2


def multiply(x1, x2):
    """The product of two arrays, element by element.

        y[i] = x1[i] * x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. Integers wrap around; bool is logical and.
    NaN: if either is NaN, or for 0 * inf. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.multiply`; IEEE 754.

    >>> multiply([1.0, 2.0], 10)
    array([10., 20.], dtype=float32)
    """
    return multiply_op(*promoted("multiply", x1, x2))


def multiply_scalar(x1, x2):
    return x1 * x2


add_op = elementwise("add", add_scalar, lambda dy, y, x1, x2: dy, lambda dy, y, x1, x2: dy)
multiply_op = elementwise(
    "multiply", multiply_scalar, lambda dy, y, x1, x2: multiply(dy, x2), lambda dy, y, x1, x2: multiply(dy, x1)
)
