"""Threads meet before one touches what another has written, or writes what another reads; no run has to show it by chance.

Each of three threads goes through a program's rows alone, as `vm.run_rows` leads it. What its kernels are told to touch is noted down, with
how often the thread has waited for the others by then: between two meetings, what different threads do may come in any order.
"""

import itertools
import os
import types
from random import Random

import numpy as np
import pytest
from drawn_programs import Drawn

from refnet import ops
from refnet.graph import Constant, Mode, Tensor, Variable, assignment, trace
from refnet.program import Program, specialize
from refnet_fast import kernels, machine_rows, vm
from refnet_fast.lists import IndexLists
from refnet_fast.memory import bytes_of
from refnet_fast.native import address_of
from refnet_fast.running import Running

THREADS, STEPS = 3, 2


class Thread:
    """What one thread does in all steps of a machine, beginning when it is made.

    Attributes:
        met: how often it has waited for the others.
        touched: {(met, what touches it, start, end, written)}; what touches memory is a step's group of rows, which threads share out.
        done: {(step, row): [(first, end) of tasks]}.
    """

    def __init__(self, machine, number):
        self.machine, self.control, self.step = machine, address_of(machine.control), None
        self.met, self.touched, self.done = 0, set(), {}
        self.group_of = np.cumsum(machine.rows[:, vm.GROUP] > 0).tolist()
        scope = dict(vars(vm), barrier=self.meet, run_tasks=self.run, atomic_load=self.look, range=self.steps)
        run = types.FunctionType(vm.run_rows.py_func.__code__, scope)
        assert run(machine.rows, self, machine.first_commit, number, THREADS, 0, STEPS) == STEPS

    @property
    def ctypes(self):
        return self.machine.control.ctypes

    def steps(self, first, end):
        """`range`, of which the first is that of the steps."""
        if self.step is not None:
            yield from range(first, end)
            return
        for self.step in range(first, end):
            yield self.step

    def meet(self, address, threads):
        assert (address, threads) == (self.control, THREADS)
        self.met += 1

    def __setitem__(self, word, step):
        assert (word, step) == (vm.STEP, self.step)
        self.touch("the step's number", self.control + 8 * word, True)

    def look(self, address):
        self.touch("a look", address, True)
        return -1 if address == self.control + 8 * vm.FLAG else 0

    def touch(self, who, start, written, end=None):
        self.touched.add((self.met, (self.step, who), start, start + 8 if end is None else end, written))

    def run(self, table, number, first, end, failed):
        """A kernel's tasks: what the row says of memory, the words of the control block that it is given, and how it ended."""
        row, who = self.machine.described[number], self.group_of[number]
        self.done.setdefault((self.step, number), []).append((first, end))
        self.touch(
            who, failed, False
        )  # several may write it at once, but nobody while one looks: as if a look wrote and they read
        for word, written in ((vm.STEP, False), (vm.FLAG, True)):
            if self.control + 8 * word in row.frame:
                self.touch(who, self.control + 8 * word, written)
        for intervals, written in ((row.reads, False), (row.writes, True)):
            for start, stop in intervals:
                self.touch(who, start, written, stop)


def hold_meetings(machine):
    """Raises unless threads wait for each other as often, share out all tasks, and touch nothing of each other's in between."""
    threads = [Thread(machine, number) for number in range(THREADS)]
    assert len({thread.met for thread in threads}) == 1, "one waits for threads that do not come"
    for key in itertools.product(range(STEPS), range(len(machine.rows))):
        shares = sorted(share for thread in threads for share in thread.done.get(key, []))
        due = list(range(machine.described[key[1]].tasks))
        assert [task for first, end in shares for task in range(first, end)] == due
    between = {}
    for number, thread in enumerate(threads):
        for met, *what in thread.touched:
            between.setdefault(met, {}).setdefault(tuple(what), set()).add(number)
    for together in between.values():
        for (a, of_a), (b, of_b) in itertools.combinations(together.items(), 2):
            (who, start, end, written), (other, low, high, changed) = a, b
            meet = start < high and low < end and (written or changed) and len(of_a | of_b) > 1
            assert who == other or not meet, f"{who} and {other} touch the same memory"


