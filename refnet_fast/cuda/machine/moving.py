"""Loads, stores, atomic changes, and copies that run in the background."""

import numpy as np

from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.integers import known
from refnet_fast.cuda.machine.kinds import BITS, kind_of
from refnet_fast.cuda.machine.operands import Number
from refnet_fast.cuda.machine.program import Plain, family, parts_of

SPACES = ("global", "shared", "local", "param", "const")
# What says how caches and other threads see an access: nothing that an order of instructions one by one could show.
ORDERS = ("volatile", "relaxed", "weak", "acquire", "release", "acq_rel", "cta", "gpu", "sys", "nc", "ca", "cg", "cs")
ORDERS += ("cv", "lu", "wb", "wt", "L1::no_allocate", "L1::evict_last", "L1::evict_first", "L2::128B", "L2::256B")


def space_of(words):
    """The space that an instruction names, "generic" if none."""
    named = [word.partition("::")[0] for word in words if word.partition("::")[0] in SPACES]
    if len(named) > 1:
        raise MachineError("it names several spaces")
    return named[0] if named else "generic"


def places(program, operand):
    """`read(threads, chosen)`: the address of each chosen thread."""
    base, offset = (
        program.source(operand.base, np.uint64 if not _short(program, operand) else np.uint32),
        operand.offset,
    )

    def read(threads, chosen):
        found = base(threads, chosen).astype(np.uint64) + np.uint64(offset % 2**64)
        if len(found) == 1:
            return np.repeat(found, threads.size(chosen))
        return found

    return read


def _short(program, operand):
    """Whether an address lies in a register of 32 bits."""
    name = getattr(operand.base, "name", None)
    return name in program.numbers and program.widths[program.numbers[name]] == 32


def width_of(words):
    """How many neighbours an access moves."""
    return 2 if "v2" in words else 4 if "v4" in words else 1


@family("ld", "ldu")
def load(program, instruction):
    _, *words, kind = instruction.words
    known(words, "v2", "v4", "param::entry", "param::func", "shared::cta", *SPACES, *ORDERS)
    count, space, dtype = width_of(words), space_of(words), kind_of(kind)
    target, operand = instruction.operands
    writes, read = [program.target(part) for part in parts_of(target)], places(program, operand)
    if len(writes) != count:
        raise MachineError(f"{count} registers are needed")

    def run(threads, chosen):
        found = threads.load(space, read(threads, chosen), dtype, count, chosen)
        for write, values in zip(writes, found):
            write(threads, chosen, values)

    return Plain(run)


@family("st")
def store(program, instruction):
    _, *words, kind = instruction.words
    known(words, "v2", "v4", "param::func", "shared::cta", *SPACES, *ORDERS)
    count, space, dtype = width_of(words), space_of(words), kind_of(kind)
    operand, source = instruction.operands
    address, reads = places(program, operand), [program.source(part, dtype) for part in parts_of(source)]
    if len(reads) != count:
        raise MachineError(f"{count} registers are needed")

    def run(threads, chosen):
        values = [read(threads, chosen) for read in reads]
        threads.store(space, address(threads, chosen), values, dtype, chosen)

    return Plain(run)


@family("fence", "membar")
def fence(program, instruction):
    """Nothing to be done: each instruction is seen by all threads before the next one."""
    known(instruction.words[1:], "cta", "gl", "sys", "gpu", "sc", "acq_rel")
    return Plain(lambda threads, chosen: None)


@family("prefetch", "discard")
def prefetched(program, instruction):
    known(instruction.words[1:], "global", "L1", "L2")
    return Plain(lambda threads, chosen: None)


# ---- atomic changes

CHANGES = {
    "add": lambda old, new: old + new,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "exch": lambda old, new: new,
    "inc": lambda old, new: np.where(old >= new, old.dtype.type(0), old + old.dtype.type(1)),
    "dec": lambda old, new: np.where((old == 0) | (old > new), new, old - old.dtype.type(1)),
}


