"""Integer arithmetic, bits, comparisons and selection, as the chapters of the PTX ISA on them say."""

import numpy as np

from refnet_fast.cuda.machine import floats
from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.kinds import BITS, kind_of
from refnet_fast.cuda.machine.program import Plain, family, parts_of

ALL_ONES = {8 * size: (1 << 8 * size) - 1 for size in (1, 2, 4, 8)}


def known(words, *allowed):
    """Refuses words of an instruction that nobody has thought of."""
    for word in words:
        if word not in allowed:
            raise MachineError(f"the word .{word} is not understood here")


def is_float(word):
    return word.startswith(("f", "bf"))


def unsigned(values):
    return values.view(BITS[8 * values.dtype.itemsize])


def doubled(dtype):
    """The dtype of twice the width; None for 64 bits."""
    return None if dtype.itemsize == 8 else np.dtype(f"{dtype.kind}{2 * dtype.itemsize}")


def high(a, b):
    """The upper half of a product."""
    wide = doubled(a.dtype)
    if wide is not None:
        return (a.astype(wide) * b.astype(wide) >> wide.type(8 * a.dtype.itemsize)).astype(a.dtype)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    x, y = np.broadcast_arrays(unsigned(a), unsigned(b))
    x1, x0, y1, y0 = x >> half, x & low, y >> half, y & low
    middle = x1 * y0 + (x0 * y0 >> half)
    upper = x1 * y1 + (middle >> half) + ((middle & low) + x0 * y1 >> half)
    if a.dtype.kind == "i":
        upper = upper - np.where(x >> np.uint64(63) != 0, y, np.uint64(0))
        upper = upper - np.where(y >> np.uint64(63) != 0, x, np.uint64(0))
    return upper.view(a.dtype)


def product(words, dtype):
    """The product that `mul` and `mad` name: its lower half, its upper half, or both in a wider number."""
    if "wide" in words:
        wide = doubled(dtype)
        return lambda a, b: a.astype(wide) * b.astype(wide)
    return high if "hi" in words else np.multiply


@family("add", "sub", "mul")
def arithmetic(program, instruction):
    name, *words, kind = instruction.words
    if is_float(kind):
        return floats.arithmetic(program, instruction)
    dtype = kind_of(kind)
    if name == "mul":
        known(words, "lo", "hi", "wide")
        return program.pure(instruction, [dtype] * 2, product(words, dtype))
    if words == ["cc"]:
        return carried(program, instruction)
    known(words)
    return program.pure(instruction, [dtype] * 2, np.add if name == "add" else np.subtract)


@family("mad")
def multiply_add(program, instruction):
    _, *words, kind = instruction.words
    if is_float(kind):
        return floats.fused(program, instruction)
    if "cc" in words:
        return carried(program, instruction)
    known(words, "lo", "hi", "wide")
    dtype = kind_of(kind)
    times = product(words, dtype)
    added = doubled(dtype) if "wide" in words else dtype
    return program.pure(instruction, [dtype, dtype, added], lambda a, b, c: times(a, b) + c)


@family("addc", "subc", "madc")
def carried(program, instruction):
    """Arithmetic that reads the carry (a name that ends in c) or leaves one (`.cc`): numbers longer than a register, part by part."""
    name, *words, kind = instruction.words
    reads_carry, base, leaves = name.endswith("c"), name.removesuffix("c"), "cc" in words
    known(words, "cc", "lo", "hi")
    dtype = kind_of(kind)
    times = product(words, dtype) if base == "mad" else None
    write = program.target(instruction.operands[0])
    reads = [program.source(operand, dtype) for operand in instruction.operands[1:]]

    def run(threads, chosen):
        values = [read(threads, chosen) for read in reads]
        a, b = (times(*values[:2]), values[2]) if base == "mad" else values
        a, b = unsigned(a), unsigned(b)
        carry = threads.carry[chosen].astype(a.dtype) if reads_carry else a.dtype.type(0)
        if base == "sub":
            found = a - b - carry
            beyond = (a < b) | ((a == b) & (carry != 0))
        else:
            part = a + b
            found = part + carry
            beyond = (part < a) | (found < part)
        write(threads, chosen, found.view(dtype))
        if leaves:
            threads.carry[chosen] = beyond

    return Plain(run)


