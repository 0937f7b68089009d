"""What `fourier.py` has to know of a length before it meets a signal: in which passes it goes, and the roots of unity that they multiply by.

A length n of factors 2, 3 and 5 is n1 times n2, as near to each other as it can be. Each of the two goes in passes, one for each factor;
most factors 2 go in passes of 8 or 4.

Any other length is transformed by Bluestein's algorithm: j k = (j**2 + k**2 - (k - j)**2) / 2 makes the sum a convolution with a chirp,
of a length of such factors, of at least 2 n - 1.
"""

import math
import weakref

import numpy as np

from refnet.definition import View
from refnet_fast.derive import Placed
from refnet_fast.native import address_of

RADICES = (5, 3, 2, 4, 8)  # in this order; 2 only where it is the only factor 2, so that it comes last


def radices(n):
    """The factors of n, one for each pass; None if it has others."""
    found = []
    for r in (5, 3, 2):
        while n % r == 0:
            found.append(r)
            n //= r
    twos = found.count(2)
    found = found[: len(found) - twos]
    while twos:
        step = 3 if twos == 3 or twos > 4 else min(twos, 2)
        found.append(2**step)
        twos -= step
    return sorted(found, key=RADICES.index) if n == 1 else None


def split(n):
    """n1 and n2: the divisor nearest to the root of n, and what is left."""
    first = max(d for d in range(1, math.isqrt(n) + 1) if n % d == 0)
    return first, n // first


def length_for_chirp(n):
    """The least length of a few factors that holds a convolution of n numbers with a chirp."""
    count = 2 * n - 1
    while radices(count) is None:
        count += 1
    return count


def roots(n, places):
    """e**(-2 pi i j / n) for all j: (real parts, imaginary parts), each within 5 u of the exact one, u = 2**-53.

    Angles are taken from the nearest quarter of a turn on, so they are below pi / 4, and rounded three times: 3 u of that. A cosine and a
    sine are within one unit, 2 u of themselves; with `np.longdouble` of more bits than float64, all that is rounded once.
    """
    quarter = (4 * places + n // 2) // n
    rest = 4 * places - quarter * n  # of a quarter of a turn, times n
    angle = rest * (np.longdouble("1.57079632679489661923132169163975144") / n)
    c, s = np.cos(angle).astype("float64"), np.sin(angle).astype("float64")
    turned = quarter % 4
    return (
        np.select([turned == 0, turned == 1, turned == 2], [c, -s, -c], s),
        -np.select([turned == 0, turned == 1, turned == 2], [s, c, -s], -c),
    )


def of_passes(n):
    """The roots that the passes of a length multiply by, n - 1 pairs: w(left)**(p k) for p < left / r and 0 < k < r."""
    found, left = [np.zeros(0)], n
    for r in radices(n):
        p, k = np.arange(left // r)[:, None], np.arange(1, r)
        found.append(np.stack(roots(left, p * k), -1).ravel())
        left //= r
    return np.concatenate(found)


class Transform:
    """A length of few factors. `numbers`: n, n1, n2, the passes of n1, 0, the passes of n2, 0. `table`: the roots of the passes of n1, and of
    n2; then those between, w(n)**(k j) for k < n1 and j < n2, all real parts before all imaginary ones."""

    def __init__(self, n):
        n1, n2 = split(n)
        self.numbers = np.array([n, n1, n2, *radices(n1), 0, *radices(n2), 0], "int64")
        between = roots(n, np.arange(n1)[:, None] * np.arange(n2))
        self.table = np.concatenate([of_passes(n1), of_passes(n2), *(part.ravel() for part in between)])


class Length:
    """Any length: `whole`, its Transform, or the chirp's; `half`, that of half of the length where real signals go so; `turns`: for these
    the first n // 2 + 1 roots, for a chirp its n numbers and then the chirp's own transform, divided by its length."""

    def __init__(self, n):
        smooth = radices(n) is not None
        self.whole = Transform(n if smooth else length_for_chirp(n))
        self.half = Transform(n // 2) if smooth and n % 2 == 0 else None
        if not smooth:
            self.turns = np.concatenate(chirp(n, self.whole.numbers[0]))
        else:
            self.turns = np.concatenate(roots(n, np.arange(n // 2 + 1)))

    def arguments(self):
        """What kernels are given; a program that holds it holds this Length."""
        half = self.half or self.whole
        arrays = self.whole.numbers, self.whole.table, half.numbers, half.table, self.turns
        return [Placed(address_of(a), View(a.shape), a.dtype.name, self) for a in arrays]


def chirp(n, count):
    """e**(-pi i j**2 / n) for j < n, real and imaginary parts; then the same of the transform of its conjugate, around 0 and of the length
    `count`, divided by that."""
    j = np.arange(n)
    re, im = roots(2 * n, j * j % (2 * n))
    around = np.zeros(count, np.clongdouble)
    around[:n] = re - 1j * im
    around[count - n + 1 :] = around[n - 1 : 0 : -1]
    spectrum = in_factors(around) / count
    return re, im, spectrum.real.astype("float64"), spectrum.imag.astype("float64")


def in_factors(x):
    """The transform of a vector whose length has few factors: as it is defined for each factor, those of 2 alone."""
    n = len(x)
    r = next((r for r in (2, 3, 5) if n % r == 0), 1)
    if n == 1:
        return x
    parts = np.stack([in_factors(x[first::r]) for first in range(r)])
    re, im = roots(n, np.arange(r)[:, None] * np.arange(n // r))
    parts = parts * (re + 1j * im)
    re, im = roots(r, np.arange(r)[:, None] * np.arange(r))
    return sum(((re + 1j * im)[:, first, None] * parts[first] for first in range(r)), np.zeros(1)).ravel()


lengths: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


def of_length(n):
    """The Length of n, one for all programs that hold it."""
    found = lengths.get(n)
    if found is None:
        found = lengths[n] = Length(n)
    return found
