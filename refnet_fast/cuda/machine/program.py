"""A kernel's instructions as functions of threads: each reads its operands for the threads that are chosen, and writes its results."""

import functools

import numpy as np

from refnet_fast.cuda.machine import kinds
from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.operands import Number, Register, Several, Symbol
from refnet_fast.cuda.machine.reading import read

FAMILIES: dict = {}  # first word of an instruction -> function(program, instruction) that makes a step of it


def family(*names):
    """Declares what makes steps of the instructions that begin with these words."""

    def declare(make):
        for name in names:
            if name in FAMILIES:
                raise ValueError(f"{name} is declared twice")
            FAMILIES[name] = make
        return make

    return declare


class Plain:
    """A step of threads that do not ask for others."""

    def __init__(self, run):
        self.run = run


class Jump:
    """Threads go on at a label."""

    def __init__(self, target):
        self.target = target


class End:
    """Threads are done."""


class Meeting:
    """A step that is made when others have come to it.

    Args:
        run: `run(threads, chosen)`.
        members: a source of the lanes that must come, for a step of a warp; None where all threads of the block must.
        barrier: the number of the barrier, for a step of a block.
    """

    def __init__(self, run, members=None, barrier=None):
        self.run, self.members, self.barrier = run, members, barrier


class Program:
    """A kernel, ready to run.

    Args:
        text: PTX of one kernel.
    """

    def __init__(self, text):
        self.kernel = read(text)
        self.name = self.kernel.name
        self.numbers = {name: n for n, name in enumerate(self.kernel.registers)}
        self.widths = [0 if t == "pred" else 8 * kinds.kind_of(t).itemsize for t in self.kernel.registers.values()]
        self.kept, self.constants = [], {}
        for variable in (*self.variables("global"), *self.variables("const")):
            self.constants[variable.name] = self._constant(variable)
        self.steps = [self._step(instruction) for instruction in self.kernel.instructions]
        self.guards = [
            None if i.guard is None else (self.numbers[i.guard.name], i.guard.negated) for i in self.kernel.instructions
        ]

    def variables(self, space):
        return [v for v in self.kernel.variables if v.space == space]

    def _constant(self, variable):
        """The address of a variable of the module."""
        room = np.zeros(variable.size + 512, np.uint8)
        address = -(-room.ctypes.data // 256) * 256
        start = address - room.ctypes.data
        data = variable.data or b""
        room[start : start + len(data)] = np.frombuffer(data, np.uint8)
        self.kept.append((address, variable.size, room))
        return address

    def _step(self, instruction):
        try:
            make = FAMILIES.get(instruction.words[0])
            if make is None:
                raise MachineError(f"there is no instruction {instruction.words[0]!r} in the machine")
            return make(self, instruction)
        except (MachineError, KeyError, IndexError, ValueError) as error:
            raise MachineError(
                f"{self.name[:60]}: `{instruction.text}` is not understood: {type(error).__name__}: {error}"
            ) from error

    def label(self, name):
        return self.kernel.labels[name]

    # ---- operands

    def source(self, operand, dtype):
        """`read(threads, chosen)`, the operand's values for the chosen threads as that dtype."""
        dtype = np.dtype(dtype)
        if isinstance(operand, Register):
            return self._register(operand, dtype)
        if isinstance(operand, Number):
            value = operand.value(dtype)
            value.flags.writeable = False
            return lambda threads, chosen: value
        if isinstance(operand, Symbol) and operand.name.startswith("%"):
            return lambda threads, chosen: threads.special(operand.name)[chosen].astype(dtype)
        if isinstance(operand, Symbol):
            return lambda threads, chosen: np.array([threads.address(operand.name) + operand.offset]).astype(dtype)
        raise MachineError(f"the operand {operand!r} is not understood")

    def _register(self, operand, dtype):
        number, width = self.numbers[operand.name], self.widths[self.numbers[operand.name]]
        if width == 0:
            if dtype.kind != "b":
                raise MachineError(f"the predicate {operand.name} is read as {dtype}")
            if operand.negated:
                return lambda threads, chosen: ~threads.registers[number][chosen]
            return lambda threads, chosen: threads.registers[number][chosen]
        wanted = 8 * dtype.itemsize
        if dtype.kind == "b" or wanted > width:
            raise MachineError(f"the register {operand.name} of {width} bits is read as {dtype}")
        if wanted == width:
            return lambda threads, chosen: threads.registers[number][chosen].view(dtype)
        bits = kinds.BITS[wanted]
        return lambda threads, chosen: threads.registers[number][chosen].astype(bits).view(dtype)

    def target(self, operand):
        """`write(threads, chosen, values)`, which gives the chosen threads' register these values; nothing is kept for `_`."""
        if operand is None:
            return lambda threads, chosen, values: None
        if not isinstance(operand, Register):
            raise MachineError(f"{operand!r} is no register to write to")
        number = self.numbers[operand.name]
        width = self.widths[number]

        def write(threads, chosen, values):
            if (values.dtype.kind == "b") != (width == 0):
                raise MachineError(f"{values.dtype} is written to {operand.name}")
            threads.registers[number][chosen] = kinds.bits_of(values, width)

        return write

    def pure(self, instruction, sources, compute):
        """The step that writes `compute(values, ...)` to the first operand; the others are read as the dtypes of `sources`."""
        target, *operands = instruction.operands
        if len(operands) != len(sources):
            raise MachineError(f"{len(sources)} operands are needed, there are {len(operands)}")
        write = self.target(target)
        reads = [self.source(operand, dtype) for operand, dtype in zip(operands, sources)]

        def run(threads, chosen):
            write(threads, chosen, compute(*[read(threads, chosen) for read in reads]))

        return Plain(run)


def parts_of(operand):
    """The operands in braces, or the one that there is."""
    return operand.parts if isinstance(operand, Several) else (operand,)


@functools.cache
def program(text):
    """The Program of a text; made once."""
    return Program(text)
