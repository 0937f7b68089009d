"""Elementary functions of one float64, without branches: `elementary32` with tables for 53 bits.

The polynomials of exp and of erf near 0 are Chebyshev fits made in 60 digits; the logarithm is that of Sun's fdlibm; the
rational functions of tanh and of erf away from 0 are those of S. Moshier's Cephes.
"""

import math

import numpy as np

from refnet_fast.cpu.angles import FLOAT64_FIRST, FLOAT64_WORDS, float64_quarter_turn_table
from refnet_fast.cpu.intrinsics import bits, copysign, from_bits, polynomial, rint, select
from refnet_fast.native import njit

_helper = njit(error_model="numpy", fastmath={"contract"}, forceinline=True)

INF, NAN = math.inf, math.nan
LOG2_E = 1.4426950408889634
# ln 2 in two parts; the upper one has 33 bits, so that its product with an exponent is exact.
LN2_UPPER, LN2_LOWER = 6.93147180369123816490e-01, 1.90821492927058770002e-10
TINY = 2.0**-27  # below it expm1(x), log1p(x) are x + or - x**2 / 2, and the sign of a zero has to be kept


# ---- powers of two

WHOLE_SHIFT = 1.5 * 2.0**52
WHOLE_SHIFT_BITS = 0x4338000000000000
# Adding it to a whole number n leaves n + 1023, the exponent field of 2**n, in the lowest bits of the sum.
EXPONENT_SHIFT = WHOLE_SHIFT + 1023


@_helper
def power_of_two64(n):
    """2**n for a whole number -1022 <= n <= 1023; no conversion to an integer, which would be undefined for NaN."""
    return from_bits(bits(n + EXPONENT_SHIFT) << 52)


@_helper
def times_power_of_two64(y, n):
    """y * 2**n in two steps, so that it overflows to inf and rounds once on its way to the subnormal numbers."""
    half = rint(n * 0.5)
    return y * power_of_two64(half) * power_of_two64(n - half)


# ---- exp and what follows from it

EXP_TAIL = (
    0.16666666666666669,
    0.041666666666666664,
    0.008333333333330055,
    0.0013888888888886548,
    0.00019841269863088255,
    2.4801587317169235e-05,
    2.7557268406190795e-06,
    2.7557282931125736e-07,
    2.51004110820149e-08,
    2.091125490208877e-09,
)
EXP_LOWEST, EXP_HIGHEST = -746.0, 710.0


@_helper
def exp_parts64(x):
    """n and expm1(r) for x = n ln 2 + r, |r| <= ln 2 / 2."""
    n = rint(x * LOG2_E)
    r = (x - n * LN2_UPPER) - n * LN2_LOWER
    return n, (polynomial(r, EXP_TAIL) * r + 0.5) * (r * r) + r


@_helper
def exp_clamped64(x):
    """x where exp(x) is neither 0 nor inf, else a number just beyond; NaN stays."""
    x = EXP_LOWEST if x < EXP_LOWEST else x
    return EXP_HIGHEST if x > EXP_HIGHEST else x


@_helper
def exp_normal64(x):
    """exp(x) for -708 <= x <= 709, where the result is a normal number."""
    n, y = exp_parts64(x)
    return (y + 1.0) * power_of_two64(n)


@_helper
def exp64(x):
    n, y = exp_parts64(exp_clamped64(x))
    return times_power_of_two64(y + 1.0, n)


@_helper
def expm1_64(x):
    n, y = exp_parts64(exp_clamped64(x))
    # 2**n (y + 1) - 1 as (2**a y + (2**a - 2**-b)) 2**b with n = a + b: no factor overflows.
    half = rint(n * 0.5)
    rest = n - half
    scale = power_of_two64(half)
    result = (y * scale + (scale - power_of_two64(-rest))) * power_of_two64(rest)
    return x + 0.5 * x * x if abs(x) < TINY and x != 0.0 else (x if x == 0.0 else result)


@_helper
def sigmoid64(x):
    e = exp64(-abs(x))
    return (e if x < 0.0 else 1.0) / (1.0 + e)


TANH_OVER = (-1.61468768441708447952e3, -9.92877231001918586564e1, -9.64399179425052238628e-1)
TANH_UNDER = (4.84406305325125486048e3, 2.23548839060100448583e3, 1.12811678491632931402e2, 1.0)
TANH_SPLIT, TANH_ONE = 0.625, 19.5


