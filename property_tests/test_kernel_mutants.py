"""The certificate rejects every broken kernel, on the CPU and on the simulated device; and accepts the sound ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from broken_kernels import cpu_rejection
from cpu_mutants import CPU_MUTANTS
from cuda_mutants import CUDA_MUTANTS
from kernel_mutants import broken_text

from refnet.testing.mutants import MUTANTS

CHILD = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
pytestmark = pytest.mark.skipif(CHILD, reason="starts a process for the simulator itself")
SOUND = {
    (m.file, m.kernel, m.broken): m for m in CPU_MUTANTS
}  # of each kernel, with each file of which a line is broken


@pytest.mark.parametrize("mutant", CPU_MUTANTS, ids=lambda m: m.name)
def test_broken_cpu_kernel_is_rejected(mutant):
    assert cpu_rejection(mutant, broken_text(mutant)) is not None


@pytest.mark.parametrize("mutant", SOUND.values(), ids=lambda m: f"{m.kernel} {m.broken}")
def test_the_sound_kernel_is_accepted_as_python_runs_it(mutant):
    assert cpu_rejection(mutant, broken_text(mutant._replace(new=mutant.old))) is None


def test_broken_cuda_kernels_are_rejected(tmp_path):
    script = Path(__file__).with_name("broken_kernels.py")
    root = Path(__file__).parent.parent
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
        capture_output=True,
        text=True,
        cwd=root,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    verdicts = json.loads(run.stdout.splitlines()[-1])
    assert [m.name for m in CUDA_MUTANTS if verdicts[m.name] is None] == []
    assert {name: words for name, words in verdicts.items() if name.startswith("sound") and words is not None} == {}


def test_the_gallery():
    """Sixty or more, of all three kinds; no two with the same broken line and the same law."""
    lines = [(m.module, m.within, m.old, m.law) for m in MUTANTS]
    lines += [(m.place, m.broken, m.old, "certificate") for m in (*CPU_MUTANTS, *CUDA_MUTANTS)]
    twice = {line for line in lines if lines.count(line) > 1}
    assert not twice
    assert len(lines) >= 60 and len(CPU_MUTANTS) >= 10 and len(CUDA_MUTANTS) >= 5
