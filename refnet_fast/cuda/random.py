"""Random numbers: 16 bytes of them a thread, written by one instruction.

The words of the generator's blocks and what is made of them are the definition's, to the bit: nothing is contracted. Of normal numbers
three in twenty lie so far out that they take a logarithm and a root, and hardly a warp has none of these. So a block puts them
into a list in shared memory, and its threads work on the list together.
"""

import math

from numba import cuda, float64, int32, int64

from refnet import philox
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.numbers import FUNCTIONS
from refnet_fast.cuda.runs import BYTES, THREADS, bits_of, flat_words, grid_of, in_words, word_type, write_run
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.derive import itemsize

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

CENTRAL = 0.425  # how far from 1/2 a probability is at most whose quantile is one quotient of polynomials
random_words, fraction, fraction53, inner_fraction = map(
    device, (philox.random_words, philox.fraction, philox.fraction53, philox.inner_fraction)
)
central, middle, far, log_of_parts = map(device, (philox.central, philox.middle, philox.far, philox.log_of_parts))
root = FUNCTIONS["sqrt"]


def floats(call):
    return in_words(call) and call.outputs[0].dtype in ("float16", "bfloat16", "float32", "float64")


def constants(call):
    """Numbers of a block of the generator, blocks of a thread, numbers of a thread."""
    dtype = call.outputs[0].dtype
    of_block = 2 if dtype == "float64" else 4
    each = max(1, BYTES // (of_block * itemsize(dtype)))
    return {"OF_BLOCK": of_block, "EACH": each, "RUN": each * of_block, "LONG": of_block == 2}


NUMBERS = {"when": floats, "grid": grid_of(lambda call: constants(call)["RUN"]), "block": (THREADS,), "contract": False}


@kernel("random_uniform", constants=constants, **NUMBERS)
def random_uniform_runs(run, seed, place, bits, minval, maxval, y):
    """A block of the generator a thread; two of 16-bit floats."""
    held = cuda.local.array(RUN, float64)
    first = cuda.grid(1) * EACH
    if first * OF_BLOCK < y.size:
        for e in unrolled(EACH):
            words = random_words(seed, place, int64(run[0]), first + e)
            for k in unrolled(OF_BLOCK):
                if LONG:
                    held[k] = minval + (maxval - minval) * fraction53(words[2 * k], words[2 * k + 1])
                else:
                    held[e * OF_BLOCK + k] = minval + (maxval - minval) * fraction(words[k], bits)
        write_run(y, first * OF_BLOCK, held)


# ---- which elements stay


def mask_constants(call):
    dtype = call.outputs[0].dtype
    each = max(1, BYTES // (4 * itemsize(dtype)))
    return {"EACH": each, "RUN": 4 * each, "KIND": word_type(dtype)}


def bits_of_mask(call, inputs, outputs):
    """What an element is that stays, as an integer."""
    (y,), (seed, place, threshold, scale) = outputs, call.form.attributes
    return [*inputs, seed, place, threshold, bits_of(scale, y.dtype), flat_words(y)]


@kernel(
    "dropout_mask",
    when=floats,
    grid=grid_of(lambda call: mask_constants(call)["RUN"]),
    block=(THREADS,),
    arguments=bits_of_mask,
    constants=mask_constants,
)
def dropout_mask_runs(run, seed, place, threshold, kept, y):
    """A block of the generator a thread; two of 16-bit floats. Of float64 a block is four numbers, and a thread writes twice."""
    held = cuda.local.array(RUN, KIND)
    first = cuda.grid(1) * EACH
    if first * 4 < y.size:
        for e in unrolled(EACH):
            words = random_words(seed, place, int64(run[0]), first + e)
            for k in unrolled(4):
                held[4 * e + k] = kept if words[k] >= threshold else 0
        write_run(y, first * 4, held)


# ---- normal numbers


@inlined
def outer_quantile(p):
    """`refnet.philox.normal_quantile` of a p that is not near 1/2. How often `log_below_one` doubles its number is read off its
    exponent."""
    m, exponent = math.frexp(p if p - 0.5 < 0.0 else 1.0 - p)
    k = -exponent
    if m < 0.7071067811865476:
        m, k = m * 2.0, k + 1
    r = root(-log_of_parts(m, k))
    z = middle(r - 1.6) if r <= 5.0 else far(r - 5.0)
    return -z if p - 0.5 < 0.0 else z


@kernel(
    ("random_normal", "random_truncated_normal"),
    constants=lambda call: {**constants(call), "ROOM": THREADS * constants(call)["RUN"], "MANY": THREADS},
    **NUMBERS,
)
def random_normal_runs(run, seed, place, in_block, mean, stddev, below, inside, y):
    """Each thread computes what of its run is near the middle; the outer probabilities of all threads stand in a list, an entry of
    which is anybody's. Where a number stands in the list changes nothing but who computes it."""
    outer = cuda.shared.array(ROOM, float64)
    spots = cuda.shared.array(ROOM, int32)
    found = cuda.shared.array(ROOM, float64)
    count = cuda.shared.array(1, int32)
    held = cuda.local.array(RUN, float64)
    thread, first, beyond = cuda.threadIdx.x, cuda.grid(1) * EACH, 0
    if thread == 0:
        count[0] = 0
    cuda.syncthreads()
    if first * OF_BLOCK < y.size:
        for e in unrolled(EACH):
            words = random_words(seed, place, int64(run[0]), first + e)
            for k in unrolled(OF_BLOCK):
                if LONG:
                    p = below + inside * inner_fraction(words[2 * k], words[2 * k + 1])
                else:
                    p = below + inside * ((words[k] + 0.5) / 4294967296.0)
                q = p - 0.5
                if -CENTRAL <= q <= CENTRAL:
                    held[e * OF_BLOCK + k] = q * central(0.180625 - q * q)
                else:
                    slot = cuda.atomic.add(count, 0, 1)
                    outer[slot] = p
                    spots[slot] = thread * RUN + e * OF_BLOCK + k
                    beyond |= 1 << (e * OF_BLOCK + k)
    cuda.syncthreads()
    for entry in range(thread, count[0], MANY):
        found[spots[entry]] = outer_quantile(outer[entry])
    cuda.syncthreads()
    if first * OF_BLOCK < y.size:
        for k in unrolled(RUN):
            z = found[thread * RUN + k] if beyond & (1 << k) else held[k]
            held[k] = mean + stddev * z
        write_run(y, first * OF_BLOCK, held)
