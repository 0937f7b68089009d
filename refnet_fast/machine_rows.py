"""Rows of the machine: what one is before it has an address, and all of them put together, with barriers where they are needed."""

import numpy as np

from refnet.definition import View
from refnet_fast import vm
from refnet_fast.build import build_all
from refnet_fast.cpu import batches
from refnet_fast.derive import Placed, frame_of, kernel_text
from refnet_fast.native import address_of
from refnet_fast.tables import BLOCK_BYTES, ELEMENT_NS, PARALLEL_NS


class Row:
    """One row before it has an address: its kernel and frame, and what decides how it is run.

    Args:
        kernel, frame: the kernel's text, and words.
        tasks, quantum: how many tasks, and of how many a thread's share is a multiple.
        ns: nanoseconds for all tasks on one thread, roughly.
        reads, writes: intervals of memory.
    Attributes:
        what, kind: for reports: the ops that it computes, and whether its kernel is fused, tuned, derived or the machine's own.
        first: the first of its instructions, None of the machine's own rows.
    """

    def __init__(self, kernel, frame, tasks, ns, reads, writes, quantum=1):
        self.kernel, self.frame, self.tasks, self.ns, self.quantum = kernel, list(frame), tasks, ns, quantum
        self.reads, self.writes, self.serial = reads, writes, False
        self.what, self.kind, self.first = "", "", None


def flat(address, size, dtype):
    return Placed(address, View((size,)), dtype)


def plain_row(function, arguments, tasks, ns, reads, writes):
    """A row whose kernel is a function that no op's kernel declares."""
    name = function.__name__
    names = "".join(f"a{number}, " for number in range(len(arguments)))
    text = kernel_text(f"from {function.__module__} import {name}\n", arguments, [f"{name}({names}lo, hi)"])
    row = Row(text, frame_of(arguments), tasks, ns, reads, writes, 64 if name.startswith("copy") else 1)
    row.what, row.kind = name, "machine"
    return row


def copy_row(source, target, size):
    arguments = [flat(source, size, "uint8"), flat(target, size, "uint8")]
    return plain_row(
        batches.copy_bytes, arguments, size, size * ELEMENT_NS / 4, [(source, source + size)], [(target, target + size)]
    )


def assemble(groups, control, first_commit_group):
    """The machine of these groups of rows: frames in one array, barriers where threads could meet in memory."""
    rows = [row for group in groups for row in group]
    table = np.zeros((len(rows), vm.COLUMNS), np.int64)
    frames = np.array([word for row in rows for word in row.frame] or [0], np.int64)
    kernels = build_all([row.kernel for row in rows])
    at, base, parallel, number = 0, address_of(frames), False, 0
    since = Accesses()
    first_commit, total = 0, 0
    for place, group in enumerate(groups):
        if place == first_commit_group:
            first_commit = number
            since = Accesses()
        head, ns = group[0], sum(row.ns for row in group)
        total += ns
        spread = ns > PARALLEL_NS and head.tasks > head.quantum and not any(row.serial for row in group)
        parallel |= spread
        table[number, vm.PARALLEL] = spread
        table[number, vm.GROUP] = len(group)
        table[number, vm.BLOCK] = block_of(group)
        if since.conflict(group, spread):
            table[number, vm.BARRIER] = 1
            since = Accesses()
        since.add(group, spread)
        for row in group:
            table[number, vm.KERNEL], table[number, vm.FRAME] = kernels[row.kernel], base + 8 * at
            table[number, vm.TASKS], table[number, vm.QUANTUM] = row.tasks, head.quantum
            at += len(row.frame)
            number += 1
    if first_commit_group == len(groups):
        first_commit = number
    machine = vm.Machine(table, control, first_commit, parallel)
    machine.frames, machine.ns, machine.described = frames, total, rows
    return machine


def block_of(group):
    """Tasks per block of a chain: as many as keep the chain's results in the second-level cache."""
    written = sum(end - start for row in group for start, end in row.writes)
    per_task = max(1, written // max(1, group[0].tasks))
    quantum = group[0].quantum
    return max(48, BLOCK_BYTES // per_task) // quantum * quantum


class Accesses:
    """What threads have touched since the last barrier."""

    def __init__(self):
        self.all: list = []  # (start, end, written)
        self.spread: list = []  # those of groups that were spread over threads

    def conflict(self, group, spread):
        """Whether a group touches what another thread may have written, or writes what another may still read."""
        seen = self.all if spread else self.spread
        for row in group:
            for kind, intervals in ((False, row.reads), (True, row.writes)):
                for start, end in intervals:
                    for low, high, written in seen:
                        if start < high and low < end and (kind or written):
                            return True
        return False

    def add(self, group, spread):
        for row in group:
            touched = [(start, end, False) for start, end in row.reads]
            touched += [(start, end, True) for start, end in row.writes]
            self.all += touched
            if spread:
                self.spread += touched
