"""Random numbers: Philox in vectors, many blocks side by side, the same bits as the definition's.

The four words of a counter are four rows of lanes in the first cache; a round multiplies, shifts and crosses them a row at a time.
Where the numbers are computed with floats, no product and sum are contracted to one operation, as in the definition.
"""

import math

import numpy as np

from refnet import philox
from refnet_fast.cpu.rows import fill_row
from refnet_fast.derive import compiled
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate, njit
from refnet_fast.outcomes import scratch

LANES = 16  # blocks side by side
MANY_LANES = 64  # where a step between the passes takes time of its own
BLOCK_NS = 8.0  # of a block's four words
NORMAL_NS = 20.0  # of a block's four quantiles
ROW = {"error_model": "numpy", "pipeline_class": Separate}
EXACT = {**ROW, "fastmath": False}  # said, for what is not said comes from the caller

central, middle, far = compiled(philox.central), compiled(philox.middle), compiled(philox.far)
log_of_parts = compiled(philox.log_of_parts)


@njit(**ROW)
def philox_round(c0, c1, c2, c3, k0, k1):
    """One round on every lane; k0 and k1 are uint32, products of two words fit uint64."""
    half = np.uint64(32)
    for j in range(c0.size):
        first, second = np.uint64(0xD2511F53) * np.uint64(c0[j]), np.uint64(0xCD9E8D57) * np.uint64(c2[j])
        c0[j] = np.uint32(second >> half) ^ c1[j] ^ k0
        c2[j] = np.uint32(first >> half) ^ c3[j] ^ k1
        c1[j], c3[j] = np.uint32(second), np.uint32(first)


@njit(error_model="numpy")
def words_of(seed, place, run, block, words):
    """words[k, lane] = word k of block + lane: `refnet.philox.random_words`."""
    for lane in range(words.shape[1]):
        words[0, lane] = np.uint32(block + lane)
    fill_row(words[1], np.uint32(0))
    fill_row(words[2], np.uint32(run & 0xFFFFFFFF))
    fill_row(words[3], np.uint32((run >> 32) & 0xFFFFFFFF))
    k0, k1 = np.int64(seed), np.int64(place)
    for _ in range(10):
        philox_round(words[0], words[1], words[2], words[3], np.uint32(k0), np.uint32(k1))
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF


def _float(call):
    return call.outputs[0].dtype in ("float32", "float64")


