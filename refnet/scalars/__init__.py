"""What definitions may call on one element: elementary functions that follow IEEE 754 where Python's raise.

A definition runs on many kinds of number. On floats these functions compute; on any other number (a bound-carrying one, a
dual, a recording one, see the modules beside this) they call the number's method of the same name. Engines give their
compilers the same names (`refnet_fast.derive`), so one text serves all.
"""

import math
from collections.abc import Callable

import numpy as np

from refnet.annotations import Array, Number

INF = math.inf
NAN = math.nan
LARGEST = float(np.finfo(np.float64).max)
_PLAIN = (float, int, np.floating, np.integer, np.bool_)


def plain(x: Number) -> bool:
    """Whether x is an ordinary machine number."""
    return isinstance(x, _PLAIN)


def exp(x: Number) -> Number:
    """e**x; inf where it overflows."""
    if not plain(x):
        return x.exp()
    try:
        return np.float64(math.exp(x))
    except OverflowError:
        return np.float64(INF)


def expm1(x: Number) -> Number:
    """e**x - 1, accurate near 0."""
    if not plain(x):
        return x.expm1()
    try:
        return np.float64(math.expm1(x))
    except OverflowError:
        return np.float64(INF)


def log(x: Number) -> Number:
    """The natural logarithm; -inf at 0, NaN below."""
    if not plain(x):
        return x.log()
    if x == 0:
        return np.float64(-INF)
    return np.float64(math.log(x) if x > 0 else NAN)


def log1p(x: Number) -> Number:
    """log(1 + x), accurate near 0; -inf at -1, NaN below."""
    if not plain(x):
        return x.log1p()
    if x == -1:
        return np.float64(-INF)
    return np.float64(math.log1p(x) if x > -1 else NAN)


def sqrt(x: Number) -> Number:
    """The square root, correctly rounded; NaN below 0."""
    if not plain(x):
        return x.sqrt()
    return np.float64(math.sqrt(x) if x >= 0 else NAN)


def tanh(x: Number) -> Number:
    """The hyperbolic tangent."""
    return np.float64(math.tanh(x)) if plain(x) else x.tanh()


def erf(x: Number) -> Number:
    """The error function: the chance, times two less one, that a normal number of variance 1/2 lies below x."""
    return np.float64(math.erf(x)) if plain(x) else x.erf()


def divide(x: Number, y: Number) -> Number:
    """x / y with IEEE 754's answers for a zero divisor: inf, -inf or NaN."""
    if not plain(x):
        return x / y
    if not plain(y):
        return x / y
    return np.float64(x) / np.float64(y)


def power(x: Number, y: Number) -> Number:
    """x**y as C's pow defines it: 0**-1 is inf, a negative x with a fractional y is NaN."""
    if not plain(x):
        return x.power(y)
    if not plain(y):
        return y.rpower(x)
    return np.float64(np.float64(x) ** np.float64(y))


def _within(function: Callable[[float], float], x: Number, least: float = -INF, greatest: float = INF) -> Number:
    """A function of Python's math module for arguments in least..greatest; NaN outside, and for NaN."""
    return np.float64(function(x) if least <= x <= greatest else NAN)


def erfc(x: Number) -> Number:
    """1 - erf(x), accurate where erf is near 1."""
    return np.float64(math.erfc(x)) if plain(x) else x.erfc()


def erfinv(x: Number) -> Number:
    """The y with erf(y) = x; -inf and inf at -1 and 1, NaN outside."""
    if not plain(x):
        return x.erfinv()
    from refnet.philox import inverse_error_function

    return np.float64(inverse_error_function(x) if -1 < x < 1 else x * INF if x in (-1, 1) else NAN)


def cbrt(x: Number) -> Number:
    """The cube root, of negative numbers too."""
    return np.float64(math.cbrt(x)) if plain(x) else x.cbrt()


def sin(x: Number) -> Number:
    """The sine of an angle in radians; NaN at the infinities."""
    return _within(math.sin, x, -LARGEST, LARGEST) if plain(x) else x.sin()


def cos(x: Number) -> Number:
    """The cosine of an angle in radians; NaN at the infinities."""
    return _within(math.cos, x, -LARGEST, LARGEST) if plain(x) else x.cos()


