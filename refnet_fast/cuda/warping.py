"""Images read between their pixels: a channel of a point a thread.

By the definition a thread goes through all channels of a point, and neighbouring threads write far from each other. Here the definition
sees one channel, so that they read and write neighbours; the weights, made once for each channel, cost less than that.
"""

from numba import cuda

from refnet.definition import size_of
from refnet.ops.warping import sample_bilinear_loop, sample_nearest_loop
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined
from refnet_fast.cuda.tile import quotient

THREADS = 4 if simulated() else 256
bilinear, nearest = device(sample_bilinear_loop), device(sample_nearest_loop)


def elements(call):
    return size_of(call.form.outputs[0].shape)


CALLS = {
    "when": lambda call: call.form.outputs[0].shape[3] > 1 and 0 < elements(call) < 2**31,
    "grid": lambda call: (-(-elements(call) // THREADS),),
    "block": (THREADS,),
}


@inlined
def places_of(at, y):
    """(n, i, j, channel) of an element."""
    pixel = quotient(at, y.shape[3])
    line = quotient(pixel, y.shape[2])
    n = quotient(line, y.shape[1])
    return n, line - n * y.shape[1], pixel - line * y.shape[2], at - pixel * y.shape[3]


@kernel("sample_bilinear", **CALLS)
def sample_bilinear_elements(x, rows, cols, mode, fill, y):
    """Four pixels' channels, neighbours of the four that the next thread reads."""
    at = cuda.grid(1)
    if at < y.size:
        n, i, j, c = places_of(at, y)
        bilinear(((n, i, j),), x[:, :, :, c : c + 1], rows, cols, mode, fill, y[:, :, :, c : c + 1])


@kernel("sample_nearest", **CALLS)
def sample_nearest_elements(x, rows, cols, mode, fill, y):
    """One pixel's channel."""
    at = cuda.grid(1)
    if at < y.size:
        n, i, j, c = places_of(at, y)
        nearest(((n, i, j),), x[:, :, :, c : c + 1], rows, cols, mode, fill, y[:, :, :, c : c + 1])
