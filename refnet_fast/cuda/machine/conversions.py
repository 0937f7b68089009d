"""Conversions between types, as the table of `cvt` in the PTX ISA says, and moves that pack and unpack."""

import numpy as np

from refnet_fast.cuda.machine import floats, rounding
from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.kinds import BITS, kind_of
from refnet_fast.cuda.machine.memory import WINDOWS
from refnet_fast.cuda.machine.operands import Several
from refnet_fast.cuda.machine.program import Plain, family

WHOLE = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def to_integer(values, dtype, whole):
    """Floats as integers: those beyond the range become its ends; NaN becomes 0, of 64 bits on either side the highest bit alone."""
    wide = values.dtype.itemsize == 8 or dtype.itemsize == 8
    rounded = whole(values.astype(np.float64))
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    inside = (rounded >= low) & (rounded < float(high) + (1.0 if dtype.itemsize < 8 else 0.0))
    result = np.where(inside, rounded, 0.0).astype(dtype)
    result = np.where(rounded < low, dtype.type(low), result)
    result = np.where(~inside & (rounded > 0), dtype.type(high), result)
    bits = BITS[8 * dtype.itemsize]
    none = bits.type(1 << 8 * dtype.itemsize - 1) if wide else bits.type(0)
    return np.where(np.isnan(values), np.array([none]).view(dtype), result)


def to_float(values, dtype, mode):
    """Integers, or floats, as floats of a type that NumPy has."""
    if values.dtype.kind == "f":
        if dtype.itemsize >= values.dtype.itemsize:
            return values.astype(dtype)
        return rounding.directed(values, values.astype(dtype), mode)
    if mode == "rn" and dtype != np.float16:
        return values.astype(dtype)
    if values.dtype.itemsize == 8 and not (np.abs(values.astype(np.float64)) < 2.0**53).all():
        raise MachineError(f"long integers as {dtype} with the rounding .{mode} are not understood")
    return rounding.short(values.astype(np.float64), dtype, mode)


def to_tf32(values):
    """float32s rounded to 11 significant bits, ties away from zero: the bits of a float32 whose last thirteen nobody reads."""
    bits = values.view(np.uint32)
    return np.where(np.isfinite(values), bits + np.uint32(0x1000) & np.uint32(0xFFFFE000), bits)


def clipped(values, dtype):
    """Integers as a type; those beyond its range become its ends."""
    ends = np.iinfo(dtype)
    low, high = max(int(np.iinfo(values.dtype).min), ends.min), min(int(np.iinfo(values.dtype).max), ends.max)
    return np.clip(values, low, high).astype(dtype)


@family("cvt")
def converted(program, instruction):
    *words, to, of = instruction.words[1:]
    whole = [word for word in words if word in WHOLE]
    rest = [word for word in words if word not in WHOLE and word != "rna"]
    asked = floats.Words(rest)
    if to in ("f16x2", "bf16x2"):
        return paired(program, instruction, to, of, rest)
    if to == "tf32":
        if words != ["rna"] or of != "f32":
            raise MachineError("only cvt.rna.tf32.f32 is understood")
        return program.pure(instruction, [kind_of(of)], to_tf32)
    target, source = kind_of(to), kind_of(of)
    from_float, into_float = of.startswith(("f", "bf")), to.startswith(("f", "bf"))
    read = (lambda a: floats.widened(a)) if of == "bf16" else (lambda a: a)
    if not from_float and not into_float:  # cut to the type, or widened by the sign of the one that is left
        compute = (lambda a: clipped(a, target)) if "sat" in words else (lambda a: a.astype(target))
        return program.pure(instruction, [source], compute)
    if not into_float:
        if len(whole) != 1:
            raise MachineError("a float becomes an integer by one of .rni, .rzi, .rmi, .rpi")
        return program.pure(instruction, [source], lambda a: to_integer(asked.before(read(a)), target, WHOLE[whole[0]]))
    if to == "bf16":
        if asked.mode != "rn":
            raise MachineError("bfloat16 is rounded to nearest alone")
        return program.pure(instruction, [source], lambda a: floats.as_bfloat16(read(a).astype(np.float64)))

    def compute(a):
        a = asked.before(read(a))
        found = WHOLE[whole[0]](a).astype(target) if whole else to_float(a, target, asked.mode)
        return asked.after(found)

    return program.pure(instruction, [source], compute)


def paired(program, instruction, to, of, words):
    """Two float32s as a word of two short floats: the first operand is the upper half."""
    if of != "f32" or words != ["rn"]:
        raise MachineError("only cvt.rn of two float32s is understood")

    def bits(a):
        half = a.astype(np.float16).view(np.uint16) if to == "f16x2" else floats.as_bfloat16(a.astype(np.float64))
        return half.astype(np.uint32)

    dtype = kind_of("f32")
    return program.pure(instruction, [dtype, dtype], lambda a, b: bits(a) << np.uint32(16) | bits(b))


# ---- moves


@family("mov")
def moved(program, instruction):
    """A register, a number, an address, or a word from its parts and a word into them: the first part is the lowest."""
    dtype, (target, source) = kind_of(instruction.words[1]), instruction.operands
    if not isinstance(target, Several) and not isinstance(source, Several):
        return program.pure(instruction, [dtype], lambda a: a)
    count = len((target if isinstance(target, Several) else source).parts)
    width = 8 * dtype.itemsize // count
    whole, part = BITS[8 * dtype.itemsize], BITS[width]
    if isinstance(source, Several):
        write, reads = program.target(target), [program.source(operand, part) for operand in source.parts]

        def pack(threads, chosen):
            found = whole.type(0)
            for n, read in enumerate(reads):
                found = found | read(threads, chosen).astype(whole) << whole.type(n * width)
            write(threads, chosen, found)

        return Plain(pack)
    writes, read = [program.target(operand) for operand in target.parts], program.source(source, whole)

    def unpack(threads, chosen):
        word = read(threads, chosen).copy()
        for n, write in enumerate(writes):
            write(threads, chosen, (word >> whole.type(n * width)).astype(part))

    return Plain(unpack)


@family("cvta")
def as_address(program, instruction):
    """An address of a space as a generic one, or the other way (`.to`)."""
    _, *words, kind = instruction.words
    back = words[0] == "to"
    (space,) = words[1:] if back else words
    window = np.uint64({"global": 0, "const": 0, **WINDOWS}[space])
    if kind != "u64":
        raise MachineError("addresses have 64 bits")
    return program.pure(instruction, [kind_of(kind)], (lambda a: a - window) if back else (lambda a: a + window))
