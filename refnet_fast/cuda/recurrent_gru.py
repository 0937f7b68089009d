"""The GRU over whole sequences, forward and backward; see `cuda/recurrent.py`.

The candidate meets the state that the reset gate has let through, or, with reset_after, the gate acts after the product. So a
step has two rounds of products, of which one serves all three gates with reset_after.
"""

from numba import cuda

from refnet_fast.cuda.recurrent import declare, reach, recurrent_sums, see, sums_back

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
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        n, u = start + e // UNITS, e % UNITS
        hidden[e] = h0[n, u] if n < h.shape[0] else 0
        for gate in range(3):
            seen[gate * STATE + e] = hidden[e] * dropout[gate, n, u] if n < h.shape[0] else 0
    cuda.syncthreads()
    for t in range(h.shape[1]):
        if reset_after:  # two calls: with bounds that the compiler knows, a thread's loop over one column is none
            recurrent_sums(seen, kernel, sums, 0, COLUMNS, thread)
        else:
            recurrent_sums(seen, kernel, sums, 0, 2 * UNITS, thread)
        cuda.syncthreads()
        for e in range(thread, STATE, THREADS):
            n, u, at = start + e // UNITS, e % UNITS, e // UNITS * COLUMNS + e % UNITS
            if n < h.shape[0]:
                z, r = projected[n, t, u] + sums[at], projected[n, t, UNITS + u] + sums[at + UNITS]
                if reset_after:
                    z += bias[u]
                    r += bias[UNITS + u]
                update[e] = activate(z, recurrent_activation)
                reset[e] = activate(r, recurrent_activation)
                if not reset_after:
                    seen[2 * STATE + e] = reset[e] * hidden[e] * dropout[2, n, u]
        cuda.syncthreads()
        if not reset_after:
            recurrent_sums(seen, kernel, sums, 2 * UNITS, COLUMNS, thread)
        cuda.syncthreads()
        for e in range(thread, STATE, THREADS):
            n, u, at = start + e // UNITS, e % UNITS, e // UNITS * COLUMNS + e % UNITS
            if n < h.shape[0]:
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
                see(seen, e, hidden[e], dropout, n, u)
        cuda.syncthreads()


# fmt: off
def gru_gradient_rows(
    dh, dgates, dinner, h, gates, inner, kernel, h0, mask, dropout, activation, recurrent_activation, reset_after,
    dprojected, drecurrent, dh0, turned,
):  # fmt: on
    """From the last step to the first, in two rounds: the candidate's slopes go through its product before those of the gates."""
    row = cuda.shared.array(ALL, REAL)
    back = cuda.shared.array(ALL, REAL)
    dhidden = cuda.shared.array(STATE, REAL)
    outer = cuda.shared.array(STATE, REAL)
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        dhidden[e] = 0
    for number in range(h.shape[1]):
        t = h.shape[1] - 1 - number
        for e in range(thread, STATE, THREADS):
            n, u, at = start + e // UNITS, e % UNITS, e // UNITS * COLUMNS + e % UNITS
            for gate in range(3):
                row[at + gate * UNITS] = 0
            outer[e] = 0
            if n < h.shape[0]:
                dhidden[e] += dh[n, t, u]
                if mask[n, t]:
                    before = h[n, t - 1, u] if t > 0 else h0[n, u]
                    z, r, g = gates[n, t, u], gates[n, t, UNITS + u], gates[n, t, 2 * UNITS + u]
                    dz = dgates[n, t, u] + dhidden[e] * (before - g)
                    dg = dgates[n, t, 2 * UNITS + u] + dhidden[e] * (1 - z)
                    dhidden[e] = dhidden[e] * z
                    row[at] = through(dz, z, recurrent_activation)
                    outer[e] = through(dg, g, activation)
                    row[at + 2 * UNITS] = dinner[n, t, u] + outer[e] * (r if reset_after else 1)
        cuda.syncthreads()
        sums_back(row, turned, back, 2 * UNITS, COLUMNS, thread)
        cuda.syncthreads()
        for e in range(thread, STATE, THREADS):
            n, u, at = start + e // UNITS, e % UNITS, e // UNITS * COLUMNS + e % UNITS
            if n < h.shape[0]:
                if mask[n, t]:
                    before = h[n, t - 1, u] if t > 0 else h0[n, u]
                    r, into = gates[n, t, UNITS + u], dropout[2, n, u] * back[2 * STATE + e]
                    dr = dgates[n, t, UNITS + u] + (outer[e] * inner[n, t, u] if reset_after else into * before)
                    dhidden[e] += into if reset_after else into * r
                    row[at + UNITS] = through(dr, r, recurrent_activation)
                for gate in range(3):
                    drecurrent[n, t, gate * UNITS + u] = row[at + gate * UNITS]
                    dprojected[n, t, gate * UNITS + u] = row[at + gate * UNITS] if gate < 2 else outer[e]
        cuda.syncthreads()
        sums_back(row, turned, back, 0, 2 * UNITS, thread)
        cuda.syncthreads()
        for e in range(thread, STATE, THREADS):
            n = start + e // UNITS
            if n < h.shape[0] and mask[n, t]:
                reach(dhidden, e, back, dropout, n, e % UNITS, 2)
    for e in range(thread, STATE, THREADS):
        n = start + e // UNITS
        if n < h.shape[0]:
            dh0[n, e % UNITS] = dhidden[e]


declare("gru", gru_rows, kernel=1, arrays=9)
declare("gru_gradient", gru_gradient_rows, kernel=6, arrays=8, turning=True)
