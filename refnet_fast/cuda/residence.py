"""Where variables lie on the device, and whose copy is the newest: the host's or the device's."""

import contextlib
import functools
import weakref

from refnet.graph import Variable
from refnet_fast.cuda.device import Block, download, reserves, upload
from refnet_fast.memory import bytes_of, padded


class Residence:
    """Holds variables on the device while an engine works with them.

    A variable's `residence` is this object while the device has its value. Then `fetch` copies it to the host on request, and
    `release` tells that the host is about to write its own.

    Args:
        device: the number of the device; None for the one that is current, which is the first unless a program says otherwise.
    """

    def __init__(self, device=None):
        self.device = device
        self.places = weakref.WeakKeyDictionary()  # variable -> (block, address)
        self.placed = weakref.WeakSet()  # variables that a program laid beside others
        self.newer = weakref.WeakSet()  # variables written on the device since the host last saw them
        self.data: dict = {}  # id of a list of arrays -> (weak reference to it, where batches of it come from)
        reserves.add(self)

    def current(self):
        """A context in which allocations, copies and launches are this device's."""
        from numba import cuda

        if self.device is None:
            cuda.current_context()  # a thread that has none gets one: the driver's own calls ask for it
            return contextlib.nullcontext()
        return cuda.gpus[self.device]

    @functools.cached_property
    def stream(self):
        """Where every kernel of this device is started. Copies without a stream keep their order with it."""
        from numba import cuda

        with self.current():
            return cuda.stream()

    # ---- data sets

    def data_set(self, arrays):
        """What `keep_data` was given for this very list."""
        return self.data.get(id(arrays), (None, None))[1]

    def keep_data(self, arrays, feeding):
        """Keeps a data set as long as the list of its arrays lives; one that nobody can refer to weakly is not kept."""
        key = id(arrays)
        with contextlib.suppress(TypeError):
            self.data[key] = weakref.ref(arrays, lambda _: self.data.pop(key, None)), feeding

    def give_back(self):
        """Gives up the data sets: they are brought again when they are needed."""
        self.data.clear()

    # ---- variables

    def home(self, variable):
        """The address of a variable; it gets one if it had none."""
        if variable not in self.places:
            block = Block(bytes_of(variable))
            self.places[variable] = block, block.address
        return self.places[variable][1]

    def lies_at(self, variable):
        """The address of a variable that lies in a block with others, else None."""
        return self.places[variable][1] if variable in self.placed else None

    def side_by_side(self, variables):
        """The address of a block in which these variables lie in order; they are moved unless they already do.

        Others may be neighbours by chance: see `refnet_fast.memory.side_by_side`.
        """
        start = at = self.home(variables[0])
        for variable in variables:
            if self.lies_at(variable) != at:
                break
            at += padded(variable)
        else:
            return start
        block = Block(sum(map(padded, variables)))
        at = block.address
        for variable in variables:
            variable.come_home()
            self.places[variable] = block, at
            at += padded(variable)
        self.placed.update(variables)
        Variable.moves += 1
        return block.address

    def bring(self, variable):
        """Sees to it that the device has a variable's value."""
        if variable.residence is self:
            return
        variable.come_home()
        upload(variable.array, self.home(variable))
        variable.residence = self
        Variable.moves += 1

    def written(self, variables):
        """Notes that the device has new values of these."""
        self.newer.update(variables)

    def fetch(self, variable):
        """Copies a variable's value to its array on the host, if that is older."""
        if variable in self.newer:
            with self.current():
                download(self.home(variable), variable.array)
            self.newer.discard(variable)

    def release(self, variable):
        """Gives a variable up; its place is kept for the next time."""
        self.newer.discard(variable)
