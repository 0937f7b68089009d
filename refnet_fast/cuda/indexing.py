"""Rows of a table picked by number, and the gradient of that: a stable sort of the numbers, then one sum for each row.

No two threads ever add to one place, so the gradient has the same bits in every run.
"""

from numba import cuda, float64

from refnet.ops.indexing import row_of as definition_of_row
from refnet_fast.cuda import digits, rows
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.digits import first_not_below
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.target import simulated

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

row_of = device(definition_of_row)

WIDE, HIGH = (4, 2) if simulated() else (32, 4)  # threads of a block: neighbouring ones on neighbouring columns
EACH = 8  # rows of a table that a block sums up
THREADS = 4 if simulated() else 256


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
