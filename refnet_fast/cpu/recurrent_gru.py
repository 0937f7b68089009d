"""Gated recurrent units: rows of the batch for all time steps, products on the register tile.

Those that reset after the product come first; each of their kernels exists twice, as those of `recurrent_lstm.py` do. The others follow.
"""

from refnet_fast.cpu.contraction import product
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


def resets_after(call):
    return floats(call) and call.attributes["reset_after"]


@njit(**MACHINE)
def step(x, bias, before, z, inner, hidden, activation, recurrent_activation):
    """One step of one row. z comes as the products with the state before it and becomes the gates."""
    units, one = hidden.size, hidden.dtype.type(1)
    for u in range(units):
        update = sigmoid(x[u] + z[u] + bias[u])
        reset = sigmoid(x[units + u] + z[units + u] + bias[units + u])
        part = z[2 * units + u] + bias[2 * units + u]
        candidate = tanh(x[2 * units + u] + reset * part)
        z[u], z[units + u], z[2 * units + u], inner[u] = update, reset, candidate, part
        hidden[u] = update * before[u] + (one - update) * candidate


@njit(error_model="numpy")
def step_of_any(x, bias, before, z, inner, hidden, activation, recurrent_activation):
    units = hidden.size
    add_row(bias, z)
    copy_row(z[2 * units :], inner)
    add_row(x[: 2 * units], z[: 2 * units])
    activate_row(z[: 2 * units], recurrent_activation)
    multiply_rows(z[units : 2 * units], inner, z[2 * units :])
    add_row(x[2 * units :], z[2 * units :])
    activate_row(z[2 * units :], activation)
    mix(z[:units], before, z[2 * units :], hidden)


@njit(**MACHINE)
def mix(update, before, candidate, hidden):
    one = hidden.dtype.type(1)
    for u in range(hidden.size):
        hidden[u] = update[u] * before[u] + (one - update[u]) * candidate[u]


def forwards(step, name):
    """The kernel that takes its steps with that function."""

    def gru_rows(
        strips, x, kernel, bias, h0, mask, dropout, activation, recurrent_activation, reset_after, h, gates, inner, lo, hi
    ):  # fmt: skip
        """Rows lo..hi, a dozen through all steps and then the next. A step's states meet the recurrent kernel together; the
        products go to where the gates will stand."""
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
                    before = h[n, t - 1] if t > 0 else h0[n]
                    if mask[n, t]:
                        step(x[n, t], bias, before, gates[n, t], inner[n, t], h[n, t], activation, recurrent_activation)
                    else:
                        fill_row(gates[n, t], 0)
                        fill_row(inner[n, t], 0)
                        copy_row(before, h[n, t])

    return named(gru_rows, name)


gru_rows_of_any = kernel("gru", **rows_of(3, 1, 4, 5, when=resets_after))(forwards(step_of_any, "gru_rows_of_any"))
gru_rows = kernel("gru", **rows_of(3, 1, 4, 5))(forwards(step, "gru_rows"))


@njit(**MACHINE)
def step_back(dgates, dinner, z, inner, before, dhidden, dx, dz, activation, recurrent_activation):
    """One step of one row, backwards: dx for the projected inputs, dz for the products; dhidden keeps what passes by them."""
    units, one = before.size, z.dtype.type(1)
    for u in range(units):
        update, reset, candidate = z[u], z[units + u], z[2 * units + u]
        dupdate = dgates[u] + dhidden[u] * (before[u] - candidate)
        dcandidate = (dgates[2 * units + u] + dhidden[u] * (one - update)) * (one - candidate * candidate)
        dreset = dgates[units + u] + dcandidate * inner[u]
        dhidden[u] = dhidden[u] * update
        into_update, into_reset = dupdate * (update * (one - update)), dreset * (reset * (one - reset))
        dx[u], dx[units + u], dx[2 * units + u] = into_update, into_reset, dcandidate
        dz[u], dz[units + u], dz[2 * units + u] = into_update, into_reset, dinner[u] + dcandidate * reset


