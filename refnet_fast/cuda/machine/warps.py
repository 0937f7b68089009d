"""What threads do together: barriers, exchanges within a warp, products of matrices.

Which lane holds which element of a matrix is as the PTX ISA says, in its chapters "Matrix Fragments for mma.m16n8k16", "... for
mma.m16n8k8", and on `ldmatrix`.
"""

import numpy as np

from refnet_fast.cuda.machine import tensor
from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.integers import known
from refnet_fast.cuda.machine.kinds import kind_of
from refnet_fast.cuda.machine.moving import places
from refnet_fast.cuda.machine.operands import Number
from refnet_fast.cuda.machine.program import Meeting, Plain, family, parts_of

EVERY = Number("-1")  # all lanes


@family("bar", "barrier")
def barrier(program, instruction):
    words = [word for word in instruction.words[1:] if word not in ("cta", "aligned")]
    if words == ["warp", "sync"]:
        members = program.source(instruction.operands[0], np.uint32)
        return Meeting(lambda threads, chosen: threads.together(chosen), members)
    if words == ["sync"]:
        (number,) = instruction.operands
        return Meeting(lambda threads, chosen: None, barrier=int(number.text))
    if words[0] != "red" or words[1] not in ("or", "and", "popc"):
        raise MachineError("its words are not understood")
    target, number, source = instruction.operands
    write, read = program.target(target), program.source(source, bool)

    def run(threads, chosen):
        given, blocks = read(threads, chosen), threads.block_of[chosen]
        given = np.broadcast_to(given, blocks.shape)
        ones = np.bincount(blocks, given, threads.blocks)
        all_of = np.bincount(blocks, minlength=threads.blocks)
        found = {"or": ones > 0, "and": ones == all_of, "popc": ones.astype(np.uint32)}[words[1]]
        write(threads, chosen, found[blocks])

    return Meeting(run, barrier=int(number.text))


@family("shfl")
def shuffled(program, instruction):
    """A register of another lane. The last lanes of a segment that would read beyond it keep their own."""
    _, *words, mode, kind = instruction.words
    if words != ["sync"] or kind != "b32":
        raise MachineError("only shfl.sync of words is understood")
    target, source, *operands, mask = instruction.operands
    writes = [program.target(part) for part in parts_of(target)]
    read, members = program.source(source, np.uint32), program.source(mask, np.uint32)
    lane_of, clamp_of = (program.source(operand, np.uint32) for operand in operands)

    def run(threads, chosen):
        numbers = threads.indices(chosen)
        values = np.full(threads.count, 0xCDCDCDCD, np.uint32)
        values[numbers] = read(threads, chosen)
        lane = threads.lane[numbers].astype(np.int64)
        b, c = (f(threads, chosen).astype(np.int64) for f in (lane_of, clamp_of))
        b, clamp, segment = b & 31, c & 31, c >> 8 & 31
        last, first = (lane & segment) | (clamp & ~segment), lane & segment
        at, inside = {
            "up": (lane - b, lane - b >= last),
            "down": (lane + b, lane + b <= last),
            "bfly": (lane ^ b, (lane ^ b) <= last),
            "idx": (first | (b & ~segment), (first | (b & ~segment)) <= last),
        }[mode]
        at = np.where(inside, at, lane)
        partner = numbers - lane + at
        partner = np.where(partner < threads.count, partner, numbers)
        # What a lane that does not take part has is not defined.
        there = np.zeros(threads.count, bool)
        there[numbers] = True
        valid = there[partner] & (threads.warp_of[partner] == threads.warp_of[numbers])
        writes[0](threads, chosen, np.where(valid, values[partner], np.uint32(0xCDCDCDCD)))
        for write in writes[1:]:
            write(threads, chosen, inside)

    return Meeting(run, members)


def by_warp(threads, numbers, bits):
    """For each of the threads the word of its warp's lanes for which something is true."""
    lanes = np.where(bits, 2.0 ** threads.lane[numbers], 0.0)
    words = np.bincount(threads.warp_of[numbers], lanes, threads.warps).astype(np.uint64).astype(np.uint32)
    return words[threads.warp_of[numbers]]


