"""One argument, element by element: other dtypes, exponentials, logarithms, roots."""

import math

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, TensorLike
from refnet.definition import Form, Op, Spec, elementwise_form
from refnet.graph import Node
from refnet.ops.arguments import converted, dtype_of, floating
from refnet.ops.elementwise import elementwise
from refnet.scalars import erf as ieee_erf
from refnet.scalars import exp as ieee_exp
from refnet.scalars import expm1 as ieee_expm1
from refnet.scalars import log as ieee_log
from refnet.scalars import log1p as ieee_log1p
from refnet.scalars import sqrt as ieee_sqrt
from refnet.scalars import tanh as ieee_tanh
from refnet.scalars import truncate

# ---- the same value


def same(x: TensorLike) -> Array:
    """x itself, as a new node or a new array. Not public: Keras's `identity` is a matrix, and its `copy` is this.

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape and dtype.
    NaN: copied. Empty: an empty result.

    >>> same([1, 2])
    array([1, 2])
    """
    return identity_op(converted("identity", x))


def identity_scalar(x: Number) -> Number:
    return x


def stop_gradient(variable: TensorLike) -> Array:
    """Its argument, through which no gradient flows.

    Args:
        variable: an array, tensor or number of any dtype.
    Returns:
        Its shape, dtype and values.
    NaN: copied. Empty: an empty result.
    Source: Keras 3 `ops.stop_gradient`.

    >>> stop_gradient([1, 2])
    array([1, 2])
    """
    return stop_gradient_op(converted("stop_gradient", variable))


identity_op = elementwise("identity", identity_scalar, lambda dy, y, x: dy)
stop_gradient_op = elementwise("stop_gradient", identity_scalar)


# ---- the same value in another dtype


def cast(x: TensorLike, dtype: TensorLike) -> Array:
    """x in another dtype.

    Args:
        x: an array, tensor or number of any dtype.
        dtype: a dtype's name, a NumPy dtype, or float, int or bool.
    Returns:
        x's shape, in that dtype. To a float: the nearest, ties to even; too large gives inf. From a float to an integer:
        towards zero, and what lies outside goes to the nearest end. From an integer to a narrower one: the low bits (it
        wraps around). To bool: whether it is not zero.
    NaN: stays among floats; 0 as an integer; True as a bool. Empty: an empty result.
        The gradient passes between floats only.
    Raises:
        DtypeError: an unknown dtype.
    Source: Keras 3 `ops.cast`, which leaves what does not fit to the backend; here as in XLA.

    >>> cast([-1.7, 1.7, 1e10], "int8")
    array([ -1,   1, 127], dtype=int8)
    """
    x, name = converted("cast", x), dtypes.standardize(dtype)
    if dtype_of(x) == name:
        return x
    if name == "bool":
        return cast_to_bool_op(x)
    if not (dtypes.is_floating(dtype_of(x)) and dtypes.is_integer(name)):
        return cast_op(x, dtype=name)
    return _cast_to_uint64(x) if name == "uint64" else cast_to_integer_op(x, dtype=name)


def _cast_to_uint64(x: TensorLike) -> TensorLike:
    """Values from 2**63 on go through the negative int64 with the same bits."""
    x = cast(x, "float64")
    upper = ops.minimum(ops.subtract(x, 2.0**64), -1.0)
    lower = ops.where(ops.less(x, 0.0), 0.0, x)
    return cast(cast(ops.where(ops.greater_equal(x, 2.0**63), upper, lower), "int64"), "uint64")


def cast_rule(x: Spec, *, dtype: str) -> Spec:
    return Spec(x.shape, dtype)


def cast_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    before, after = node.inputs[0].dtype, node.outputs[0].dtype
    return [cast(dy, before) if dtypes.is_floating(before) and dtypes.is_floating(after) else None]


# Storing the result in its dtype is the cast: rounding, or keeping the low bits.
cast_op = Op("cast", cast_rule, scalar=identity_scalar, gradient=cast_gradient, attributes=())


def cast_to_integer_scalar(x: Number, low: Number, high: Number) -> Number:
    if x != x:
        return 0
    if x <= low:
        return low
    if x >= high:
        return high
    return truncate(x)


def cast_to_integer_form(x: Spec, *, dtype: str) -> Form:
    ends = np.iinfo(dtype)
    return elementwise_form((x,), (cast_rule(x, dtype=dtype),), (int(ends.min), int(ends.max)))


cast_to_integer_op = Op("cast_to_integer", cast_rule, scalar=cast_to_integer_scalar, form=cast_to_integer_form)


def cast_to_bool_scalar(x: Number) -> Number:
    return x != 0


cast_to_bool_op = elementwise("cast_to_bool", cast_to_bool_scalar, result="bool")


