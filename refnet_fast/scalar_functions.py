"""What refnet.scalars' names mean inside a derived kernel: Numba's own functions, in float64."""

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

from refnet_fast.native import named

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
    # NumPy's: from the exact remainder. Numba's own rounds x / y first, and makes 1 // 0.1 ten.
    if y == 0:
        return x / y
    quotient = (x - np.remainder(x, y)) / y
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
def isnan(x):
    return x != x


def _libm(function):
    def wrapped(x):
        return function(np.float64(x))

    return njit(**_OPTIONS)(named(wrapped, f"libm_{function.__name__}"))


@njit(**_OPTIONS)
def floor(x):
    return np.floor(np.float64(x))


FUNCTIONS = {
    "lowest": njit(**_OPTIONS)(lambda x: lowest(x)),
    "power": power,
    "divide": divide,
    "floor_divide": floor_divide,
    "remainder": remainder,
    "truncate": truncate,
    "isnan": isnan,
    "floor": floor,
    **{
        name: _libm(getattr(math, name))
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "tan", "erf", "erfc", "sinh", "cosh")
    },
}
