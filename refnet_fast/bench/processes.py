"""Programs in processes of their own, that answer with the time of a round when they are asked to."""

import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from typing import Any, NamedTuple

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


def environment(more: dict[str, str]) -> dict[str, str]:
    """What a process finds in its environment: this checkout, wherever it is started from, and more."""
    path = os.pathsep.join(p for p in (str(FOLDER.parent.parent), os.environ.get("PYTHONPATH")) if p)
    return {**os.environ, "PYTHONPATH": path, **more}


def answer(script: str, *arguments: str, **more: str) -> Any:
    """What a program of the bench prints as JSON; `more` is added to its environment.

    Raises:
        SystemExit: it failed; its own message stands on stderr.
    """
    command = [sys.executable, str(FOLDER / "programs" / script), *arguments]
    done = subprocess.run(command, env=environment(more), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{script} {' '.join(arguments)}: its process ended with status {done.returncode}; see above.")
    return json.loads(done.stdout)


class Running:
    """A program in its process, ready for rounds.

    Args:
        arguments: of its script.
    Attributes:
        started: what it said when it was ready: versions, and what else it had to say.
        times: microseconds a step, of each round.  processor: the same, of processor time, on all threads together.
        start: seconds until it was ready.  peak: bytes of memory.
    """

    def __init__(self, program: Program, *arguments: str):
        self.program, self.times, self.processor, self.disturbed = program, [], [], 0
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "programs" / program.script), *arguments],
            env=environment(program.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        began = time.perf_counter()
        self.started = self._answer()
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
        self.processor.append(answer["processor"] / answer["steps"] * 1e6)
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


def device() -> str:
    """The name of the GPU that `cuda` uses. Raises EngineError where there is none."""
    from refnet_fast.cuda import target

    target.check("cuda")
    from numba import cuda

    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


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