@family("vote")
def voted(program, instruction):
    _, sync, mode, kind = instruction.words
    if sync != "sync":
        raise MachineError("only vote.sync is understood")
    target, source, mask = instruction.operands
    write, read, members = program.target(target), program.source(source, bool), program.source(mask, np.uint32)

    def run(threads, chosen):
        numbers = threads.indices(chosen)
        given = np.broadcast_to(read(threads, chosen), numbers.shape)
        yes, no = by_warp(threads, numbers, given), by_warp(threads, numbers, ~given)
        write(threads, chosen, {"ballot": yes, "any": yes != 0, "all": no == 0, "uni": (yes == 0) | (no == 0)}[mode])

    return Meeting(run, members)


@family("activemask")
def active(program, instruction):
    """The lanes that are here now; which these are is a matter of scheduling."""
    write = program.target(instruction.operands[0])

    def run(threads, chosen):
        numbers = threads.indices(chosen)
        write(threads, chosen, by_warp(threads, numbers, np.ones(len(numbers), bool)))

    return Plain(run)


REDUCED = {"add": np.add, "min": np.minimum, "max": np.maximum}
REDUCED |= {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}


@family("redux")
def reduced(program, instruction):
    _, sync, name, kind = instruction.words
    target, source, mask = instruction.operands
    dtype = kind_of(kind)
    write, read, members = program.target(target), program.source(source, dtype), program.source(mask, np.uint32)

    def run(threads, chosen):
        numbers = threads.indices(chosen)
        warps, values = threads.warp_of[numbers], np.broadcast_to(read(threads, chosen), numbers.shape)
        begins = np.flatnonzero(np.diff(warps, prepend=-1))
        found = REDUCED[name].reduceat(values, begins, dtype=dtype)
        write(threads, chosen, np.repeat(found, np.diff(begins, append=len(numbers))))

    return Meeting(run, members)


# ---- matrices


def whole_warps(threads, chosen):
    """The chosen threads, 32 of a warp a row."""
    numbers = threads.indices(chosen)
    if len(numbers) % 32 or (threads.lane[numbers].reshape(-1, 32) != np.arange(32)).any():
        raise MachineError("all 32 lanes of a warp are needed")
    return numbers


@family("ldmatrix")
def load_matrices(program, instruction):
    words = list(instruction.words[1:])
    turned = "trans" in words
    known(words, "sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared", "b16")
    count = {"x1": 1, "x2": 2, "x4": 4}[next(word for word in words if word in ("x1", "x2", "x4"))]
    target, operand = instruction.operands
    writes, address = [program.target(part) for part in parts_of(target)], places(program, operand)
    if len(writes) != count:
        raise MachineError(f"{count} registers are needed")

    def run(threads, chosen):
        numbers = whole_warps(threads, chosen)
        rows = address(threads, chosen).reshape(-1, 32)[:, : 8 * count]
        owners = numbers.reshape(-1, 32)[:, : 8 * count]
        halves = threads.load("shared", rows.reshape(-1), np.dtype(np.uint64), 2, owners.reshape(-1))
        elements = np.ascontiguousarray(np.stack(halves, 1)).view(np.uint16).reshape(-1, count, 8, 8)
        if turned:
            elements = np.ascontiguousarray(elements.transpose(0, 1, 3, 2))
        # Lane by lane: row lane / 4, and there two neighbours.
        words_of = elements.reshape(-1, count, 64).view(np.uint32)
        for n, write in enumerate(writes):
            write(threads, chosen, np.ascontiguousarray(words_of[:, n]).reshape(-1))

    return Meeting(run, program.source(EVERY, np.uint32))


@family("mma")
def multiply_add(program, instruction):
    words = instruction.words[1:]
    layout = tensor.LAYOUTS.get(words)
    if layout is None:
        raise MachineError("a product of this shape and of these types is not understood")
    d, a, b, c = (parts_of(operand) for operand in instruction.operands)
    writes = [program.target(part) for part in d]
    reads = [[program.source(part, np.uint32) for part in parts] for parts in (a, b)]
    sums = [program.source(part, np.float32) for part in c]

    def run(threads, chosen):
        count = len(whole_warps(threads, chosen))
        left, right = (
            np.stack([np.broadcast_to(read(threads, chosen), count) for read in several], 1) for several in reads
        )
        before = np.stack([np.broadcast_to(read(threads, chosen), count) for read in sums], 1)
        result = layout.product(left, right, before)
        for n, write in enumerate(writes):
            write(threads, chosen, np.ascontiguousarray(result[:, n]))

    return Meeting(run, program.source(EVERY, np.uint32))
