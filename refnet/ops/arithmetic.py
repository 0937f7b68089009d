"""Functions of one or two numbers that other ops express, and Bessel's; the greatest common divisor."""

import math

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, TensorLike
from refnet.definition import Op, Spec
from refnet.errors import DtypeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, floating, promoted, together_as_floats
from refnet.ops.bits import whole
from refnet.ops.elementwise import elementwise
from refnet.scalars import INF, truncate

# ---- absolute values and extremes


def fabs(x: TensorLike) -> Array:
    """The absolute value as a floating number. See `abs`.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape, a floating dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.fabs`.

    >>> fabs([-1, 2])
    array([1., 2.], dtype=float32)
    """
    return ops.abs(floating("fabs", x))


def fmax(x1: TensorLike, x2: TensorLike) -> Array:
    """The larger of two elements; the other one where one is NaN. See `maximum`.

    Args:
        x1, x2: arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype.
    Ties: as in `maximum`. NaN: where both are. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.fmax`.

    >>> fmax([1.0, float("nan")], [3.0, 2.0])
    array([3., 2.], dtype=float32)
    """
    a, b = promoted("fmax", x1, x2)
    return ops.where(ops.isnan(a), b, ops.where(ops.isnan(b), a, ops.maximum(a, b)))


def fmin(x1: TensorLike, x2: TensorLike) -> Array:
    """The smaller of two elements; the other one where one is NaN. See `minimum`.

    Args:
        x1, x2: arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype.
    Ties: as in `minimum`. NaN: where both are. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.fmin`.

    >>> fmin([1.0, float("nan")], [3.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    a, b = promoted("fmin", x1, x2)
    return ops.where(ops.isnan(a), b, ops.where(ops.isnan(b), a, ops.minimum(a, b)))


def hypot(x1: TensorLike, x2: TensorLike) -> Array:
    """The length of the longest side of a right triangle.

        y[i] = sqrt(x1[i]**2 + x2[i]**2), with broadcasting

    computed with the longer side taken out first, so that nothing overflows.

    Args:
        x1, x2: arrays, tensors or numbers; integers and bools take the default floating dtype.
    Returns:
        The common shape, in the promoted floating dtype. Where it is 0, the gradient is NaN.
    NaN: gives NaN, but beside an infinity inf: whatever the other side is, the longest is infinite. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.hypot`; IEEE 754-2019 9.2.1.

    >>> hypot([3.0, 3e30], [4.0, 4e30])
    array([5.e+00, 5.e+30], dtype=float32)
    """
    a, b = together_as_floats("hypot", x1, x2)
    longer = ops.stop_gradient(ops.maximum(ops.abs(a), ops.abs(b)))
    scale = ops.where(ops.logical_and(ops.greater(longer, 0), ops.isfinite(longer)), longer, 1.0)
    squares = ops.add(*[ops.square(ops.divide(x, scale)) for x in (a, b)])
    length = ops.multiply(scale, ops.sqrt(squares))
    return ops.where(ops.logical_or(ops.isinf(a), ops.isinf(b)), float("inf"), length)


def heaviside(x1: TensorLike, x2: TensorLike) -> Array:
    """The step: 0 below zero, 1 above, x2 at zero.

        y[i] = 0 if x1[i] < 0, x2[i] if x1[i] == 0, 1 if x1[i] > 0, with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers; integers and bools take the default floating dtype.
    Returns:
        The common shape, in the promoted floating dtype. The gradient goes to x2 where it counts.
    NaN: in x1 stays; in x2 where it counts. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.heaviside`.

    >>> heaviside([-2.0, 0.0, 3.0], 0.5)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    a, b = together_as_floats("heaviside", x1, x2)
    side = ops.where(ops.isnan(a), float("nan"), ops.cast(ops.greater(a, 0), dtype_of(a)))
    return ops.where(ops.equal(a, 0), b, side)


# ---- powers of 2, angles


