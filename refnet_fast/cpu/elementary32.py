"""Elementary functions of one float32, without branches; `elementary` says what they promise and where they serve.

Each is written the same way: bring the argument into a small interval, evaluate a minimax polynomial there (Remez-like
fits in double precision, coefficients rounded to float32 from the lowest power up, each time refitting the rest), and put
the result back together. A clamp is written `LIMIT if x > LIMIT else x`, which is one instruction and lets NaN through.
"""

import numpy as np

from refnet_fast.cpu.angles import float32_quarter_turn_tables
from refnet_fast.cpu.intrinsics import bits, copysign, from_bits, polynomial, rint, select
from refnet_fast.native import njit

_helper = njit(error_model="numpy", fastmath={"contract"}, forceinline=True)


def _table(*coefficients):
    return tuple(np.float32(c) for c in coefficients)


ZERO, HALF, ONE, TWO, FOUR = (np.float32(c) for c in (0, 0.5, 1, 2, 4))
INF, NAN = np.float32(np.inf), np.float32(np.nan)
LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts; the upper one has 9 bits, so that its product with an exponent is exact.
LN2_UPPER, LN2_LOWER = np.float32(0.693359375), np.float32(-2.12194440e-4)
TINY = np.float32(2.0**-13)  # below it expm1(x), log1p(x) are x - or + x**2 / 2, and the sign of a zero has to be kept


# ---- powers of two

# Adding it to a whole number n leaves n + 127, the exponent field of 2**n, in the lowest bits of the sum.
EXPONENT_SHIFT = np.float32(1.5 * 2**23 + 127)


@_helper
def power_of_two32(n):
    """2**n for a whole number -126 <= n <= 127; no conversion to an integer, which would be undefined for NaN."""
    return from_bits(np.int32(bits(n + EXPONENT_SHIFT) << np.int32(23)))


@_helper
def times_power_of_two32(y, n):
    """y * 2**n in two steps, so that it overflows to inf and rounds once on its way to the subnormal numbers."""
    half = rint(n * HALF)
    return y * power_of_two32(half) * power_of_two32(n - half)


# ---- exp and what follows from it

EXP_TAIL = _table(0.5, 0.166666657, 0.0416664928, 0.00833354332, 0.00139323808, 0.000197644142)
EXP_LOWEST, EXP_HIGHEST = np.float32(-105), np.float32(89)


@_helper
def exp_parts32(x):
    """n and expm1(r) for x = n ln 2 + r, |r| <= ln 2 / 2."""
    n = rint(x * LOG2_E)
    r = (x - n * LN2_UPPER) - n * LN2_LOWER
    return n, polynomial(r, EXP_TAIL) * r * r + r


@_helper
def exp_clamped32(x):
    """x where exp(x) is neither 0 nor inf, else a number just beyond; NaN stays."""
    x = EXP_LOWEST if x < EXP_LOWEST else x
    return EXP_HIGHEST if x > EXP_HIGHEST else x


@_helper
def exp_normal32(x):
    """exp(x) for -87 <= x <= 88, where the result is a normal number."""
    n, y = exp_parts32(x)
    return (y + ONE) * power_of_two32(n)


@_helper
def exp32(x):
    n, y = exp_parts32(exp_clamped32(x))
    return times_power_of_two32(y + ONE, n)


@_helper
def expm1_32(x):
    n, y = exp_parts32(exp_clamped32(x))
    # 2**n (y + 1) - 1 as (2**a y + (2**a - 2**-b)) 2**b with n = a + b: no factor overflows.
    half = rint(n * HALF)
    rest = n - half
    scale = power_of_two32(half)
    result = (y * scale + (scale - power_of_two32(-rest))) * power_of_two32(rest)
    return x + HALF * x * x if abs(x) < TINY and x != ZERO else (x if x == ZERO else result)


@_helper
def sigmoid32(x):
    e = exp32(-abs(x))
    return (e if x < ZERO else ONE) / (ONE + e)


TANH_TAIL = _table(-0.333332807, 0.133314088, -0.0537369438, 0.0206300281, -0.00569480425)
TANH_SPLIT, TANH_ONE = np.float32(0.625), np.float32(9.2)


@_helper
def tanh32(x):
    z = abs(x)
    w = z * z
    near = polynomial(w, TANH_TAIL) * w * z + z
    far = ONE - TWO / (exp_normal32(TWO * (TANH_ONE if z > TANH_ONE else z)) + ONE)
    return copysign(select(z < TANH_SPLIT, near, far), x)


# ---- logarithms

