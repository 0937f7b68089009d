"""Concatenation: an element a thread.

By its definition a thread copies all that one place of the axis holds, and neighbouring threads write far from each other. Here they read
and write neighbours: every byte crosses memory once each way, and what is computed is two divisions of words.
"""

from numba import cuda

from refnet.definition import size_of
from refnet_fast.cuda.derive import Strided
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.tile import indices_of

THREADS = 4 if simulated() else 256


def elements(call):
    return size_of(call.form.outputs[0].shape)


@kernel(
    "concatenate",
    when=lambda call: call.form.outputs[0].shape[2] > 1 and 0 < elements(call) < 2**31,
    grid=lambda call: (-(-elements(call) // THREADS),),
    block=(THREADS,),
    arguments=lambda call, inputs, outputs: [tuple(map(Strided, inputs)), *outputs],
)
def concatenate_elements(parts, y):
    """Which part an element comes from is found by going through their lengths."""
    at = cuda.grid(1)
    if at < y.size:
        o, place, i = indices_of(at, y)
        j, k = place, 0
        while j >= parts[k].shape[1]:
            j -= parts[k].shape[1]
            k += 1
        y[o, place, i] = parts[k][o, j, i]
