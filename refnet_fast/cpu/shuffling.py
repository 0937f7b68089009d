"""Random order: what is drawn comes in vectors, the exchanges one after the other."""

import numpy as np

from refnet_fast.cpu.random import ROW, whole_below, words_of
from refnet_fast.kernels import kernel
from refnet_fast.native import njit
from refnet_fast.outcomes import scratch

LANES = 64  # blocks of the generator side by side, two draws each


@njit(**ROW)
def partners(words, bound, to):
    """to[t] = a number below bound - t: draw t of these blocks. There is room for an even number of them."""
    for j in range(to.size // 2):
        to[2 * j] = whole_below(bound - 2 * j, words[0, j], words[1, j])
        to[2 * j + 1] = whole_below(bound - 2 * j - 1, words[2, j], words[3, j])


@kernel(
    "permutation",
    when=lambda call: call.form.outputs[0].shape[0] < 2**32,
    tasks=lambda call: 1,
    cost=lambda call: 5.0 * call.form.outputs[0].shape[0],
)
def permutation_in_order(run, seed, place, y, lo, hi):
    """One task: every exchange depends on those before it."""
    for _ in range(lo, hi):
        for i in range(y.size):
            y[i] = i
        words, to = scratch((4, LANES), np.uint32), scratch(2 * LANES, np.int64)
        for first in range(0, y.size - 1, 2 * LANES):
            words_of(seed, place, run[0], first // 2, words)
            draws = min(2 * LANES, y.size - 1 - first)
            partners(words, y.size - first, to[: draws + draws % 2])
            for t in range(draws):
                i, j = y.size - 1 - first - t, to[t]
                y[i], y[j] = y[j], y[i]
