"""Elementary functions of one float64, without branches: `elementary32` with tables for 53 bits.

The polynomials of exp and of erf near 0 are Chebyshev fits made in 60 digits; the logarithm is that of Sun's fdlibm; the
rational functions of tanh and of erf away from 0 are those of S. Moshier's Cephes.
"""

import math

from numba import njit

from refnet_fast.cpu.intrinsics import bits, copysign, from_bits, polynomial, rint, select

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


@_helper
def sin64(x):
    """The C library's: right for every finite x, one element at a time. A reduction without branches, over all exponents,
    would take six table words and twelve products in float64."""
    return math.sin(x)


@_helper
def cos64(x):
    """The C library's, as `sin64`."""
    return math.cos(x)
