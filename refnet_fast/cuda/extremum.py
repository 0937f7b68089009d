"""The largest element of each row or column, and where it stands."""

from numba import cuda, float64, int64

from refnet_fast.cuda import columns, rows
from refnet_fast.cuda.columns import column_of, largest_of_column
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.reduction import COLUMNS, LANES, blocks_of_rows, rows_worth_sharing, threads_of_rows
from refnet_fast.cuda.rows import MOST, largest_of, row_largest
from refnet_fast.cuda.text import inlined

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


@kernel("max", when=rows_worth_sharing, grid=blocks_of_rows, block=threads_of_rows)
def max_of_rows(x, y):
    """A warp or a block a row. A NaN wins every comparison. Bound by memory."""
    room = cuda.shared.array(MOST, float64)
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    here = min(row, x.shape[0] - 1)  # threads beyond the last row work on it, and store nothing
    best = largest_of(x[here, :, 0], cuda.threadIdx.x, cuda.blockDim.x)
    best = row_largest(best, room)
    if cuda.threadIdx.x == 0 and row < x.shape[0]:
        y[row, 0] = best


def floating_rows(call):
    """As for max, but the result is a place."""
    outer, reduced, inner = call.form.inputs[0].shape
    return call.inputs[0].dtype in rows.FLOATS and inner == 1 and reduced >= rows.WARP and outer > 0


@kernel("argmax", when=floating_rows, grid=blocks_of_rows, block=threads_of_rows)
def argmax_of_rows(x, y):
    """A warp or a block a row: the largest element, then the least place where one like it stands."""
    room = cuda.shared.array(MOST, float64)
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    here = min(row, x.shape[0] - 1)
    best = largest_of(x[here, :, 0], cuda.threadIdx.x, cuda.blockDim.x)
    best = row_largest(best, room)
    place = float64(x.shape[1])
    for r in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        value = float64(x[here, r, 0])
        if value == best or value != value:
            place = min(place, float64(r))
    place = -row_largest(-place, room)
    if cuda.threadIdx.x == 0 and row < x.shape[0]:
        y[row, 0] = int(place)


# ---- along another axis than the last


@kernel("max", **columns.CALLS)
def max_of_columns(x, y):
    """32 columns a block, every eighth row a thread. Bound by memory."""
    room = cuda.shared.array((LANES, COLUMNS), REAL)
    o, i = column_of(x)
    best = largest_of_column(x, o, min(i, x.shape[2] - 1), room)
    if cuda.threadIdx.y == 0 and i < x.shape[2]:
        y[o, i] = best


@inlined
def wins(value, at, best, place):
    """Whether an element comes before the best so far: a NaN before all others, of equal ones the earlier."""
    if best != best:
        return value != value and at < place
    return value > best or value != value or (value == best and at < place)


@kernel("argmax", **columns.CALLS)
def argmax_of_columns(x, y):
    """As for max; the place goes along."""
    room = cuda.shared.array((LANES, COLUMNS), REAL)
    standing = cuda.shared.array((LANES, COLUMNS), int64)
    o, i = column_of(x)
    column, lane, here = cuda.threadIdx.x, cuda.threadIdx.y, min(i, x.shape[2] - 1)
    best, place = REAL(x[o, lane, here]), int64(lane)
    for r in range(lane + LANES, x.shape[1], LANES):
        value = REAL(x[o, r, here])
        if wins(value, r, best, place):
            best, place = value, int64(r)
    room[lane, column] = best
    standing[lane, column] = place
    cuda.syncthreads()
    if lane == 0 and i < x.shape[2]:
        for k in range(1, LANES):
            if wins(room[k, column], standing[k, column], best, place):
                best, place = room[k, column], standing[k, column]
        y[o, i] = place
