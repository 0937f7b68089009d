"""A number that carries its own error bound: how far any correct evaluation may stray from the exact value.

While values are only added and multiplied, a Bound carries the exact value, m = the sum of the absolute values of its terms,
n = the number of terms and d = the deepest chain of roundings in one term. Whatever the order of evaluation, FMA included,

    |computed - value|  <=  gamma(d + n - 1) * m + error,      gamma(k) = k u / (1 - k u)

u is the unit roundoff; `error` collects what underflow adds. While all terms are multiples of a power of two, the *grid*, and m is
less than 1/u times it, nothing rounds in whatever order, and the computed value is the exact one: no term of a long sum of whole
numbers can be missing. At a nonlinear operation the number collapses to its value and an absolute error, found by evaluating the
function at both ends of the interval. Where an interval passes the largest finite number its end is infinite; where even NaN may
come out the number is `free`.

Comparisons of exact numbers are decided. Where computed values are compared and their intervals overlap, either answer is
correct: `every_choice` runs the computation once for each.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refnet.scalars import rounding
from refnet.scalars.choices import Undecided, any_of, decide
from refnet.scalars.exact import mp
from refnet.scalars.rounding import (
    INF,
    NAN,
    NO_GRID,
    SLACK,
    ZERO,
    finite,
    fits,
    gamma,
    grid_of,
    sure_grid,
    ulp,
    unrounded,
    zero,
)

UNSEEN = mp.mpf(2) ** 200  # beside this, 1 is nearly lost in the working precision


class Bound:
    """See the module. `Bound(x)` is x exactly."""

    __slots__ = ("value", "magnitude", "terms", "depth", "error", "free", "negative_zero", "grid")
    __array_ufunc__ = None

    def __init__(
        self,
        value: Any,
        magnitude: Any = None,
        terms: int = 1,
        depth: int = 0,
        error: Any = ZERO,
        free: bool = False,
        negative_zero: bool = False,
        grid: int = NO_GRID,
    ):
        self.value = value
        self.magnitude = (abs(value) if finite(value) else ZERO) if magnitude is None else magnitude
        self.terms, self.depth, self.error, self.free, self.negative_zero = terms, depth, error, free, negative_zero
        self.grid = grid  # its exponent

    @staticmethod
    def read(x: Any) -> "Bound":
        """An element of an input: exact. A whole number, which some op has written, is rounded if the dtype does not hold it."""
        if isinstance(x, (int, np.integer)):
            return Bound.of(x)
        value = mp.mpf(x.item() if isinstance(x, np.generic) else x)
        if zero(value):
            return Bound(value, negative_zero=math.copysign(1, x) < 0)
        return Bound(value, grid=grid_of(value))

    @staticmethod
    def of(x: Any) -> "Bound":
        """x, or a constant of the loop: one rounding deep if the engine's dtype does not hold it."""
        if isinstance(x, Bound):
            return x
        number = x.item() if isinstance(x, np.generic) else x
        value = mp.mpf(number)
        held = value == 0 or not finite(value) or fits(value)
        grid = grid_of(value) if held else NO_GRID
        return Bound(
            value, depth=0 if held else 1, negative_zero=value == 0 and math.copysign(1, number) < 0, grid=grid
        )

    def __repr__(self) -> str:
        low, high = self.interval
        return f"Bound({mp.nstr(self.value, 9)} in [{mp.nstr(low, 9)}, {mp.nstr(high, 9)}]{' or anything' if self.free else ''})"

    # -- what it says

    @property
    def roundings(self) -> int:
        return self.depth + min(self.terms - 1, rounding.LONGEST)

    @property
    def exact(self) -> bool:
        return self.terms == 1 and self.depth == 0 and self.error == 0 and not self.free

    @property
    def unrounded(self) -> bool:
        """Whether the computed value is sure to be `value`, though operations have led to it."""
        if self.free or self.error == INF:  # something before it may have overflowed
            return False
        one_addition = self.terms == 2 and self.depth == 0
        return unrounded(self.value if one_addition else self.magnitude, self.grid)

    @property
    def is_zero(self) -> bool:
        """Whether it is sure to be 0."""
        return self.exact and zero(self.value)

    @property
    def radius(self) -> Any:
        """How far a computed value may be from `value`, overflow aside."""
        if self.exact or not finite(self.value) or self.unrounded:
            return ZERO
        if self.error == INF:
            return INF
        if self.terms == 2 and self.depth == 0:  # one addition of exact numbers is rounded once
            return rounding.current.u * abs(self.value) + self.error
        return gamma(self.roundings) * (self.magnitude + self.error) + self.error

    @property
    def interval(self) -> tuple[Any, Any]:
        """The least and the greatest value that may be computed."""
        if self.free:
            return -INF, INF
        if self.exact or not finite(self.value) or self.unrounded:
            return self.value, self.value
        radius, largest = self.radius, rounding.current.largest
        low, high = self.value - radius, self.value + radius
        return (-INF if low < -largest else low), (INF if high > largest else high)

    @property
    def overflows(self) -> bool:
        """Whether a part of the sum may be infinite with either sign, so that NaN may come out."""
        one_rounding = self.terms == 2 and self.depth == 0
        if self.terms == 1 or one_rounding or self.magnitude * SLACK <= rounding.current.largest:
            return False
        # A term of the other sign may be too small beside the rest to show in 72 digits, and still overflow by itself.
        return bool(self.magnitude > abs(self.value) or self.magnitude > rounding.current.largest * UNSEEN)

    def settled(self) -> "Bound":
        """This sum as one term of something else: its order of evaluation ends here."""
        if self.terms == 2 and self.depth == 0 and finite(self.value):
            free = self.free or self.overflows
            return Bound(self.value, abs(self.value), 1, 1, self.error, free, self.negative_zero, self.grid)
        if self.terms > 1:
            free = self.free or self.overflows
            return Bound(self.value, self.magnitude, 1, self.roundings, self.error, free, self.negative_zero, self.grid)
        return self

    # -- sums and products

    def __add__(self, other: Any) -> "Bound":
        if not isinstance(other, Bound):
            if isinstance(other, int) and other == 0:  # an accumulator's start
                return self
            return self + Bound.of(other)
        value = self.value + other.value
        if not finite(value):
            return self._infinite_sum(other, value)
        if zero(self.value) and self.exact:
            if zero(other.value) and other.exact:
                return Bound(value, negative_zero=self.negative_zero and other.negative_zero)
            return other
        if zero(other.value) and other.exact:
            return self
        error = self.error if other.error is ZERO else self.error + other.error
        magnitude, free = self.magnitude + other.magnitude, self.free or other.free
        if magnitude > rounding.current.largest and not (self.exact and other.exact):
            # inf - inf; one may be too small for `value` to show it
            free = free or (self.value < 0) != (other.value < 0)
        return Bound(
            value,
            magnitude,
            self.terms + other.terms,
            self.depth if self.depth > other.depth else other.depth,
            error,
            free,
            False,
            self.grid if self.grid < other.grid else other.grid,
        )

    def _infinite_sum(self, other: "Bound", value: Any) -> "Bound":
        """An infinity or NaN that the inputs held; free if a finite part may have overflowed against the infinity."""
        magnitude = self.magnitude + other.magnitude
        free = self.free or other.free or magnitude * SLACK > rounding.current.largest
        for x in (self, other):
            free = free or (finite(x.value) and x.reach == INF and not mp.isnan(value))
        return Bound(value, ZERO if mp.isnan(value) else magnitude, free=free)

    __radd__ = __add__

    def __neg__(self) -> "Bound":
        negative_zero = self.value == 0 and not self.negative_zero
        return Bound(
            -self.value, self.magnitude, self.terms, self.depth, self.error, self.free, negative_zero, self.grid
        )

    def __pos__(self) -> "Bound":
        return self

    def __sub__(self, other: Any) -> "Bound":
        return self + (-Bound.of(other))

    def __rsub__(self, other: Any) -> "Bound":
        return Bound.of(other) + (-self)

    def __mul__(self, other: Any) -> "Bound":
        a, b = self.settled(), Bound.of(other).settled()
        value = a.value * b.value
        free = a.free or b.free
        negative_zero = value == 0 and (a.below_zero != b.below_zero)
        if not (finite(a.value) and finite(b.value)):
            # inf * x: the sign of x must be known, and x must not be able to become 0
            free = free or any(finite(x.value) and not x.exact and x.straddles_zero for x in (a, b))
            return Bound(value, None, 1, 0, ZERO, free)
        if a.exact and b.exact and (value == 0 or abs(a.value) == 1 or abs(b.value) == 1):
            return Bound(value, negative_zero=negative_zero, grid=sure_grid(a.grid + b.grid))
        far_a, far_b = a.reach, b.reach
        if a.is_zero and far_b < INF and not b.straddles_zero or b.is_zero and far_a < INF and not a.straddles_zero:
            return Bound(ZERO, negative_zero=negative_zero)  # whatever the other was rounded to
        free = free or (far_a == INF and b.straddles_zero) or (far_b == INF and a.straddles_zero)
        spread = (a.error * far_b if a.error else ZERO) + (b.error * far_a if b.error else ZERO)
        if far_a == INF or far_b == INF:
            spread = INF
        return Bound(
            value,
            a.magnitude * b.magnitude,
            1,
            a.depth + b.depth + 1,
            spread + rounding.current.eta,
            free,
            negative_zero,
            sure_grid(a.grid + b.grid),
        )

    __rmul__ = __mul__

    @property
    def below_zero(self) -> bool:
        return bool(self.value < 0) or self.negative_zero

    @property
    def straddles_zero(self) -> bool:
        low, high = self.interval
        return bool(low <= 0 <= high)

    @property
    def reach(self) -> Any:
        """The largest absolute value that may be computed."""
        low, high = self.interval
        return max(abs(low), abs(high))

    # -- everything else collapses

    def __truediv__(self, other: Any) -> "Bound":
        return division.quotient(self.settled(), Bound.of(other).settled())

    def __rtruediv__(self, other: Any) -> "Bound":
        return division.quotient(Bound.of(other).settled(), self.settled())

    def __abs__(self) -> "Bound":
        x = self.settled()
        return Bound(abs(x.value), x.magnitude, 1, x.depth, x.error, x.free, grid=x.grid)

    def truncate(self) -> int:
        """The whole part; of a computed value, any that an engine may find: see `every_choice`."""
        low, high = self.settled().interval
        if self.exact or low == high:
            return int(self.value)
        if not (finite(low) and finite(high)):
            raise Undecided("a computed value that may be infinite has no whole part")
        return any_of(int(low), int(high), int(self.value))

    def larger(self, other: Any) -> "Bound":
        """Whichever an engine takes for the larger."""
        a, b = self.settled(), Bound.of(other).settled()
        if a.free or b.free:
            return ANYTHING
        if mp.isnan(a.value) or mp.isnan(b.value):
            return Bound(NAN)
        (a_low, a_high), (b_low, b_high) = a.interval, b.interval
        if a_low >= b_high or b_low >= a_high:
            return a if a_low >= b_high else b
        value, low, high = max(a.value, b.value), max(a_low, b_low), max(a_high, b_high)
        return Bound(value, error=max(high - value, value - low))

    def power(self, exponent: Any) -> "Bound":
        return division.raised(self.settled(), Bound.of(exponent).settled())

    def rpower(self, base: Any) -> "Bound":
        return division.raised(Bound.of(base).settled(), self.settled())

    def __pow__(self, exponent: Any) -> "Bound":
        if isinstance(exponent, int) and exponent == 2:
            return self * self
        return self.power(exponent)

    def __rpow__(self, base: Any) -> "Bound":
        return self.rpower(base)

    def __floordiv__(self, other: Any) -> "Bound":
        return division.divided(self, Bound.of(other))[0]

    def __rfloordiv__(self, other: Any) -> "Bound":
        return division.divided(Bound.of(other), self)[0]

    def __mod__(self, other: Any) -> "Bound":
        return division.divided(self, Bound.of(other))[1]

    def __rmod__(self, other: Any) -> "Bound":
        return division.divided(Bound.of(other), self)[1]

    # -- comparisons

    def __lt__(self, other: Any) -> bool:
        return compared(self, Bound.of(other), strict=True)

    def __gt__(self, other: Any) -> bool:
        return compared(Bound.of(other), self, strict=True)

    def __le__(self, other: Any) -> bool:
        return compared(self, Bound.of(other), strict=False)

    def __ge__(self, other: Any) -> bool:
        return compared(Bound.of(other), self, strict=False)

    def __eq__(self, other: Any) -> bool:
        if other is self:  # the idiom x != x asks for NaN
            return decide(not mp.isnan(self.value)) if self.free or self.overflows else not mp.isnan(self.value)
        other = Bound.of(other)
        if self.exact and other.exact or not (finite(self.value) and finite(other.value)):
            return bool(self.value == other.value)
        low, high = self.interval
        other_low, other_high = other.interval
        if high < other_low or low > other_high:
            return False
        if low == high and other_low == other_high:  # 0 as the difference of equals is sure to be 0
            return True
        return decide(bool(self.value == other.value))

    def __ne__(self, other: Any) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        return self != 0

    def __float__(self) -> float:
        return float(self.value)


