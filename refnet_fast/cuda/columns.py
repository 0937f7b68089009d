"""What kernels over columns share: lanes along another axis than the last, (outer, reduced, inner), neighbouring columns side by side.

A block has COLUMNS columns of one matrix: neighbouring threads read neighbours. Its LANES threads of a column go through every eighth row; what
they found they put together in shared memory, in the order of the lanes: the same column gives the same bits in every run. All
threads of the block take part; those beyond the last column work on it, and store nothing.
"""

import numpy as np
from numba import cuda

from refnet_fast.cuda import rows
from refnet_fast.cuda.reduction import COLUMNS, LANES
from refnet_fast.cuda.text import inlined

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)


def blocks(call):
    outer, _, inner = call.form.inputs[0].shape
    return (-(-inner // COLUMNS) * outer,)


def worth_sharing(call):
    """Columns of floats, long enough to share among LANES threads."""
    outer, reduced, inner = call.form.inputs[0].shape
    floats = call.inputs[0].dtype in rows.FLOATS
    return floats and inner > 1 and reduced >= 2 * LANES and outer > 0 and blocks(call)[0] < 2**31


def constants(call):
    """REAL is what elements are compared and looked up in, as `rows.working` has it."""
    return {"REAL": np.float64 if call.inputs[0].dtype == "float64" else np.float32}


CALLS = {"when": worth_sharing, "grid": blocks, "block": (COLUMNS, LANES), "constants": constants}


@inlined
def column_of(x):
    """(matrix, column) of a thread; the column may lie beyond the last."""
    across = (x.shape[2] + COLUMNS - 1) // COLUMNS
    return cuda.blockIdx.x // across, cuda.blockIdx.x % across * COLUMNS + cuda.threadIdx.x


@inlined
def largest_of_column(x, o, i, room):
    """The largest element of a column, which all of its threads get; NaN if there is one: it wins every comparison."""
    best = REAL(x[o, 0, i])
    for r in range(cuda.threadIdx.y, x.shape[1], LANES):
        value = REAL(x[o, r, i])
        if value > best or value != value:
            best = value
    cuda.syncthreads()  # what the room held has been read
    room[cuda.threadIdx.y, cuda.threadIdx.x] = best
    cuda.syncthreads()
    for k in range(LANES):
        value = room[k, cuda.threadIdx.x]
        if value > best or value != value:
            best = value
    return best


@inlined
def sum_of_lanes(value, room):
    """The sum of what the threads of a column have, which all of them get."""
    cuda.syncthreads()
    room[cuda.threadIdx.y, cuda.threadIdx.x] = value
    cuda.syncthreads()
    total = room[0, cuda.threadIdx.x]
    for k in range(1, LANES):
        total += room[k, cuda.threadIdx.x]
    return total
