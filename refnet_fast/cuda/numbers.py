"""What kernels call on single numbers: widening, rounding, and refnet.scalars' functions, for a device or for the simulator.

In the simulator they are plain Python on NumPy's scalars, as in the reference engine.
"""

import inspect
import math

import numpy as np

from refnet import dtypes, scalars
from refnet_fast.cuda.bfloat16 import as_bfloat16  # noqa: F401  (kernels ask for it by name)
from refnet_fast.cuda.target import simulated

# By the names of refnet.scalars.
DEVICE = (
    *("floor", "ceil", "nearest", "trunc", "cbrt", "erfinv"),
    *("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"),
)


def wide(x):
    """A number as the definitions compute with it; anything else as it is."""
    return dtypes.as_numpy(dtypes.wide(x.dtype.name)).type(x) if isinstance(x, np.generic) else x


def lowest(x):
    """The least value of an array's dtype. Compiled by the overload below."""


def floor_divide(x, y):
    """x // y, by zero too. Compiled by the overload below."""


def remainder(x, y):
    """x - y * (x // y), by zero too. Compiled by the overload below."""


def _overloads():
    """Compiles `wide`, `lowest`, `floor_divide` and `remainder` for a device, by the type of what they are given."""
    from numba.cuda import libdevice, types
    from numba.cuda.extending import overload

    floats = (types.float16, types.bfloat16, types.float32, types.float64)

    @overload(wide, target="cuda")
    def _wide(x):
        if x in floats:
            return lambda x: np.float64(x)
        if isinstance(x, types.Integer) and x != types.uint64:
            return lambda x: np.int64(x)
        return lambda x: x

    @overload(lowest, target="cuda")
    def _lowest(x):
        if isinstance(x.dtype, types.Boolean):
            return lambda x: False
        if x.dtype in floats:
            return lambda x: -np.inf
        least = x.dtype.minval
        return lambda x: least

    def divided(x, y):
        if y == 0.0:
            return x / y
        rest = math.fmod(x, y)
        quotient = (x - rest) / y
        if rest != 0.0 and (y < 0.0) != (rest < 0.0):
            quotient -= 1.0
        if quotient == 0.0:
            return math.copysign(0.0, x / y)
        near = libdevice.floor(quotient)
        return near + 1.0 if quotient - near > 0.5 else near

    @overload(floor_divide, target="cuda")
    def _floor_divide(x, y):
        return divided if isinstance(x, types.Float) else _whole_floor_divide

    @overload(remainder, target="cuda")
    def _remainder(x, y):
        return _rest if isinstance(x, types.Float) else _whole_remainder


def _rest(x, y):
    rest = math.fmod(x, y)
    if y == 0.0 or rest != rest:
        return rest
    if rest == 0.0:
        return math.copysign(0.0, y)
    return rest + y if (y < 0.0) != (rest < 0.0) else rest


def _whole_floor_divide(x, y):
    if y == 0:
        return y  # 0 in the type of y: mixed with a literal, uint64 would become a float
    if x == 0:
        return x
    quotient = x // y
    return quotient


def _whole_remainder(x, y):
    if y == 0:
        return y
    return x % y


def _on_device():
    """Compiled functions under the names of refnet.scalars."""
    from numba import cuda
    from numba.cuda import libdevice

    def through(function):
        return cuda.jit(device=True)(lambda x: function(np.float64(x)))

    _overloads()
    names = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "tan", "sinh", "cosh", "erf", "erfc")
    inverses = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}
    inverses |= {"arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "nearest": "rint"}
    return {
        **{name: through(getattr(math, name)) for name in names},
        **{name: through(getattr(libdevice, inverses.get(name, name))) for name in DEVICE},
        "arctan2": cuda.jit(device=True)(lambda y, x: libdevice.atan2(np.float64(y), np.float64(x))),
        "divide": cuda.jit(device=True)(lambda x, y: np.float64(x) / np.float64(y)),
        "power": cuda.jit(device=True)(lambda x, y: math.pow(np.float64(x), np.float64(y))),
        "larger": cuda.jit(device=True)(lambda x, y: x if x > y or x != x else y),
        "isnan": cuda.jit(device=True)(lambda x: x != x),
        "truncate": cuda.jit(device=True)(lambda x: np.int64(x)),
        "lowest": lowest,
        "floor_divide": floor_divide,
        "remainder": remainder,
    }


FUNCTIONS = {name: value for name, value in vars(scalars).items() if callable(value)} if simulated() else _on_device()

# How a result is rounded to a dtype, in the text of fused kernels: as_float32, as_int8, ...
if simulated():
    from refnet_fast.cuda.simulator import rounding

    globals().update({f"as_{name}": rounding(name) for name in dtypes.ALL})
else:
    globals().update({f"as_{name}": dtypes.as_numpy(name).type for name in dtypes.ALL if name != "bfloat16"})

# ---- in float32


def jit(function):
    """The function as device functions call it."""
    if simulated():
        return function
    from numba import cuda

    return cuda.jit(device=True)(function)


@jit
def select(test, one, other):
    """One of two numbers that are both known."""
    return one if test else other


# Functions that NVIDIA's library has for float32, and those that are exact; the others are computed in float64 and rounded.
OWN = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "erf")
WHOLE = {
    "floor": "floorf",
    "ceil": "ceilf",
    "nearest": "rintf",
    "trunc": "truncf",
}  # whole numbers, by libdevice's names
OF_ANY = ("isnan", "larger", "lowest", "truncate", "floor_divide", "remainder")  # the same for every type


def _in_float32(name):
    """A function of refnet.scalars on float32."""
    if not simulated():
        from numba.cuda import libdevice
    function = FUNCTIONS[name]
    if name in OF_ANY:
        return function
    if name == "divide" and not simulated():
        return jit(lambda x, y: x / y)
    if (name in OWN or name in WHOLE) and not simulated():
        own = getattr(math, name) if name in OWN else getattr(libdevice, WHOLE[name])
        return jit(lambda x: own(x))
    if len(inspect.signature(getattr(scalars, name)).parameters) == 2:
        return jit(lambda x, y: np.float32(function(np.float64(x), np.float64(y))))
    return jit(lambda x: np.float32(function(np.float64(x))))


short = {name: _in_float32(name) for name in FUNCTIONS}