@family("dp4a")
def dot_of_bytes(program, instruction):
    """The products of four pairs of bytes, and a number on top."""
    _, first, second = instruction.words
    kinds = [np.dtype(np.int8 if kind == "s32" else np.uint8) for kind in (first, second)]
    result = np.dtype(np.uint32 if first == second == "u32" else np.int32)

    def summed(a, b, c):
        left, right = (
            np.ascontiguousarray(x).view(kind).reshape(-1, 4).astype(np.int64) for x, kind in zip((a, b), kinds)
        )
        return ((left * right).sum(1) + c.astype(np.int64)).astype(result)

    return program.pure(instruction, [kind_of(first), kind_of(second), result], summed)


def quotient(a, b):
    """a / b towards zero; all bits are ones where b is zero, as devices have it, though PTX promises nothing."""
    if a.dtype.kind == "u":
        return np.where(b == 0, a.dtype.type(ALL_ONES[8 * a.dtype.itemsize]), a // np.where(b == 0, b.dtype.type(1), b))
    negative = (a < 0) != (b < 0)
    size = quotient(unsigned(np.where(a < 0, -a, a)), unsigned(np.where(b < 0, -b, b))).view(a.dtype)
    return np.where((b != 0) & negative, -size, size)


@family("div")
def divide(program, instruction):
    _, *words, kind = instruction.words
    if is_float(kind):
        return floats.divide(program, instruction)
    known(words)
    return program.pure(instruction, [kind_of(kind)] * 2, quotient)


@family("rem")
def remainder(program, instruction):
    _, kind = instruction.words
    return program.pure(instruction, [kind_of(kind)] * 2, lambda a, b: a - quotient(a, b) * b)


@family("neg", "abs")
def sign(program, instruction):
    name, *words, kind = instruction.words
    if is_float(kind):
        return floats.sign(program, instruction)
    known(words)
    return program.pure(instruction, [kind_of(kind)], (lambda a: -a) if name == "neg" else np.abs)


@family("min", "max")
def extremum(program, instruction):
    name, *words, kind = instruction.words
    if is_float(kind):
        return floats.extremum(program, instruction)
    known(words)
    return program.pure(instruction, [kind_of(kind)] * 2, np.minimum if name == "min" else np.maximum)


# ---- bits

LOGIC = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}


@family("and", "or", "xor")
def logic(program, instruction):
    name, kind = instruction.words
    return program.pure(instruction, [kind_of(kind)] * 2, LOGIC[name])


@family("not")
def inverted(program, instruction):
    _, kind = instruction.words
    return program.pure(instruction, [kind_of(kind)], np.invert)


@family("cnot")
def is_zero(program, instruction):
    dtype = kind_of(instruction.words[1])
    return program.pure(instruction, [dtype], lambda a: (a == 0).astype(dtype))


@family("shl", "shr")
def shift(program, instruction):
    """Amounts beyond the width shift everything out."""
    name, kind = instruction.words
    dtype = kind_of(kind)
    width = 8 * dtype.itemsize

    def shifted(a, by):
        short = np.minimum(by, width - 1).astype(dtype)
        moved = a << short if name == "shl" else a >> short
        return np.where((by >= width) & (dtype.kind == "u"), dtype.type(0), moved)

    return program.pure(instruction, [dtype, np.uint32], shifted)


