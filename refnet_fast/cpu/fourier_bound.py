"""How far a frequency of `fourier.py` may be from what the definition says: it sums other terms.

The definition's interval grows with n u and the sum of its terms. Ours grows with log(n) u and S, the sum of all absolute values |x[j]| of
complex numbers. Neither contains the other. Where the definition multiplies a number by the cosine of a quarter of a turn, which is about
6e-17 in float64, its interval is as small, and a term that cancels in ours is larger.

As in Higham, Accuracy and Stability of Numerical Algorithms, chapter 24, but element by element. u is 2**-53, g(k) = k u / (1 - k u).

- An addition of complex numbers is off by a factor within 1 + u, a product within 1 + sqrt(2) g(2) of theirs, with fused operations too.
- A root of unity of the tables is within MU = 5 u (`fourier_tables.roots`). So a number times a root is off by at most TAU = sqrt(2) g(2) +
  MU (1 + sqrt(2) g(2)) of its absolute value.
- A pass of the factor r is a matrix F in which every number meets r others, all entries of absolute value 1. What is computed is F + E with
  |E| <= b |F|. A sum of two is rounded once, of four twice. Of eight it is two sums of four, one number of the second multiplied by the
  root of 1 / 2 after its parts were added: at most six roundings, that of the constant among them. Of three, a number comes to a result
  as 1 / 2 and sqrt(3) / 2 of itself, after at most four; of five, as a cosine and a sine of itself, which add up to less than sqrt(2),
  after at most six. With the root after the sum, b is (1 + that) (1 + TAU) - 1.
- The product of all |F| is the matrix of ones: from a number to a frequency there is one way. So after all passes, and the multiplication
  between the two halves of them, a frequency is off by at most (product of all (1 + b)) (1 + TAU) - 1 =: e, times S.

Real signals in pairs: the transform of n / 2 pairs has no larger S and is off by e S. Sum and difference of two of its frequencies, halved,
are off by e S + u (1 + e) S; one of them is multiplied by a root, and the two are added.

A chirp's convolution has the length M. In the norm, a pass of the factor r is sqrt(r) times a unitary matrix, and the norm of |F| is r:
it is off by sqrt(r) b of the norm. Let h be what that makes of all passes, as e of the b, and k the same for the table, whose sums have r
terms one after the other. The table's transform has the norm sqrt(M) |b|, |b| = sqrt(2 n - 1), the signal's sqrt(M) |x| (norms here), so by
Cauchy and Schwarz their products are off by d M |x| |b| altogether, 1 + d = (1 + h) (1 + TAU) (1 + k) (1 + sqrt(2) g(2)), TAU for the
chirp on the signal and 1 + k with the division by M. The second transform of these products adds them up, each of them M times too
large, and is itself off by e of their absolute values' sum. All this is met by the chirp once more.

The definition's own roots are cosines of angles below 2 pi that have been rounded three times, so within 18 u of the exact ones: 18 u S
more. The result is rounded to the signal's dtype. What is scaled, because it is very large or small, underflows only by amounts that do not
show beside this: they are within SLACK.
"""

import math

import numpy as np

from refnet_fast.cpu.fourier_tables import length_for_chirp, radices, split

SLACK = 1 + 2.0**-20  # for the roundings of this computation itself
U = 2.0**-53
MU = 5 * U
OF_DEFINITION = 18 * U


def gamma(k):
    return k * U / (1 - k * U)


PRODUCT = math.sqrt(2) * gamma(2)
TAU = PRODUCT + MU * (1 + PRODUCT)
OF_SUM = {
    2: U,
    3: (1 + math.sqrt(3)) / 2 * gamma(4),
    4: gamma(2),
    5: math.sqrt(2) * gamma(6),
    8: gamma(6),
}


def of_passes(n, norm):
    """e, or h where `norm` is true."""
    found = 1 + TAU
    for part in split(n):
        for r in radices(part):
            b = (1 + OF_SUM[r]) * (1 + TAU) - 1
            found *= 1 + (math.sqrt(r) if norm else 1) * b
    return found - 1


def of_table(n):
    """k: each factor is a sum of products with two roots; a division by the length and a last rounding are left."""
    found = (1 + U) ** 2
    for r in (f for part in radices(n) for f in {4: (2, 2), 8: (2, 2, 2)}.get(part, (part,))):
        found *= 1 + math.sqrt(r) * ((1 + TAU) ** 2 * (1 + gamma(r - 1)) - 1)
    return found - 1


def share(n, real):
    """What S is multiplied by, and what the norm of the signal is."""
    if radices(n) is None:
        count = length_for_chirp(n)
        e, h, k = of_passes(count, False), of_passes(count, True), of_table(count)
        off = (1 + h) * (1 + TAU) * (1 + k) * (1 + PRODUCT) * (1 + e) - 1
        return TAU, (1 + TAU) * off * math.sqrt(2 * n - 1)
    if not (real and n % 2 == 0):
        return of_passes(n, False), 0.0
    e = of_passes(n // 2, False)
    pair = e + U * (1 + e)
    return (pair + pair * (1 + TAU) + TAU) * (1 + U) + U, 0.0


def bounds(arrays, attributes):
    """For both results, a function from an index to its bound."""
    re, im = (a.astype("float64").reshape(-1, a.shape[-1]) for a in arrays)
    n, kind, found = re.shape[-1], np.finfo(arrays[0].dtype), {}

    def of_signal(lane, k):
        """The bound before the last rounding; frequency k as NumPy sums it, and how far off that may be; all of a signal of size 1, and what
        that is multiplied by."""
        by = max(np.abs(re[lane]).max(), np.abs(im[lane]).max()) or 1.0
        x, y = re[lane] / by, im[lane] / by
        size, (of_sum, of_norm) = np.hypot(x, y), share(n, not y.any())
        total, norm = float(size.sum()), math.sqrt(float((size**2).sum()))
        off, wide = (of_sum + OF_DEFINITION) * total + of_norm * norm, (gamma(2 * n) + OF_DEFINITION) * total
        angle = 2 * np.pi * ((np.arange(n) * k) % n) / n
        c, s = np.cos(angle), attributes["sign"] * np.sin(angle)
        return off, wide, float(x @ c - y @ s), float(x @ s + y @ c), float(by)

    def bound(part, index):
        lane = int(np.ravel_multi_index(index[:-1], arrays[0].shape[:-1])) if len(index) > 1 else 0
        with np.errstate(all="ignore"):  # where anything is not finite, the definition's own bound counts
            if (lane, index[-1]) not in found:
                found[lane, index[-1]] = of_signal(lane, index[-1])
            off, wide, *about, by = found[lane, index[-1]]
            rounding = float(kind.eps) / 2 * (abs(about[part]) + wide + off)
            return SLACK * ((off + rounding) * by + float(kind.smallest_subnormal))

    return lambda index: bound(0, index), lambda index: bound(1, index)
