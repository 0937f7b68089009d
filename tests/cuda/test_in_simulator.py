"""The engine in Numba's simulator, in a process that was started with it on. Its ops: property_tests/test_simulator.py."""

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
def test_in_the_simulator():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", "tests/cuda/simulated"]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="cuda-sim not run: numba-cuda is not installed"
)
def test_an_example_in_the_simulator(tmp_path):
    """Every example takes --engine; the smallest is run."""
    program = [sys.executable, "-m", "refnet_fast.examples.linear_regression", "--engine", "cuda-sim"]
    options = ["--quick", "--epochs", "1", "--output", str(tmp_path)]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([*program, *options], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "slope" in done.stdout