ANYTHING = Bound(ZERO, ZERO, 1, 1, INF, free=True)


def compared(a: Bound, b: Bound, strict: bool) -> bool:
    """a < b, or a <= b."""
    by_value = bool(a.value < b.value if strict else a.value <= b.value)
    a_free, b_free = a.free or a.overflows, b.free or b.overflows
    if not (a_free or b_free):
        # A loop that starts from its first element meets it again: one number, whatever its rounding was.
        if a is b or (a.exact and b.exact) or mp.isnan(a.value) or mp.isnan(b.value):
            return by_value
        (a_low, a_high), (b_low, b_high) = a.interval, b.interval
        if a_high < b_low or (not strict and a_high <= b_low):
            return True
        if a_low > b_high or (strict and a_low >= b_high):
            return False
    return decide(by_value)


def collapsed(value: Any, low: Any, high: Any, name: str) -> Bound:
    """A computed result: the exact value, the interval of f over its argument, and the rounding of f itself."""
    if mp.isnan(low) or mp.isnan(high):
        return Bound(value if finite(value) else ZERO, ZERO, 1, 1, INF, free=True)
    if not finite(value):
        return Bound(value, free=low != value or high != value)
    top = max(abs(low), abs(high))
    if top == INF:
        return Bound(value, error=INF)
    limit = rounding.limit(name)
    own = rounding.current.u * top if limit == 0.5 else limit * ulp(top)
    return Bound(value, error=max(high - value, value - low) + own + rounding.current.eta)


def rounded_once(value: Any) -> Bound:
    return Bound(value, depth=0 if value == 0 or fits(value) else 1)


def stepped(x: Bound, f: Callable[[Any], Any]) -> Bound:
    """A whole number near x: exact unless an edge lies within the interval."""
    x = x.settled()
    if x.free or not finite(x.value):
        return x
    low, high = x.interval
    if not (finite(low) and finite(high)):
        return Bound(f(x.value), error=INF)
    value = f(x.value)
    error = max(f(high) - value, value - f(low))
    grid = NO_GRID if error else grid_of(value)
    return Bound(value, error=error, negative_zero=value == 0 and x.below_zero, grid=grid)


from refnet.scalars import bound_division as division  # noqa: E402  (makes Bounds)
from refnet.scalars import bound_functions as _  # noqa: E402, F401  (adds the methods of the elementary functions)
