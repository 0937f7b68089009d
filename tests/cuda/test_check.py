"""The command for the day a device is there, on the simulator, in tiny sizes."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

needs_numba_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason="the device's check not run: it and its simulator are numba-cuda's, which is not installed (pip install 'refnet[cuda]')",
)


def simulated(*arguments):
    """A Python process with the simulator on. It is given no time of its own: how fast the machine is decides nothing."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@needs_numba_cuda
def test_every_part_that_computes_passes(tmp_path):
    report, parts = tmp_path / "report.json", ("certificates", "bandwidth", "products", "training")
    only = [word for part in parts for word in ("--only", part)]
    simulated("-m", "refnet_fast.cuda.check", *only, "--save", str(report))
    found = json.loads(report.read_text())
    assert list(found) == ["environment", *parts] and found["environment"]["device"] == "Numba's simulator"
    assert 0 < found["certificates"]["sum_of_columns"] <= 1
    assert 0 < found["bandwidth"]["sum_of_rows"]["worst error / bound, 3 tasks"] <= 1
    assert 0 < found["products"]["32^3 float32, TFLOP/s"]["worst error / bound, 3 tasks"] <= 1
    assert 0 < found["training"]["worst error / bound, 3 steps of 8 samples"] <= 1
    assert len(found["training"]["cpu"]) == len(found["training"]["device"]) == 3


@needs_numba_cuda
def test_the_properties_pass():
    call = "import json; from refnet_fast.cuda.check import Checking; print(json.dumps(Checking(1e6).properties()))"
    found = json.loads(simulated("-c", call))
    assert found["status"] == 0 and "1 passed" in found["printed"]


@needs_numba_cuda
def test_without_a_device_it_says_what_is_missing():
    from numba import cuda

    if cuda.is_available():
        pytest.skip("not run: this machine has a device, so nothing is missing that the command could name")
    done = subprocess.run(
        [sys.executable, "-m", "refnet_fast.cuda.check"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and done.stderr.startswith("EngineError: engine 'cuda' needs")
