"""Convolution of images and its two gradients: matrix products on the register tile, as `windows.py` says."""

import numpy as np
from numba import njit

from refnet_fast.cpu.rows import add_row
from refnet_fast.cpu.tile import WIDE, multiply, strip_for
from refnet_fast.cpu.windows import (
    CHAIN,
    backward,
    complete,
    convolve,
    floats,
    forward,
    kernel_tap_ns,
    kernel_taps,
    output_row_ns,
    output_rows,
    taking,
    to_kernel,
)
from refnet_fast.kernels import kernel

BLOCKS = 512  # of an output gradient, whose sums are added one after the other
SECOND_LEVEL = 64 * 1024  # bytes of an output gradient that the kernel's gradient works on at a time


def undivided(call):
    """Every filter sees every channel."""
    return floats(call) and call.attributes["groups"] == 1


@kernel("conv2d", when=undivided, tasks=output_rows, cost=output_row_ns, arguments=forward)
def conv2d_rows(strips, x, k, y, image, window, result, strides, dilation, padding, lo, hi):
    """Output rows lo..hi of all images, 6 pixels by 64 filters of float32 at a time (with AVX-512) in 24 vector registers.

    A panel of 64 filters of the kernel streams from the second-level cache once for every 6 pixels.
    """
    pixel, row = window[2], result[1] * window[2]
    places = (result[0] * row, row, pixel)
    convolve(strips, x, k, y, image, window, result, places, strides, dilation, padding, False, 0, lo, hi)


# ---- the inputs' gradient: a convolution of dy with the kernel turned around and transposed. Where windows are s places apart,
# it is s * s of them: the taps that lie on a pixel are those of one remainder, and so are all pixels that they lie on.


@njit(error_model="numpy")
def taps_of(remainder, size, stride, dilation):
    """The taps p < size for which p * dilation leaves that remainder by the stride: the first, the step between them, their
    number, and the dilation of the convolution that they make."""
    common = np.gcd(stride, dilation)
    step, first = stride // common, 0
    while first < step and first * dilation % stride != remainder:
        first += 1
    count = (size - 1 - first) // step + 1 if first < min(step, size) else 0
    return first, step, count, dilation // common


@njit(error_model="numpy")
def turned_around(k, p_taps, q_taps, turned):
    """turned = (rows, columns, filters, channels) of some taps, the last row and column first. Gives how many numbers that is."""
    _, _, channels, filters = k.shape
    (p_first, p_step, p_count, _), (q_first, q_step, q_count, _) = p_taps, q_taps
    lane = channels * filters
    for p in range(p_count):
        for q in range(q_count):
            start = (p * q_count + q) * lane
            target = turned[start : start + lane].reshape(filters, channels)
            source = k[p_first + (p_count - 1 - p) * p_step, q_first + (q_count - 1 - q) * q_step]
            for first in range(0, filters, 16):  # a cache line of every channel at a time
                for c in range(channels):
                    for f in range(first, min(first + 16, filters)):
                        target[f, c] = source[c, f]
    return p_count * q_count * lane


