"""What a second thread gives, and that it changes no bit: `python -m refnet_fast.bench --threads`."""

import statistics
from typing import Any

from refnet_fast.bench.processes import Program, Running
from refnet_fast.bench.programs.workloads import Work

COUNTS = (1, 2)


def measured(work: Work, rounds: int, say: Any) -> dict[str, Any]:
    """One workload on one thread and on two, in turns.

    Raises:
        SystemExit: the weights after the first epoch differ in any bit.
    """
    running = []
    for count in COUNTS:
        say(f"{work.name}: starting with {count} thread{'s' * (count > 1)}")
        program = Program(f"{count} threads", "refnet_fit.py", environment={"REFNET_THREADS": str(count)})
        running.append(Running(program, work.name, "--facts"))
    for number in range(rounds):
        say(f"{work.name}: round {number + 1} of {rounds}")
        for entry in running:
            entry.round()
    for entry in running:
        entry.end()
    one, two = running
    if one.started["weights"] != two.started["weights"]:
        raise SystemExit(f"{work.name}: weights differ after an epoch on {COUNTS[0]} and on {COUNTS[1]} threads.")
    return {
        "name": work.name,
        "one_thread": min(one.times),
        "two_threads": min(two.times),
        "speedup": min(one.times) / min(two.times),
        "speedup_of_medians": statistics.median(one.times) / statistics.median(two.times),
        "weights": one.started["weights"],
        "disturbed": [one.disturbed, two.disturbed],
    }


def show(report: dict[str, Any]) -> None:
    """One table."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title="two threads over one, best of the rounds; weights equal to the bit", title_justify="left")
    table.add_column("workload")
    for column in ("1 thread, ms", "2 threads, ms", "speed", "disturbed"):
        table.add_column(column, justify="right")
    for work in report["threads"]:
        times = (f"{work[key] / 1e3:.3f}" for key in ("one_thread", "two_threads"))
        table.add_row(work["name"], *times, f"{work['speedup']:.2f}", "/".join(map(str, work["disturbed"])))
    console.print(table)
