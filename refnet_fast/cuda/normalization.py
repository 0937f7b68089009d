"""Batch normalization in training and its gradient, channels last, in float64: two passes over memory and one back; and, outside of
training, of floats with channels anywhere.

In training a block goes down 32 channels of a chunk of rows; a second step adds the chunks up; a third writes the result. Of float32 only:
the variance is the mean square of distances to the channel's first element, less the square of their mean, which in float64 is
more exact than float32 can tell.
"""

import numpy as np
from numba import cuda, float64

from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.numbers import FUNCTIONS, short
from refnet_fast.cuda.reduction import CHUNK, COLUMNS, ENOUGH, LANES
from refnet_fast.cuda.rows import WARP, finite, floating, inverse_root, working
from refnet_fast.cuda.runs import THREADS, divided, divisor, in_words, load_run, run_of, store_run
from refnet_fast.cuda.text import inlined, unrolled

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

root, divide = FUNCTIONS["sqrt"], FUNCTIONS["divide"]
short_root, short_divide = short["sqrt"], short["divide"]


def channels_last(call):
    """Float32 rows of channels, more than one thread for each channel should go over."""
    rows, channels, inner = call.form.inputs[0].shape
    return call.dtypes == {"float32"} and inner == 1 and rows >= 2 * LANES and channels > 0