@_helper
def tanh64(x):
    z = abs(x)
    w = z * z
    e = exp_normal64(2.0 * (TANH_ONE if z > TANH_ONE else z))
    near = z < TANH_SPLIT
    # z + z w P/Q near 0, else 1 - 2 / (e**2z + 1)
    over = select(near, polynomial(w, TANH_OVER) * w * z, -2.0)
    under = select(near, polynomial(w, TANH_UNDER), e + 1.0)
    return copysign(select(near, z, 1.0) + over / under, x)


# ---- logarithms

LOG_TAIL = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860510658591e-01,
)
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
LEAST_NORMAL, SUBNORMAL_SCALE, SUBNORMAL_EXPONENT = 2.0**-1022, 2.0**54, 54.0
LOG1P_WHOLE = 2.0**53  # from here on 1 + x has no digit that x lacks


@_helper
def log_parts64(x):
    """m and k for a normal x > 0: x = 2**k m with sqrt(1/2) <= m < sqrt(2)."""
    k = (bits(x) - ROOT_HALF_BITS) >> 52
    # int64 to float64 by way of the bits: AVX2 has no instruction for the conversion.
    return from_bits(bits(x) - (k << 52)), from_bits(k + WHOLE_SHIFT_BITS) - WHOLE_SHIFT


@_helper
def log_sum64(f, k):
    """log(1 + f) + k ln 2, for sqrt(1/2) - 1 <= f < sqrt(2) - 1, by s = f / (2 + f): log(1 + f) = 2 artanh(s)."""
    s = f / (2.0 + f)
    w = s * s
    half_square = 0.5 * f * f
    tail = polynomial(w, LOG_TAIL) * w
    return k * LN2_UPPER - ((half_square - (s * (half_square + tail) + k * LN2_LOWER)) - f)


@_helper
def log64(x):
    subnormal = x < LEAST_NORMAL
    m, k = log_parts64(x * SUBNORMAL_SCALE if subnormal else x)
    y = log_sum64(m - 1.0, k - SUBNORMAL_EXPONENT if subnormal else k)
    y = y if x < INF else x
    return y if x > 0.0 else (-INF if x == 0.0 else NAN)


@_helper
def log1p64(x):
    m, k = log_parts64(1.0 + x)
    # 2**-k (1 + x) - 1 from x itself: the digits that 1 + x has lost are still in it.
    scale = power_of_two64(-k)
    y = log_sum64(x * scale + (scale - 1.0) if x < LOG1P_WHOLE else m - 1.0, k)
    y = x - 0.5 * x * x if abs(x) < TINY else y
    y = x if x == 0.0 else y
    y = x if x == INF else y
    return y if x > -1.0 else (-INF if x == -1.0 else NAN)


# ---- the error function

ERF_TAIL = (
    0.12837916709551256,
    -0.37612638903183543,
    0.11283791670945006,
    -0.02686617064323777,
    0.0052239776071164225,
    -0.0008548325975389692,
    0.00012055294904839707,
    -1.492473690741966e-05,
    1.6447424703317362e-06,
    -1.6208483801871705e-07,
    1.3720064546777686e-08,
    -7.795898827002142e-10,
)
ERFC_OVER = (
    5.57535335369399327526e2,
    1.02755188689515710272e3,
    9.34528527171957607540e2,
    5.26445194995477358631e2,
    1.96520832956077098242e2,
    4.86371970985681366614e1,
    7.46321056442269912687e0,
    5.64189564831068821977e-1,
    2.46196981473530512524e-10,
)
ERFC_UNDER = (
    5.57535340817727675546e2,
    1.65666309194161350182e3,
    2.24633760818710981792e3,
    1.82390916687909736289e3,
    9.75708501743205489753e2,
    3.54937778887819891062e2,
    8.67072140885989742329e1,
    1.32281951154744992508e1,
    1.0,
)
ERF_SPLIT, ERF_ONE = 1.0, 6.0


@_helper
def erf64(x):
    z = abs(x)
    w = z * z
    near = polynomial(w, ERF_TAIL) * z + z
    # 1 - exp(-z**2) P/Q: only its absolute error counts here, so z**2 may be rounded.
    clamped = ERF_ONE if z > ERF_ONE else z
    far = 1.0 - exp_normal64(-clamped * clamped) * polynomial(clamped, ERFC_OVER) / polynomial(clamped, ERFC_UNDER)
    return copysign(select(z < ERF_SPLIT, near, far), x)


