"""Attention of one query, or one key: where a row sees nothing, or what is masked is not finite. See `attention.py`."""

import numpy as np

from refnet_fast.cpu.activation import exp, log
from refnet_fast.cpu.rows import row_dot
from refnet_fast.native import njit


@njit(error_model="numpy", fastmath={"contract"})
def add_scaled(row, factor, out):
    for h in range(out.size):
        out[h] += factor * row[h]


@njit(error_model="numpy")
def add_shares(row, count, out):
    for h in range(out.size):
        out[h] += row[h] / count


@njit(error_model="numpy")
def query_row(q, k, v, bias, mask, scale, causal, b, n, t, logits, y, height):
    """y and height of one query; logits has room for one number of each key in its first column."""
    kind = q.dtype.type
    factor, head = kind(scale), n // (q.shape[2] // k.shape[2])
    weights, row, out = logits[:, 0], q[b, t, n], y[b, t, n]
    keys = min(t + 1, k.shape[1]) if causal else k.shape[1]
    best, seen, total = kind(-np.inf), 0, kind(0)
    for s in range(keys):
        weights[s] = -np.inf
        if mask[b, n, t, s]:
            weights[s] = row_dot(row, k[b, s, head]) * factor + bias[b, n, t, s]
            seen += 1
            if weights[s] > best or weights[s] != weights[s]:
                best = weights[s]
    out[:] = 0
    if seen == 0:
        for s in range(k.shape[1]):
            add_scaled(v[b, s, head], kind(1), out)
        total = kind(k.shape[1])
        height[b, n, t] = -np.inf
    else:
        for s in range(keys):
            if mask[b, n, t, s]:  # a weight of 0 must not meet an infinity here
                weight = exp(weights[s] - best)
                total += weight
                add_scaled(v[b, s, head], weight, out)
        height[b, n, t] = best + log(total)
    for h in range(out.size):
        out[h] = out[h] / total


@njit(error_model="numpy")
def query_gradient_row(dy, q, k, v, bias, mask, height, shift, scale, causal, b, n, t, dq, dbias):
    """dq of one query, which visits the keys it sees; and the slopes of its logits, unless dbias is None."""
    factor, head = q.dtype.type(scale), n // (q.shape[2] // k.shape[2])
    row, above, out = q[b, t, n], dy[b, t, n], dq[b, t, n]
    out[:] = 0
    if dbias is not None:
        dbias[b, n, t, :] = 0
    if height[b, n, t] == -np.inf:
        return
    for s in range(min(t + 1, k.shape[1]) if causal else k.shape[1]):
        if mask[b, n, t, s]:
            p = exp(row_dot(row, k[b, s, head]) * factor + bias[b, n, t, s] - height[b, n, t])
            slope = p * (row_dot(above, v[b, s, head]) - shift[b, n, t])
            add_scaled(k[b, s, head], slope, out)
            if dbias is not None:
                dbias[b, n, t, s] = slope
    for h in range(out.size):
        out[h] = out[h] * factor


@njit(error_model="numpy")
def key_gradient_row(dy, q, k, v, bias, mask, height, shift, scale, causal, b, s, head, n, dq, dk, dv):
    """Adds to dk (which is not scaled yet) and dv of one key what the queries of head n that see it send; to dq, unless it is None, what
    the key sends back."""
    kind = q.dtype.type
    factor, key, value, out_k, out_v = kind(scale), k[b, s, head], v[b, s, head], dk[b, s, head], dv[b, s, head]
    for t in range(q.shape[1]):
        if height[b, n, t] == -np.inf:
            add_shares(dy[b, t, n], kind(k.shape[1]), out_v)
        elif mask[b, n, t, s] and (s <= t or not causal):
            p = exp(row_dot(q[b, t, n], key) * factor + bias[b, n, t, s] - height[b, n, t])
            slope = p * (row_dot(dy[b, t, n], value) - shift[b, n, t])
            add_scaled(q[b, t, n], slope, out_k)
            add_scaled(dy[b, t, n], p, out_v)
            if dq is not None:
                add_scaled(key, slope, dq[b, t, n])
