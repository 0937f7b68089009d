"""The logarithm of a row's, or a column's, sum of exponentials."""

from numba import cuda, float64

from refnet_fast.cuda import columns
from refnet_fast.cuda.columns import column_of, largest_of_column, sum_of_lanes
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.reduction import COLUMNS, LANES, blocks_of_rows, rows_worth_sharing, threads_of_rows
from refnet_fast.cuda.rows import MOST, exp, finite, largest_of, log, row_largest, row_sum, working

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


@kernel("logsumexp", when=rows_worth_sharing, grid=blocks_of_rows, block=threads_of_rows)
def logsumexp_of_rows(x, y):
    """A warp or a block a row: the largest, then the sum of exponentials. Bound by memory."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, x.shape[0] - 1)  # threads beyond the last row work on it, and store nothing
    best = largest_of(x[here, :, 0], thread, cuda.blockDim.x)
    best = finite(row_largest(best, room))  # inf - inf would be NaN
    total = float64(0)
    for r in range(thread, x.shape[1], cuda.blockDim.x):
        total += float64(exp(working(x, x[here, r, 0]) - working(x, best)))
    total = row_sum(total, room)
    if thread == 0 and row < x.shape[0]:
        y[row, 0] = best + log(total)


@kernel("logsumexp", **columns.CALLS)
def logsumexp_of_columns(x, y):
    """32 columns a block, every eighth row a thread, along another axis than the last."""
    found, room = cuda.shared.array((LANES, COLUMNS), REAL), cuda.shared.array((LANES, COLUMNS), float64)
    o, i = column_of(x)
    here = min(i, x.shape[2] - 1)
    best = finite(float64(largest_of_column(x, o, here, found)))  # inf - inf would be NaN
    total = float64(0)
    for r in range(cuda.threadIdx.y, x.shape[1], LANES):
        total += float64(exp(REAL(x[o, r, here]) - REAL(best)))
    total = sum_of_lanes(total, room)
    if cuda.threadIdx.y == 0 and i < x.shape[2]:
        y[o, i] = best + log(total)
