"""Attention by rows: a query's logits, a key's gradients. Logits are made again in the gradients, never stored."""

import numpy as np
from numba import njit

from refnet_fast.cpu.activation import exp, log
from refnet_fast.cpu.rows import row_dot, row_sum
from refnet_fast.kernels import kernel
from refnet_fast.tables import ELEMENT_NS

CHAIN = 4096  # additions in a row; longer sums are left to the definition, which adds in float64


def _short(call):
    """One floating dtype, and sums over keys and over queries that may be added one by one."""
    q, k = (call.form.inputs[i].shape for i in ((0, 1) if call.op.name == "dot_product_attention" else (1, 2)))
    return call.dtypes in ({"float32", "bool"}, {"float64", "bool"}) and k[1] <= CHAIN and q[1] * q[2] <= CHAIN * k[2]


def _tasks(call):
    return call.form.domain[0] * call.form.domain[1] * call.form.domain[2]


CALLS = {"when": _short, "tasks": _tasks, "cost": lambda call: ELEMENT_NS * call.form.cost + 20}


@njit(error_model="numpy", fastmath={"contract"})
def add_scaled(row, factor, out):
    for h in range(out.size):
        out[h] += factor * row[h]


@njit(error_model="numpy")
def add_shares(row, count, out):
    for h in range(out.size):
        out[h] += row[h] / count


@kernel("dot_product_attention", **CALLS)
def attention_rows(q, k, v, bias, mask, scale, causal, y, height, lo, hi):
    """Queries lo..hi: dot products with all keys they see, the softmax in place, and a running sum of values."""
    kind = q.dtype.type
    factor, group = kind(scale), q.shape[2] // k.shape[2]
    weights = np.empty(k.shape[1], q.dtype)
    for task in range(lo, hi):
        t, n, b = task % q.shape[1], task // q.shape[1] % q.shape[2], task // (q.shape[1] * q.shape[2])
        head, row, out = n // group, q[b, t, n], y[b, t, n]
        keys = min(t + 1, k.shape[1]) if causal else k.shape[1]
        best, seen = kind(-np.inf), 0
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
                weights[s] = exp(weights[s] - best)
            for s in range(keys):
                if mask[b, n, t, s]:  # a weight of 0 must not meet an infinity here
                    add_scaled(v[b, s, head], weights[s], out)
            total = row_sum(weights[:keys])
            height[b, n, t] = best + log(total)
        for h in range(out.size):
            out[h] = out[h] / total


@kernel("dot_product_attention_query_gradient", **CALLS)
def attention_query_gradient_rows(dy, q, k, v, bias, mask, height, shift, scale, causal, dq, lo, hi):
    """Queries lo..hi: each visits the keys it sees."""
    factor, group = q.dtype.type(scale), q.shape[2] // k.shape[2]
    for task in range(lo, hi):
        t, n, b = task % q.shape[1], task // q.shape[1] % q.shape[2], task // (q.shape[1] * q.shape[2])
        head, row, above, out = n // group, q[b, t, n], dy[b, t, n], dq[b, t, n]
        out[:] = 0
        if height[b, n, t] == -np.inf:
            continue
        for s in range(min(t + 1, k.shape[1]) if causal else k.shape[1]):
            if mask[b, n, t, s]:
                p = exp(row_dot(row, k[b, s, head]) * factor + bias[b, n, t, s] - height[b, n, t])
                add_scaled(k[b, s, head], p * (row_dot(above, v[b, s, head]) - shift[b, n, t]), out)
        for h in range(out.size):
            out[h] = out[h] * factor


@kernel("dot_product_attention_key_gradient", **CALLS)
def attention_key_gradient_rows(dy, q, k, v, bias, mask, height, shift, scale, causal, dk, dv, lo, hi):
    """Keys lo..hi: each visits the queries that see it."""
    kind = q.dtype.type
    factor, group = kind(scale), q.shape[2] // k.shape[2]
    for task in range(lo, hi):
        head, s, b = task % k.shape[2], task // k.shape[2] % k.shape[1], task // (k.shape[1] * k.shape[2])
        key, value, out_k, out_v = k[b, s, head], v[b, s, head], dk[b, s, head], dv[b, s, head]
        out_k[:] = 0
        out_v[:] = 0
        for n in range(head * group, (head + 1) * group):
            for t in range(q.shape[1]):
                if height[b, n, t] == -np.inf:
                    add_shares(dy[b, t, n], kind(k.shape[1]), out_v)
                elif mask[b, n, t, s] and (s <= t or not causal):
                    p = exp(row_dot(q[b, t, n], key) * factor + bias[b, n, t, s] - height[b, n, t])
                    add_scaled(q[b, t, n], p * (row_dot(dy[b, t, n], value) - shift[b, n, t]), out_k)
                    add_scaled(dy[b, t, n], p, out_v)
        for h in range(out_k.size):
            out_k[h] = out_k[h] * factor
