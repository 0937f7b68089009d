"""Measures a training step of refnet, PyTorch and Keras: `python -m refnet_fast.bench [--json] [--only NAME] [--rounds N]`.

`--kernels` measures single ops against PyTorch's, `--scaling` how time grows with the work, `--threads` what a second thread gives,
`--growth` what a thousand steps leave behind, `--start` how long the first step and a single prediction take. `--profile NAME` shows
where the step of one workload spends its time; `--chart FILE.png` draws the comparison.
"""

import argparse
import datetime
import json
import pathlib
import sys
from typing import Any

from refnet.errors import EngineError
from refnet_fast.bench import comparison, growth, scaling, start, threads
from refnet_fast.bench.processes import OURS, device, machine
from refnet_fast.bench.programs.kernels import KERNELS
from refnet_fast.bench.programs.workloads import LADDERS, WORKS

# What can be asked for instead of the comparison: the help, what there is to measure, how one is measured, where the reports go.
MODES: dict[str, tuple] = {
    "scaling": ("how a step's time grows with its work", LADDERS, scaling, "ladders"),
    "threads": ("two threads beside one, and whether their bits are equal", WORKS, threads, "threads"),
    "growth": ("memory and objects after 100 steps and after 1,100", WORKS, growth, "growth"),
    "start": ("first steps, single predictions, augmentation", start.FIGURES, start, "start"),
}


def chosen(parser: argparse.ArgumentParser, name: str | None, among: dict[str, Any]) -> list[Any]:
    """The workloads, or kernels, whose name contains a text."""
    works = [work for known, work in among.items() if name is None or name.lower() in known.lower()]
    if not works:
        parser.error(f"no workload is called {name!r}; there are: {', '.join(among)}")
    return works


def say(text: str) -> None:
    print(text, file=sys.stderr)


def compared(parser: argparse.ArgumentParser, given: argparse.Namespace) -> dict[str, Any]:
    """The part of the report that a comparison fills."""
    works = chosen(parser, given.only, KERNELS if given.kernels else WORKS)
    programs = comparison.KERNEL_PROGRAMS if given.kernels else comparison.PROGRAMS
    if given.engine == "cuda":
        programs = comparison.CUDA_PROGRAMS
    taken, missing = comparison.installed(tuple(p for p in programs if p.name == OURS or not given.no_peers))
    return {
        "works": [comparison.measured(work, taken, given.rounds, say) for work in works],
        "not_installed": [p.name for p in missing],
    }


def parsed(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--only", metavar="NAME", help="workloads whose name contains NAME")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engine", choices=("cpu", "cuda"), default="cpu", help="cuda: training steps on a GPU")
    parser.add_argument("--no-peers", action="store_true", help="refnet alone")
    parser.add_argument("--save", metavar="FILE", help="write the JSON there too")
    parser.add_argument("--chart", metavar="FILE", help="draw the comparison there, as PNG or SVG")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--kernels", action="store_true", help="single ops instead of training steps")
    kind.add_argument("--profile", metavar="NAME", help="where refnet's step of this workload spends its time")
    for mode, (explanation, *_) in MODES.items():
        kind.add_argument(f"--{mode}", action="store_const", const=mode, dest="mode", help=explanation)
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {given.rounds}")
    if given.engine == "cuda" and (given.mode or given.kernels or given.profile):
        parser.error("--engine cuda measures training steps; single kernels: python -m refnet_fast.cuda.check")
    if given.profile and (given.json or given.save or given.chart or given.no_peers):
        parser.error(
            "--profile prints a table of one workload's step; it takes no --json, --save, --chart or --no-peers"
        )
    if given.chart and given.mode:
        parser.error(f"--chart draws the comparison; --{given.mode} has no picture")
    return given


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m refnet_fast.bench", description=__doc__.split(":")[0])
    given = parsed(parser, arguments)
    if given.profile:
        from refnet_fast.bench.profile import show_profile

        show_profile(chosen(parser, given.profile, WORKS)[0])
        return
    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rounds": given.rounds,
    }
    if given.engine == "cuda":
        try:
            report["machine"]["device"] = device()
        except EngineError as error:
            parser.exit(1, f"EngineError: {error}\n")
    show = comparison.show
    if given.mode:
        _, among, module, key = MODES[given.mode]
        report[key] = [module.measured(work, given.rounds, say) for work in chosen(parser, given.only, among)]
        show = module.show
    else:
        report.update(compared(parser, given))
    if given.save:
        pathlib.Path(given.save).write_text(json.dumps(report, indent=1) + "\n")
    if given.chart:
        from refnet_fast.bench.chart import draw

        draw(report, given.chart)
    if given.json:
        print(json.dumps(report))
        return
    show(report)
    hardware = report["machine"]
    gpu = f", {hardware['device']}" if "device" in hardware else ""
    print(
        f"{hardware['processor']}, {hardware['processors']} processors{gpu}, Python {hardware['python']}, {report['date']}"
    )


if __name__ == "__main__":
    main()
