"""Everything that a device has to show, in one command of at most ten minutes: `python -m refnet_fast.cuda.check --save FILE`.

    certificates    every tuned kernel on its small call, and small steps of training, a few in a process
    training        20 steps on cpu and on the device from the same seed: the losses, and what stops the host
    compiled        every kernel for its large call, in many processes: those that are timed are then found on disk
    products        float32, TF32 and bfloat16 products; beside cuBLAS through PyTorch, where it is installed
    bandwidth       kernels bound by memory, beside a copy of as many bytes; some elements of each certified
    cublas          the same products by the engine `cuda-cublas`, certified and timed, where nvmath-python is installed
    workloads       python -m refnet_fast.bench --engine cuda, one workload after the other, for as long as there is time
    properties      pytest property_tests --engine cuda, likewise

Each part runs in a process of its own, because an error on a device ends all that its process does there, and for a share of the time
that is left. Its rows are written to FILE.PART as they are found, and to FILE when it ends. In a process started with NUMBA_ENABLE_CUDASIM=1 all runs on the
simulator, in this process, in tiny sizes: its times then say nothing.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import tempfile
import time
import traceback

from refnet.errors import EngineError
from refnet_fast.cuda import target
from refnet_fast.cuda.apart import apart, write_whole
from refnet_fast.cuda.checking import Checking, command_of

# Of the time that is left when a part begins, the share that it may take.
PARTS = {"certificates": 0.4, "training": 0.3, "compiled": 0.4, "products": 0.4, "bandwidth": 0.5, "cublas": 0.3}
PARTS |= {"workloads": 0.5, "properties": 1.0}
VERSIONED = (
    "numba",
    "numba-cuda",
    "llvmlite",
    "cuda-core",
    "cuda-bindings",
    "cuda-pathfinder",
    "cuda-toolkit",
    "numpy",
)
VERSIONED += ("nvmath-python", "nvidia-cublas-cu12", "nvidia-cublas", "nvidia-nvjitlink", "torch", "keras", "jax")
ENDING = 20.0  # seconds that a part has to end when its time is over: longer than a process takes to die, apart.DYING


class Kept(dict):
    """A dict that calls a function whenever something is put in."""

    def __init__(self, keep):
        self.keep = keep

    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        self.keep()


def environment():
    """What was checked on."""
    from numba import cuda

    versions = {}
    for name in VERSIONED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    told = {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "versions": versions}
    told |= {"system": platform.platform(), "python": platform.python_version(), "processors": os.cpu_count()}
    if target.simulated():
        return {**told, "device": "Numba's simulator"}
    from cuda.pathfinder import load_nvidia_dynamic_lib
    from numba.cuda.cudadrv.driver import driver

    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    told |= {"driver": driver.cuDriverGetVersion(), "compiler": load_nvidia_dynamic_lib("nvvm").abs_path}
    free, total = cuda.current_context().get_memory_info()
    return {**told, "device": name, "capability": list(device.compute_capability), "memory": total, "free": free}


def told_or_why_not():
    """The environment; what went wrong, if it could not be told: the parts are run all the same."""
    try:
        return environment()
    except Exception:
        return {"failed": traceback.format_exc()}


def here(part, rows, seconds, names):
    """Runs a part in this process."""
    try:
        getattr(Checking(seconds, names), part)(rows)
    except Exception:  # a part that fails is a finding; the others are still run
        rows["failed"] = traceback.format_exc()


def elsewhere(part, rows, seconds, path, names=None):
    """Runs a part in a process of its own, which writes its rows to a path."""
    command = command_of(part, names or (), path)
    found = apart([*command, "--seconds", str(seconds)], seconds + ENDING, path)
    rows.update(found.get(part, {}))
    if "ended" in found:
        rows["failed"] = found["ended"]
    path.unlink(missing_ok=True)


def failures(report):
    """What failed, by part and row."""
    found = []
    for part, rows in report.items():
        if "failed" in rows or rows.get("status", 0) != 0:
            found.append(part)
        found += [f"{part}: {name}" for name, row in rows.items() if holds_failure(row)]
    return found


def holds_failure(row):
    return isinstance(row, dict) and ("failed" in row or any(map(holds_failure, row.values())))


def main(arguments=None):
    """Runs the parts, prints each, and writes what they found."""
    parser = argparse.ArgumentParser(prog="python -m refnet_fast.cuda.check", description=__doc__.split(":")[0])
    parser.add_argument("--save", metavar="FILE", help="write what was found there, as JSON")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; may be repeated")
    parser.add_argument("--seconds", type=float, default=560.0, help="how long it may take (560)")
    parser.add_argument("--here", action="store_true", help="in this process, as in the simulator")
    parser.add_argument(
        "--kernel", action="append", help="of this kernel alone, where a part goes through them; may be repeated"
    )
    given, began = parser.parse_args(arguments), time.monotonic()
    try:
        target.check("cuda-sim" if target.simulated() else "cuda")
    except EngineError as error:
        print(f"EngineError: {error}", file=sys.stderr)
        return 1
    report = {"environment": told_or_why_not()}

    def keep():
        if given.save:
            write_whole(report, given.save)

    parts = given.only or list(PARTS)
    for part in parts:
        started, report[part] = time.monotonic(), Kept(keep)
        seconds = given.seconds - (started - began)
        if given.here or target.simulated():
            here(part, report[part], seconds, given.kernel)
        else:
            share = 1.0 if part == parts[-1] else PARTS[part]
            path = pathlib.Path(f"{given.save or tempfile.mktemp()}.{part}")
            elsewhere(part, report[part], share * (seconds - ENDING), path, given.kernel)
        report[part]["seconds"] = round(time.monotonic() - started, 1)
        print(part, json.dumps(report[part], indent=1), flush=True)
    failed = failures(report)
    print("failed: " + "; ".join(failed) if failed else "every part passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
