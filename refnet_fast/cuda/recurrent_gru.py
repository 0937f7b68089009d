"""The GRU over whole sequences, forward and backward; see `cuda/recurrent.py`.

The candidate meets the state that the reset gate has let through, or, with reset_after, the gate acts after the product. So a
step has two rounds of products, of which one serves all three gates with reset_after.
"""

from numba import cuda

from refnet_fast.cuda.recurrent import declare
from refnet_fast.cuda.text import unrolled

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


def gru_rows(
    projected, kernel, bias, h0, mask, dropout, activation, recurrent_activation, reset_after, h, gates, inner
):
    """ROWS rows of the batch a block, a column of the recurrent kernel a thread; then a unit of a row a thread."""
    seen = cuda.shared.array(ALL, REAL)
    sums = cuda.shared.array(ALL, REAL)
    hidden = cuda.shared.array(STATE, REAL)
    update = cuda.shared.array(STATE, REAL)
    reset = cuda.shared.array(STATE, REAL)
    total = cuda.local.array(ROWS, REAL)
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        n, u = start + e // UNITS, e % UNITS
        hidden[e] = h0[n, u] if n < h.shape[0] else 0
        for gate in range(3):
            seen[gate * STATE + e] = hidden[e] * dropout[gate, n, u] if n < h.shape[0] else 0
    cuda.syncthreads()
    for t in range(h.shape[1]):
        for half in range(2):
            first, last = (2 * UNITS, COLUMNS) if half else (0, COLUMNS if reset_after else 2 * UNITS)
            if half == 0 or not reset_after:
                for k in range(first + thread, last, THREADS):
                    for r in unrolled(ROWS):
                        total[r] = 0
                    for j in range(UNITS):
                        weight = kernel[j, k]
                        for r in unrolled(ROWS):
                            total[r] += seen[k // UNITS * STATE + r * UNITS + j] * weight
                    for r in unrolled(ROWS):
                        sums[r * COLUMNS + k] = total[r]
            cuda.syncthreads()
            for e in range(thread, STATE, THREADS):
                n, u, at = start + e // UNITS, e % UNITS, e // UNITS * COLUMNS + e % UNITS
                if n < h.shape[0] and half == 0:
                    z, r_ = projected[n, t, u] + sums[at], projected[n, t, UNITS + u] + sums[at + UNITS]
                    if reset_after:
                        z += bias[u]
                        r_ += bias[UNITS + u]
                    update[e] = activate(z, recurrent_activation)
                    reset[e] = activate(r_, recurrent_activation)
                    if not reset_after:
                        seen[2 * STATE + e] = reset[e] * hidden[e] * dropout[2, n, u]
                elif n < h.shape[0]:
                    part = sums[at + 2 * UNITS]
                    if reset_after:
                        part += bias[2 * UNITS + u]
                    met = reset[e] * part if reset_after else part
                    g = activate(projected[n, t, 2 * UNITS + u] + met, activation)
                    counts = mask[n, t]
                    if counts:
                        hidden[e] = update[e] * hidden[e] + (1 - update[e]) * g
                    gates[n, t, u] = update[e] if counts else 0
                    gates[n, t, UNITS + u] = reset[e] if counts else 0
                    gates[n, t, 2 * UNITS + u] = g if counts else 0
                    inner[n, t, u] = part if counts else 0
                    h[n, t, u] = hidden[e]
                    for gate in range(3):
                        seen[gate * STATE + e] = hidden[e] * dropout[gate, n, u]
            cuda.syncthreads()


def gru_gradient_rows(
    dh,
    dgates,
    dinner,
    h,
    gates,
    inner,
    kernel,
    h0,
    mask,
    dropout,
    activation,
    recurrent_activation,
    reset_after,
    dprojected,
    drecurrent,
    dh0,
    turned,
):
    """From the last step to the first, in two rounds: the candidate's slopes go through its product before those of the gates."""
    row = cuda.shared.array(ALL, REAL)
    back = cuda.shared.array(ALL, REAL)
    dhidden = cuda.shared.array(STATE, REAL)
    outer = cuda.shared.array(STATE, REAL)
    total = cuda.local.array(ROWS, REAL)
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        dhidden[e] = 0
    for number in range(h.shape[1]):
        t = h.shape[1] - 1 - number
        for half in range(2):
            for e in range(thread, STATE, THREADS):
                n, u, at = start + e // UNITS, e % UNITS, e // UNITS * COLUMNS + e % UNITS
                if half == 0:
                    for gate in range(3):
                        row[at + gate * UNITS] = 0
                    outer[e] = 0
                if n < h.shape[0]:
                    before = h[n, t - 1, u] if t > 0 else h0[n, u]
                    z, r_, g = gates[n, t, u], gates[n, t, UNITS + u], gates[n, t, 2 * UNITS + u]
                    if half == 0:
                        dhidden[e] += dh[n, t, u]
                    if mask[n, t] and half == 0:
                        dz = dgates[n, t, u] + dhidden[e] * (before - g)
                        dg = dgates[n, t, 2 * UNITS + u] + dhidden[e] * (1 - z)
                        dhidden[e] = dhidden[e] * z
                        row[at] = through(dz, z, recurrent_activation)
                        outer[e] = through(dg, g, activation)
                        row[at + 2 * UNITS] = dinner[n, t, u] + outer[e] * (r_ if reset_after else 1)
                    elif mask[n, t]:
                        dr = dgates[n, t, UNITS + u]
                        into = dropout[2, n, u] * back[2 * STATE + e]
                        if reset_after:
                            dr += outer[e] * inner[n, t, u]
                            dhidden[e] += into
                        else:
                            dr += into * before
                            dhidden[e] += into * r_
                        row[at + UNITS] = through(dr, r_, recurrent_activation)
                    if half == 1:
                        for gate in range(3):
                            drecurrent[n, t, gate * UNITS + u] = row[at + gate * UNITS]
                            dprojected[n, t, gate * UNITS + u] = row[at + gate * UNITS] if gate < 2 else outer[e]
            cuda.syncthreads()
            first, last = (0, 2 * UNITS) if half else (2 * UNITS, COLUMNS)
            for k in range(first + thread, last, THREADS):
                gate, j = k // UNITS, k % UNITS
                for r in unrolled(ROWS):
                    total[r] = 0
                for u in range(UNITS):
                    weight = turned[gate * UNITS + u, j]
                    for r in unrolled(ROWS):
                        total[r] += row[r * COLUMNS + gate * UNITS + u] * weight
                for r in unrolled(ROWS):
                    back[gate * STATE + r * UNITS + j] = total[r]
            cuda.syncthreads()
        for e in range(thread, STATE, THREADS):
            n, u = start + e // UNITS, e % UNITS
            if n < h.shape[0] and mask[n, t]:
                for gate in range(2):
                    dhidden[e] += dropout[gate, n, u] * back[gate * STATE + e]
    for e in range(thread, STATE, THREADS):
        n = start + e // UNITS
        if n < h.shape[0]:
            dh0[n, e % UNITS] = dhidden[e]


declare("gru", gru_rows, kernel=1, arrays=9)
declare("gru_gradient", gru_gradient_rows, kernel=6, arrays=8, turning=True)
