"""Matrices turned, by tiles; their elements are words without a meaning."""

from numba import cuda

from refnet.definition import View, join_axes
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.runs import WORDS, word_type
from refnet_fast.derive import Placed, itemsize

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

TILE, LANES = 32, 8
PITCH = TILE + 1  # of a row in shared memory: elements of a column then lie in different banks


def joined(call):
    """The source's shape and strides, with neighbouring axes joined and, where there are two, a first one of length 1."""
    view = call.form.inputs[0]
    shape, (strides,) = join_axes(tuple(view.shape), [list(view.strides)])
    missing = 3 - len(shape)
    return (1,) * missing + tuple(shape), (0,) * missing + tuple(strides)


def turned(call):
    """Elements whose neighbours along the result's last axis are far apart, and those along the axis before are neighbours."""
    if call.form.inputs[0].strides is None or 0 in call.form.domain:
        return False
    shape, strides = joined(call)
    return len(shape) == 3 and strides[1] == 1 and min(shape[1:]) >= LANES and shape[0] < 65536


def blocks(call):
    lead, height, width = joined(call)[0]
    return -(-height // TILE) * -(-width // TILE), 1, lead  # all tiles along x: 65,535 blocks lie along y


def matrices(call, inputs, outputs):
    shape, strides = joined(call)
    (x,), (y,) = inputs, outputs
    word = WORDS[itemsize(y.dtype)]
    return [Placed(x.address, View(shape, strides), word), Placed(y.address, View(shape), word)]


@kernel(
    "transpose",
    when=turned,
    grid=blocks,
    block=(TILE, LANES),
    arguments=matrices,
    constants=lambda call: {"KIND": word_type(call.outputs[0].dtype)},
)
def transpose_tiles(x, y):
    """32 x 32 elements a block, through shared memory: neighbouring threads read neighbours, and write neighbours."""
    tile = cuda.shared.array((TILE, PITCH), KIND)
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
