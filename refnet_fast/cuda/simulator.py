"""What the simulator lacks of a device: integers that wrap around when they are stored. NumPy refuses those that do not fit."""

import numpy as np
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

from refnet import dtypes


class SimulatedArray(FakeCUDAArray):
    """An array of the simulator that stores as a device does."""

    def __setitem__(self, index, value):
        self._ary[index] = np.asarray(value).astype(self._ary.dtype)


def rounding(dtype):
    """The function that rounds a number to a dtype."""
    numpy_dtype = dtypes.as_numpy(dtype)
    return lambda x: np.asarray(x).astype(numpy_dtype)[()]
