"""Images of another size: the weights of the four pixels around a place are found once, for all images, lines and channels.

By its definition each thread finds them again, in some hundred operations of float64 for four products.
"""

import math

from numba import cuda, float64

from refnet.definition import size_of
from refnet.ops.resizing import kernel as weight_definition
from refnet.ops.resizing import position as position_definition
from refnet.ops.resizing import total_weight as total_definition
from refnet_fast.cuda import rows
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.cuda.tile import indices_of

THREADS = 4 if simulated() else 256
weight_at, position, total_weight = map(device, (weight_definition, position_definition, total_definition))


def elements(call):
    return size_of(call.form.outputs[0].shape)


def worth_sharing(call):
    """Floats, and each weight is read several times."""
    outer, _, inner = call.form.inputs[0].shape
    return rows.floating(call) and outer * inner >= 8 and 0 < elements(call) < 2**31


def places(call):
    """How many places weights are needed for: the longer image's in the direction of the definition."""
    view = call.form.inputs[0] if call.op.name.endswith("gradient") else call.form.outputs[0]
    return view.shape[1]


CALLS = {
    "when": worth_sharing,
    "grid": lambda call: (-(-places(call) // THREADS),),
    "block": (THREADS,),
    "rooms": lambda call: [((places(call),), "int64"), ((places(call), 4), "float64")],
}
ELEMENTS = {"grid": lambda call: (-(-elements(call) // THREADS),), "block": (THREADS,)}


@inlined
def weigh(j, n, m, cubic, firsts, weights):
    """Place j of m among n pixels: the first of the four pixels around it, and the share of each, 0 where none takes part."""
    p = position(j, n, m)
    first, whole = int(math.floor(p)) - 1, total_weight(p, n, cubic)
    firsts[j] = first
    for k in range(4):
        inside = 0 <= first + k < n
        weights[j, k] = weight_at(p - (first + k), cubic) / whole if inside else 0.0


@kernel("resize_axis", **CALLS)
def resize_axis_elements(x, cubic, y, firsts, weights):
    """The weights: a place a thread."""
    j = cuda.grid(1)
    if j < y.shape[1]:
        weigh(j, x.shape[1], y.shape[1], cubic, firsts, weights)


@then(resize_axis_elements, **ELEMENTS)
def mixed_pixels(x, cubic, y, firsts, weights):
    """An element a thread: four products at most; neighbours read neighbours."""
    at = cuda.grid(1)
    if at < y.size:
        o, j, i = indices_of(at, y)
        first, total = firsts[j], float64(0)
        for k in unrolled(4):
            weight = weights[j, k]
            if weight != 0:
                total += weight * float64(x[o, first + k, i])
        y[o, j, i] = total


@kernel("resize_axis_gradient", **CALLS)
def resize_axis_gradient_elements(dy, cubic, dx, firsts, weights):
    """The weights: a place a thread."""
    j = cuda.grid(1)
    if j < dy.shape[1]:
        weigh(j, dx.shape[1], dy.shape[1], cubic, firsts, weights)


@then(resize_axis_gradient_elements, **ELEMENTS)
def gathered_places(dy, cubic, dx, firsts, weights):
    """An element a thread: the places within two pixels of it, in order."""
    at = cuda.grid(1)
    if at < dx.size:
        o, r, i = indices_of(at, dx)
        n, m, total = dx.shape[1], dy.shape[1], float64(0)
        low, high = int(math.floor((r - 1.5) * m / n - 0.5)) - 1, int(math.floor((r + 2.5) * m / n - 0.5)) + 2
        for j in range(max(low, 0), min(high, m)):
            k = r - firsts[j]
            if 0 <= k < 4:
                weight = weights[j, k]
                if weight != 0:
                    total += weight * float64(dy[o, j, i])
        dx[o, r, i] = total