# ---- sine and cosine

TURN_WORDS = float64_quarter_turn_table()
# Unsigned, since the sum of an unsigned and a signed index would be a float.
WORD1, WORD2, WORD3, WORD4, WORD5 = (np.uint64(word) for word in range(1, FLOAT64_WORDS))
MANTISSA_BITS = 2**52 - 1
WHOLE_EXPONENT_BITS = 1075 << 52  # with a mantissa below it: the whole number 2**52 + mantissa
UPPER_HALF_BITS = -(2**27)
QUARTER_TURN = 1.5707963267948966
QUARTER_TURN_UPPER = 1.5707963109016418  # its first 26 bits
QUARTER_TURN_REST = 1.5893254773528196e-08
EIGHTH_TURN = 0.7853981633974483
SIGN = -(2**63)
SIN_TAIL = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
COS_TAIL = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)


@_helper
def added_with_error64(a, b):
    """a + b rounded, and what the rounding lost (Knuth)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


@_helper
def upper_half64(x):
    """x with its first 26 bits only, so that its product with another such number is exact."""
    return from_bits(bits(x) & UPPER_HALF_BITS)


@_helper
def modulo_four64(x):
    return x - 4.0 * rint(0.25 * x)


@_helper
def large_quarter_turns64(size):
    """n modulo 4 and y, in two parts, with size = (n + y) pi/2 and |y| <= 1/2, for size >= 1/2."""
    field = (bits(size) >> 52) - FLOAT64_FIRST
    field = 0 if field < 0 else field
    row = np.uint64(field * FLOAT64_WORDS)
    whole = from_bits((bits(size) & MANTISSA_BITS) | WHOLE_EXPONENT_BITS)
    upper = upper_half64(whole)
    lower = whole - upper
    # All these products are exact; upper times the first word is a multiple of 4.
    word1, word2, word3 = TURN_WORDS[row + WORD1], TURN_WORDS[row + WORD2], TURN_WORDS[row + WORD3]
    word4, word5 = TURN_WORDS[row + WORD4], TURN_WORDS[row + WORD5]
    start = modulo_four64(lower * TURN_WORDS[row]) + modulo_four64(upper * word1)
    n = rint(start + (lower * word1 + upper * word2))
    y, lost = added_with_error64(start - n, lower * word1)
    y, lost1 = added_with_error64(y, upper * word2)
    y, lost2 = added_with_error64(y, lower * word2)
    y, lost3 = added_with_error64(y, upper * word3)
    y, lost4 = added_with_error64(y, lower * word3)
    y, lost5 = added_with_error64(y, upper * word4)
    rest = (lost + lost1) + (lost2 + lost3) + (lost4 + lost5) + (lower * word4 + whole * word5)
    y, rest = added_with_error64(y, rest)
    return n, y, rest


@_helper
def quarter_turns64(x):
    """n modulo 4 in the lowest bits, and r in two parts, with |x| = n pi/2 + r and |r| <= pi/4."""
    size = abs(x)
    n, y, rest = large_quarter_turns64(size)
    upper = upper_half64(y)
    small = upper * QUARTER_TURN_REST + (y - upper) * QUARTER_TURN + rest * QUARTER_TURN
    r, rest = added_with_error64(upper * QUARTER_TURN_UPPER, small)
    near = size < EIGHTH_TURN
    return bits(select(near, 0.0, n) + WHOLE_SHIFT), select(near, size, r), select(near, 0.0, rest)


@_helper
def sin_of_quarters64(n, r, rest):
    """sin(n pi/2 + r + rest): sin, cos, -sin, -cos of r + rest by n modulo 4 (the polynomials are fdlibm's)."""
    w = r * r
    sine = r + (polynomial(w, SIN_TAIL) * w * r + rest * (1.0 - 0.5 * w))
    half = 0.5 * w
    first = 1.0 - half
    cosine = first + (((1.0 - first) - half) + (polynomial(w, COS_TAIL) * w * w - r * rest))
    return from_bits(bits(select((n & 1) != 0, cosine, sine)) ^ ((n << 62) & SIGN))


@_helper
def sin64(x):
    n, r, rest = quarter_turns64(x)
    return from_bits(bits(sin_of_quarters64(n, r, rest)) ^ (bits(x) & SIGN))


@_helper
def cos64(x):
    n, r, rest = quarter_turns64(x)
    return sin_of_quarters64(n + 1, r, rest)
