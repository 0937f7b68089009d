"""What rounding can do: the arithmetic of a dtype, and how far k roundings reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from refnet.scalars.exact import mp

ZERO, INF, NAN = mp.mpf(0), mp.mpf("inf"), mp.mpf("nan")
SLACK = 1 + mp.mpf(2) ** -18  # covers second-order terms and an engine that computes wide and rounds once


class Arithmetic(NamedTuple):
    """What the arithmetic of a dtype promises.

    u: unit roundoff.  eta: the largest absolute error of an underflow.  largest: the largest finite number.
    """

    u: Any
    eta: Any
    largest: Any

    @property
    def digits(self) -> int:
        """Binary digits of a number."""
        return -exponent(self.u)


FLOAT32 = Arithmetic(mp.mpf(2) ** -24, mp.mpf(2) ** -149, mp.mpf(float(np.finfo(np.float32).max)))
FLOAT64 = Arithmetic(mp.mpf(2) ** -53, mp.mpf(2) ** -1074, mp.mpf(float(np.finfo(np.float64).max)))
LONGEST = 4096  # additions in a chain: longer sums must be cut in pieces, or accumulated wider

# How many units in the last place an elementary function may be off: 3, but for those that libraries do better, or worse.
# Division and square root are correctly rounded. cbrt is glibc's, erfc CUDA's and glibc's 5 and a margin; erfinv is ours
# (property_tests/test_numbers.py measures it).
ULPS = 3.0
OTHER_ULPS = {"divide": 0.5, "sqrt": 0.5, "cbrt": 4.0, "erfc": 6.0, "erfinv": 6.0}

current = FLOAT32


NO_GRID = -(10**9)  # the exponent of a grid that is not known


def exponent(x: Any) -> int:
    """The e of the largest power of two, 2**e, of which a finite number is a multiple; of 0, that of 1."""
    _, mantissa, e, _ = x._mpf_
    return int(e) if mantissa else 0


def sure_grid(e: int) -> int:
    """A grid 2**e, unless numbers of the arithmetic are farther apart even at 0: then what lies on it may underflow."""
    return e if e >= exponent(current.eta) else NO_GRID


def grid_of(x: Any) -> int:
    """The widest grid on which a finite number lies."""
    return sure_grid(exponent(x))


def unrounded(size: Any, grid: int) -> bool:
    """Whether the arithmetic holds all multiples of 2**grid whose absolute values are no larger than that of `size`."""
    if grid == NO_GRID or not finite(size):
        return False
    _, mantissa, e, bits = size._mpf_
    return not mantissa or (e + bits <= grid + current.digits and bool(abs(size) <= current.largest))


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


def limit(function: str) -> float:
    """The error, in units in the last place, that a function may have."""
    return OTHER_ULPS.get(function, ULPS)


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
    mantissa = value.man
    return bool(mantissa.bit_length() <= current.digits and abs(value) <= current.largest and abs(value) >= current.eta)
