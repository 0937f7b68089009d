"""The command for the day a device is there, on the simulator, in tiny sizes."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="not run: numba-cuda is not installed")
def test_every_part_passes(tmp_path):
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "refnet_fast.cuda.check", "--seconds", "200", "--save", str(report)]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    found = json.loads(report.read_text())
    assert found["environment"]["device"] == "Numba's simulator"
    assert 0 < found["certificates"]["sum_of_columns"] <= 1
    assert all(row["share"] > 0 for name, row in found["bandwidth"].items() if name != "seconds")
    assert found["products"]["32^3 float32, TFLOP/s"]["worst error / bound, 3 tasks"] <= 1
    assert len(found["training"]["cpu"]) == 3 and found["training"]["largest difference"] < 1e-5
    assert found["properties"]["status"] == 0 and "passed" in found["properties"]["printed"]


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="not run: numba-cuda is not installed")
def test_without_a_device_it_says_what_is_missing():
    from numba import cuda

    if cuda.is_available():
        pytest.skip("not run: there is a device")
    done = subprocess.run(
        [sys.executable, "-m", "refnet_fast.cuda.check"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and done.stderr.startswith("EngineError: engine 'cuda' needs")
