"""The tests of the folder `launched`, in a process whose driver has no device. With REFNET_PROFILE=deep every kernel runs there."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from refnet_fast.cuda import target


@pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None or not target.toolkit(),
    reason="nothing linked and launched: that takes numba-cuda and the CUDA toolkit's wheels (pip install 'refnet[cuda]')",
)
def test_on_a_fake_driver():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", "tests/cuda/launched"]
    environment = {**os.environ, "REFNET_FAKE_DRIVER": "1"}
    root = Path(__file__).parents[2]
    limit = 7200 if os.environ.get("REFNET_PROFILE") == "deep" else 900
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
