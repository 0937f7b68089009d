"""Direct convolution on the register tile: nothing is copied, the image is read in place.

An output row is a matrix product: its pixels are rows of `a`, neighbours one stride apart, and the taps that a kernel row lays on
the image are neighbours too, so (tap, channel) is one run of steps; a kernel's rows are so many runs. Pixels whose window leaves
the image have fewer taps and go one by one, so that padding multiplies nothing.
"""

import numpy as np
from numba import njit

from refnet.definition import View
from refnet_fast.cpu.tile import WIDE, multiply, strip_for, strips
from refnet_fast.derive import Placed, itemsize
from refnet_fast.kernels import kernel

BLOCKS = 512  # of an output gradient, whose sums are added one after the other
CHAIN = 2048  # additions in a row, at most, before the sum becomes one term of another: no long sum is one chain
SECOND_LEVEL = 64 * 1024  # bytes of an output gradient that the kernel's gradient works on at a time


@njit(error_model="numpy")
def reaching(place, extent, size, dilation):
    """The range of taps that lie inside 0..extent-1 for a window that starts at `place`."""
    first = min(max(0, -(place // dilation)), size)
    return first, max(first, min(size, (extent - 1 - place) // dilation + 1))


@njit(error_model="numpy")
def complete(before, extent, size, stride, dilation, count):
    """The range of windows, of `count`, that lie inside 0..extent-1 as a whole."""
    first = min((before + stride - 1) // stride, count)
    return first, max(first, min(count, (extent - 1 + before - (size - 1) * dilation) // stride + 1))


@njit(error_model="numpy")
def windows(strips, pixels, x, x_pixel, x_tap, k, k_taps, taps, y, y_pixel, panel):
    """`pixels` results of one kind, x_pixel and y_pixel elements apart: `panel` filters of windows that lack the same taps.

    Args:
        x, k, y: addresses: of the first window's corner, of the kernel's panel, of the first result.
        x_tap: elements from one row of taps to the next in x, and from one tap to the next.
        k_taps: (columns, channels, filters) of the kernel; channels 0 if it is depthwise.
        taps: the ranges (p0, p1, q0, q1) of taps that lie in the image.
    """
    size = strips[0]
    (x_row, x_column), (q_count, channels, filters), (p0, p1, q0, q1) = x_tap, k_taps, taps
    if channels == 0:  # lane by lane; a window has few taps, so no sum is long
        at, of = x + size * (p0 * x_row + q0 * x_column), k + size * (p0 * q_count + q0) * filters
        runs, steps, k_run = p1 - p0, q1 - q0, q_count * filters
        multiply(strips[5], pixels, runs, steps, at, x_pixel, x_column, x_row, of, filters, k_run, y, y_pixel, panel, 0)
        return
    strip, _ = strip_for(strips, panel)
    k_row = q_count * channels * filters
    steps, runs, times, x_run, k_run = (q1 - q0) * channels, p1 - p0, 1, x_row, k_row
    if x_column != channels and q_count > 1:  # neighbouring taps are not neighbours in the image: a run for each
        steps, runs, times = channels, q1 - q0, max(p1 - p0, 1)
        x_run, k_run = x_column, channels * filters
        if p1 == p0:
            runs = 0
    at_once = max(1, CHAIN // max(1, runs))
    for p in range(p0, p0 + times):
        done = 0
        while done < steps or done == 0:
            at = x + size * (p * x_row + q0 * x_column + done)
            of = k + size * (p * k_row + (q0 * channels + done) * filters)
            count, add = min(at_once, steps - done), p - p0 + done
            multiply(strip, pixels, runs, count, at, x_pixel, 1, x_run, of, filters, k_run, y, y_pixel, panel, add)
            done += max(count, 1)


@njit(error_model="numpy")
def convolve(strips, x, k, y, image, kernel, result, strides, dilation, padding, depthwise, lo, hi):
    """Output rows lo..hi of all images; depthwise: filter f sees channel f alone.

    Rows in which all windows' rows lie in the image go in bands: the pixels at their left and right edges, whose windows lack
    columns, are taken down the band, as many at once as it has rows.
    """
    size = strips[0]
    height, width, channels = image
    p_count, q_count, filters = kernel
    rows, columns = result
    (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
    i0, i1 = complete(top, height, p_count, sh, dh, rows)
    j0, j1 = complete(left, width, q_count, sw, dw, columns)
    if j0 == j1:
        j0 = j1 = columns
    alone = p_count == 1 and q_count == 1 and sh == 1 and sw == 1 and rows == height and columns == width
    x_tap, k_taps = (dh * width * channels, dw * channels), (q_count, 0 if depthwise else channels, filters)
    f = 0
    while f < filters:
        _, panel = strip_for(strips, filters - f)
        if depthwise:
            panel = min(panel, strips[1])
        seen, of = x + size * f if depthwise else x, k + size * f
        task = lo
        while task < hi and columns > 0:
            n, i = task // rows, task % rows
            band = min(i1 - i, hi - task) if i0 <= i < i1 else 1
            p0, p1 = reaching(i * sh - top, height, p_count, dh)
            corner = seen + size * ((n * height + i * sh - top) * width - left) * channels
            to = y + size * (task * columns * filters + f)
            if alone:  # the pixels of all rows follow each other
                band = hi - task
                windows(strips, band * columns, corner, channels, x_tap, of, k_taps, (0, 1, 0, 1), to, filters, panel)
            elif j0 < j1:
                for row in range(band):
                    at = corner + size * (row * sh * width + j0 * sw) * channels
                    here, taps = to + size * (row * columns + j0) * filters, (p0, p1, 0, q_count)
                    windows(strips, j1 - j0, at, sw * channels, x_tap, of, k_taps, taps, here, filters, panel)
            if not alone:
                for edge in range(columns - (j1 - j0)):
                    j = edge if edge < j0 else edge + j1 - j0
                    q0, q1 = reaching(j * sw - left, width, q_count, dw)
                    at, here = corner + size * j * sw * channels, to + size * j * filters
                    down, taps = sh * width * channels, (p0, p1, q0, q1)
                    windows(strips, band, at, down, x_tap, of, k_taps, taps, here, columns * filters, panel)
            task += band
        f += panel


def _float(call):
    return call.dtypes in ({"float32"}, {"float64"}) and call.attributes["groups"] == 1


def _size(call):
    return itemsize(call.outputs[0].dtype)


def _geometry(call, inputs, outputs):
    """Addresses, then (height, width, channels), (kernel rows, columns, filters), (output rows, columns), the rest by name."""
    x, k, y = [*call.inputs, *call.outputs]
    a = call.attributes
    image, window, result = tuple(x.shape[1:]), (*k.shape[:2], k.shape[3]), tuple(y.shape[1:3])
    addresses = [placed.address for placed in (*inputs, *outputs)]
    return [strips(_size(call)), *addresses, image, window, result, a["strides"], a["dilation"], a["padding"]]


def _rows(call):
    shape = call.outputs[0].shape
    return shape[0] * shape[1]


def _row_ns(call):
    shape = call.outputs[0].shape
    return shape[2] * shape[3] * call.form.cost * _size(call) * 0.005 + 20


@kernel("conv2d", when=_float, tasks=_rows, cost=_row_ns, arguments=_geometry)
def conv2d_rows(strips, x, k, y, image, window, result, strides, dilation, padding, lo, hi):
    """Output rows lo..hi of all images, 6 pixels by 64 filters of float32 at a time (with AVX-512) in 24 vector registers.

    A panel of 64 filters of the kernel streams from the second-level cache once for every 6 pixels.
    """
    convolve(strips, x, k, y, image, window, result, strides, dilation, padding, False, lo, hi)


# ---- the inputs' gradient: where strides are 1, a convolution with the kernel turned around and transposed


@njit(error_model="numpy")
def turned_around(k):
    """(rows, columns, filters, channels) from (rows, columns, channels, filters), the last row and column first."""
    p_count, q_count, channels, filters = k.shape
    turned = np.empty((p_count, q_count, filters, channels), k.dtype)
    for p in range(p_count):
        for q in range(q_count):
            source, target = k[p, q], turned[p_count - 1 - p, q_count - 1 - q]
            for first in range(0, filters, 16):  # a cache line of every channel at a time
                for c in range(channels):
                    for f in range(first, min(first + 16, filters)):
                        target[f, c] = source[c, f]
    return turned


def _geometry_of_gradient(call, inputs, outputs):
    """As _geometry, for the convolution of dy that gives dx; the kernel as an array, to be turned around."""
    dy, k, dx = [*call.inputs, *call.outputs]
    a = call.attributes
    image, window, result = tuple(dy.shape[1:]), k.shape[:3], tuple(dx.shape[1:3])
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
    when=lambda call: _float(call) and call.attributes["strides"] == (1, 1),
    tasks=_rows,
    cost=_row_ns,
    arguments=_geometry_of_gradient,
)
def conv2d_inputs_gradient_rows(strips, dy, k, dx, image, window, result, dilation, padding, lo, hi):
    """Rows lo..hi of dx by the kernel of conv2d, on a copy of the filters, which is small beside the images."""
    turned = turned_around(k)
    convolve(strips, dy, turned.ctypes.data, dx, image, window, result, (1, 1), dilation, padding, False, lo, hi)
    turned[0, 0, 0, 0] = 0  # it lives until here


# ---- the kernel's gradient


@njit(error_model="numpy")
def accumulate(strips, x, dy, dkernel, batch, image, kernel, result, strides, dilation, padding, lo, hi, first_block):
    """Adds the next BLOCKS blocks to what is there, and gives the number of the block after them, 0 after the last.

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
                        place = ((n * height + i0 * sh + p * dh - top) * width + a * sw - left) * channels
                        place += first if part < 0 else q * dw * channels + first - q * channels
                        to = dkernel + size * ((p * lane + first - lo) * filters + f)
                        given = dy + size * (((n * rows + i0) * columns + a) * filters + f)
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
def taking(start, extent, stride, count):
    """The range of windows, of `count`, in which a tap lies inside 0..extent-1: window i lays it on i * stride - start."""
    first = min(max(0, -(-start // stride)), count)
    return first, max(first, min(count, (extent - 1 + start) // stride + 1))


def _geometry_of_kernel(call, inputs, outputs):
    x, dy, dkernel = [*call.inputs, *call.outputs]
    a, (p_count, q_count, channels, filters) = call.attributes, dkernel.shape
    (placed,) = outputs
    matrix = Placed(placed.address, View((p_count * q_count * channels, filters)), placed.dtype)
    image, window, result = tuple(x.shape[1:]), (p_count, q_count, filters), tuple(dy.shape[1:3])
    addresses = [array.address for array in inputs]
    geometry = [image, window, result, a["strides"], a["dilation"], a["padding"]]
    return [strips(_size(call)), *addresses, matrix, x.shape[0], *geometry]


@kernel(
    "conv2d_kernel_gradient",
    when=_float,
    tasks=lambda call: call.outputs[0].shape[0] * call.outputs[0].shape[1] * call.outputs[0].shape[2],
    cost=lambda call: call.outputs[0].shape[3] * call.form.cost * _size(call) * 0.006 + 20,
    quantum=6,
    arguments=_geometry_of_kernel,
)
def conv2d_kernel_gradient_rows(
    strips, x, dy, matrix, batch, image, window, result, strides, dilation, padding, lo, hi
):
    """Rows lo..hi, (kernel row, column, channel), by filters: products of columns of the image with the output's gradient.

    The tile holds 6 rows by 64 filters (with AVX-512) while a few output rows, which stay in the cache, go by.
    """
    clear(matrix, lo, hi)
    part, block = np.empty((hi - lo, matrix.shape[1]), matrix.dtype), 0
    while True:
        clear(part, 0, hi - lo)
        to = part.ctypes.data
        block = accumulate(strips, x, dy, to, batch, image, window, result, strides, dilation, padding, lo, hi, block)
        for row in range(lo, hi):
            for f in range(matrix.shape[1]):
                matrix[row, f] += part[row - lo, f]
        if block == 0:
            return


@njit(error_model="numpy")
def clear(matrix, lo, hi):
    """Rows lo..hi become 0."""
    for row in range(lo, hi):
        for column in range(matrix.shape[1]):
            matrix[row, column] = 0
