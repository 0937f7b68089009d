"""What refnet.scalars' names mean inside a derived kernel: Numba's own functions, in float64."""

import math

import numpy as np
from numba import types
from numba.extending import overload

from refnet_fast.native import named, njit

_OPTIONS = {"error_model": "numpy"}


def lowest(x):
    """Compiled by the overload below: a constant of the array's dtype."""


@overload(lowest)
def _lowest(x):
    kind = x.dtype
    if isinstance(kind, types.Boolean):
        return lambda x: False
    if isinstance(kind, types.Float):
        return lambda x: -np.inf
    least = kind.minval
    return lambda x: least


@njit(**_OPTIONS)
def power(x, y):
    return np.float64(x) ** np.float64(y)


@njit(**_OPTIONS)
def divide(x, y):
    return np.float64(x) / np.float64(y)


def _floor_divide(x, y):
    """Compiled by the overload below."""


@overload(_floor_divide, jit_options=_OPTIONS)
def _floor_divide_of(x, y):
    if isinstance(x, types.Float) or isinstance(y, types.Float):
        return _floor_divide_floats
    return lambda x, y: np.floor_divide(x, y)


def _floor_divide_floats(x, y):
    # NumPy's: from C's exact remainder. Numba's own rounds x / y first, and makes 1 // 0.1 ten.
    if y == 0:
        return x / y
    rest = np.fmod(x, y)
    quotient = (x - rest) / y
    if rest != 0 and (y < 0) != (rest < 0):
        quotient -= 1
    if quotient == 0:
        return math.copysign(0.0, x / y)
    whole = np.floor(quotient)
    return whole + 1 if quotient - whole > 0.5 else whole


@njit(**_OPTIONS)
def floor_divide(x, y):
    return _floor_divide(x, y)


def _remainder(x, y):
    """Compiled by the overload below."""


@overload(_remainder, jit_options=_OPTIONS)
def _remainder_of(x, y):
    if isinstance(x, types.Float) or isinstance(y, types.Float):
        return _remainder_floats
    return lambda x, y: np.remainder(x, y)


def _remainder_floats(x, y):
    # A zero has the divisor's sign in NumPy, not in Numba.
    left = np.remainder(x, y)
    return math.copysign(0.0, y) if left == 0 else left


@njit(**_OPTIONS)
def remainder(x, y):
    return _remainder(x, y)


@njit(**_OPTIONS)
def truncate(x):
    return np.int64(x)


@njit(**_OPTIONS)
def larger(x, y):
    return x if x > y or x != x else y


@njit(**_OPTIONS)
def isnan(x):
    return x != x


def _libm(function):
    def wrapped(x):
        return function(np.float64(x))

    return njit(**_OPTIONS)(named(wrapped, f"libm_{function.__name__}"))


@njit(**_OPTIONS)
def floor(x):
    return np.floor(np.float64(x))


@njit(**_OPTIONS)
def cbrt(x):
    # Numba knows none: a power, and one step of Newton's method against the error of 1/3.
    x = np.float64(x)
    if x == 0 or x != x or abs(x) == np.inf:
        return x
    y = math.copysign(abs(x) ** (1 / 3), x)
    return y + (x / (y * y) - y) / 3


@njit(**_OPTIONS)
def arctan2(y, x):
    return math.atan2(np.float64(y), np.float64(x))


def _within(function, least, greatest):
    # Out of its domain the C library's answer is NaN, but LLVM is free to fold a constant call into anything.
    def wrapped(x):
        y = np.float64(x)
        return function(y) if least <= y <= greatest else np.nan

    return njit(**_OPTIONS)(named(wrapped, f"libm_{function.__name__}"))


def inverse(inside):
    """erfinv from its definition for -1 < x < 1, which is plain arithmetic; `derive` compiles and adds it."""

    @njit(**_OPTIONS)
    def erfinv(x):
        y = np.float64(x)
        if abs(y) < 1:
            return inside(y)
        return y * np.inf if abs(y) == 1 else np.nan

    return erfinv


FUNCTIONS = {
    "lowest": njit(**_OPTIONS)(lambda x: lowest(x)),
    "power": power,
    "divide": divide,
    "floor_divide": floor_divide,
    "remainder": remainder,
    "truncate": truncate,
    "larger": larger,
    "isnan": isnan,
    "floor": floor,
    "ceil": _libm(np.ceil),
    "nearest": _libm(np.rint),
    "trunc": _libm(np.trunc),
    "cbrt": cbrt,
    "arctan2": arctan2,
    "arcsin": _within(math.asin, -1.0, 1.0),
    "arccos": _within(math.acos, -1.0, 1.0),
    "arctan": _libm(math.atan),
    "arcsinh": _libm(math.asinh),
    "arccosh": _within(math.acosh, 1.0, np.inf),
    "arctanh": _within(math.atanh, -1.0, 1.0),
    **{
        name: _libm(getattr(math, name))
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "tan", "erf", "erfc", "sinh", "cosh")
    },
}
