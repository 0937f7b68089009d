"""The plain recurrent net over whole sequences, forward and backward; see `cuda/recurrent.py`."""

from numba import cuda

from refnet_fast.cuda.recurrent import declare, reach, sums_back
from refnet_fast.cuda.text import unrolled

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


def simple_rnn_rows(projected, kernel, h0, mask, dropout, activation, h):
    """ROWS rows of the batch a block, a unit of all of them a thread."""
    seen = cuda.shared.array(STATE, REAL)
    hidden = cuda.shared.array(STATE, REAL)
    total = cuda.local.array(ROWS, REAL)
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        n, u = start + e // UNITS, e % UNITS
        hidden[e] = h0[n, u] if n < h.shape[0] else 0
        seen[e] = hidden[e] * dropout[0, n, u] if n < h.shape[0] else 0
    cuda.syncthreads()
    for t in range(h.shape[1]):
        for u in range(thread, UNITS, THREADS):
            for r in unrolled(ROWS):
                total[r] = 0
            for j in range(UNITS):
                weight = kernel[j, u]
                for r in unrolled(ROWS):
                    total[r] += seen[r * UNITS + j] * weight
            for r in unrolled(ROWS):
                n = start + r
                if n < h.shape[0]:
                    if mask[n, t]:
                        hidden[r * UNITS + u] = activate(projected[n, t, u] + total[r], activation)
                    h[n, t, u] = hidden[r * UNITS + u]
        cuda.syncthreads()
        for e in range(thread, STATE, THREADS):
            n = start + e // UNITS
            if n < h.shape[0]:
                seen[e] = hidden[e] * dropout[0, n, e % UNITS]
        cuda.syncthreads()


def simple_rnn_gradient_rows(dh, h, kernel, mask, dropout, activation, dprojected, dh0, turned):
    """From the last step to the first: a unit of a row a thread, then a unit of ROWS rows a thread."""
    row = cuda.shared.array(STATE, REAL)
    back = cuda.shared.array(STATE, REAL)
    dhidden = cuda.shared.array(STATE, REAL)
    thread, start = cuda.threadIdx.x, cuda.blockIdx.x * ROWS
    for e in range(thread, STATE, THREADS):
        dhidden[e] = 0
    for number in range(h.shape[1]):
        t = h.shape[1] - 1 - number
        for e in range(thread, STATE, THREADS):
            n, u = start + e // UNITS, e % UNITS
            slope = 0.0
            if n < h.shape[0]:
                # The slopes of a masked step are 0, but 0 times an infinite weight is not.
                if number > 0 and mask[n, t + 1]:
                    reach(dhidden, e, back, dropout, n, u, 1)
                dhidden[e] += dh[n, t, u]
                if mask[n, t]:
                    slope = through(dhidden[e], h[n, t, u], activation)
                    dhidden[e] = 0
                dprojected[n, t, u] = slope
            row[e] = slope
        cuda.syncthreads()
        sums_back(row, turned, back, 0, UNITS, thread)
        cuda.syncthreads()
    for e in range(thread, STATE, THREADS):
        n, u = start + e // UNITS, e % UNITS
        if n < h.shape[0]:
            if h.shape[1] > 0 and mask[n, 0]:
                reach(dhidden, e, back, dropout, n, u, 1)
            dh0[n, u] = dhidden[e]


declare("simple_rnn", simple_rnn_rows, kernel=1, arrays=2)
declare("simple_rnn_gradient", simple_rnn_gradient_rows, kernel=2, arrays=3, turning=True)