@family("shf")
def funnel(program, instruction):
    """The upper or the lower half of two words that are shifted as one."""
    _, side, mode, kind = instruction.words
    known((side, mode, kind), "l", "r", "wrap", "clamp", "b32")

    def shifted(low, high_, by):
        by = (by & np.uint32(31) if mode == "wrap" else np.minimum(by, np.uint32(32))).astype(np.uint64)
        both = high_.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)
        moved = both << by >> np.uint64(32) if side == "l" else both >> by
        return moved.astype(np.uint32)

    return program.pure(instruction, [np.uint32] * 3, shifted)


@family("prmt")
def permuted(program, instruction):
    """Bytes of two words by number; with the bit of 8 a byte's sign instead of the byte."""
    known(instruction.words[1:], "b32")

    def chosen(a, b, selector):
        both = b.astype(np.uint64) << np.uint64(32) | a.astype(np.uint64)
        result = np.zeros(np.broadcast_shapes(both.shape, selector.shape), np.uint64)
        for n in range(4):
            number = (selector >> np.uint32(4 * n)).astype(np.uint64)
            byte = both >> np.uint64(8) * (number & np.uint64(7)) & np.uint64(255)
            spread = (byte >> np.uint64(7)) * np.uint64(255)
            result |= np.where(number & np.uint64(8) != 0, spread, byte) << np.uint64(8 * n)
        return result.astype(np.uint32)

    return program.pure(instruction, [np.uint32] * 3, chosen)


def mask_of(length, dtype):
    """That many ones from the lowest bit on."""
    width = 8 * dtype.itemsize
    short = np.minimum(length, width - 1).astype(dtype)
    return np.where(length >= width, dtype.type(ALL_ONES[width]), (dtype.type(1) << short) - dtype.type(1))


@family("bfe")
def field(program, instruction):
    dtype = kind_of(instruction.words[1])
    bits, width = BITS[8 * dtype.itemsize], 8 * dtype.itemsize

    def extracted(a, start, length):
        start, length = start & np.uint32(255), length & np.uint32(255)
        raw, at = unsigned(a), np.minimum(start, width - 1).astype(bits)
        found = np.where(start >= width, bits.type(0), raw >> at) & mask_of(length, bits)
        if dtype.kind == "u":
            return found
        last = np.minimum(start.astype(np.int64) + length - 1, width - 1)
        negative = (raw >> np.maximum(last, 0).astype(bits) & bits.type(1) != 0) & (length != 0)
        ones = np.where(negative, ~mask_of(np.minimum(length, np.maximum(width - start.astype(np.int64), 0)), bits), 0)
        return (found | ones.astype(bits)).view(dtype)

    return program.pure(instruction, [dtype, np.uint32, np.uint32], extracted)


@family("bfi")
def inserted(program, instruction):
    dtype = kind_of(instruction.words[1])
    width = 8 * dtype.itemsize

    def put(a, b, start, length):
        start, length = start & np.uint32(255), length & np.uint32(255)
        at = np.minimum(start, width - 1).astype(dtype)
        mask = np.where(start >= width, dtype.type(0), mask_of(length, dtype) << at)
        return b & ~mask | a << at & mask

    return program.pure(instruction, [dtype, dtype, np.uint32, np.uint32], put)


@family("lop3")
def any_logic(program, instruction):
    """Any function of three bits: bit 4a + 2b + c of the last operand is its value."""
    known(instruction.words[1:], "b32")
    table = int(instruction.operands[4].text, 0)

    def looked_up(a, b, c, _):
        result = np.zeros(np.broadcast_shapes(a.shape, b.shape, c.shape), np.uint32)
        for n in range(8):
            if table >> n & 1:
                result |= (a if n & 4 else ~a) & (b if n & 2 else ~b) & (c if n & 1 else ~c)
        return result

    return program.pure(instruction, [np.uint32] * 4, looked_up)


def digits(values):
    """Bits of unsigned numbers, the lowest first: one more axis."""
    width = 8 * values.dtype.itemsize
    return (values[:, None] >> np.arange(width).astype(values.dtype) & values.dtype.type(1)).astype(bool)


