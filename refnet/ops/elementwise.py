"""Elementwise arithmetic: each op is one function of one element of each input."""

from collections.abc import Callable

from refnet import dtypes, ops
from refnet.annotations import Array, Number, TensorLike
from refnet.definition import Op, Spec, broadcast_shapes
from refnet.errors import DtypeError
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, converted, dtype_of, promoted, shape_of


def elementwise(
    name: str,
    scalar: Callable[..., Number],
    *partials: Callable[..., TensorLike] | None,
    result: str | None = None,
    like: int = 0,
    attributes: tuple[str, ...] = (),
) -> Op:
    """An elementwise op.

    Args:
        name: unique.
        scalar: the definition: one element of each input, then the attributes.
        partials: for each input, `partial(dy, y, *inputs, **attributes)`: its gradient before broadcasting is undone, from what flows
            back into the result y; None: there is none.
        result: the result's dtype; if None, that of the input at position `like`.
        like: see `result`.
        attributes: their names, in the order in which `scalar` takes them.
    """

    def rule(*inputs: Spec, **_: Number) -> Spec:
        return Spec(broadcast_shapes(name, *(tuple(x.shape) for x in inputs)), result or inputs[like].dtype)

    def gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
        y = node.outputs[0]
        return [
            None if partial is None else sum_like(partial(dy, y, *node.inputs, **node.attributes), x)
            for partial, x in zip(partials, node.inputs)
        ]

    return Op(name, rule, scalar=scalar, gradient=gradient if partials else None, attributes=attributes)


def sum_like(dy: TensorLike, x: TensorLike) -> TensorLike:
    """dy summed over the axes along which x was repeated, so that it has x's shape."""
    from refnet.ops.reduction import sum_like_op

    same = shape_of(dy) == shape_of(x) and None not in shape_of(x)
    return dy if same else sum_like_op(dy, x)


def numeric(op: str, *xs: TensorLike) -> list[TensorLike]:
    """The operands in their common dtype, bool counted as int32."""
    together = promoted(op, *xs)
    return [as_dtype(x, "int32") if dtype_of(x) == "bool" else x for x in together]


def signed(op: str, *xs: TensorLike) -> list[TensorLike]:
    """The operands in their common dtype, which must not be bool: a truth value has no negative."""
    together = promoted(op, *xs)
    if dtype_of(together[0]) == "bool":
        raise DtypeError(
            f"{op} is not defined for bool. Cast to a number first: ops.cast(x, 'int32'); or use logical_not."
        )
    return together


# ---- sums and products


def add(x1: TensorLike, x2: TensorLike) -> Array:
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


def add_scalar(x1: Number, x2: Number) -> Number:
    return x1 + x2


add_op = elementwise("add", add_scalar, lambda dy, y, x1, x2: dy, lambda dy, y, x1, x2: dy)


def subtract(x1: TensorLike, x2: TensorLike) -> Array:
    """The difference of two arrays, element by element.

        y[i] = x1[i] - x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. Integers wrap around.
    NaN: if either is NaN, or for inf - inf. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.  DtypeError: both bool.
    Source: Keras 3 `ops.subtract`; IEEE 754.

    >>> subtract(10, [1, 2])
    array([9, 8])
    """
    return subtract_op(*signed("subtract", x1, x2))


def subtract_scalar(x1: Number, x2: Number) -> Number:
    return x1 - x2


subtract_op = elementwise("subtract", subtract_scalar, lambda dy, y, x1, x2: dy, lambda dy, y, x1, x2: negative(dy))


def multiply(x1: TensorLike, x2: TensorLike) -> Array:
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


def multiply_scalar(x1: Number, x2: Number) -> Number:
    return x1 * x2


multiply_op = elementwise(
    "multiply", multiply_scalar, lambda dy, y, x1, x2: multiply(dy, x2), lambda dy, y, x1, x2: multiply(dy, x1)
)


def negative(x: TensorLike) -> Array:
    """The element with the other sign.

        y[i] = -x[i]

    Args:
        x: an array, tensor or number.
    Returns:
        x's shape and dtype. Integers wrap around. Signed zero: -0.0 for 0.0.
    NaN: stays. Empty: an empty result.
    Raises:
        DtypeError: bool.
    Source: Keras 3 `ops.negative`.

    >>> negative([1, -2])
    array([-1,  2])
    """
    return negative_op(*signed("negative", x))