def ldexp(x1: TensorLike, x2: TensorLike) -> Array:
    """A number times a power of 2.

        y[i] = x1[i] * 2**x2[i], with broadcasting

    in three parts, so that no power overflows.

    Args:
        x1: an array, tensor or number; integers and bools take the default floating dtype.
        x2: integers.
    Returns:
        The common shape, x1's dtype.
    NaN: stays. Empty: an empty result.
    Raises:
        DtypeError: exponents that are no integers.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.ldexp`.

    >>> ldexp([1.5, 3.0], [2, -1])
    array([6. , 1.5], dtype=float32)
    """
    a, b = floating("ldexp", x1, "x1"), converted("ldexp", x2, "x2")
    if not dtypes.is_integer(dtype_of(b)):
        raise DtypeError(f"ldexp: x2 must hold integers; got {dtype_of(b)}. Cast it with ops.cast.")
    wide = a if dtype_of(a) == "float64" else as_dtype(a, "float32")
    most = 3 * (1020 if dtype_of(wide) == "float64" else 126)
    exponent = as_dtype(
        ops.clip(as_dtype(b, "int32") if dtype_of(b) in ("int8", "uint8") else b, -most, most), "float32"
    )
    third = ops.floor(ops.divide(exponent, 3.0))
    for part in (third, third, ops.subtract(exponent, ops.multiply(third, 2.0))):
        wide = ops.multiply(wide, ops.power(2.0, as_dtype(part, dtype_of(wide))))
    return as_dtype(wide, dtype_of(a))


def logaddexp2(x1: TensorLike, x2: TensorLike) -> Array:
    """The logarithm to the base 2 of a sum of powers of 2. See `logaddexp`.

        y[i] = log2(2**x1[i] + 2**x2[i]), with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers; integers and bools take the default floating dtype.
    Returns:
        The common shape, in the promoted floating dtype.
    NaN: any NaN gives NaN. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.logaddexp2`.

    >>> logaddexp2([3.0], [3.0])
    array([4.], dtype=float32)
    """
    a, b = together_as_floats("logaddexp2", x1, x2)
    more = ops.maximum(a, b)
    apart = ops.where(ops.equal(a, b), 0.0, ops.subtract(a, b))  # inf - inf would be NaN
    return ops.add(more, ops.divide(ops.log1p(ops.exp2(ops.negative(ops.abs(apart)))), math.log(2)))


def deg2rad(x: TensorLike) -> Array:
    """Degrees as radians.

        y[i] = x[i] * pi / 180

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.deg2rad`.

    >>> deg2rad([180.0, 90.0])
    array([3.1415927, 1.5707964], dtype=float32)
    """
    return ops.multiply(floating("deg2rad", x), math.pi / 180)


def rad2deg(x: TensorLike) -> Array:
    """Radians as degrees.

        y[i] = x[i] * 180 / pi

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.rad2deg`.

    >>> rad2deg([3.1415927])
    array([180.], dtype=float32)
    """
    return ops.multiply(floating("rad2deg", x), 180 / math.pi)


def saturate_cast(x: TensorLike, dtype: str) -> Array:
    """x in another dtype, what is out of its range brought to its end.

        y[i] = min(max(x[i], least), largest), cast

    Args:
        x: an array, tensor or number.
        dtype: the result's dtype.
    Returns:
        x's shape in that dtype.
    The ends of bool are 0 and 1. NaN: stays in floats; 0 in integers, True in bool. Empty: an empty result.
    Raises:
        DtypeError: an unknown dtype.
    Source: Keras 3 `ops.saturate_cast`.

    >>> saturate_cast([-5, 300], "uint8")
    array([  0, 255], dtype=uint8)
    """
    x, name = converted("saturate_cast", x), dtypes.standardize(dtype)
    own = dtype_of(x)
    if own == "bool" or name == own or (dtypes.is_integer(name) and dtypes.is_floating(own)):
        return ops.cast(x, name)  # from floats to integers a cast saturates
    (low, high), (least, largest) = ends(name), ends(own)
    if dtypes.is_floating(name):  # the ends may be no numbers of x's dtype
        y = ops.cast(x, name)
        return ops.clip(y, low, high) if high < largest else y
    return ops.cast(ops.clip(x, max(least, low), min(largest, high)), name)


