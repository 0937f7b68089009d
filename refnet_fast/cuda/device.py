"""The memory of the device, or of the simulator's: blocks of bytes, addresses in them, arrays at addresses."""

import numpy as np

from refnet import dtypes
from refnet.definition import row_major, size_of
from refnet_fast.cuda.target import simulated
from refnet_fast.native import address_of


class Block:
    """Bytes on the device, theirs as long as the object lives."""

    def __init__(self, size):
        from numba import cuda

        self.room = cuda.to_device(np.zeros(max(size, 1), np.uint8))
        self.address = address_of(self.room._ary) if simulated() else self.room.__cuda_array_interface__["data"][0]


class _At:
    """Memory that NumPy is to look at."""

    def __init__(self, address, shape, strides, dtype):
        self.__array_interface__ = {
            "data": (address, False),
            "shape": shape,
            "strides": strides,
            "typestr": dtype.str,
            "version": 3,
        }


def array_at(address, shape, dtype, strides=None):
    """A device array on memory that somebody else keeps.

    Args:
        strides: in elements; None for row-major.
    """
    dtype = dtypes.as_numpy(dtype)
    steps = tuple(s * dtype.itemsize for s in (row_major(shape) if strides is None else strides))
    if simulated():
        from refnet_fast.cuda.simulator import SimulatedArray

        return SimulatedArray(np.asarray(_At(address, tuple(shape), steps, dtype)).view(dtype))
    from numba import cuda
    from numba.cuda.cudadrv.devicearray import DeviceNDArray

    extent = max(size_of(shape), 1) * dtype.itemsize
    raw = cuda.from_cuda_array_interface({"data": (address, False), "shape": (extent,), "typestr": "|u1", "version": 3})
    return DeviceNDArray(shape=tuple(shape), strides=steps, dtype=dtype, gpu_data=raw.gpu_data)


def upload(array, address):
    """Copies a row-major host array to an address."""
    if array.size:
        array_at(address, (array.nbytes,), "uint8").copy_to_device(bytes_in(array))


def download(address, array):
    """Copies from an address into a row-major host array."""
    if array.size:
        array_at(address, (array.nbytes,), "uint8").copy_to_host(bytes_in(array))


def bytes_in(array):
    """A row-major array's bytes, flat."""
    return array.reshape(-1).view(np.uint8)
