"""Plain recurrent nets: rows of the batch for all time steps, the products with the recurrent kernel on the register tile."""

from refnet_fast.cpu.fetching import fetch_row
from refnet_fast.cpu.recurrent import (
    AT_ONCE,
    activate_row,
    floats,
    kinds_of_masks,
    meet_kernel,
    meet_kernel_back,
    read_flow,
    read_masks,
    rows_of,
    slope_row,
    turned_around,
)
from refnet_fast.cpu.rows import add_row, copy_row, fill_row
from refnet_fast.kernels import kernel
from refnet_fast.native import njit
from refnet_fast.outcomes import cleared_scratch, scratch


@njit(error_model="numpy")
def step(x, hidden, activation):
    """One step of one row. hidden comes as the product with the state before it."""
    add_row(x, hidden)
    activate_row(hidden, activation)


@kernel("simple_rnn", **rows_of(1, 1, 3, 4, when=floats))
def simple_rnn_rows(strips, x, kernel, h0, mask, dropout, activation, h, lo, hi):
    """Rows lo..hi, a dozen through all steps and then the next. A step's states meet the recurrent kernel together; the products
    go to where the next states will stand."""
    units, time, size = kernel.shape[0], h.shape[1], kernel.itemsize
    kinds, masked = kinds_of_masks(dropout), scratch((AT_ONCE, units), kernel.dtype)
    masks = scratch((kinds, AT_ONCE, units), kernel.dtype)
    for first in range(lo, hi, AT_ONCE):
        rows = min(AT_ONCE, hi - first)
        read_masks(kinds, dropout, first, rows, masks)
        for t in range(time):
            to = h.ctypes.data + size * (first * time + t) * units
            meet_kernel(strips, kinds, h, h0, t, first, rows, kernel, masks, masked, to, time * units)
            for n in range(first, first + rows):
                fetch_row(x, n, t + 1)
                if mask[n, t]:
                    step(x[n, t], h[n, t], activation)
                else:
                    copy_row(h[n, t - 1] if t > 0 else h0[n], h[n, t])


@njit(error_model="numpy")
def step_back(h, dhidden, dz, activation):
    """One step of one row, backwards: what flows into the state leaves through dz."""
    copy_row(dhidden, dz)
    slope_row(dz, h, activation)
    fill_row(dhidden, 0)


@kernel("simple_rnn_gradient", **rows_of(1, 2, 0, 3, 4, when=floats))
def simple_rnn_gradient_rows(strips, dh, h, kernel, mask, dropout, activation, dx, dh0, lo, hi):
    """Rows lo..hi, a dozen at a time, from the last step to the first; the slopes meet the recurrent kernel, turned around once."""
    units, time, size = kernel.shape[0], h.shape[1], kernel.itemsize
    turned, back = turned_around(kernel), scratch((AT_ONCE, units), kernel.dtype)
    kinds, into_h = kinds_of_masks(dropout), cleared_scratch(units, kernel.dtype)
    masks = scratch((kinds, AT_ONCE, units), kernel.dtype)
    for first in range(lo, hi, AT_ONCE):
        rows = min(AT_ONCE, hi - first)
        read_masks(kinds, dropout, first, rows, masks)
        for n in range(first, first + rows):
            fill_row(dh0[n], 0)
        for t in range(time - 1, -1, -1):
            for n in range(first, first + rows):
                read_flow(dh, n, t, into_h)
                add_row(into_h, dh0[n])
                fetch_row(h, n, t - 1)
                fetch_row(dx, n, t - 1)
                if mask[n, t]:
                    step_back(h[n, t], dh0[n], dx[n, t], activation)
                else:
                    fill_row(dx[n, t], 0)
            slopes = dx.ctypes.data + size * (first * time + t) * units
            meet_kernel_back(strips, kinds, slopes, time * units, turned, masks, mask, t, first, rows, back, dh0)
