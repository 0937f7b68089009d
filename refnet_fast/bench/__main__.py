"""Measures a training step of refnet, PyTorch and Keras: `python -m refnet_fast.bench [--json] [--only NAME] [--rounds N]`.

`--kernels` measures single ops against PyTorch's; `--profile NAME` shows where the step of one workload spends its time; `--chart FILE.png` draws the results.
"""

import argparse
import datetime
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

from refnet_fast.bench.programs.kernels import KERNELS, KernelWork
from refnet_fast.bench.programs.workloads import WORKS, Work

FOLDER = pathlib.Path(__file__).parent
OURS = "refnet fit"
TRIES = 8  # of a round, before one that other processes disturbed is taken after all


class Program(NamedTuple):
    """A program to be measured: its script, the modules it needs, what it finds in the environment, what installs the modules."""

    name: str
    script: str
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    install: str = 'pip install "refnet[peers]"'


PROGRAMS = (
    Program(OURS, "refnet_fit.py"),
    Program("PyTorch loop", "torch_loop.py", ("torch",)),
    Program("Keras fit on JAX", "keras_fit.py", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    Program(
        "Keras fit on TensorFlow",
        "keras_fit.py",
        ("keras", "tensorflow"),
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
        'pip install tensorflow "refnet[peers]"',
    ),
    Program("Keras fit on PyTorch", "keras_fit.py", ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
)

KERNEL_PROGRAMS = (Program(OURS, "refnet_kernel.py"), Program("PyTorch loop", "torch_kernel.py", ("torch",)))


class Running:
    """A program in its process, ready for rounds."""

    def __init__(self, program: Program, work: Work | KernelWork):
        root = str(FOLDER.parent.parent)
        path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH")) if p)
        self.program, self.times, self.disturbed = program, [], 0
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "programs" / program.script), work.name],
            env={**os.environ, "PYTHONPATH": path, **program.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        began = time.perf_counter()
        started = self._answer()
        self.versions: dict[str, str] = started["versions"]
        self.start, self.peak = time.perf_counter() - began, 0

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit(f"{self.program.name}: its process ended with status {self.process.wait()}; see above.")
        return json.loads(line)

    def round(self) -> None:
        """One more round; again if other processes used the machine meanwhile."""
        for attempt in range(TRIES):
            before, start = busy(), time.perf_counter()
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
            answer = self._answer()
            others = busy() - before - answer["processor"]
            if others <= 0.02 + 0.12 * (time.perf_counter() - start):
                break
            if attempt == TRIES - 1:
                self.disturbed += 1
            else:
                time.sleep(0.1 * (attempt + 1))
        self.times.append(answer["microseconds"])
        self.peak = max(self.peak, answer["peak_bytes"])

    def end(self) -> None:
        self.process.communicate()


def busy() -> float:
    """Seconds of processor time that the whole machine has used; 0 where /proc does not tell."""
    try:
        fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def measured(work: Work | KernelWork, programs: list[Program], rounds: int, say: Any) -> dict[str, Any]:
    """The times of one workload: programs take turns, round by round."""
    running = []
    for program in programs:
        say(f"{work.name}: starting {program.name}")
        running.append(Running(program, work))
    for number in range(rounds):
        say(f"{work.name}: round {number + 1} of {rounds}")
        for entry in running:
            entry.round()
    for entry in running:
        entry.end()
    results = {
        entry.program.name: {
            "median": statistics.median(entry.times),
            "best": min(entry.times),
            "rounds": entry.times,
            "disturbed": entry.disturbed,
            "peak_bytes": entry.peak,
            "seconds_to_start": entry.start,  # imports, data, building, and the first epochs
            "versions": entry.versions,
        }
        for entry in running
    }
    peers = {name: result["median"] for name, result in results.items() if name != OURS}
    ours = results[OURS]["median"]
    fastest = min(peers, key=lambda name: peers[name]) if peers else None
    return {
        "name": work.name,
        "unit": "microseconds a step",
        "programs": results,
        "fastest_peer": fastest,
        "ratio_to_fastest_peer": ours / peers[fastest] if fastest else None,
        "ratio_to_pytorch": ours / peers["PyTorch loop"] if "PyTorch loop" in peers else None,
    }


def geometric_mean(report: dict[str, Any]) -> float | None:
    """Of the ratios to the fastest peer, where there are peers; the workload of batch 1 is left out: it would say most."""
    ratios = [work["ratio_to_fastest_peer"] for work in report["works"] if "batch 1 " not in work["name"] + " "]
    known = [ratio for ratio in ratios if ratio is not None]
    return statistics.geometric_mean(known) if known else None


def machine() -> dict[str, Any]:
    """What was measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        name = names[0] if names else name
    return {
        "processor": name,
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for work in report["works"]:
        table = Table(title=f"{work['name']}, {work['unit']}", title_justify="left")
        table.add_column("program")
        for column in ("median", "best", "refnet / it", "peak MB", "start, s", "rounds", "disturbed"):
            table.add_column(column, justify="right")
        ours = work["programs"][OURS]["median"]
        for name, result in work["programs"].items():
            ratio = "" if name == OURS else f"{ours / result['median']:.3f}"
            counts = str(len(result["rounds"])), str(result["disturbed"])
            times = f"{result['median']:.1f}", f"{result['best']:.1f}"
            room = f"{result['peak_bytes'] / 1e6:.0f}", f"{result['seconds_to_start']:.1f}"
            table.add_row(name, *times, ratio, *room, *counts)
        console.print(table)
    mean = geometric_mean(report)
    if mean is not None:
        console.print(f"refnet / the fastest peer, geometric mean without batch 1: {mean:.2f}")
    hardware = report["machine"]
    console.print(
        f"{hardware['processor']}, {hardware['processors']} processors, Python {hardware['python']}, {report['date']}"
    )
    for program in (*PROGRAMS, *KERNEL_PROGRAMS[1:]):
        if program.name in report["not_installed"]:
            console.print(f"not installed, so not measured: {program.name}   ({program.install})", markup=False)


def chosen(parser: argparse.ArgumentParser, name: str | None, among: dict[str, Any]) -> list[Any]:
    """The workloads, or kernels, whose name contains a text."""
    works = [work for known, work in among.items() if name is None or name.lower() in known.lower()]
    if not works:
        parser.error(f"no workload is called {name!r}; there are: {', '.join(among)}")
    return works


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m refnet_fast.bench", description=__doc__.split(":")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--only", metavar="NAME", help="workloads whose name contains NAME")
    parser.add_argument("--kernels", action="store_true", help="single ops instead of training steps")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-peers", action="store_true", help="refnet alone")
    parser.add_argument("--save", metavar="FILE", help="write the JSON there too")
    parser.add_argument("--chart", metavar="FILE", help="draw the results there, as PNG or SVG")
    parser.add_argument("--profile", metavar="NAME", help="where refnet's step of this workload spends its time")
    given = parser.parse_args(arguments)
    if given.profile:
        from refnet_fast.bench.profile import show_profile

        show_profile(chosen(parser, given.profile, WORKS)[0])
        return
    if given.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {given.rounds}")
    works = chosen(parser, given.only, KERNELS if given.kernels else WORKS)
    programs = [p for p in (KERNEL_PROGRAMS if given.kernels else PROGRAMS) if p.name == OURS or not given.no_peers]
    missing = [p for p in programs if any(importlib.util.find_spec(module) is None for module in p.needs)]
    programs = [p for p in programs if p not in missing]
    say = lambda text: print(text, file=sys.stderr)
    report = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rounds": given.rounds,
        "works": [measured(work, programs, given.rounds, say) for work in works],
        "not_installed": [p.name for p in missing],
    }
    if given.save:
        pathlib.Path(given.save).write_text(json.dumps(report, indent=1) + "\n")
    if given.chart:
        from refnet_fast.bench.chart import draw

        draw(report, given.chart)
    if given.json:
        print(json.dumps(report))
    else:
        show(report)


if __name__ == "__main__":
    main()
