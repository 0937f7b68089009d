"""Convolution of images on the register tile: nothing is copied, the image is read in place.

An output row is a matrix product: its pixels are rows of `a`, neighbours one stride apart, and the taps that a kernel row lays on
the image are neighbours too, so (tap, channel) is one run of steps; a kernel's rows are so many runs. Pixels whose window leaves
the image have fewer taps and go one by one, so that padding multiplies nothing.

Here stands what all convolutions share, and what they tell the planner.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.definition import View, size_of
from refnet_fast.build import build_all
from refnet_fast.cpu.rows import fill_row
from refnet_fast.cpu.tile import multiply, strip_for, strips
from refnet_fast.derive import Placed, itemsize
from refnet_fast.native import I64, move_bytes, njit, row_at
from refnet_fast.outcomes import raise_again, scratch

CHAIN = 2048  # additions in a row, at most, before the sum becomes one term of another: no long sum is one chain
LARGE = 128 * 1024  # bytes of a panel of a kernel that is met one column of taps after the other, this many or more
DEEP = 640  # additions in a row there: what is at hand of the panel stays in the second-level cache
MANY = 1024  # pixels of a result that are worth a copy of the kernel
COPIED = 2**25  # bytes of a panel, at most, of which a thread makes a copy


@njit(error_model="numpy")
def reaching(place, extent, size, dilation):
    """The range of taps that lie inside 0..extent-1 for a window that starts at `place`."""
    first = min(max(0, -(place // dilation)), size)
    return first, max(first, min(size, (extent - 1 - place) // dilation + 1))


@njit(error_model="numpy")
def complete(before, extent, size, stride, dilation, count):
    """The range of windows, of `count`, that lie inside 0..extent-1 as a whole."""
    first = min(max(0, (before + stride - 1) // stride), count)
    return first, max(first, min(count, (extent - 1 + before - (size - 1) * dilation) // stride + 1))


@njit(error_model="numpy")
def taking(start, extent, stride, count):
    """The range of windows, of `count`, in which a tap lies inside 0..extent-1: window i lays it on i * stride - start."""
    first = min(max(0, -(-start // stride)), count)
    return first, max(first, min(count, (extent - 1 + start) // stride + 1))


@njit(error_model="numpy")
def windows(strips, pixels, x, x_pixel, x_tap, k, k_taps, taps, y, y_pixel, panel, depthwise, add):
    """`pixels` results of one kind, x_pixel and y_pixel elements apart: `panel` filters of windows that lack the same taps.

    Args:
        x, k, y: addresses: of the first window's corner, of the kernel's panel, of the first result.
        x_tap: elements from one row of taps to the next in x, and from one tap to the next.
        k_taps: (columns, channels, filters) of the kernel.
        taps: the ranges (p0, p1, q0, q1) of taps that lie in the image.
        depthwise: whether filter f sees channel f alone; the panel is then a vector at most.
        add: whether the results are added to what is there.
    """
    size = strips[0]
    (x_row, x_column), (q_count, channels, filters), (p0, p1, q0, q1) = x_tap, k_taps, taps
    if depthwise:  # lane by lane; a window has few taps, so no sum is long
        at, of = x + size * (p0 * x_row + q0 * x_column), k + size * (p0 * q_count + q0) * filters
        runs, steps, k_run = p1 - p0, q1 - q0, q_count * filters
        multiply(
            strips[5], pixels, runs, steps, at, x_pixel, x_column, x_row, of, filters, k_run, y, y_pixel, panel, add
        )
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
            count, more = min(at_once, steps - done), add + p - p0 + done
            multiply(strip, pixels, runs, count, at, x_pixel, 1, x_run, of, filters, k_run, y, y_pixel, panel, more)
            done += max(count, 1)


@njit(error_model="numpy")
def is_large(size, channels, p_count, q_count, panel, whole, pixels):
    """Whether `columns_of_taps` is the faster way, where `whole` of so many pixels have windows that lie in the image."""
    long = p_count * channels >= 256 or (channels >= 64 and 2 * whole < pixels)
    return long and size * p_count * q_count * channels * panel >= LARGE


@njit(error_model="numpy")
def side_by_side(size, panel, filters, k, rows):
    """Room, and in it the address, at the start of a cache line, of a panel whose rows follow each other: a copy of the kernel's,
    whose rows are `filters` apart."""
    room = scratch(size * rows * panel + 64, np.uint8)
    packed = (room.ctypes.data + 63) // 64 * 64
    for row in range(rows):
        move_bytes(packed + size * row * panel, k + size * row * filters, size * panel)
    return room, packed


@njit(error_model="numpy")
def columns_of_taps(strips, x, k, y, image, kernel, result, places, strides, dilation, padding, panel, add, lo, hi):
    """As `convolve`, for a panel of filters of a large kernel: one column of taps after the other meets all rows of an image.

    Some channels of a column's taps are at hand meanwhile, and stay in the second-level cache. Every tap meets all pixels that it
    lies on, so no pixel goes by itself, wherever its window leaves the image.
    """
    size, (height, width, channels), (p_count, q_count, filters), (rows, columns) = strips[0], image, kernel, result
    (y_image, y_row, y_pixel), (sh, sw), (dh, dw), (top, left) = places, strides, dilation, padding
    strip, _ = strip_for(strips, panel)
    copied = filters > panel and (hi - lo) * columns >= MANY and size * p_count * q_count * channels * panel <= COPIED
    room, packed = side_by_side(size, panel, filters, k, p_count * q_count * channels if copied else 0)
    k, k_row = (packed, panel) if copied else (k, filters)
    at_once = max(1, DEEP // p_count)
    while lo < hi:
        n, start = lo // rows, lo % rows
        end = min(rows, start + hi - lo)
        seen, to = x + size * n * height * width * channels, y + size * n * y_image
        for i in range(start, end if add == 0 else start):  # sums of nothing
            multiply(strip, columns, 0, 0, x, 0, 0, 0, k, 0, 0, to + size * i * y_row, y_pixel, panel, 0)
        for q in range(q_count):
            a, b = taking(left - q * dw, width, sw, columns)
            for c in range(0, channels if a < b else 0, at_once):
                for i in range(start, end):
                    p0, p1 = reaching(i * sh - top, height, p_count, dh)
                    place = ((i * sh - top + p0 * dh) * width + a * sw - left + q * dw) * channels + c
                    of = k + size * ((p0 * q_count + q) * channels + c) * k_row
                    multiply(
                        strip, b - a, p1 - p0, min(at_once, channels - c),
                        seen + size * place, sw * channels, 1, dh * width * channels,
                        of, k_row, q_count * channels * k_row,
                        to + size * (i * y_row + a * y_pixel), y_pixel, panel, 1,
                    )  # fmt: skip
        lo += end - start
    room[0] = 0  # it lives until here


@intrinsic
def call_by_address(typing, address, words):
    """Calls the function at `address`, which takes so many int64 and tells how it ended; raises what it ended with."""

    def emit(context, builder, signature, args):
        found = zip(cgutils.unpack_tuple(builder, args[1]), words)
        given = [context.cast(builder, word, kind, types.int64) for word, kind in found]
        kind = ir.FunctionType(I64, [I64] * len(given))
        raise_again(context, builder, builder.call(builder.inttoptr(args[0], kind.as_pointer()), given))
        return context.get_dummy_value()

    return types.void(types.int64, words), emit


@njit(error_model="numpy")
def convolve(convolving, x, k, y, image, kernel, result, places, strides, dilation, padding, depthwise, add, lo, hi):
    """Output rows lo..hi of all images, by the function at an address, which is compiled once for all kernels.

    Args:
        convolving: the strips, and behind them that address.
        x, k, y: addresses.
        image, kernel, result: (height, width, channels), (kernel rows, columns, filters), (output rows, columns).
        places: elements of y from one image to the next, from one row to the next, from one pixel to the next.
        padding: places before the image, above and on the left; may be negative.
        depthwise: whether filter f sees channel f alone.
        add: whether the results are added to what is there.
    """
    given = convolving[:6] + (x, k, y) + image + kernel + result + places + strides + dilation + padding
    call_by_address(convolving[6], given + (depthwise, add, lo, hi))


TEXT = """from numba import cfunc, types
from refnet_fast.cpu.windows import convolve_here
from refnet_fast.outcomes import outcome_of


