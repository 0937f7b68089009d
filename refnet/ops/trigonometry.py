"""Trigonometry: circular and hyperbolic functions and their inverses, element by element."""

from math import pi

from refnet import ops
from refnet.annotations import Array, Number, TensorLike
from refnet.ops.arguments import floating, together_as_floats
from refnet.ops.elementwise import elementwise
from refnet.scalars import arccos as ieee_arccos
from refnet.scalars import arccosh as ieee_arccosh
from refnet.scalars import arcsin as ieee_arcsin
from refnet.scalars import arcsinh as ieee_arcsinh
from refnet.scalars import arctan as ieee_arctan
from refnet.scalars import arctan2 as ieee_arctan2
from refnet.scalars import arctanh as ieee_arctanh
from refnet.scalars import cos as ieee_cos
from refnet.scalars import cosh as ieee_cosh
from refnet.scalars import sin as ieee_sin
from refnet.scalars import sinh as ieee_sinh
from refnet.scalars import tan as ieee_tan

# ---- angles


def sin(x: TensorLike) -> Array:
    """The sine of an angle in radians.

        y[i] = sin(x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, between -1 and 1. Signed zeros stay.
    NaN: at the infinities, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.sin`.

    >>> sin([0.0, 1.0])
    array([0.        , 0.84147096], dtype=float32)
    """
    return sin_op(floating("sin", x))


def sin_scalar(x: Number) -> Number:
    return ieee_sin(x)


def cos(x: TensorLike) -> Array:
    """The cosine of an angle in radians.

        y[i] = cos(x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, between -1 and 1.
    NaN: at the infinities, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.cos`.

    >>> cos([0.0, 1.0])
    array([1.       , 0.5403023], dtype=float32)
    """
    return cos_op(floating("cos", x))


def cos_scalar(x: Number) -> Number:
    return ieee_cos(x)


def tan(x: TensorLike) -> Array:
    """The tangent of an angle in radians.

        y[i] = sin(x[i]) / cos(x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. Signed zeros stay.
    NaN: at the infinities, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.tan`.

    >>> tan([0.0, 1.0])
    array([0.       , 1.5574077], dtype=float32)
    """
    return tan_op(floating("tan", x))


def tan_scalar(x: Number) -> Number:
    return ieee_tan(x)


def arcsin(x: TensorLike) -> Array:
    """The angle whose sine is x.

        sin(y[i]) = x[i], -pi/2 <= y[i] <= pi/2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. Signed zeros stay. The gradient at -1 and 1 is inf.
    NaN: outside -1..1, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.arcsin`.

    >>> arcsin([0.0, 1.0])
    array([0.       , 1.5707964], dtype=float32)
    """
    return arcsin_op(floating("arcsin", x))


def arcsin_scalar(x: Number) -> Number:
    return ieee_arcsin(x)


def arccos(x: TensorLike) -> Array:
    """The angle whose cosine is x.

        cos(y[i]) = x[i], 0 <= y[i] <= pi

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. The gradient at -1 and 1 is -inf.
    NaN: outside -1..1, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.arccos`.

    >>> arccos([1.0, 0.0])
    array([0.       , 1.5707964], dtype=float32)
    """
    return arccos_op(floating("arccos", x))


def arccos_scalar(x: Number) -> Number:
    return ieee_arccos(x)


def arctan(x: TensorLike) -> Array:
    """The angle whose tangent is x.

        tan(y[i]) = x[i], -pi/2 <= y[i] <= pi/2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. Signed zeros stay; the ends are reached at the infinities.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.arctan`.

    >>> arctan([0.0, 1.0])
    array([0.       , 0.7853982], dtype=float32)
    """
    return arctan_op(floating("arctan", x))


def arctan_scalar(x: Number) -> Number:
    return ieee_arctan(x)


def sinc(x: TensorLike) -> Array:
    """sin(pi x) / (pi x), and 1 at 0.

        y[i] = sin(pi * x[i]) / (pi * x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. The gradient at 0 is 0.
    NaN: at the infinities, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.sinc`; NumPy.

    >>> sinc([0.0, 0.5])
    array([1.        , 0.63661975], dtype=float32)
    """
    x = floating("sinc", x)
    at_zero = ops.equal(x, 0)
    angle = ops.multiply(pi, ops.where(at_zero, 1, x))  # 0 / 0 is not asked, nor is its gradient
    return ops.where(at_zero, 1, ops.divide(sin(angle), angle))


def arctan2(x1: TensorLike, x2: TensorLike) -> Array:
    """The angle of the point (x2, x1), counted from the positive x2 axis.

        y[i] in -pi..pi with  r sin(y[i]) = x1[i],  r cos(y[i]) = x2[i],  r >= 0,  with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers; integers and bools take the default floating dtype. Shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. The signs of zeros and infinities count, as in C's atan2. The gradient at the
        origin is NaN.
    NaN: if either is NaN. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.arctan2`; C's atan2.

    >>> arctan2([1.0, 0.0], [1.0, -1.0])
    array([0.7853982, 3.1415927], dtype=float32)
    """
    return arctan2_op(*together_as_floats("arctan2", x1, x2))


