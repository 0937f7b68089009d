"""The memory that a kernel sees: arrays on the device, what a block shares, what a thread has for itself, arguments.

Whatever lies outside, or at an address that is no multiple of what is read there, is an error. Between the variables of a space there are
gaps, so that what runs beyond one of them is found out. Nothing is zero that nobody has written: bytes are 0xFF, which is NaN for every float.
"""

import ctypes

import numpy as np

from refnet_fast.cuda.machine.errors import MachineError

GAP = 64  # bytes between variables, at least
# Where these spaces lie among generic addresses; and the arguments of calls among those of the kernel.
WINDOWS = {"shared": 1 << 56, "local": 1 << 57, "call": 1 << 58}
FIRST = 256  # the address of a space's first variable: at zero there is none


class Wrong(Exception):
    """An access that is not allowed.

    Args:
        thread: which of the threads that took part made it.
    """

    def __init__(self, words, thread):
        super().__init__(words)
        self.thread = thread


class Region:
    """Bytes of the host that a kernel may read and write, seen as any dtype; at least the whole sixteens that they lie in must be there."""

    def __init__(self, start, stop):
        self.start, self.stop = start, stop
        self.base = start // 16 * 16
        size = -(-stop // 16) * 16 - self.base
        self.bytes = np.frombuffer((ctypes.c_uint8 * size).from_address(self.base), np.uint8)
        self.views = {}

    def view(self, dtype):
        if dtype not in self.views:
            self.views[dtype] = self.bytes.view(dtype)
        return self.views[dtype]


class Global:
    """Memory of the device: the regions of it that a kernel was given.

    Args:
        regions: [(address, bytes)]; some may overlap, and are one then.
    """

    name = "global"

    def __init__(self, regions):
        self.regions = []
        for start, size in sorted((int(start), int(size)) for start, size in regions):
            if size <= 0:
                continue
            if self.regions and start < self.regions[-1][1]:
                self.regions[-1] = self.regions[-1][0], max(self.regions[-1][1], start + size)
            else:
                self.regions.append((start, start + size))
        self.regions = [Region(*bounds) for bounds in self.regions]
        self.starts = np.array([region.start for region in self.regions], np.int64)

    def parts(self, addresses, size):
        """Yields (Region, which of the addresses lie in it), each with `size` bytes; which is a slice where all of them do."""
        addresses = addresses.view(np.int64)
        low, high = int(addresses.min()), int(addresses.max())
        number = np.searchsorted(self.starts, low, "right") - 1
        if number >= 0 and high + size <= self.regions[number].stop:
            yield self.regions[number], slice(None)
            return
        numbers = np.searchsorted(self.starts, addresses, "right") - 1
        for number in np.unique(numbers):
            which = np.flatnonzero(numbers == number)
            stop = self.regions[number].stop if number >= 0 else -1
            outside = which[addresses[which] + size > stop]
            if len(outside):
                raise Wrong(self._where(int(addresses[outside[0]]), size), int(outside[0]))
            yield self.regions[number], which

    def _where(self, address, size):
        if not self.regions:
            return f"{size} bytes at {address:#x}, and the kernel was given no array"
        distance = [
            (max(region.start - address, address + size - region.stop), region.start - address > 0, region)
            for region in self.regions
        ]
        by, before, region = min(distance, key=lambda found: found[0])
        return (
            f"{size} bytes at {address:#x} lie in no array that the kernel was given; the nearest, of "
            f"{region.stop - region.start} bytes, {'begins' if before else 'ended'} {by} bytes {'behind' if before else 'before'} it"
        )

    def load(self, addresses, dtype, count, threads):
        """`count` arrays of neighbours from each address."""
        aligned(addresses, dtype.itemsize * count)
        found = [np.empty(len(addresses), dtype) for _ in range(count)]
        for region, which in self.parts(addresses, dtype.itemsize * count):
            places = (addresses[which] - np.uint64(region.base)) // np.uint64(dtype.itemsize)
            view = region.view(dtype)
            for k in range(count):
                found[k][which] = view[places + np.uint64(k)]
        return found

    def store(self, addresses, values, dtype, threads):
        aligned(addresses, dtype.itemsize * len(values))
        for region, which in self.parts(addresses, dtype.itemsize * len(values)):
            places = (addresses[which] - np.uint64(region.base)) // np.uint64(dtype.itemsize)
            view = region.view(dtype)
            for k, value in enumerate(values):
                view[places + np.uint64(k)] = np.broadcast_to(value, addresses.shape)[which]


class Space:
    """Memory of which each owner has a part of its own: blocks have shared memory, threads local memory, all together their arguments.

    Args:
        name: "shared", "local" or "param".
        variables: what lies there.
        owner_of: for each thread the number of its owner.
    """

    def __init__(self, name, variables, owner_of):
        self.name, self.owner_of, self.addresses, at = name, owner_of.astype(np.int64), {}, FIRST
        self.variables = variables
        for variable in variables:
            at = -(-at // max(variable.align, 1)) * max(variable.align, 1)
            self.addresses[variable.name] = at
            at += variable.size + GAP
        self.stride = -(-at // 16) * 16
        self.inside = np.zeros(self.stride, bool)
        for variable in variables:
            start = self.addresses[variable.name]
            self.inside[start : start + variable.size] = True
        owners = int(self.owner_of.max()) + 1 if len(owner_of) else 0
        self.bytes = np.full(owners * self.stride, 0xFF, np.uint8)
        for variable in variables:
            if variable.data is not None:
                raise MachineError(f"{name} memory with first values ({variable.name}) is not understood.")
        self.views = {}

    def view(self, dtype):
        if dtype not in self.views:
            self.views[dtype] = self.bytes.view(dtype)
        return self.views[dtype]

    def places(self, addresses, size, itemsize, threads):
        """Where the elements lie in a view of that size."""
        aligned(addresses, size)
        addresses = addresses.view(np.int64) if addresses.dtype == np.uint64 else addresses.astype(np.int64)
        far = (addresses < 0) | (addresses > self.stride - size)
        wrong = far | ~(self.inside[np.where(far, 0, addresses)] & self.inside[np.where(far, 0, addresses + size - 1)])
        if wrong.any():
            thread = int(np.flatnonzero(wrong)[0])
            raise Wrong(f"{size} bytes at {int(addresses[thread]):#x} of {self.name} memory lie in no array", thread)
        return (addresses + self.owner_of[threads] * self.stride) // itemsize

    def load(self, addresses, dtype, count, threads):
        places, view = self.places(addresses, dtype.itemsize * count, dtype.itemsize, threads), self.view(dtype)
        return [view[places + k] for k in range(count)]

    def store(self, addresses, values, dtype, threads):
        places, view = self.places(addresses, dtype.itemsize * len(values), dtype.itemsize, threads), self.view(dtype)
        for k, value in enumerate(values):
            view[places + k] = value


def aligned(addresses, size):
    """Refuses addresses that are no multiples of a power of two."""
    wrong = addresses & addresses.dtype.type(size - 1)
    if wrong.any():
        thread = int(np.flatnonzero(wrong)[0])
        raise Wrong(f"the address {int(addresses[thread]):#x} is no multiple of {size}", thread)
