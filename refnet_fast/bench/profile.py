"""Where a training step's time goes: every row of the machine run by itself, on one thread.

`python -m refnet_fast.bench --profile NAME` prints it. Rows of a chain, which run block by block, are timed as a whole row each.
"""

import ctypes
import importlib
import pathlib
import sys
import time
from typing import Any, NamedTuple

from refnet_fast import vm
from refnet_fast.running import failure

THREADS = 2, 4, 8, 16
KERNEL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


class RowTime(NamedTuple):
    """What a row computes, its kind of kernel, its tasks, the estimate that its threads were decided by, the share of the
    tasks that the busiest of so many threads would do, and the best time."""

    what: str
    kind: str
    tasks: int
    estimate: float
    shares: dict[int, float]
    ns: float


def row_times(running: Any, repeats: int = 5) -> list[RowTime]:
    """Times of the rows of a running program, in order, processor time of this thread.

    Args:
        running: a program that has run: its memory holds the last step's values. Variables are updated again and again, so the
            model is of no use afterwards.
    Raises:
        OutOfMemoryError, EngineError: a kernel that failed, as in a run.
    """
    groups = [group for group in running.groups_of_rows if group[0].tasks > 0]
    rows, words = [row for group in groups for row in group], running.machine.rows
    heads = [words[rows.index(group[0])] for group in groups for _ in group]
    shares = [{threads: largest_share(entry, threads) for threads in THREADS} for entry in heads]
    best = [float("inf")] * len(rows)
    calls = [(KERNEL(int(entry[vm.KERNEL])), int(entry[vm.FRAME]), int(entry[vm.TASKS])) for entry in words]
    for _ in range(repeats):
        for number, (kernel, frame, tasks) in enumerate(calls):
            start = time.thread_time_ns()
            ended = kernel(frame, 0, tasks)
            best[number] = min(best[number], time.thread_time_ns() - start)
            if ended:
                raise failure(rows[number], ended, late=True)
    return [RowTime(row.what, row.kind, row.tasks, row.ns, of, ns) for row, of, ns in zip(rows, shares, best)]


def largest_share(words: Any, threads: int) -> float:
    """Of a row's tasks, what the busiest of so many threads does: as `vm.run_rows` cuts them."""
    if not words[vm.PARALLEL]:
        return 1.0
    tasks, quantum = int(words[vm.TASKS]), int(words[vm.QUANTUM])
    units = -(-tasks // quantum)
    ends = [min(tasks, units * thread // threads * quantum) for thread in range(threads + 1)]
    return max(end - start for start, end in zip(ends, ends[1:])) / tasks


def step_of(model: Any) -> Any:
    """The running program of a model's training step; it must have been trained on the cpu engine."""
    executables = [executable for executable in model._executables.values() if executable.program.commits]
    (executable,) = executables
    return max(executable.built.values(), key=lambda running: running.machine.ns)


def show_profile(work: Any, longest: int = 25) -> None:
    """Trains a workload's network for an epoch and prints its step's rows, the slowest first."""
    import refnet_fast

    sys.path.insert(0, str(pathlib.Path(__file__).parent / "programs"))  # where the networks are told
    x, y = work.data()
    model = importlib.import_module("nets").built(work, refnet_fast)
    model.fit(x, y, batch_size=work.batch, epochs=1, verbose=0)
    rows = row_times(step_of(model))
    total = sum(row.ns for row in rows)
    most = ", ".join(
        f"{threads}: {total / sum(row.ns * row.shares[threads] for row in rows):.2f}" for threads in THREADS
    )
    print(f"{work.name}: {total / 1e6:.3f} ms of one processor a step, in {len(rows)} rows")
    print(f"at most so many times as fast with so many threads, as tasks are cut: {most}")
    for row in sorted(rows, key=lambda row: -row.ns)[:longest]:
        uneven = "" if row.shares[2] < 0.6 else f" ({row.shares[2]:.0%} on one of two threads)"
        print(f"{row.ns / 1e6:9.3f} ms {row.ns / total:6.1%}  {row.kind:8s} {row.tasks:8d} tasks  {row.what}{uneven}")