@cfunc(types.int64(*[types.int64] * 30), cache=True)
def kernel(
    size, lanes, narrow, half, wide, lanewise, x, k, y, height, width, channels, p_count, q_count, filters, rows, columns,
    y_image, y_row, y_pixel, sh, sw, dh, dw, top, left, depthwise, add, lo, hi
):
    strips, image, kernel = (size, lanes, narrow, half, wide, lanewise), (height, width, channels), (p_count, q_count, filters)
    result, places, strides, dilation, padding = (rows, columns), (y_image, y_row, y_pixel), (sh, sw), (dh, dw), (top, left)
    given = (strips, x, k, y, image, kernel, result, places, strides, dilation, padding, depthwise, add, lo, hi)
    return outcome_of(convolve_here, given)
"""


@functools.cache
def convolving(size):
    """What kernels that convolve are given: the strips for elements of `size` bytes, then the address of `convolve_here`."""
    return (*strips(size), build_all([TEXT])[TEXT])


@njit(error_model="numpy")
def convolve_here(strips, x, k, y, image, kernel, result, places, strides, dilation, padding, depthwise, add, lo, hi):
    """What `convolve` calls.

    Rows in which all windows' rows lie in the image go in bands: the pixels at their left and right edges, whose windows lack
    columns, are taken down the band, as many at once as it has rows.
    """
    size = strips[0]
    height, width, channels = image
    p_count, q_count, filters = kernel
    rows, columns = result
    y_image, y_row, y_pixel = places
    (sh, sw), (dh, dw), (top, left) = strides, dilation, padding
    i0, i1 = complete(top, height, p_count, sh, dh, rows)
    j0, j1 = complete(left, width, q_count, sw, dw, columns)
    if j0 == j1:
        j0 = j1 = columns
    alone = p_count == 1 and q_count == 1 and sh == 1 and sw == 1 and top == 0 and left == 0
    alone = alone and rows == height and columns == width and y_row == columns * y_pixel and y_image == rows * y_row
    x_tap, k_taps = (dh * width * channels, dw * channels), (q_count, channels, filters)
    f = 0
    while f < filters:
        _, panel = strip_for(strips, filters - f)
        if depthwise:
            panel = min(panel, strips[1])
        seen, of = x + size * f if depthwise else x, k + size * f
        task = lo
        inner, outer = (i1 - i0) * (j1 - j0), rows * columns
        large = not depthwise and not alone and is_large(size, channels, p_count, q_count, panel, inner, outer)
        if large:
            to = y + size * f
            columns_of_taps(
                strips, x, of, to, image, kernel, result, places, strides, dilation, padding, panel, add, lo, hi
            )
            task = hi
        while task < hi and columns > 0:
            n, i = task // rows, task % rows
            band = min(i1 - i, hi - task) if i0 <= i < i1 else 1
            p0, p1 = reaching(i * sh - top, height, p_count, dh)
            corner = seen + size * ((n * height + i * sh - top) * width - left) * channels
            to = y + size * (n * y_image + i * y_row + f)
            if alone:  # the pixels of all rows follow each other
                band = hi - task
                taps = (0, 1, 0, 1)
                count, step = band * columns, channels
                windows(strips, count, corner, step, x_tap, of, k_taps, taps, to, y_pixel, panel, depthwise, add)
            elif j0 < j1:
                for row in range(band):
                    at = corner + size * (row * sh * width + j0 * sw) * channels
                    here, taps = to + size * (row * y_row + j0 * y_pixel), (p0, p1, 0, q_count)
                    count, step = j1 - j0, sw * channels
                    windows(strips, count, at, step, x_tap, of, k_taps, taps, here, y_pixel, panel, depthwise, add)
            if not alone:
                for edge in range(columns - (j1 - j0)):
                    j = edge if edge < j0 else edge + j1 - j0
                    q0, q1 = reaching(j * sw - left, width, q_count, dw)
                    at, here = corner + size * j * sw * channels, to + size * j * y_pixel
                    down, taps = sh * width * channels, (p0, p1, q0, q1)
                    windows(strips, band, at, down, x_tap, of, k_taps, taps, here, y_row, panel, depthwise, add)
            task += band
        f += panel


@njit(error_model="numpy")
def clear_rows(size, y, row, lo, hi):
    """Rows lo..hi, of `row` elements of `size` bytes, of an image at y become 0."""
    words = size // 4  # in an element; a float of zeros alone is 0
    fill_row(row_at(y + size * row * lo, words * row * (hi - lo), np.uint32), 0)


# ---- what a call is to the planner


def floats(call):
    return call.dtypes in ({"float32"}, {"float64"})


def element_size(call):
    return itemsize(call.outputs[0].dtype)


def output_rows(call):
    """A task is an output row of one image or volume."""
    return size_of(call.outputs[0].shape[:-2])


def output_row_ns(call):
    shape = call.outputs[0].shape
    return shape[-2] * shape[-1] * call.form.cost * element_size(call) * 0.005 + 20


def kernel_taps(call):
    """A task of a kernel's gradient is a tap and a channel."""
    return size_of(call.outputs[0].shape[:-1])


