"""refnet's training steps beside PyTorch's and Keras's, or single ops beside PyTorch's: what `python -m refnet_fast.bench` measures."""

import importlib.util
import statistics
from typing import Any

from refnet_fast.bench.processes import OURS, Program, Running
from refnet_fast.bench.programs.kernels import KernelWork
from refnet_fast.bench.programs.workloads import Work

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

ON_CUDA = {"BENCH_DEVICE": "cuda"}
CUDA_PROGRAMS = (  # on a GPU; a peer that cannot use it is left out, and said to be
    Program(OURS, "refnet_fit.py", environment={"REFNET_ENGINE": "cuda"}),
    Program("PyTorch loop", "torch_loop.py", ("torch",), ON_CUDA),
    Program("PyTorch CUDA graph", "torch_loop.py", ("torch",), {**ON_CUDA, "BENCH_STEP": "graph"}),
    Program("PyTorch compiled", "torch_loop.py", ("torch",), {**ON_CUDA, "BENCH_STEP": "compiled"}),
    Program(
        "Keras fit on JAX",
        "keras_fit.py",
        ("keras", "jax"),
        {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cuda"},
        'pip install "jax[cuda12]" "refnet[peers]"',
    ),
)

KERNEL_PROGRAMS = (Program(OURS, "refnet_kernel.py"), Program("PyTorch loop", "torch_kernel.py", ("torch",)))


def installed(programs: tuple[Program, ...]) -> tuple[list[Program], list[Program]]:
    """Those whose modules are there, and the others."""
    missing = [p for p in programs if any(importlib.util.find_spec(module) is None for module in p.needs)]
    return [p for p in programs if p not in missing], missing


def measured(work: Work | KernelWork, programs: list[Program], rounds: int, say: Any) -> dict[str, Any]:
    """The times of one workload: programs take turns, round by round."""
    running = []
    for program in programs:
        say(f"{work.name}: starting {program.name}")
        try:
            running.append(Running(program, work.name))
        except SystemExit as ended:
            if program not in CUDA_PROGRAMS or program.name == OURS:
                raise
            say(f"{work.name}: left out, {ended}")
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
            "versions": entry.started["versions"],
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
    """Of the ratios to the fastest peer, where there are peers. The workload of batch 1 is left out, which would say most, and index
    lists, which spare work that the peers do."""
    left_out = ("batch 1 ", "index lists")
    works = [work for work in report["works"] if not any(part in work["name"] + " " for part in left_out)]
    ratios = [work["ratio_to_fastest_peer"] for work in works]
    known = [ratio for ratio in ratios if ratio is not None]
    return statistics.geometric_mean(known) if known else None


def show(report: dict[str, Any]) -> None:
    """A table for each workload."""
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
        console.print(f"refnet / the fastest peer, geometric mean without batch 1 and index lists: {mean:.2f}")
    for program in (*PROGRAMS, *CUDA_PROGRAMS[2:4], *KERNEL_PROGRAMS[1:]):
        if program.name in report["not_installed"]:
            console.print(f"not installed, so not measured: {program.name}   ({program.install})", markup=False)
