"""What a Bound becomes under the elementary functions of `refnet.scalars.real`: methods that are added to it here."""

from collections.abc import Callable
from typing import Any

from refnet.scalars.bound import ANYTHING, Bound, collapsed, stepped
from refnet.scalars.exact import mp
from refnet.scalars.real import FUNCTIONS, INF, NAN, STEPS, Real, angle
from refnet.scalars.rounding import ZERO, finite


def monotonic(x: Bound, name: str, real: Real) -> Bound:
    """The function evaluated at both ends of the interval."""
    low, high = x.interval
    if high < real.least or low > real.greatest:
        return Bound(NAN)
    if low < real.least or high > real.greatest:
        return ANYTHING
    ends = real.f(low), real.f(high)
    return collapsed(real.f(x.value), min(ends), max(ends), name)


def turning(x: Bound, name: str, real: Real) -> Bound:
    """sin, cos, tan and cosh: the ends of the interval, and whatever turning points lie within."""
    low, high = x.interval
    if not finite(x.value):
        return Bound(real.f(x.value))
    if not (finite(low) and finite(high)):
        return ANYTHING
    values = [real.f(low), real.f(high), real.f(x.value)]
    if name == "cosh":
        values += [mp.mpf(1)] if low <= 0 <= high else []
    else:
        # Maxima of cos lie at even multiples of pi, its minima at odd ones; sin and the poles of tan half a turn further.
        shift = ZERO if name == "cos" else mp.mpf(1) / 2
        first, last = mp.ceil(low / mp.pi - shift), mp.floor(high / mp.pi - shift)
        if first <= last and name == "tan":
            return ANYTHING
        for k in (first, first + 1):
            if k <= last:
                values.append(mp.mpf(-1 if int(k) % 2 else 1))
    return collapsed(values[2], min(values), max(values), name)


def elementary(name: str, real: Real) -> Callable[[Bound], Bound]:
    bounds = monotonic if real.direction else turning

    def method(self: Bound) -> Bound:
        x = self.settled()
        if x.free or mp.isnan(x.value):
            return ANYTHING if x.free else Bound(NAN)
        if name == "sqrt" and x.is_zero:  # with its sign
            return x
        return bounds(x, name, real)

    return method


def arctan2(y: Any, x: Any) -> Bound:
    """The angle of the point (x, y): the corners of the box decide, unless it holds the origin or the cut."""
    y, x = Bound.of(y).settled(), Bound.of(x).settled()
    if y.free or x.free:
        return ANYTHING
    if mp.isnan(y.value) or mp.isnan(x.value):
        return Bound(NAN)
    value = angle(y.value, x.value, y.below_zero, x.below_zero)
    if y.exact and x.exact:
        return collapsed(value, value, value, "arctan2")
    (y_low, y_high), (x_low, x_high) = y.interval, x.interval
    if (y_low <= 0 <= y_high and x_low <= 0) or INF in map(abs, (y_low, y_high, x_low, x_high)):
        return ANYTHING
    corners = [mp.atan2(p, q) for p in (y_low, y_high) for q in (x_low, x_high)]
    return collapsed(value, min(corners), max(corners), "arctan2")


def step(f: Callable[[Any], Any]) -> Callable[[Bound], Bound]:
    return lambda self: stepped(self, f)


for _name, _real in FUNCTIONS.items():
    setattr(Bound, _name, elementary(_name, _real))
for _name, _f in STEPS.items():
    setattr(Bound, _name, step(_f))
Bound.arctan2 = arctan2  # type: ignore[attr-defined]
Bound.rarctan2 = lambda x, y: arctan2(y, x)  # type: ignore[attr-defined]
