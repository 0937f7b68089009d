"""Rows of a table picked by number, and the gradient of that: a stable sort of the numbers, then one sum for each row. Elements picked
by number; numbers as classes.

No two threads ever add to one place, so the gradient has the same bits in every run.
"""

from numba import cuda, float64, int64

from refnet.definition import View
from refnet.ops.indexing import row_of as definition_of_row
from refnet_fast.cuda import digits, rows
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.digits import first_not_below
from refnet_fast.cuda.kernels import kernel, then
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
    word_type,
    write_run,
)
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import unrolled
from refnet_fast.derive import Placed, itemsize

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

row_of = device(definition_of_row)

WIDE, HIGH = (4, 2) if simulated() else (32, 4)  # threads of a block: neighbouring ones on neighbouring columns
EACH = 8  # rows of a table that a block sums up


# ---- picking


def picks_rows(call):
    """Rows long enough for neighbouring threads to read neighbours."""
    outer, _, inner = call.form.inputs[0].shape
    return inner >= 8 and 0 < outer < 65536


@kernel(
    "take",
    when=picks_rows,
    grid=lambda call: (-(-call.form.outputs[0].shape[1] // HIGH), call.form.outputs[0].shape[0]),
    block=(WIDE, HIGH),
)
def take_rows(x, indices, y):
    """One row a warp."""
    j, o = cuda.blockIdx.x * HIGH + cuda.threadIdx.y, cuda.blockIdx.y
    if j < y.shape[1]:
        row = row_of(indices[j], x.shape[1])
        for i in range(cuda.threadIdx.x, y.shape[2], WIDE):
            y[o, j, i] = x[o, row, i]


# ---- the gradient: the picked rows' numbers are sorted, each with the place it came from


def picks(call):
    return call.form.inputs[1].shape[0]


def length(call):
    return call.form.outputs[0].shape[1]


def worth_sorting(call):
    """More than one thread should go through."""
    outer, rows_of_table, _ = call.form.outputs[0].shape
    most = max(picks(call), rows_of_table)
    return (
        rows.floating(call, 0)
        and picks(call) > 0
        and picks(call) + rows_of_table >= 256
        and most < digits.MOST
        and 0 < outer < 65536
    )


@kernel(
    "take_x_gradient",
    when=worth_sorting,
    grid=lambda call: (-(-picks(call) // THREADS),),
    block=(THREADS,),
    rooms=lambda call: digits.rooms(picks(call)),
)
def take_x_gradient_sorted(dy, indices, dx, numbers, places, ranks, counts, totals):
    """Which row each pick adds to."""
    j = cuda.grid(1)
    if j < indices.shape[0]:
        numbers[0, j] = row_of(indices[j], dx.shape[1])
        places[0, j] = j


digits.sort_by_digits(take_x_gradient_sorted, 3, picks, length)


@then(
    take_x_gradient_sorted,
    grid=lambda call: (-(-call.form.outputs[0].shape[1] // EACH), call.form.outputs[0].shape[0]),
    block=(WIDE, HIGH),
    constants=lambda call: {"LAST": digits.turns(length(call)) % 2},
)
def sums_of_rows(dy, indices, dx, numbers, places, ranks, counts, totals):
    """Eight rows of the table a block: it finds a row's numbers by bisection and adds up what came from them, a share a lane."""
    room = cuda.shared.array((HIGH, WIDE), float64)
    column, lane, o = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.y
    for row in range(cuda.blockIdx.x * EACH, min((cuda.blockIdx.x + 1) * EACH, dx.shape[1])):
        first = first_not_below(numbers[LAST], row)
        end = first_not_below(numbers[LAST], row + 1)
        for left in range(0, dx.shape[2], WIDE):
            i, total = left + column, float64(0)
            if i < dx.shape[2]:
                for k in range(first + lane, end, HIGH):
                    total += float64(dy[o, places[LAST, k], i])
            room[lane, column] = total
            cuda.syncthreads()
            if lane == 0 and i < dx.shape[2]:
                for k in range(1, HIGH):
                    total += room[k, column]
                dx[o, row, i] = total
            cuda.syncthreads()


# ---- elements picked along an axis, classes: 16 bytes of the result a thread


def run_of_result(call):
    return BYTES // itemsize(call.outputs[0].dtype)


def result_in_words(call):
    return {"RUN": run_of_result(call), "KIND": word_type(call.outputs[0].dtype), "PLANES": planes(call) > 1}


def planes(call):
    """Places behind the axis."""
    return call.form.outputs[0].shape[2]


RESULT = {"grid": grid_of(run_of_result), "block": (THREADS,), "constants": result_in_words}


@kernel(
    "take_along_axis",
    when=lambda call: in_words(call) and call.inputs[1].dtype != "uint64" and call.form.inputs[0].shape[1] < 2**31,
    arguments=lambda call, inputs, outputs: [
        flat_words(inputs[0]),
        Placed(inputs[1].address, View((inputs[1].size,)), inputs[1].dtype),
        flat_words(outputs[0]),
        call.form.inputs[0].shape[1],
        divisor(call.form.outputs[0].shape[1]),
        divisor(planes(call)),
    ],
    **RESULT,
)
def take_along_axis_runs(x, indices, y, extent, picked, inner):
    """A run of indices by one instruction or two, an element for each, a run of results by one."""
    held, picks = cuda.local.array(RUN, KIND), cuda.local.array(RUN, int64)
    at = cuda.grid(1) * RUN
    if at < y.size:
        if at + RUN <= y.size:
            load_run(indices, at, picks, RUN)
        else:
            for k in unrolled(RUN):
                picks[k] = indices[min(at + k, y.size - 1)]
        for k in unrolled(RUN):
            here = min(at + k, y.size - 1)
            line = divided(here, inner)
            first = divided(line, picked) * extent + row_of(picks[k], extent)
            held[k] = x[first * inner[0] + here - line * inner[0]]
        write_run(y, at, held)


@kernel(
    "one_hot",
    when=in_words,
    arguments=lambda call, inputs, outputs: [
        Placed(inputs[0].address, View((inputs[0].size,)), inputs[0].dtype),
        flat_words(outputs[0]),
        divisor(call.form.outputs[0].shape[1]),
        divisor(planes(call)),
        bits_of(1, outputs[0].dtype),
    ],
    **RESULT,
)
def one_hot_runs(x, y, classes, inner, one):
    """A thread finds its first place by two products and walks on from there; it reads a label where a new row begins. As signed
    integers labels of uint64 beyond all classes are below them."""
    held = cuda.local.array(RUN, KIND)
    at = cuda.grid(1) * RUN
    if at < y.size:
        line = divided(at, inner)
        i, o = at - line * inner[0], divided(line, classes)
        c = line - o * classes[0]
        label = int64(x[o * inner[0] + i])
        for k in unrolled(RUN):
            held[k] = one if label == c else 0
            if PLANES:
                i += 1
                if i == inner[0]:
                    i, c = 0, c + 1
            else:
                c += 1
            ended = c == classes[0]
            if ended:
                c, o = 0, o + 1
            if PLANES or ended:
                label = int64(x[min(o * inner[0] + i, x.size - 1)])
        write_run(y, at, held)
