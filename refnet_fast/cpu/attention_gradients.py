"""The gradients of attention by blocks of 32 queries or keys, which meet the other kind 256 at a time; see `attention.py`."""

import numpy as np

from refnet_fast.cpu.activation import exp
from refnet_fast.cpu.attention_calls import CALLS, HEADS
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
    scatter,
    turn,
)
from refnet_fast.cpu.attention_rows import add_shares, key_gradient_row, query_gradient_row
from refnet_fast.cpu.rows import MACHINE, copy_row, fill_row
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate, njit
from refnet_fast.outcomes import cleared_scratch, scratch


@njit(**MACHINE)
def slopes_of_keys(logits, slopes, height, shift):
    """Rows of keys, lanes of queries: gradients of weights become those of logits."""
    for i in range(logits.shape[0]):
        for j in range(LANES):
            slopes[i, j] = exp(logits[i, j] - height[j]) * (slopes[i, j] - shift[j])


@njit(**MACHINE)
def slopes_of_queries(logits, slopes, height, shift):
    """Rows of queries, lanes of keys: logits become weights, gradients of weights become those of logits."""
    for i in range(logits.shape[0]):
        for j in range(LANES):
            logits[i, j] = exp(logits[i, j] - height[i])
            slopes[i, j] = logits[i, j] * (slopes[i, j] - shift[i])


@njit(error_model="numpy")
def meet_queries(
    strips, dy, q, bias, height, shift, scale, b, n, start, stop, first, end, keys, values, logits, slopes
):
    """Weights of queries start..stop for keys first..end, a block of lanes, and the gradients of their logits; nothing is masked yet."""
    kind, lanes = q.dtype.type, end - first
    meet(strips, q, b, start, stop, n, keys, lanes, logits)
    meet(strips, dy, b, start, stop, n, values, lanes, slopes)
    if is_one_number(bias):
        scaled(logits[: stop - start], kind(scale), bias[b, n, 0, 0])
    else:
        for t in range(start, stop):
            scaled_lanes(logits[t - start], kind(scale), bias[b, n, t, first:end])
    slopes_of_queries(logits[: stop - start], slopes, height[b, n, start:stop], shift[b, n, start:stop])


@njit(error_model="numpy")
def scale_by(out, factor):
    for h in range(out.size):
        out[h] = out[h] * factor


@njit(error_model="numpy")
def some_blind(height):
    """Whether some query sees nothing."""
    blind = False
    for t in range(height.size):
        blind |= height[t] == -np.inf
    return blind


@njit(error_model="numpy")
def hide_blind(row, height):
    for j in range(row.size):
        row[j] = row[j] if height[j] != -np.inf else row.dtype.type(0)


@njit(error_model="numpy", pipeline_class=Separate)
def keep(slopes, out):
    """Rows of places become rows of lanes."""
    for lane in range(out.shape[0]):
        for place in range(out.shape[1]):
            out[lane, place] = slopes[place, lane]


