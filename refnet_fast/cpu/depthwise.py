"""Depthwise convolution, a filter for each channel: lane by lane on the register tile, sixteen channels of float32 at a time."""

import numpy as np
from numba import njit

from refnet.definition import View
from refnet_fast.cpu.convolution import convolve, taking
from refnet_fast.cpu.tile import multiply, strips
from refnet_fast.derive import Placed, itemsize
from refnet_fast.kernels import kernel

CHAIN = 2048  # additions in a row, at most, before a sum becomes one term of another
BLOCKS = 512  # sums that are added one after the other, before their sum becomes one term of another


def _depthwise(call):
    """One channel in and one out for each group."""
    groups = call.attributes["groups"]
    channels = {shape[-1] for shape in (call.inputs[0].shape, call.outputs[0].shape) if len(shape) == 4}
    return call.dtypes in ({"float32"}, {"float64"}) and groups > 1 and channels == {groups}


def _size(call):
    return itemsize(call.outputs[0].dtype)


def _rows(call):
    shape = call.outputs[0].shape
    return shape[0] * shape[1]


def _row_ns(call):
    shape = call.outputs[0].shape
    return shape[2] * shape[3] * call.form.cost * _size(call) * 0.02 + 20


def _geometry(call, inputs, outputs):
    x, k, y = [*call.inputs, *call.outputs]
    a = call.attributes
    image, window, result = tuple(x.shape[1:]), (*k.shape[:2], k.shape[3]), tuple(y.shape[1:3])
    addresses = [placed.address for placed in (*inputs, *outputs)]
    return [strips(_size(call)), *addresses, image, window, result, a["strides"], a["dilation"], a["padding"]]


@kernel("conv2d", when=_depthwise, tasks=_rows, cost=_row_ns, arguments=_geometry)
def depthwise_rows(strips, x, k, y, image, window, result, strides, dilation, padding, lo, hi):
    """Output rows lo..hi of all images, eight pixels by a vector of channels in registers for all taps."""
    convolve(strips, x, k, y, image, window, result, strides, dilation, padding, True, lo, hi)


def _geometry_of_gradient(call, inputs, outputs):
    dy, k, dx = [*call.inputs, *call.outputs]
    a = call.attributes
    image, window, result = tuple(dy.shape[1:]), (*k.shape[:2], k.shape[3]), tuple(dx.shape[1:3])
    padding = tuple((n - 1) * step - before for n, step, before in zip(k.shape, a["dilation"], a["padding"]))
    return [
        strips(_size(call)),
        inputs[0].address,
        inputs[1],
        outputs[0].address,
        image,
        window,
        result,
        a["dilation"],
        padding,
    ]


@kernel(
    "conv2d_inputs_gradient",
    when=lambda call: _depthwise(call) and call.attributes["strides"] == (1, 1),
    tasks=_rows,
    cost=_row_ns,
    arguments=_geometry_of_gradient,
)
def depthwise_inputs_gradient_rows(strips, dy, k, dx, image, window, result, dilation, padding, lo, hi):
    """Rows lo..hi of dx: dy met by the filters turned around."""
    turned = np.empty_like(k)
    for p in range(k.shape[0]):
        for q in range(k.shape[1]):
            for c in range(k.shape[3]):
                turned[k.shape[0] - 1 - p, k.shape[1] - 1 - q, 0, c] = k[p, q, 0, c]
    convolve(strips, dy, turned.ctypes.data, dx, image, window, result, (1, 1), dilation, padding, True, lo, hi)
    turned[0, 0, 0, 0] = 0  # it lives until here


def _geometry_of_kernel(call, inputs, outputs):
    x, dy, dkernel = [*call.inputs, *call.outputs]
    a = call.attributes
    image, window, result = tuple(x.shape), (*dkernel.shape[:2], dkernel.shape[3]), tuple(dy.shape[1:3])
    (placed,) = outputs
    matrix = Placed(placed.address, View((window[0] * window[1], window[2])), placed.dtype)
    addresses = [array.address for array in inputs]
    return [strips(_size(call)), *addresses, matrix, image, window, result, a["strides"], a["dilation"], a["padding"]]


def _panels(call):
    """A task is a tap and a vector of channels."""
    p_count, q_count, _, channels = call.outputs[0].shape
    return p_count * q_count * -(-channels // strips(_size(call)).lanes)


def _panel_ns(call):
    shape = call.inputs[1].shape
    return shape[0] * shape[1] * shape[2] * 1.5


@kernel(
    "conv2d_kernel_gradient",
    when=_depthwise,
    tasks=_panels,
    cost=_panel_ns,
    arguments=_geometry_of_kernel,
)
def depthwise_kernel_gradient_panels(strips, x, dy, dk, image, window, result, strides, dilation, padding, lo, hi):
    """Panels lo..hi, a tap and a vector of channels each: image by image, a few output rows at a time."""
    size, lanes = strips[0], strips[1]
    batch, height, width, channels = image
    _, q_count, _ = window
    rows, columns = result
    (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
    panels = (channels + lanes - 1) // lanes
    part = np.empty(lanes, dk.dtype)
    room = part.ctypes.data
    for task in range(lo, hi):
        tap, first = task // panels, task % panels * lanes
        p, q, some = tap // q_count, tap % q_count, min(lanes, channels - first)
        i0, i1 = taking(top - p * dh, height, sh, rows)
        j0, j1 = taking(left - q * dw, width, sw, columns)
        high, wide = max(1, CHAIN // max(1, j1 - j0)), min(CHAIN, max(1, j1 - j0))
        total, blocks = dk[tap, first : first + some], 0
        for c in range(some):
            total[c] = 0
        for n in range(batch):
            for i in range(i0, i1, high):
                for j in range(j0, j1, wide):
                    place = (n * height + i * sh + p * dh - top) * width + j * sw + q * dw - left
                    above = (n * rows + i) * columns + j
                    at, of = x + size * (place * channels + first), dy + size * (above * channels + first)
                    runs, steps, step, run = min(high, i1 - i), min(wide, j1 - j), sw * channels, sh * width * channels
                    given = columns * channels
                    multiply(strips[5], 1, runs, steps, at, 0, step, run, of, channels, given, room, 0, some, blocks)
                    blocks += 1
                    if blocks == BLOCKS:
                        blocks = collect(part, total)
        if blocks:
            collect(part, total)


@njit(error_model="numpy")
def collect(part, total):
    """Adds a part to the total; no blocks are left to add."""
    for c in range(total.size):
        total[c] += part[c]
    return 0