def negative_scalar(x: Number) -> Number:
    return -x


negative_op = elementwise("negative", negative_scalar, lambda dy, y, x: negative(dy))


def square(x: TensorLike) -> Array:
    """The element times itself.

        y[i] = x[i] * x[i]

    Args:
        x: an array, tensor or number.
    Returns:
        x's shape and dtype; bool gives int32. Integers wrap around.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.square`.

    >>> square([1, -3])
    array([1, 9])
    """
    return square_op(*numeric("square", x))


def square_scalar(x: Number) -> Number:
    return x * x


square_op = elementwise("square", square_scalar, lambda dy, y, x: multiply(dy, multiply(2, x)))


# ---- sign


def abs(x: TensorLike) -> Array:
    """The distance from zero.

        y[i] = x[i] if x[i] > 0 else -x[i]

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape and dtype. The lowest integer stays as it is (it wraps around). Signed zero: 0.0 for -0.0.
    Ties: the gradient at 0 is 0.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.abs`.

    >>> abs([-1.5, 2.0])
    array([1.5, 2. ], dtype=float32)
    """
    x = converted("abs", x)
    if dtype_of(x) in dtypes.UNSIGNED + dtypes.BOOLEAN:
        return ops.unary.same(x)
    return abs_op(x)


absolute = abs


def abs_scalar(x: Number) -> Number:
    return 0 - x if x <= 0 else x  # 0 - x, not -x: it makes -0.0 positive


abs_op = elementwise("abs", abs_scalar, lambda dy, y, x: multiply(dy, sign(x)))


def sign(x: TensorLike) -> Array:
    """-1, 0 or 1: which side of zero.

        y[i] = 1 if x[i] > 0, -1 if x[i] < 0, else x[i]

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape and dtype. Signed zeros stay.
    NaN: stays. Empty: an empty result. The gradient is 0 everywhere.
    Source: Keras 3 `ops.sign`.

    >>> sign([-7, 0, 3])
    array([-1,  0,  1])
    """
    return sign_op(converted("sign", x))


def sign_scalar(x: Number) -> Number:
    if x > 0:
        return 1
    if x < 0:
        return -1
    return x


sign_op = elementwise("sign", sign_scalar)


# ---- the larger, the smaller


def maximum(x1: TensorLike, x2: TensorLike) -> Array:
    """The larger of two arrays, element by element.

        y[i] = x1[i] if x1[i] >= x2[i] else x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype.
    Ties: x1 is taken (0.0 and -0.0 are equal), and gets the whole gradient; JAX would split it.
    NaN: if either is NaN. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.maximum`.

    >>> maximum([1, 5], 3)
    array([3, 5])
    """
    return maximum_op(*promoted("maximum", x1, x2))


def maximum_scalar(x1: Number, x2: Number) -> Number:
    return x1 if x1 >= x2 or x1 != x1 else x2


def first_is_larger(x1: TensorLike, x2: TensorLike) -> TensorLike:
    return ops.logical_or(ops.greater_equal(x1, x2), ops.isnan(x1))


maximum_op = elementwise(
    "maximum",
    maximum_scalar,
    lambda dy, y, x1, x2: ops.where(first_is_larger(x1, x2), dy, 0),
    lambda dy, y, x1, x2: ops.where(first_is_larger(x1, x2), 0, dy),
)


def minimum(x1: TensorLike, x2: TensorLike) -> Array:
    """The smaller of two arrays, element by element.

        y[i] = x1[i] if x1[i] <= x2[i] else x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype.
    Ties: x1 is taken (0.0 and -0.0 are equal), and gets the whole gradient; JAX would split it.
    NaN: if either is NaN. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.minimum`.

    >>> minimum([1, 5], 3)
    array([1, 3])
    """
    return minimum_op(*promoted("minimum", x1, x2))


def minimum_scalar(x1: Number, x2: Number) -> Number:
    return x1 if x1 <= x2 or x1 != x1 else x2


def first_is_smaller(x1: TensorLike, x2: TensorLike) -> TensorLike:
    return ops.logical_or(ops.less_equal(x1, x2), ops.isnan(x1))


minimum_op = elementwise(
    "minimum",
    minimum_scalar,
    lambda dy, y, x1, x2: ops.where(first_is_smaller(x1, x2), dy, 0),
    lambda dy, y, x1, x2: ops.where(first_is_smaller(x1, x2), 0, dy),
)