@njit(error_model="numpy", fastmath={"contract"})
def query_gradient_blocks(strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dq, dbias, lo, hi):
    """Blocks of 32 queries visit the keys they see, 256 at a time: two products make the slopes of their logits, one adds to dq.

    Unless dbias is None, the slopes are kept in it.
    """
    kind, group = q.dtype.type, q.shape[2] // k.shape[2]
    turned, above = scratch((q.shape[3], LANES), q.dtype), scratch((v.shape[3], LANES), q.dtype)
    logits, slopes = scratch((CHUNK, LANES), q.dtype), scratch((CHUNK, LANES), q.dtype)
    tops, moves = cleared_scratch(LANES, q.dtype), cleared_scratch(LANES, q.dtype)
    for task in range(lo, hi):
        b, n, first, end = block_of(task, q.shape[2], q.shape[1])
        head, lanes = n // group, end - first
        masked = hides(mask, b, n, causal) or some_blind(height[b, n])
        if masked and not all_finite(k, b, head):
            for t in range(first, end):
                query_gradient_row(dy, q, k, v, bias, mask, height, shift, scale, causal, b, n, t, dq, dbias)
            continue
        turn(q, b, first, end, n, turned)
        turn(dy, b, first, end, n, above)
        tops[:lanes], moves[:lanes] = height[b, n, first:end], shift[b, n, first:end]
        keys = min(end, k.shape[1]) if causal else k.shape[1]
        for start in range(0, keys, CHUNK):
            stop = min(start + CHUNK, keys)
            meet(strips, k, b, start, stop, head, turned, lanes, logits)
            meet(strips, v, b, start, stop, head, above, lanes, slopes)
            if is_one_number(bias):
                scaled(logits[: stop - start], kind(scale), bias[b, n, 0, 0])
            else:
                for s in range(start, stop):
                    scaled_lanes(logits[s - start], kind(scale), bias[b, n, first:end, s])
            slopes_of_keys(logits[: stop - start], slopes, tops, moves)
            if masked:
                for s in range(start, stop):
                    slope = slopes[s - start, :lanes]
                    hide(slope, mask[b, n, first:end, s], kind(0))
                    hide_blind(slope, tops)
                    fill_row(slope[: min(max(s - first, 0), lanes) if causal else 0], kind(0))
            to, step = address(dq, b, first, n), dq.shape[2] * dq.shape[3]
            gather(strips, slopes, k, b, start, stop, head, lanes, to, step, 1 if start else 0)
            if dbias is not None:
                keep(slopes[: stop - start, :lanes], dbias[b, n, first:end, start:stop])
        for t in range(first, end):
            if dbias is not None:
                fill_row(dbias[b, n, t, keys:], kind(0))
            scale_by(dq[b, t, n], kind(scale))


@kernel("dot_product_attention_query_gradient", **CALLS)
def attention_query_gradient_blocks(strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dq, lo, hi):
    """Blocks of 32 queries."""
    query_gradient_blocks(strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dq, None, lo, hi)


@kernel("dot_product_attention_query_and_bias_gradient", **CALLS)
def attention_query_and_bias_gradient_blocks(
    strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dq, dbias, lo, hi
):
    """Blocks of 32 queries, whose slopes of logits are the bias's: they are turned around and kept."""
    query_gradient_blocks(strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dq, dbias, lo, hi)


@njit(error_model="numpy", fastmath={"contract"})
def key_block(
    strips, dy, q, k, v, bias, mask, height, shift, scale, causal, b, head, first, end, room, dq, dk, dv
):  # fmt: skip
    """A block of 32 keys visits the queries that see them, 256 at a time: two products make weights and slopes, two add to dk and dv.

    Unless dq is None, a third product adds to it what the slopes of these keys are worth to the queries, not scaled yet.

    Args:
        room: (features, LANES) and (depth, LANES), for the block's keys and values; (CHUNK, LANES) twice, for logits and slopes.
    """
    kind, group, lanes = q.dtype.type, q.shape[2] // k.shape[2], end - first
    keys, values, logits, slopes = room
    turn(k, b, first, end, head, keys)
    turn(v, b, first, end, head, values)
    to_k, to_v = address(dk, b, first, head), address(dv, b, first, head)
    step_q, step_k, step_v = q.shape[2] * q.shape[3], k.shape[2] * k.shape[3], v.shape[2] * v.shape[3]
    for s in range(first, end):
        fill_row(dk[b, s, head], kind(0))
        fill_row(dv[b, s, head], kind(0))
    for n in range(head * group, (head + 1) * group):
        masked = hides(mask, b, n, causal) or some_blind(height[b, n])
        if masked:
            finite = all_finite(q, b, n) and all_finite(dy, b, n)
            if dq is not None:
                finite = finite and all_finite(k, b, head)
            if not finite:
                for s in range(first, end):
                    key_gradient_row(dy, q, k, v, bias, mask, height, shift, scale, causal, b, s, head, n, dq, dk, dv)
                continue
        for start in range(first if causal else 0, q.shape[1], CHUNK):
            stop = min(start + CHUNK, q.shape[1])
            meet_queries(
                strips, dy, q, bias, height, shift, scale, b, n, start, stop, first, end, keys, values, logits, slopes
            )
            if masked:
                for t in range(start, stop):
                    late = min(max(t + 1 - first, 0), lanes) if causal else lanes
                    for part in (logits[t - start, :lanes], slopes[t - start, :lanes]):
                        hide(part, mask[b, n, t, first:end], kind(0))
                        fill_row(part[0 if height[b, n, t] == -np.inf else late :], kind(0))
            gather(strips, slopes, q, b, start, stop, n, lanes, to_k, step_k, 1)
            gather(strips, logits, dy, b, start, stop, n, lanes, to_v, step_v, 1)
            if dq is not None:
                scatter(strips, slopes, k, b, first, head, lanes, stop - start, address(dq, b, start, n), step_q)
        if masked:
            for t in range(q.shape[1]):
                if height[b, n, t] == -np.inf:
                    for s in range(first, end):
                        add_shares(dy[b, t, n], kind(k.shape[1]), dv[b, s, head])
    for s in range(first, end):
        scale_by(dk[b, s, head], kind(scale))


