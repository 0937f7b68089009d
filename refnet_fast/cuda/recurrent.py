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
from refnet_fast.cuda.text import inlined, unrolled

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

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
            "BOUNDS": (self.threads, 1),
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


# ---- what a block does in a step, for all its rows. The state of unit u of row r is element e = r * UNITS + u of a shared array


@inlined
def see(seen, e, state, dropout, n, u):
    """What each gate sees of a unit's state."""
    for gate in range(GATES):
        seen[gate * STATE + e] = state * dropout[gate, n, u]


@inlined
def recurrent_sums(seen, kernel, sums, first, last, thread):
    """sums[r, k] = sum over j of  seen[gate, r, j] * kernel[j, k], gate being that of column k: columns first..last, one a thread.

    A weight is read once for all rows, whose sums stay in registers.
    """
    total = cuda.local.array(ROWS, REAL)
    for k in range(first + thread, last, THREADS):
        for r in unrolled(ROWS):
            total[r] = 0
        for j in range(UNITS):
            weight = kernel[j, k]
            for r in unrolled(ROWS):
                total[r] += seen[k // UNITS * STATE + r * UNITS + j] * weight
        for r in unrolled(ROWS):
            sums[r * COLUMNS + k] = total[r]


@inlined
def sums_back(row, turned, back, first, last, thread):
    """back[gate, r, j] = sum over u of  row[r, gate, u] * kernel[j, (gate, u)] for gates and units first..last, as `recurrent_sums`."""
    total = cuda.local.array(ROWS, REAL)
    for k in range(first + thread, last, THREADS):
        gate, j = k // UNITS, k % UNITS
        for r in unrolled(ROWS):
            total[r] = 0
        for u in range(UNITS):
            weight = turned[gate * UNITS + u, j]
            for r in unrolled(ROWS):
                total[r] += row[r * COLUMNS + gate * UNITS + u] * weight
        for r in unrolled(ROWS):
            back[gate * STATE + r * UNITS + j] = total[r]


@inlined
def reach(dhidden, e, back, dropout, n, u, gates):
    """Adds to the slope of a unit's state what comes back through the products of the first so many gates."""
    for gate in range(gates):
        dhidden[e] += dropout[gate, n, u] * back[gate * STATE + e]


def turn(kernel, turned):
    """turned[k, j] = kernel[j, k], one element a thread; the kernel is small beside the steps that read it."""
    at = cuda.grid(1)
    if at < turned.size:
        k, j = at // turned.shape[1], at % turned.shape[1]
        turned[k, j] = kernel[j, k]