def chunks(call):
    rows, channels, _ = call.form.inputs[0].shape
    return max(1, min(-(-rows // CHUNK), ENOUGH // -(-channels // COLUMNS)))


def blocks(call):
    return -(-call.form.inputs[0].shape[1] // COLUMNS), chunks(call)


def blocks_of_channels(call):
    return (-(-call.form.inputs[0].shape[1] // 128),)


def rooms(call):
    channels = call.form.inputs[0].shape[1]
    return [((2, chunks(call), channels), "float64"), ((2, channels), "float64")]


@kernel("batch_normalization_training", when=channels_last, grid=blocks, block=(COLUMNS, LANES), rooms=rooms)
def batch_normalization_training_channels(x, offset, scale, epsilon, y, mean, variance, totals, moments):
    """Each chunk's sum of distances to the channel's first element, and of their squares."""
    first = cuda.shared.array((LANES, COLUMNS), float64)
    second = cuda.shared.array((LANES, COLUMNS), float64)
    column, lane, chunk = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.y
    c = cuda.blockIdx.x * COLUMNS + column
    size = (x.shape[0] + cuda.gridDim.y - 1) // cuda.gridDim.y
    total, square = float64(0), float64(0)
    if c < x.shape[1]:
        origin = finite(float64(x[0, c, 0]))
        for r in range(chunk * size + lane, min((chunk + 1) * size, x.shape[0]), LANES):
            distance = float64(x[r, c, 0]) - origin
            total += distance
            square += distance * distance
    first[lane, column] = total
    second[lane, column] = square
    cuda.syncthreads()
    if lane == 0 and c < x.shape[1]:
        for k in range(1, LANES):
            total += first[k, column]
            square += second[k, column]
        totals[0, chunk, c] = total
        totals[1, chunk, c] = square


@then(batch_normalization_training_channels, grid=blocks_of_channels, block=(128,))
def moments_of_channels(x, offset, scale, epsilon, y, mean, variance, totals, moments):
    """One channel a thread."""
    c = cuda.grid(1)
    if c < x.shape[1]:
        total, square = float64(0), float64(0)
        for chunk in range(totals.shape[1]):
            total += totals[0, chunk, c]
            square += totals[1, chunk, c]
        off = total / x.shape[0]
        spread = square / x.shape[0] - off * off
        if spread < 0:
            spread = float64(0)
        moments[0, c] = finite(float64(x[0, c, 0])) + off
        moments[1, c] = inverse_root(spread + epsilon)
        mean[c] = moments[0, c]
        variance[c] = spread


@then(batch_normalization_training_channels, grid=blocks, block=(COLUMNS, LANES))
def normalized_channels(x, offset, scale, epsilon, y, mean, variance, totals, moments):
    """Each chunk's result."""
    c, chunk = cuda.blockIdx.x * COLUMNS + cuda.threadIdx.x, cuda.blockIdx.y
    size = (x.shape[0] + cuda.gridDim.y - 1) // cuda.gridDim.y
    if c < x.shape[1]:
        center, slope, start = moments[0, c], moments[1, c] * float64(scale[c]), float64(offset[c])
        for r in range(chunk * size + cuda.threadIdx.y, min((chunk + 1) * size, x.shape[0]), LANES):
            y[r, c, 0] = (float64(x[r, c, 0]) - center) * slope + start


# ---- the gradient


@kernel("batch_normalization_training_gradient", when=channels_last, grid=blocks, block=(COLUMNS, LANES), rooms=rooms)
def batch_normalization_training_gradient_channels(
    dy, x, mean, variance, scale, epsilon, dx, doffset, dscale, totals, through
):
    """Each chunk's sum of dy, and of dy times the distance to the mean."""
    first = cuda.shared.array((LANES, COLUMNS), float64)
    second = cuda.shared.array((LANES, COLUMNS), float64)
    column, lane, chunk = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.y
    c = cuda.blockIdx.x * COLUMNS + column
    size = (x.shape[0] + cuda.gridDim.y - 1) // cuda.gridDim.y
    total, product = float64(0), float64(0)
    if c < x.shape[1]:
        center = float64(mean[c])
        for r in range(chunk * size + lane, min((chunk + 1) * size, x.shape[0]), LANES):
            above = float64(dy[r, c, 0])
            total += above
            product += above * (float64(x[r, c, 0]) - center)
    first[lane, column] = total
    second[lane, column] = product
    cuda.syncthreads()
    if lane == 0 and c < x.shape[1]:
        for k in range(1, LANES):
            total += first[k, column]
            product += second[k, column]
        totals[0, chunk, c] = total
        totals[1, chunk, c] = product


@then(batch_normalization_training_gradient_channels, grid=blocks_of_channels, block=(128,))
def gradients_of_channels(dy, x, mean, variance, scale, epsilon, dx, doffset, dscale, totals, through):
    """One channel a thread."""
    c = cuda.grid(1)
    if c < x.shape[1]:
        total, product = float64(0), float64(0)
        for chunk in range(totals.shape[1]):
            total += totals[0, chunk, c]
            product += totals[1, chunk, c]
        product *= inverse_root(float64(variance[c]) + epsilon)
        doffset[c] = total
        dscale[c] = product
        through[0, c] = total / x.shape[0]
        through[1, c] = product / x.shape[0]


@then(batch_normalization_training_gradient_channels, grid=blocks, block=(COLUMNS, LANES))
def gradients_through_channels(dy, x, mean, variance, scale, epsilon, dx, doffset, dscale, totals, through):
    """Each chunk's result."""
    c, chunk = cuda.blockIdx.x * COLUMNS + cuda.threadIdx.x, cuda.blockIdx.y
    size = (x.shape[0] + cuda.gridDim.y - 1) // cuda.gridDim.y
    if c < x.shape[1]:
        center, tilt = float64(mean[c]), inverse_root(float64(variance[c]) + epsilon)
        slope, common, share = tilt * float64(scale[c]), through[0, c], through[1, c] * tilt
        for r in range(chunk * size + cuda.threadIdx.y, min((chunk + 1) * size, x.shape[0]), LANES):
            dx[r, c, 0] = (float64(dy[r, c, 0]) - common - (float64(x[r, c, 0]) - center) * share) * slope


# ---- outside of training: a thread finds what it needs of its channels once and walks over many runs of them

STEPS = 16  # that pay for what a thread finds first


def known(call):
    """Floats with their channels' mean and variance."""
    return floating(call) and in_words(call)


def length(call):
    """Elements side by side of one walk: all channels, or the places of one."""
    _, channels, inner = call.form.inputs[0].shape
    return channels if inner == 1 else inner


def run(call):
    return run_of(call.outputs[0].dtype, length(call))


def walkers(call):
    """Threads of a block side by side, and one behind the other."""
    across = 1
    while across * run(call) < length(call) and across < min(WARP, THREADS // 2):
        across *= 2
    return across, THREADS // across


def blocks_of_walks(call):
    """Blocks along x: over channels, or over lines of one channel; along y so many that each walks STEPS rows, or all in one."""
    outer, channels, inner = call.form.inputs[0].shape
    across, deep = walkers(call)
    if inner > 1:
        return (-(-outer * channels // deep),)
    beside = -(-channels // (across * run(call)))
    return beside, max(1, min(-(-outer // (STEPS * deep)), 4 * ENOUGH // beside, 65535))


def walk_constants(call):
    kind = np.float64 if "float64" in call.dtypes else np.float32
    return {"RUN": run(call), "KIND": kind, "SHORT": kind is np.float32}


WALK = {"grid": blocks_of_walks, "block": walkers, "constants": walk_constants}


@inlined
def tilt(variance, epsilon):
    """What distances to the mean are multiplied by before the scale: 1 / root neither overflows nor underflows."""
    spread = float64(variance) + epsilon
    if SHORT:
        return short_divide(np.float32(1), short_root(np.float32(spread)))
    else:
        return divide(float64(1), root(spread))


@kernel("batch_normalization", when=known, **WALK)
def batch_normalization_rows(x, mean, variance, offset, scale, epsilon, y):
    """Channels last: a run of channels a thread, row after row."""
    center, level = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    slope, held = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    start = cuda.local.array(RUN, KIND)
    c = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) * RUN
    if c < x.shape[1]:
        load_run(mean, c, center, RUN)
        load_run(scale, c, slope, RUN)
        load_run(offset, c, start, RUN)
        for k in unrolled(RUN):
            level[k] = tilt(variance[c + k], epsilon)
        first = cuda.blockIdx.y * cuda.blockDim.y + cuda.threadIdx.y
        for r in range(first, x.shape[0], cuda.gridDim.y * cuda.blockDim.y):
            load_run(x, r * x.shape[1] + c, held, RUN)
            for k in unrolled(RUN):
                held[k] = (held[k] - center[k]) * level[k] * slope[k] + start[k]
            store_run(y, r * x.shape[1] + c, held, RUN)


@kernel(
    "batch_normalization",
    when=lambda call: known(call) and call.form.inputs[0].shape[2] > 1,
    arguments=lambda call, inputs, outputs: [
        *inputs,
        *call.form.attributes,
        *outputs,
        divisor(call.form.inputs[0].shape[1]),
    ],
    **WALK,
)
def batch_normalization_lanes(x, mean, variance, offset, scale, epsilon, y, channels):
    """Places last: the threads of a row of the block walk along one channel."""
    held = cuda.local.array(RUN, KIND)
    line = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    if line < x.shape[0] * x.shape[1]:
        c = line - divided(line, channels) * x.shape[1]
        center, slope, start = working(x, mean[c]), working(x, scale[c]), working(x, offset[c])
        level = working(x, tilt(variance[c], epsilon))
        i = cuda.threadIdx.x * RUN
        while i < x.shape[2]:  # a range would first divide, to count its steps
            load_run(x, line * x.shape[2] + i, held, RUN)
            for k in unrolled(RUN):
                held[k] = (held[k] - center) * level * slope + start
            store_run(y, line * x.shape[2] + i, held, RUN)
            i += cuda.blockDim.x * RUN
