"""The door to the device, or to the simulator's: blocks of bytes, arrays at addresses, copies, waits. All of it is counted."""

import collections
import contextlib
import threading
import weakref

import numpy as np

from refnet import dtypes
from refnet.definition import row_major, size_of
from refnet.errors import OutOfMemoryError, in_words
from refnet_fast.cuda.target import simulated
from refnet_fast.native import address_of

# How often the host has asked for what: "launch" and "replay" return at once; "upload", "download" and "wait" stop the host.
calls: collections.Counter = collections.Counter()

limit = None  # bytes that blocks may take together; None: as many as the device has
held = 0  # bytes that blocks take
reserves: weakref.WeakSet = weakref.WeakSet()  # objects whose `give_back()` frees memory that can be done without

# Held while a stream is captured, and by what works on the default stream (memory is zeroed there, and copies that wait run there): the
# driver refuses that while a stream is captured, whichever thread asks, and what was captured is lost. Memory is not given back
# then either. Nobody waits for another lock inside.
order = threading.RLock()


class Block:
    """Zeroed bytes on the device, theirs as long as the object lives.

    Raises:
        OutOfMemoryError: what was needed and what was free, also in its attributes `needed` and `free`.
    """

    def __init__(self, size):
        size = max(size, 1)
        try:
            self.room = zeros(size)
        except MemoryError:
            for reserve in list(reserves):
                reserve.give_back()
            self.room = zeros(size)
        self.address = address_of(self.room._ary) if simulated() else self.room.__cuda_array_interface__["data"][0]
        _account(size)
        weakref.finalize(self, _account, -size)


def _account(size):
    global held
    held += size


def zeros(size):
    """A zeroed device array of bytes."""
    from numba import cuda

    left = free()
    if size > left:
        raise full(size, left)
    if simulated():
        return cuda.to_device(np.zeros(size, np.uint8))
    from numba.cuda.cudadrv import driver

    with refused(size), order:
        room = cuda.device_array(size, np.uint8)
        driver.device_memset(room, 0, size)
    return room


@contextlib.contextmanager
def refused(size):
    """Inside, the driver's own word for memory that is not there becomes ours."""
    from numba.cuda.cudadrv.driver import CudaAPIError, binding

    try:
        yield
    except CudaAPIError as error:
        if error.code != binding.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            raise
        raise full(size, free()) from error


def full(size, left):
    error = OutOfMemoryError(f"the device has no room for {in_words(size)}: {in_words(left)} are free.")
    error.needed, error.free = size, left
    return error


def free():
    """Bytes that can still be taken. Numba keeps what is given back, up to a fifth of the device, to free it later: it is freed now."""
    from numba import cuda

    context = cuda.current_context()
    with order:  # while a stream is captured nothing is given back
        if not simulated():
            context.memory_manager.deallocations.clear()
        left = context.get_memory_info().free
    return left if limit is None else min(left, limit - held)


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


# ---- copies and waits. Those without a stream are ordered after and before all work on streams that `cuda.stream` makes.


def upload(array, address):
    """Copies a row-major host array to an address."""
    if array.size:
        calls["upload"] += 1
        with order:
            array_at(address, (array.nbytes,), "uint8").copy_to_device(bytes_in(array))


def download(address, array):
    """Copies from an address into a row-major host array."""
    if array.size:
        calls["download"] += 1
        with order:
            array_at(address, (array.nbytes,), "uint8").copy_to_host(bytes_in(array))


def send(array, address, stream):
    """Starts a copy of a pinned, row-major host array to an address; the array must stay as it is until it is done."""
    if array.size:
        calls["send"] += 1
        array_at(address, (array.nbytes,), "uint8").copy_to_device(bytes_in(array), stream=stream)


def wait(thing):
    """Waits until a stream is idle, or an event has come."""
    calls["wait"] += 1
    thing.synchronize()


def bytes_in(array):
    """A row-major array's bytes, flat."""
    return array.reshape(-1).view(np.uint8)