@family("popc")
def population(program, instruction):
    return program.pure(instruction, [kind_of(instruction.words[1])], lambda a: digits(a).sum(1).astype(np.uint32))


def highest(a):
    """The place of the highest one; -1 where there is none."""
    ones = digits(a)
    return np.where(ones.any(1), ones.shape[1] - 1 - ones[:, ::-1].argmax(1), -1)


@family("clz")
def leading_zeros(program, instruction):
    dtype = kind_of(instruction.words[1])
    return program.pure(instruction, [dtype], lambda a: (8 * dtype.itemsize - 1 - highest(a)).astype(np.uint32))


@family("bfind")
def found_bit(program, instruction):
    """The highest bit that is not the sign's; all ones where there is none."""
    _, *words, kind = instruction.words
    known(words)
    dtype = kind_of(kind)

    def place(a):
        raw = unsigned(np.where(a < 0, ~a, a)) if dtype.kind == "i" else a
        return highest(raw).astype(np.int32).view(np.uint32)

    return program.pure(instruction, [dtype], place)


@family("brev")
def reversed_bits(program, instruction):
    dtype = kind_of(instruction.words[1])
    places = np.arange(8 * dtype.itemsize)[::-1].astype(dtype)
    return program.pure(instruction, [dtype], lambda a: (digits(a).astype(dtype) << places).sum(1, dtype=dtype))


# ---- comparisons

ORDERED = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal}
ORDERED |= {"gt": np.greater, "ge": np.greater_equal}
ORDERED |= {"lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal}


def comparison(name, floating):
    """The function of a comparison. Of floats a plain one is false where there is a NaN, one that ends in u is true."""
    if not floating:
        return ORDERED[name]
    if name in ("num", "nan"):
        return lambda a, b: (np.isnan(a) | np.isnan(b)) == (name == "nan")
    compare, unordered = ORDERED[name.removesuffix("u")], name.endswith("u")
    return lambda a, b: np.where(np.isnan(a) | np.isnan(b), unordered, compare(a, b))


@family("setp")
def compared(program, instruction):
    """One or two predicates; the second is made of the opposite of the comparison."""
    _, name, *words, kind = instruction.words
    joined = LOGIC[words.pop(0)] if words and words[0] in LOGIC else None
    known(words, "ftz")
    dtype, targets, (a, b, *rest) = kind_of(kind), parts_of(instruction.operands[0]), instruction.operands[1:]
    if len(rest) != (joined is not None) or kind in ("bf16", "f16x2"):
        raise MachineError("its operands are not understood")
    compare, writes = comparison(name, is_float(kind)), [program.target(target) for target in targets]
    flush = floats.flushed if "ftz" in words else floats.kept
    reads = [program.source(a, dtype), program.source(b, dtype), *(program.source(c, bool) for c in rest)]

    def run(threads, chosen):
        one, other, *third = [read(threads, chosen) for read in reads]
        found = compare(flush(one), flush(other))
        for write, value in zip(writes, (found, ~found)):
            write(threads, chosen, joined(value, third[0]) if joined else value)

    return Plain(run)


@family("set")
def compared_as_number(program, instruction):
    _, name, *words, kind, of = instruction.words
    known(words, "ftz")
    compare, flush = comparison(name, is_float(of)), floats.flushed if "ftz" in words else floats.kept
    dtype = kind_of(kind)
    true = dtype.type(1) if dtype.kind == "f" else np.array(ALL_ONES[32], np.uint32).view(dtype)
    return program.pure(
        instruction, [kind_of(of)] * 2, lambda a, b: np.where(compare(flush(a), flush(b)), true, dtype.type(0))
    )


@family("selp")
def selected(program, instruction):
    dtype = kind_of(instruction.words[1])
    return program.pure(instruction, [dtype, dtype, bool], lambda a, b, p: np.where(p, a, b))
