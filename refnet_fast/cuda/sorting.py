"""Where elements stand in order: some threads sort a lane by a bitonic network (Knuth 5.3.4), elements together with their places.

Of equal elements the one with the smaller place comes first, so no two compare as equal and any order of exchanges is stable. A lane of
n elements takes log(n) * (log(n) + 1) / 2 passes. Up to 4096 elements (2048 of eight bytes) lie in shared memory: memory is read once
and written once. Short lanes share a block. Longer ones are sorted in parts, by as many blocks, and neighbouring parts become one until one
is left: each time an element finds by bisection how many of the other part stand before it.
"""

import numpy as np
from numba import cuda, int32

from refnet.definition import size_of
from refnet.ops.sorting import ascends as definition_of_ascends
from refnet.ops.sorting import descends as definition_of_descends
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined
from refnet_fast.cuda.tile import quotient

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

ascends, descends = device(definition_of_ascends), device(definition_of_descends)
SHARED = 256 if simulated() else 32 * 1024  # bytes of shared memory that a block may fill
THREADS = 4 if simulated() else 512
TOGETHER = 4 if simulated() else 128  # threads of a block whose lanes are short


def value_of(call):
    """The type that elements are compared in, and its bytes."""
    dtype = call.inputs[0].dtype
    kind = np.dtype({"float16": "float32", "bfloat16": "float32"}.get(dtype, dtype))
    return kind.type, max(4, kind.itemsize)


def length(call):
    return call.form.inputs[0].shape[1]


def lanes(call):
    return size_of(call.form.domain)


def size_of_network(call):
    """The power of two that a lane is filled up to, or a part of it that shared memory holds."""
    most = max(2, SHARED // 2 // value_of(call)[1])
    return min(1 << (length(call) - 1).bit_length(), 1 << (most.bit_length() - 1))


def parts(call):
    """How many networks a lane takes."""
    return -(-length(call) // size_of_network(call))


def threads(call):
    """Threads of a part; and parts of a block, which are lanes."""
    along = min(THREADS, size_of_network(call) // 2)
    return along, max(1, TOGETHER // along) if parts(call) == 1 else 1


def rooms(call):
    """The sorted parts of a lane, before and after a merge: values and their places."""
    shape = (2, lanes(call), length(call)) if parts(call) > 1 else (1, 1, 1)
    return [(shape, np.dtype(value_of(call)[0]).name), (shape, "int32")]


def constants(call):
    along, high = threads(call)
    found = {"SIZE": size_of_network(call), "LANE": along, "HIGH": high, "ROOM": high * size_of_network(call)}
    merges = (parts(call) - 1).bit_length()
    return {**found, "PARTS": parts(call), "WHOLE": merges == 0, "MERGES": merges, "VALUE": value_of(call)[0]}


@kernel(
    "argsort",
    when=lambda call: 2 <= length(call) < 2**30 and 0 < lanes(call) * length(call) < 2**31,
    grid=lambda call: (-(-lanes(call) // threads(call)[1]) * parts(call),),
    block=threads,
    rooms=rooms,
    constants=lambda call: {**constants(call), "BOUNDS": (size_of(threads(call)), 1)},
)
def argsort_lanes(x, descending, y, held, standing):
    """A lane, or the part of one that shared memory holds, by some threads of a block. What fills it up comes last."""
    values = cuda.shared.array(ROOM, VALUE)
    places = cuda.shared.array(ROOM, int32)
    lane, start = cuda.blockIdx.x // PARTS * HIGH + cuda.threadIdx.y, cuda.blockIdx.x % PARTS * SIZE
    n, base, inside = x.shape[1], cuda.threadIdx.y * SIZE, lane < x.shape[0] * x.shape[2]
    o, i = min(lane // x.shape[2], x.shape[0] - 1), lane % x.shape[2]
    for r in range(cuda.threadIdx.x, SIZE, LANE):
        values[base + r] = VALUE(x[o, min(start + r, n - 1), i])
        places[base + r] = start + r
    cuda.syncthreads()
    run = 2
    while run <= SIZE:
        apart = run // 2
        while apart > 0:
            for number in range(cuda.threadIdx.x, SIZE // 2, LANE):
                a = 2 * number - (number & (apart - 1))
                if stands_before(values, places, base + a + apart, base + a, n, descending) == (a & run == 0):
                    exchange(values, places, base + a, base + a + apart)
            cuda.syncthreads()
            apart //= 2
        run *= 2
    for r in range(cuda.threadIdx.x, min(SIZE, n - start), LANE):
        if WHOLE:
            if inside:
                y[o, r, i] = places[base + r]
        else:
            held[0, lane, start + r] = values[base + r]
            standing[0, lane, start + r] = places[base + r]


def merged_parts(x, descending, y, held, standing, turn):
    """Two neighbouring parts become one, an element a thread: it comes after its own part's earlier ones, and after those of the
    other part that stand before it, which are found by bisection. In the last turn the places are the result."""
    at = cuda.grid(1)
    if at < standing.shape[1] * standing.shape[2]:
        n, half, size = x.shape[1], turn % 2, SIZE << turn
        lane = quotient(at, n)
        r = at - lane * n
        first = r - (r & (2 * size - 1))
        middle = min(first + size, n)
        low, high, own = (middle, min(middle + size, n), first) if r < middle else (first, middle, middle)
        place = first + (r - own) - low
        while low < high:
            half_way = (low + high) // 2
            if stands_before(held[half, lane], standing[half, lane], half_way, r, n, descending):
                low = half_way + 1
            else:
                high = half_way
        place += low
        if turn + 1 == MERGES:
            y[lane // x.shape[2], place, lane % x.shape[2]] = standing[half, lane, r]
        else:
            held[1 - half, lane, place] = held[half, lane, r]
            standing[1 - half, lane, place] = standing[half, lane, r]


def _merges():
    for turn in range(29):
        then(
            argsort_lanes,
            grid=lambda call: (-(-lanes(call) * length(call) // THREADS),),
            block=(THREADS,),
            needed=lambda call, turn=turn: turn < constants(call)["MERGES"],
            more=(turn,),
            constants=lambda call: {**constants(call), "BOUNDS": (THREADS, 1)},
        )(merged_parts)


_merges()


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
