"""Pooling of images: neighbouring threads work on neighbouring channels, each on a run of them (`runs.py`) where their number allows it.

Of windows of up to nine places the loops are written out, so that a thread asks for all of them before it needs the first. A place
beside the image is then read as the nearest one inside. For the largest element this changes nothing, because that one lies in the same
window; a sum leaves it out.
"""

import math

import numpy as np
from numba import cuda, int32

from refnet.definition import size_of
from refnet_fast.cuda import rows
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.rows import working
from refnet_fast.cuda.runs import THREADS, divided, divisor, grid_of, in_words, load_run, run_of, store_run
from refnet_fast.cuda.text import inlined, unrolled

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

MANY = 9  # places of a window whose loops are written out, at most


def channels(call):
    """Elements of a run: channels of one pixel."""
    return run_of(call.outputs[0].dtype, call.form.outputs[0].shape[3])


def image(call):
    """The shape of what the windows lie on."""
    view = call.form.outputs[0] if call.op.name.endswith("gradient") else call.form.inputs[-1]
    return view.shape


def images(call):
    """Floats, and places that words can count, also beside the image."""
    spans = zip(image(call)[1:3], call.attributes["pool"], call.attributes["strides"], call.attributes["padding"])
    views = (call.form.outputs[0], *call.form.inputs)
    few = all(size_of(view.shape) < 2**31 for view in views)
    return rows.floating(call) and in_words(call) and few and all(sum(map(abs, span)) < 2**31 for span in spans)


def apart(call):
    """Windows side by side."""
    return images(call) and call.attributes["pool"] == call.attributes["strides"]


def constants(call):
    pool, kind = call.attributes["pool"], np.float64 if "float64" in call.dtypes else np.float32
    written = size_of(pool) <= MANY
    down, across = pool if written else (1, 1)
    return {"RUN": channels(call), "WRITTEN": written, "DOWN": down, "ACROSS": across, "KIND": kind}


def axes(shape):
    """Divisors for rows, columns and channels of images."""
    return tuple(map(divisor, shape[1:]))


def divided_by_result(call, inputs, outputs):
    return [*inputs, *call.form.attributes, *outputs, axes(call.form.outputs[0].shape)]


@inlined
def pixel_of(at, extents):
    """(image, row, column, channel) of an element of images."""
    pixel = divided(at, extents[2])
    line = divided(pixel, extents[1])
    n = divided(line, extents[0])
    return n, line - n * extents[0][0], pixel - line * extents[1][0], at - pixel * extents[2][0]


@inlined
def within(place, extent):
    """The nearest place that there is."""
    return min(max(place, 0), extent - 1)


# ---- the largest


@inlined
def meet(x, n, row, col, channel, value, best, winner):
    """A pixel meets the best of a window. winner: where the first largest element, or the first NaN, stands in its image."""
    load_run(x, ((n * x.shape[1] + row) * x.shape[2] + col) * x.shape[3] + channel, value, RUN)
    for k in unrolled(RUN):  # no branch, which the next load would have to wait for
        wins = (value[k] > best[k]) | ((value[k] != value[k]) & (best[k] == best[k]))
        winner[k] = row * x.shape[2] + col if wins else winner[k]
        best[k] = value[k] if wins else best[k]


@inlined
def find_winners(x, n, top, left, channel, pool, value, best, winner):
    """The best of the window whose first place is (top, left), and where each stands. The window holds a pixel."""
    for k in unrolled(RUN):
        best[k] = -math.inf
        winner[k] = within(top, x.shape[1]) * x.shape[2] + within(left, x.shape[2])
    if WRITTEN:
        for p in unrolled(DOWN):
            for q in unrolled(ACROSS):
                row, col = within(top + p, x.shape[1]), within(left + q, x.shape[2])
                meet(x, n, row, col, channel, value, best, winner)
    else:
        for row in range(max(top, 0), min(top + pool[0], x.shape[1])):
            for col in range(max(left, 0), min(left + pool[1], x.shape[2])):
                meet(x, n, row, col, channel, value, best, winner)


