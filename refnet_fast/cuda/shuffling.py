"""Numbers in random order: all draws of a block's threads at once, and those exchanges at once that touch different places."""

from numba import cuda, int32, int64

from refnet.ops.shuffling import random_words as words_definition
from refnet.ops.shuffling import whole_below as below_definition
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.target import simulated

THREADS = 4 if simulated() else 1024
NOBODY = 2**31 - 1
random_words, whole_below = device(words_definition), device(below_definition)


@kernel(
    "permutation",
    when=lambda call: 1 < call.outputs[0].shape[0] < NOBODY,
    grid=lambda call: (1,),
    block=(THREADS,),
    rooms=lambda call: [(tuple(call.outputs[0].shape), "int32")],
    constants=lambda call: {"BOUNDS": (THREADS, 1)},
)
def permutation_in_rounds(run, seed, place, y, claims):
    """One block takes the definition's exchanges in their order, as many at a time as it has threads. In a round each claims its two
    places, the earliest wins, and who has both exchanges: nobody who comes later has touched them. The earliest of all always
    wins, and so many of so many numbers seldom meet, so a round or three do for a thousand exchanges."""
    thread, n = cuda.threadIdx.x, y.shape[0]
    for k in range(thread, n, THREADS):
        y[k] = k
        claims[k] = NOBODY
    for first in range(0, n - 1, THREADS):
        t = first + thread
        i, j, waiting = int64(0), int64(0), t < n - 1
        if waiting:
            a, b, c, d = random_words(seed, place, int64(run[0]), t // 2)
            i = n - 1 - t
            j = whole_below(i + 1, a, b) if t % 2 == 0 else whole_below(i + 1, c, d)
        while cuda.syncthreads_or(int32(waiting)):
            if waiting:
                cuda.atomic.min(claims, i, t)
                cuda.atomic.min(claims, j, t)
            cuda.syncthreads()
            served = waiting and claims[i] == t and claims[j] == t
            cuda.syncthreads()
            if waiting:
                claims[i] = NOBODY
                claims[j] = NOBODY
            if served:
                y[i], y[j] = y[j], y[i]
                waiting = False
