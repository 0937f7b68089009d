"""Where the device takes its batches from: a data set that lies there as a whole, or one that comes in windows."""

import numpy as np

from refnet.definition import size_of
from refnet.engine import as_fed
from refnet_fast.cuda import device
from refnet_fast.cuda.device import Block
from refnet_fast.cuda.services import flat

WINDOW = 2**25  # bytes of a window


def stored(array, dtype):
    """The array as the device keeps it: small integers as they are, for gathering converts them; others in the input's dtype."""
    small = array.dtype.kind in "bui" and array.dtype.itemsize <= np.dtype("int32").itemsize
    wide = dtype in ("float32", "float64", "int32", "int64")
    return array if small and wide and array.flags.c_contiguous else as_fed(array, dtype)


def feed(residence, data, order, batch_size, inputs):
    """The Resident of a data set if it fits into half of what is free, or is there already; else its Windows."""
    kept = residence.data_set(data)
    if kept is None:
        arrays = [stored(array, x.dtype) for array, x in zip(data, inputs)]
        if sum(a.nbytes for a in arrays) + 8 * len(arrays[0]) <= device.free() / 2:
            kept = Resident(arrays, order)
        else:
            kept = Windows(arrays, order, batch_size)
        residence.keep_data(data, kept)
    kept.begin(order)
    return kept


class Resident:
    """A data set on the device; batches are gathered there, in the order that the host has drawn.

    Attributes:
        sources: a flat Placed for each array.
        order: a flat Placed of the samples' numbers; it has a place even where they are taken one after the other.
        ring: 0: the batch of step s begins with sample s * batch_size.
    """

    ring = 0

    def __init__(self, arrays, order):
        self.samples = len(arrays[0]) if order is None else len(order)
        self.blocks = [Block(a.nbytes) for a in arrays]
        self.sources = [flat(b.address, a.size, a.dtype.name) for a, b in zip(arrays, self.blocks)]
        for array, block in zip(arrays, self.blocks):
            device.upload(array, block.address)
        self.ordered = Block(8 * self.samples)
        self.order = flat(self.ordered.address, self.samples, "int64")
        self.drawn, self.begun = None, False

    def begin(self, order):
        """Takes the samples in this order, which is as long as the first one was; None: one after the other."""
        if order is not self.drawn or not self.begun:
            numbers = np.arange(self.samples) if order is None else np.ascontiguousarray(order, np.int64)
            device.upload(numbers, self.order.address)
            self.drawn, self.begun = order, True

    def lasting(self, step):
        """How many batches from this one on stay where they are until the host has looked at what became of them: all."""
        return self.samples

    def before(self, step, stream):
        """Nothing has to be done before a step is started."""

    def after(self, step):
        """Nor when it has been."""


class Windows:
    """A data set too large for the device: while the device works on one window of batches, the next is gathered by the host
    into pinned memory and sent by a stream of its own.

    Attributes: as of a Resident; a window is in one of two slots, so step s finds its batch at (s % ring) * batch_size.
    """

    order = None

    def __init__(self, arrays, order, batch_size):
        from numba import cuda

        self.arrays, self.batch_size = arrays, batch_size
        self.samples = len(arrays[0]) if order is None else len(order)
        row = sum(size_of(a.shape[1:]) * a.itemsize for a in arrays)
        self.steps = max(1, min(WINDOW // max(1, row * batch_size), -(-self.samples // batch_size)))
        self.ring, samples = 2 * self.steps, self.steps * batch_size
        self.blocks = [Block(2 * samples * size_of(a.shape[1:]) * a.itemsize) for a in arrays]
        self.sources = [
            flat(b.address, 2 * samples * size_of(a.shape[1:]), a.dtype.name) for a, b in zip(arrays, self.blocks)
        ]
        self.pinned = [[cuda.pinned_array((samples, *a.shape[1:]), a.dtype) for a in arrays] for _ in range(2)]
        self.sending = cuda.stream()
        self.sent, self.used = ([cuda.event() for _ in range(2)] for _ in range(2))
        self.drawn, self.begun = None, False
        self.current, self.loaded = -1, -1

    def begin(self, order):
        if order is not self.drawn or not self.begun:
            self.drawn, self.begun, self.current, self.loaded = order, True, -1, -1

    def lasting(self, step):
        """Those of the step's window: while the device works on it, the next goes to the other slot."""
        return self.steps - step % self.steps

    def before(self, step, stream):
        """Sees to it that the step's window is there before the step."""
        window = step // self.steps
        if window == self.current:
            return
        if self.current >= 0:
            self.used[self.current % 2].record(stream)
        if self.loaded != window:
            device.wait(stream)  # another place of the epoch: both slots may be in use
            self._load(window)
        self.sent[window % 2].wait(stream)
        self.current = window

    def after(self, step):
        """Gathers the next window as soon as all steps of this one have been started."""
        window, beyond = step // self.steps, (step + 1) * self.batch_size
        if (step + 1) % self.steps == 0 and beyond < self.samples and self.loaded == window:
            self._load(window + 1)

    def _load(self, window):
        slot, first = window % 2, window * self.steps * self.batch_size
        last = min(first + self.steps * self.batch_size, self.samples)
        device.wait(self.sent[slot])  # the pinned memory is free again
        self.used[slot].wait(self.sending)
        for array, pinned, source in zip(self.arrays, self.pinned[slot], self.sources):
            part = pinned[: last - first]
            if self.drawn is None:
                part[...] = array[first:last]
            else:
                np.take(array, self.drawn[first:last], axis=0, out=part, mode="clip")  # "raise" would gather twice
            start = slot * pinned.nbytes
            device.send(part, source.address + start, self.sending)
        self.sent[slot].record(self.sending)
        self.loaded = window
