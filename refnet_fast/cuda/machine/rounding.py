"""Sums and products rounded once, in any direction, on a host that rounds to nearest."""

from fractions import Fraction

import numpy as np

from refnet_fast.cuda.machine.errors import MachineError

MODES = ("rn", "rz", "rm", "rp")
TIE = np.uint64(1 << 28)  # the highest of the bits of a float64 that a float32 has not
REST = np.uint64((1 << 29) - 1)


def two_sum(a, b):
    """a + b as rounded, and what was lost; both exact unless something is infinite or not a number."""
    total = a + b
    there = total - a
    return total, (a - (total - there)) + (b - there)


def marked(value, lost):
    """A rounded number whose last bit says that something was lost: it is odd then. Rounded further, it is rounded as if once."""
    bits = value.view(np.int64)
    even = (bits & 1 == 0) & (lost != 0) & np.isfinite(value) & np.isfinite(lost)
    step = np.where((lost > 0) == (value > 0), 1, -1)
    moved = np.where(even, bits + step, bits).view(np.float64)
    # Zero has no bits to count down from: what was lost is all that there is.
    return np.where((value == 0) & (lost != 0) & np.isfinite(lost), lost, moved)


def directed(value, near, mode):
    """The neighbour of `near`, a shorter float, that a mode asks for; `value` lies beside it, exactly or marked."""
    if mode == "rn":
        return near
    wide = near.astype(value.dtype)
    down, up = np.nextafter(near, near.dtype.type(-np.inf)), np.nextafter(near, near.dtype.type(np.inf))
    below, above = wide < value, wide > value
    if mode == "rm":
        return np.where(above, down, near)
    if mode == "rp":
        return np.where(below, up, near)
    if mode == "rz":
        return np.where(above & (value > 0), down, np.where(below & (value < 0), up, near))
    raise MachineError(f"the rounding {mode!r} is not understood")


def short(value, dtype, mode="rn"):
    """Float64s rounded to a shorter dtype."""
    return directed(value, value.astype(dtype), mode)


def fused32(a, b, c, mode="rn"):
    """a * b + c of float32, rounded once: the product is exact in float64."""
    product, c = a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64)
    total = product + c
    bits = np.atleast_1d(total).view(np.uint64)
    # Rounding twice differs only from a tie, and where the result has fewer bits than a float32 usually has.
    if mode == "rn" and not ((bits & REST == TIE) | (np.abs(total) < 2.0**-125)).any():
        return total.astype(np.float32)
    total, lost = two_sum(*np.broadcast_arrays(product, c))
    return short(marked(total, lost), np.float32, mode)


def added32(a, b, mode):
    total, lost = two_sum(*np.broadcast_arrays(a.astype(np.float64), b.astype(np.float64)))
    return short(marked(total, lost), np.float32, mode)


SPLIT = float(2**27 + 1)


def two_product(a, b):
    """a * b as rounded, and what was lost; exact where neither overflows nor falls below the normal numbers."""
    product = a * b
    x, y = a * SPLIT, b * SPLIT
    a1, b1 = x - (x - a), y - (y - b)
    a0, b0 = a - a1, b - b1
    return product, a0 * b0 - (((product - a1 * b1) - a0 * b1) - a1 * b0)


def fused64(a, b, c, mode="rn"):
    """a * b + c of float64, rounded once.

    Where nothing comes near the ends of the range by Boldo and Melquiond (2008): the lost parts are added to odd, so that the last sum rounds
    as if it were the only one. Elsewhere by fractions, one after the other.
    """
    a, b, c = np.broadcast_arrays(a, b, c)
    product, lost = two_product(a, b)
    sizes = np.abs(a), np.abs(b), np.abs(product), np.abs(c)
    exact = (product == 0) & ((a == 0) | (b == 0)) | (sizes[2] > 2.0**-900)
    easy = exact & (sizes[0] < 2.0**900) & (sizes[1] < 2.0**900) & (sizes[2] < 2.0**900) & (sizes[3] < 2.0**900)
    easy &= (c == 0) | (sizes[3] > 2.0**-900)
    lost = np.where(product == 0, 0.0, lost)
    below, rest = two_sum(c, lost)
    upper, middle = two_sum(product, below)
    total = upper + marked(*two_sum(middle, rest))
    if mode != "rn":
        back, off = two_sum(upper, marked(*two_sum(middle, rest)))
        total = toward(back, off, mode)
    hard = ~easy & np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    total = np.where(easy | hard, total, np.where(np.isfinite(a) & np.isfinite(b), c, a * b + c))
    for n in np.flatnonzero(hard):
        total[n] = by_fraction(float(a[n]), float(b[n]), float(c[n]), mode)
    return total


def toward(near, off, mode):
    """A sum as rounded to nearest, and what was lost, rounded in another direction."""
    down, up = np.nextafter(near, -np.inf), np.nextafter(near, np.inf)
    if mode == "rm":
        return np.where(off < 0, down, near)
    if mode == "rp":
        return np.where(off > 0, up, near)
    if mode == "rz":
        return np.where((near > 0) & (off < 0), down, np.where((near < 0) & (off > 0), up, near))
    raise MachineError(f"the rounding {mode!r} is not understood")


def by_fraction(a, b, c, mode):
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c  # its sign is that of a sum of zeros
    try:
        near = float(exact)  # rounds to nearest, ties to even
    except OverflowError:
        near = np.inf if exact > 0 else -np.inf
    if mode == "rn" or np.isinf(near):
        return near
    return float(toward(np.float64(near), np.float64((exact > Fraction(near)) * 1.0 - (exact < Fraction(near))), mode))


def operation64(name, a, b, mode):
    """a + b, a - b or a * b of float64 in a direction."""
    if mode == "rn":
        return {"add": np.add, "sub": np.subtract, "mul": np.multiply}[name](a, b)
    if name == "mul":
        return fused64(a, b, np.where(np.signbit(a) != np.signbit(b), -0.0, 0.0), mode)
    return toward(*two_sum(*np.broadcast_arrays(a, b if name == "add" else -b)), mode)
