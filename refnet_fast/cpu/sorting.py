"""Where elements stand in order: a lane's numbers become whole keys in the same order, which are sorted with their places.

A key is 32 bits; equal numbers have equal keys, 0.0 and -0.0 too, and all NaN share the last one. With the place in the bits below it,
no two are equal, so any way of sorting keeps equal numbers in their order. In short lanes a key's place is the number of lesser ones
(Knuth 5.2, algorithm C); longer ones are sorted digit by digit from the least (LSD radix sort: Knuth 5.2.5).
"""

import numpy as np

from refnet_fast.kernels import kernel
from refnet_fast.native import Separate, njit
from refnet_fast.outcomes import cleared_scratch, scratch
from refnet_fast.tables import ELEMENT_NS

SHORT = 128  # numbers that are all compared with each other
VECTOR = 8  # keys
DIGIT = 11  # bits: three digits make a key, and the counts of one stay in the first cache


def _lanes(call):
    return call.form.domain[0] * call.form.domain[1]


def _task_ns(call):
    return call.form.inputs[0].shape[1] * 20 * ELEMENT_NS + 20


@njit(error_model="numpy")
def key_of(bits, descending):
    """The key of a float32, given by its bits: ascending in the numbers, or descending."""
    magnitude = bits & np.uint32(0x7FFFFFFF)
    if magnitude > np.uint32(0x7F800000):
        key = np.uint32(0xFFFFFFFF)
    elif bits == magnitude:
        key = magnitude + np.uint32(0x80000000)
    else:
        key = np.uint32(0x80000000) - magnitude
    return ~key if descending else key


@njit(error_model="numpy", pipeline_class=Separate)
def count_lesser(keys, n, lesser):
    """lesser[j] = how many of the first n keys are less than keys[j]; whole vectors, whatever their last keys are."""
    for j in range(lesser.size):
        lesser[j] = 0
    for i in range(n):
        key = keys[i]
        for j in range(lesser.size):
            lesser[j] += np.int64(key < keys[j])


@njit(error_model="numpy")
def sort_by_digits(keys, other, starts):
    """`keys` in the order of their upper 32 bits, equal ones as they stood. `other` is as long; `starts` has room for a digit's counts."""
    mask = np.uint64((1 << DIGIT) - 1)
    source, to = keys, other
    for digit in range(3):
        shift = np.uint64(32 + digit * DIGIT)
        starts[:] = 0
        for i in range(source.size):
            starts[np.int64((source[i] >> shift) & mask)] += 1
        total = 0
        for d in range(starts.size):
            count = starts[d]
            starts[d] = total
            total += count
        for i in range(source.size):
            d = np.int64((source[i] >> shift) & mask)
            to[starts[d]] = source[i]
            starts[d] += 1
        source, to = to, source
    return source


@kernel("argsort", when=lambda call: call.inputs[0].dtype == "float32", tasks=_lanes, cost=_task_ns)
def argsort_lanes(x, descending, y, lo, hi):
    """Lanes lo..hi."""
    n, inner = x.shape[1], x.shape[2]
    padded, lesser = cleared_scratch(-(-n // VECTOR) * VECTOR, np.uint64), scratch(-(-n // VECTOR) * VECTOR, np.int64)
    keys, other, starts = padded[:n], scratch(n, np.uint64), scratch(1 << DIGIT, np.int64)
    numbers = scratch(n, np.float32)
    bits = numbers.view(np.uint32)
    for task in range(lo, hi):
        o, i = task // inner, task % inner
        for r in range(n):
            numbers[r] = x[o, r, i]
        for r in range(n):
            keys[r] = (np.uint64(key_of(bits[r], descending)) << np.uint64(32)) | np.uint64(r)
        if n <= SHORT:
            count_lesser(padded, n, lesser)
            for r in range(n):
                y[o, lesser[r], i] = r
        else:
            ordered = sort_by_digits(keys, other, starts)
            for r in range(n):
                y[o, r, i] = np.int64(ordered[r] & np.uint64(0xFFFFFFFF))
