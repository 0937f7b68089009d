"""The first program of a process with an empty kernel cache, on two threads: both want the machine at once."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, threading
sys.setswitchinterval(1e-6)
died = []
threading.excepthook = lambda args: died.append(args.exc_value)
import numpy as np, refnet_fast
from refnet_fast import ops, vm
vm.set_threads(2)
a = np.ones((512, 512), "float32")
y = ops.matmul(a, a)
assert (y == 512).all() and not died, died
"""


def test_two_threads_start_from_nothing(tmp_path):
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "REFNET_CACHE_DIR": str(tmp_path), "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
