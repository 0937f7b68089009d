"""What PTX is made of, once it is read: operands, variables, instructions, a kernel."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Register:
    """A register by its full name; of a predicate maybe its opposite."""

    name: str
    negated: bool = False


@dataclasses.dataclass(frozen=True)
class Number:
    """A number as it is written: 12, -1, 0x10, 0f3F800000, 0d3FF0000000000000."""

    text: str

    def value(self, dtype):
        """The number as an array of one element: of the bits that are written for a float, cut to the width for an integer."""
        if self.text[:2] in ("0f", "0F"):
            return np.array([int(self.text[2:], 16)], np.uint32).view(np.float32).astype(dtype)
        if self.text[:2] in ("0d", "0D"):
            return np.array([int(self.text[2:], 16)], np.uint64).view(np.float64).astype(dtype)
        if dtype.kind in "fb":
            return np.array([int(self.text, 0)]).astype(dtype)
        unsigned = np.dtype(f"u{dtype.itemsize}")
        return np.array([int(self.text.rstrip("U"), 0) % 2 ** (8 * dtype.itemsize)], unsigned).view(dtype)


@dataclasses.dataclass(frozen=True)
class Symbol:
    """The address of a variable, or a special register, and bytes on top of it."""

    name: str
    offset: int = 0


@dataclasses.dataclass(frozen=True)
class Address:
    """What stands in brackets: a Register, a Symbol or a Number, and bytes on top of it."""

    base: object
    offset: int = 0


@dataclasses.dataclass(frozen=True)
class Several:
    """Operands in braces, or two with a bar between them; None for one that is not wanted (`_`)."""

    parts: tuple


# ---- what a module holds


@dataclasses.dataclass
class Variable:
    """A variable in memory; data: its first bytes, or None."""

    name: str
    space: str
    align: int
    size: int
    data: bytes | None = None


@dataclasses.dataclass
class Instruction:
    """One instruction; a jump's target is a label's name. A `ret` within a call has become a jump behind it."""

    words: tuple
    operands: tuple
    guard: Register | None
    text: str


@dataclasses.dataclass
class Kernel:
    """An entry: its parameters and variables in order, types of registers by name, instructions, {label: number of an instruction}."""

    name: str
    parameters: list
    variables: list
    registers: dict
    instructions: list
    labels: dict
