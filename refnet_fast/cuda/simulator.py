"""What the simulator lacks of a device.

Integers wrap around when they are stored, where NumPy refuses those that do not fit; and functions that kernels call find the
running block by `inside()`, as the simulator puts its `cuda` into the kernel's own module alone.
"""

import sys

import numpy as np
from numba.cuda import types
from numba.cuda.np import numpy_support
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
from numba.cuda.simulator.kernel import _get_kernel_context as inside  # what `cuda` is in a kernel while it runs
from numba.cuda.simulator.kernelapi import FakeCUDAShared

from refnet import dtypes

__all__ = ["SimulatedArray", "inside", "rounding"]


class SimulatedArray(FakeCUDAArray):
    """An array of the simulator that stores as a device does."""

    def __setitem__(self, index, value):
        self._ary[index] = np.asarray(value).astype(self._ary.dtype)


def shared_array(self, shape, dtype, alignment=None):
    """A block's array, one for each line that asks for it, in one step: between the two that the simulator takes to look and to make one,
    a second thread made another now and then, and the block worked on two."""
    frame = sys._getframe(1)
    kind = numpy_support.as_dtype(dtype) if isinstance(dtype, types.Type) else dtype
    return self._allocations.setdefault((frame.f_code.co_filename, frame.f_lineno), np.empty(shape, kind))


FakeCUDAShared.array = shared_array
TURN = 2e-4  # seconds


def in_turns(launch):
    """A launch whose threads take turns more often: the simulator waits for them in a loop that keeps Python's lock for a whole turn."""

    def launched(stream):
        before = sys.getswitchinterval()
        sys.setswitchinterval(TURN)
        try:
            launch(stream)
        finally:
            sys.setswitchinterval(before)

    return launched


def rounding(dtype):
    """The function that rounds a number to a dtype."""
    numpy_dtype = dtypes.as_numpy(dtype)
    return lambda x: np.asarray(x).astype(numpy_dtype)[()]