def tan(x: Number) -> Number:
    """The tangent of an angle in radians; NaN at the infinities."""
    return _within(math.tan, x, -LARGEST, LARGEST) if plain(x) else x.tan()


def arcsin(x: Number) -> Number:
    """The angle in -pi/2..pi/2 with that sine; NaN outside -1..1."""
    return _within(math.asin, x, -1, 1) if plain(x) else x.arcsin()


def arccos(x: Number) -> Number:
    """The angle in 0..pi with that cosine; NaN outside -1..1."""
    return _within(math.acos, x, -1, 1) if plain(x) else x.arccos()


def arctan(x: Number) -> Number:
    """The angle in -pi/2..pi/2 with that tangent."""
    return np.float64(math.atan(x)) if plain(x) else x.arctan()


def arctan2(y: Number, x: Number) -> Number:
    """The angle of the point (x, y) in -pi..pi, as C's atan2: the signs of zeros count."""
    if not plain(y):
        return y.arctan2(x)
    if not plain(x):
        return x.rarctan2(y)
    return np.float64(math.atan2(y, x))


def sinh(x: Number) -> Number:
    """The hyperbolic sine; -inf and inf where it overflows."""
    return np.sinh(np.float64(x)) if plain(x) else x.sinh()


def cosh(x: Number) -> Number:
    """The hyperbolic cosine; inf where it overflows."""
    return np.cosh(np.float64(x)) if plain(x) else x.cosh()


def arcsinh(x: Number) -> Number:
    """The number with that hyperbolic sine."""
    return np.float64(math.asinh(x)) if plain(x) else x.arcsinh()


def arccosh(x: Number) -> Number:
    """The number from 0 on with that hyperbolic cosine; NaN below 1."""
    return _within(math.acosh, x, 1) if plain(x) else x.arccosh()


def arctanh(x: Number) -> Number:
    """The number with that hyperbolic tangent; -inf and inf at -1 and 1, NaN outside."""
    return np.arctanh(np.float64(x)) if plain(x) else x.arctanh()


def floor(x: Number) -> Number:
    """The largest whole number not above x; infinities, NaN and signed zeros stay."""
    return np.floor(np.float64(x)) if plain(x) else x.floor()


def ceil(x: Number) -> Number:
    """The smallest whole number not below x; infinities, NaN and signed zeros stay, -0.5 gives -0.0."""
    return np.ceil(np.float64(x)) if plain(x) else x.ceil()


def nearest(x: Number) -> Number:
    """The nearest whole number, the even one of two; infinities, NaN and signed zeros stay, -0.5 gives -0.0."""
    return np.rint(np.float64(x)) if plain(x) else x.nearest()


def trunc(x: Number) -> Number:
    """The whole number next to x towards zero; infinities, NaN and signed zeros stay, -0.5 gives -0.0."""
    return np.trunc(np.float64(x)) if plain(x) else x.trunc()


def floor_divide(x: Number, y: Number) -> Number:
    """x // y, rounded down. A zero divisor gives 0 for integers, inf, -inf or NaN for floats."""
    if not plain(x) or not plain(y):
        return x // y
    return np.floor_divide(x, y)


def remainder(x: Number, y: Number) -> Number:
    """x - y * (x // y), with the sign of y. A zero divisor gives 0 for integers, NaN for floats."""
    if not plain(x) or not plain(y):
        return x % y
    return np.remainder(x, y)


def truncate(x: Number) -> Number:
    """The whole part of a float that fits int64, as an integer: towards zero."""
    return int(x) if plain(x) else x.truncate()


def larger(x: Number, y: Number) -> Number:
    """The larger of two computed numbers; NaN if either is. (An `if` between computed numbers may be decided by rounding.)"""
    if not plain(x):
        return x.larger(y)
    if not plain(y):
        return y.larger(x)
    return x if x > y or x != x else y


def isnan(x: Number) -> Number:
    """Whether x is not a number."""
    return x != x


def lowest(x: Array) -> Number:
    """The least value of array x's dtype: -inf for floats, the smallest integer, False for bool."""
    kind = x.dtype.kind
    if kind == "b":
        return False
    return -INF if kind in "fOV" else int(np.iinfo(x.dtype).min)  # V: bfloat16