LOG_TAIL = _table(
    0.333333135,
    -0.250000089,
    0.20002073,
    -0.166679949,
    0.142203227,
    -0.124060653,
    0.118836641,
    -0.116712764,
    0.0675047562,
)
ROOT_HALF_BITS = np.int32(0x3F3504F3)
LEAST_NORMAL, SUBNORMAL_SCALE, SUBNORMAL_EXPONENT = np.float32(2.0**-126), np.float32(2.0**23), np.float32(23)
LOG1P_WHOLE = np.float32(2.0**24)  # from here on 1 + x has no digit that x lacks


@_helper
def log_parts32(x):
    """m and k for a normal x > 0: x = 2**k m with sqrt(1/2) <= m < sqrt(2)."""
    k = np.int32(np.int32(bits(x) - ROOT_HALF_BITS) >> np.int32(23))
    return from_bits(np.int32(bits(x) - np.int32(k << np.int32(23)))), np.float32(k)


@_helper
def log_sum32(f, k):
    """log(1 + f) + k ln 2, for sqrt(1/2) - 1 <= f < sqrt(2) - 1."""
    w = f * f
    return (polynomial(f, LOG_TAIL) * f * w + k * LN2_LOWER - HALF * w + f) + k * LN2_UPPER


@_helper
def log32(x):
    subnormal = x < LEAST_NORMAL
    m, k = log_parts32(x * SUBNORMAL_SCALE if subnormal else x)
    y = log_sum32(m - ONE, k - SUBNORMAL_EXPONENT if subnormal else k)
    y = y if x < INF else x
    return y if x > ZERO else (-INF if x == ZERO else NAN)


@_helper
def log1p32(x):
    m, k = log_parts32(ONE + x)
    # 2**-k (1 + x) - 1 from x itself: the digits that 1 + x has lost are still in it.
    scale = power_of_two32(-k)
    y = log_sum32(x * scale + (scale - ONE) if x < LOG1P_WHOLE else m - ONE, k)
    y = x - HALF * x * x if abs(x) < TINY else y
    y = x if x == ZERO else y
    y = x if x == INF else y
    return y if x > -ONE else (-INF if x == -ONE else NAN)


# ---- the error function

ERF_TAIL = _table(0.128379151, -0.376124889, 0.11281731, -0.0267629642, 0.00498734787, -0.000595955527)
LOG_ERFC = _table(-0.12864849, -0.635151327, -0.106236845, 0.0237620194, -0.0036424296, 0.000322794018, -1.1230014e-05)
ERF_SPLIT = np.float32(0.93)


@_helper
def erf32(x):
    z = abs(x)
    near = polynomial(z * z, ERF_TAIL) * z + z
    clamped = FOUR if z > FOUR else z
    far = ONE - exp_normal32(polynomial(clamped, LOG_ERFC) * clamped - clamped)
    return copysign(select(z < ERF_SPLIT, near, far), x)


# ---- sine and cosine

TURNS_UPPER, TURNS_LOWER = float32_quarter_turn_tables()
QUARTER_TURN = np.pi / 2
WHOLE_SHIFT = 1.5 * 2.0**52  # adding it to a whole number leaves the number in the lowest bits of the sum
SIGN = np.int32(-(2**31))
SIN_TAIL = _table(-0.166666672, 0.0083333794, -0.000198530906, 2.83304257e-06)
COS_TAIL = _table(0.0416666456, -0.00138873106, 2.4432562e-05)


@_helper
def quarter_turns32(x):
    """n modulo 4 in the lowest bits, and r, for |x| = n pi/2 + r, |r| <= pi/4. Exact enough for every finite x.

    In float64: half the lanes, but one path for all sizes of x, where float32 would need three constants for moderate
    angles and another way for large ones.
    """
    size = abs(x)
    wide = np.float64(size)
    field = np.uint64(bits(size) >> np.int32(23))
    upper, lower = wide * TURNS_UPPER[field], wide * TURNS_LOWER[field]
    n = rint(upper + lower)
    # upper - n is exact, and the two may cancel.
    return np.int32(bits(n + WHOLE_SHIFT)), np.float32(((upper - n) + lower) * QUARTER_TURN)


@_helper
def sin_of_quarters32(n, r):
    """sin(n pi/2 + r): sin(r), cos(r), -sin(r), -cos(r) by n modulo 4."""
    w = r * r
    sine = polynomial(w, SIN_TAIL) * w * r + r
    cosine = polynomial(w, COS_TAIL) * w * w + (ONE - HALF * w)
    size = select(np.int32(n & np.int32(1)) != np.int32(0), cosine, sine)
    return from_bits(np.int32(bits(size) ^ np.int32(np.int32(n << np.int32(30)) & SIGN)))


@_helper
def sin32(x):
    n, r = quarter_turns32(x)
    return from_bits(np.int32(bits(sin_of_quarters32(n, r)) ^ np.int32(bits(x) & SIGN)))


@_helper
def cos32(x):
    n, r = quarter_turns32(x)
    return sin_of_quarters32(np.int32(n + np.int32(1)), r)
