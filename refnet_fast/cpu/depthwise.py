"""Depthwise convolution, a filter for each channel: lane by lane on the register tile, sixteen channels of float32 at a time."""

import numpy as np

from refnet_fast.cpu.convolution import spread
from refnet_fast.cpu.rows import add_row, fill_row
from refnet_fast.cpu.tile import multiply, strips
from refnet_fast.cpu.windows import (
    CHAIN,
    backward,
    convolve,
    element_size,
    floats,
    forward,
    output_row_ns,
    output_rows,
    taking,
    to_kernel,
)
from refnet_fast.kernels import kernel

BLOCKS = 512  # sums that are added one after the other, before their sum becomes one term of another


def _depthwise(call):
    """One channel in and one out for each group."""
    groups = call.attributes["groups"]
    channels = {shape[-1] for shape in (call.inputs[0].shape, call.outputs[0].shape) if len(shape) == 4}
    return floats(call) and groups > 1 and channels == {groups}


def _row_ns(call):
    return 4 * output_row_ns(call)


@kernel("conv2d", when=_depthwise, tasks=output_rows, cost=_row_ns, arguments=forward)
def depthwise_rows(strips, x, k, y, image, window, result, strides, dilation, padding, lo, hi):
    """Output rows lo..hi of all images, eight pixels by a vector of channels in registers for all taps."""
    pixel, row = window[2], result[1] * window[2]
    places = (result[0] * row, row, pixel)
    convolve(strips, x, k, y, image, window, result, places, strides, dilation, padding, True, 0, lo, hi)


@kernel("conv2d_inputs_gradient", when=_depthwise, tasks=output_rows, cost=_row_ns, arguments=backward)
def depthwise_inputs_gradient_rows(strips, dy, k, dx, image, result, strides, dilation, padding, lo, hi):
    """Rows lo..hi of dx: dy met by the filters turned around."""
    spread(strips, dy, k, dx, image, result, strides, dilation, padding, True, 0, lo, hi)


def _panels(call):
    """A task is a tap and a vector of channels."""
    p_count, q_count, _, channels = call.outputs[0].shape
    return p_count * q_count * -(-channels // strips(element_size(call)).lanes)


def _panel_ns(call):
    shape = call.inputs[1].shape
    return shape[0] * shape[1] * shape[2] * 1.5


@kernel(
    "conv2d_kernel_gradient",
    when=_depthwise,
    tasks=_panels,
    cost=_panel_ns,
    arguments=to_kernel,
)
def depthwise_kernel_gradient_panels(
    strips, x, dy, dk, batch, image, window, result, strides, dilation, padding, lo, hi
):
    """Panels lo..hi, a tap and a vector of channels each: image by image, a few output rows at a time."""
    size, lanes = strips[0], strips[1]
    height, width, channels = image
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
        fill_row(total, 0)
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
                        add_row(part[:some], total)
                        blocks = 0
        if blocks:
            add_row(part[:some], total)
