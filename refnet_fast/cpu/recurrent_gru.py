"""Gated recurrent units that reset after the product: rows of the batch for all time steps, products on the register tile."""

import numpy as np
from numba import njit

from refnet_fast.cpu.contraction import product
from refnet_fast.cpu.recurrent import MACHINE, rows_of, sigmoid, tanh
from refnet_fast.kernels import kernel


@njit(**MACHINE)
def step(x, bias, before, z, inner, hidden):
    """One step of one row. z comes as the products with the state before it and becomes the gates."""
    units = hidden.size
    for k in range(2 * units):
        z[k] = sigmoid(x[k] + z[k] + bias[k])
    update, reset, candidate = z[:units], z[units : 2 * units], z[2 * units :]
    one = z.dtype.type(1)
    for u in range(units):
        inner[u] = candidate[u] + bias[2 * units + u]
        candidate[u] = tanh(x[2 * units + u] + reset[u] * inner[u])
        hidden[u] = update[u] * before[u] + (one - update[u]) * candidate[u]


@kernel("gru", **rows_of(3, 1, 4, 5))
def gru_rows(
    strips, x, kernel, bias, h0, mask, dropout, activation, recurrent_activation, reset_after, h, gates, inner, lo, hi
):
    """Rows lo..hi. A step's states meet the recurrent kernel together; the products go to where the gates will stand."""
    units, time, size = kernel.shape[0], h.shape[1], kernel.itemsize
    masked = np.empty((hi - lo, units), kernel.dtype)
    for t in range(time):
        for n in range(lo, hi):
            before, row = (h[n, t - 1] if t > 0 else h0[n]), masked[n - lo]
            for u in range(units):
                row[u] = before[u] * dropout[0, n, u]
        to = gates.ctypes.data + size * (lo * time + t) * 3 * units
        product(
            strips,
            masked.ctypes.data,
            units,
            1,
            kernel.ctypes.data,
            3 * units,
            to,
            time * 3 * units,
            3 * units,
            units,
            hi - lo,
        )
        for n in range(lo, hi):
            before = h[n, t - 1] if t > 0 else h0[n]
            if mask[n, t]:
                step(x[n, t], bias, before, gates[n, t], inner[n, t], h[n, t])
            else:
                gates[n, t, :] = 0
                inner[n, t, :] = 0
                h[n, t, :] = before


@njit(**MACHINE)
def step_back(dgates, dinner, z, inner, before, dhidden, dx, dz):
    """One step of one row, backwards: dx for the projected inputs, dz for the products; dhidden keeps what passes by them."""
    units, one = before.size, z.dtype.type(1)
    update, reset, candidate = z[:units], z[units : 2 * units], z[2 * units :]
    for u in range(units):
        dupdate = dgates[u] + dhidden[u] * (before[u] - candidate[u])
        dcandidate = (dgates[2 * units + u] + dhidden[u] * (one - update[u])) * (one - candidate[u] * candidate[u])
        dreset = dgates[units + u] + dcandidate * inner[u]
        dhidden[u] = dhidden[u] * update[u]
        dx[u] = dupdate * (update[u] * (one - update[u]))
        dx[units + u] = dreset * (reset[u] * (one - reset[u]))
        dx[2 * units + u] = dcandidate
        dz[u] = dx[u]
        dz[units + u] = dx[units + u]
        dz[2 * units + u] = dinner[u] + dcandidate * reset[u]


@kernel("gru_gradient", **rows_of(3, 6, 0, 1, 2, 8, 9))
def gru_gradient_rows(
    strips, dh, dgates, dinner, h, gates, inner, kernel, h0, mask, dropout, activation, recurrent_activation, reset_after,
    dx, dz, dh0, lo, hi,
):  # fmt: skip
    """Rows lo..hi, from the last step to the first; the slopes meet the recurrent kernel, turned around once, gate by gate."""
    units, time, size = kernel.shape[0], h.shape[1], kernel.itemsize
    turned = np.empty((3 * units, units), kernel.dtype)
    for j in range(units):
        for k in range(3 * units):
            turned[k, j] = kernel[j, k]
    back = np.empty((hi - lo, units), kernel.dtype)
    for n in range(lo, hi):
        dh0[n, :] = 0
    for t in range(time - 1, -1, -1):
        for n in range(lo, hi):
            for u in range(units):
                dh0[n, u] += dh[n, t, u]
            if mask[n, t]:
                before = h[n, t - 1] if t > 0 else h0[n]
                step_back(dgates[n, t], dinner[n, t], gates[n, t], inner[n, t], before, dh0[n], dx[n, t], dz[n, t])
            else:
                dx[n, t, :] = 0
                dz[n, t, :] = 0
        for gate in range(3):
            slopes = dz.ctypes.data + size * ((lo * time + t) * 3 + gate) * units
            columns = turned.ctypes.data + size * gate * units * units
            product(strips, slopes, time * 3 * units, 1, columns, units, back.ctypes.data, units, units, units, hi - lo)
            for n in range(lo, hi):
                for u in range(units):
                    dh0[n, u] += dropout[0, n, u] * back[n - lo, u]