@njit(error_model="numpy")
def step_back_of_any(dgates, dinner, z, inner, before, dhidden, dx, dz, activation, recurrent_activation):
    units = before.size
    split_slopes(dgates, z, before, dhidden, dx)
    slope_row(dx[2 * units :], z[2 * units :], activation)
    add_products(dx[2 * units :], inner, dx[units : 2 * units])
    slope_row(dx[: 2 * units], z[: 2 * units], recurrent_activation)
    copy_row(dx[: 2 * units], dz[: 2 * units])
    copy_row(dinner, dz[2 * units :])
    add_products(dx[2 * units :], z[units : 2 * units], dz[2 * units :])


@njit(**MACHINE)
def split_slopes(dgates, z, before, dhidden, dx):
    """What flows into the gates, of the reset gate what comes from outside; dhidden keeps what passes by them."""
    units, one = before.size, z.dtype.type(1)
    for u in range(units):
        update, candidate = z[u], z[2 * units + u]
        dx[u] = dgates[u] + dhidden[u] * (before[u] - candidate)
        dx[units + u] = dgates[units + u]
        dx[2 * units + u] = dgates[2 * units + u] + dhidden[u] * (one - update)
        dhidden[u] = dhidden[u] * update


def backwards(step, name):
    """The kernel that takes its steps back with that function."""

    def gru_gradient_rows(
        strips, dh, dgates, dinner, h, gates, inner, kernel, h0, mask, dropout, activation, recurrent_activation, reset_after,
        dx, dz, dh0, lo, hi,
    ):  # fmt: skip
        """Rows lo..hi, a dozen at a time, from the last step to the first; the slopes meet the recurrent kernel, turned around
        once."""
        units, columns, time, size = kernel.shape[0], kernel.shape[1], h.shape[1], kernel.itemsize
        turned, back = turned_around(kernel), scratch((AT_ONCE, units), kernel.dtype)
        kinds, into_gates = kinds_of_masks(dropout), cleared_scratch(columns, kernel.dtype)
        into_h, into_inner = cleared_scratch(units, kernel.dtype), cleared_scratch(units, kernel.dtype)
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
                    fetch_row(gates, n, t - 1)
                    fetch_row(inner, n, t - 1)
                    fetch_row(h, n, t - 2)
                    fetch_row(dx, n, t - 1)
                    fetch_row(dz, n, t - 1)
                    if mask[n, t]:
                        read_flow(dgates, n, t, into_gates)
                        read_flow(dinner, n, t, into_inner)
                        before = h[n, t - 1] if t > 0 else h0[n]
                        step(
                            into_gates, into_inner, gates[n, t], inner[n, t], before, dh0[n], dx[n, t], dz[n, t],
                            activation, recurrent_activation,
                        )  # fmt: skip
                    else:
                        fill_row(dx[n, t], 0)
                        fill_row(dz[n, t], 0)
                slopes = dz.ctypes.data + size * (first * time + t) * columns
                meet_kernel_back(strips, kinds, slopes, time * columns, turned, masks, mask, t, first, rows, back, dh0)

    return named(gru_gradient_rows, name)


OF_GRADIENT = (3, 6, 0, 1, 2, 8, 9)
gru_gradient_rows_of_any = kernel("gru_gradient", **rows_of(*OF_GRADIENT, when=resets_after))(
    backwards(step_back_of_any, "gru_gradient_rows_of_any")
)
gru_gradient_rows = kernel("gru_gradient", **rows_of(*OF_GRADIENT))(backwards(step_back, "gru_gradient_rows"))


# ---- resetting before the product, in the order of the first paper (Cho et al. 2014): a step takes two products, of the states with two
# thirds of the recurrent kernel, which open the gates, and of the states that the reset gate lets through with the last third


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
    kinds, seen, place = kinds_of_masks(dropout), scratch((AT_ONCE, units), kernel.dtype), kernel.ctypes.data
    masks = scratch((kinds, AT_ONCE, units), kernel.dtype)
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
    turned, back = turned_around(kernel), scratch((AT_ONCE, units), kernel.dtype)
    kinds, into_gates = kinds_of_masks(dropout), cleared_scratch(columns, kernel.dtype)
    into_h, into_inner = cleared_scratch(units, kernel.dtype), cleared_scratch(units, kernel.dtype)
    masks, row = scratch((kinds, AT_ONCE, units), kernel.dtype), time * columns
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
