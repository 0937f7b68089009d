"""What the kernels of simple_rnn, lstm and gru share: the product on the register tile, and when they serve.

Each call of a kernel owns rows lo..hi of the batch for all time steps; the recurrent kernel stays in the cache from one step to
the next. Results do not depend on how many rows a call owns: a row of a product is summed in the same order alone and in a tile.
"""

import numpy as np

from refnet.definition import View, row_major
from refnet.ops.recurrent import HARD_SIGMOID, LINEAR, RELU, SIGMOID, TANH, activate, through
from refnet_fast.cpu.contraction import product
from refnet_fast.cpu.elementary import by_type
from refnet_fast.cpu.rows import MACHINE, add_products, add_row, copy_row, multiply_rows
from refnet_fast.cpu.tile import TALL, strips
from refnet_fast.derive import Placed, compiled, itemsize
from refnet_fast.native import njit, row_at
from refnet_fast.outcomes import scratch
from refnet_fast.tables import ELEMENT_NS

sigmoid, tanh = by_type("sigmoid"), by_type("tanh")
NEEDED = {"activation": TANH, "recurrent_activation": SIGMOID, "reset_after": True}
# rows of the batch that go through all steps together: what they read and write stays in near caches
AT_ONCE = 2 * TALL


def floats(call):
    return call.dtypes - {"bool"} in ({"float32"}, {"float64"})


def usual(call):
    """tanh and sigmoid, which a step takes together with all else it does, and reset after the product."""
    return floats(call) and all(NEEDED[name] == value for name, value in call.attributes.items())


# ---- other activations: row by row, by the definitions. The frequent ones are named, so that each has a loop of its own.

activated, sloped = compiled(activate), compiled(through)


@njit(**MACHINE)
def activate_row(row, activation):
    """row = the activation of row."""
    if activation == TANH:
        for u in range(row.size):
            row[u] = tanh(row[u])
    elif activation == SIGMOID:
        for u in range(row.size):
            row[u] = sigmoid(row[u])
    elif activation == RELU:
        for u in range(row.size):
            row[u] = activated(np.float64(row[u]), RELU)
    elif activation == HARD_SIGMOID:
        for u in range(row.size):
            row[u] = activated(np.float64(row[u]), HARD_SIGMOID)
    elif activation != LINEAR:
        for u in range(row.size):
            row[u] = activated(np.float64(row[u]), activation)


@njit(**MACHINE)
def slope_row(slopes, row, activation):
    """slopes *= the derivative of the activation whose values are `row`."""
    if activation == TANH:
        for u in range(row.size):
            slopes[u] = sloped(np.float64(slopes[u]), np.float64(row[u]), TANH)
    elif activation == SIGMOID:
        for u in range(row.size):
            slopes[u] = sloped(np.float64(slopes[u]), np.float64(row[u]), SIGMOID)
    elif activation == RELU:
        for u in range(row.size):
            slopes[u] = sloped(np.float64(slopes[u]), np.float64(row[u]), RELU)
    elif activation != LINEAR:
        for u in range(row.size):
            slopes[u] = sloped(np.float64(slopes[u]), np.float64(row[u]), activation)


@njit(error_model="numpy")
def kinds_of_masks(dropout):
    """0 where nothing is dropped, 1 where all gates share their masks, else the number of gates.

    All rows of the batch say so, whoever asks: sums by gates are rounded otherwise than those of all gates together.
    """
    kinds = 1 if dropout.strides[0] == 0 else dropout.shape[0]
    for gate in range(kinds):
        for n in range(dropout.shape[1]):
            for u in range(dropout.shape[2]):
                if dropout[gate, n, u] != 1:
                    return kinds
    return 0


@njit(error_model="numpy")
def read_masks(kinds, dropout, first, rows, masks):
    """masks[gate, n] = the masks of rows first, first + 1 ..., side by side."""
    for gate in range(kinds):
        for n in range(rows):
            for u in range(masks.shape[2]):
                masks[gate, n, u] = dropout[gate, first + n, u]


