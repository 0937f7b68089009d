"""Numbers without rounding: fractions, and the multiple-precision context that the other numbers share."""

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

# 240 bits: what rounding is left here is 2**-180 of the smallest error that any stored dtype can make.
mp = mpmath.MPContext()
mp.prec = 240


class Exact(Fraction):
    """A fraction that stays one: floats it meets are taken at their exact value, elementary functions are refused.

    >>> Exact(1) / 3 + 0.5
    Exact(5, 6)
    """

    __array_ufunc__ = None

    def power(self, exponent: Any) -> "Exact":
        whole = Fraction(exponent)
        if whole.denominator != 1:
            raise irrational("power", self)
        return Exact(Fraction(self) ** whole.numerator)

    def rpower(self, base: Any) -> "Exact":
        return Exact(base).power(self)

    def larger(self, other: Any) -> "Exact":
        return self if self >= other else Exact(other)

    def truncate(self) -> int:
        return int(self)

    def floor(self) -> "Exact":
        return Exact(self.__floor__())


class Irrational(TypeError):
    """A function whose value is no fraction."""


def irrational(function: str, x: Fraction) -> Irrational:
    return Irrational(
        f"{function}({x}) is not a fraction: this op is not linear, use dual numbers (refnet.scalars.dual) for it."
    )


def _refused(name: str) -> Any:
    def method(self: Exact) -> Exact:
        raise irrational(name, self)

    return method


for _name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "erf"):
    setattr(Exact, _name, _refused(_name))


def _closed(name: str) -> Any:
    plain = getattr(Fraction, name)

    def method(self: Exact, *others: Any) -> Any:
        numbers = [o.item() if isinstance(o, np.generic) else o for o in others]
        result = plain(self, *(Fraction(n) if isinstance(n, float) else n for n in numbers))
        return Exact(result) if isinstance(result, (Fraction, int)) else result

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod"):
    setattr(Exact, f"__{_name}__", _closed(f"__{_name}__"))
    setattr(Exact, f"__r{_name}__", _closed(f"__r{_name}__"))
for _name in ("neg", "pos", "abs"):
    setattr(Exact, f"__{_name}__", _closed(f"__{_name}__"))


def exactly(x: Any) -> Exact:
    """A machine number (or anything a Fraction can be made of) as an Exact."""
    if isinstance(x, Exact):
        return x
    return Exact(x.item() if isinstance(x, (np.generic, np.ndarray)) else x)
