"""Attention by blocks of queries and keys, and its gradients: logits live in registers and are made again, never stored.

Memory sees queries once, keys and values once for each block of queries: 64 queries use every number 64 times, so the work is bound by
arithmetic, 2 * (H + V) multiply-adds of float32 a logit forward. Only float32 and float64 come here: the op casts shorter floats.
"""

import math

import numpy as np
from numba import cuda, float64, int32, int64

from refnet_fast.cuda.attention_tiles import Cut, add_gathered, corner, mean_of_places, meet, place_of, see, sees
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.rows import exp, log, row_largest, row_sum
from refnet_fast.cuda.target import capable
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.cuda.tile import afresh, clear

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


def cut_of(call):
    """The Cut of a call: of what the blocks own, queries or keys, and the features that they add up."""
    forward = call.op.name == "dot_product_attention"
    q, k, v = (view.shape for view in call.form.inputs[(0 if forward else 1) :][:3])
    real = np.float64 if "float64" in call.dtypes else np.float32
    if call.op.name == "dot_product_attention_key_gradient":
        return Cut(k[0], k[2], k[1], q[1] * q[2] // k[2], k[3], real, False)
    return Cut(q[0], q[2], q[1], k[1], v[3] if forward else q[3], real, forward)


def whole_blocks(call):
    """One floating dtype, nothing empty, a grid that a device has, and one that copies to shared memory in the background."""
    if call.dtypes not in ({"float32", "bool"}, {"float64", "bool"}) or not capable((8, 0)):
        return False
    if any(0 in view.shape for view in (*call.form.inputs, *call.form.outputs)):
        return False
    across, down = blocks(call)
    return across < 2**31 and down < 65536


def blocks(call):
    """Blocks of what they own, and for each of these as many as share the features; of the bias's gradient, as many as share the keys."""
    cut = cut_of(call)
    if call.op.name == "dot_product_attention_bias_gradient":
        return cut.grid[0], -(-call.form.domain[3] // cut.side)
    return cut.grid


CALLS = {
    "when": whole_blocks,
    "grid": blocks,
    "block": lambda call: cut_of(call).block,
    "constants": lambda call: cut_of(call).constants(),
}


@kernel("dot_product_attention", **CALLS)
def attention_blocks(q, k, v, bias, mask, scale, causal, y, height):
    """SIDE queries a block visit the keys, SIDE at a time. A row's largest logit and its sum go along; when the largest grows, what was
    added up so far shrinks by the same factor."""
    left = cuda.shared.array(LEFT, REAL, alignment=16)
    right = cuda.shared.array(RIGHT, REAL, alignment=16)
    weights = cuda.shared.array(ROOM, REAL, alignment=16)
    room = cuda.shared.array(THREADS, REAL)
    logits = cuda.local.array(16, REAL)
    total = cuda.local.array(EACH, REAL)
    best = cuda.local.array(4, REAL)
    sums = cuda.local.array(4, REAL)
    shrinks = cuda.local.array(4, REAL)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    thread = ty * cuda.blockDim.x + tx
    b, n, first = corner(cuda.blockIdx.x, q.shape[2], q.shape[1])
    head, chunk = n // (q.shape[2] // k.shape[2]), cuda.blockIdx.y * WIDE
    clear(total, EACH)
    seen = int32(0)  # a bit for each of the four queries
    for p in unrolled(4):
        best[p], sums[p] = -math.inf, 0
    end = min(k.shape[1], first + SIDE) if causal else k.shape[1]
    for start in range(0, end, SIDE):
        meet(logits, left, right, q, n, first, k, head, start, b, thread)
        every = see(logits, weights, scale, bias, mask, causal, b, n, first + 4 * ty, start + 4 * tx)
        for p in unrolled(4):
            visible = every >> int32(4 * p) & int32(15)
            seen |= int32(visible != 0) << int32(p)
            top = REAL(row_largest(largest_visible(logits, int64(p), visible), room))
            if not (top > best[p] or top != top):
                top = best[p]
            shrinks[p] = REAL(1) if top == best[p] else exp(best[p] - top)
            best[p], sums[p] = top, sums[p] * shrinks[p] + weights_of_row(logits, int64(p), visible, top, weights)
        for p in unrolled(4):
            shrink(total, int64(p), shrinks[p])
        add_gathered(total, weights, right, v, b, head, start, chunk, thread)
    for p in unrolled(4):
        if seen >> int32(p) & int32(1) and best[p] == -math.inf:
            sums[p] = math.nan
        t, whole = first + 4 * ty + p, REAL(row_sum(float64(sums[p]), room))
        knows = whole != 0
        if t < q.shape[1]:
            store_average(y, total, int64(p), whole, knows, v, b, t, n, head, chunk)
            if tx == 0 and chunk == 0:
                height[b, n, t] = best[p] + log(whole) if knows else -math.inf


@inlined
def largest_visible(logits, p, visible):
    """Of a row's four; NaN if there is one."""
    largest = REAL(-math.inf)
    for r in unrolled(4):
        if visible >> r & 1 and (logits[4 * p + r] > largest or logits[4 * p + r] != logits[4 * p + r]):
            largest = logits[4 * p + r]
    return largest


@inlined
def weights_of_row(logits, p, visible, top, weights):
    """Writes the four weights of a row, and gives their sum. As long as the largest logit is -inf, so are all: they weigh nothing."""
    total, column = REAL(0), 4 * cuda.threadIdx.y + p
    for r in unrolled(4):
        weight = REAL(-0.0)
        if visible >> r & 1:
            weight = exp(logits[4 * p + r] - top) if top != -math.inf else REAL(0)
            total += weight
        weights[(4 * cuda.threadIdx.x + r) * PITCH + column] = weight
    return total


@inlined
def shrink(total, p, factor):
    for j in unrolled(LANES):
        total[p * LANES + j] *= factor


@inlined
def store_average(y, total, p, whole, knows, v, b, t, n, head, chunk):
    for j in unrolled(LANES):
        h = chunk + 4 * cuda.threadIdx.x + j // 4 * SIDE + j % 4
        if h < v.shape[3]:
            y[b, t, n, h] = total[p * LANES + j] / whole if knows else mean_of_places(v, b, head, h)


# ---- gradients


@inlined
def put_weights(logits, weights, by_query, by_key, scale, bias, mask, height, causal, b, n, t, s):
    """A thread's 16 products become weights in their places, -0.0 where a query sees nothing."""
    for p in unrolled(4):
        for r in unrolled(4):
            weights[place_of(int64(4 * p + r), by_query, by_key)] = logits[4 * p + r]
    for number in range(16):
        e = afresh(number)
        at, place, key, weight = place_of(e, by_query, by_key), t + e // 4, s + e % 4, REAL(-0.0)
        if sees(mask, causal, b, n, place, key):
            top = height[b, n, place]
            if top != -math.inf:
                weight = exp(weights[at] * REAL(scale) + bias[b, n, place, key] - top)
        weights[at] = weight


@inlined
def put_slopes(slopes, p, weights, by_query, by_key, shift, b, n, t):
    """A row's gradients of weights become those of its logits, in the place of the weights; what is not seen keeps its -0.0."""
    less = shift[b, n, t] if t < shift.shape[2] else REAL(0)
    for r in unrolled(4):
        at = place_of(4 * p + r, by_query, by_key)
        weight = weights[at]
        if weight != 0 or math.copysign(1.0, weight) > 0:
            weights[at] = weight * (slopes[4 * p + r] - less) + REAL(0)


@inlined
def store_scaled(out, total, p, factor, b, place, head, chunk):
    for j in unrolled(LANES):
        h = chunk + 4 * cuda.threadIdx.x + j // 4 * SIDE + j % 4
        if place < out.shape[1] and h < out.shape[3]:
            out[b, place, head, h] = total[p * LANES + j] * factor


@kernel("dot_product_attention_query_gradient", **CALLS)
def attention_query_gradient_blocks(dy, q, k, v, bias, mask, height, shift, scale, causal, dq):
    """SIDE queries a block visit the keys they see: two products make the slopes of their logits, one adds to dq."""
    left = cuda.shared.array(LEFT, REAL, alignment=16)
    right = cuda.shared.array(RIGHT, REAL, alignment=16)
    weights = cuda.shared.array(ROOM, REAL, alignment=16)
    logits = cuda.local.array(16, REAL)
    slopes = cuda.local.array(16, REAL)
    total = cuda.local.array(EACH, REAL)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    thread = ty * cuda.blockDim.x + tx
    b, n, first = corner(cuda.blockIdx.x, q.shape[2], q.shape[1])
    head, chunk = n // (q.shape[2] // k.shape[2]), cuda.blockIdx.y * WIDE
    clear(total, EACH)
    end = min(k.shape[1], first + SIDE) if causal else k.shape[1]
    for start in range(0, end, SIDE):
        meet(logits, left, right, q, n, first, k, head, start, b, thread)
        meet(slopes, left, right, dy, n, first, v, head, start, b, thread)
        put_weights(logits, weights, 1, PITCH, scale, bias, mask, height, causal, b, n, first + 4 * ty, start + 4 * tx)
        for p in unrolled(4):
            put_slopes(slopes, int64(p), weights, 1, PITCH, shift, b, n, first + 4 * ty + p)
        add_gathered(total, weights, right, k, b, head, start, chunk, thread)
    for p in unrolled(4):
        store_scaled(dq, total, int64(p), REAL(scale), b, first + 4 * ty + p, n, chunk)


@kernel("dot_product_attention_key_gradient", **CALLS)
def attention_key_gradient_blocks(dy, q, k, v, bias, mask, height, shift, scale, causal, dk, dv):
    """SIDE keys a block visit the queries that see them: two products make the slopes of their logits, one adds to dk."""
    left = cuda.shared.array(LEFT, REAL, alignment=16)
    right = cuda.shared.array(RIGHT, REAL, alignment=16)
    weights = cuda.shared.array(ROOM, REAL, alignment=16)
    logits = cuda.local.array(16, REAL)
    slopes = cuda.local.array(16, REAL)
    total = cuda.local.array(EACH, REAL)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    thread = ty * cuda.blockDim.x + tx
    b, head, first = corner(cuda.blockIdx.x, k.shape[2], k.shape[1])
    group, chunk = q.shape[2] // k.shape[2], cuda.blockIdx.y * WIDE
    clear(total, EACH)
    for n in range(head * group, (head + 1) * group):
        for start in range(first if causal else 0, q.shape[1], SIDE):
            meet(logits, left, right, q, n, start, k, head, first, b, thread)
            meet(slopes, left, right, dy, n, start, v, head, first, b, thread)
            put_weights(
                logits, weights, PITCH, 1, scale, bias, mask, height, causal, b, n, start + 4 * ty, first + 4 * tx
            )
            for p in unrolled(4):
                put_slopes(slopes, int64(p), weights, PITCH, 1, shift, b, n, start + 4 * ty + p)
            add_gathered(total, weights, right, q, b, n, start, chunk, thread)
    for p in unrolled(4):
        store_scaled(dk, total, int64(p), REAL(scale), b, first + 4 * ty + p, head, chunk)


@then(
    attention_key_gradient_blocks,
    grid=lambda call: (blocks(call)[0], -(-call.form.outputs[1].shape[3] // cut_of(call).wide)),
    block=CALLS["block"],
    constants=CALLS["constants"],
)
def attention_value_gradient_blocks(dy, q, k, v, bias, mask, height, shift, scale, causal, dk, dv):
    """The same keys' weights once more, which one product adds to dv: sums of both kinds at a time would not fit the registers."""
    left = cuda.shared.array(LEFT, REAL, alignment=16)
    right = cuda.shared.array(RIGHT, REAL, alignment=16)
    weights = cuda.shared.array(ROOM, REAL, alignment=16)
    logits = cuda.local.array(16, REAL)
    total = cuda.local.array(EACH, REAL)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    thread = ty * cuda.blockDim.x + tx
    b, head, first = corner(cuda.blockIdx.x, k.shape[2], k.shape[1])
    group, chunk = q.shape[2] // k.shape[2], cuda.blockIdx.y * WIDE
    clear(total, EACH)
    for n in range(head * group, (head + 1) * group):
        for start in range(first if causal else 0, q.shape[1], SIDE):
            meet(logits, left, right, q, n, start, k, head, first, b, thread)
            put_weights(
                logits, weights, PITCH, 1, scale, bias, mask, height, causal, b, n, start + 4 * ty, first + 4 * tx
            )
            add_gathered(total, weights, right, dy, b, n, start, chunk, thread)
        blind = int32(0)
        for t in range(thread, q.shape[1], THREADS):
            if height[b, n, t] == -math.inf:
                blind = int32(1)
        if cuda.syncthreads_or(blind):
            add_shares(total, dy, height, k.shape[1], b, n, chunk)
    for p in unrolled(4):
        store_scaled(dv, total, int64(p), REAL(1), b, first + 4 * ty + p, head, chunk)


@inlined
def add_shares(total, dy, height, keys, b, n, chunk):
    """Adds what comes from queries that see nothing: an equal share to every key."""
    for t in range(dy.shape[1]):
        if height[b, n, t] == -math.inf:
            for j in unrolled(LANES):
                h = chunk + 4 * cuda.threadIdx.x + j // 4 * SIDE + j % 4
                share = dy[b, t, n, h] / REAL(keys) if h < dy.shape[3] else REAL(0)
                for p in unrolled(4):
                    total[p * LANES + j] += share


@kernel("dot_product_attention_bias_gradient", **CALLS)
def attention_bias_gradient_blocks(dy, q, k, v, bias, mask, height, shift, scale, causal, dbias):
    """The slopes of SIDE x SIDE logits a block."""
    left = cuda.shared.array(LEFT, REAL, alignment=16)
    right = cuda.shared.array(RIGHT, REAL, alignment=16)
    weights = cuda.shared.array(ROOM, REAL, alignment=16)
    logits = cuda.local.array(16, REAL)
    slopes = cuda.local.array(16, REAL)
    thread = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    b, n, first = corner(cuda.blockIdx.x, q.shape[2], q.shape[1])
    head, start = n // (q.shape[2] // k.shape[2]), cuda.blockIdx.y * SIDE
    meet(logits, left, right, q, n, first, k, head, start, b, thread)
    meet(slopes, left, right, dy, n, first, v, head, start, b, thread)
    t, s = first + 4 * cuda.threadIdx.y, start + 4 * cuda.threadIdx.x
    put_weights(logits, weights, PITCH, 1, scale, bias, mask, height, causal, b, n, t, s)
    for p in unrolled(4):
        put_slopes(slopes, int64(p), weights, PITCH, 1, shift, b, n, t + p)
    cuda.syncthreads()
    for e in range(thread, SIDE * SIDE, THREADS):
        t, s = e // SIDE, e % SIDE
        if first + t < dbias.shape[2] and start + s < dbias.shape[3]:
            dbias[b, n, first + t, start + s] = weights[t * PITCH + s] + REAL(0)