@family("atom", "red")
def atomic(program, instruction):
    """One thread after the other."""
    name, *words, kind = instruction.words
    change = [word for word in words if word in CHANGES or word == "cas"]
    known([word for word in words if word not in change], "shared::cta", *SPACES, *ORDERS)
    space, dtype, change = space_of(words), kind_of(kind), change[0]
    target, operand, *sources = instruction.operands if name == "atom" else (None, *instruction.operands)
    write, address = program.target(target), places(program, operand)
    reads = [program.source(source, dtype) for source in sources]

    def run(threads, chosen):
        numbers, addresses = threads.indices(chosen), address(threads, chosen)
        given = [np.broadcast_to(read(threads, chosen), addresses.shape) for read in reads]
        before = np.empty(len(numbers), dtype)
        for n, number in enumerate(numbers):
            one, at = np.array([number]), addresses[n : n + 1]
            (old,) = threads.load(space, at, dtype, 1, one, atomic=True)
            if change == "cas":
                new = given[1][n : n + 1] if old[0] == given[0][n] else old
            else:
                new = CHANGES[change](old, given[0][n : n + 1]).astype(dtype)
            threads.store(space, at, [new], dtype, one, atomic=True)
            before[n] = old[0]
        write(threads, chosen, before)

    return Plain(run)


# ---- copies in the background


@family("cp")
def copy(program, instruction):
    """`cp.async` and its waits. Bytes arrive when a thread waits for them, not before: who forgets to wait reads what was there.

    Of the bytes to be written those behind the fourth operand are zeros.
    """
    words = instruction.words[1:]
    if words[0] != "async":
        raise MachineError("only cp.async is understood")
    if words[1] == "commit_group":
        return Plain(lambda threads, chosen: threads.copies.commit(chosen))
    if words[1] == "wait_all":
        return Plain(lambda threads, chosen: threads.copies.wait_all(chosen))
    if words[1] == "wait_group":
        left = int(instruction.operands[0].text)
        return Plain(lambda threads, chosen: threads.copies.wait(chosen, left))
    known(words[1:], "ca", "cg", "shared", "shared::cta", "global", "L2::128B", "L2::64B", "L2::256B")
    target, source, size, *read = instruction.operands
    size = int(size.text)
    if size not in ((16,) if "cg" in words else (4, 8, 16)):
        raise MachineError(f"{size} bytes are not copied at once")
    to, of = places(program, target), places(program, source)
    amount = program.source(read[0] if read else Number(str(size)), np.uint32)

    def run(threads, chosen):
        given = to(threads, chosen), of(threads, chosen), amount(threads, chosen)
        threads.copies.begin(chosen, *given, size)

    return Plain(run)


class Copies:
    """The copies of threads that nobody has waited for yet.

    Attributes:
        committed: how many groups each thread has closed.
        pending: [(threads, their group, where to, where from, bytes that are read, bytes that are written)].
    """

    def __init__(self, threads):
        self.threads, self.pending = threads, []
        self.committed = np.zeros(threads.count, np.int64)

    def begin(self, chosen, to, of, amount, size):
        numbers, threads = self.threads.indices(chosen), self.threads
        amount = np.broadcast_to(amount, to.shape).copy()
        if (amount > size).any():
            raise MachineError(f"cp.async is to read more than its {size} bytes")
        # Refused now what a device would refuse now; and whoever reads the target from here on does so too early or too late.
        threads.shared.places(to, size, size, numbers)
        if threads.races:
            threads.races.wrote("shared", to, size, numbers, background=True)
        some = amount > 0
        threads.checked(of[some], amount[some], size, numbers[some])
        self.pending.append((numbers, self.committed[numbers], to.copy(), of.copy(), amount, size))

    def commit(self, chosen):
        self.committed[chosen] += 1

    def wait(self, chosen, left):
        """Copies all groups that the chosen threads have closed, but for the last ones."""
        self._finish(chosen, self.committed - left)

    def wait_all(self, chosen):
        self._finish(chosen, np.full(len(self.committed), np.iinfo(np.int64).max))

    def _finish(self, chosen, bound):
        waits = np.zeros(len(self.committed), bool)
        waits[chosen] = True
        kept = []
        for numbers, group, to, of, amount, size in self.pending:
            done = waits[numbers] & (group < bound[numbers])
            if done.any():
                self._arrive(numbers[done], to[done], of[done], amount[done], size)
            if not done.all():
                stay = ~done
                kept.append((numbers[stay], group[stay], to[stay], of[stay], amount[stay], size))
        self.pending = kept

    def _arrive(self, numbers, to, of, amount, size):
        words = np.zeros((len(numbers), size), np.uint8)
        for length in np.unique(amount):
            if length:
                which = np.flatnonzero(amount == length)
                words[which, :length] = self.threads.bytes_at(of[which], int(length))
        dtype = BITS[32] if size < 16 else BITS[64]
        values = np.ascontiguousarray(words).view(dtype)
        columns = [values[:, k] for k in range(values.shape[1])]
        self.threads.shared.store(to, columns, dtype, numbers)
        if self.threads.races:
            self.threads.races.wrote("shared", to, size, numbers)
