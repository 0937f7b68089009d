"""Arithmetic of floats, as the chapters of the PTX ISA on it say.

What is approximate there (`.approx`, `div.full`) is rounded correctly here. A product and a sum that are written apart stay apart, though
the assembler may fuse those without a rounding.
"""

import numpy as np

from refnet_fast.cuda.machine import rounding
from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.kinds import BITS, kind_of
from refnet_fast.cuda.machine.program import family

SINGLE, DOUBLE, HALF = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16)


def flushed(values):
    """Zero of the same sign in the place of numbers below the normal ones, as `.ftz` asks for float32."""
    if values.dtype != SINGLE:
        return values
    tiny = np.abs(values) < np.finfo(np.float32).tiny
    return np.where(tiny, np.copysign(SINGLE.type(0), values), values)


def kept(values):
    return values


def saturated(values):
    """Between 0 and 1; 0 where there is no number."""
    return np.where(values > 0, np.minimum(values, values.dtype.type(1)), values.dtype.type(0))


class Words:
    """What an instruction's words ask for: a rounding, `.ftz`, `.sat`; others are refused unless they are allowed."""

    def __init__(self, words, *allowed):
        self.mode, self.others = "rn", []
        flush = saturate = False
        for word in words:
            if word in rounding.MODES:
                self.mode = word
            elif word == "ftz":
                flush = True
            elif word == "sat":
                saturate = True
            elif word in allowed:
                self.others.append(word)
            else:
                raise MachineError(f"the word .{word} is not understood here")
        self.before = flushed if flush else kept
        after = (lambda x: saturated(self.before(x))) if saturate else self.before
        self.after = after

    def around(self, compute):
        return lambda *values: self.after(compute(*map(self.before, values)))


def widened(bits):
    """bfloat16s, by their bits, as float32."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def as_bfloat16(values):
    """The bits of float64s rounded to bfloat16; what has too many bits for that is marked on the way through float32."""
    near = rounding.short(values, np.float32, "rz")
    lost = near.astype(np.float64) != values
    bits = near.view(np.uint32) | (lost & np.isfinite(values)).astype(np.uint32)
    upper = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1)) >> np.uint32(16)
    return np.where(np.isnan(values), np.uint32(0x7FFF), upper).astype(np.uint16)


def sixteen(kind, compute):
    """A function of float64s on 16-bit floats, exact up to the one rounding at its end, as one on what their registers hold."""
    if kind == "f16":
        return HALF, lambda *values: compute(*(v.astype(np.float64) for v in values)).astype(np.float16)
    if kind == "bf16":
        return BITS[16], lambda *values: as_bfloat16(compute(*(widened(v).astype(np.float64) for v in values)))
    raise MachineError(f"arithmetic of .{kind} is not understood")


def arithmetic(program, instruction):
    """add, sub and mul."""
    name, *words, kind = instruction.words
    asked = Words(words)
    plain = {"add": np.add, "sub": np.subtract, "mul": np.multiply}[name]
    if kind in ("f16", "bf16"):
        dtype, compute = sixteen(kind, plain)  # at most 22 bits, or a sum whose parts lie near enough
        return program.pure(instruction, [dtype] * 2, asked.around(compute))
    if asked.mode == "rn":
        compute = plain
    elif kind == "f64":
        compute = lambda a, b: rounding.operation64(name, a, b, asked.mode)
    elif name == "mul":
        compute = lambda a, b: rounding.short(a.astype(np.float64) * b.astype(np.float64), SINGLE, asked.mode)
    else:
        compute = lambda a, b: rounding.added32(a, b if name == "add" else -b, asked.mode)
    return program.pure(instruction, [kind_of(kind)] * 2, asked.around(compute))


def fused(program, instruction):
    """fma, and mad of floats."""
    _, *words, kind = instruction.words
    asked = Words(words)
    if kind in ("f16", "bf16"):

        def compute(a, b, c):
            return rounding.marked(*rounding.two_sum(*np.broadcast_arrays(a * b, c)))

        dtype, function = sixteen(kind, compute)
        return program.pure(instruction, [dtype] * 3, asked.around(function))
    function = {"f32": rounding.fused32, "f64": rounding.fused64}[kind]
    return program.pure(instruction, [kind_of(kind)] * 3, asked.around(lambda a, b, c: function(a, b, c, asked.mode)))


family("fma")(fused)


def divide(program, instruction):
    _, *words, kind = instruction.words
    asked = Words(words, "approx", "full")
    if asked.mode != "rn":
        raise MachineError("only division to nearest is understood")
    return program.pure(instruction, [kind_of(kind)] * 2, asked.around(np.divide))


def sign(program, instruction):
    """neg and abs: of the sign's bit alone, of NaN too."""
    name, *words, kind = instruction.words
    known = Words(words)
    dtype = kind_of(kind)
    if kind in ("f16x2",):
        raise MachineError("pairs are not understood here")
    bits = BITS[8 * dtype.itemsize]
    top = bits.type(1 << 8 * dtype.itemsize - 1)
    turned = (lambda a: a ^ top) if name == "neg" else (lambda a: a & ~top)
    return program.pure(instruction, [dtype], known.around(lambda a: turned(a.view(bits)).view(dtype)))


