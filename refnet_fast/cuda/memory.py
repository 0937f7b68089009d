"""The memory of a plan on the device: the CPU's arena by lifetime, in one block."""

import numpy as np

from refnet import dtypes
from refnet_fast.cuda.device import Block, download, upload
from refnet_fast.memory import Memory


class Rooms:
    """Blocks that live as long as this object."""

    def __init__(self):
        self.kept = []

    def room_for(self, size):
        """The address of `size` zeroed bytes."""
        block = Block(size)
        self.kept.append(block)
        return block.address

    def keep(self, array):
        """The address of a copy of an array."""
        address = self.room_for(array.nbytes)
        upload(array, address)
        return address


class DeviceMemory(Rooms, Memory):
    """The addresses of a plan's tensors on the device.

    Args:
        residence: where the variables lie.
        groups: the plan's units in lists that run as one.
    """

    def __init__(self, plan, residence, groups):
        self.residence = residence
        Memory.__init__(self, plan, groups)

    def allocate(self, size):
        return self.room_for(size)

    def home(self, variable):
        return self.residence.home(variable)

    def side_by_side(self, variables):
        return self.residence.side_by_side(variables)

    def array(self, tensor):
        """A copy of a tensor's value, on the host."""
        result = np.empty(tensor.shape, dtypes.as_numpy(tensor.dtype))
        download(self.address(tensor), result)
        return result
