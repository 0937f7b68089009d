"""Kernels that no op defines: checking indices, copying commits."""

import numpy as np

from refnet.definition import View, size_of
from refnet_fast.cuda.derive import Kernel
from refnet_fast.derive import Placed, itemsize


def flat(address, size, dtype):
    return Placed(address, View((size,)), dtype)


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


def new_word(memory, value):
    """A Placed of one int64 on the device."""
    return flat(memory.keep(np.array([value])), 1, "int64")
