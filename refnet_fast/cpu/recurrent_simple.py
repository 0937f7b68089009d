"""Plain recurrent nets: rows of the batch for all time steps, the products with the recurrent kernel on the register tile."""

import numpy as np
from numba import njit

from refnet_fast.cpu.contraction import product
from refnet_fast.cpu.recurrent import MACHINE, rows_of, tanh
from refnet_fast.kernels import kernel


@njit(**MACHINE)
def step(x, hidden):
    """One step of one row. hidden comes as the product with the state before it."""
    for u in range(hidden.size):
        hidden[u] = tanh(x[u] + hidden[u])


@kernel("simple_rnn", **rows_of(1, 1, 3, 4))
def simple_rnn_rows(strips, x, kernel, h0, mask, dropout, activation, h, lo, hi):
    """Rows lo..hi. A step's states meet the recurrent kernel together; the products go to where the next states will stand."""
    units, time, size = kernel.shape[0], h.shape[1], kernel.itemsize
    masked = np.empty((hi - lo, units), kernel.dtype)
    for t in range(time):
        for n in range(lo, hi):
            before, row = (h[n, t - 1] if t > 0 else h0[n]), masked[n - lo]
            for u in range(units):
                row[u] = before[u] * dropout[0, n, u]
        to = h.ctypes.data + size * (lo * time + t) * units
        product(
            strips, masked.ctypes.data, units, 1, kernel.ctypes.data, units, to, time * units, units, units, hi - lo
        )
        for n in range(lo, hi):
            if mask[n, t]:
                step(x[n, t], h[n, t])
            else:
                h[n, t, :] = h[n, t - 1] if t > 0 else h0[n]


@njit(**MACHINE)
def step_back(h, dhidden, dz):
    """One step of one row, backwards: what flows into the state leaves through dz."""
    one = h.dtype.type(1)
    for u in range(h.size):
        dz[u] = dhidden[u] * (one - h[u] * h[u])
        dhidden[u] = 0


@kernel("simple_rnn_gradient", **rows_of(1, 2, 0, 3, 4))
def simple_rnn_gradient_rows(strips, dh, h, kernel, mask, dropout, activation, dx, dh0, lo, hi):
    """Rows lo..hi, from the last step to the first; the slopes meet the recurrent kernel, turned around once."""
    units, time, size = kernel.shape[0], h.shape[1], kernel.itemsize
    turned = np.empty((units, units), kernel.dtype)
    for j in range(units):
        for u in range(units):
            turned[u, j] = kernel[j, u]
    back = np.empty((hi - lo, units), kernel.dtype)
    for n in range(lo, hi):
        dh0[n, :] = 0
    for t in range(time - 1, -1, -1):
        for n in range(lo, hi):
            for u in range(units):
                dh0[n, u] += dh[n, t, u]
            if mask[n, t]:
                step_back(h[n, t], dh0[n], dx[n, t])
            else:
                dx[n, t, :] = 0
        slopes = dx.ctypes.data + size * (lo * time + t) * units
        product(
            strips, slopes, time * units, 1, turned.ctypes.data, units, back.ctypes.data, units, units, units, hi - lo
        )
        for n in range(lo, hi):
            for u in range(units):
                dh0[n, u] += dropout[0, n, u] * back[n - lo, u]