@kernel("dot_product_attention_key_gradient", **CALLS)
def attention_key_gradient_blocks(strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dk, dv, lo, hi):
    """Blocks of 32 keys."""
    keys, values = scratch((k.shape[3], LANES), q.dtype), scratch((v.shape[3], LANES), q.dtype)
    room = keys, values, scratch((CHUNK, LANES), q.dtype), scratch((CHUNK, LANES), q.dtype)
    for task in range(lo, hi):
        b, head, first, end = block_of(task, k.shape[2], k.shape[1])
        key_block(
            strips, dy, q, k, v, bias, mask, height, shift, scale, causal, b, head, first, end, room, None, dk, dv
        )


@kernel("dot_product_attention_query_and_key_gradient", **HEADS)
def attention_query_and_key_gradient_heads(
    strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dq, dk, dv, lo, hi
):
    """Heads of the keys, one block of 32 keys after the other: what each adds to dq is made of the slopes that it has at hand."""
    kind, group = q.dtype.type, q.shape[2] // k.shape[2]
    keys, values = scratch((k.shape[3], LANES), q.dtype), scratch((v.shape[3], LANES), q.dtype)
    room = keys, values, scratch((CHUNK, LANES), q.dtype), scratch((CHUNK, LANES), q.dtype)
    blocks = (k.shape[1] + LANES - 1) // LANES
    for task in range(lo, hi):
        b, head = task // k.shape[2], task % k.shape[2]
        for t in range(q.shape[1]):
            for n in range(head * group, (head + 1) * group):
                fill_row(dq[b, t, n], kind(0))
        for block in range(blocks):
            _, _, first, end = block_of(task * blocks + block, k.shape[2], k.shape[1])
            key_block(
                strips, dy, q, k, v, bias, mask, height, shift, scale, causal, b, head, first, end, room, dq, dk, dv
            )
        for t in range(q.shape[1]):
            for n in range(head * group, (head + 1) * group):
                scale_by(dq[b, t, n], kind(scale))


@kernel("dot_product_attention_bias_gradient", **CALLS)
def attention_bias_gradient_blocks(strips, dy, q, k, v, bias, mask, height, shift, scale, causal, dbias, lo, hi):
    """Blocks of 32 keys visit all queries of a head, 256 at a time: two products make the slopes of their logits, which are kept."""
    kind, group = q.dtype.type, q.shape[2] // k.shape[2]
    keys, values = scratch((k.shape[3], LANES), q.dtype), scratch((v.shape[3], LANES), q.dtype)
    logits, slopes = scratch((CHUNK, LANES), q.dtype), scratch((CHUNK, LANES), q.dtype)
    for task in range(lo, hi):
        b, n, first, end = block_of(task, q.shape[2], k.shape[1])
        head, lanes = n // group, end - first
        masked = hides(mask, b, n, causal) or some_blind(height[b, n])
        turn(k, b, first, end, head, keys)
        turn(v, b, first, end, head, values)
        for start in range(0, q.shape[1], CHUNK):
            stop = min(start + CHUNK, q.shape[1])
            meet_queries(
                strips, dy, q, bias, height, shift, scale, b, n, start, stop, first, end, keys, values, logits, slopes
            )
            for t in range(start, stop):
                slope = slopes[t - start, :lanes]
                if masked:
                    late = min(max(t + 1 - first, 0), lanes) if causal else lanes
                    hide(slope, mask[b, n, t, first:end], kind(0))
                    fill_row(slope[0 if height[b, n, t] == -np.inf else late :], kind(0))
                copy_row(slope, dbias[b, n, t, first:end])
