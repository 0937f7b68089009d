"""Long short-term memory: rows of the batch for all time steps, the products with the recurrent kernel on the register tile."""

import numpy as np
from numba import njit

from refnet_fast.cpu.contraction import product
from refnet_fast.cpu.recurrent import MACHINE, rows_of, sigmoid, tanh
from refnet_fast.kernels import kernel


@njit(**MACHINE)
def step(x, before, z, cell, hidden):
    """One step of one row. z comes as the products with the state before it and becomes the gates."""
    units = cell.size
    for k in range(2 * units):
        z[k] = sigmoid(x[k] + z[k])
    for k in range(2 * units, 3 * units):
        z[k] = tanh(x[k] + z[k])
    for k in range(3 * units, 4 * units):
        z[k] = sigmoid(x[k] + z[k])
    i, f, g, o = z[:units], z[units : 2 * units], z[2 * units : 3 * units], z[3 * units :]
    for u in range(units):
        cell[u] = f[u] * before[u] + i[u] * g[u]
        hidden[u] = o[u] * tanh(cell[u])


@kernel("lstm", **rows_of(4, 1, 4, 5))
def lstm_rows(strips, x, kernel, h0, c0, mask, dropout, activation, recurrent_activation, h, c, gates, lo, hi):
    """Rows lo..hi. A step's states meet the recurrent kernel together, TALL rows at a time; the kernel stays in the cache from
    one step to the next, the products go to where the gates will stand, and nothing but the states is copied."""
    units, time, size = kernel.shape[0], h.shape[1], kernel.itemsize
    masked = np.empty((hi - lo, units), kernel.dtype)
    for t in range(time):
        for n in range(lo, hi):
            before, row = (h[n, t - 1] if t > 0 else h0[n]), masked[n - lo]
            for u in range(units):
                row[u] = before[u] * dropout[0, n, u]
        to = gates.ctypes.data + size * (lo * time + t) * 4 * units
        product(
            strips,
            masked.ctypes.data,
            units,
            1,
            kernel.ctypes.data,
            4 * units,
            to,
            time * 4 * units,
            4 * units,
            units,
            hi - lo,
        )
        for n in range(lo, hi):
            last_h, last_c = (h[n, t - 1] if t > 0 else h0[n]), (c[n, t - 1] if t > 0 else c0[n])
            if mask[n, t]:
                step(x[n, t], last_c, gates[n, t], c[n, t], h[n, t])
            else:
                gates[n, t, :] = 0
                h[n, t, :] = last_h
                c[n, t, :] = last_c


@njit(**MACHINE)
def step_back(dgates, z, before, cell, dhidden, dcell, dz):
    """One step of one row, backwards: dz from what flows into the step's states; dcell becomes what flows out."""
    units, one = cell.size, z.dtype.type(1)
    i, f, g, o = z[:units], z[units : 2 * units], z[2 * units : 3 * units], z[3 * units :]
    for u in range(units):
        shown = tanh(cell[u])
        inside = dcell[u] + dhidden[u] * o[u] * (one - shown * shown)
        dz[u] = (dgates[u] + inside * g[u]) * (i[u] * (one - i[u]))
        dz[units + u] = (dgates[units + u] + inside * before[u]) * (f[u] * (one - f[u]))
        dz[2 * units + u] = (dgates[2 * units + u] + inside * i[u]) * (one - g[u] * g[u])
        dz[3 * units + u] = (dgates[3 * units + u] + dhidden[u] * shown) * (o[u] * (one - o[u]))
        dcell[u] = inside * f[u]
        dhidden[u] = 0


@kernel("lstm_gradient", **rows_of(4, 5, 0, 1, 2, 7, 8))
def lstm_gradient_rows(
    strips, dh, dc, dgates, gates, c, kernel, c0, mask, dropout, activation, recurrent_activation, dx, dh0, dc0, lo, hi
):
    """Rows lo..hi, from the last step to the first; the slopes meet the recurrent kernel, turned around once, gate by gate."""
    units, time, size = kernel.shape[0], c.shape[1], kernel.itemsize
    turned = np.empty((4 * units, units), kernel.dtype)
    for j in range(units):
        for k in range(4 * units):
            turned[k, j] = kernel[j, k]
    back = np.empty((hi - lo, units), kernel.dtype)
    for n in range(lo, hi):
        dh0[n, :] = 0
        dc0[n, :] = 0
    for t in range(time - 1, -1, -1):
        for n in range(lo, hi):
            for u in range(units):
                dh0[n, u] += dh[n, t, u]
                dc0[n, u] += dc[n, t, u]
            if mask[n, t]:
                before = c[n, t - 1] if t > 0 else c0[n]
                step_back(dgates[n, t], gates[n, t], before, c[n, t], dh0[n], dc0[n], dx[n, t])
            else:
                dx[n, t, :] = 0
        for gate in range(4):
            slopes = dx.ctypes.data + size * ((lo * time + t) * 4 + gate) * units
            columns = turned.ctypes.data + size * gate * units * units
            product(strips, slopes, time * 4 * units, 1, columns, units, back.ctypes.data, units, units, units, hi - lo)
            for n in range(lo, hi):
                for u in range(units):
                    dh0[n, u] += dropout[0, n, u] * back[n - lo, u]
