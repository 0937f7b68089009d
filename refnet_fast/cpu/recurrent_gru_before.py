"""Gated recurrent units that reset before the product, in the order of the first paper (Cho et al. 2014).

A step takes two products: of the states with two thirds of the recurrent kernel, which open the gates, and of the states that the
reset gate lets through with the last third. Rows of the batch for all time steps, as in `recurrent_gru.py`.
"""

import numpy as np
from numba import njit

from refnet_fast.cpu.contraction import product
from refnet_fast.cpu.fetching import fetch_row
from refnet_fast.cpu.recurrent import (
    AT_ONCE,
    activate_row,
    floats,
    kinds_of_masks,
    read_flow,
    read_masks,
    rows_of,
    slope_row,
    turned_around,
)
from refnet_fast.cpu.recurrent_gru import mix, split_slopes
from refnet_fast.cpu.rows import add_products, add_row, copy_row, fill_row, multiply_rows, scale_row
from refnet_fast.kernels import kernel


def _resets_before(call):
    return floats(call) and not call.attributes["reset_after"]


@njit(error_model="numpy")
def dropped(row, kinds, masks, gate, n, to):
    """to = the row, times a gate's mask of it."""
    if kinds == 0:
        copy_row(row, to)
    else:
        multiply_rows(row, masks[gate if kinds > 1 else 0, n], to)


@kernel("gru", **rows_of(3, 1, 4, 5, when=_resets_before))
def gru_rows_reset_before(
    strips, x, kernel, bias, h0, mask, dropout, activation, recurrent_activation, reset_after, h, gates, inner, lo, hi
):  # fmt: skip
    """Rows lo..hi, a dozen through all steps and then the next; the products go to where the gates will stand."""
    units, columns, time, size = kernel.shape[0], kernel.shape[1], h.shape[1], kernel.itemsize
    kinds, seen, place = kinds_of_masks(dropout, lo, hi), np.empty((AT_ONCE, units), kernel.dtype), kernel.ctypes.data
    masks = np.empty((kinds, AT_ONCE, units), kernel.dtype)
    states, row = seen.ctypes.data, time * columns
    for first in range(lo, hi, AT_ONCE):
        rows = min(AT_ONCE, hi - first)
        read_masks(kinds, dropout, first, rows, masks)
        for t in range(time):
            to = gates.ctypes.data + size * (first * time + t) * columns
            for gate in range(2):
                for n in range(rows):
                    dropped(h[first + n, t - 1] if t > 0 else h0[first + n], kinds, masks, gate, n, seen[n])
                start = size * gate * units
                product(strips, states, units, 1, place + start, columns, to + start, row, units, units, rows)
            for n in range(rows):
                z, before = gates[first + n, t, : 2 * units], h[first + n, t - 1] if t > 0 else h0[first + n]
                add_row(x[first + n, t, : 2 * units], z)
                activate_row(z, recurrent_activation)
                dropped(before, kinds, masks, 2, n, seen[n])
                scale_row(seen[n], z[units:])
            start = size * 2 * units
            product(strips, states, units, 1, place + start, columns, to + start, row, units, units, rows)
            for n in range(first, first + rows):
                fetch_row(x, n, t + 1)
                fetch_row(gates, n, t + 1)
                z, before = gates[n, t], h[n, t - 1] if t > 0 else h0[n]
                if mask[n, t]:
                    copy_row(z[2 * units :], inner[n, t])
                    add_row(x[n, t, 2 * units :], z[2 * units :])
                    activate_row(z[2 * units :], activation)
                    mix(z[:units], before, z[2 * units :], h[n, t])
                else:
                    fill_row(z, 0)
                    fill_row(inner[n, t], 0)
                    copy_row(before, h[n, t])


@kernel("gru_gradient", **rows_of(3, 6, 0, 1, 2, 8, 9, when=_resets_before))
def gru_gradient_rows_reset_before(
    strips, dh, dgates, dinner, h, gates, inner, kernel, h0, mask, dropout, activation, recurrent_activation, reset_after,
    dx, dz, dh0, lo, hi,
):  # fmt: skip
    """Rows lo..hi, a dozen at a time, from the last step to the first: the candidate's slopes meet the last third of the kernel,
    turned around, before the reset gate's are known; these and the update gate's meet the rest."""
    units, columns, time, size = kernel.shape[0], kernel.shape[1], h.shape[1], kernel.itemsize
    turned, back = turned_around(kernel), np.empty((AT_ONCE, units), kernel.dtype)
    kinds, into_gates = kinds_of_masks(dropout, lo, hi), np.zeros(columns, kernel.dtype)
    into_h, into_inner = np.zeros(units, kernel.dtype), np.zeros(units, kernel.dtype)
    masks, row = np.empty((kinds, AT_ONCE, units), kernel.dtype), time * columns
    for first in range(lo, hi, AT_ONCE):
        rows = min(AT_ONCE, hi - first)
        read_masks(kinds, dropout, first, rows, masks)
        for n in range(first, first + rows):
            fill_row(dh0[n], 0)
        for t in range(time - 1, -1, -1):
            slopes = dz.ctypes.data + size * (first * time + t) * columns
            for n in range(first, first + rows):
                read_flow(dh, n, t, into_h)
                add_row(into_h, dh0[n])
                fetch_row(gates, n, t - 1)
                fetch_row(h, n, t - 2)
                fetch_row(dx, n, t - 1)
                fetch_row(dz, n, t - 1)
                if mask[n, t]:
                    read_flow(dgates, n, t, into_gates)
                    read_flow(dinner, n, t, into_inner)
                    outer, before = dx[n, t], h[n, t - 1] if t > 0 else h0[n]
                    split_slopes(into_gates, gates[n, t], before, dh0[n], outer)
                    slope_row(outer[2 * units :], gates[n, t, 2 * units :], activation)
                    copy_row(outer, dz[n, t])
                    add_row(into_inner, dz[n, t, 2 * units :])
                else:
                    fill_row(dx[n, t], 0)
                    fill_row(dz[n, t], 0)
            for gate in (2, 0, 1):
                met = turned.ctypes.data + size * gate * units * units
                given = slopes + size * gate * units
                product(strips, given, row, 1, met, units, back.ctypes.data, units, units, units, rows)
                for n in range(rows):
                    if not mask[first + n, t]:  # its slopes are 0, but 0 times an infinite weight would not be
                        continue
                    if kinds > 0:
                        scale_row(back[n], masks[gate if kinds > 1 else 0, n])
                    if gate == 2:
                        z, outer = gates[first + n, t], dx[first + n, t]
                        before = h[first + n, t - 1] if t > 0 else h0[first + n]
                        add_products(back[n], before, outer[units : 2 * units])
                        add_products(back[n], z[units : 2 * units], dh0[first + n])
                        slope_row(outer[: 2 * units], z[: 2 * units], recurrent_activation)
                        copy_row(outer[: 2 * units], dz[first + n, t, : 2 * units])
                    else:
                        add_row(back[n], dh0[first + n])
