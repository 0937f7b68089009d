"""Dropout masks: Philox in vectors, 16 blocks side by side, the same bits as the definition's.

The four words of a counter are four rows of 16 lanes in the first cache; a round multiplies, shifts and crosses them a row at a time.
"""

import numpy as np
from numba import njit

from refnet_fast.cpu.rows import fill_row
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate

LANES = 16  # blocks side by side
BLOCK_NS = 8.0  # of a block's four words
ROW = {"error_model": "numpy", "pipeline_class": Separate}


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
    words, kept = np.empty((4, LANES), np.uint32), y.dtype.type(scale)
    last = np.empty(4 * LANES, y.dtype)
    for block in range(lo, hi, LANES):
        words_of(seed, place, run[0], block, words)
        start, count = 4 * block, min(4 * min(LANES, hi - block), y.size - 4 * block)
        out = y[start : start + count] if count % 4 == 0 else last
        masks(words, np.int64(threshold), kept, out)
        if count % 4:
            y[start : start + count] = last[:count]
