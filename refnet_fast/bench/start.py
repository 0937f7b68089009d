"""How long first things take, and small ones: `python -m refnet_fast.bench --start`.

Each figure is measured in processes of its own, one for each round, on a warm cache of kernels unless it is called cold.
"""

import tempfile
from typing import Any, NamedTuple

from refnet_fast.bench.processes import answer


class Figure(NamedTuple):
    """What is measured: a function of `programs/refnet_start.py` and its argument; the most that it should take, in seconds."""

    name: str
    function: str
    argument: str
    limit: float | None
    cold: bool = False


FIGURES = {
    figure.name: figure
    for figure in (
        Figure("import, the engine and its first program", "load", "", None),
        Figure("first fit, dense", "first_fit", "MNIST 784-512-10 batch 128", 0.5),
        Figure("first fit, convnet", "first_fit", "MNIST convnet 32-64-64 batch 64", 0.5),
        Figure("first fit, LSTM", "first_fit", "IMDB LSTM(32) batch 128", 0.5),
        Figure("K.function of a new graph", "new_function", "MNIST convnet 32-64-64 batch 64", 0.03),
        Figure("predict, one sample, dense", "predict", "Boston 13-64-64-1 batch 1", 60e-6),
        Figure("model.function(), one sample, dense", "lean_function", "Boston 13-64-64-1 batch 1", 15e-6),
        Figure("20 augmented images of 150x150, one processor", "augmentation", "", 0.153),
        Figure("first step, cold, convnet", "first_fit", "MNIST convnet 32-64-64 batch 64", 15.0, cold=True),
    )
}


def measured(figure: Figure, rounds: int, say: Any) -> dict[str, Any]:
    """The times of a figure, in seconds. A cold one is measured once; before the others a process fills the cache."""
    say(figure.name)
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        more = {"REFNET_CACHE_DIR": folder} if figure.cold else {}
        for _ in range(1 if figure.cold else 1 + rounds):
            times.append(answer("refnet_start.py", figure.function, figure.argument, **more))
    times = times if figure.cold else times[1:]
    return {"name": figure.name, "best": min(times), "rounds": times, "limit": figure.limit}


def show(report: dict[str, Any]) -> None:
    """One table."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title="seconds, milliseconds, microseconds; best of the rounds", title_justify="left")
    table.add_column("figure")
    for column in ("best", "at most", ""):
        table.add_column(column, justify="right")
    for figure in report["start"]:
        best, limit = figure["best"], figure["limit"]
        told = ("", "") if limit is None else (readable(limit), "" if best <= limit else "missed")
        table.add_row(figure["name"], readable(best), *told)
    console.print(table)


def readable(seconds: float) -> str:
    """Three digits with the unit that suits."""
    for scale, unit in ((1, "s"), (1e3, "ms")):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
