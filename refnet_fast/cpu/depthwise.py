"""Depthwise convolution, a filter for each channel: lane by lane on the register tile, sixteen channels of float32 at a time."""

from refnet_fast.cpu.convolution import spread
from refnet_fast.cpu.rows import copy_row
from refnet_fast.cpu.tile import multiply, strips
from refnet_fast.cpu.windows import (
    CHAIN,
    backward,
    complete,
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
from refnet_fast.native import njit
from refnet_fast.outcomes import cleared_scratch

PIXELS = 512  # of an output gradient that the kernel's gradient works on at a time
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


# ---- the kernel's gradient


def _panels(call):
    """A task is a vector of channels and a tap."""
    p_count, q_count, _, channels = call.outputs[0].shape
    return p_count * q_count * -(-channels // strips(element_size(call)).lanes)


def _panel_ns(call):
    shape = call.inputs[1].shape
    return shape[0] * shape[1] * shape[2] * 0.6


@njit(error_model="numpy")
def meet(strips, x, dy, sums, image, kernel, result, strides, dilation, padding, block, lo, hi):
    """Adds to `sums`, a vector for each task lo..hi, what a block gives: rows i0..i1, columns j0..j1 of an image's output.

    The taps of a kernel row go together over the columns in which all of them lie in the image, then each by itself over those
    on its left and right.
    """
    size, lanes = strips[0], strips[1]
    height, width, channels = image
    p_count, q_count, _ = kernel
    (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
    first_row, end_row, first_column, end_column = block
    step, down, above = sw * channels, sh * width * channels, result[1] * channels
    inner0, inner1 = complete(left, width, q_count, sw, dw, result[1])
    while lo < hi:
        first, p, q0 = lo // (p_count * q_count) * lanes, lo // q_count % p_count, lo % q_count
        q1, some = min(q_count, q0 + hi - lo), min(lanes, channels - first)
        own0, own1 = taking(top - p * dh, height, sh, result[0])
        i0, i1 = max(own0, first_row), min(own1, end_row)
        for part in range(-1, 2 * (q1 - q0)):
            q, taps, a, b = q0 + max(part, 0) // 2, 1, inner0, inner1
            if part < 0:
                taps = q1 - q0
            else:
                own0, own1 = taking(left - q * dw, width, sw, result[1])
                a, b = (own0, min(own1, inner0)) if part % 2 == 0 else (max(own0, inner1), own1)
            a, b = max(a, first_column), min(b, end_column)
            if i0 < i1 and a < b:
                place = ((i0 * sh + p * dh - top) * width + a * sw + q * dw - left) * channels + first
                at, of = x + size * place, dy + size * ((i0 * result[1] + a) * channels + first)
                to, tap = sums + size * (q - q0) * lanes, dw * channels
                multiply(strips[5], taps, i1 - i0, b - a, at, tap, step, down, of, channels, above, to, lanes, some, 1)
        sums += size * (q1 - q0) * lanes
        lo += q1 - q0


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
    """Tasks lo..hi, a vector of channels and a tap each: image by image, a few output rows at a time, which stay in the first
    cache while all taps meet them; the taps of a kernel row share what is read of dy."""
    size, lanes = strips[0], strips[1]
    taps, rows, columns = dk.shape[0], result[0], result[1]
    part, total = cleared_scratch((hi - lo, lanes), dk.dtype), cleared_scratch((hi - lo, lanes), dk.dtype)
    sums, wide = part.ctypes.data, max(1, min(columns, CHAIN))
    high, blocks = max(1, PIXELS // wide), 0
    for n in range(batch):
        at, of = x + size * n * image[0] * image[1] * image[2], dy + size * n * rows * columns * image[2]
        for i in range(0, rows, high):
            for j in range(0, columns, wide):
                block = (i, min(i + high, rows), j, min(j + wide, columns))
                meet(strips, at, of, sums, image, window, result, strides, dilation, padding, block, lo, hi)
                blocks += 1
                if blocks == BLOCKS:
                    total += part
                    part[:] = 0
                    blocks = 0
    total += part
    for task in range(lo, hi):
        tap, first = task % taps, task // taps * lanes
        some = min(lanes, dk.shape[1] - first)
        copy_row(total[task - lo, :some], dk[tap, first : first + some])
