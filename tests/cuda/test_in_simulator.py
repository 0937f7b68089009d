"""Everything that runs in Numba's simulator, in a process of its own that was started with the simulator on."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="cuda-sim not run: numba-cuda is not installed"
)
@pytest.mark.parametrize("tests", [["tests/cuda/simulated"], ["property_tests", "-k", "cuda-sim"]], ids=" ".join)
def test_in_the_simulator(tests):
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
