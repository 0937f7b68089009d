"""Convolution of images and its two gradients: matrix products on the register tile, as `windows.py` says."""

import numpy as np

from refnet_fast.cpu.rows import add_row, row_sum
from refnet_fast.cpu.tile import WIDE, multiply, strip_for, strips
from refnet_fast.cpu.windows import (
    CHAIN,
    backward,
    complete,
    convolve,
    element_size,
    floats,
    forward,
    geometry,
    kernel_tap_ns,
    kernel_taps,
    output_row_ns,
    output_rows,
    reaching,
    taking,
    to_kernel,
)
from refnet_fast.cpu.winograd import convolve_tiles, in_tiles, tile_row_ns, tile_rows, tiles_of
from refnet_fast.cpu.winograd_gradient import kernel_of_tiles, pair_ns, pairs_of_vectors
from refnet_fast.kernels import kernel
from refnet_fast.native import njit
from refnet_fast.outcomes import scratch

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


def few_filters(call):
    """A vector of filters would be mostly empty, and channels fill theirs."""
    lanes = strips(element_size(call)).lanes
    whole = undivided(call) and call.inputs[1].shape[2] % lanes == 0
    return whole and mostly_empty(call.outputs[0].shape[-1], lanes)


def _arrays(call, inputs, outputs):
    """The strips, addresses where they are enough, and the geometry."""
    x, k = inputs
    return [strips(element_size(call)), x.address, call.inputs[0].shape, k, *outputs, *geometry(call)]


