"""Long short-term memory: rows of the batch for all time steps, the products with the recurrent kernel on the register tile.

Each kernel exists twice: with tanh and sigmoid, where a step of a row is one loop, and with activations that the call names, which
are taken row by row.
"""

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
    sigmoid,
    slope_row,
    tanh,
    turned_around,
)
from refnet_fast.cpu.rows import MACHINE, add_products, add_row, copy_row, fill_row, multiply_rows, scale_row
from refnet_fast.kernels import kernel
from refnet_fast.native import named, njit
from refnet_fast.outcomes import cleared_scratch, scratch


@njit(**MACHINE)
def step(x, before, z, cell, hidden, activation, recurrent_activation):
    """One step of one row. z comes as the products with the state before it and becomes the gates."""
    units = cell.size
    for u in range(units):
        i, f = sigmoid(x[u] + z[u]), sigmoid(x[units + u] + z[units + u])
        g, o = tanh(x[2 * units + u] + z[2 * units + u]), sigmoid(x[3 * units + u] + z[3 * units + u])
        kept = f * before[u] + i * g
        z[u], z[units + u], z[2 * units + u], z[3 * units + u] = i, f, g, o
        cell[u], hidden[u] = kept, o * tanh(kept)


@njit(error_model="numpy")
def step_of_any(x, before, z, cell, hidden, activation, recurrent_activation):
    units = cell.size
    add_row(x, z)
    activate_row(z[: 2 * units], recurrent_activation)
    activate_row(z[2 * units : 3 * units], activation)
    activate_row(z[3 * units :], recurrent_activation)
    multiply_rows(z[units : 2 * units], before, cell)
    add_products(z[:units], z[2 * units : 3 * units], cell)
    copy_row(cell, hidden)
    activate_row(hidden, activation)
    scale_row(hidden, z[3 * units :])


def forwards(step, name):
    """The kernel that takes its steps with that function."""

    def lstm_rows(strips, x, kernel, h0, c0, mask, dropout, activation, recurrent_activation, h, c, gates, lo, hi):
        """Rows lo..hi, a dozen through all steps and then the next. A step's states meet the recurrent kernel together; the kernel
        stays in the cache from one step to the next, the products go to where the gates will stand, and nothing is copied."""
        units, columns, time, size = kernel.shape[0], kernel.shape[1], h.shape[1], kernel.itemsize
        kinds, masked = kinds_of_masks(dropout), scratch((AT_ONCE, units), kernel.dtype)
        masks = scratch((kinds, AT_ONCE, units), kernel.dtype)
        for first in range(lo, hi, AT_ONCE):
            rows = min(AT_ONCE, hi - first)
            read_masks(kinds, dropout, first, rows, masks)
            for t in range(time):
                to = gates.ctypes.data + size * (first * time + t) * columns
                meet_kernel(strips, kinds, h, h0, t, first, rows, kernel, masks, masked, to, time * columns)
                for n in range(first, first + rows):
                    fetch_row(x, n, t + 1)
                    fetch_row(gates, n, t + 1)
                    last_h, last_c = (h[n, t - 1] if t > 0 else h0[n]), (c[n, t - 1] if t > 0 else c0[n])
                    if mask[n, t]:
                        step(x[n, t], last_c, gates[n, t], c[n, t], h[n, t], activation, recurrent_activation)
                    else:
                        fill_row(gates[n, t], 0)
                        copy_row(last_h, h[n, t])
                        copy_row(last_c, c[n, t])

    return named(lstm_rows, name)


lstm_rows_of_any = kernel("lstm", **rows_of(4, 1, 4, 5, when=floats))(forwards(step_of_any, "lstm_rows_of_any"))
lstm_rows = kernel("lstm", **rows_of(4, 1, 4, 5))(forwards(step, "lstm_rows"))


@njit(**MACHINE)
def step_back(dgates, z, before, cell, dhidden, dcell, dz, activation, recurrent_activation):
    """One step of one row, backwards: dz from what flows into the step's states; dcell becomes what flows out."""
    units, one = cell.size, z.dtype.type(1)
    for u in range(units):
        i, f, g, o = z[u], z[units + u], z[2 * units + u], z[3 * units + u]
        shown = tanh(cell[u])
        inside = dcell[u] + dhidden[u] * o * (one - shown * shown)
        dz[u] = (dgates[u] + inside * g) * (i * (one - i))
        dz[units + u] = (dgates[units + u] + inside * before[u]) * (f * (one - f))
        dz[2 * units + u] = (dgates[2 * units + u] + inside * i) * (one - g * g)
        dz[3 * units + u] = (dgates[3 * units + u] + dhidden[u] * shown) * (o * (one - o))
        dcell[u], dhidden[u] = inside * f, 0


