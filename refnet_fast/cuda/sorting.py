"""Where elements stand in order: a block sorts a lane by a bitonic network (Knuth 5.3.4), elements together with their places.

Of equal elements the one with the smaller place comes first, so no two compare as equal and any order of exchanges is stable. A lane of
n elements takes log(n) * (log(n) + 1) / 2 passes. Up to 4096 elements (2048 of eight bytes) lie in shared memory: memory is read once
and written once. Longer lanes lie in scratch memory, and a pass of theirs reads and writes it, at the speed of one multiprocessor a lane.
"""

import numpy as np
from numba import cuda, int32

from refnet.definition import size_of
from refnet.ops.sorting import ascends as definition_of_ascends
from refnet.ops.sorting import descends as definition_of_descends
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

ascends, descends = device(definition_of_ascends), device(definition_of_descends)
SHORT = 2 if simulated() else 32  # shorter lanes are left to one thread each
SHARED = 32 * 1024  # bytes of shared memory that a lane may fill
THREADS = 4 if simulated() else 512


def value_of(call):
    """The type that elements are compared in, and its bytes."""
    dtype = call.inputs[0].dtype
    kind = np.dtype({"float16": "float32", "bfloat16": "float32"}.get(dtype, dtype))
    return kind.type, max(4, kind.itemsize)


def size_of_network(call):
    """The power of two that a lane is filled up to."""
    return 1 << (call.form.inputs[0].shape[1] - 1).bit_length()


def fits(call):
    return size_of_network(call) * value_of(call)[1] <= SHARED // 2


def lanes(call):
    return size_of(call.form.domain)


def constants(call):
    size = size_of_network(call)
    return {"SIZE": size, "LANE": min(THREADS, size // 2), "FITS": fits(call), "VALUE": value_of(call)[0]}


@kernel(
    "argsort",
    when=lambda call: SHORT <= call.form.inputs[0].shape[1] < 2**30 and 0 < lanes(call) < 2**31,
    grid=lambda call: (lanes(call),),
    block=lambda call: (min(THREADS, size_of_network(call) // 2),),
    rooms=lambda call: [
        ((1, 1) if fits(call) else (lanes(call), size_of_network(call)), dtype)
        for dtype in (np.dtype(value_of(call)[0]).name, "int32")
    ],
    constants=constants,
)
def argsort_lanes(x, descending, y, held, standing):
    """A lane a block. What fills it up comes last."""
    if FITS:
        values = cuda.shared.array(SIZE, VALUE)
        places = cuda.shared.array(SIZE, int32)
    else:
        values, places = held[cuda.blockIdx.x], standing[cuda.blockIdx.x]
    o, i, n = cuda.blockIdx.x // x.shape[2], cuda.blockIdx.x % x.shape[2], x.shape[1]
    for r in range(cuda.threadIdx.x, SIZE, LANE):
        values[r] = VALUE(x[o, min(r, n - 1), i])
        places[r] = r
    cuda.syncthreads()
    run = 2
    while run <= SIZE:
        apart = run // 2
        while apart > 0:
            for number in range(cuda.threadIdx.x, SIZE // 2, LANE):
                a = 2 * number - (number & (apart - 1))
                if stands_before(values, places, a + apart, a, n, descending) == (a & run == 0):
                    exchange(values, places, a, a + apart)
            cuda.syncthreads()
            apart //= 2
        run *= 2
    for r in range(cuda.threadIdx.x, n, LANE):
        y[o, r, i] = places[r]


@inlined
def stands_before(values, places, a, b, n, descending):
    """Whether entry a comes before entry b: by value, then by place; places from n on come last."""
    if places[a] < n and places[b] < n:
        x, z = values[a], values[b]
        if descends(x, z) if descending else ascends(x, z):
            return True
        if descends(z, x) if descending else ascends(z, x):
            return False
    return places[a] < places[b]


@inlined
def exchange(values, places, a, b):
    value, place = values[a], places[a]
    values[a], places[a] = values[b], places[b]
    values[b], places[b] = value, place
