"""Dual numbers: a value and its derivative, in multiple precision. They differentiate any loop by running it.

(a + a' e) * (b + b' e)  =  a b + (a b' + a' b) e,     e * e = 0
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet.scalars.exact import mp
from refnet.scalars.real import FUNCTIONS, STEPS, Real, angle

ZERO, INF, NAN = mp.mpf(0), mp.mpf("inf"), mp.mpf("nan")


class Dual:
    """A value and how fast it changes. With `change` 0 it is a number of 72 decimal digits that follows IEEE's rules."""

    __slots__ = ("value", "change")
    __array_ufunc__ = None

    def __init__(self, value: Any, change: Any = ZERO):
        self.value, self.change = value, change

    @staticmethod
    def of(x: Any) -> "Dual":
        """x, or a machine number as one that does not change."""
        return x if isinstance(x, Dual) else Dual(mp.mpf(x.item() if isinstance(x, np.generic) else x))

    def __repr__(self) -> str:
        return f"Dual({mp.nstr(self.value, 12)}, {mp.nstr(self.change, 12)})"

    def __add__(self, other: Any) -> "Dual":
        other = Dual.of(other)
        return Dual(self.value + other.value, self.change + other.change)

    __radd__ = __add__

    def __neg__(self) -> "Dual":
        return Dual(-self.value, -self.change)

    def __pos__(self) -> "Dual":
        return self

    def __sub__(self, other: Any) -> "Dual":
        other = Dual.of(other)
        return Dual(self.value - other.value, self.change - other.change)

    def __rsub__(self, other: Any) -> "Dual":
        return Dual.of(other) - self

    def __mul__(self, other: Any) -> "Dual":
        other = Dual.of(other)
        return Dual(self.value * other.value, self.value * other.change + self.change * other.value)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Dual":
        other = Dual.of(other)
        if other.value == 0:
            nothing = self.value == 0 or mp.isnan(self.value)
            return Dual(NAN if nothing else INF * mp.sign(self.value), NAN)
        value = self.value / other.value
        return Dual(value, (self.change - value * other.change) / other.value)

    def __rtruediv__(self, other: Any) -> "Dual":
        return Dual.of(other) / self

    def __abs__(self) -> "Dual":
        return -self if self.value < 0 else self

    def __pow__(self, exponent: Any) -> "Dual":
        return self.power(exponent)

    def __rpow__(self, base: Any) -> "Dual":
        return Dual.of(base).power(self)

    def __floordiv__(self, other: Any) -> "Dual":
        return Dual(mp.floor((self / other).value))

    def __rfloordiv__(self, other: Any) -> "Dual":
        return Dual.of(other) // self

    def __mod__(self, other: Any) -> "Dual":
        whole: Dual = (self // other) * other
        return self - whole

    def __rmod__(self, other: Any) -> "Dual":
        return Dual.of(other) % self

    # -- functions: f(value) and f'(value) * change

    def _chain(self, f: Callable[[Any], Any], derivative: Callable[[Any, Any], Any]) -> "Dual":
        value = f(self.value)
        return Dual(value, derivative(self.value, value) * self.change if self.change != 0 else ZERO)

    def truncate(self) -> int:
        return int(self.value)

    def larger(self, other: Any) -> "Dual":
        other = Dual.of(other)
        return self if self.value > other.value or mp.isnan(self.value) else other

    def power(self, exponent: Any) -> "Dual":
        exponent = Dual.of(exponent)
        a, b = self.value, exponent.value
        if a == 0:
            value = ZERO if b > 0 else (mp.mpf(1) if b == 0 else INF)
            derivative = mp.mpf(1) if b == 1 else (ZERO if b > 1 or b == 0 else INF)
            return Dual(value, derivative * self.change if self.change != 0 else ZERO)
        if a < 0 and b != mp.floor(b):
            return Dual(NAN, NAN)
        value = mp.power(a, int(b) if b == mp.floor(b) else b)
        change = b * value / a * self.change
        if exponent.change != 0:
            change += value * mp.log(a) * exponent.change if a > 0 else NAN
        return Dual(value, change)

    def rpower(self, base: Any) -> "Dual":
        return Dual.of(base).power(self)

    def arctan2(self, other: Any) -> "Dual":
        y, x = self, Dual.of(other)
        value = angle(y.value, x.value, bool(y.value < 0), bool(x.value < 0))
        square = x.value * x.value + y.value * y.value
        return Dual(value, (x.value * y.change - y.value * x.change) / square if square != 0 else NAN)

    def rarctan2(self, other: Any) -> "Dual":
        return Dual.of(other).arctan2(self)

    # -- comparisons look at the value

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < Dual.of(other).value)

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > Dual.of(other).value)

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= Dual.of(other).value)

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= Dual.of(other).value)

    def __eq__(self, other: Any) -> bool:
        return bool(self.value == Dual.of(other).value)

    def __ne__(self, other: Any) -> bool:
        return bool(self.value != Dual.of(other).value)

    def __bool__(self) -> bool:
        return bool(self.value != 0)

    def __float__(self) -> float:
        return float(self.value)


def _elementary(real: Real) -> Callable[[Dual], Dual]:
    return lambda self: self._chain(real.at, real.derivative)


def _step(f: Callable[[Any], Any]) -> Callable[[Dual], Dual]:
    return lambda self: Dual(f(self.value))


for _name, _real in FUNCTIONS.items():
    setattr(Dual, _name, _elementary(_real))
for _name, _f in STEPS.items():
    setattr(Dual, _name, _step(_f))
