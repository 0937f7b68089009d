"""What the recurrent kernels share: a block owns rows of the batch from the first time step to the last.

The state of its rows stays in shared memory; the recurrent kernel streams from the device's caches, each element once a step for all
rows of a block. A thread computes whole sums, in one order, so the same call gives the same bits in every run. Backward, the kernel
is turned once before all steps, so that neighbouring threads read neighbours then, too.
"""

import numpy as np
from numba import cuda

from refnet.ops.recurrent import activate, through
from refnet_fast.cuda.kernels import Kernel, Step, tuned
from refnet_fast.cuda.target import simulated

MULTIPROCESSORS = 128  # about as many as a large device has: a batch of so many rows gives each a row of its own
SHARED = 44 * 1024  # bytes of shared memory that a block may fill
MOST_THREADS = 512


class Cut:
    """How a call is cut.

    Args:
        call: a KernelCall; its op's recurrent kernel is the input at position `kernel`.
        arrays: shared arrays of (rows, units) that the kernel has.
    """

    def __init__(self, call, kernel, arrays):
        self.batch = call.form.domain[0]
        self.units, self.columns = call.inputs[kernel].shape
        self.floats = call.dtypes - {"bool"}
        self.real = np.float64 if self.floats == {"float64"} else np.float32
        self.arrays = arrays
        wanted = 2 if simulated() else min(4, max(1, self.batch // MULTIPROCESSORS))
        row = arrays * self.units * np.dtype(self.real).itemsize
        self.rows = max(1, min(wanted, SHARED // max(1, row)))
        self.possible = self.floats in ({"float32"}, {"float64"}) and 0 < row <= SHARED and self.batch > 0

    @property
    def threads(self):
        return 2 if simulated() else min(MOST_THREADS, -(-self.columns // 32) * 32)

    @property
    def blocks(self):
        return (-(-self.batch // self.rows),)

    def constants(self):
        state = self.rows * self.units
        return {
            **{"ROWS": self.rows, "UNITS": self.units, "THREADS": self.threads, "STATE": state, "REAL": self.real},
            **{"GATES": self.columns // self.units, "COLUMNS": self.columns, "ALL": self.rows * self.columns},
            **{"activate": activate, "through": through},
        }


def declare(op_name, function, kernel, arrays, turning=False):
    """Declares a recurrent kernel.

    Args:
        kernel, arrays: as in Cut.
        turning: whether the function's last argument is the recurrent kernel turned.
    """

    def cut(call):
        return Cut(call, kernel, arrays)

    def rooms(call):
        found = cut(call)
        return [((found.columns, found.units), found.real.__name__)] if turning else []

    steps = Step(
        function,
        lambda call: cut(call).blocks,
        lambda call: (cut(call).threads,),
        constants=lambda call: cut(call).constants(),
    )
    made = Kernel(steps, lambda call: cut(call).possible, None, rooms)
    if turning:
        made.steps.insert(0, Turn(kernel, cut))
    made.name = function.__name__
    tuned.setdefault(op_name, []).insert(0, made)


class Turn(Step):
    """The step that turns the recurrent kernel. It is given that alone, and the room for the result."""

    def __init__(self, position, cut):
        super().__init__(turn, lambda call: (-(-cut(call).columns * cut(call).units // 128),), (128,))
        self.position = position

    def launch(self, call, arguments):
        return super().launch(call, [arguments[self.position], arguments[-1]])


def turn(kernel, turned):
    """turned[k, j] = kernel[j, k], one element a thread; the kernel is small beside the steps that read it."""
    at = cuda.grid(1)
    if at < turned.size:
        k, j = at // turned.shape[1], at % turned.shape[1]
        turned[k, j] = kernel[j, k]
