"""What kernels over rows share: numbers as they compute with them, and what the threads of a row find out together.

The threads of a row are those of a block along x, a power of two of them; along y lie the rows of the block. On a device a warp
exchanges values by shuffles, and warps through shared memory; the simulator has no shuffles, so there everything goes through
shared memory. Both orders are fixed: the same row gives the same bits in every run. All threads of the block must take part.
"""

import math

import numpy as np
from numba import cuda, float64

from refnet_fast.cuda.target import simulated

WARP = 32
MOST = 256  # threads of a block that works on rows
FLOATS = {"float16", "bfloat16", "float32", "float64"}


def block(length):
    """Threads of a block, along a row and over rows: as many on a row as have a few elements each."""
    threads = WARP if length < 16 * WARP else 128 if length < 4096 else MOST
    return threads, max(1, 128 // threads)


def grid(rows, length):
    """Blocks for so many rows."""
    return (-(-rows // block(length)[1]),)


def floating(call, *positions):
    """Whether all inputs at these positions (all, if there are none) and all outputs are floats."""
    specs = [call.inputs[p] for p in positions] if positions else call.inputs
    return {s.dtype for s in (*specs, *call.outputs)} <= FLOATS


def working(x, value):
    """A float in the precision that rows of the array x are computed in: float64 if they are of it, else float32."""
    return np.float64(value) if x.dtype == np.float64 else np.float32(value)


def inverse_root(x):
    """1 / sqrt(x) of a float64; NaN where there is none, at 0 too: what it is multiplied with there is 0 / 0."""
    return 1 / math.sqrt(x) if x > 0 else float64(math.nan)


def largest_of(values, first, step):
    """The largest of values[first::step] and values[0], a thread's share of a row; NaN if there is one: it wins every comparison."""
    best = float64(values[0])
    for r in range(first, values.shape[0], step):
        value = float64(values[r])
        if value > best or value != value:
            best = value
    return best


def finite(x):
    """A float64, but 0 for an infinity and NaN."""
    return x if -math.inf < x < math.inf else float64(0)


# ---- what the threads of a row find out together. room: shared float64, one for each thread of the block


def sum_by_shuffles(value, room):
    """The sum of the values of a row's threads, which all of them get."""
    x, width = cuda.threadIdx.x, cuda.blockDim.x
    offset = min(width, WARP) // 2
    while offset > 0:
        value += cuda.shfl_xor_sync(0xFFFFFFFF, value, offset)
        offset //= 2
    if width > WARP:
        cuda.syncthreads()  # what the room held has been read
        start = cuda.threadIdx.y * width
        if x % WARP == 0:
            room[start + x // WARP] = value
        cuda.syncthreads()
        value = room[start]
        for k in range(1, width // WARP):
            value += room[start + k]
    return value


def largest_by_shuffles(value, room):
    """The largest of the values of a row's threads, which all of them get; NaN if there is one."""
    x, width = cuda.threadIdx.x, cuda.blockDim.x
    offset = min(width, WARP) // 2
    while offset > 0:
        other = cuda.shfl_xor_sync(0xFFFFFFFF, value, offset)
        if other > value or other != other:
            value = other
        offset //= 2
    if width > WARP:
        cuda.syncthreads()
        start = cuda.threadIdx.y * width
        if x % WARP == 0:
            room[start + x // WARP] = value
        cuda.syncthreads()
        value = room[start]
        for k in range(1, width // WARP):
            other = room[start + k]
            if other > value or other != other:
                value = other
    return value


def sum_by_halves(value, room):
    """As by shuffles, where there are none."""
    cuda = inside()
    x, start = cuda.threadIdx.x, cuda.threadIdx.y * cuda.blockDim.x
    cuda.syncthreads()
    room[start + x] = value
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if x < half:
            room[start + x] += room[start + x + half]
        cuda.syncthreads()
        half //= 2
    return float64(room[start])


def largest_by_halves(value, room):
    cuda = inside()
    x, start = cuda.threadIdx.x, cuda.threadIdx.y * cuda.blockDim.x
    cuda.syncthreads()
    room[start + x] = value
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if x < half:
            other = room[start + x + half]
            if other > room[start + x] or other != other:
                room[start + x] = other
        cuda.syncthreads()
        half //= 2
    return float64(room[start])


if simulated():
    from refnet_fast.cuda.simulator import inside

    exp, log, row_sum, row_largest = np.exp, np.log, sum_by_halves, largest_by_halves
else:
    from numba.cuda import types
    from numba.cuda.extending import overload

    @overload(working, target="cuda")
    def _working(x, value):
        if x.dtype == types.float64:
            return lambda x, value: np.float64(value)
        return lambda x, value: np.float32(value)

    exp, log, row_sum, row_largest, finite, inverse_root, largest_of = map(
        cuda.jit(device=True),
        (
            lambda x: math.exp(x),
            lambda x: math.log(x),
            sum_by_shuffles,
            largest_by_shuffles,
            finite,
            inverse_root,
            largest_of,
        ),
    )
