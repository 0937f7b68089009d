"""Convolution of volumes and its two gradients: for each layer of the kernel the image kernels of `convolution.py`, added up."""

from refnet_fast.cpu.convolution import add_images, spread, taps_of, undivided
from refnet_fast.cpu.windows import (
    backward,
    clear_rows,
    convolve,
    forward,
    kernel_tap_ns,
    kernel_taps,
    output_row_ns,
    output_rows,
    reaching,
    taking,
    to_kernel,
)
from refnet_fast.kernels import kernel
from refnet_fast.outcomes import scratch


@kernel("conv3d", when=undivided, tasks=output_rows, cost=output_row_ns, arguments=forward)
def conv3d_rows(strips, x, k, y, volume, window, result, strides, dilation, padding, lo, hi):
    """Output rows lo..hi of all layers: one layer of the kernel after the other meets its image, and adds to the same rows."""
    size, channels, filters = strips[0], volume[3], window[3]
    layers, height, width = result
    lane, of = volume[1] * volume[2] * channels, window[1] * window[2] * channels * filters
    places = (height * width * filters, width * filters, filters)
    while lo < hi:
        task, first = lo // height, lo % height
        end = min(height, first + hi - lo)
        layer, to = task % layers * strides[0] - padding[0], y + size * task * places[0]
        o0, o1 = reaching(layer, volume[0], window[0], dilation[0])
        if o0 == o1:
            clear_rows(size, to, width * filters, first, end)
        for o in range(o0, o1):
            at = x + size * (task // layers * volume[0] + layer + o * dilation[0]) * lane
            met = k + size * o * of
            convolve(
                strips, at, met, to, volume[1:], window[1:], (height, width), places, strides[1:], dilation[1:],
                padding[1:], False, o - o0, first, end,
            )  # fmt: skip
        lo += end - first


@kernel("conv3d_inputs_gradient", when=undivided, tasks=output_rows, cost=output_row_ns, arguments=backward)
def conv3d_inputs_gradient_rows(strips, dy, k, dx, volume, result, strides, dilation, padding, lo, hi):
    """Rows lo..hi of all layers of dx: the layers of dy that reach them, each met by its layer of the kernel, turned around."""
    size, (layers, height, width, channels) = strips[0], result
    lane, row = volume[1] * volume[2] * volume[3], width * channels
    while lo < hi:
        task, first = lo // height, lo % height
        end = min(height, first + hi - lo)
        layer, to, met = task % layers + padding[0], dx + size * task * height * row, 0
        start, step, count, _ = taps_of(layer % strides[0], k.shape[0], strides[0], dilation[0])
        for o in range(start, start + count * step, step):
            h = (layer - o * dilation[0]) // strides[0]
            if 0 <= h < volume[0]:
                at = dy + size * (task // layers * volume[0] + h) * lane
                spread(
                    strips, at, k[o], to, volume[1:], result[1:], strides[1:], dilation[1:], padding[1:], False, met,
                    first, end,
                )  # fmt: skip
                met += 1
        if met == 0:
            clear_rows(size, to, row, first, end)
        lo += end - first


@kernel(
    "conv3d_kernel_gradient",
    when=undivided,
    tasks=kernel_taps,
    cost=kernel_tap_ns,
    quantum=6,
    arguments=to_kernel,
)
def conv3d_kernel_gradient_rows(
    strips, x, dy, matrix, batch, volume, window, result, strides, dilation, padding, lo, hi
):
    """Rows lo..hi, (layer, kernel row, column, channel), by filters: each layer's rows as the kernel gradient of images."""
    size, depth, layers = strips[0], volume[0], result[0]
    lane, above = volume[1] * volume[2] * volume[3], result[1] * result[2] * window[3]
    of = window[1] * window[2] * volume[3]
    matrix, part = matrix[lo:hi], scratch((hi - lo, matrix.shape[1]), matrix.dtype)
    matrix[:] = 0
    done = lo
    while done < hi:
        o, first = done // of, done % of
        end = min(of, first + hi - done)
        h0, h1 = taking(padding[0] - o * dilation[0], depth, strides[0], layers)
        for n in range(batch):
            at = x + size * (n * depth + h0 * strides[0] + o * dilation[0] - padding[0]) * lane
            given, total = dy + size * (n * layers + h0) * above, matrix[done - lo : done - lo + end - first]
            add_images(
                strips, at, given, total, part, h1 - h0, (strides[0] * lane, above), volume[1:], window[1:], result[1:],
                strides[1:], dilation[1:], padding[1:], first, end,
            )  # fmt: skip
        done += end - first
