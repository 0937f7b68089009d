"""Concatenation: an element a thread.

By its definition a thread copies all that one place of the axis holds, and neighbouring threads write far from each other. Here they read
and write neighbours: every byte crosses memory once each way, and what is computed is two divisions of words.
"""

from numba import cuda

from refnet.definition import Spec, View, size_of
from refnet_fast.cuda.derive import Strided
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.target import ARGUMENTS, simulated
from refnet_fast.cuda.tile import indices_of
from refnet_fast.derive import Placed
from refnet_fast.kernels import KernelCall

THREADS = 4 if simulated() else 256
MOST = ARGUMENTS // 88 - 1  # parts of a launch: an array of three axes takes 88 bytes, and the result is one too


def portions(call, inputs, outputs):
    """[(call, inputs, outputs)]: a call itself, or a concatenation of many parts as some of fewer, each with its places of the result."""
    if call.op.name != "concatenate" or len(inputs) <= MOST:
        return [(call, inputs, outputs)]
    (y,), found, start = outputs, [], 0
    _, length, inner = y.view.shape
    for first in range(0, len(inputs), MOST):
        specs = [Spec(tuple(x.shape), x.dtype) for x in call.inputs[first : first + MOST]]
        form, results = call.op.form(*specs, **call.attributes), call.op.specs(*specs, **call.attributes)
        shape = form.outputs[0].shape
        place = Placed(y.address, View(shape, (length * inner, inner, 1), start * inner), y.dtype)
        seen = KernelCall(call.op, form, tuple(specs), tuple(results), call.attributes)
        found.append((seen, inputs[first : first + MOST], [place]))
        start += shape[1]
    return found


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
