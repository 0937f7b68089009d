"""The largest element of each row, and where it stands."""

from numba import cuda, float64

from refnet_fast.cuda import rows
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.reduction import blocks_of_rows, rows_worth_sharing, threads_of_rows
from refnet_fast.cuda.rows import MOST, largest_of, row_largest


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
