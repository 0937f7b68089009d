"""Parts of arrays, and pieces put back where they were taken: 16 bytes of the result a thread.

By their definitions a thread copies one element. Here elements are words without a meaning. Where lines are long enough a thread reads 16
bytes by one instruction; it always writes them so, but for the last of the array.
"""

from numba import cuda

from refnet.definition import row_major
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.runs import (
    BYTES,
    THREADS,
    bits_of,
    divided,
    divisor,
    flat_words,
    grid_of,
    in_words,
    load_run,
    run_of,
    word_type,
    write_run,
)
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.derive import itemsize

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


def whole_run(call):
    return BYTES // itemsize(call.outputs[0].dtype)


# ---- a part


def lined(call):
    """(shape, strides) of the part, of one axis at least."""
    view = call.form.inputs[0]
    strides = row_major(view.shape) if view.strides is None else view.strides
    return tuple(view.shape) or (1,), tuple(strides) or (1,)


def straight_run(call):
    """Elements of a run that lies within one line of the part, and begins in the array where a run may begin."""
    shape, strides = lined(call)
    if strides[-1] != 1:
        return 1
    return run_of(call.outputs[0].dtype, shape[-1], call.form.inputs[0].offset, *strides[:-1])


def slice_constants(call):
    straight = straight_run(call)
    run = straight if straight > 1 else whole_run(call)
    return {"RUN": run, "AXES": len(lined(call)[0]), "STRAIGHT": straight > 1, "KIND": word_type(call.outputs[0].dtype)}


def part_of_array(call, inputs, outputs):
    """The whole array, where the part begins in it, and how its axes go."""
    shape, strides = lined(call)
    (x,), (y,) = inputs, outputs
    size = 1
    for extent in call.inputs[0].shape:
        size *= extent
    return [flat_words(x, size), flat_words(y), call.form.inputs[0].offset, tuple(map(divisor, shape)), strides]


@inlined
def place_in_array(at, start, extents, strides):
    """Where element number `at` of the part stands in the array."""
    rest, place = at, start
    for back in unrolled(AXES - 1):
        above = divided(rest, extents[AXES - 1 - back])
        place += (rest - above * extents[AXES - 1 - back][0]) * strides[AXES - 1 - back]
        rest = above
    return place + rest * strides[0]


@kernel(
    "slice",
    when=in_words,
    grid=grid_of(lambda call: slice_constants(call)["RUN"]),
    block=(THREADS,),
    arguments=part_of_array,
    constants=slice_constants,
)
def slice_runs(x, y, start, extents, strides):
    """Straight lines of runs: one index, one load and one store for 16 bytes. Other parts: an index and a load for each element."""
    held = cuda.local.array(RUN, KIND)
    at = cuda.grid(1) * RUN
    if at < y.size:
        if STRAIGHT:
            load_run(x, place_in_array(at, start, extents, strides), held, RUN)
        else:
            for k in unrolled(RUN):
                held[k] = x[place_in_array(min(at + k, y.size - 1), start, extents, strides)]
        write_run(y, at, held)


# ---- a piece put back, and padding by a value


def near_enough(call):
    """Places and steps that words can count."""
    start, step, _ = call.form.attributes
    return in_words(call) and call.form.outputs[0].shape[1] + abs(start) < 2**31 and 0 < abs(step) < 2**31


def spread_constants(call):
    straight = run_of(call.outputs[0].dtype, call.form.outputs[0].shape[2])
    run = straight if straight > 1 else whole_run(call)
    return {"RUN": run, "STRAIGHT": straight > 1, "KIND": word_type(call.outputs[0].dtype)}


def piece_and_places(call, inputs, outputs):
    """The piece, how long it is along the axis, where its first element goes, and which way, and how far, the next one from there."""
    (x,), (y,) = inputs, outputs
    start, step, value = call.form.attributes
    _, length, inner = call.form.outputs[0].shape
    count = call.form.inputs[0].shape[1]
    axes = divisor(inner), divisor(length), divisor(abs(step))
    direction = 1 if step > 0 else -1
    return [flat_words(x), flat_words(y), axes, count, start, direction, bits_of(value, y.dtype)]


@inlined
def place_in_piece(at, axes, count, start, direction):
    """Where the element stands that lands on number `at` of the result; below zero if none does."""
    inner, length, step = axes
    line = divided(at, inner)
    outer = divided(line, length)
    distance = (line - outer * length[0] - start) * direction
    j = divided(max(distance, 0), step)
    there = distance >= 0 and j * step[0] == distance and j < count
    return (outer * count + j) * inner[0] + (at - line * inner[0]) if there else -1


@kernel(
    "spread",
    when=near_enough,
    grid=grid_of(lambda call: spread_constants(call)["RUN"]),
    block=(THREADS,),
    arguments=piece_and_places,
    constants=spread_constants,
)
def spread_runs(x, y, axes, count, start, direction, value):
    """Gathers, as the definition does: lines of runs ask once for 16 bytes, others for each element."""
    held = cuda.local.array(RUN, KIND)
    at = cuda.grid(1) * RUN
    if at < y.size:
        if STRAIGHT:
            place = place_in_piece(at, axes, count, start, direction)
            if place >= 0:
                load_run(x, place, held, RUN)
            else:
                for k in unrolled(RUN):
                    held[k] = value
        else:
            for k in unrolled(RUN):
                place = place_in_piece(min(at + k, y.size - 1), axes, count, start, direction)
                held[k] = x[place] if place >= 0 else value
        write_run(y, at, held)
