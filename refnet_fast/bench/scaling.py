"""How a training step's time grows with the work in it: `python -m refnet_fast.bench --scaling`.

One size of a network is doubled until a step takes two seconds or its process two gigabytes. The work of a step is what the
definitions count, multiply-adds and elements; the slope is that of a line through log(time) over log(work): 1 is in proportion.
"""

import math
from typing import Any

from refnet_fast.bench.processes import OURS, Program, Running
from refnet_fast.bench.programs.workloads import Ladder

SECONDS, BYTES = 2.0, 2e9  # of a step, and of its process: the last rung that is climbed
FIT = Program(OURS, "refnet_fit.py")


def measured(ladder: Ladder, rounds: int, say: Any) -> dict[str, Any]:
    """The report of one ladder: its rungs, the slope of all of them, and the steepest between two neighbours.

    Times are the best of the rounds; `processor` is processor time, which other processes disturb less.
    """
    rungs: list[dict[str, Any]] = []
    while not rungs or rungs[-1]["time"] < SECONDS * 1e6 and rungs[-1]["peak_bytes"] < BYTES:
        work = ladder.rung(len(rungs))
        say(f"{ladder.name} {ladder.first << len(rungs)}")
        running = Running(FIT, work.name, "--facts")
        for _ in range(rounds):
            running.round()
        running.end()
        rungs.append(
            {
                "size": ladder.first << len(rungs),
                "operations": running.started["operations"],
                "time": min(running.times),
                "processor": min(running.processor),
                "peak_bytes": running.peak,
                "disturbed": running.disturbed,
            }
        )
    return {
        "name": ladder.name,
        "rungs": rungs,
        "slope": slope(rungs, "time"),
        "processor_slope": slope(rungs, "processor"),
        "steepest": max(slope([low, high], "time") for low, high in zip(rungs, rungs[1:])) if rungs[1:] else None,
    }


def slope(rungs: list[dict[str, Any]], what: str) -> float | None:
    """Of the least-squares line through log(what) over log(operations); None for a single rung."""
    if len(rungs) < 2:
        return None
    xs, ys = ([math.log(rung[key]) for rung in rungs] for key in ("operations", what))
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys)) / sum((x - x_mean) ** 2 for x in xs)


def show(report: dict[str, Any]) -> None:
    """A table for each ladder."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for ladder in report["ladders"]:
        table = Table(title=ladder["name"], title_justify="left")
        for column in ("size", "million operations", "ms a step", "ns an operation", "peak MB", "disturbed"):
            table.add_column(column, justify="right")
        for rung in ladder["rungs"]:
            table.add_row(
                str(rung["size"]),
                f"{rung['operations'] / 1e6:.2f}",
                f"{rung['time'] / 1e3:.3f}",
                f"{rung['time'] * 1e3 / rung['operations']:.4f}",
                f"{rung['peak_bytes'] / 1e6:.0f}",
                str(rung["disturbed"]),
            )
        console.print(table)
        if ladder["slope"] is not None:
            console.print(
                f"slope {ladder['slope']:.2f}, of processor time {ladder['processor_slope']:.2f}; steepest between two rungs "
                f"{ladder['steepest']:.2f}\n"
            )
