"""The LSTM over whole sequences, forward and backward; see `cuda/recurrent.py`."""

from numba import cuda

from refnet_fast.cuda.recurrent import declare, reach, recurrent_sums, see, sums_back
from refnet_fast.cuda.text import inlined

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


def lstm_rows(projected, kernel, h0, c0, mask, dropout, activation, recurrent_activation, h, c, gates):
    """ROWS rows of the batch a block, a column of the recurrent kernel a thread; then a unit of a row a thread."""
    seen = cuda.shared.array(ALL, REAL)
    sums = cuda.shared.array(ALL, REAL)
    hidden = cuda.shared.array(STATE, REAL)
    cell = cuda.shared.array(STATE, REAL)
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        n, u = start + e // UNITS, e % UNITS
        for gate in range(4):
            seen[gate * STATE + e] = 0
        if n < h.shape[0]:
            hidden[e] = h0[n, u]
            cell[e] = c0[n, u]
            see(seen, e, hidden[e], dropout, n, u)
    cuda.syncthreads()
    for t in range(h.shape[1]):
        recurrent_sums(seen, kernel, sums, 0, COLUMNS, thread)
        cuda.syncthreads()
        for e in range(thread, STATE, THREADS):
            n, u = start + e // UNITS, e % UNITS
            if n < h.shape[0]:
                at = e // UNITS * COLUMNS + u
                i = f = g = o = 0.0
                if mask[n, t]:
                    i = activate(projected[n, t, u] + sums[at], recurrent_activation)
                    f = activate(projected[n, t, UNITS + u] + sums[at + UNITS], recurrent_activation)
                    g = activate(projected[n, t, 2 * UNITS + u] + sums[at + 2 * UNITS], activation)
                    o = activate(projected[n, t, 3 * UNITS + u] + sums[at + 3 * UNITS], recurrent_activation)
                    cell[e] = f * cell[e] + i * g
                    hidden[e] = o * activate(cell[e], activation)
                gates[n, t, u] = i
                gates[n, t, UNITS + u] = f
                gates[n, t, 2 * UNITS + u] = g
                gates[n, t, 3 * UNITS + u] = o
                h[n, t, u] = hidden[e]
                c[n, t, u] = cell[e]
                see(seen, e, hidden[e], dropout, n, u)
        cuda.syncthreads()


def lstm_gradient_rows(
    dh, dc, dgates, gates, c, kernel, c0, mask, dropout, activation, recurrent_activation, dprojected, dh0, dc0, turned
):
    """From the last step to the first: a unit of a row a thread, then a unit and a gate a thread, for ROWS rows."""
    row = cuda.shared.array(ALL, REAL)
    back = cuda.shared.array(ALL, REAL)
    dhidden = cuda.shared.array(STATE, REAL)
    dcell = cuda.shared.array(STATE, REAL)
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        dhidden[e] = 0
        dcell[e] = 0
    for number in range(c.shape[1]):
        t = c.shape[1] - 1 - number
        for e in range(thread, STATE, THREADS):
            n, u, at = start + e // UNITS, e % UNITS, e // UNITS * COLUMNS + e % UNITS
            for gate in range(4):
                row[at + gate * UNITS] = 0
            if n < c.shape[0]:
                # The slopes of a masked step are 0, but 0 times an infinite weight is not.
                if number > 0 and mask[n, t + 1]:
                    reach(dhidden, e, back, dropout, n, u, 4)
                dhidden[e] += dh[n, t, u]
                dcell[e] += dc[n, t, u]
                if mask[n, t]:
                    before = c[n, t - 1, u] if t > 0 else c0[n, u]
                    codes = activation, recurrent_activation
                    slopes_of_gates(row, at, dhidden, dcell, e, dgates, gates, c[n, t, u], before, codes, n, t, u)
                for gate in range(4):
                    dprojected[n, t, gate * UNITS + u] = row[at + gate * UNITS]
        cuda.syncthreads()
        sums_back(row, turned, back, 0, COLUMNS, thread)
        cuda.syncthreads()
    for e in range(thread, STATE, THREADS):
        n, u = start + e // UNITS, e % UNITS
        if n < c.shape[0]:
            if c.shape[1] > 0 and mask[n, 0]:
                reach(dhidden, e, back, dropout, n, u, 4)
            dh0[n, u] = dhidden[e]
            dc0[n, u] = dcell[e]


@inlined
def slopes_of_gates(row, at, dhidden, dcell, e, dgates, gates, now, before, codes, n, t, u):
    """A unit's step: row[at...] becomes the slopes of its gates, dhidden and dcell those of the state before it.

    Args:
        now, before: the cell after the step, and before it.
        codes: of the activations.
    """
    activation, recurrent_activation = codes
    i, f = gates[n, t, u], gates[n, t, UNITS + u]
    g, o = gates[n, t, 2 * UNITS + u], gates[n, t, 3 * UNITS + u]
    shown = activate(now, activation)
    inside = dcell[e] + through(dhidden[e] * o, shown, activation)
    row[at] = through(dgates[n, t, u] + inside * g, i, recurrent_activation)
    row[at + UNITS] = through(dgates[n, t, UNITS + u] + inside * before, f, recurrent_activation)
    row[at + 2 * UNITS] = through(dgates[n, t, 2 * UNITS + u] + inside * i, g, activation)
    row[at + 3 * UNITS] = through(dgates[n, t, 3 * UNITS + u] + dhidden[e] * shown, o, recurrent_activation)
    dcell[e] = inside * f
    dhidden[e] = 0


declare("lstm", lstm_rows, kernel=1, arrays=10)
declare("lstm_gradient", lstm_gradient_rows, kernel=5, arrays=10, turning=True)
