"""What rounding can do: the arithmetic of an engine, and how far k roundings reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from refnet.scalars.exact import mp

ZERO, INF, NAN = mp.mpf(0), mp.mpf("inf"), mp.mpf("nan")
SLACK = 1 + mp.mpf(2) ** -18  # covers second-order terms and an engine that computes wide and rounds once


class Arithmetic(NamedTuple):
    """What the arithmetic of an engine promises.

    u: unit roundoff.  eta: the largest absolute error of an underflow.  smallest: inputs below it may be read as 0 (0: none).
    largest: the largest finite number.  limits: ULP limits of elementary functions by name; `longest`: the longest chain of
    additions that a sum may be made of: longer sums must be cut in pieces, or accumulated wider.
    """

    u: Any
    eta: Any
    smallest: Any
    largest: Any
    limits: dict[str, float] = {}
    longest: int = 4096
    default_limit: float = 3.0

    def limit(self, function: str) -> float:
        """The ULP limit of a function; division and square root are correctly rounded unless the engine says otherwise."""
        return self.limits.get(function, 0.5 if function in ("divide", "sqrt") else self.default_limit)


FLOAT32 = Arithmetic(mp.mpf(2) ** -24, mp.mpf(2) ** -149, ZERO, mp.mpf(float(np.finfo(np.float32).max)))
FLOAT64 = Arithmetic(mp.mpf(2) ** -53, mp.mpf(2) ** -1074, ZERO, mp.mpf(float(np.finfo(np.float64).max)))

current = FLOAT32


def finite(x: Any) -> bool:
    """Whether a multiple-precision number is neither infinite nor NaN: those have no mantissa but an exponent."""
    _, mantissa, exponent, _ = x._mpf_
    return bool(mantissa) or not exponent


@contextmanager
def arithmetic(chosen: Arithmetic) -> Iterator[None]:
    """Inside, Bounds follow this arithmetic."""
    global current
    before, current = current, chosen
    try:
        yield
    finally:
        current = before


def zero(x: Any) -> bool:
    _, mantissa, exponent, _ = x._mpf_
    return not mantissa and not exponent


def gamma(k: int) -> Any:
    """k u / (1 - k u); infinite where k u reaches 1."""
    ku = k * current.u
    return ku / (1 - ku) if ku < 1 else INF


def ulp(x: Any) -> Any:
    """The distance of neighbouring floats at x."""
    x = abs(x)
    if x == 0 or not finite(x):
        return current.eta if x == 0 else INF
    return max(mp.ldexp(2 * current.u, int(mp.mag(x)) - 1), current.eta)


def fits(value: Any) -> bool:
    """Whether the arithmetic's dtype holds the value exactly."""
    digits = int(-mp.log(current.u, 2))
    mantissa = value.man
    return bool(mantissa.bit_length() <= digits and abs(value) <= current.largest and abs(value) >= current.eta)
