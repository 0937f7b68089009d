"""A number that remembers how it was made: the terms of one output, for `python -m refnet explain`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import scalars

SUM, PRODUCT, ATOM = 0, 1, 2  # how tightly a text binds


class Recording:
    """A machine number with the expression that gave it.

    >>> x = Recording(2.0, "x[0]")
    >>> 0 + x * 3 - 1
    x[0] * 3 - 1 = 5
    """

    __slots__ = ("value", "text", "binding")
    __array_ufunc__ = None

    def __init__(self, value: Any, text: str | None = None, binding: int = ATOM):
        self.value = value
        self.text = text if text is not None else f"{value:g}" if isinstance(value, float) else str(value)
        self.binding = binding

    def __repr__(self) -> str:
        return f"{self.text} = {float(self.value):.7g}"

    def within(self, binding: int) -> str:
        """The text, in parentheses where it binds less than what is around it."""
        return self.text if self.binding >= binding else f"({self.text})"

    # -- comparisons look at the value

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < machine(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > machine(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= machine(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= machine(other))

    def __eq__(self, other: Any) -> bool:
        return bool(self.value == machine(other))

    def __ne__(self, other: Any) -> bool:
        return bool(self.value != machine(other))

    def __bool__(self) -> bool:
        return bool(self.value != 0)

    def __float__(self) -> float:
        return float(self.value)

    def __neg__(self) -> "Recording":
        return Recording(-self.value, f"-{self.within(PRODUCT)}", PRODUCT)

    def __pos__(self) -> "Recording":
        return self

    def __abs__(self) -> "Recording":
        return Recording(abs(self.value), f"|{self.text}|")

    def truncate(self) -> int:
        return int(self.value)

    def larger(self, other: Any) -> "Recording":
        b = recorded(other)
        return Recording(scalars.larger(self.value, b.value), f"larger({self.text}, {b.text})")

    def power(self, exponent: Any) -> "Recording":
        b = recorded(exponent)
        return Recording(scalars.power(self.value, b.value), f"{self.within(ATOM)}**{b.within(ATOM)}", PRODUCT)

    def rpower(self, base: Any) -> "Recording":
        return recorded(base).power(self)

    __pow__, __rpow__ = power, rpower


def machine(x: Any) -> Any:
    return x.value if isinstance(x, Recording) else x


def recorded(x: Any) -> Recording:
    return x if isinstance(x, Recording) else Recording(x)


def _binary(name: str, symbol: str, binding: int, compute: Callable[[Any, Any], Any]) -> None:
    tighter = binding if symbol in "+*" else binding + 1

    def combine(a: Recording, b: Recording) -> Recording:
        with np.errstate(all="ignore"):
            value = compute(a.value, b.value)
        return Recording(value, f"{a.within(binding)} {symbol} {b.within(tighter)}", binding)

    def forward(self: Recording, other: Any) -> Recording:
        return combine(self, recorded(other))

    def backward(self: Recording, other: Any) -> Recording:
        if symbol == "+" and isinstance(other, int) and other == 0:  # an accumulator's start
            return self
        return combine(recorded(other), self)

    setattr(Recording, f"__{name}__", forward)
    setattr(Recording, f"__r{name}__", backward)


_binary("add", "+", SUM, lambda a, b: a + b)
_binary("sub", "-", SUM, lambda a, b: a - b)
_binary("mul", "*", PRODUCT, lambda a, b: a * b)
_binary("truediv", "/", PRODUCT, scalars.divide)
_binary("floordiv", "//", PRODUCT, lambda a, b: a // b)
_binary("mod", "%", PRODUCT, lambda a, b: a % b)


def _function(name: str) -> None:
    compute = getattr(scalars, name)
    setattr(Recording, name, lambda self: Recording(compute(self.value), f"{name}({self.text})"))


for _name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "erf", "floor"):
    _function(_name)
