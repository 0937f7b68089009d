"""Matrices turned, by tiles."""

from numba import cuda, float32

from refnet.definition import View, join_axes
from refnet_fast.cuda.kernels import kernel
from refnet_fast.derive import Placed

TILE, LANES = 32, 8
PITCH = TILE + 1  # of a row in shared memory: elements of a column then lie in different banks


def joined(call):
    """The source's shape and strides, with neighbouring axes joined and, where there are two, a first one of length 1."""
    view = call.form.inputs[0]
    shape, (strides,) = join_axes(tuple(view.shape), [list(view.strides)])
    missing = 3 - len(shape)
    return (1,) * missing + tuple(shape), (0,) * missing + tuple(strides)


def turned(call):
    """Float32 whose neighbours along the result's last axis are far apart, and those along the axis before are neighbours."""
    if call.dtypes != {"float32"} or call.form.inputs[0].strides is None or 0 in call.form.domain:
        return False
    shape, strides = joined(call)
    return len(shape) == 3 and strides[1] == 1 and min(shape[1:]) >= LANES and shape[0] < 65536


def blocks(call):
    lead, height, width = joined(call)[0]
    return -(-height // TILE) * -(-width // TILE), 1, lead  # all tiles along x: 65,535 blocks lie along y


def matrices(call, inputs, outputs):
    shape, strides = joined(call)
    (x,), (y,) = inputs, outputs
    return [Placed(x.address, View(shape, strides), x.dtype), Placed(y.address, View(shape), y.dtype)]


@kernel("transpose", when=turned, grid=blocks, block=(TILE, LANES), arguments=matrices)
def transpose_tiles(x, y):
    """32 x 32 elements a block, through shared memory: neighbouring threads read neighbours, and write neighbours."""
    tile = cuda.shared.array((TILE, PITCH), float32)
    column, lane, n = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
    across = (x.shape[2] + TILE - 1) // TILE
    top, left = cuda.blockIdx.x // across * TILE, cuda.blockIdx.x % across * TILE
    for k in range(lane, TILE, LANES):
        if top + column < x.shape[1] and left + k < x.shape[2]:
            tile[k, column] = x[n, top + column, left + k]
    cuda.syncthreads()
    for k in range(lane, TILE, LANES):
        if top + k < x.shape[1] and left + column < x.shape[2]:
            y[n, top + k, left + column] = tile[column, k]
