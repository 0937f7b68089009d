"""Batch normalization over (rows, channels) and (outer, channel, inner), in training and outside, and its gradient.

Every kernel reads memory forwards: where channels stand last, whole rows of a slice of channels at a time, with one running
total for each channel; where places stand last, the lanes of one channel after the other.
"""

import numpy as np
from numba import njit

from refnet.definition import View
from refnet_fast.cpu.reduction import CHAIN
from refnet_fast.cpu.rows import SUMS, add_row, row_sum
from refnet_fast.derive import Placed
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate
from refnet_fast.tables import ELEMENT_NS


def _float(call):
    return call.dtypes in ({"float32"}, {"float64"})


def _channels_last(call):
    return _float(call) and call.form.inputs[0].shape[2] == 1


def _as_rows(call, inputs, outputs):
    """(outer, channel, 1) as (outer, channel); vectors stay."""
    arrays = [Placed(a.address, View(a.view.shape[:2]), a.dtype) for a in (*inputs, *outputs)]
    return [*arrays[: len(inputs)], *call.form.attributes, *arrays[len(inputs) :]]


def _channel_ns(passes):
    return lambda call: passes * ELEMENT_NS * call.form.inputs[0].shape[0] * call.form.inputs[0].shape[2] + 10


def _channels(call):
    return call.form.inputs[0].shape[1]


# ---- outside training


@kernel(
    "batch_normalization",
    when=_float,
    tasks=lambda call: call.form.domain[0] * call.form.domain[1],
    cost=lambda call: 4 * ELEMENT_NS * call.form.inputs[0].shape[2] + 5,
)
def batch_normalization_lanes(x, mean, variance, offset, scale, epsilon, y, lo, hi):
    """Lanes lo..hi, each of one channel."""
    kind = x.dtype.type
    for lane in range(lo, hi):
        o, c = lane // x.shape[1], lane % x.shape[1]
        row, out, root = x[o, c], y[o, c], kind(np.sqrt(variance[c] + epsilon))
        for i in range(out.size):
            out[i] = (row[i] - mean[c]) / root * scale[c] + offset[c]


@kernel(
    "batch_normalization",
    when=_channels_last,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: 4 * ELEMENT_NS * call.form.domain[1] + 5,
    arguments=_as_rows,
    rows=lambda call: (0,) if len(call.inputs[0].shape) == 2 and call.attributes["axis"] == 1 else None,
)
def batch_normalization_rows(x, mean, variance, offset, scale, epsilon, y, lo, hi):
    """Rows lo..hi; the roots are taken once."""
    root = roots(variance, epsilon)
    for r in range(lo, hi):
        normalized(x[r], mean, root, offset, scale, y[r])


@njit(error_model="numpy")
def roots(variance, epsilon):
    out = np.empty_like(variance)
    for c in range(out.size):
        out[c] = np.sqrt(variance[c] + epsilon)
    return out


@njit(error_model="numpy", fastmath={"contract"}, pipeline_class=Separate)
def normalized(row, mean, root, offset, scale, out):
    for c in range(out.size):
        out[c] = (row[c] - mean[c]) / root[c] * scale[c] + offset[c]


# ---- in training, places last


@kernel("batch_normalization_training", when=_float, tasks=_channels, cost=_channel_ns(6))
def batch_normalization_training_lanes(x, offset, scale, epsilon, y, mean, variance, lo, hi):
    """Channels lo..hi: a pass for the mean, one for the variance, one for the result."""
    kind = x.dtype.type
    count = x.shape[0] * x.shape[2]
    for c in range(lo, hi):
        total = kind(0)
        for o in range(x.shape[0]):
            total += row_sum(x[o, c])
        center = kind(total / count)
        total = kind(0)
        for o in range(x.shape[0]):
            total += square_distance(x[o, c], center)
        variance[c] = total / count
        mean[c] = center
        root = kind(np.sqrt(variance[c] + epsilon))
        for o in range(x.shape[0]):
            row, out = x[o, c], y[o, c]
            for i in range(out.size):
                out[i] = (row[i] - center) / root * scale[c] + offset[c]


@njit(**SUMS)
def square_distance(row, center):
    total = row.dtype.type(0)
    for i in range(row.size):
        total += (row[i] - center) * (row[i] - center)
    return total