@njit(error_model="numpy")
def spread(strips, dy, k, dx, image, result, strides, dilation, padding, depthwise, add, lo, hi):
    """Rows lo..hi of dx, one remainder after the other: pixels of dx that lie strides apart are the results of one convolution.

    Args:
        k: the kernel's array; of depthwise filters its channels are 1.
        image, result: (rows, columns, filters) of dy, (height, width, channels) of dx.
    """
    size, (height, width, channels) = strips[0], result
    (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
    places, at = (height * width * channels, sh * width * channels, sw * channels), 0
    turned = np.empty(k.size, k.dtype)
    for row in range(min(sh, height)):
        p_taps = taps_of((row + top) % sh, k.shape[0], sh, dh)
        rows = (height - 1 - row) // sh + 1
        first = lo // height * rows + (lo % height - row + sh - 1) // sh
        end = hi // height * rows + (hi % height - row + sh - 1) // sh
        above = (p_taps[2] - 1) * p_taps[3] - (row + top - p_taps[0] * dh) // sh
        for column in range(min(sw, width)):
            q_taps = taps_of((column + left) % sw, k.shape[1], sw, dw)
            columns = (width - 1 - column) // sw + 1
            before = (q_taps[2] - 1) * q_taps[3] - (column + left - q_taps[0] * dw) // sw
            made = turned_around(k, p_taps, q_taps, turned[at:])
            taps, window = turned.ctypes.data + size * at, (p_taps[2], q_taps[2], channels)
            to = dx + size * (row * width + column) * channels
            steps, shift = (p_taps[3], q_taps[3]), (above, before)
            convolve(
                strips, dy, taps, to, image, window, (rows, columns), places, (1, 1), steps, shift, depthwise, add,
                first, end,
            )  # fmt: skip
            at += made
    if turned.size:
        turned[0] = 0  # it lives until here


@kernel("conv2d_inputs_gradient", when=undivided, tasks=output_rows, cost=output_row_ns, arguments=backward)
def conv2d_inputs_gradient_rows(strips, dy, k, dx, image, result, strides, dilation, padding, lo, hi):
    """Rows lo..hi of dx by the kernel of conv2d, on a copy of the filters, which is small beside the images."""
    spread(strips, dy, k, dx, image, result, strides, dilation, padding, False, 0, lo, hi)


# ---- the kernel's gradient


@njit(error_model="numpy")
def accumulate(
    strips, x, dy, dkernel, batch, apart, image, kernel, result, strides, dilation, padding, lo, hi, first_block
):
    """Adds the next BLOCKS blocks to what is there, and gives the number of the block after them, 0 after the last.

    x, dy and dkernel are addresses; `apart` are the elements from one image to the next in x and in dy.
    A row's terms come in one order, whatever lo and hi are: by images, by blocks of the output, then the columns that all
    taps have, then those on its own left and right.
    """
    size, widest = strips[0], WIDE * strips[1]
    height, width, channels = image
    p_count, q_count, filters = kernel
    rows, columns = result
    (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
    lane, last_block = q_count * channels, first_block + BLOCKS
    j0, j1 = complete(left, width, q_count, sw, dw, columns)
    if dw > 1 or j0 >= j1:  # every tap by itself
        j0 = j1 = columns
    wide = max(1, min(columns, CHAIN))  # a block: so many columns of so many rows
    high = max(1, min(CHAIN // wide, SECOND_LEVEL // max(1, size * wide * min(filters, widest))))
    across, down = (columns + wide - 1) // wide, (rows + high - 1) // high
    f = 0
    while f < filters:
        strip, panel = strip_for(strips, filters - f)
        for block in range(first_block, min(last_block, batch * down * across)):
            n, start, left_edge = block // (down * across), block // across % down * high, block % across * wide
            for p in range(lo // lane, (hi + lane - 1) // lane):
                i0, i1 = taking(top - p * dh, height, sh, rows)
                i0, i1 = max(i0, start), min(i1, start + high)
                for part in range(-1, 2 * q_count):
                    q = max(part, 0) // 2
                    first, end, a, b = q * channels, (q + 1) * channels, j0, j1
                    if part < 0:
                        first, end = 0, lane
                    else:
                        own0, own1 = taking(left - q * dw, width, sw, columns)
                        a, b = (own0, min(own1, j0)) if part % 2 == 0 else (max(own0, j1), own1)
                    first, end = max(first, lo - p * lane), min(end, hi - p * lane)
                    a, b = max(a, left_edge), min(b, left_edge + wide)
                    if a < b and i0 < i1 and first < end:
                        place = n * apart[0] + ((i0 * sh + p * dh - top) * width + a * sw - left) * channels
                        place += first if part < 0 else q * dw * channels + first - q * channels
                        to = dkernel + size * ((p * lane + first - lo) * filters + f)
                        given = dy + size * (n * apart[1] + (i0 * columns + a) * filters + f)
                        step, run, source = sw * channels, sh * width * channels, x + size * place
                        given_run, taps = columns * filters, end - first
                        multiply(
                            strip,
                            taps,
                            i1 - i0,
                            b - a,
                            source,
                            1,
                            step,
                            run,
                            given,
                            filters,
                            given_run,
                            to,
                            filters,
                            panel,
                            1,
                        )
        f += panel
    return last_block if last_block < batch * down * across else 0


@njit(error_model="numpy")
def add_images(strips, x, dy, matrix, part, batch, apart, image, window, result, strides, dilation, padding, lo, hi):
    """Adds what some images give to `matrix`, which holds rows lo..hi; `part` is room for as much."""
    block = 0
    while True:
        part[:] = 0
        to = part.ctypes.data
        block = accumulate(
            strips, x, dy, to, batch, apart, image, window, result, strides, dilation, padding, lo, hi, block
        )
        for row in range(hi - lo):
            add_row(part[row], matrix[row])
        if block == 0:
            return


@kernel(
    "conv2d_kernel_gradient",
    when=undivided,
    tasks=kernel_taps,
    cost=kernel_tap_ns,
    quantum=6,
    arguments=to_kernel,
)
def conv2d_kernel_gradient_rows(
    strips, x, dy, matrix, batch, image, window, result, strides, dilation, padding, lo, hi
):
    """Rows lo..hi, (kernel row, column, channel), by filters: products of columns of the image with the output's gradient.

    The tile holds 6 rows by 64 filters (with AVX-512) while a few output rows, which stay in the cache, go by.
    """
    total, part = matrix[lo:hi], np.empty((hi - lo, matrix.shape[1]), matrix.dtype)
    total[:] = 0
    apart = (image[0] * image[1] * image[2], result[0] * result[1] * window[2])
    add_images(strips, x, dy, total, part, batch, apart, image, window, result, strides, dilation, padding, lo, hi)
