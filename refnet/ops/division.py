"""Division and powers: quotients, exact or rounded down, what they leave, and repeated products."""

from refnet import dtypes, ops
from refnet.annotations import Array, Number, TensorLike
from refnet.ops.arguments import dtype_of, together_as_floats
from refnet.ops.elementwise import elementwise, multiply, negative, numeric, subtract
from refnet.scalars import divide as ieee_divide
from refnet.scalars import floor_divide as ieee_floor_divide
from refnet.scalars import power as ieee_power
from refnet.scalars import remainder as ieee_remainder

# ---- quotients


def divide(x1: TensorLike, x2: TensorLike) -> Array:
    """The quotient of two arrays, element by element.

        y[i] = x1[i] / x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; integers and bools give the default floating dtype.
        A zero divisor gives inf or -inf (the sign of a zero counts).
    NaN: if either is NaN, for 0 / 0 and inf / inf. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.divide`; IEEE 754.

    >>> divide([1, -1, 2], [2, 0, 4])
    array([ 0.5, -inf,  0.5], dtype=float32)
    """
    return divide_op(*together_as_floats("divide", x1, x2))


true_divide = divide


def divide_scalar(x1: Number, x2: Number) -> Number:
    return ieee_divide(x1, x2)


divide_op = elementwise(
    "divide",
    divide_scalar,
    lambda dy, y, x1, x2: divide(dy, x2),
    lambda dy, y, x1, x2: negative(divide(multiply(dy, y), x2)),
)


def reciprocal(x: TensorLike) -> Array:
    """1 / x; see `divide`.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays; at 0 inf with the sign of the zero. Empty: an empty result.
    Source: Keras 3 `ops.reciprocal`.

    >>> reciprocal([2.0, 0.0])
    array([0.5, inf], dtype=float32)
    """
    return divide(1, x)


def floor_divide(x1: TensorLike, x2: TensorLike) -> Array:
    """The quotient rounded down, as Python's //.

        y[i] = floor(x1[i] / x2[i]), with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; bool gives int32. A zero divisor gives 0 for integers; inf, -inf or NaN
        for floats.
    NaN: if either is NaN, or x1 infinite. Empty: an empty result. The gradient is 0 everywhere.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.floor_divide`.

    >>> floor_divide([7, -7], 2)
    array([ 3, -4])
    """
    return floor_divide_op(*numeric("floor_divide", x1, x2))


def floor_divide_scalar(x1: Number, x2: Number) -> Number:
    return ieee_floor_divide(x1, x2)


floor_divide_op = elementwise("floor_divide", floor_divide_scalar)


def mod(x1: TensorLike, x2: TensorLike) -> Array:
    """What the division rounded down leaves, as Python's %: it has the sign of the divisor.

        y[i] = x1[i] - x2[i] * floor(x1[i] / x2[i]), with broadcasting, exact

    Args:
        x1, x2: arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; bool gives int32. A zero divisor gives 0 for integers.
    NaN: if either is NaN, x1 infinite, or x2 zero. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.mod`.

    >>> mod([7, -7], 3)
    array([1, 2])
    """
    return mod_op(*numeric("mod", x1, x2))


def mod_scalar(x1: Number, x2: Number) -> Number:
    return ieee_remainder(x1, x2)


mod_op = elementwise(
    "mod", mod_scalar, lambda dy, y, x1, x2: dy, lambda dy, y, x1, x2: negative(multiply(dy, floor_divide(x1, x2)))
)


def fmod(x1: TensorLike, x2: TensorLike) -> Array:
    """What the division rounded towards zero leaves, as C's fmod: it has the sign of x1.

        y[i] = x1[i] - x2[i] * trunc(x1[i] / x2[i]), with broadcasting, exact

    Args:
        x1, x2: arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; bool gives int32. A zero divisor gives 0 for integers. -0.0 where x1 is
        negative and nothing is left.
    NaN: if either is NaN, x1 infinite, or x2 zero. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.fmod`; C's fmod.

    >>> fmod([7, -7], 3)
    array([ 1, -1])
    """
    x1, x2 = numeric("fmod", x1, x2)
    if dtypes.is_floating(dtype_of(x1)):
        return multiply(ops.sign(x1), mod(ops.abs(x1), ops.abs(x2)))
    left = mod(x1, x2)
    turned = ops.logical_and(ops.not_equal(left, 0), ops.not_equal(ops.less(x1, 0), ops.less(x2, 0)))
    return ops.where(turned, subtract(left, x2), left)


def divide_no_nan(x1: TensorLike, x2: TensorLike) -> Array:
    """The quotient, and 0 where the divisor is 0.

        y[i] = 0 if x2[i] == 0 else x1[i] / x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; integers and bools give the default floating dtype. No gradient flows where the
        divisor is 0.
    NaN: if x2 is NaN; if x1 is and x2 is not 0. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.divide_no_nan`.

    >>> divide_no_nan([1.0, 3.0], [0.0, 2.0])
    array([0. , 1.5], dtype=float32)
    """
    x1, x2 = together_as_floats("divide_no_nan", x1, x2)
    nothing = ops.equal(x2, 0)
    return ops.where(nothing, 0, divide(x1, ops.where(nothing, 1, x2)))


# ---- powers


def power(x1: TensorLike, x2: TensorLike) -> Array:
    """One array to the power of another, element by element.

        y[i] = x1[i] ** x2[i], with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; bool gives int32. Anything ** 0 is 1. Integers wrap around; an integer to
        a negative power is 0, except that of 1 and -1.
    NaN: a negative x1 with a fractional x2; if either is NaN (but NaN ** 0 and 1 ** NaN are 1). Empty: an empty result.
    Ties: at x2 = 0 the gradient for x1 is 0; at x1 = 0 the gradient for x2 is 0.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.power`; C's pow.

    >>> power([2.0, 9.0], [3.0, 0.5])
    array([8., 3.], dtype=float32)
    >>> power([2, -1, 3], [10, -3, -1])
    array([1024,   -1,    0])
    """
    x1, x2 = numeric("power", x1, x2)
    return power_op(x1, x2) if dtypes.is_floating(dtype_of(x1)) else integer_power_op(x1, x2)


def power_scalar(x1: Number, x2: Number) -> Number:
    return ieee_power(x1, x2)


def power_gradient_base(dy: TensorLike, y: TensorLike, x1: TensorLike, x2: TensorLike) -> TensorLike:
    exponent = ops.where(ops.equal(x2, 0), 1, subtract(x2, 1))
    return multiply(dy, multiply(x2, power(x1, exponent)))


def power_gradient_exponent(dy: TensorLike, y: TensorLike, x1: TensorLike, x2: TensorLike) -> TensorLike:
    return multiply(dy, multiply(y, ops.log(ops.where(ops.equal(x1, 0), 1, x1))))


power_op = elementwise("power", power_scalar, power_gradient_base, power_gradient_exponent)


def integer_power_scalar(x1: Number, x2: Number) -> Number:
    if x2 < 0 and x1 != 1 and x1 != -1:
        return 0
    result = 1
    square = x1
    for bit in range(63):  # 1 and -1 only ask whether a negative exponent is odd: its lowest bit
        if (x2 >> bit) & 1 and (x2 > 0 or bit == 0):
            result = result * square
        square = square * square
    return result


integer_power_op = elementwise("integer_power", integer_power_scalar)