def extremum(program, instruction):
    """min and max: the number where the other is NaN (NaN with `.NaN`); -0 lies below +0."""
    name, *words, kind = instruction.words
    asked = Words(words, "NaN")
    choose = np.fmin if name == "min" else np.fmax

    def chosen(a, b):
        a, b = np.broadcast_arrays(a, b)
        found = choose(a, b)
        zeros = (a == 0) & (b == 0)
        first = np.signbit(a) if name == "min" else ~np.signbit(a)
        found = np.where(zeros, np.where(first, a, b), found)
        if "NaN" in asked.others:
            found = np.where(np.isnan(a) | np.isnan(b), a.dtype.type(np.nan), found)
        return found

    if kind == "bf16":
        dtype, compute = sixteen(kind, chosen)
        return program.pure(instruction, [dtype] * 2, compute)
    return program.pure(instruction, [kind_of(kind)] * 2, asked.around(chosen))


# ---- functions


def upper_half(function):
    """A gross approximation of float64: of the upper 32 bits, and those bits of the result; what lies below the normal numbers is zero."""

    def compute(a):
        cut = (a.view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64)
        cut = np.where(np.abs(cut) < np.finfo(np.float64).tiny, np.copysign(0.0, cut), cut)
        found = function(cut)
        found = np.where(np.abs(found) < np.finfo(np.float64).tiny, np.copysign(0.0, found), found)
        return (found.view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64)

    return compute


def through_double(function):
    return lambda a: function(a.astype(np.float64)).astype(a.dtype)


FUNCTIONS = {
    "sqrt": np.sqrt,
    "rcp": lambda a: 1 / a,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "ex2": np.exp2,
    "lg2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
}


@family(*FUNCTIONS)
def function(program, instruction):
    name, *words, kind = instruction.words
    asked = Words(words, "approx")
    dtype = kind_of(kind)
    exact = name in ("sqrt", "rcp")
    if asked.mode != "rn" or not (exact or "approx" in asked.others) or kind in ("bf16", "f16x2", "bf16x2"):
        raise MachineError("its words are not understood")
    compute = FUNCTIONS[name]
    if kind == "f64" and "approx" in asked.others:
        return program.pure(instruction, [dtype], upper_half(compute))
    if not (exact and kind != "f16"):
        compute = through_double(compute)
    return program.pure(instruction, [dtype], asked.around(compute))


@family("copysign")
def copied_sign(program, instruction):
    """The size of the second operand with the sign of the first."""
    dtype = kind_of(instruction.words[1])
    return program.pure(instruction, [dtype] * 2, lambda a, b: np.copysign(b, a))


TESTS = {
    "finite": np.isfinite,
    "infinite": np.isinf,
    "number": lambda a: ~np.isnan(a),
    "notanumber": np.isnan,
    "normal": lambda a: np.isfinite(a) & (np.abs(a) >= np.finfo(a.dtype).tiny),
    "subnormal": lambda a: (a != 0) & (np.abs(a) < np.finfo(a.dtype).tiny),
}


@family("testp")
def tested(program, instruction):
    _, name, kind = instruction.words
    return program.pure(instruction, [kind_of(kind)], TESTS[name])