@njit(error_model="numpy")
def meet_kernel(strips, kinds, h, h0, t, first, rows, kernel, masks, masked, to, to_row):
    """to = the states before step t of rows first, first + 1 ..., each times its mask, times the recurrent kernel."""
    units, columns, size, time = kernel.shape[0], kernel.shape[1], kernel.itemsize, h.shape[1]
    if kinds == 0:
        before, row = h0.ctypes.data + size * first * units, units
        if t > 0:
            before, row = h.ctypes.data + size * (first * time + t - 1) * units, time * units
        product(strips, before, row, 1, kernel.ctypes.data, columns, to, to_row, columns, units, rows)
    for gate in range(kinds):
        for n in range(rows):
            multiply_rows(h[first + n, t - 1] if t > 0 else h0[first + n], masks[gate, n], masked[n])
        width, start = columns // kinds, size * gate * (columns // kinds)
        taken, put = kernel.ctypes.data + start, to + start
        product(strips, masked.ctypes.data, units, 1, taken, columns, put, to_row, width, units, rows)


@njit(error_model="numpy")
def turned_around(kernel):
    """The recurrent kernel with its axes exchanged."""
    turned = scratch((kernel.shape[1], kernel.shape[0]), kernel.dtype)
    for j in range(kernel.shape[0]):
        for k in range(kernel.shape[1]):
            turned[k, j] = kernel[j, k]
    return turned


@njit(error_model="numpy")
def meet_kernel_back(strips, kinds, dz, dz_row, turned, masks, mask, t, first, rows, back, dh):
    """Adds to dh what flows back from the slopes dz (an address) of step t through the kernel, turned around, and the masks.

    Rows whose step is masked are left out: their slopes are 0, but 0 times an infinite weight would not be.
    """
    units, size = turned.shape[1], turned.itemsize
    times = max(kinds, 1)
    steps = turned.shape[0] // times
    for gate in range(times):
        slopes, columns = dz + size * gate * steps, turned.ctypes.data + size * gate * steps * units
        product(strips, slopes, dz_row, 1, columns, units, back.ctypes.data, units, units, steps, rows)
        for n in range(rows):
            if not mask[first + n, t]:
                continue
            if kinds == 0:
                add_row(back[n], dh[first + n])
            else:
                add_products(masks[gate, n], back[n], dh[first + n])


@njit(error_model="numpy")
def read_flow(flow, n, t, row):
    """row = flow[n, t]. Where flow is one number for all, `row` holds it from the first time on."""
    steady = flow.strides[0] == 0 and flow.strides[1] == 0 and flow.strides[2] == 0
    if steady and row[0] == flow[0, 0, 0] and row[row.size - 1] == row[0]:
        return
    if flow.strides[2] == flow.itemsize:
        at = flow.ctypes.data + n * flow.strides[0] + t * flow.strides[1]
        copy_row(row_at(at, row.size, flow.dtype), row)
        return
    for u in range(row.size):
        row[u] = flow[n, t, u]


class Strided(Placed):
    """An array read through its strides even where they are the usual ones: masks and flows are often one number for all, and
    a kernel for each combination would have to be compiled."""

    contiguous = False


def rows_of(gates, kernel, *repeated, when=usual):
    """The declaration of a kernel whose tasks are rows of the batch.

    Args:
        gates: how often the units stand in a row of the recurrent kernel.
        kernel: the recurrent kernel's position among the inputs.
        repeated: positions of the inputs that may be one number for all.
        when: the condition under which it serves.
    """

    def arguments(call, inputs, outputs):
        read = list(inputs)
        for position in repeated:
            x = inputs[position]
            strides = x.view.strides or tuple(row_major(x.view.shape))
            read[position] = Strided(x.address, View(x.view.shape, strides), x.dtype)
        return [strips(itemsize(call.outputs[0].dtype)), *read, *call.form.attributes, *outputs]

    def row_ns(call):
        time, units = call.outputs[0].shape[1], call.inputs[kernel].shape[0]
        return time * units * (gates * units * 0.02 + 15 * gates * ELEMENT_NS) + 50

    return {
        "when": when,
        "tasks": lambda call: call.form.domain[0],
        "cost": row_ns,
        "quantum": TALL,
        "arguments": arguments,
    }
