"""What a thousand training steps leave behind: `python -m refnet_fast.bench --growth`. Memory and objects are to stay as they are."""

from typing import Any

from refnet_fast.bench.processes import answer
from refnet_fast.bench.programs.workloads import Work


def measured(work: Work, rounds: int, say: Any) -> dict[str, Any]:
    """One workload's peak memory and live Python objects after 100 steps and after 1,100. `rounds` is not used."""
    say(f"{work.name}: 1,100 steps")
    return {"name": work.name, **answer("refnet_growth.py", work.name)}


def show(report: dict[str, Any]) -> None:
    """One table."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title="after 100 steps, and what 1,000 more added", title_justify="left")
    table.add_column("workload")
    for column in ("peak MB", "more, kB", "objects", "more", "of kinds"):
        table.add_column(column, justify="right")
    for work in report["growth"]:
        before, after = work["after_100"], work["after_1100"]
        table.add_row(
            work["name"],
            f"{before['peak_bytes'] / 1e6:.1f}",
            f"{(after['peak_bytes'] - before['peak_bytes']) / 1e3:.0f}",
            str(before["objects"]),
            str(after["objects"] - before["objects"]),
            ", ".join(f"{kind} {count:+d}" for kind, count in work["kinds"].items()),
        )
    console.print(table)
