"""What the simulator lacks of a device, and blocks that it simulates faster.

Integers wrap around when they are stored, where NumPy refuses those that do not fit; and functions that kernels call find the
running block by `inside()`, as the simulator puts its `cuda` into the kernel's own module alone.
"""

import sys
import threading

import numpy as np
from numba.cuda import types
from numba.cuda.np import numpy_support
from numba.cuda.simulator import kernel
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
    """A block's array, one for each line that asks for it. The simulator finds the line in a copy of the whole stack."""
    frame = sys._getframe(1)
    kind = numpy_support.as_dtype(dtype) if isinstance(dtype, types.Type) else dtype
    return self._allocations.setdefault((frame.f_code.co_filename, frame.f_lineno), np.empty(shape, kind))


FakeCUDAShared.array = shared_array


class Worker(kernel.BlockThread):
    """A Python thread that is the threads of a block one after the other, until one of them meets a barrier and waits there in it."""

    def __init__(self, block, grid_point):
        super().__init__(block.work, block, grid_point, (0, 0, 0), False)
        self.resumed, self.waits = threading.Lock(), False
        self.resumed.acquire()

    def run(self):
        try:
            super().run()  # keeps an exception for the block, made anew with the thread in its words
        except Exception as error:  # its class takes more than words
            found = error.__context__ or error
            self.exception = found, found.__traceback__
        self.waits = False
        if not self.abort:  # else nobody waits for it but to join it
            self._manager.stopped.release()

    def syncthreads(self):
        self.waits = True
        self._manager.stopped.release()
        self.resumed.acquire()
        if self.abort:
            raise RuntimeError("another thread of the block failed")


class Block(kernel.BlockManager):
    """A block of which one thread works at a time, from barrier to barrier.

    The simulator starts a Python thread for each thread of the device and asks all of them in a loop whether they wait yet, which
    takes most of its time. Here a Python thread is started where the one before waits at a barrier: a kernel without barriers runs
    in one. Every other block begins with its last thread, and after a barrier threads go on in the opposite order: of two blocks one
    shows that a barrier is missing, whichever neighbour is read.
    """

    def run(self, grid_point, *args):
        points = list(np.ndindex(*self._block_dim))
        self.args, self.points, self.left = args, iter(points[:: -1 if sum(grid_point) % 2 else 1]), len(points)
        self.stopped = threading.Lock()
        self.stopped.acquire()
        waiting = []
        while self.left:
            worker = Worker(self, grid_point)
            waiting += self.waiting_after(worker.start, worker, waiting)
        while waiting:
            waiting.reverse()
            turn, waiting = waiting, []
            while turn:
                worker = turn.pop(0)
                waiting += self.waiting_after(worker.resumed.release, worker, waiting + turn)

    def work(self):
        """What a worker does: the threads that no other has begun."""
        worker = threading.current_thread()
        for point in self.points:
            self.left -= 1
            worker.threadIdx = kernel.Dim3(*point)
            worker.thread_id = int(np.ravel_multi_index(point[::-1], self._block_dim[::-1]))
            self._f(*self.args)

    def waiting_after(self, go, worker, others):
        """Lets a worker work until it ends or waits: [] or [worker]. If its kernel raised, the others end and the exception is raised."""
        go()
        self.stopped.acquire()
        if worker.exception:
            for other in others:
                other.abort = True
                other.resumed.release()
            for ended in (worker, *others):
                ended.join()
            raise worker.exception[0].with_traceback(worker.exception[1])
        return [worker] if worker.waits else []


kernel.BlockManager = Block


def rounding(dtype):
    """The function that rounds a number to a dtype."""
    numpy_dtype = dtypes.as_numpy(dtype)
    return lambda x: np.asarray(x).astype(numpy_dtype)[()]
