"""Pooling of images, a row of windows at a time: tap after tap of the window meets the pixels that it lies on in all of them.

The row of results stays in the first cache while taps go by. A tap's pixels are a stride apart, their channels side by side, so
comparisons and sums run in vectors; a tap takes part in the windows in which it lies in the image.
"""

import numpy as np

from refnet_fast.cpu.intrinsics import select
from refnet_fast.cpu.rows import copy_row, fill_row
from refnet_fast.cpu.windows import CHAIN, complete, floats, output_rows, taking
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate, njit
from refnet_fast.outcomes import scratch


def _row_ns(call):
    shape = call.outputs[0].shape
    return shape[2] * shape[3] * call.form.cost * 0.1 + 20


ROWS = {"when": floats, "tasks": output_rows, "cost": _row_ns}
IMAGES = {
    "when": floats,
    "tasks": lambda call: call.outputs[0].shape[0],
    "cost": lambda call: _row_ns(call) * call.outputs[0].shape[1],
}


@njit(error_model="numpy")
def inside(start, size, extent):
    """The part of a window of `size` places from `start` on that lies inside 0..extent-1."""
    return max(start, 0), min(start + size, extent)


@njit(error_model="numpy", pipeline_class=Separate)
def keep_larger(pixels, place, step, best, j0, j1):
    """The best of windows j0..j1 meet the pixels from `place` on, `step` apart. A NaN that is there stays; one that comes takes
    its place."""
    for j in range(j0, j1):
        for c in range(best.shape[1]):
            value, most = pixels[place + j * step, c], best[j, c]
            best[j, c] = select((value > most) | (value != value), value, most)


@njit(error_model="numpy")
def largest(x, n, row0, row1, pool, strides, padding, best, first, end):
    """The largest of windows first..end of a row of windows, whose pixels lie in rows row0..row1 of image n."""
    for j in range(first, end):
        fill_row(best[j], -np.inf)
    for row in range(row0, row1):
        for q in range(pool[1]):
            j0, j1 = taking(padding[1] - q, x.shape[2], strides[1], best.shape[0])
            keep_larger(x[n, row], q - padding[1], strides[1], best, max(j0, first), min(j1, end))


@kernel("max_pool2d", **ROWS)
def max_pool2d_rows(x, pool, strides, padding, y, lo, hi):
    """Rows lo..hi of the output of all images."""
    for task in range(lo, hi):
        n, i = task // y.shape[1], task % y.shape[1]
        row0, row1 = inside(i * strides[0] - padding[0], pool[0], x.shape[1])
        largest(x, n, row0, row1, pool, strides, padding, y[n, i], 0, y.shape[2])


@njit(error_model="numpy", pipeline_class=Separate)
def give(pixels, place, step, best, left, slopes, j0, j1):
    """Where a value is its window's winner, the first of the largest or the first NaN, what is left of the slope is its."""
    nothing = left.dtype.type(0)
    for j in range(j0, j1):
        for c in range(best.shape[1]):
            value, most, slope = pixels[place + j * step, c], best[j, c], left[j, c]
            wins = (value == most) | ((value != value) & (most != most))
            slopes[place + j * step, c] += select(wins, slope, nothing)
            left[j, c] = select(wins, nothing, slope)


@njit(error_model="numpy", pipeline_class=Separate)
def give_four(upper, lower, above, place, into_upper, into_lower, j0, j1):
    """Windows j0..j1 of four pixels that no other window shares: what `give` would add to zeros, in one pass."""
    nothing = above.dtype.type(0)
    for j in range(j0, j1):
        at = place + 2 * j
        for c in range(above.shape[1]):
            x0, x1, x2, x3 = upper[at, c], upper[at + 1, c], lower[at, c], lower[at + 1, c]
            most = select((x1 > x0) | (x1 != x1), x1, x0)
            most = select((x2 > most) | (x2 != x2), x2, most)
            most = select((x3 > most) | (x3 != x3), x3, most)
            lost, left = most != most, above[j, c]
            wins = (x0 == most) | ((x0 != x0) & lost)
            into_upper[at, c], left = select(wins, left, nothing), select(wins, nothing, left)
            wins = (x1 == most) | ((x1 != x1) & lost)
            into_upper[at + 1, c], left = select(wins, left, nothing), select(wins, nothing, left)
            wins = (x2 == most) | ((x2 != x2) & lost)
            into_lower[at, c], into_lower[at + 1, c] = select(wins, left, nothing), select(wins, nothing, left)


