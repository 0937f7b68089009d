"""A number that remembers how it was made: the terms of one output, for `python -m refnet explain`."""

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        number = f"{float(self.value):.7g}"
        return number if self.text == number else f"{self.text} = {number}"

    def within(self, binding: int) -> str:
        """The text, in parentheses where it binds less than what is around it."""
        return self.text if self.binding >= binding else f"({self.text})"

    def __bool__(self) -> bool:
        return self.__ne__(0)

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
        if b.value == -math.inf and self.value == self.value:  # what a search for the largest starts from
            return self
        return Recording(scalars.larger(self.value, b.value), f"larger({self.text}, {b.text})")

    def power(self, exponent: Any) -> "Recording":
        b = recorded(exponent)
        return Recording(scalars.power(self.value, b.value), f"{self.within(ATOM)}**{b.within(ATOM)}", PRODUCT)

    def rpower(self, base: Any) -> "Recording":
        return recorded(base).power(self)

    __pow__, __rpow__ = power, rpower

    def arctan2(self, other: Any) -> "Recording":
        x = recorded(other)
        return Recording(scalars.arctan2(self.value, x.value), f"arctan2({self.text}, {x.text})")

    def rarctan2(self, other: Any) -> "Recording":
        return recorded(other).arctan2(self)


def recorded(x: Any) -> Recording:
    return x if isinstance(x, Recording) else Recording(x)


# ---- comparisons look at the value, and are remembered by whoever listens

_listening: list[list[str]] = []


@contextmanager
def decisions() -> Iterator[list[str]]:
    """Inside, every comparison of Recordings is added to the list, as it came out.

    >>> with decisions() as made:
    ...     larger = Recording(2.0, "x[0]") > Recording(3.0, "x[1]")
    >>> made
    ['not x[0] > x[1]']
    """
    made: list[str] = []
    _listening.append(made)
    try:
        yield made
    finally:
        _listening.pop()


def _comparison(name: str, symbol: str, compare: Callable[[Any, Any], Any]) -> None:
    def method(self: Recording, other: Any) -> bool:
        b = recorded(other)
        answer = bool(compare(self.value, b.value))
        told = f"{'' if answer else 'not '}{self.text} {symbol} {b.text}"
        if self.text == b.text:  # the idiom x != x; the order of a number and itself says nothing
            told = f"{self.text} is {'not ' if answer == (symbol == '==') else ''}NaN" if symbol in ("==", "!=") else ""
        for made in _listening:
            made += [told] if told else []
        return answer

    setattr(Recording, f"__{name}__", method)


for _name, _symbol in (("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">="), ("eq", "=="), ("ne", "!=")):
    _comparison(_name, _symbol, getattr(operator, _name))


def changes_nothing(symbol: str, b: Recording) -> bool:
    """Whether b is a factor of 1.0 or a term of 0.0, which stands for an argument that was left out."""
    return isinstance(b.value, float) and b.text == {"*": "1", "+": "0"}.get(symbol)


def _binary(name: str, symbol: str, binding: int, compute: Callable[[Any, Any], Any]) -> None:
    tighter = binding if symbol in "+*" else binding + 1

    def combine(a: Recording, b: Recording) -> Recording:
        if changes_nothing(symbol, b):
            return a
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


_ONE_ARGUMENT = "exp expm1 log log1p sqrt cbrt tanh erf erfc erfinv sin cos tan arcsin arccos arctan sinh cosh"
for _name in f"{_ONE_ARGUMENT} arcsinh arccosh arctanh floor ceil nearest trunc".split():
    _function(_name)
