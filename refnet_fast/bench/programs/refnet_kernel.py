"""One op as refnet's machine runs it: `refnet_kernel.py WORK`. Arrays lie where the program has them; nothing is copied."""

import sys

import numba
import numpy as np
from kernels import KERNELS
from rounds import serve

import refnet_fast
from refnet.engine import get_engine
from refnet.gradients import reverse
from refnet.graph import Tensor
from refnet.program import Program, specialize
from refnet_fast import ops

work = KERNELS[sys.argv[1]]


def program() -> tuple[Program, list[np.ndarray]]:
    """What to compute, and from what."""
    if work.kind == "product":
        rows, steps, columns = work.sizes
        arrays = [work.normal(rows, steps), work.normal(steps, columns)]
        a, b = inputs = [Tensor(x.shape) for x in arrays]
        return Program(inputs, [ops.matmul(a, b)]), arrays
    if work.kind in ("convolution", "kernel gradient", "inputs gradient"):
        arrays = list(work.convolution())
        images, kernel, slope = inputs = [Tensor(x.shape) for x in arrays]
        y = ops.conv(images, kernel, padding="same" if work.sizes[-1] else "valid")
        if work.kind == "convolution":
            return Program(inputs[:2], [y]), arrays[:2]
        of = kernel if work.kind == "kernel gradient" else images
        return Program(inputs, reverse([y], [slope], [of], None)), arrays
    if work.kind == "lstm":
        batch, time, features, units = work.sizes
        shapes = [
            (batch, time, features),
            (features, 4 * units),
            (units, 4 * units),
            (4 * units,),
            (batch, time, units),
        ]
        arrays = [work.normal(*shape) / np.float32(len(shape) ** 2) for shape in shapes]
        x, kernel, recurrent, bias, slope = inputs = [Tensor(a.shape) for a in arrays]
        h, *_ = ops.lstm(x, kernel, recurrent, bias)
        return Program(inputs, reverse([h], [slope], [x, kernel, recurrent, bias], None)), arrays
    if work.kind == "fft":
        pairs = work.normal(*work.sizes, 2)
        arrays = [np.ascontiguousarray(pairs[..., part]) for part in (0, 1)]
        inputs = [Tensor(x.shape) for x in arrays]
        return Program(inputs, list(ops.fft(tuple(inputs)))), arrays
    x = np.abs(work.normal(*work.sizes))
    return Program([given := Tensor(x.shape)], [getattr(ops, work.kind)(given)]), [x]


built, arrays = program()
with refnet_fast.use_engine("cpu"):
    running = get_engine("cpu").build(specialize(built, [a.shape for a in arrays]))
    running.run(arrays)
serve({"numba": numba.__version__}, 1, lambda times: running.machine.run(0, times))
