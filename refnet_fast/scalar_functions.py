"""What refnet.scalars' names mean inside a derived kernel: Numba's own functions, in float64."""

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

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


@njit(**_OPTIONS)
def isnan(x):
    return x != x


def _libm(function):
    @njit(**_OPTIONS)
    def wrapped(x):
        return function(np.float64(x))

    return wrapped


@njit(**_OPTIONS)
def floor(x):
    return np.floor(np.float64(x))


FUNCTIONS = {
    "lowest": njit(**_OPTIONS)(lambda x: lowest(x)),
    "power": power,
    "divide": divide,
    "isnan": isnan,
    "floor": floor,
    **{
        name: _libm(getattr(math, name))
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "tan", "erf", "erfc", "sinh", "cosh")
    },
}