@kernel("conv2d", when=few_filters, tasks=output_rows, cost=output_row_ns, arguments=_arrays)
def conv2d_few_filters(strips, x, image, k, y, strides, dilation, padding, lo, hi):
    """Output rows lo..hi of all images: the lanes are channels, eight pixels at a time (with AVX-512), and are added up last.

    One column of taps after the other meets all pixels of the row that it lies on.
    """
    size, lanes, (_, height, width, channels), (p_count, q_count, _, filters) = strips[0], strips[1], image, k.shape
    (_, rows, columns, _), (sh, sw), (dh, dw), (top, left) = y.shape, strides, dilation, padding
    turned, sums = scratch((filters, k.size // filters), y.dtype), scratch((columns, lanes), y.dtype)
    taps = k.reshape(turned.shape[1], filters)
    for f in range(filters):
        turned[f] = taps[:, f]
    for task in range(lo, hi):
        n, i = task // rows, task % rows
        p0, p1 = reaching(i * sh - top, height, p_count, dh)
        for f in range(filters):
            sums[:] = 0
            for q in range(q_count):
                a, b = taking(left - q * dw, width, sw, columns)
                place = ((n * height + i * sh - top + p0 * dh) * width + a * sw - left + q * dw) * channels
                tap = ((f * p_count + p0) * q_count + q) * channels
                if a < b:
                    multiply(
                        strips[5], b - a, p1 - p0, channels // lanes, x + size * place, sw * channels, lanes,
                        dh * width * channels, turned.ctypes.data + size * tap, lanes, q_count * channels,
                        sums.ctypes.data + size * a * lanes, lanes, lanes, 1,
                    )  # fmt: skip
            for j in range(columns):
                y[n, i, j, f] = row_sum(sums[j])


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
            for first in range(0, channels, 16):  # a cache line of every filter at a time
                for f in range(filters):
                    for c in range(first, min(first + 16, channels)):
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
    room = scratch(k.size + 64 // size, k.dtype)
    turned = room[-room.ctypes.data % 64 // size :]
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
    room[0] = 0  # it lives until here


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

    x, dy and dkernel are addresses; `apart` are the elements from one image to the next in x and in dy. Of few filters, dkernel is
    the transposed matrix.
    A row's terms come in one order, whatever lo and hi are: by images, by blocks of the output, then as in `add_piece`.
    """
    size, (_, q_count, filters), (rows, columns) = strips[0], kernel, result
    lane, last_block = q_count * image[2], first_block + BLOCKS
    j0, j1 = complete(padding[1], image[1], q_count, strides[1], dilation[1], columns)
    if dilation[1] > 1 or j0 >= j1:  # every tap by itself
        j0 = j1 = columns
    wide = max(1, min(columns, CHAIN))  # a block: so many columns of so many rows
    high = max(1, min(CHAIN // wide, SECOND_LEVEL // max(1, size * wide * min(filters, WIDE * strips[1]))))
    across, down = (columns + wide - 1) // wide, (rows + high - 1) // high
    f, across_rows = 0, hi - lo if are_few(filters, strips[1]) else 0
    while f < filters:
        _, panel = strip_for(strips, filters - f)
        for block in range(first_block, min(last_block, batch * down * across)):
            n, start, edge = block // (down * across), block // across % down * high, block % across * wide
            seen, given = x + size * n * apart[0], dy + size * (n * apart[1] + f)
            for p in range(lo // lane, (hi + lane - 1) // lane):
                i0, i1 = taking(padding[0] - p * dilation[0], image[0], strides[0], rows)
                piece = max(i0, start), min(i1, start + high), edge, edge + wide
                taps = lo - p * lane, hi - p * lane
                to = dkernel + size * ((p * lane - lo) * (1 if across_rows else filters) + f)
                add_piece(
                    strips, panel, seen, given, to, image, kernel, columns, strides, dilation, padding, p, taps, piece,
                    (j0, j1), across_rows,
                )  # fmt: skip
        f += panel
    return last_block if last_block < batch * down * across else 0


@njit(error_model="numpy")
def add_piece(
    strips,
    panel,
    x,
    dy,
    dkernel,
    image,
    kernel,
    columns,
    strides,
    dilation,
    padding,
    p,
    taps,
    piece,
    shared,
    across_rows,
):
    """Adds what a piece of the output gives to a panel of filters of the kernel's row p: a product for each range of columns.

    First come the columns that all taps have, whose taps and channels are one run, then those on each tap's own left and right.

    Args:
        x, dy, dkernel: addresses: of the image, of its output's gradient, of the kernel's row.
        columns: of the output.
        taps: the range of (tap, channel) that is wanted.
        piece: the range of the output's rows, and that of its columns.
        shared: the range of columns that all taps have.
        across_rows: elements from one filter to the next in the transposed matrix, 0 where it is not transposed.
    """
    size, (strip, _) = strips[0], strip_for(strips, panel)
    (_, width, channels), (_, q_count, filters), (i0, i1, left_edge, right_edge) = image, kernel, piece
    (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
    if i0 >= i1:
        return
    for part in range(-1, 2 * q_count):
        q = max(part, 0) // 2
        if part < 0:
            first, end, (a, b) = 0, q_count * channels, shared
        else:
            own0, own1 = taking(left - q * dw, width, sw, columns)
            a, b = (own0, min(own1, shared[0])) if part % 2 == 0 else (max(own0, shared[1]), own1)
            first, end = q * channels, (q + 1) * channels
        first, end, a, b = max(first, taps[0]), min(end, taps[1]), max(a, left_edge), min(b, right_edge)
        if a < b and first < end:
            place = ((i0 * sh + p * dh - top) * width + a * sw - left + q * dw) * channels + first - q * channels
            source, of = x + size * place, dy + size * (i0 * columns + a) * filters
            step, run = sw * channels, sh * width * channels
            if across_rows == 0:
                to = dkernel + size * first * filters
                multiply(
                    strip, end - first, i1 - i0, b - a, source, 1, step, run,
                    of, filters, columns * filters, to, filters, panel, 1,
                )  # fmt: skip
            while across_rows > 0 and first < end:  # filters are rows, and taps and channels fill the vectors
                wide, some = strip_for(strips, end - first)
                multiply(
                    wide, filters, i1 - i0, b - a, of, 1, filters, columns * filters,
                    source, step, run, dkernel + size * first, across_rows, some, 1,
                )  # fmt: skip
                source, first = source + size * some, first + some


def mostly_empty(filters, lanes):
    """Whether a vector of filters would be mostly empty."""
    return 4 * filters <= lanes


are_few = njit(error_model="numpy")(mostly_empty)


@njit(error_model="numpy")
def add_images(strips, x, dy, matrix, part, batch, apart, image, window, result, strides, dilation, padding, lo, hi):
    """Adds what some images give to `matrix`, which holds rows lo..hi; `part` is room for as much."""
    block, transposed = 0, part.ravel()[: window[2] * (hi - lo)].reshape(window[2], hi - lo)
    while True:
        part[:] = 0
        to = part.ctypes.data
        block = accumulate(
            strips, x, dy, to, batch, apart, image, window, result, strides, dilation, padding, lo, hi, block
        )
        if are_few(window[2], strips[1]):
            for f in range(window[2]):
                for row in range(hi - lo):
                    matrix[row, f] += transposed[f, row]
        else:
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
    total, part = matrix[lo:hi], scratch((hi - lo, matrix.shape[1]), matrix.dtype)
    total[:] = 0
    apart = (image[0] * image[1] * image[2], result[0] * result[1] * window[2])
    add_images(strips, x, dy, total, part, batch, apart, image, window, result, strides, dilation, padding, lo, hi)


# ---- kernels of several taps without strides, as `winograd.py` says


def to_tiles(call):
    return undivided(call) and in_tiles(call)


@kernel("conv2d", when=to_tiles, tasks=tile_rows, cost=tile_row_ns, arguments=tiles_of(forward))
def conv2d_in_tiles(tiling, x, k, y, image, window, result, strides, dilation, padding, lo, hi):
    """Rows lo..hi of tiles of the output, of a 3x3 kernel 2x2 with 16 multiplications where there are 36 in the sum."""
    convolve_tiles(tiling, x, k, y, image[:2], image[2], window[2], result, padding, lo, hi)


@kernel("conv2d_inputs_gradient", when=to_tiles, tasks=tile_rows, cost=tile_row_ns, arguments=tiles_of(backward))
def conv2d_inputs_gradient_in_tiles(tiling, dy, k, dx, image, result, strides, dilation, padding, lo, hi):
    """Rows lo..hi of tiles of dx: dy convolved with the filters turned around."""
    turned, (p_count, q_count, _, _) = scratch(k.size, k.dtype), k.shape
    turned_around(k, (0, 1, p_count, 1), (0, 1, q_count, 1), turned)
    around = (p_count - 1 - padding[0], q_count - 1 - padding[1])
    convolve_tiles(tiling, dy, turned.ctypes.data, dx, image[:2], image[2], result[2], result[:2], around, lo, hi)
    turned[0] = 0  # it lives until here


@kernel(
    "conv2d_kernel_gradient",
    when=to_tiles,
    tasks=pairs_of_vectors,
    cost=pair_ns,
    arguments=tiles_of(to_kernel),
)
def conv2d_kernel_gradient_in_tiles(
    tiling, x, dy, matrix, batch, image, window, result, strides, dilation, padding, lo, hi
):
    """All taps of pairs lo..hi of a vector of channels and one of filters: products of the tiles of the images and of dy."""
    kernel_of_tiles(tiling, x, dy, matrix, batch, image, window, result, padding, lo, hi)
