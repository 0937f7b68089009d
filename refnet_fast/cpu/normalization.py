"""Batch normalization over (rows, channels) and (outer, channel, inner), in training and outside, and its gradient.

Every kernel reads memory forwards: where channels stand last, whole rows of a slice of channels at a time, with one running
total for each channel; where places stand last, the lanes of one channel after the other. With channels last memory is read twice, in both
directions: once for the sums, once for the result. The two passes that mean and variance need are taken block by block, over a block that a
near cache holds, and the blocks' moments are joined (Chan, Golub and LeVeque 1983). A root is divided by once: 1 / root neither
overflows nor underflows, for a root is that of a float.
"""

import numpy as np

from refnet.definition import View
from refnet_fast.cpu.reduction import CHAIN
from refnet_fast.cpu.rows import MACHINE, SUMS, add_row, copy_row, fill_row, row_sum
from refnet_fast.derive import Placed
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate, njit
from refnet_fast.outcomes import scratch
from refnet_fast.tables import ELEMENT_NS

BLOCK_BYTES = 32 * 1024  # of all channels of a block, whose mean and variance are found together


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
    inverse = inverse_roots(variance, epsilon)
    for r in range(lo, hi):
        normalized(x[r], mean, inverse, offset, scale, y[r])


@njit(error_model="numpy")
def inverse_roots(variance, epsilon):
    out, one = scratch(variance.size, variance.dtype), variance.dtype.type(1)
    for c in range(out.size):
        out[c] = one / variance.dtype.type(np.sqrt(variance[c] + epsilon))
    return out


@njit(**MACHINE)
def normalized(row, mean, inverse, offset, scale, out):
    for c in range(out.size):
        out[c] = (row[c] - mean[c]) * inverse[c] * scale[c] + offset[c]


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
def add_four(r0, r1, r2, r3, out):
    for c in range(out.size):
        out[c] += (r0[c] + r1[c]) + (r2[c] + r3[c])


@njit(error_model="numpy")
def add_rows(x, start, end, lo, hi, out):
    """Adds rows start..end of columns lo..hi to out, four at a time."""
    fours = start + (end - start) // 4 * 4
    for r in range(start, fours, 4):
        add_four(x[r, lo:hi], x[r + 1, lo:hi], x[r + 2, lo:hi], x[r + 3, lo:hi], out)
    for r in range(fours, end):
        add_row(x[r, lo:hi], out)


@njit(**MACHINE)
def add_four_squares(r0, r1, r2, r3, center, out):
    for c in range(out.size):
        d0, d1, d2, d3 = r0[c] - center[c], r1[c] - center[c], r2[c] - center[c], r3[c] - center[c]
        out[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)


@njit(**MACHINE)
def add_square_distances(row, center, out):
    for c in range(out.size):
        out[c] += (row[c] - center[c]) * (row[c] - center[c])


@njit(error_model="numpy")
def add_squares(x, start, end, lo, hi, center, out):
    """As add_rows, the squares of the distances from the center."""
    fours = start + (end - start) // 4 * 4
    for r in range(start, fours, 4):
        add_four_squares(x[r, lo:hi], x[r + 1, lo:hi], x[r + 2, lo:hi], x[r + 3, lo:hi], center, out)
    for r in range(fours, end):
        add_square_distances(x[r, lo:hi], center, out)


@njit(**MACHINE)
def join(seen, more, mean, square, center, variance):
    """The mean (center) and the sum of squares (variance) of `seen` rows become those of these and `more` others."""
    kind = center.dtype.type
    share, weight = kind(more / (seen + more)), kind(more * (seen / (seen + more)))
    for c in range(center.size):
        distance = mean[c] - center[c]
        center[c] += distance * share
        variance[c] += square[c] + distance * distance * weight


@njit(error_model="numpy")
def moments(x, lo, hi, center, variance):
    """Mean and variance of columns lo..hi, block by block."""
    square, mean = scratch(center.size, center.dtype), scratch(center.size, center.dtype)
    fill_row(center, np.nan)  # no rows have no moments
    fill_row(variance, np.nan)
    count, high = x.shape[0], max(1, BLOCK_BYTES // (x.itemsize * x.shape[1]))
    for start in range(0, count, high):
        end = min(start + high, count)
        fill_row(mean, 0)
        fill_row(square, 0)
        add_rows(x, start, end, lo, hi, mean)
        for c in range(mean.size):
            mean[c] = mean[c] / (end - start)
        add_squares(x, start, end, lo, hi, mean, square)
        if start == 0:  # the distance of a mean from 0 may have no square
            copy_row(mean, center)
            copy_row(square, variance)
        else:
            join(start, end - start, mean, square, center, variance)
    for c in range(variance.size):
        variance[c] = variance[c] / count


@kernel(
    "batch_normalization_training",
    when=_channels_last,
    tasks=_channels,
    cost=_channel_ns(6),
    quantum=16,
    arguments=_as_rows,
)
def batch_normalization_training_columns(x, offset, scale, epsilon, y, mean, variance, lo, hi):
    """Channels lo..hi: a pass over the rows of their slice for mean and variance, a pass for the result."""
    center, square = mean[lo:hi], variance[lo:hi]
    moments(x, lo, hi, center, square)
    inverse = inverse_roots(square, epsilon)
    for r in range(x.shape[0]):
        normalized(x[r, lo:hi], center, inverse, offset[lo:hi], scale[lo:hi], y[r, lo:hi])


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
    center, inverse = mean[lo:hi], inverse_roots(variance[lo:hi], epsilon)
    total, product = doffset[lo:hi], dscale[lo:hi]
    part_total, part_product = scratch(total.size, total.dtype), scratch(product.size, product.dtype)
    total[:] = 0
    product[:] = 0
    for start in range(0, count, CHAIN):
        part_total[:] = 0
        part_product[:] = 0
        for r in range(start, min(start + CHAIN, count)):
            add_slopes(dy[r, lo:hi], x[r, lo:hi], center, inverse, part_total, part_product)
        add_row(part_total, total)
        add_row(part_product, product)
    slope, shift, tilt = (
        scratch(total.size, total.dtype),
        scratch(total.size, total.dtype),
        scratch(total.size, total.dtype),
    )
    for c in range(slope.size):
        slope[c] = scale[lo + c] * inverse[c]
        shift[c] = total[c] / count
        tilt[c] = product[c] / count
    for r in range(count):
        pushed_back(dy[r, lo:hi], x[r, lo:hi], center, inverse, shift, tilt, slope, dx[r, lo:hi])


@njit(**MACHINE)
def add_slopes(above, row, center, inverse, total, product):
    for c in range(total.size):
        total[c] += above[c]
        product[c] += above[c] * ((row[c] - center[c]) * inverse[c])


@njit(**MACHINE)
def pushed_back(above, row, center, inverse, shift, tilt, slope, out):
    for c in range(out.size):
        out[c] = (above[c] - shift[c] - (row[c] - center[c]) * inverse[c] * tilt[c]) * slope[c]
