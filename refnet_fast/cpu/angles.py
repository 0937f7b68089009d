"""2/pi to as many digits as an angle's reduction needs (Payne and Hanek 1983), in tables made from exact integers.

x * 2/pi, counted modulo 4, is the angle in quarter turns. For a large x only some middle digits of 2/pi matter: those
before them give multiples of 4. x is a whole number (of 24 or 53 bits) times 2**k, so k, and with it the exponent field
of x, selects the digits.
"""

import math

import numpy as np

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
    digits = two_over_pi(300)
    for field in range(255):
        k = max(field, 1) - 150
        # 2/pi * 2**k modulo 4, in units of 2**-unit
        unit = 300 - k
        rest = digits % (4 << unit)
        top = rest >> (unit - 26)
        below = rest - (top << (unit - 26))
        upper[field] = math.ldexp(float(top), -26 - k)
        extra = max(below.bit_length() - KEPT, 0)
        lower[field] = math.ldexp(float(below >> extra), extra - unit - k)
    return upper, lower


FLOAT64_FIRST = 1022  # the exponent field of 0.5: the first that holds numbers above pi / 4
FLOAT64_WORDS = 6


def float64_quarter_turn_table():
    """Six float64 words for each exponent field from FLOAT64_FIRST on, one row after the other; NaN for inf and NaN.

    They add up to 2/pi * 2**k modulo 4: five words of 26 bits, the first down to 2**-24, and one of 53 bits.
    """
    table = np.full((2048 - FLOAT64_FIRST, FLOAT64_WORDS), np.nan)
    digits = two_over_pi(1300)
    for field in range(FLOAT64_FIRST, 2047):
        k = field - 1075
        unit = 1300 - k
        rest = digits % (4 << unit)
        for word in range(FLOAT64_WORDS - 1):
            place = 24 + 26 * word
            top = rest >> (unit - place)
            rest -= top << (unit - place)
            table[field - FLOAT64_FIRST, word] = math.ldexp(float(top), -place)
        extra = max(rest.bit_length() - KEPT, 0)
        table[field - FLOAT64_FIRST, -1] = math.ldexp(float(rest >> extra), extra - unit)
    return table.ravel()
