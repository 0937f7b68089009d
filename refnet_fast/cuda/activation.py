"""Softmax over long rows."""

import math

from numba import cuda, float64

from refnet_fast.cuda.kernels import kernel

LANE = 128  # threads that share a row


def long_rows(call):
    """Contiguous rows long enough to share among threads."""
    outer, lane, inner = call.form.inputs[0].shape
    return call.dtypes <= {"float32", "float64"} and inner == 1 and lane >= LANE


def one_block_a_row(call):
    return (call.form.inputs[0].shape[0],)


@kernel("softmax", when=long_rows, grid=one_block_a_row, block=(LANE,))
def softmax_rows(x, y):
    """One row a block: its threads read neighbouring elements, and halve maxima and sums in shared memory.

    Everything is computed in float64 and rounded once. A NaN wins every comparison, so it reaches the whole row.
    """
    shared = cuda.shared.array(LANE, float64)
    row, thread = cuda.blockIdx.x, cuda.threadIdx.x
    best = float64(x[row, 0, 0])
    for r in range(thread, x.shape[1], LANE):
        value = float64(x[row, r, 0])
        if value > best or value != value:
            best = value
    shared[thread] = best
    cuda.syncthreads()
    half = LANE // 2
    while half > 0:
        if thread < half:
            other = shared[thread + half]
            if other > shared[thread] or other != other:
                shared[thread] = other
        cuda.syncthreads()
        half //= 2
    best = shared[0]
    cuda.syncthreads()
    total = float64(0)
    for r in range(thread, x.shape[1], LANE):
        total += math.exp(float64(x[row, r, 0]) - best)
    shared[thread] = total
    cuda.syncthreads()
    half = LANE // 2
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    total = shared[0]
    for r in range(thread, x.shape[1], LANE):
        y[row, r, 0] = math.exp(float64(x[row, r, 0]) - best) / total
