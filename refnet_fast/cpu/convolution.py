"""Direct convolution on the register tile: nothing is copied, the image is read in place.

An output row is a matrix product: its pixels are rows of `a`, neighbours one stride apart, and the taps that a kernel row lays on
the image are neighbours too, so (tap, channel) is one run of steps; a kernel's rows are so many runs. Pixels whose window leaves
the image have fewer taps and go one by one, so that padding multiplies nothing.
"""

import numpy as np
from numba import njit

from refnet.definition import View
from refnet_fast.cpu.tile import WIDE, WIDE_VECTORS, lanes, tile_of_runs
from refnet_fast.derive import Placed, itemsize
from refnet_fast.kernels import kernel
from refnet_fast.native import named

BLOCKS = 512  # of an output gradient, whose sums are added one after the other
CHAIN = 2048  # additions in a row, at most, before the sum becomes one term of another: no long sum is one chain
SECOND_LEVEL = 64 * 1024  # bytes of an output gradient that the kernel's gradient works on at a time


def _strip(size, vectors, tall, middle, few):
    """Any number of pixels by up to `vectors` vectors of filters, in tiles of as many rows as the registers allow."""

    def strip(pixels, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add):
        i = 0
        while i + tall <= pixels:
            at, to = a + size * i * a_row, c + size * i * c_row
            tile_of_runs(
                size, tall, vectors, runs, steps, at, a_row, a_step, a_run, b, b_row, b_run, to, c_row, columns, add
            )
            i += tall
        while i + middle <= pixels:
            at, to = a + size * i * a_row, c + size * i * c_row
            tile_of_runs(
                size, middle, vectors, runs, steps, at, a_row, a_step, a_run, b, b_row, b_run, to, c_row, columns, add
            )
            i += middle
        while i + few <= pixels:
            at, to = a + size * i * a_row, c + size * i * c_row
            tile_of_runs(
                size, few, vectors, runs, steps, at, a_row, a_step, a_run, b, b_row, b_run, to, c_row, columns, add
            )
            i += few
        while i < pixels:
            at, to = a + size * i * a_row, c + size * i * c_row
            tile_of_runs(
                size, 1, vectors, runs, steps, at, a_row, a_step, a_run, b, b_row, b_run, to, c_row, columns, add
            )
            i += 1

    return njit(error_model="numpy")(named(strip, f"strip_of_{vectors}_vectors_of_{size}_bytes"))


def _strips(size):
    """Strips for wide, half and narrow panels of filters."""
    vector = lanes(size)
    wide = _strip(size, WIDE, 6, 4, 2)
    half = _strip(size, 2, 12, 6, 3) if WIDE_VECTORS else wide
    narrow = _strip(size, 1, 16, 8, 4) if WIDE_VECTORS else _strip(size, 1, 12, 6, 3)
    least_wide, least_half = (WIDE - 1) * vector, vector

    def width_of_panel(left):
        """How many of the filters that are left the next strip takes."""
        if left > least_wide:
            return min(left, WIDE * vector)
        return min(left, 2 * vector) if left > least_half else left

    def strip(pixels, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add):
        if columns > least_wide:
            wide(pixels, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add)
        elif columns > least_half:
            half(pixels, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add)
        else:
            narrow(pixels, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add)

    compiled = njit(error_model="numpy")
    return (
        compiled(named(width_of_panel, f"width_of_panel_of_{size}_bytes")),
        compiled(named(strip, f"strip_of_{size}_bytes")),
    )


STRIPS = {4: _strips(4), 8: _strips(8)}


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


