"""2/pi to as many digits as an angle's reduction needs (Payne and Hanek 1983), in tables made from exact integers.

x * 2/pi, counted modulo 4, is the angle in quarter turns. For a large x only some middle digits of 2/pi matter: those
before them give multiples of 4. x is a whole number of 24 bits times 2**k, so k, and with it the exponent field of x,
selects the digits.
"""

import numpy as np

PI_DIGITS = 300  # binary digits of pi after the point: 128 for the largest float32, 80 kept, and a margin
KEPT = 54  # digits of the second part


def scaled_arctan_of_inverse(n, digits):
    """arctan(1 / n) * 2**digits, rounded down, by its Taylor series."""
    power, total, k = (1 << digits) // n, 0, 0
    while power:
        total += (-1) ** k * (power // (2 * k + 1))
        power //= n * n
        k += 1
    return total


def two_over_pi(digits):
    """2/pi * 2**digits, rounded down; pi by Machin's formula with 64 digits to spare."""
    work = digits + 64
    pi = 4 * (4 * scaled_arctan_of_inverse(5, work) - scaled_arctan_of_inverse(239, work))
    return (2 << (2 * work)) // pi >> (work - digits)


def float32_quarter_turn_tables():
    """Two float64 factors for each exponent field of a float32.

    x * upper is exact and a multiple of 2**-26; x * (upper + lower) is the angle in quarter turns, modulo 4, within
    2**-54. Inf and NaN get NaN.
    """
    upper, lower = np.full(256, np.nan), np.full(256, np.nan)
    digits = two_over_pi(PI_DIGITS)
    for field in range(255):
        k = max(field, 1) - 150
        # 2/pi * 2**k modulo 4, in units of 2**-unit
        unit = PI_DIGITS - k
        rest = digits % (4 << unit)
        top = rest >> (unit - 26)
        below = rest - (top << (unit - 26))
        upper[field] = np.ldexp(float(top), -26 - k)
        extra = max(below.bit_length() - KEPT, 0)
        lower[field] = np.ldexp(float(below >> extra), extra - unit - k)
    return upper, lower
