"""Which accesses to memory have no order: two threads, one of them writing, and no barrier between.

What is remembered of each byte is who wrote it last, and who has read it since. A barrier puts what the threads of a block did before it
in front of what they do after it; a meeting of a warp (`bar.warp.sync`) does so for its lanes. Nothing orders different blocks. Atomic
changes have an order among themselves. Who writes the bits that are there already disturbs no other writer.
"""

import numpy as np

from refnet_fast.cuda.machine.errors import MachineError

NOBODY, SEVERAL = -1, -2
ON_ITS_WAY = 2**31 - 1  # when something is written that a copy in the background brings: not before anything


class Shadow:
    """What is known of some bytes.

    Attributes:
        writer, reader: thread, NOBODY, or SEVERAL of a warp, or of a block where `reader_warp` says so.
        wrote, read: when, by the barriers of the block; wrote_warp, read_warp: by the meetings of the warp.
    """

    def __init__(self, size):
        self.writer, self.reader = np.full(size, NOBODY, np.int64), np.full(size, NOBODY, np.int64)
        self.reader_warp, self.reader_block = np.full(size, NOBODY, np.int64), np.full(size, NOBODY, np.int64)
        self.wrote, self.read = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self.wrote_warp, self.read_warp = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self.wrote_atomic = np.zeros(size, bool)


class Of:
    """Of a launch: the shadows of its regions of device memory, by their first address."""

    def __init__(self, memory):
        self.shadows = [Shadow(region.stop - region.start) for region in memory.regions]
        self.memory = memory


def bytes_of(values, which):
    """The bytes that some threads store, a row for each."""
    rows = np.stack([np.ascontiguousarray(value[which]) for value in values], 1)
    return rows.view(np.uint8).reshape(len(rows), -1)