def _convolution(size):
    """Output rows lo..hi for elements of `size` bytes."""
    width_of_panel, strip = STRIPS[size]

    def convolve(x, k, y, image, kernel, result, strides, dilation, padding, lo, hi):
        height, width, channels = image
        p_count, q_count, filters = kernel
        rows, columns = result
        (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
        j0, j1 = complete(left, width, q_count, sw, dw, columns)
        alone = p_count == 1 and q_count == 1 and sh == 1 and sw == 1 and rows == height and columns == width
        a_row, b_row = dh * width * channels, q_count * channels * filters  # from one row of the kernel to the next
        f = 0
        while f < filters:
            panel = width_of_panel(filters - f)
            task, j = lo, 0
            while task < hi and columns > 0:
                n, i = task // rows, task % rows
                p0, p1 = reaching(i * sh - top, height, p_count, dh)
                q0, q1, pixels = 0, q_count, j1 - j0
                if alone:  # the pixels of all rows follow each other
                    pixels = (hi - lo) * columns
                elif j != j0 or j1 == j0:
                    q0, q1 = reaching(j * sw - left, width, q_count, dw)
                    pixels = 1
                place = ((n * height + i * sh - top) * width + j * sw - left) * channels
                to = y + size * ((task * columns + j) * filters + f)
                steps, runs, times = (q1 - q0) * channels, p1 - p0, 1
                a_run, b_run = a_row, b_row
                if dw > 1 and q_count > 1:  # neighbouring taps are not neighbours in the image: a run for each
                    steps, runs, times = channels, q1 - q0, max(p1 - p0, 1)
                    a_run, b_run = dw * channels, channels * filters
                    if p1 == p0:
                        runs = 0
                at_once = max(1, CHAIN // max(1, runs))
                for p in range(p0, p0 + times):
                    done = 0
                    while done < steps or done == 0:
                        at = x + size * (place + p * a_row + q0 * dw * channels + done)
                        taps = k + size * (p * b_row + (q0 * channels + done) * filters + f)
                        count, add = min(at_once, steps - done), p - p0 + done
                        strip(
                            pixels,
                            runs,
                            count,
                            at,
                            sw * channels,
                            1,
                            a_run,
                            taps,
                            filters,
                            b_run,
                            to,
                            filters,
                            panel,
                            add,
                        )
                        done += max(count, 1)
                j += pixels
                if j >= columns:
                    task, j = task + (j // columns), 0
            f += panel

    return njit(error_model="numpy")(named(convolve, f"convolve_{size}_bytes"))


CONVOLVE32, CONVOLVE64 = _convolution(4), _convolution(8)


def _float(size):
    def when(call):
        floats = call.dtypes == {"float32" if size == 4 else "float64"}
        return floats and call.attributes["groups"] == 1

    return when


def _size(call):
    return itemsize(call.outputs[0].dtype)


def _geometry(call, inputs, outputs):
    """Addresses, then (height, width, channels), (kernel rows, columns, filters), (output rows, columns), the rest by name."""
    x, k, y = [*call.inputs, *call.outputs]
    a = call.attributes
    image, window, result = tuple(x.shape[1:]), (*k.shape[:2], k.shape[3]), tuple(y.shape[1:3])
    addresses = [placed.address for placed in (*inputs, *outputs)]
    return [*addresses, image, window, result, a["strides"], a["dilation"], a["padding"]]


def _rows(call):
    shape = call.outputs[0].shape
    return shape[0] * shape[1]


def _row_ns(call):
    shape = call.outputs[0].shape
    return shape[2] * shape[3] * call.form.cost * _size(call) * 0.005 + 20


OUTPUT_ROWS = {"tasks": _rows, "cost": _row_ns, "arguments": _geometry}


@kernel("conv2d", when=_float(4), **OUTPUT_ROWS)
def conv2d_float32(x, k, y, image, window, result, strides, dilation, padding, lo, hi):
    """Output rows lo..hi of all images, 6 pixels by 64 filters at a time (with AVX-512) in 24 vector registers.

    A panel of 64 filters of the kernel streams from the second-level cache once for every 6 pixels.
    """
    CONVOLVE32(x, k, y, image, window, result, strides, dilation, padding, lo, hi)


@kernel("conv2d", when=_float(8), **OUTPUT_ROWS)
def conv2d_float64(x, k, y, image, window, result, strides, dilation, padding, lo, hi):
    """As conv2d_float32, with half as many filters in a tile."""
    CONVOLVE64(x, k, y, image, window, result, strides, dilation, padding, lo, hi)


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
    return [inputs[0].address, inputs[1], outputs[0].address, image, window, result, a["dilation"], padding]


def _unit_strides(size):
    return lambda call: _float(size)(call) and call.attributes["strides"] == (1, 1)


GRADIENT_ROWS = {"tasks": _rows, "cost": _row_ns, "arguments": _geometry_of_gradient}


@kernel("conv2d_inputs_gradient", when=_unit_strides(4), **GRADIENT_ROWS)
def conv2d_inputs_gradient_float32(dy, k, dx, image, window, result, dilation, padding, lo, hi):
    """Rows lo..hi of dx by the kernel of conv2d_float32, on a copy of the kernel, which is small beside the images."""
    turned = turned_around(k)
    CONVOLVE32(dy, turned.ctypes.data, dx, image, window, result, (1, 1), dilation, padding, lo, hi)
    turned[0, 0, 0, 0] = 0  # it lives until here


@kernel("conv2d_inputs_gradient", when=_unit_strides(8), **GRADIENT_ROWS)
def conv2d_inputs_gradient_float64(dy, k, dx, image, window, result, dilation, padding, lo, hi):
    """As conv2d_inputs_gradient_float32."""
    turned = turned_around(k)
    CONVOLVE64(dy, turned.ctypes.data, dx, image, window, result, (1, 1), dilation, padding, lo, hi)
    turned[0, 0, 0, 0] = 0  # it lives until here


# ---- the kernel's gradient


def _kernel_gradient(size):
    """Rows lo..hi of the gradient as a matrix of (kernel row, column, channel) by filters."""
    width_of_panel, strip = STRIPS[size]
    widest = WIDE * lanes(size)

    def accumulate(x, dy, dkernel, batch, image, kernel, result, strides, dilation, padding, lo, hi, first_block):
        """Adds the next BLOCKS blocks to what is there, and gives the number of the block after them, 0 after the last.

        A row's terms come in one order, whatever lo and hi are: by images, by blocks of the output, then the columns that all
        taps have, then those on its own left and right.
        """
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
            panel = width_of_panel(filters - f)
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
                            strip(
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

    return njit(error_model="numpy")(named(accumulate, f"accumulate_{size}_bytes"))


@njit(error_model="numpy")
def taking(start, extent, stride, count):
    """The range of windows, of `count`, in which a tap lies inside 0..extent-1: window i lays it on i * stride - start."""
    first = min(max(0, -(-start // stride)), count)
    return first, max(first, min(count, (extent - 1 + start) // stride + 1))


ACCUMULATE32, ACCUMULATE64 = _kernel_gradient(4), _kernel_gradient(8)


def _geometry_of_kernel(call, inputs, outputs):
    x, dy, dkernel = [*call.inputs, *call.outputs]
    a, (p_count, q_count, channels, filters) = call.attributes, dkernel.shape
    (placed,) = outputs
    matrix = Placed(placed.address, View((p_count * q_count * channels, filters)), placed.dtype)
    image, window, result = tuple(x.shape[1:]), (p_count, q_count, filters), tuple(dy.shape[1:3])
    addresses = [array.address for array in inputs]
    geometry = [image, window, result, a["strides"], a["dilation"], a["padding"]]
    return [*addresses, matrix, x.shape[0], *geometry]


KERNEL_ROWS = {
    "tasks": lambda call: call.outputs[0].shape[0] * call.outputs[0].shape[1] * call.outputs[0].shape[2],
    "cost": lambda call: call.outputs[0].shape[3] * call.form.cost * _size(call) * 0.006 + 20,
    "quantum": 6,
    "arguments": _geometry_of_kernel,
}


@kernel("conv2d_kernel_gradient", when=_float(4), **KERNEL_ROWS)
def conv2d_kernel_gradient_float32(x, dy, matrix, batch, image, window, result, strides, dilation, padding, lo, hi):
    """Rows lo..hi, (kernel row, column, channel), by filters: products of columns of the image with the output's gradient.

    The tile holds 6 rows by 64 filters (with AVX-512) while a few output rows, which stay in the cache, go by.
    """
    matrix[lo:hi] = 0
    part, block = np.empty((hi - lo, matrix.shape[1]), matrix.dtype), 0
    while True:
        part[:] = 0
        to = part.ctypes.data
        block = ACCUMULATE32(x, dy, to, batch, image, window, result, strides, dilation, padding, lo, hi, block)
        matrix[lo:hi] += part
        if block == 0:
            return


@kernel("conv2d_kernel_gradient", when=_float(8), **KERNEL_ROWS)
def conv2d_kernel_gradient_float64(x, dy, matrix, batch, image, window, result, strides, dilation, padding, lo, hi):
    """As conv2d_kernel_gradient_float32."""
    matrix[lo:hi] = 0
    part, block = np.empty((hi - lo, matrix.shape[1]), matrix.dtype), 0
    while True:
        part[:] = 0
        to = part.ctypes.data
        block = ACCUMULATE64(x, dy, to, batch, image, window, result, strides, dilation, padding, lo, hi, block)
        matrix[lo:hi] += part
        if block == 0:
            return