@kernel(
    "max_pool2d",
    when=images,
    grid=grid_of(channels),
    block=(THREADS,),
    arguments=divided_by_result,
    constants=constants,
)
def max_pool2d_runs(x, pool, strides, padding, y, extents):
    """A window a thread, of a run of channels."""
    value, best = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    winner = cuda.local.array(RUN, int32)
    at = cuda.grid(1) * RUN
    if at < y.size:
        n, i, j, c = pixel_of(at, extents)
        find_winners(x, n, i * strides[0] - padding[0], j * strides[1] - padding[1], c, pool, value, best, winner)
        store_run(y, at, best, RUN)


@kernel(
    "max_pool2d_inputs_gradient",
    when=images,
    grid=lambda call: (-(-size_of(call.form.inputs[0].shape) // (channels(call) * THREADS)),),
    block=(THREADS,),
    arguments=lambda call, inputs, outputs: [
        *inputs,
        *call.form.attributes,
        *outputs,
        axes(call.form.outputs[0].shape),
        axes(call.form.inputs[0].shape),
        tuple(map(divisor, call.attributes["strides"])),
    ],
    rooms=lambda call: [(tuple(call.form.inputs[0].shape), "int32")],
    constants=constants,
)
def max_pool2d_inputs_gradient_runs(dy, x, pool, strides, padding, dx, extents, windows, steps, winners):
    """First where each window has its winner: a window a thread, of a run of channels."""
    value, best = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    winner = cuda.local.array(RUN, int32)
    at = cuda.grid(1) * RUN
    if at < dy.size:
        n, i, j, c = pixel_of(at, windows)
        find_winners(x, n, i * strides[0] - padding[0], j * strides[1] - padding[1], c, pool, value, best, winner)
        store_run(winners, at, winner, RUN)


@inlined
def first_window(place, size, step):
    """The first window, `step` after `step`, that reaches a place, counted from where the first window begins."""
    return divided(place - size, step) + 1 if place >= size else 0


@then(
    max_pool2d_inputs_gradient_runs,
    grid=grid_of(channels),
    block=(THREADS,),
    constants=constants,
)
def gathered_from_winners(dy, x, pool, strides, padding, dx, extents, windows, steps, winners):
    """A pixel a thread: it adds up what the windows have that it lies in and won, and adds nothing to anybody else's."""
    slope, total = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    winner = cuda.local.array(RUN, int32)
    at = cuda.grid(1) * RUN
    if at < dx.size:
        n, row, col, c = pixel_of(at, extents)
        down, across, pixel = row + padding[0], col + padding[1], row * dx.shape[2] + col
        for k in unrolled(RUN):
            total[k] = 0
        for i in range(first_window(down, pool[0], steps[0]), min(divided(down, steps[0]) + 1, dy.shape[1])):
            for j in range(first_window(across, pool[1], steps[1]), min(divided(across, steps[1]) + 1, dy.shape[2])):
                window = ((n * dy.shape[1] + i) * dy.shape[2] + j) * dy.shape[3] + c
                load_run(winners, window, winner, RUN)
                load_run(dy, window, slope, RUN)
                for k in unrolled(RUN):
                    total[k] += slope[k] if winner[k] == pixel else working(dx, 0)
        store_run(dx, at, total, RUN)


def blocks(call):
    """Windows down and across that hold all elements of an image, those that no result is made of too."""
    spans = zip(image(call)[1:3], call.attributes["padding"], call.attributes["pool"])
    return tuple(-(-(n + before) // size) for n, before, size in spans)


def blocks_of_windows(call):
    n, *_, last = image(call)
    return (-(-n * size_of(blocks(call)) * last // (channels(call) * THREADS)),)


@kernel(
    "max_pool2d_inputs_gradient",
    when=lambda call: apart(call) and blocks_of_windows(call)[0] * THREADS * channels(call) < 2**31,
    grid=blocks_of_windows,
    block=(THREADS,),
    arguments=lambda call, inputs, outputs: [
        *inputs,
        *call.form.attributes,
        *outputs,
        axes((0, *blocks(call), image(call)[3])),
    ],
    constants=constants,
)
def max_pool2d_inputs_gradient_windows(dy, x, pool, strides, padding, dx, extents):
    """Windows that do not overlap: one a thread, of a run of channels. It finds its winner, gives it the gradient and the others zero:
    each is written once."""
    value, best = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    winner = cuda.local.array(RUN, int32)
    n, i, j, c = pixel_of(cuda.grid(1) * RUN, extents)
    if n < x.shape[0]:
        top, left = i * pool[0] - padding[0], j * pool[1] - padding[1]
        for k in unrolled(RUN):
            winner[k] = -1
        if i < dy.shape[1] and j < dy.shape[2]:
            find_winners(x, n, top, left, c, pool, value, best, winner)
            load_run(dy, ((n * dy.shape[1] + i) * dy.shape[2] + j) * dy.shape[3] + c, value, RUN)
        for row in range(max(top, 0), min(top + pool[0], x.shape[1])):
            for col in range(max(left, 0), min(left + pool[1], x.shape[2])):
                pixel = row * x.shape[2] + col
                for k in unrolled(RUN):
                    best[k] = value[k] if winner[k] == pixel else working(dx, 0)
                store_run(dx, (n * x.shape[1] * x.shape[2] + pixel) * x.shape[3] + c, best, RUN)


# ---- the mean


@inlined
def terms(start, size, extent):
    """How many of the places start, start + 1, ... of a window lie inside."""
    return max(min(start + size, extent) - max(start, 0), 0)


@inlined
def add_pixel(x, n, row, col, channel, inside, value, total):
    """Adds a pixel to the sums of a window, if it is one of its terms."""
    load_run(x, ((n * x.shape[1] + row) * x.shape[2] + col) * x.shape[3] + channel, value, RUN)
    for k in unrolled(RUN):
        total[k] += value[k] if inside else working(x, 0)


@kernel(
    "average_pool2d",
    when=lambda call: images(call) and 0 not in image(call),
    grid=grid_of(channels),
    block=(THREADS,),
    arguments=divided_by_result,
    constants=constants,
)
def average_pool2d_runs(x, pool, strides, padding, y, extents):
    """A window a thread, of a run of channels."""
    value, total = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    at = cuda.grid(1) * RUN
    if at < y.size:
        n, i, j, c = pixel_of(at, extents)
        top, left = i * strides[0] - padding[0], j * strides[1] - padding[1]
        for k in unrolled(RUN):
            total[k] = 0
        if WRITTEN:
            for p in unrolled(DOWN):
                for q in unrolled(ACROSS):
                    row, col = within(top + p, x.shape[1]), within(left + q, x.shape[2])
                    add_pixel(x, n, row, col, c, row == top + p and col == left + q, value, total)
        else:
            for row in range(max(top, 0), min(top + pool[0], x.shape[1])):
                for col in range(max(left, 0), min(left + pool[1], x.shape[2])):
                    add_pixel(x, n, row, col, c, True, value, total)
        count = working(x, terms(top, pool[0], x.shape[1]) * terms(left, pool[1], x.shape[2]))
        for k in unrolled(RUN):
            total[k] = total[k] / count
        store_run(y, at, total, RUN)


@kernel(
    "average_pool2d_inputs_gradient",
    when=images,
    grid=grid_of(channels),
    block=(THREADS,),
    arguments=lambda call, inputs, outputs: [
        *inputs,
        *call.form.attributes,
        *outputs,
        axes(call.form.outputs[0].shape),
        tuple(map(divisor, call.attributes["strides"])),
    ],
    constants=constants,
)
def average_pool2d_inputs_gradient_runs(dy, pool, strides, padding, dx, extents, steps):
    """A pixel a thread, of a run of channels: it takes its share of the windows that it lies in. Neighbours ask for the same windows,
    which are then in the first cache."""
    slope, total = cuda.local.array(RUN, KIND), cuda.local.array(RUN, KIND)
    at = cuda.grid(1) * RUN
    if at < dx.size:
        n, row, col, c = pixel_of(at, extents)
        down, across = row + padding[0], col + padding[1]
        for k in unrolled(RUN):
            total[k] = 0
        for i in range(first_window(down, pool[0], steps[0]), min(divided(down, steps[0]) + 1, dy.shape[1])):
            rows_inside = terms(i * strides[0] - padding[0], pool[0], dx.shape[1])
            for j in range(first_window(across, pool[1], steps[1]), min(divided(across, steps[1]) + 1, dy.shape[2])):
                count = working(dx, rows_inside * terms(j * strides[1] - padding[1], pool[1], dx.shape[2]))
                load_run(dy, ((n * dy.shape[1] + i) * dy.shape[2] + j) * dy.shape[3] + c, slope, RUN)
                for k in unrolled(RUN):
                    total[k] += slope[k] / count
        store_run(dx, at, total, RUN)
