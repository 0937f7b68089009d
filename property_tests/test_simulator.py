"""The laws on cuda-sim, in a process of its own: Numba's simulator has to be chosen before Numba is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", ["test_certified.py", "test_laws.py", "test_random.py"])
def test_on_the_cuda_simulator(file):
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "REFNET_PROFILE": "simulator"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "--engine", "cuda-sim", str(HERE / file)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=HERE.parent, timeout=900)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