def ends(dtype: str) -> tuple[float, float]:
    """The least and the largest finite number of a dtype; of integers as Python's, exactly."""
    if dtype == "bool":
        return 0, 1
    if dtypes.is_integer(dtype):
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    top = ops.rounding.largest(dtype)
    return -top, top


# ---- divisors


def gcd(x1: TensorLike, x2: TensorLike) -> Array:
    """The greatest common divisor, by Euclid's algorithm.

        y[i] = the largest d that divides x1[i] and x2[i], with broadcasting;  0 if both are 0

    Args:
        x1, x2: arrays, tensors or numbers of integers; bool counts as int32.
    Returns:
        The common shape, in the promoted dtype; not below 0 (but for the smallest integer, whose negative there is not).
    Empty: an empty result. There is no gradient.
    Raises:
        DtypeError: no integers.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.gcd`.

    >>> gcd([12, -18], 8)
    array([4, 2])
    """
    return ops.abs(gcd_op(*[as_dtype(x, "int32") if dtype_of(x) == "bool" else x for x in whole("gcd", x1, x2)]))


def gcd_scalar(x1: Number, x2: Number) -> Number:
    """A greatest common divisor, of either sign."""
    a, b = x1, x2
    while b != 0:
        if b in (1, -1):  # the smallest integer cannot be divided by -1
            return b
        a, b = b, a - b * (a // b)
    return a


gcd_op = elementwise("gcd", gcd_scalar)


def lcm(x1: TensorLike, x2: TensorLike) -> Array:
    """The least common multiple.

        y[i] = |x1[i] / gcd(x1[i], x2[i]) * x2[i]|, with broadcasting;  0 if one is 0

    Args:
        x1, x2: arrays, tensors or numbers of integers; bool counts as int32.
    Returns:
        The common shape, in the promoted dtype. It wraps around. There is no gradient.
    Empty: an empty result.
    Raises:
        DtypeError: no integers.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.lcm`.

    >>> lcm([4, 6], [6, 0])
    array([12,  0])
    """
    a, b = (as_dtype(x, "int32") if dtype_of(x) == "bool" else x for x in whole("lcm", x1, x2))
    common = gcd(a, b)
    one = ops.ones((), dtype_of(a))
    return ops.abs(ops.multiply(ops.floor_divide(a, ops.where(ops.equal(common, 0), one, common)), b))


# ---- Bessel's


def i0(x: TensorLike) -> Array:
    """Bessel's modified function of the first kind, of order 0.

        y[i] = sum over k of  (x[i]**2 / 4)**k / (k!)**2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype; inf where it overflows.
    NaN: stays. Empty: an empty result. The gradient is the function of order 1.
    Source: Keras 3 `ops.i0`; Abramowitz and Stegun 9.6.12.

    >>> i0([0.0, 1.0, -1.0])
    array([1.       , 1.2660658, 1.2660658], dtype=float32)
    """
    return bessel_op(floating("i0", x), order=0)


def bessel_scalar(x: Number, order: int) -> Number:
    """The series; all its terms have one sign, and after 40 + |x| of them the rest is below a part in 10**17."""
    if x != x:
        return x
    if x > 720 or x < -720:
        return INF if x > 0 or order % 2 == 0 else -INF
    half, term = x / 2, 1.0
    for k in range(1, order + 1):
        term = term * half / k
    total = term
    for k in range(1, 40 + truncate(x if x > 0 else -x)):
        term = term * (half / k) * (half / (k + order))  # term * half * half would overflow before the sum does
        total = total + term
    return total


def bessel_rule(x: Spec, *, order: int) -> Spec:
    return Spec(tuple(x.shape), x.dtype)


def bessel_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    x, order = node.inputs[0], node.attributes["order"]
    above = bessel_op(x, order=order + 1)
    if order == 0:
        return [ops.multiply(dy, above)]
    return [ops.multiply(dy, ops.divide(ops.add(bessel_op(x, order=order - 1), above), 2.0))]


bessel_op: Op = Op("bessel", bessel_rule, scalar=bessel_scalar, gradient=bessel_gradient)