# ---- exponentials and logarithms


def exp(x: TensorLike) -> Array:
    """e to the power of x.

        y[i] = e ** x[i]

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. inf where it overflows; 0 at -inf.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.exp`.

    >>> exp([0.0, 1.0])
    array([1.       , 2.7182817], dtype=float32)
    """
    return exp_op(floating("exp", x))


def exp_scalar(x: Number) -> Number:
    return ieee_exp(x)


def expm1(x: TensorLike) -> Array:
    """exp(x) - 1, accurate near 0. See `exp`; -1 at -inf, signed zeros stay.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.expm1`.

    >>> expm1([0.0, 1e-10])
    array([0.e+00, 1.e-10], dtype=float32)
    """
    return expm1_op(floating("expm1", x))


def expm1_scalar(x: Number) -> Number:
    return ieee_expm1(x)


def log(x: TensorLike) -> Array:
    """The natural logarithm.

        y[i] = ln(x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. -inf at 0 and -0.0, inf at inf.
    NaN: below 0, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.log`.

    >>> log([1.0, 0.0])
    array([  0., -inf], dtype=float32)
    """
    return log_op(floating("log", x))


def log_scalar(x: Number) -> Number:
    return ieee_log(x)


def log1p(x: TensorLike) -> Array:
    """ln(1 + x), accurate near 0. See `log`; -inf at -1, NaN below, signed zeros stay.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays; below -1 NaN, at -1 -inf. Empty: an empty result.
    Source: Keras 3 `ops.log1p`.

    >>> log1p([1e-10, -1.0])
    array([1.e-10,   -inf], dtype=float32)
    """
    return log1p_op(floating("log1p", x))


def log1p_scalar(x: Number) -> Number:
    return ieee_log1p(x)


def tanh(x: TensorLike) -> Array:
    """The hyperbolic tangent.

        y[i] = (e**x[i] - e**-x[i]) / (e**x[i] + e**-x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, between -1 and 1. Signed zeros stay.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.tanh`.

    >>> tanh([0.0, 1.0])
    array([0.       , 0.7615942], dtype=float32)
    """
    return tanh_op(floating("tanh", x))


def tanh_scalar(x: Number) -> Number:
    return ieee_tanh(x)


def erf(x: TensorLike) -> Array:
    """The error function.

        y[i] = 2 / sqrt(pi) * integral from 0 to x[i] of  e**(-t**2) dt

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, between -1 and 1. Signed zeros stay.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.erf`; NIST DLMF 7.2.1.

    >>> erf([0.0, 1.0])
    array([0.       , 0.8427008], dtype=float32)
    """
    return erf_op(floating("erf", x))


def erf_scalar(x: Number) -> Number:
    return ieee_erf(x)


# ---- roots


def sqrt(x: TensorLike) -> Array:
    """The square root, correctly rounded.

        y[i] ** 2 = x[i], y[i] >= 0

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. -0.0 stays; inf at inf. The gradient at 0 is inf.
    NaN: below 0, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.sqrt`; IEEE 754.

    >>> sqrt([4.0, 2.0])
    array([2.       , 1.4142135], dtype=float32)
    """
    return sqrt_op(floating("sqrt", x))


def sqrt_scalar(x: Number) -> Number:
    return ieee_sqrt(x)


def rsqrt(x: TensorLike) -> Array:
    """1 / sqrt(x); inf at 0. See `sqrt`.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays; below 0 NaN, at 0 inf. Empty: an empty result.
    Source: Keras 3 `ops.rsqrt`.

    >>> rsqrt([4.0, 0.0])
    array([0.5, inf], dtype=float32)
    """
    return ops.divide(1, sqrt(x))


exp_op = elementwise("exp", exp_scalar, lambda dy, y, x: ops.multiply(dy, y))
expm1_op = elementwise("expm1", expm1_scalar, lambda dy, y, x: ops.multiply(dy, ops.add(y, 1)))
log_op = elementwise("log", log_scalar, lambda dy, y, x: ops.divide(dy, x))
log1p_op = elementwise("log1p", log1p_scalar, lambda dy, y, x: ops.divide(dy, ops.add(x, 1)))
tanh_op = elementwise("tanh", tanh_scalar, lambda dy, y, x: ops.multiply(dy, ops.subtract(1, ops.square(y))))
erf_op = elementwise(
    "erf",
    erf_scalar,
    lambda dy, y, x: ops.multiply(dy, ops.multiply(2 / math.sqrt(math.pi), exp(ops.negative(ops.square(x))))),
)
sqrt_op = elementwise("sqrt", sqrt_scalar, lambda dy, y, x: ops.divide(dy, ops.multiply(2, y)))
