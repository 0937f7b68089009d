"""Kernels that no op defines: they check indices and copy commits; in an epoch they gather batches, keep outputs and count steps."""

import numpy as np

from refnet.definition import View, size_of
from refnet_fast.cuda.derive import Kernel
from refnet_fast.derive import Placed, itemsize
from refnet_fast.rewrite import SHORT


def flat(address, size, dtype):
    return Placed(address, View((size,)), dtype)


def flat_of(address, tensor):
    """A flat Placed of a tensor's memory, and the length of its first axis."""
    return flat(address, size_of(tensor.shape), tensor.dtype), tensor.shape[0]


def check_range(indices, low, high, number, flag):
    """The Launch that flags the first index outside low..high-1, as number * 2**40 + its position; the least flag stays.

    Args:
        indices: a flat Placed.
        flag: a Placed of one int64.
    """
    kernel = Kernel((indices.size,))
    x, low, high, first, word = (kernel.add(a) for a in (indices, low, high, number * 2**40, flag))
    launch = kernel.launch(
        [f"if {x}[i0] < {low} or {x}[i0] >= {high}:", f"    cuda.atomic.min({word}, 0, {first} + i0)"]
    )
    launch.what = "check"
    return launch


def copy(source, address, guard=None):
    """The Launch that copies a flat Placed to an address."""
    kernel = Kernel((source.size,), guard)
    x, y = kernel.add(source), kernel.add(flat(address, source.size, source.dtype))
    launch = kernel.launch([f"{y}[i0] = {x}[i0]"])
    launch.what = "copy"
    return launch


def scratch(memory, form):
    """A Placed for each scratch array of a form, with room for every task."""
    return [room(memory, (size_of(form.domain), *shape), "float64") for shape in form.scratch]


def room(memory, shape, dtype):
    """A Placed of scratch memory, kept as long as the plan."""
    return Placed(memory.room_for(itemsize(dtype) * size_of(shape)), View(tuple(shape)), dtype)


def new_words(memory, values):
    """A flat Placed of int64 words on the device."""
    return flat(memory.keep(np.array(values)), len(values), "int64")


# ---- what stands before and after a step of an epoch; words: the step, and the first step whose outputs are kept


def gather(source, order, words, batch_size, ring, target):
    """The Launch that gathers a step's batch, converted to the target's dtype.

    Args:
        source: a flat Placed of all samples (or of the last few batches).
        order: a flat Placed of the samples' numbers, or None: the batch lies at (step % ring) * batch_size.
        batch_size: samples between the beginnings of two batches.
        target: a flat Placed, of batch_size samples or fewer, and the samples in it.
    """
    target, rows = target
    if target.dtype in SHORT:  # as patterns: the source has the same dtype
        source, target = (flat(a.address, a.size, "uint16") for a in (source, target))
    kernel = Kernel((rows, target.size // rows))
    x, y, step = kernel.add(source), kernel.add(target), kernel.add(words)
    batch, width = kernel.add(batch_size), kernel.add(target.size // rows)
    if order is None:
        sample = f"{step}[0] % {kernel.add(ring)} * {batch} + i0"
    else:
        sample = f"{kernel.add(order)}[{step}[0] * {batch} + i0]"
    launch = kernel.launch([f"{y}[i0 * {width} + i1] = {x}[({sample}) * {width} + i1]"])
    launch.what = "gather"
    return launch


def keep(source, words, room):
    """The Launch that copies an output's bytes to their place among those of all steps."""
    kernel = Kernel((source.size,))
    x, step, y, size = (kernel.add(a) for a in (source, words, room, source.size))
    launch = kernel.launch([f"{y}[({step}[0] - {step}[1]) * {size} + i0] = {x}[i0]"])
    launch.what = "keep"
    return launch


def advance(words, guard):
    """The Launch that counts a step, unless a check was violated in it."""
    kernel = Kernel((1,), guard)
    step = kernel.add(words)
    launch = kernel.launch([f"{step}[0] = {step}[0] + 1"])
    launch.what = "advance"
    return launch
