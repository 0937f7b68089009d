"""The virtual machine: runs a program's rows, step after step, without entering Python between kernels.

Every thread runs the same rows. A parallel row is cut into one range of tasks per thread; a serial row is run by thread 0.
Threads meet at a barrier only where a row touches memory that another thread wrote or read since the last one. Kernels are
serial functions (frame, lo, hi) called by address, so nothing below this loop knows of threads. A kernel tells how it ended: after
one that failed no other is called, and the step writes no variable.

A row is int64 words: the columns below. Consecutive rows with GROUP > 1 in the first of them work on the same tasks, block by
block, so that what one kernel wrote is still in the cache when the next one reads it.
"""

import functools
import itertools
import os
import queue
import threading

import numpy as np
from numba import njit

from refnet.errors import ArgumentError, EngineError, shown
from refnet_fast.build import load
from refnet_fast.native import address_of, aligned_zeros, atomic_add, atomic_load, atomic_store, barrier, call

KERNEL, FRAME, TASKS, QUANTUM, PARALLEL, BARRIER, GROUP, BLOCK, COLUMNS = range(9)
# Words of a program's control block, each on a cache line of its own: the barrier's two words, the number of the step that is
# running (kernels read it through their frames), the first violated check (kernels write it; -1: none), and the first kernel that
# failed: how many did, its row, how it ended. A kernel that writes variables should not fail; one that did is noted down apart.
MEET, STEP, FLAG, FAILED, FAILED_LATE, CONTROL_WORDS = 0, 8, 16, 24, 32, 40


@njit(error_model="numpy")
def run_tasks(rows, row, lo, hi, failed):
    """Tasks of a row, unless a kernel has failed; the words at address `failed` are of the first that does."""
    if atomic_load(failed) == 0:
        ended = call(rows[row, KERNEL], rows[row, FRAME], lo, hi)
        if ended != 0 and atomic_add(failed, 1) == 0:
            atomic_store(failed + 8, row)
            atomic_store(failed + 16, ended)


