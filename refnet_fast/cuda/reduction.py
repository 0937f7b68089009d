"""Sums along rows, along columns, and of everything; all totals are kept in float64."""

from numba import cuda, float64

from refnet_fast.cuda import rows
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.rows import MOST, row_sum

COLUMNS, LANES = 32, 8  # of a block that goes down columns: neighbouring threads read neighbouring columns
CHUNK = 256  # rows that a block goes down, at least
ENOUGH = 1024  # blocks that keep every processor of a device busy
LONG = 16384  # elements of a row that several blocks share, where there are few rows


def rows_worth_sharing(call):
    """Contiguous rows long enough to share among the threads of a warp."""
    outer, reduced, inner = call.form.inputs[0].shape
    return rows.floating(call) and inner == 1 and reduced >= rows.WARP and outer > 0


def blocks_of_rows(call):
    outer, reduced, _ = call.form.inputs[0].shape
    return rows.grid(outer, reduced)


def threads_of_rows(call):
    return rows.block(call.form.inputs[0].shape[1])


@kernel("sum", when=rows_worth_sharing, grid=blocks_of_rows, block=threads_of_rows)
def sum_of_rows(x, y):
    """A warp or a block a row: its threads add neighbouring elements up, then their totals. Bound by memory."""
    room = cuda.shared.array(MOST, float64)
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    here = min(row, x.shape[0] - 1)  # threads beyond the last row work on it, and store nothing
    total = float64(0)
    for r in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        total += float64(x[here, r, 0])
    total = row_sum(total, room)
    if cuda.threadIdx.x == 0 and row < x.shape[0]:
        y[row, 0] = total


# ---- few long rows: pieces of a row, then the pieces' totals


def few_long_rows(call):
    outer, reduced, inner = call.form.inputs[0].shape
    return rows.floating(call) and inner == 1 and reduced >= LONG and 0 < outer < ENOUGH // 4


def pieces(call):
    outer, reduced, _ = call.form.inputs[0].shape
    return max(1, min(ENOUGH // outer, reduced // (LONG // 4)))


@kernel(
    "sum",
    when=few_long_rows,
    grid=lambda call: (pieces(call), call.form.inputs[0].shape[0]),
    block=(MOST,),
    rooms=lambda call: [((call.form.inputs[0].shape[0], pieces(call), 1), "float64")],
)
def sum_of_pieces(x, y, totals):
    """One piece of a row a block, the same pieces in every run."""
    room = cuda.shared.array(MOST, float64)
    piece, row = cuda.blockIdx.x, cuda.blockIdx.y
    size = (x.shape[1] + cuda.gridDim.x - 1) // cuda.gridDim.x
    total = float64(0)
    for r in range(piece * size + cuda.threadIdx.x, min((piece + 1) * size, x.shape[1]), MOST):
        total += float64(x[row, r, 0])
    total = row_sum(total, room)
    if cuda.threadIdx.x == 0:
        totals[row, piece, 0] = total


@then(sum_of_pieces, grid=lambda call: (call.form.inputs[0].shape[0],), block=(MOST,))
def sum_of_totals(x, y, totals):
    """One row a block."""
    room = cuda.shared.array(MOST, float64)
    row = cuda.blockIdx.x
    total = float64(0)
    for piece in range(cuda.threadIdx.x, totals.shape[1], MOST):
        total += totals[row, piece, 0]
    total = row_sum(total, room)
    if cuda.threadIdx.x == 0:
        y[row, 0] = total


# ---- columns


def columns_worth_sharing(call):
    """Columns too long for one thread each; CUDA allows 65,535 blocks along y and z."""
    outer, reduced, inner = call.form.inputs[0].shape
    return rows.floating(call) and inner > 1 and reduced >= 2 * LANES and 0 < outer < 65536


def chunks(call):
    outer, reduced, inner = call.form.inputs[0].shape
    beside = -(-inner // COLUMNS) * outer
    return max(1, min(-(-reduced // CHUNK), ENOUGH // beside))


def blocks_of_columns(call):
    outer, _, inner = call.form.inputs[0].shape
    return -(-inner // COLUMNS), chunks(call), outer


@kernel(
    "sum",
    when=columns_worth_sharing,
    grid=blocks_of_columns,
    block=(COLUMNS, LANES),
    rooms=lambda call: [(call.form.outputs[0].shape[:1] + (chunks(call),) + call.form.outputs[0].shape[1:], "float64")],
)
def sum_of_columns(x, y, totals):
    """32 columns of a chunk of rows a block, every eighth row a thread; the eight totals are added in shared memory."""
    room = cuda.shared.array((LANES, COLUMNS), float64)
    column, lane = cuda.threadIdx.x, cuda.threadIdx.y
    i, chunk, o = cuda.blockIdx.x * COLUMNS + column, cuda.blockIdx.y, cuda.blockIdx.z
    size = (x.shape[1] + cuda.gridDim.y - 1) // cuda.gridDim.y
    total = float64(0)
    if i < x.shape[2]:
        for r in range(chunk * size + lane, min((chunk + 1) * size, x.shape[1]), LANES):
            total += float64(x[o, r, i])
    room[lane, column] = total
    cuda.syncthreads()
    if lane == 0 and i < x.shape[2]:
        for k in range(1, LANES):
            total += room[k, column]
        if cuda.gridDim.y == 1:
            y[o, i] = total
        else:
            totals[o, chunk, i] = total


@then(
    sum_of_columns,
    grid=lambda call: (-(-call.form.outputs[0].shape[1] // 128), call.form.outputs[0].shape[0]),
    block=(128,),
    needed=lambda call: chunks(call) > 1,
)
def sum_of_chunks(x, y, totals):
    """One column a thread."""
    i, o = cuda.grid(1), cuda.blockIdx.y
    if i < y.shape[1]:
        total = float64(0)
        for chunk in range(totals.shape[1]):
            total += totals[o, chunk, i]
        y[o, i] = total