@kernel("batch_normalization_training_gradient", when=_float, tasks=_channels, cost=_channel_ns(8))
def batch_normalization_training_gradient_lanes(dy, x, mean, variance, scale, epsilon, dx, doffset, dscale, lo, hi):
    """Channels lo..hi: a pass for the two sums, one for the result."""
    kind = x.dtype.type
    count = kind(x.shape[0] * x.shape[2])
    for c in range(lo, hi):
        root = kind(np.sqrt(variance[c] + epsilon))
        total, product = kind(0), kind(0)
        for o in range(x.shape[0]):
            total += row_sum(dy[o, c])
            product += row_product(dy[o, c], x[o, c], mean[c], root)
        doffset[c], dscale[c] = total, product
        slope, shift, tilt = scale[c] / root, total / count, product / count
        for o in range(x.shape[0]):
            above, row, out = dy[o, c], x[o, c], dx[o, c]
            for i in range(out.size):
                out[i] = (above[i] - shift - (row[i] - mean[c]) / root * tilt) * slope


@njit(error_model="numpy", fastmath=False)  # said, for what is not said comes from the caller
def slanted(above, x, center, root):
    """Apart, so that only the additions around it are reordered: above * (x - center) could overflow before it is divided."""
    return above * ((x - center) / root)


@njit(**SUMS)
def row_product(above, row, center, root):
    total = row.dtype.type(0)
    for i in range(row.size):
        total += slanted(above[i], row[i], center, root)
    return total


# ---- in training, channels last


@njit(error_model="numpy", pipeline_class=Separate)
def add_rows(rows, out):
    for r in range(rows.shape[0]):
        add_row(rows[r], out)


@kernel(
    "batch_normalization_training",
    when=_channels_last,
    tasks=_channels,
    cost=_channel_ns(6),
    quantum=16,
    arguments=_as_rows,
)
def batch_normalization_training_columns(x, offset, scale, epsilon, y, mean, variance, lo, hi):
    """Channels lo..hi: three passes over the rows of their slice."""
    count = x.shape[0]
    center, square, part = mean[lo:hi], variance[lo:hi], np.empty_like(mean[lo:hi])
    center[:] = 0
    square[:] = 0
    for start in range(0, count, CHAIN):
        part[:] = 0
        add_rows(x[start : start + CHAIN, lo:hi], part)
        add_row(part, center)
    for c in range(center.size):
        center[c] = center[c] / count
    for start in range(0, count, CHAIN):
        part[:] = 0
        for r in range(start, min(start + CHAIN, count)):
            add_square_distances(x[r, lo:hi], center, part)
        add_row(part, square)
    for c in range(square.size):
        square[c] = square[c] / count
    root = roots(square, epsilon)
    for r in range(count):
        normalized(x[r, lo:hi], center, root, offset[lo:hi], scale[lo:hi], y[r, lo:hi])


@njit(error_model="numpy", fastmath={"contract"}, pipeline_class=Separate)
def add_square_distances(row, center, out):
    for c in range(out.size):
        out[c] += (row[c] - center[c]) * (row[c] - center[c])


@kernel(
    "batch_normalization_training_gradient",
    when=_channels_last,
    tasks=_channels,
    cost=_channel_ns(8),
    quantum=16,
    arguments=_as_rows,
)
def batch_normalization_training_gradient_columns(dy, x, mean, variance, scale, epsilon, dx, doffset, dscale, lo, hi):
    """Channels lo..hi: a pass over the rows of their slice for the two sums, one for the result."""
    count = x.shape[0]
    center, root, total, product = mean[lo:hi], roots(variance[lo:hi], epsilon), doffset[lo:hi], dscale[lo:hi]
    part_total, part_product = np.empty_like(total), np.empty_like(product)
    total[:] = 0
    product[:] = 0
    for start in range(0, count, CHAIN):
        part_total[:] = 0
        part_product[:] = 0
        for r in range(start, min(start + CHAIN, count)):
            add_products(dy[r, lo:hi], x[r, lo:hi], center, root, part_total, part_product)
        add_row(part_total, total)
        add_row(part_product, product)
    slope, shift, tilt = np.empty_like(total), np.empty_like(total), np.empty_like(total)
    for c in range(slope.size):
        slope[c] = scale[lo + c] / root[c]
        shift[c] = total[c] / count
        tilt[c] = product[c] / count
    for r in range(count):
        pushed_back(dy[r, lo:hi], x[r, lo:hi], center, root, shift, tilt, slope, dx[r, lo:hi])


@njit(error_model="numpy", fastmath={"contract"}, pipeline_class=Separate)
def add_products(above, row, center, root, total, product):
    for c in range(total.size):
        total[c] += above[c]
        product[c] += above[c] * ((row[c] - center[c]) / root[c])


@njit(error_model="numpy", fastmath={"contract"}, pipeline_class=Separate)
def pushed_back(above, row, center, root, shift, tilt, slope, out):
    for c in range(out.size):
        out[c] = (above[c] - shift[c] - (row[c] - center[c]) / root[c] * tilt[c]) * slope[c]