@njit(error_model="numpy")
def step_back_of_any(dgates, z, before, cell, dhidden, dcell, dz, activation, recurrent_activation):
    units = cell.size
    shown, into_cell = dz[:units], dz[units : 2 * units]
    copy_row(cell, shown)
    activate_row(shown, activation)
    multiply_rows(dhidden, z[3 * units :], into_cell)
    slope_row(into_cell, shown, activation)
    add_row(into_cell, dcell)
    spread_slopes(dgates, z, before, dhidden, dcell, dz)
    slope_row(dz[: 2 * units], z[: 2 * units], recurrent_activation)
    slope_row(dz[2 * units : 3 * units], z[2 * units : 3 * units], activation)
    slope_row(dz[3 * units :], z[3 * units :], recurrent_activation)


@njit(**MACHINE)
def spread_slopes(dgates, z, before, dhidden, dcell, dz):
    """What flows into the gates and out of the cell; dz comes with what the cell shows in front."""
    units = before.size
    for u in range(units):
        shown, inside = dz[u], dcell[u]
        dz[u] = dgates[u] + inside * z[2 * units + u]
        dz[units + u] = dgates[units + u] + inside * before[u]
        dz[2 * units + u] = dgates[2 * units + u] + inside * z[u]
        dz[3 * units + u] = dgates[3 * units + u] + dhidden[u] * shown
        dcell[u], dhidden[u] = inside * z[units + u], 0


def backwards(step, name):
    """The kernel that takes its steps back with that function."""

    def lstm_gradient_rows(
        strips, dh, dc, dgates, gates, c, kernel, c0, mask, dropout, activation, recurrent_activation, dx, dh0, dc0, lo, hi
    ):  # fmt: skip
        """Rows lo..hi, a dozen at a time, from the last step to the first; the slopes meet the recurrent kernel, turned around
        once."""
        units, columns, time, size = kernel.shape[0], kernel.shape[1], c.shape[1], kernel.itemsize
        turned, back = turned_around(kernel), scratch((AT_ONCE, units), kernel.dtype)
        kinds, into_gates = kinds_of_masks(dropout), cleared_scratch(columns, kernel.dtype)
        into_h, into_c = cleared_scratch(units, kernel.dtype), cleared_scratch(units, kernel.dtype)
        masks = scratch((kinds, AT_ONCE, units), kernel.dtype)
        for first in range(lo, hi, AT_ONCE):
            rows = min(AT_ONCE, hi - first)
            read_masks(kinds, dropout, first, rows, masks)
            for n in range(first, first + rows):
                fill_row(dh0[n], 0)
                fill_row(dc0[n], 0)
            for t in range(time - 1, -1, -1):
                for n in range(first, first + rows):
                    read_flow(dh, n, t, into_h)
                    read_flow(dc, n, t, into_c)
                    add_row(into_h, dh0[n])
                    add_row(into_c, dc0[n])
                    fetch_row(gates, n, t - 1)
                    fetch_row(c, n, t - 2)
                    fetch_row(dx, n, t - 1)
                    if mask[n, t]:
                        read_flow(dgates, n, t, into_gates)
                        before = c[n, t - 1] if t > 0 else c0[n]
                        step(
                            into_gates, gates[n, t], before, c[n, t], dh0[n], dc0[n], dx[n, t], activation, recurrent_activation
                        )  # fmt: skip
                    else:
                        fill_row(dx[n, t], 0)
                slopes = dx.ctypes.data + size * (first * time + t) * columns
                meet_kernel_back(strips, kinds, slopes, time * columns, turned, masks, mask, t, first, rows, back, dh0)

    return named(lstm_gradient_rows, name)


OF_GRADIENT = (4, 5, 0, 1, 2, 7, 8)
lstm_gradient_rows_of_any = kernel("lstm_gradient", **rows_of(*OF_GRADIENT, when=floats))(
    backwards(step_back_of_any, "lstm_gradient_rows_of_any")
)
lstm_gradient_rows = kernel("lstm_gradient", **rows_of(*OF_GRADIENT))(backwards(step_back, "lstm_gradient_rows"))
