"""Softmax and its logarithm over rows, and their gradients: a warp or a block a row, bound by memory; and over columns, where the lanes lie
along another axis than the last.

A row, or 32 columns, are read again from the cache, not from memory, as long as they fit there.
"""

from numba import cuda, float64

from refnet_fast.cuda import columns, rows
from refnet_fast.cuda.columns import column_of, largest_of_column, sum_of_lanes
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.reduction import COLUMNS, LANES
from refnet_fast.cuda.rows import MOST, exp, largest_of, log, row_largest, row_sum, working
from refnet_fast.cuda.text import inlined

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


def worth_sharing(call):
    """Contiguous rows long enough to share among the threads of a warp."""
    outer, lane, inner = call.form.inputs[0].shape
    return rows.floating(call) and inner == 1 and lane >= rows.WARP and outer > 0


def blocks(call):
    return rows.grid(*call.form.inputs[0].shape[:2])


def threads(call):
    return rows.block(call.form.inputs[0].shape[1])


@kernel("softmax", when=worth_sharing, grid=blocks, block=threads)
def softmax_rows(x, y):
    """The largest, the sum of exponentials, the quotients. A NaN wins every comparison, so it reaches the whole row."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, x.shape[0] - 1)  # threads beyond the last row work on it, and store nothing
    best = largest_of(x[here, :, 0], thread, cuda.blockDim.x)
    best = working(x, row_largest(best, room))
    total = float64(0)
    for r in range(thread, x.shape[1], cuda.blockDim.x):
        total += float64(exp(working(x, x[here, r, 0]) - best))
    total = working(x, row_sum(total, room))
    if row < x.shape[0]:
        for r in range(thread, x.shape[1], cuda.blockDim.x):
            y[row, r, 0] = exp(working(x, x[row, r, 0]) - best) / total


@kernel("log_softmax", when=worth_sharing, grid=blocks, block=threads)
def log_softmax_rows(x, y):
    """The largest, the logarithm of the sum of exponentials, the differences."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, x.shape[0] - 1)
    best = largest_of(x[here, :, 0], thread, cuda.blockDim.x)
    best = working(x, row_largest(best, room))
    total = float64(0)
    for r in range(thread, x.shape[1], cuda.blockDim.x):
        total += float64(exp(working(x, x[here, r, 0]) - best))
    total = working(x, log(row_sum(total, room)))
    if row < x.shape[0]:
        for r in range(thread, x.shape[1], cuda.blockDim.x):
            y[row, r, 0] = working(x, x[row, r, 0]) - best - total


@kernel("softmax_gradient", when=worth_sharing, grid=blocks, block=threads)
def softmax_gradient_rows(dy, y, dx):
    """The sum of products, then y * (dy - sum)."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, y.shape[0] - 1)
    total = float64(0)
    for r in range(thread, y.shape[1], cuda.blockDim.x):
        total += float64(dy[here, r, 0]) * float64(y[here, r, 0])
    total = row_sum(total, room)
    if row < y.shape[0]:
        for r in range(thread, y.shape[1], cuda.blockDim.x):
            dx[row, r, 0] = float64(y[row, r, 0]) * (float64(dy[row, r, 0]) - total)


@kernel("log_softmax_gradient", when=worth_sharing, grid=blocks, block=threads)
def log_softmax_gradient_rows(dy, y, dx):
    """The sum of dy, then dy - e**y * sum."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, y.shape[0] - 1)
    total = float64(0)
    for r in range(thread, y.shape[1], cuda.blockDim.x):
        total += float64(dy[here, r, 0])
    total = working(y, row_sum(total, room))
    if row < y.shape[0]:
        for r in range(thread, y.shape[1], cuda.blockDim.x):
            dx[row, r, 0] = working(y, dy[row, r, 0]) - exp(working(y, y[row, r, 0])) * total


# ---- along another axis than the last: 32 columns a block, every eighth row a thread


@inlined
def sum_of_exponentials(x, o, i, best, room):
    """That of a column, its largest element taken off, which all of its threads get."""
    total = float64(0)
    for r in range(cuda.threadIdx.y, x.shape[1], LANES):
        total += float64(exp(REAL(x[o, r, i]) - best))
    return sum_of_lanes(total, room)


@kernel("softmax", **columns.CALLS)
def softmax_columns(x, y):
    """As over rows."""
    found, room = cuda.shared.array((LANES, COLUMNS), REAL), cuda.shared.array((LANES, COLUMNS), float64)
    o, i = column_of(x)
    here = min(i, x.shape[2] - 1)
    best = largest_of_column(x, o, here, found)
    total = REAL(sum_of_exponentials(x, o, here, best, room))
    if i < x.shape[2]:
        for r in range(cuda.threadIdx.y, x.shape[1], LANES):
            y[o, r, i] = exp(REAL(x[o, r, i]) - best) / total


@kernel("log_softmax", **columns.CALLS)
def log_softmax_columns(x, y):
    """As over rows."""
    found, room = cuda.shared.array((LANES, COLUMNS), REAL), cuda.shared.array((LANES, COLUMNS), float64)
    o, i = column_of(x)
    here = min(i, x.shape[2] - 1)
    best = largest_of_column(x, o, here, found)
    total = REAL(log(sum_of_exponentials(x, o, here, best, room)))
    if i < x.shape[2]:
        for r in range(cuda.threadIdx.y, x.shape[1], LANES):
            y[o, r, i] = REAL(x[o, r, i]) - best - total


@kernel("softmax_gradient", **columns.CALLS)
def softmax_gradient_columns(dy, y, dx):
    """As over rows."""
    room = cuda.shared.array((LANES, COLUMNS), float64)
    o, i = column_of(y)
    here, total = min(i, y.shape[2] - 1), float64(0)
    for r in range(cuda.threadIdx.y, y.shape[1], LANES):
        total += float64(dy[o, r, here]) * float64(y[o, r, here])
    total = sum_of_lanes(total, room)
    if i < y.shape[2]:
        for r in range(cuda.threadIdx.y, y.shape[1], LANES):
            dx[o, r, i] = float64(y[o, r, i]) * (float64(dy[o, r, i]) - total)


@kernel("log_softmax_gradient", **columns.CALLS)
def log_softmax_gradient_columns(dy, y, dx):
    """As over rows."""
    room = cuda.shared.array((LANES, COLUMNS), float64)
    o, i = column_of(y)
    here, total = min(i, y.shape[2] - 1), float64(0)
    for r in range(cuda.threadIdx.y, y.shape[1], LANES):
        total += float64(dy[o, r, here])
    total = REAL(sum_of_lanes(total, room))
    if i < y.shape[2]:
        for r in range(cuda.threadIdx.y, y.shape[1], LANES):
            dx[o, r, i] = REAL(dy[o, r, i]) - exp(REAL(y[o, r, i])) * total