def kernel_tap_ns(call):
    return call.outputs[0].shape[-1] * call.form.cost * element_size(call) * 0.006 + 20


def geometry(call):
    a = call.attributes
    return [a["strides"], a["dilation"], a["padding"]]


def forward(call, inputs, outputs):
    """Addresses, then (height, width, channels), (kernel rows, columns, filters), (output rows, columns), the rest by name."""
    x, k, y = [*call.inputs, *call.outputs]
    image, window, result = tuple(x.shape[1:]), (*k.shape[:-2], k.shape[-1]), tuple(y.shape[1:-1])
    addresses = [placed.address for placed in (*inputs, *outputs)]
    return [convolving(element_size(call)), *addresses, image, window, result, *geometry(call)]


def backward(call, inputs, outputs):
    """As `forward`, for dy as the image and dx with its channels as the result; the kernel as an array, to be turned around."""
    dy, dx = call.inputs[0], call.outputs[0]
    arrays = [inputs[0].address, inputs[1], outputs[0].address]
    return [convolving(element_size(call)), *arrays, tuple(dy.shape[1:]), tuple(dx.shape[1:]), *geometry(call)]


def to_kernel(call, inputs, outputs):
    """As `forward`, for the kernel's gradient: as a matrix of (tap, channel) by filters; and the batch's length."""
    x, dy, dkernel = [*call.inputs, *call.outputs]
    (placed,) = outputs
    lanes, filters = size_of(dkernel.shape[:-1]), dkernel.shape[-1]
    matrix = Placed(placed.address, View((lanes, filters)), placed.dtype)
    image, window, result = tuple(x.shape[1:]), (*dkernel.shape[:-2], filters), tuple(dy.shape[1:-1])
    addresses = [array.address for array in inputs]
    return [strips(element_size(call)), *addresses, matrix, x.shape[0], image, window, result, *geometry(call)]
