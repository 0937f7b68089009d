"""What definitions may call on one element: elementary functions that follow IEEE 754 where Python's raise.

A definition runs on many kinds of number. On floats these functions compute; on any other number (a bound-carrying one, a
dual, a recording one, see the modules beside this) they call the number's method of the same name. Engines give their
compilers the same names (`refnet_fast.derive`), so one text serves all.
"""

import math

import numpy as np

from refnet.annotations import Array, Number

INF = math.inf
NAN = math.nan
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


def floor(x: Number) -> Number:
    """The largest whole number not above x; infinities and NaN stay."""
    if not plain(x):
        return x.floor()
    return np.float64(math.floor(x)) if math.isfinite(x) else np.float64(x)


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
