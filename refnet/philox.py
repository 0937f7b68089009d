"""Philox4x32-10: random words as a function of a key and a counter, and the numbers made of them.

Nothing here has a state: the same key and counter give the same words, on every engine, in any order. Everything is plain
arithmetic on integers that stay within int64, then on float64 with + - * / and sqrt alone, so that Python, a compiler and a GPU
agree bit for bit.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011), and its library Random123.
"""

from refnet.annotations import Number
from refnet.scalars import sqrt

WORD = 0xFFFFFFFF  # 32 bits


def product_words(a: int, b: int) -> tuple[int, int]:
    """The high and the low 32 bits of a * b, for a up to 2**32 and b below it; no step exceeds 2**63."""
    low = a * (b & 0xFFFF)
    high = a * (b >> 16) + (low >> 16)
    return high >> 16, ((high & 0xFFFF) << 16) | (low & 0xFFFF)


def philox4x32(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> tuple[int, int, int, int]:
    """Four random words from four counter words and two key words."""
    for _ in range(10):
        high0, low0 = product_words(0xD2511F53, c0)
        high1, low1 = product_words(0xCD9E8D57, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = (k0 + 0x9E3779B9) & WORD
        k1 = (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


def random_words(seed: int, place: int, run: int, block: int) -> tuple[int, int, int, int]:
    """Four words of a random node: key = (seed, place); counter = (block, repetition, run). The repetition is 0 outside scans."""
    return philox4x32(block & WORD, 0, run & WORD, (run >> 32) & WORD, seed, place)


def whole_below(bound: int, high: int, low: int) -> int:
    """A whole number in 0..bound-1, for bound below 2**63: the high 64 bits of bound * (high * 2**32 + low).

    Every number comes with probability 1 / bound, but for a part in 2**64 / bound.
    """
    bound_high, bound_low = bound >> 32, bound & WORD
    cross0, rest0 = product_words(bound_low, high)
    cross1, rest1 = product_words(bound_high, low)
    carried, _ = product_words(bound_low, low)
    return bound_high * high + cross0 + cross1 + ((rest0 + rest1 + carried) >> 32)


def fraction(word: int, bits: int) -> float:
    """A float64 in [0, 1): the highest bits of a word; every multiple of 2**-bits is equally likely."""
    return (word >> (32 - bits)) / float(1 << bits)


def fraction53(high: int, low: int) -> float:
    """A float64 in [0, 1): 53 bits of two words."""
    return ((high >> 5) * 67108864.0 + (low >> 6)) / 9007199254740992.0


def inner_fraction(high: int, low: int) -> float:
    """A float64 strictly between 0 and 1, symmetric about 1/2: the middles of 2**52 equal stretches."""
    return ((high >> 6) * 67108864.0 + (low >> 6) + 0.5) / 4503599627370496.0


def log_below_one(x: Number) -> Number:
    """The natural logarithm for 2**-60 < x < 1, within 2 units in the last place."""
    k = 0
    while x < 0.7071067811865476:
        x = x * 2.0
        k += 1
    return log_of_parts(x, k)


def log_of_parts(m: Number, k: Number) -> Number:
    """The natural logarithm of 2**-k * m, for m from 0.7071067811865476 to twice that.

    log m = 2 artanh(s) with s = (m - 1) / (m + 1), a series in s**2 (fdlibm's coefficients).
    """
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = 1.479819860511658591e-01
    series = 1.531383769920937332e-01 + z * series
    series = 1.818357216161805012e-01 + z * series
    series = 2.222219843214978396e-01 + z * series
    series = 2.857142874366239149e-01 + z * series
    series = 3.999999999940941908e-01 + z * series
    series = 6.666666666666735130e-01 + z * series
    half = 0.5 * f * f
    rest = s * (half + z * series)
    return f - (half - rest) - k * 1.90821492927058770002e-10 - k * 6.93147180369123816490e-01


def normal_quantile(p: Number) -> Number:
    """The z below which a standard normal number lies with probability p, for 0 < p < 1; relative error near 1e-16.

    Source: Wichura, algorithm AS 241 (PPND16), Applied Statistics 37 (1988).
    """
    q = p - 0.5
    if -0.425 <= q <= 0.425:
        return q * central(0.180625 - q * q)
    r = sqrt(-log_below_one(p if q < 0.0 else 1.0 - p))
    z = middle(r - 1.6) if r <= 5.0 else far(r - 5.0)
    return -z if q < 0.0 else z


def inverse_error_function(x: Number) -> Number:
    """The y with erf(y) = x, for -1 < x < 1: the quantile of (1 + x) / 2 over sqrt(2), from x itself so that no digit is lost."""
    q = 0.5 * x
    if -0.425 <= q <= 0.425:
        return q * central(0.180625 - q * q) / 1.4142135623730951
    r = sqrt(-log_below_one(0.5 + q if q < 0.0 else 0.5 - q))
    z = middle(r - 1.6) if r <= 5.0 else far(r - 5.0)
    return (-z if q < 0.0 else z) / 1.4142135623730951


def central(r: Number) -> Number:
    top = 2.5090809287301226727e3
    top = top * r + 3.3430575583588128105e4
    top = top * r + 6.7265770927008700853e4
    top = top * r + 4.5921953931549871457e4
    top = top * r + 1.3731693765509461125e4
    top = top * r + 1.9715909503065514427e3
    top = top * r + 1.3314166789178437745e2
    top = top * r + 3.3871328727963666080e0
    bottom = 5.2264952788528545610e3
    bottom = bottom * r + 2.8729085735721942674e4
    bottom = bottom * r + 3.9307895800092710610e4
    bottom = bottom * r + 2.1213794301586595867e4
    bottom = bottom * r + 5.3941960214247511077e3
    bottom = bottom * r + 6.8718700749205790830e2
    bottom = bottom * r + 4.2313330701600911252e1
    bottom = bottom * r + 1.0
    return top / bottom


def middle(r: Number) -> Number:
    top = 7.74545014278341407640e-4
    top = top * r + 2.27238449892691845833e-2
    top = top * r + 2.41780725177450611770e-1
    top = top * r + 1.27045825245236838258e0
    top = top * r + 3.64784832476320460504e0
    top = top * r + 5.76949722146069140550e0
    top = top * r + 4.63033784615654529590e0
    top = top * r + 1.42343711074968357734e0
    bottom = 1.05075007164441684324e-9
    bottom = bottom * r + 5.47593808499534494600e-4
    bottom = bottom * r + 1.51986665636164571966e-2
    bottom = bottom * r + 1.48103976427480074590e-1
    bottom = bottom * r + 6.89767334985100004550e-1
    bottom = bottom * r + 1.67638483018380384940e0
    bottom = bottom * r + 2.05319162663775882187e0
    bottom = bottom * r + 1.0
    return top / bottom


def far(r: Number) -> Number:
    top = 2.01033439929228813265e-7
    top = top * r + 2.71155556874348757815e-5
    top = top * r + 1.24266094738807843860e-3
    top = top * r + 2.65321895265761230930e-2
    top = top * r + 2.96560571828504891230e-1
    top = top * r + 1.78482653991729133580e0
    top = top * r + 5.46378491116411436990e0
    top = top * r + 6.65790464350110377720e0
    bottom = 2.04426310338993978564e-15
    bottom = bottom * r + 1.42151175831644588870e-7
    bottom = bottom * r + 1.84631831751005468180e-5
    bottom = bottom * r + 7.86869131145613259100e-4
    bottom = bottom * r + 1.48753612908506148525e-2
    bottom = bottom * r + 1.36929880922735805310e-1
    bottom = bottom * r + 5.99832206555887937690e-1
    bottom = bottom * r + 1.0
    return top / bottom
