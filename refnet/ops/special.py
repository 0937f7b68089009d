"""Special functions of one argument: other bases, the cube root, the error function's relatives; and logaddexp."""

import math

from refnet import ops
from refnet.annotations import Array, Number, TensorLike
from refnet.ops.arguments import floating, together_as_floats
from refnet.ops.elementwise import elementwise
from refnet.scalars import cbrt as ieee_cbrt
from refnet.scalars import divide as ieee_divide
from refnet.scalars import erfc as ieee_erfc
from refnet.scalars import erfinv as ieee_erfinv
from refnet.scalars import exp as ieee_exp
from refnet.scalars import log as ieee_log
from refnet.scalars import log1p as ieee_log1p

LOG_2, LOG_10 = math.log(2), math.log(10)

# ---- other bases


def exp2(x: TensorLike) -> Array:
    """2 to the power of x. See `exp`.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.exp2`.

    >>> exp2([3.0, -1.0])
    array([8. , 0.5], dtype=float32)
    """
    return ops.power(2, floating("exp2", x))


def log2(x: TensorLike) -> Array:
    """The logarithm to the base 2.

        y[i] = ln(x[i]) / ln(2)

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. -inf at 0 and -0.0, inf at inf.
    NaN: below 0, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.log2`.

    >>> log2([8.0, 0.0])
    array([  3., -inf], dtype=float32)
    """
    return log2_op(floating("log2", x))


def log2_scalar(x: Number) -> Number:
    return ieee_divide(ieee_log(x), LOG_2)


def log10(x: TensorLike) -> Array:
    """The logarithm to the base 10.

        y[i] = ln(x[i]) / ln(10)

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. -inf at 0 and -0.0, inf at inf.
    NaN: below 0, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.log10`.

    >>> log10([1000.0, 0.0])
    array([  3., -inf], dtype=float32)
    """
    return log10_op(floating("log10", x))


def log10_scalar(x: Number) -> Number:
    return ieee_divide(ieee_log(x), LOG_10)


# ---- roots


def cbrt(x: TensorLike) -> Array:
    """The cube root, of negative numbers too.

        y[i] ** 3 = x[i]

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype. Signed zeros stay. The gradient at 0 is inf.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.cbrt`.

    >>> cbrt([8.0, -27.0])
    array([ 2., -3.], dtype=float32)
    """
    return cbrt_op(floating("cbrt", x))


def cbrt_scalar(x: Number) -> Number:
    return ieee_cbrt(x)


# ---- relatives of the error function


def erfc(x: TensorLike) -> Array:
    """The complementary error function: what erf lacks to 1.

        y[i] = 1 - erf(x[i]), accurate where that is near 0

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, between 0 and 2.
    NaN: stays. Empty: an empty result.
    Source: SciPy `special.erfc`; NIST DLMF 7.2.2.

    >>> erfc([0.0, 5.0])
    array([1.0000000e+00, 1.5374598e-12], dtype=float32)
    """
    return erfc_op(floating("erfc", x))


def erfc_scalar(x: Number) -> Number:
    return ieee_erfc(x)


def erfinv(x: TensorLike) -> Array:
    """The inverse of the error function.

        erf(y[i]) = x[i]

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype; -inf and inf at -1 and 1. Signed zeros stay.
    NaN: outside -1..1, and NaN stays. Empty: an empty result.
    Source: Keras 3 `ops.erfinv`; Wichura 1988 (AS 241).

    >>> erfinv([0.0, 0.5])
    array([0.        , 0.47693628], dtype=float32)
    """
    return erfinv_op(floating("erfinv", x))


def erfinv_scalar(x: Number) -> Number:
    return ieee_erfinv(x)


# ---- sums of logarithms


def logaddexp(x1: TensorLike, x2: TensorLike) -> Array:
    """The logarithm of a sum whose terms are given by their logarithms.

        y[i] = ln(e**x1[i] + e**x2[i]), with broadcasting

    computed as the larger of the two, plus log1p(e**-|x1[i] - x2[i]|).

    Args:
        x1, x2: arrays, tensors or numbers; integers and bools take the default floating dtype. Shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype.
    Ties: each gets half of the gradient. Infinities: those of one sign stay, inf beats -inf.
    NaN: if either is NaN. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.logaddexp`.

    >>> logaddexp([0.0, 1000.0], [0.0, 0.0])
    array([6.931472e-01, 1.000000e+03], dtype=float32)
    """
    return logaddexp_op(*together_as_floats("logaddexp", x1, x2))


def logaddexp_scalar(x1: Number, x2: Number) -> Number:
    if x1 == x2:  # inf - inf is not asked
        return x1 + LOG_2
    large = x1 if x1 > x2 else x2
    small = x2 if x1 > x2 else x1
    return large + ieee_log1p(ieee_exp(small - large))


log2_op = elementwise("log2", log2_scalar, lambda dy, y, x: ops.divide(dy, ops.multiply(x, LOG_2)))
log10_op = elementwise("log10", log10_scalar, lambda dy, y, x: ops.divide(dy, ops.multiply(x, LOG_10)))
cbrt_op = elementwise("cbrt", cbrt_scalar, lambda dy, y, x: ops.divide(dy, ops.multiply(3, ops.square(y))))
erfc_op = elementwise(
    "erfc",
    erfc_scalar,
    lambda dy, y, x: ops.multiply(dy, ops.multiply(-2 / math.sqrt(math.pi), ops.exp(ops.negative(ops.square(x))))),
)
erfinv_op = elementwise(
    "erfinv",
    erfinv_scalar,
    lambda dy, y, x: ops.multiply(dy, ops.multiply(math.sqrt(math.pi) / 2, ops.exp(ops.square(y)))),
)
logaddexp_op = elementwise(
    "logaddexp",
    logaddexp_scalar,
    lambda dy, y, x1, x2: ops.multiply(dy, ops.sigmoid(ops.subtract(x1, x2))),
    lambda dy, y, x1, x2: ops.multiply(dy, ops.sigmoid(ops.subtract(x2, x1))),
)
