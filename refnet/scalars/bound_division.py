"""Quotients, remainders and powers of Bounds."""

from typing import Any

import numpy as np

from refnet.scalars import rounding
from refnet.scalars.bound import ANYTHING, Bound, collapsed, rounded_once
from refnet.scalars.exact import mp
from refnet.scalars.rounding import INF, NAN, NO_GRID, ZERO, exponent, finite, sure_grid


def quotient(a: Bound, b: Bound) -> Bound:
    """a / b with IEEE's answers for a zero divisor."""
    if a.free or b.free:
        return ANYTHING
    if mp.isnan(a.value) or mp.isnan(b.value):
        return Bound(NAN)
    if b.exact and b.value == 0:
        if a.value == 0 and a.exact:
            return Bound(NAN)
        if not a.exact and a.straddles_zero:
            return ANYTHING
        return Bound(-INF if a.below_zero != b.below_zero else INF)
    if b.exact and finite(b.value) and finite(a.value):  # a scaled sum: its terms stay what they are
        power_of_two = abs(b.value) == mp.ldexp(1, exponent(b.value))
        grid = sure_grid(a.grid - exponent(b.value)) if power_of_two else NO_GRID
        if a.exact and (a.value == 0 or abs(b.value) == 1):
            value = a.value / b.value
            return Bound(value, negative_zero=value == 0 and (a.below_zero != b.below_zero), grid=grid)
        scale = abs(b.value)
        spread = INF if a.reach == INF else a.error / scale + rounding.current.eta
        return Bound(a.value / b.value, a.magnitude / scale, 1, a.depth + 1, spread, grid=grid)
    (a_low, a_high), (b_low, b_high) = a.interval, b.interval
    if b_low <= 0 <= b_high:
        return ANYTHING
    if INF in (abs(a_low), abs(a_high)) and INF in (abs(b_low), abs(b_high)):
        both = not finite(a.value) and not finite(b.value)
        return Bound(NAN) if both else ANYTHING
    corners = [p / q for p in (a_low, a_high) for q in (b_low, b_high)]
    return collapsed(a.value / b.value, min(corners), max(corners), "divide")


def raised(a: Bound, b: Bound) -> Bound:
    """a ** b as C's pow: on positive bases the extremes lie at the corners of the intervals."""
    if a.free or b.free:
        return ANYTHING
    if a.exact and b.exact:
        value = power_of(a.value, b.value, a.negative_zero)
        return collapsed(value, value, value, "power") if finite(value) else Bound(value)
    (a_low, a_high), (b_low, b_high) = a.interval, b.interval
    if a_low > 0 and all(map(finite, (a_low, a_high, b_low, b_high))):
        corners = [mp.power(p, q) for p in (a_low, a_high) for q in (b_low, b_high)]
        return collapsed(mp.power(a.value, b.value), min(corners), max(corners), "power")
    if (
        b.exact
        and b.value == mp.floor(b.value)
        and b.value > 0
        and finite(b.value)
        and finite(a_low)
        and finite(a_high)
    ):
        corners = [mp.power(p, int(b.value)) for p in (a_low, a_high)] + ([ZERO] if a_low <= 0 <= a_high else [])
        return collapsed(mp.power(a.value, int(b.value)), min(corners), max(corners), "power")
    return ANYTHING


def power_of(a: Any, b: Any, negative_zero: bool) -> Any:
    """C's pow on exact numbers, for every special case."""
    special = a == 0 or not finite(a) or not finite(b) or b == 0 or a == 1
    if special:  # the sign of a, and whether b is odd, decide: floats know the rules
        near = mp.sign(a) * min(max(abs(a), mp.mpf(2) ** -1000), mp.mpf(2) ** 1000) if finite(a) else a
        base = -0.0 if a == 0 and negative_zero else float(near)
        with np.errstate(all="ignore"):
            return mp.mpf(float(np.float64(base) ** np.float64(float(b))))
    if a < 0:
        if b != mp.floor(b):
            return NAN
        sign = -1 if int(b) % 2 else 1
        return sign * mp.power(-a, b)
    return mp.power(a, b)


def divided(a: Bound, b: Bound) -> tuple[Bound, Bound]:
    """Quotient rounded down and remainder, as Python defines them for floats."""
    a, b = a.settled(), b.settled()
    if a.free or b.free or not (a.exact and b.exact):
        return ANYTHING, ANYTHING
    if mp.isnan(a.value) or mp.isnan(b.value):
        return Bound(NAN), Bound(NAN)
    if b.value == 0:
        return quotient(a, b), Bound(NAN)
    if not finite(a.value):  # NumPy says NaN, C's floor(a / b) says inf
        return ANYTHING, Bound(NAN)
    if not finite(b.value):
        same = a.value == 0 or (a.value < 0) == (b.value < 0)
        return (Bound(ZERO), a) if same else (Bound(mp.mpf(-1)), Bound(b.value))
    with mp.workprec(5000):  # the whole part of the largest float over the smallest one has 2100 bits
        whole = mp.floor(a.value / b.value)
        rest = a.value - whole * b.value
    return rounded_once(+whole), rounded_once(+rest)
