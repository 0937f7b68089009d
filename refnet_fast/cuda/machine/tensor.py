"""Products of small matrices whose elements lie in the registers of a warp.

PTX leaves the rounding of the sums open. Here it is the coarsest that has been measured on devices (Fasi, Higham, Mikaitis and Pranesh,
"Numerical behavior of NVIDIA tensor cores", 2021): products are exact, all terms are cut to a common place, that of the largest with
`EXTRA` bits on top of float32's, and the sum is cut to float32. Nothing is rounded to nearest.
"""

import numpy as np

from refnet_fast.cuda.machine.floats import widened
from refnet_fast.cuda.machine.rounding import short

EXTRA = 0  # bits below the last of a float32 that a term keeps while it is added: as on the first of these devices

LANE = np.arange(32)
GROUP, INSIDE = LANE // 4, LANE % 4


def as_float16(words):
    return words.view(np.float16).astype(np.float64)


def as_bfloat16(words):
    return widened(np.ascontiguousarray(words).view(np.uint16)).astype(np.float64)


def as_tf32(words):
    """What a unit reads of a word: its last thirteen bits are not looked at."""
    return (words & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


class Layout:
    """Which lane holds what of a product.

    Args:
        read: words of registers as numbers.
        a: for each number of the first factor that a lane has, (rows, columns) by lane.
        b: the same of the second.
        depth: the length of the sums.
        at_once: how many of their terms are added at once.
    """

    def __init__(self, read, a, b, depth, at_once):
        self.read, self.depth, self.at_once = read, depth, at_once
        self.a, self.b = (tuple(np.array(axis) for axis in zip(*places)) for places in (a, b))
        rows = [GROUP + 8 * (i // 2) for i in range(4)]
        columns = [2 * INSIDE + i % 2 for i in range(4)]
        self.c = np.array(rows), np.array(columns)

    def matrix(self, words, places, shape):
        """The matrices of all warps, from words by (thread, register)."""
        numbers = self.read(np.ascontiguousarray(words)).reshape(len(words) // 32, 32, -1)
        found = np.full((len(numbers), *shape), np.nan)
        rows, columns = places
        found[:, rows, columns] = numbers.transpose(0, 2, 1)
        return found

    def product(self, left, right, before):
        """before + left @ right, by (thread, register)."""
        a = self.matrix(left, self.a, (16, self.depth))
        b = self.matrix(right, self.b, (self.depth, 8))
        total = np.empty((len(a), 16, 8))
        rows, columns = self.c
        total[:, rows, columns] = before.reshape(-1, 32, 4).transpose(0, 2, 1)
        for start in range(0, self.depth, self.at_once):
            terms = slice(start, start + self.at_once)
            products = a[:, :, terms, None] * b[:, None, terms, :]
            total = cut_sum(np.concatenate([total[:, :, None], products], 2)).astype(np.float64)
        return total[:, rows, columns].transpose(0, 2, 1).reshape(-1, 4).astype(np.float32)


def cut_sum(terms):
    """The sums along axis 2, each term cut to the place that the largest one sets, and the sum to float32."""
    finite = np.isfinite(terms).all(2)
    sizes = np.where(np.isfinite(terms), np.abs(terms), 0)
    _, exponent = np.frexp(sizes.max(2))
    place = np.ldexp(1.0, np.clip(exponent - 24 - EXTRA, -1000, 1000))[:, :, None]
    whole = np.trunc(np.where(finite[:, :, None], terms, 0) / place) * place
    total = short(np.ascontiguousarray(whole.sum(2)), np.float32, "rz")  # of numbers of so few places the sum is exact
    return np.where(finite, total, terms.sum(2).astype(np.float32))


def of_16_bits():
    """a0 ... a7 and b0 ... b3 of m16n8k16."""
    a = [(GROUP + (0 if i < 2 or 4 <= i < 6 else 8), 2 * INSIDE + i % 2 + (0 if i < 4 else 8)) for i in range(8)]
    b = [(2 * INSIDE + i % 2 + (0 if i < 2 else 8), GROUP) for i in range(4)]
    return a, b


def of_tf32():
    """a0 ... a3 and b0, b1 of m16n8k8."""
    a = [(GROUP + 8 * (i % 2), INSIDE + 4 * (i // 2)) for i in range(4)]
    b = [(INSIDE + 4 * i, GROUP) for i in range(2)]
    return a, b


def words_of(shape, kind):
    return ("sync", "aligned", shape, "row", "col", "f32", kind, kind, "f32")


LAYOUTS = {
    words_of("m16n8k16", "f16"): Layout(as_float16, *of_16_bits(), 16, 8),
    words_of("m16n8k16", "bf16"): Layout(as_bfloat16, *of_16_bits(), 16, 8),
    words_of("m16n8k8", "tf32"): Layout(as_tf32, *of_tf32(), 8, 4),
}
