"""Pooling of images, all channels of a window at a time: they lie side by side, so comparisons run in vectors."""

import numpy as np
from numba import njit

from refnet_fast.cpu.intrinsics import select
from refnet_fast.cpu.rows import copy_row, fill_row
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate


def _float(call):
    return call.dtypes in ({"float32"}, {"float64"})


def _rows(call):
    shape = call.outputs[0].shape
    return shape[0] * shape[1]


def _row_ns(call):
    shape = call.outputs[0].shape
    return shape[2] * shape[3] * call.form.cost * 0.2 + 20


@njit(error_model="numpy")
def inside(start, size, extent):
    """The part of a window of `size` places from `start` on that lies inside 0..extent-1."""
    return max(start, 0), min(start + size, extent)


@njit(error_model="numpy", pipeline_class=Separate)
def keep_larger(values, best):
    """A NaN that is there stays; a NaN that comes takes its place."""
    for c in range(best.size):
        best[c] = select((values[c] > best[c]) | (values[c] != values[c]), values[c], best[c])


@kernel("max_pool2d", when=_float, tasks=_rows, cost=_row_ns)
def max_pool2d_rows(x, pool, strides, padding, y, lo, hi):
    """Rows lo..hi of the output of all images."""
    for task in range(lo, hi):
        n, i = task // y.shape[1], task % y.shape[1]
        row0, row1 = inside(i * strides[0] - padding[0], pool[0], x.shape[1])
        for j in range(y.shape[2]):
            col0, col1 = inside(j * strides[1] - padding[1], pool[1], x.shape[2])
            best = y[n, i, j]
            copy_row(x[n, row0, col0], best)
            for row in range(row0, row1):
                for col in range(col0, col1):
                    keep_larger(x[n, row, col], best)


@njit(error_model="numpy", pipeline_class=Separate)
def give(values, best, left, slopes):
    """Where a value is its window's winner, the first of the largest or the first NaN, what is left of the slope is its."""
    for c in range(best.size):
        wins = (values[c] == best[c]) | ((values[c] != values[c]) & (best[c] != best[c]))
        slopes[c] += select(wins, left[c], left.dtype.type(0))
        left[c] = select(wins, left.dtype.type(0), left[c])


@kernel(
    "max_pool2d_inputs_gradient",
    when=_float,
    tasks=lambda call: call.outputs[0].shape[0],
    cost=lambda call: _row_ns(call) * call.outputs[0].shape[1],
)
def max_pool2d_inputs_gradient_images(dy, x, pool, strides, padding, dx, lo, hi):
    """Images lo..hi: each window finds its largest values, then hands out what flows back, all channels at a time.

    Windows come in row-major order, the definition's elements ask them in the reverse one: sums of several windows may round
    differently, within the certificate, and always alike.
    """
    best, left = np.empty(x.shape[3], x.dtype), np.empty(x.shape[3], x.dtype)
    for n in range(lo, hi):
        for row in range(x.shape[1]):
            for col in range(x.shape[2]):
                fill_row(dx[n, row, col], 0)
        for i in range(dy.shape[1]):
            row0, row1 = inside(i * strides[0] - padding[0], pool[0], x.shape[1])
            for j in range(dy.shape[2]):
                col0, col1 = inside(j * strides[1] - padding[1], pool[1], x.shape[2])
                copy_row(x[n, row0, col0], best)
                copy_row(dy[n, i, j], left)
                for row in range(row0, row1):
                    for col in range(col0, col1):
                        keep_larger(x[n, row, col], best)
                for row in range(row0, row1):
                    for col in range(col0, col1):
                        give(x[n, row, col], best, left, dx[n, row, col])
