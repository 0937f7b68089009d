"""Elementary functions on multiple-precision reals, with IEEE 754's answers at the edges; bounds and duals share them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from refnet.scalars.exact import mp

ZERO, INF, NAN = mp.mpf(0), mp.mpf("inf"), mp.mpf("nan")
ONE = mp.mpf(1)
ROOT_PI = mp.sqrt(mp.pi)


class Real(NamedTuple):
    """A function and its derivative.

    f: of a number in least..greatest (it is NaN outside).  derivative: `derivative(x, y)` with y = f(x).
    direction: 1 where f increases, -1 where it decreases, 0 where it does both.
    """

    f: Callable[[Any], Any]
    derivative: Callable[[Any, Any], Any]
    direction: int = 1
    least: Any = -INF
    greatest: Any = INF

    def at(self, x: Any) -> Any:
        """f(x); NaN outside."""
        return self.f(x) if self.least <= x <= self.greatest else NAN


FAR = mp.mpf(2) ** 20  # e to its power is beyond all that is stored, and mpmath would take forever further out


def near(x: Any) -> Any:
    """x; an end of -FAR..FAR if it is finite and beyond."""
    return x if abs(x) <= FAR or not mp.isfinite(x) else mp.sign(x) * FAR


def exp(x: Any) -> Any:
    return mp.exp(near(x))


def expm1(x: Any) -> Any:
    return -ONE if x == -INF else mp.expm1(near(x))


def sinh(x: Any) -> Any:
    return mp.sinh(near(x))


def cosh(x: Any) -> Any:
    return mp.cosh(near(x))


def tanh(x: Any) -> Any:
    return mp.tanh(near(x))


def log(x: Any) -> Any:
    return -INF if x == 0 else mp.log(x)


def log1p(x: Any) -> Any:
    return -INF if x == -1 else (INF if x == INF else mp.log1p(x))


def cube_root(x: Any) -> Any:
    return mp.sign(x) * mp.cbrt(abs(x)) if mp.isfinite(x) else x


def complementary(x: Any) -> Any:
    """erfc; beyond 10**6 it is less than any number that is stored, and mpmath would not end."""
    return mp.erfc(min(x, mp.mpf(10) ** 6))


def oscillating(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: f(x) if mp.isfinite(x) else NAN


FUNCTIONS = {
    "exp": Real(exp, lambda x, y: y),
    "expm1": Real(expm1, lambda x, y: y + 1),
    "log": Real(log, lambda x, y: 1 / x, 1, ZERO),
    "log1p": Real(log1p, lambda x, y: 1 / (1 + x), 1, -ONE),
    "sqrt": Real(mp.sqrt, lambda x, y: 1 / (2 * y), 1, ZERO),
    "tanh": Real(tanh, lambda x, y: 1 - y * y),
    "erf": Real(mp.erf, lambda x, y: 2 / ROOT_PI * mp.exp(-x * x)),
    "cbrt": Real(cube_root, lambda x, y: 1 / (3 * y * y)),
    "sin": Real(oscillating(mp.sin), lambda x, y: mp.cos(x), 0),
    "cos": Real(oscillating(mp.cos), lambda x, y: -mp.sin(x), 0),
    "tan": Real(oscillating(mp.tan), lambda x, y: 1 + y * y, 0),
    "arcsin": Real(mp.asin, lambda x, y: 1 / mp.sqrt(1 - x * x), 1, -ONE, ONE),
    "arccos": Real(mp.acos, lambda x, y: -1 / mp.sqrt(1 - x * x), -1, -ONE, ONE),
    "arctan": Real(mp.atan, lambda x, y: 1 / (1 + x * x)),
    "sinh": Real(sinh, lambda x, y: cosh(x)),
    "cosh": Real(cosh, lambda x, y: sinh(x), 0),
    "arcsinh": Real(mp.asinh, lambda x, y: 1 / mp.sqrt(1 + x * x)),
    "arccosh": Real(mp.acosh, lambda x, y: 1 / mp.sqrt(x * x - 1), 1, ONE),
    "arctanh": Real(mp.atanh, lambda x, y: 1 / (1 - x * x), 1, -ONE, ONE),
    "erfc": Real(complementary, lambda x, y: -2 / ROOT_PI * mp.exp(-x * x), -1),
    "erfinv": Real(mp.erfinv, lambda x, y: ROOT_PI / 2 * mp.exp(y * y), 1, -ONE, ONE),
}

# To a whole number.
STEPS = {
    "floor": mp.floor,
    "ceil": mp.ceil,
    "nearest": mp.nint,
    "trunc": lambda x: mp.ceil(x) if x < 0 else mp.floor(x),
}


def angle(y: Any, x: Any, negative_y: bool, negative_x: bool) -> Any:
    """C's atan2: the angle of the point (x, y); the signs of zeros count."""
    if mp.isnan(x) or mp.isnan(y):
        return NAN
    if y == 0:
        size = mp.pi if x < 0 or negative_x else ZERO
        return -size if negative_y else +size
    if not mp.isfinite(y):
        part = mp.mpf(1) / 2 if mp.isfinite(x) else (mp.mpf(1) / 4 if x > 0 else mp.mpf(3) / 4)
        return mp.sign(y) * part * mp.pi
    if not mp.isfinite(x):
        return ZERO if x > 0 else mp.sign(y) * mp.pi
    return mp.atan2(y, x)
