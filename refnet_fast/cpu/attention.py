"""Attention by blocks: 32 queries, or keys, side by side in vectors; logits are made again in the gradients, never stored.

A block's logits stand in scratch memory of the second-level cache, other places by rows: all that happens to them (scale, bias,
mask, exponential) runs over 32 lanes, and every sum over features or places is a product on the register tile. Only the block's own
queries or keys are copied, turned around; everything else is read in place.

What is masked has weight 0, which must not meet an infinity: where a block masks something and the numbers it would be multiplied
with are not all finite, it is computed row by row (`attention_rows.py`), as are queries that see nothing. `attention_gradients.py` does the
same.
"""

import numpy as np

from refnet_fast.cpu.activation import exp, log
from refnet_fast.cpu.attention_calls import CALLS
from refnet_fast.cpu.attention_lanes import (
    CHUNK,
    LANES,
    address,
    all_finite,
    block_of,
    gather,
    hide,
    hides,
    is_one_number,
    meet,
    scaled,
    scaled_lanes,
    turn,
)
from refnet_fast.cpu.attention_rows import query_row
from refnet_fast.cpu.intrinsics import maximum
from refnet_fast.cpu.rows import MACHINE, fill_row
from refnet_fast.kernels import kernel
from refnet_fast.native import njit
from refnet_fast.outcomes import scratch


@njit(**MACHINE)
def rise_to(row, best):
    for j in range(row.size):
        best[j] = maximum(best[j], row[j])


@njit(error_model="numpy")
def rise(rows, best):
    """The largest number of each lane, NaN if there is one."""
    for i in range(rows.shape[0]):
        rise_to(rows[i], best)


@njit(**MACHINE)
def to_weights(rows, best, total):
    """Exponentials in the place of logits, and their sum in each lane."""
    for i in range(rows.shape[0]):
        for j in range(LANES):
            rows[i, j] = exp(rows[i, j] - best[j])
            total[j] += rows[i, j]


@njit(error_model="numpy")
def count(mask, seen):
    for j in range(seen.size):
        seen[j] += mask[j]


@kernel("dot_product_attention", **CALLS)
def attention_blocks(strips, q, k, v, bias, mask, scale, causal, y, height, lo, hi):
    """Blocks of 32 queries: all their logits, the softmax down the columns, and the average of the values."""
    kind, group = q.dtype.type, q.shape[2] // k.shape[2]
    turned, logits = scratch((q.shape[3], LANES), q.dtype), scratch((k.shape[1], LANES), q.dtype)
    best, total, seen = scratch(LANES, q.dtype), scratch(LANES, q.dtype), scratch(LANES, np.int64)
    for task in range(lo, hi):
        b, n, first, end = block_of(task, q.shape[2], q.shape[1])
        head, lanes, masked = n // group, end - first, hides(mask, b, n, causal)
        if masked and not all_finite(v, b, head):
            for t in range(first, end):
                query_row(q, k, v, bias, mask, scale, causal, b, n, t, logits, y, height)
            continue
        keys = min(end, k.shape[1]) if causal else k.shape[1]
        turn(q, b, first, end, n, turned)
        meet(strips, k, b, 0, keys, head, turned, lanes, logits)
        best[:], total[:], seen[:] = -np.inf, 0, 0
        if is_one_number(bias):
            scaled(logits[:keys], kind(scale), bias[b, n, 0, 0])
        else:
            for s in range(keys):
                scaled_lanes(logits[s], kind(scale), bias[b, n, first:end, s])
        if masked:
            for s in range(keys):
                row, early = logits[s, :lanes], min(max(s - first, 0), lanes) if causal else 0
                hide(row, mask[b, n, first:end, s], kind(-np.inf))
                fill_row(row[:early], kind(-np.inf))
                count(mask[b, n, first + early : end, s], seen[early:lanes])
        rise(logits[:keys], best)
        to_weights(logits[:keys], best, total)
        step = y.shape[2] * y.shape[3]
        for s in range(0, keys, CHUNK):
            part = logits[s : min(s + CHUNK, keys)]
            gather(strips, part, v, b, s, s + len(part), head, lanes, address(y, b, first, n), step, 1 if s else 0)
        for t in range(first, end):
            if masked and seen[t - first] == 0:
                query_row(q, k, v, bias, mask, scale, causal, b, n, t, logits, y, height)
                continue
            out, sum_of_lane = y[b, t, n], total[t - first]
            height[b, n, t] = best[t - first] + log(sum_of_lane)
            for h in range(out.size):
                out[h] = out[h] / sum_of_lane