class Races:
    """Looks at the accesses of Threads as they are made.

    Args:
        whole: the Of of the launch that they belong to.
    """

    def __init__(self, threads, whole):
        self.threads, self.whole = threads, whole
        self.shared = Shadow(len(threads.shared.bytes))
        # Numbers among all threads, warps and blocks of the launch, as device memory is seen by all.
        self.block = threads.block_of + threads.first
        self.thread = np.arange(threads.count) + threads.first * threads.block_size
        self.warp = threads.warp_of + threads.first * (threads.warps // max(threads.blocks, 1))
        self.barriers = np.zeros(threads.blocks, np.int32)
        self.meetings = np.zeros(threads.warps, np.int32)

    def passed(self, blocks):
        self.barriers[blocks] += 1

    def met(self, warps):
        self.meetings[warps] += 1

    def places(self, name, addresses, size, numbers):
        """Yields (Shadow, the memory itself, which of the accesses, their bytes' places in both)."""
        reach = np.arange(size)
        if name == "shared":
            start = addresses.astype(np.int64) + self.threads.shared.owner_of[numbers] * self.threads.shared.stride
            yield self.shared, self.threads.shared.bytes, slice(None), start[:, None] + reach
            return
        for region, which in self.whole.memory.parts(addresses, size):
            shadow = self.whole.shadows[self.whole.memory.regions.index(region)]
            start = (addresses[which] - np.uint64(region.start)).astype(np.int64)
            yield shadow, region.bytes[region.start - region.base :], which, start[:, None] + reach

    def columns(self, numbers, like):
        """Thread, warp, block, barriers and meetings of accesses, as wide as their bytes."""
        threads = self.threads
        kinds = self.thread[numbers], self.warp[numbers], self.block[numbers]
        kinds += self.barriers[threads.block_of[numbers]], self.meetings[threads.warp_of[numbers]]
        return [np.broadcast_to(kind[:, None], like.shape) for kind in kinds]

    def read(self, name, addresses, size, numbers, atomic=False):
        """Threads read so many bytes each."""
        for shadow, _, which, places in self.places(name, addresses, size, numbers):
            thread, warp, block, barrier, meeting = self.columns(numbers[which], places)
            writer = shadow.writer[places]
            wrong = (writer != NOBODY) & ((writer != thread) | (shadow.wrote[places] == ON_ITS_WAY))
            if wrong.any():
                wrong &= ~self.behind(
                    shadow.wrote[places], shadow.wrote_warp[places], writer, warp, block, barrier, meeting
                )
                wrong &= ~(shadow.wrote_atomic[places] & atomic)
                self.refuse(wrong, numbers[which], name, "reads", "wrote", writer)
            if atomic:
                continue
            # Whoever read it before and is in front of us by a barrier cannot meet a later writer of this block.
            before, fresh = shadow.reader[places], shadow.reader_block[places] == block
            fresh &= shadow.read[places] < barrier
            others = (before != NOBODY) & (before != thread) & ~fresh
            same_warp = shadow.reader_warp[places] == warp
            same_block = shadow.reader_block[places] == block
            reader = np.where(others, SEVERAL, thread)
            reader_warp = np.where(others & ~same_warp, SEVERAL, warp)
            reader_block = np.where(others & ~same_block, SEVERAL, block)
            shadow.read[places], shadow.read_warp[places] = barrier, meeting
            kept = shadow.reader, shadow.reader_warp, shadow.reader_block
            for names, own in zip(kept, (reader, reader_warp, reader_block)):
                names[places] = own
                lost = names[places] != own  # of several threads that read a byte at once the last one has been noted
                if lost.any():
                    names[places[lost]] = SEVERAL

    def wrote(self, name, addresses, size, numbers, atomic=False, values=None, background=False):
        """Threads write so many bytes each: `values`, if they are known. In the background: from now on, until it is told again."""
        for shadow, memory, which, places in self.places(name, addresses, size, numbers):
            thread, warp, block, barrier, meeting = self.columns(numbers[which], places)
            writer, reader = shadow.writer[places], shadow.reader[places]
            wrong = (writer != NOBODY) & (writer != thread)
            if wrong.any():
                wrong &= ~self.behind(
                    shadow.wrote[places], shadow.wrote_warp[places], writer, warp, block, barrier, meeting
                )
                wrong &= ~(shadow.wrote_atomic[places] & atomic)
                if values is not None:
                    wrong &= memory[places] != bytes_of(values, which)
                self.refuse(wrong, numbers[which], name, "writes", "wrote", writer)
            wrong = (reader != NOBODY) & (reader != thread)
            if wrong.any():
                block_before = shadow.reader_block[places]
                ordered = (block_before == block) & (shadow.read[places] < barrier)
                ordered |= (shadow.reader_warp[places] == warp) & (shadow.read_warp[places] < meeting)
                self.refuse(wrong & ~ordered, numbers[which], name, "writes", "read", reader)
            if background:
                barrier = meeting = ON_ITS_WAY
            shadow.writer[places], shadow.wrote[places], shadow.wrote_warp[places] = thread, barrier, meeting
            shadow.wrote_atomic[places] = atomic
            shadow.reader[places] = shadow.reader_warp[places] = shadow.reader_block[places] = NOBODY
            if not atomic and (shadow.writer[places] != thread).any():
                self.clash(shadow, which, places, thread, numbers, name, values)

    def clash(self, shadow, which, places, thread, numbers, name, values):
        """Several threads write one place at once: refused, unless they write the same."""
        lost = (shadow.writer[places] != thread).any(1)
        if values is not None:
            found = bytes_of(values, which)
            last: dict = {}
            for row, bits in zip(places, found):
                for place, byte in zip(row.tolist(), bits.tolist()):
                    last.setdefault(place, set()).add(byte)
            lost &= np.array([any(len(last[place]) > 1 for place in row) for row in places.tolist()])
        self.refuse(lost[:, None], numbers[which], name, "writes", "writes", shadow.writer[places])

    def behind(self, when, when_warp, writer, warp, block, barrier, meeting):
        """Whether what `writer` did is in front of what is done now."""
        of = writer // self.threads.block_size
        inside = writer - of * self.threads.block_size
        warps = self.threads.warps // max(self.threads.blocks, 1)
        same_warp = (of * warps + inside // 32) == warp
        return (of == block) & (when < barrier) | same_warp & (when_warp < meeting)

    def refuse(self, wrong, numbers, name, now, before, others):
        if not wrong.any():
            return
        row, column = (int(k[0]) for k in np.nonzero(wrong))
        other = int(np.broadcast_to(others, (*wrong.shape[:1], others.shape[1]))[row, column])
        size, first = self.threads.block_size, self.threads.first
        if other < 0:
            who = "other threads"
        elif 0 <= other - first * size < self.threads.count:
            who = self.threads.told(other - first * size)
        else:
            who = f"thread {other % size} of block number {other // size}"
        raise MachineError(
            f"a race: {self.threads.told(numbers[row])} {now} a byte of {name} memory that {who} {before}, and nothing is between them"
        )