@njit(**ROW)
def masks(words, threshold, scale, out):
    """out[4 * lane + k] for whole blocks."""
    zero = out.dtype.type(0)
    for j in range(out.size // 4):
        out[4 * j] = scale if words[0, j] >= threshold else zero
        out[4 * j + 1] = scale if words[1, j] >= threshold else zero
        out[4 * j + 2] = scale if words[2, j] >= threshold else zero
        out[4 * j + 3] = scale if words[3, j] >= threshold else zero


@kernel(
    "dropout_mask",
    when=_float,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: BLOCK_NS,
    quantum=LANES,
)
def dropout_masks(run, seed, place, threshold, scale, y, lo, hi):
    """Blocks lo..hi of four elements, 64 elements at a time; the last block may be shorter."""
    words, kept = scratch((4, LANES), np.uint32), y.dtype.type(scale)
    last = scratch(4 * LANES, y.dtype)
    for block in range(lo, hi, LANES):
        words_of(seed, place, run[0], block, words)
        start, count = 4 * block, min(4 * min(LANES, hi - block), y.size - 4 * block)
        out = y[start : start + count] if count % 4 == 0 else last
        masks(words, np.int64(threshold), kept, out)
        if count % 4:
            y[start : start + count] = last[:count]


# ---- uniform and normal: the fractions of all words first, then what is made of them


@njit(**EXACT)
def fractions(words, bits, offset, u):
    """u[4 * lane + k] = the highest bits of word k, and an offset, in units of 2**-bits."""
    dropped, unit = np.uint32(32 - bits), 1.0 / (1 << bits)
    for j in range(words.shape[1]):
        u[4 * j] = (np.float64(words[0, j] >> dropped) + offset) * unit
        u[4 * j + 1] = (np.float64(words[1, j] >> dropped) + offset) * unit
        u[4 * j + 2] = (np.float64(words[2, j] >> dropped) + offset) * unit
        u[4 * j + 3] = (np.float64(words[3, j] >> dropped) + offset) * unit


@njit(**EXACT)
def long_fractions(words, bits, offset, u):
    """u[2 * lane + k] = the same of words 2k and 2k + 1: 26 bits of the lower one."""
    dropped, six, unit = np.uint32(58 - bits), np.uint32(6), 1.0 / (1 << bits)
    for j in range(words.shape[1]):
        first, second = np.int32(words[1, j] >> six), np.int32(words[3, j] >> six)
        u[2 * j] = (np.int32(words[0, j] >> dropped) * 67108864.0 + first + offset) * unit
        u[2 * j + 1] = (np.int32(words[2, j] >> dropped) * 67108864.0 + second + offset) * unit


@njit(**EXACT)
def lay(u, offset, factor, y):
    for i in range(y.size):
        y[i] = offset + factor * u[i]


@kernel(
    "random_uniform",
    when=_float,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: BLOCK_NS,
    quantum=LANES,
    fastmath=frozenset(),
)
def random_uniforms(run, seed, place, bits, minval, maxval, y, lo, hi):
    """Blocks lo..hi: two float64 of 53 bits each, or four float32 of 24."""
    in_block = 2 if bits == 53 else 4
    words, u = scratch((4, LANES), np.uint32), scratch(in_block * LANES, np.float64)
    for block in range(lo, hi, LANES):
        words_of(seed, place, run[0], block, words)
        if bits == 53:
            long_fractions(words, bits, 0.0, u)
        else:
            fractions(words, bits, 0.0, u)
        lay(u, minval, maxval - minval, y[in_block * block : in_block * min(block + LANES, hi)])


@njit(**EXACT)
def central_quantiles(p, z):
    """z[i] = `refnet.philox.normal_quantile` of p[i] for those near 1/2; of the others, nothing of use."""
    for i in range(z.size):
        q = p[i] - 0.5
        z[i] = q * central(0.180625 - q * q)


@njit(**EXACT)
def outer_places(p, places, outer):
    """How many p are not near 1/2, where they stand, and how far each is from its end, 0 or 1."""
    count = 0
    for i in range(p.size):
        q = p[i] - 0.5
        places[count], outer[count] = i, min(p[i], 1.0 - p[i])
        count += np.int64(abs(q) > 0.425)  # without a branch: nobody can tell which way it would go
    return count


@njit(**EXACT)
def split(x, m, k):
    """x = 2**-k * m with 1 <= m < 2, by the bits of positive normal float64."""
    bits, mantissas = x.view(np.int64), m.view(np.int64)
    for i in range(x.size):
        k[i] = np.int32(1023 - (bits[i] >> 52))
        mantissas[i] = (bits[i] & 0xFFFFFFFFFFFFF) | (1023 << 52)


@njit(**EXACT)
def roots(m, k, r):
    """r = sqrt(-log(2**-k * m)), and its quantile up to r = 5."""
    for i in range(m.size):
        high = m[i] >= 1.4142135623730951  # twice the least that the logarithm takes
        r[i] = math.sqrt(-log_of_parts(0.5 * m[i] if high else m[i], k[i] - (1.0 if high else 0.0)))


@njit(**EXACT)
def middle_quantiles(r, z):
    for i in range(r.size):
        z[i] = middle(r[i] - 1.6)


@njit(**EXACT)
def put_outer(p, r, places, found, z):
    """The quantiles of the outer p to their places, with their signs; those of the few beyond r = 5 are computed here."""
    for i in range(r.size):
        value = found[i] if r[i] <= 5.0 else far(r[i] - 5.0)
        z[places[i]] = math.copysign(value, p[places[i]] - 0.5)


@kernel(
    ("random_normal", "random_truncated_normal"),
    when=_float,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: NORMAL_NS,
    quantum=MANY_LANES,
    fastmath=frozenset(),
)
def random_normals(run, seed, place, in_block, mean, stddev, below, inside, y, lo, hi):
    """Blocks lo..hi: all quantiles as if they were near the middle, then the outer ones, brought together, in vectors of their own."""
    lanes = min(MANY_LANES, hi - lo)
    count = in_block * lanes
    words, places = scratch((4, lanes), np.uint32), scratch(count, np.int64)
    u, p, z, outer = (
        scratch(count, np.float64),
        scratch(count, np.float64),
        scratch(count, np.float64),
        scratch(count, np.float64),
    )
    m, k, r = scratch(count, np.float64), scratch(count, np.float64), scratch(count, np.float64)
    for block in range(lo, hi, lanes):
        words_of(seed, place, run[0], block, words)
        if in_block == 2:
            long_fractions(words, 52, 0.5, u)
        else:
            fractions(words, 32, 0.5, u)
        lay(u, below, inside, p)
        central_quantiles(p, z)
        n = outer_places(p, places, outer)
        split(outer[:n], m[:n], k[:n])
        roots(m[:n], k[:n], r[:n])
        middle_quantiles(r[:n], outer[:n])
        put_outer(p, r[:n], places, outer, z)
        lay(z, mean, stddev, y[in_block * block : in_block * min(block + lanes, hi)])


# ---- whole numbers


@njit(**ROW)
def whole_below(bound, high, low):
    """`refnet.philox.whole_below` for bounds of at most 32 bits."""
    half, bound = np.uint64(32), np.uint64(bound)
    return np.int64((bound * np.uint64(high) + ((bound * np.uint64(low)) >> half)) >> half)


@njit(**ROW)
def lay_whole(words, bound, offset, y):
    """y[2 * lane + k]: two for each block, of which the last may lack its second."""
    for j in range(y.size // 2):
        y[2 * j] = offset + whole_below(bound, words[0, j], words[1, j])
        y[2 * j + 1] = offset + whole_below(bound, words[2, j], words[3, j])
    if y.size % 2:
        y[y.size - 1] = offset + whole_below(bound, words[0, y.size // 2], words[1, y.size // 2])


@kernel(
    "random_integers",
    when=lambda call: call.attributes["maxval"] - call.attributes["minval"] < 2**32,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: BLOCK_NS,
    quantum=LANES,
)
def random_wholes(run, seed, place, minval, maxval, y, lo, hi):
    """Blocks lo..hi, two numbers each."""
    words = scratch((4, LANES), np.uint32)
    for block in range(lo, hi, LANES):
        words_of(seed, place, run[0], block, words)
        lay_whole(words, maxval - minval, minval, y[2 * block : 2 * min(block + LANES, hi)])