def arctan2_scalar(x1: Number, x2: Number) -> Number:
    return ieee_arctan2(x1, x2)


# ---- hyperbolic functions


def sinh(x: TensorLike) -> Array:
    """The hyperbolic sine.

        y[i] = (e**x[i] - e**-x[i]) / 2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype; -inf and inf where it overflows. Signed zeros stay.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.sinh`.

    >>> sinh([0.0, 1.0])
    array([0.       , 1.1752012], dtype=float32)
    """
    return sinh_op(floating("sinh", x))


def sinh_scalar(x: Number) -> Number:
    return ieee_sinh(x)


def cosh(x: TensorLike) -> Array:
    """The hyperbolic cosine.

        y[i] = (e**x[i] + e**-x[i]) / 2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, at least 1; inf where it overflows.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.cosh`.

    >>> cosh([0.0, 1.0])
    array([1.       , 1.5430807], dtype=float32)
    """
    return cosh_op(floating("cosh", x))


def cosh_scalar(x: Number) -> Number:
    return ieee_cosh(x)


def arcsinh(x: TensorLike) -> Array:
    """The number whose hyperbolic sine is x.

        sinh(y[i]) = x[i]

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. Signed zeros stay.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.arcsinh`.

    >>> arcsinh([0.0, 1.0])
    array([0.       , 0.8813736], dtype=float32)
    """
    return arcsinh_op(floating("arcsinh", x))


def arcsinh_scalar(x: Number) -> Number:
    return ieee_arcsinh(x)


def arccosh(x: TensorLike) -> Array:
    """The number whose hyperbolic cosine is x.

        cosh(y[i]) = x[i], y[i] >= 0

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. The gradient at 1 is inf.
    NaN: below 1, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.arccosh`.

    >>> arccosh([1.0, 2.0])
    array([0.      , 1.316958], dtype=float32)
    """
    return arccosh_op(floating("arccosh", x))


def arccosh_scalar(x: Number) -> Number:
    return ieee_arccosh(x)


def arctanh(x: TensorLike) -> Array:
    """The number whose hyperbolic tangent is x.

        tanh(y[i]) = x[i]

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype; -inf and inf at -1 and 1. Signed zeros stay.
    NaN: outside -1..1, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.arctanh`.

    >>> arctanh([0.0, 0.5])
    array([0.        , 0.54930615], dtype=float32)
    """
    return arctanh_op(floating("arctanh", x))


def arctanh_scalar(x: Number) -> Number:
    return ieee_arctanh(x)


def over(dy: TensorLike, square: TensorLike) -> TensorLike:
    """dy / sqrt(square)."""
    return ops.divide(dy, ops.sqrt(square))


def radius_squared(x1: TensorLike, x2: TensorLike) -> TensorLike:
    return ops.add(ops.square(x1), ops.square(x2))


sin_op = elementwise("sin", sin_scalar, lambda dy, y, x: ops.multiply(dy, cos(x)))
cos_op = elementwise("cos", cos_scalar, lambda dy, y, x: ops.negative(ops.multiply(dy, sin(x))))
tan_op = elementwise("tan", tan_scalar, lambda dy, y, x: ops.multiply(dy, ops.add(1, ops.square(y))))
arcsin_op = elementwise("arcsin", arcsin_scalar, lambda dy, y, x: over(dy, ops.subtract(1, ops.square(x))))
arccos_op = elementwise(
    "arccos", arccos_scalar, lambda dy, y, x: ops.negative(over(dy, ops.subtract(1, ops.square(x))))
)
arctan_op = elementwise("arctan", arctan_scalar, lambda dy, y, x: ops.divide(dy, ops.add(1, ops.square(x))))
arctan2_op = elementwise(
    "arctan2",
    arctan2_scalar,
    lambda dy, y, x1, x2: ops.divide(ops.multiply(dy, x2), radius_squared(x1, x2)),
    lambda dy, y, x1, x2: ops.negative(ops.divide(ops.multiply(dy, x1), radius_squared(x1, x2))),
)
sinh_op = elementwise("sinh", sinh_scalar, lambda dy, y, x: ops.multiply(dy, cosh(x)))
cosh_op = elementwise("cosh", cosh_scalar, lambda dy, y, x: ops.multiply(dy, sinh(x)))
arcsinh_op = elementwise("arcsinh", arcsinh_scalar, lambda dy, y, x: over(dy, ops.add(1, ops.square(x))))
arccosh_op = elementwise("arccosh", arccosh_scalar, lambda dy, y, x: over(dy, ops.subtract(ops.square(x), 1)))
arctanh_op = elementwise("arctanh", arctanh_scalar, lambda dy, y, x: ops.divide(dy, ops.subtract(1, ops.square(x))))
