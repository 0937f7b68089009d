"""The threads of some blocks: their registers, what they are called, and the memory that they see."""

import numpy as np

from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.kinds import BITS
from refnet_fast.cuda.machine.memory import WINDOWS, Space, Wrong
from refnet_fast.cuda.machine.moving import Copies
from refnet_fast.cuda.machine.races import Races

WARP = 32
UNWRITTEN = {16: 0xCDCD, 32: 0xCDCDCDCD, 64: 0xCDCDCDCDCDCDCDCD}  # what a register holds that nobody has written


class Threads:
    """All threads of neighbouring blocks.

    Args:
        program: what they run.
        memory: Global.
        grid, block: the launch's, three numbers each.
        first, blocks: the number of the first block, and how many there are.
        arguments: bytes of the kernel's parameters, in order.
        shadow: what is known of accesses to global memory, of all blocks; None if races are not looked for.
    Attributes:
        registers: an array of bits, of all threads, for each register.
        block_of, warp_of, lane: of each thread; blocks and warps are numbered from zero here.
        live: whether a thread is still to do something.
    """

    def __init__(self, program, memory, grid, block, first, blocks, arguments, shadow):
        self.program, self.memory, self.grid, self.block, self.blocks = program, memory, grid, block, blocks
        size = block[0] * block[1] * block[2]
        self.count, self.first = blocks * size, first
        number = np.arange(self.count)
        self.block_of, inside = number // size, number % size
        warps = -(-size // WARP)
        self.warps, self.warp_of, self.lane = blocks * warps, self.block_of * warps + inside // WARP, inside % WARP
        self.inside, self.block_size = inside, size
        self.live = np.ones(self.count, bool)
        self.registers = [
            np.zeros(self.count, bool) if width == 0 else np.full(self.count, UNWRITTEN[width], BITS[width])
            for width in program.widths
        ]
        self.specials, self.carry = {}, np.zeros(self.count, bool)
        self.shared = Space("shared", program.variables("shared"), self.block_of)
        self.local = Space("local", program.variables("local"), number)
        self.inner = Space("param", program.variables("param"), number)  # of calls
        self.parameters = Space("param", program.kernel.parameters, np.zeros(self.count, np.int64))
        for variable, data in zip(program.kernel.parameters, arguments, strict=True):
            if len(data) != variable.size:
                raise MachineError(f"{program.name}: {variable.name} takes {variable.size} bytes, not {len(data)}")
            start = self.parameters.addresses[variable.name]
            self.parameters.bytes[start : start + variable.size] = np.frombuffer(data, np.uint8)
        self.copies = Copies(self)
        self.races = Races(self, shadow) if shadow is not None else None

    # ---- which threads

    def indices(self, chosen):
        """The numbers of the chosen threads."""
        return np.arange(self.count) if isinstance(chosen, slice) else chosen

    def size(self, chosen):
        return self.count if isinstance(chosen, slice) else len(chosen)

    def told(self, number):
        """A thread as a person calls it."""
        x, y, _ = self.block
        inside, block = int(self.inside[number]), self.first + int(self.block_of[number])
        return (
            f"thread ({inside % x}, {inside // x % y}, {inside // (x * y)}) of block "
            f"({block % self.grid[0]}, {block // self.grid[0] % self.grid[1]}, {block // (self.grid[0] * self.grid[1])})"
        )

    def together(self, chosen):
        """Notes that warps have met, which puts their accesses in order."""
        if self.races:
            self.races.met(np.unique(self.warp_of[chosen]))

    # ---- special registers

    def special(self, name):
        """The values of a special register, for all threads."""
        if name not in self.specials:
            self.specials[name] = self._special(name).astype(np.int64)
        return self.specials[name]

    def _special(self, name):
        base, _, axis = name[1:].partition(".")
        (x, y, _), (gx, gy, _) = self.block, self.grid
        block = self.first + self.block_of
        if base == "tid":
            return {"x": self.inside % x, "y": self.inside // x % y, "z": self.inside // (x * y)}[axis]
        if base == "ctaid":
            return {"x": block % gx, "y": block // gx % gy, "z": block // (gx * gy)}[axis]
        if base in ("ntid", "nctaid"):
            sizes = self.block if base == "ntid" else self.grid
            return np.full(self.count, sizes["xyz".index(axis)])
        if base == "laneid":
            return self.lane
        if base == "warpid":
            return self.inside // WARP
        if base.startswith("lanemask_"):
            one = np.int64(1) << self.lane
            below, above = one - 1, (1 << WARP) - 2 * one
            return {"eq": one, "lt": below, "le": below | one, "gt": above, "ge": above | one}[base[9:]]
        raise MachineError(f"the special register {name} is not understood")

    # ---- memory

    def address(self, name):
        """The address of a variable in its own space."""
        for space in (self.shared, self.local, self.parameters):
            if name in space.addresses:
                return space.addresses[name]
        if name in self.inner.addresses:
            return WINDOWS["call"] + self.inner.addresses[name]
        if name in self.program.constants:
            return self.program.constants[name]
        raise MachineError(f"there is no variable {name}")

    def space(self, name, addresses):
        """Yields (the space that addresses lie in, which of them, how far it begins among them)."""
        if name in ("global", "const"):
            yield self.memory, slice(None), 0
        elif name in ("shared", "local"):
            yield getattr(self, name), slice(None), 0
        elif name == "param":
            of_call = bool(len(addresses)) and int(addresses[0]) >= WINDOWS["call"]
            yield (self.inner, slice(None), WINDOWS["call"]) if of_call else (self.parameters, slice(None), 0)
        elif name == "generic":
            window = addresses >> np.uint64(56)
            for number in np.unique(window):
                which = np.flatnonzero(window == number) if (window != number).any() else slice(None)
                found = {WINDOWS["shared"] >> 56: "shared", WINDOWS["local"] >> 56: "local"}.get(int(number))
                yield (getattr(self, found) if found else self.memory), which, WINDOWS.get(found, 0)
        else:
            raise MachineError(f"the space {name!r} is not understood")

    def load(self, name, addresses, dtype, count, chosen, atomic=False):
        """`count` neighbours from the address of each chosen thread, an array each."""
        numbers = self.indices(chosen)
        found = None
        for space, which, start in self.space(name, addresses):
            with self.wrong(numbers[which]):
                at = addresses[which] - np.uint64(start)
                part = space.load(at, dtype, count, numbers[which])
                if self.races and space.name in ("shared", "global"):
                    self.races.read(space.name, at, dtype.itemsize * count, numbers[which], atomic)
            if isinstance(which, slice):
                return part
            found = found or [np.empty(len(addresses), dtype) for _ in range(count)]
            for values, some in zip(found, part):
                values[which] = some
        return found

    def store(self, name, addresses, values, dtype, chosen, atomic=False):
        numbers = self.indices(chosen)
        for space, which, start in self.space(name, addresses):
            with self.wrong(numbers[which]):
                at = addresses[which] - np.uint64(start)
                some = [np.broadcast_to(value, addresses.shape)[which] for value in values]
                if self.races and space.name in ("shared", "global"):
                    self.races.wrote(space.name, at, dtype.itemsize * len(values), numbers[which], atomic, some)
                space.store(at, some, dtype, numbers[which])

    def checked(self, addresses, amount, size, numbers):
        """Refuses reads of device memory, of so many bytes each, that are not allowed."""
        for length in np.unique(amount):
            which = np.flatnonzero(amount == length)
            with self.wrong(numbers[which]):
                list(self.memory.parts(addresses[which], int(length)))
        with self.wrong(numbers):
            off = addresses & np.uint64(size - 1)
            if off.any():
                at = int(np.flatnonzero(off)[0])
                raise Wrong(f"the address {int(addresses[at]):#x} is no multiple of {size}", at)

    def bytes_at(self, addresses, length):
        """Bytes of device memory, a row for each address."""
        rows = np.empty((len(addresses), length), np.uint8)
        for region, which in self.memory.parts(addresses, length):
            start = (addresses[which] - np.uint64(region.base)).astype(np.int64)
            rows[which] = region.bytes[start[:, None] + np.arange(length)]
        return rows

    def wrong(self, numbers):
        return Told(self, numbers)


class Told:
    """Inside, a wrong access becomes an error that names the thread."""

    def __init__(self, threads, numbers):
        self.threads, self.numbers = threads, numbers

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Wrong):
            raise MachineError(f"{error}, asked for by {self.threads.told(self.numbers[error.thread])}") from error
