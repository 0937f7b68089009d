"""Matrix products by tiles."""

from numba import cuda, float32

from refnet_fast.cuda.kernels import kernel

TILE = 64  # rows and columns of y that a block computes
DEPTH = 16  # columns of a, rows of b in shared memory at a time
PITCH = TILE + 1  # of a row in shared memory: columns of a tile then lie in different banks
SIDE = 16  # threads along each side of a block
EACH = TILE // SIDE  # rows and columns of y that a thread computes


def blocks(call):
    lead, rows, columns = call.form.domain
    return -(-columns // TILE), -(-rows // TILE), lead


def worth_tiles(call):
    """Products of float32 that fill at least one block's outputs; CUDA allows 65,535 blocks along y and z."""
    lead, rows, columns = call.form.domain
    return call.dtypes == {"float32"} and rows * columns >= TILE * TILE and lead < 65536 and rows < 65536 * TILE


@kernel("matmul", when=worth_tiles, grid=blocks, block=(SIDE, SIDE))
def matmul_tiled(a, b, y):
    """64 x 64 elements of y a block, 4 x 4 of them a thread in registers.

    Sixteen columns of a and rows of b at a time go through shared memory, so each element of a and b is read from the device's
    memory once for every 64 columns or rows of y. Neighbouring threads store neighbouring elements. Any strides will do: where
    a's rows are not contiguous (a transposed a), neighbouring threads read along them.
    """
    left = cuda.shared.array((DEPTH, PITCH), float32)
    right = cuda.shared.array((DEPTH, PITCH), float32)
    total = cuda.local.array((EACH, EACH), float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    n, top, start = cuda.blockIdx.z, cuda.blockIdx.y * TILE, cuda.blockIdx.x * TILE
    thread = row * SIDE + column
    for p in range(EACH):
        for q in range(EACH):
            total[p, q] = 0
    for first in range(0, a.shape[2], DEPTH):
        for place in range(thread, DEPTH * TILE, SIDE * SIDE):
            if a.strides[2] <= a.strides[1]:
                i, k = place // DEPTH, place % DEPTH
            else:
                i, k = place % TILE, place // TILE
            inside = top + i < a.shape[1] and first + k < a.shape[2]
            left[k, i] = a[n, top + i, first + k] if inside else float32(0)
            if b.strides[2] <= b.strides[1]:
                j, k = place % TILE, place // TILE
            else:
                j, k = place // DEPTH, place % DEPTH
            inside = start + j < b.shape[2] and first + k < b.shape[1]
            right[k, j] = b[n, first + k, start + j] if inside else float32(0)
        cuda.syncthreads()
        for k in range(DEPTH):
            for p in range(EACH):
                for q in range(EACH):
                    total[p, q] += left[k, row + p * SIDE] * right[k, column + q * SIDE]
        cuda.syncthreads()
    for p in range(EACH):
        for q in range(EACH):
            i, j = top + row + p * SIDE, start + column + q * SIDE
            if i < y.shape[1] and j < y.shape[2]:
                y[n, i, j] = total[p, q]