def hold_look(running, machine):
    """Raises unless all checks come before the look at what they found, and what writes variables after it."""
    homes = [(address_of(v.array), address_of(v.array) + v.array.nbytes) for v in running.plan.commits]
    flag = vm.word_address(running.control, vm.FLAG)
    for number, row in enumerate(machine.described):
        if any(start < end and start < high and low < end for start, end in row.writes for low, high in homes):
            assert number >= machine.first_commit, f"{row.what} writes a variable before anybody looks"
        if flag in row.frame:
            assert number < machine.first_commit, f"{row.what} comes when nobody looks"


def hold_rows(running):
    """Raises unless rows say all that they read and write."""
    row_of = {id(row.first): row for group in running.groups_of_rows for row in group}
    for unit in running.plan.units:
        row = row_of[id(unit.nodes[0])]
        for tensors, intervals in ((unit.reads(), row.reads), (unit.stored or list(unit.commits), row.writes)):
            for x in tensors:
                if isinstance(running.plan.base(x), Constant) or x in running.lists:
                    continue
                start = running.memory.address(x)
                told = any(low <= start and start + bytes_of(x) <= high for low, high in intervals)
                assert told, f"{row.what} does not say that it touches {x}"
    every = [row for group in running.groups_of_rows for row in group]
    written = [interval for row in every for interval in row.writes]
    for row in [row for row in every if row.kind == "machine" and row.tasks]:
        # They stand in no plan: addresses are the words that lie where some row writes.
        for word in row.frame:
            if any(low <= word < high for low, high in written):
                told = any(low <= word < high for low, high in row.reads + row.writes)
                assert told, f"{row.what} does not say that it touches {word}"


@pytest.fixture
def nothing_compiled(monkeypatch):
    """Machines without machine code, of which every row that can be spread over threads is."""
    kernels.load()
    monkeypatch.setattr(machine_rows, "build_all", lambda texts: dict.fromkeys(texts, 0))
    monkeypatch.setattr(machine_rows, "PARALLEL_NS", 0.0)


@pytest.mark.parametrize("tuned", [True, False])
@pytest.mark.parametrize("seed", range(3000 if os.environ.get("REFNET_PROFILE") == "deep" else 40))
def test_threads_meet_in_drawn_programs(nothing_compiled, seed, tuned):
    drawn = Drawn(Random(seed))
    running = Running(specialize(drawn.program, [np.shape(a) for a in drawn.feeds]), tuned)
    hold_rows(running)
    data = [np.zeros((STEPS * len(a), *a.shape[1:]), a.dtype) for a in drawn.feeds]
    outputs = [np.zeros(STEPS * bytes_of(y), np.uint8) for y in running.plan.outputs]
    for machine in (running.machine, running._epoch_machine(data, None, 1, outputs)):
        hold_meetings(machine)
        hold_look(running, machine)


def test_threads_meet_where_an_input_comes_as_lists(nothing_compiled):
    weight, x = Variable(np.ones((200, 3))), Tensor((8, 200))
    with trace.inside(collecting=True):
        y = ops.matmul(x, weight)
        (gradient,) = ops.gradients(ops.sum(ops.square(y)), [weight])
        program = Program([x], [y], [assignment(weight, ops.subtract(weight, gradient))], Mode(True))
    running = Running(specialize(program, [x.shape]), True, (0,))
    hold_rows(running)
    data = [IndexLists(np.zeros((STEPS * 8, 200), "float32"), np.zeros(STEPS * 8 + 1, np.int64), np.zeros(0, np.int32))]
    hold_meetings(running._epoch_machine(data, np.arange(STEPS * 8), 8, [np.zeros((STEPS * 8, 3), "float32")]))


def test_drawn_programs_hold_what_threads_share(nothing_compiled):
    """Rows that are spread and rows that are not, meetings, chains and checks are among those that are drawn above; all meetings matter."""
    tables, checks = [], 0
    for seed in range(30):
        drawn = Drawn(Random(seed))
        running = Running(specialize(drawn.program, [np.shape(a) for a in drawn.feeds]))
        table = running.machine.rows
        tables.append(table.copy())
        checks += len(running.checks) > 0
        if table[:, vm.BARRIER].any():
            table[np.flatnonzero(table[:, vm.BARRIER])[seed % table[:, vm.BARRIER].sum()], vm.BARRIER] = 0
            with pytest.raises(AssertionError, match="touch the same memory"):
                hold_meetings(running.machine)
    table = np.concatenate(tables)
    assert checks >= 3 and (table[:, vm.GROUP] > 1).sum() >= 5 and (table[:, vm.BARRIER] > 0).sum() >= 50
    assert all((table[:, vm.PARALLEL] == spread).sum() >= 100 for spread in (0, 1))