@njit(error_model="numpy")
def run_rows(rows, control, first_commit, thread, threads, start, stop):
    """Steps start..stop of a program, as one of `threads` threads; returns the number of the step it did not commit, or stop.

    Before row `first_commit` (after the last row, if that is its number) all threads look whether a check was violated or a kernel
    failed: such a step writes nothing. What kernels after that row note down is looked at before the next step. All threads see
    the same, because between a look and the next note there is a barrier.
    """
    meet = control.ctypes.data
    for step in range(start, stop):
        if threads > 1 and step > start:
            barrier(meet, threads)  # another thread may still be in the last row, which reads the step's number
        if thread == 0:
            control[STEP] = step
        if threads > 1:
            barrier(meet, threads)
        if atomic_load(meet + 8 * FAILED_LATE) != 0:
            return step
        row, failed = 0, meet + 8 * FAILED
        while row < rows.shape[0]:
            if row == first_commit:
                if threads > 1:
                    barrier(meet, threads)
                if atomic_load(meet + 8 * FLAG) >= 0 or atomic_load(failed) != 0:
                    return step
                failed = meet + 8 * FAILED_LATE
            elif threads > 1 and rows[row, BARRIER] != 0:
                barrier(meet, threads)
            tasks, members = rows[row, TASKS], rows[row, GROUP]
            lo, hi = 0, 0
            if threads > 1 and rows[row, PARALLEL] != 0:
                quantum = rows[row, QUANTUM]
                units = (tasks + quantum - 1) // quantum
                lo = min(tasks, units * thread // threads * quantum)
                hi = min(tasks, units * (thread + 1) // threads * quantum)
            elif thread == 0:
                hi = tasks
            if members == 1:
                if lo < hi:
                    run_tasks(rows, row, lo, hi, failed)
            else:
                while lo < hi:
                    end = min(lo + rows[row, BLOCK], hi)
                    for member in range(row, row + members):
                        run_tasks(rows, member, lo, end, failed)
                    lo = end
            row += members
        if first_commit == rows.shape[0]:  # nothing to commit, but something to refuse
            if threads > 1:
                barrier(meet, threads)
            if atomic_load(meet + 8 * FLAG) >= 0 or atomic_load(failed) != 0:
                return step
    return stop


# Compiled through the kernels' cache, which knows when native.py changes; Numba's own looks at this file alone.
MACHINE = """from numba import njit, types
from refnet_fast.vm import run_rows


@njit(
    types.int64(types.int64[:, ::1], types.int64[::1], *[types.int64] * 5),
    nogil=True, cache=True, error_model="numpy",
)
def run(rows, control, first_commit, thread, threads, start, stop):
    return run_rows(rows, control, first_commit, thread, threads, start, stop)
"""


@functools.cache
def compiled_run():
    """`run_rows`, compiled or loaded from the disk cache."""
    return load(MACHINE).run


class Workers:
    """Threads started once, asleep until a program needs them. One lock guards them all: programs run one at a time."""

    def __init__(self):
        self.lock = threading.RLock()
        self.threads: list = []

    def ensure(self, count):
        """At least `count` helpers beside the calling thread."""
        while len(self.threads) < count:
            self.threads.append(Worker(len(self.threads) + 1))
        return self.threads[:count]


class Worker:
    """A helper; `jobs` is where it finds what to take part in."""

    def __init__(self, number):
        self.number, self.jobs = number, queue.SimpleQueue()
        try:
            threading.Thread(target=self.serve, name=f"refnet-{number}", daemon=True).start()
        except RuntimeError as error:
            raise EngineError(
                f"the operating system starts no thread beside {number} others of this program ({error}): it has too little memory, "
                "or may have no more threads. Use fewer: REFNET_THREADS, or refnet_fast.vm.set_threads."
            ) from error

    def serve(self):
        while True:
            job = self.jobs.get()
            job.help(self.number)
            del job  # with its arrays


class Job:
    """One run by several threads, the caller as number 0. They meet at barriers, so none may stay away once another has begun.

    Args:
        run, arguments: the machine's function, and what it is given for each thread.
        helpers: the Workers beside the caller.
    """

    def __init__(self, run, arguments, helpers):
        self.run, self.arguments, self.helpers = run, arguments, helpers
        self.begun: set = set()
        self.helping = [helper.number for helper in helpers]
        self.helped = threading.Event()
        self.results: list = []  # the caller's

    def help(self, number):
        """A helper's part; asked for again, nothing."""
        if number in self.begun:
            return
        self.begun.add(number)
        self.run(*self.arguments[number])
        self.helping.pop()
        if not self.helping:
            self.helped.set()

    def lead(self):
        """The caller's part. Each of its steps may be done again after an interrupt, which comes between any two of Python's."""
        for helper in self.helpers:
            helper.jobs.put(self)
        if not self.results:
            # in C: a run and its result are one step
            self.results.extend(itertools.starmap(self.run, self.arguments[:1]))
        self.helped.wait()

    def result(self):
        """What the caller's part gives, when all threads are done. An interrupt, Ctrl-C for example, is raised then."""
        interrupt = None
        while not (self.results and self.helped.is_set()):
            try:
                self.lead()
            except BaseException as error:
                interrupt = error
        if interrupt is None:
            return self.results[0]
        try:
            raise interrupt
        finally:
            del interrupt  # which holds this frame


workers = Workers()
if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads, of which one may hold the lock
    os.register_at_fork(after_in_child=workers.__init__)
_threads = None


def thread_count():
    """How many threads programs run on: `set_threads`, else REFNET_THREADS, else the processors this process may use."""
    if _threads is not None:
        return _threads
    asked = os.environ.get("REFNET_THREADS")
    if asked:
        if not asked.isdecimal() or int(asked) == 0:
            raise ArgumentError(f"REFNET_THREADS must be a number of threads, at least 1; it is {asked!r}.")
        return int(asked)
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def set_threads(count):
    """Sets the number of threads for programs from here on; None goes back to the default. Results do not depend on it.

    Raises:
        ArgumentError: a count that is no integer of at least 1.
    """
    global _threads
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise ArgumentError(f"set_threads: the count must be an integer of at least 1, or None; got {shown(count)}.")
    _threads = count


class Machine:
    """A program's rows and control block, ready to run.

    Args:
        rows: (rows, COLUMNS) int64.
        first_commit: the row before which all threads look whether the step may write variables.
        parallel: whether waking other threads can pay at all.
    """

    def __init__(self, rows, control, first_commit, parallel):
        self.rows, self.control, self.first_commit, self.parallel = rows, control, first_commit, parallel

    def run(self, start, stop, threads=None):
        """Runs steps start..stop; returns stop, or the number of the step that met bad data or in which a kernel failed."""
        threads = thread_count() if threads is None else threads
        run, control = compiled_run(), self.control
        # What the last run noted down may never have been read: an interrupt comes between any two of Python's steps.
        control[FLAG], control[FAILED], control[FAILED_LATE] = -1, 0, 0
        control[MEET] = 0  # nobody waits there; in a forked child it may say that threads of its parent do
        if threads == 1 or not self.parallel:
            return run(self.rows, control, self.first_commit, 0, 1, start, stop)
        arguments = [(self.rows, control, self.first_commit, thread, threads, start, stop) for thread in range(threads)]
        return Job(run, arguments, workers.ensure(threads - 1)).result()


def new_control():
    """A zeroed control block."""
    return aligned_zeros(8 * CONTROL_WORDS).view(np.int64)


def word_address(control, word):
    return address_of(control) + 8 * word