@kernel("max_pool2d_inputs_gradient", **IMAGES)
def max_pool2d_inputs_gradient_images(dy, x, pool, strides, padding, dx, lo, hi):
    """Images lo..hi: a row of windows finds its largest values, then hands out what flows back, tap after tap; the usual windows,
    2x2 that do not overlap, in one pass.

    Windows come in row-major order, the definition's elements ask them in the reverse one: sums of several windows may round
    differently, within the certificate, and always alike.
    """
    best, left = scratch(dy.shape[2:], x.dtype), scratch(dy.shape[2:], x.dtype)
    by_four = pool[0] == 2 and pool[1] == 2 and strides[0] == 2 and strides[1] == 2
    whole0, whole1 = complete(padding[1], x.shape[2], pool[1], strides[1], 1, dy.shape[2])
    for n in range(lo, hi):
        cleared = 0
        for i in range(dy.shape[1]):
            row0, row1 = inside(i * strides[0] - padding[0], pool[0], x.shape[1])
            cleared, split = clear_up_to(dx, n, cleared, row1), dy.shape[2]
            if by_four and row1 - row0 == 2:
                upper, lower, place = dx[n, row0], dx[n, row0 + 1], -padding[1]
                give_four(x[n, row0], x[n, row0 + 1], dy[n, i], place, upper, lower, whole0, whole1)
                split = whole0
            for first, end in ((0, split), (max(split, whole1), dy.shape[2])):
                if first < end:
                    largest(x, n, row0, row1, pool, strides, padding, best, first, end)
                    for j in range(first, end):
                        copy_row(dy[n, i, j], left[j])
                    for row in range(row0, row1):
                        for q in range(pool[1]):
                            j0, j1 = taking(padding[1] - q, x.shape[2], strides[1], dy.shape[2])
                            j0, j1, place = max(j0, first), min(j1, end), q - padding[1]
                            give(x[n, row], place, strides[1], best, left, dx[n, row], j0, j1)
        clear_up_to(dx, n, cleared, dx.shape[1])


@njit(error_model="numpy")
def clear_up_to(images, n, cleared, end):
    """Makes rows cleared..end of image n 0, and gives the first that is not."""
    for row in range(cleared, end):
        for col in range(images.shape[2]):
            fill_row(images[n, row, col], 0)
    return max(cleared, end)


# ---- averages


@njit(error_model="numpy", pipeline_class=Separate)
def divide_row(row, number, to):
    for c in range(to.size):
        to[c] = row[c] / number


@njit(error_model="numpy", pipeline_class=Separate)
def add_pixels(pixels, place, step, total, j0, j1):
    for j in range(j0, j1):
        for c in range(total.shape[1]):
            total[j, c] += pixels[place + j * step, c]


@njit(error_model="numpy", pipeline_class=Separate)
def add_to_pixels(shares, pixels, place, step, j0, j1):
    for j in range(j0, j1):
        for c in range(shares.shape[1]):
            pixels[place + j * step, c] += shares[j, c]


@njit(error_model="numpy")
def divide_pixels(pixels, row_count, pool, strides, padding, width, to):
    """A row of windows, each divided by the number of its pixels that lie in the image."""
    for j in range(to.shape[0]):
        first, end = inside(j * strides[1] - padding[1], pool[1], width)
        divide_row(pixels[j], to.dtype.type(row_count * (end - first)), to[j])


def _short(call):
    """A window is added up in one chain of its own dtype."""
    rows, columns = call.attributes["pool"]
    return floats(call) and rows * columns <= CHAIN


@kernel("average_pool2d", **{**ROWS, "when": _short})
def average_pool2d_rows(x, pool, strides, padding, y, lo, hi):
    """Rows lo..hi of the output of all images: pixels are added up where the means will stand."""
    total = scratch(y.shape[2:], y.dtype)
    for task in range(lo, hi):
        n, i = task // y.shape[1], task % y.shape[1]
        row0, row1 = inside(i * strides[0] - padding[0], pool[0], x.shape[1])
        for j in range(total.shape[0]):
            fill_row(total[j], 0)
        for row in range(row0, row1):
            for q in range(pool[1]):
                j0, j1 = taking(padding[1] - q, x.shape[2], strides[1], y.shape[2])
                add_pixels(x[n, row], q - padding[1], strides[1], total, j0, j1)
        divide_pixels(total, row1 - row0, pool, strides, padding, x.shape[2], y[n, i])


@kernel("average_pool2d_inputs_gradient", **IMAGES)
def average_pool2d_inputs_gradient_images(dy, pool, strides, padding, dx, lo, hi):
    """Images lo..hi: each row of windows is divided once, then added to its pixels, tap after tap."""
    shares = scratch(dy.shape[2:], dy.dtype)
    for n in range(lo, hi):
        cleared = 0
        for i in range(dy.shape[1]):
            row0, row1 = inside(i * strides[0] - padding[0], pool[0], dx.shape[1])
            cleared = clear_up_to(dx, n, cleared, row1)
            divide_pixels(dy[n, i], row1 - row0, pool, strides, padding, dx.shape[2], shares)
            for row in range(row0, row1):
                for q in range(pool[1]):
                    j0, j1 = taking(padding[1] - q, dx.shape[2], strides[1], dy.shape[2])
                    add_to_pixels(shares, dx[n, row], q - padding[1], strides[1], j0, j1)
        clear_up_to(dx, n, cleared, dx.shape[1])
