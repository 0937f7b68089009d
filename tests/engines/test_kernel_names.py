"""Machine code in the disk cache is told apart by names, and made again when a source changes that it was made of."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from refnet_fast import build

# In a process of its own: other tests compile broken kernels, which are in no module.
PROGRAM = """
import gc, json
from numba.core.dispatcher import Dispatcher
import refnet_fast
from refnet.engine import get_engine
from refnet_fast import scalar_functions
from refnet_fast.cpu import elementary
get_engine("cpu")
functions = {id(thing.py_func): thing.py_func for thing in gc.get_objects() if isinstance(thing, Dispatcher)}
print(json.dumps([(f.__module__, f.__qualname__) for f in functions.values() if f.__module__.startswith("refnet")]))
"""


@pytest.fixture(scope="module")
def compiled_functions():
    """(module, name) of every function of ours that is compiled."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=root)
    assert done.returncode == 0, done.stderr[-2000:]
    return [tuple(pair) for pair in json.loads(done.stdout)]


def test_no_two_compiled_functions_share_a_name(compiled_functions):
    assert len(compiled_functions) > 50
    assert {name: n for name, n in Counter(compiled_functions).items() if n > 1} == {}


def test_what_is_compiled_stands_in_modules_that_name_the_kernels(compiled_functions):
    """A kernel whose name did not follow from all its sources would be met again after they have changed."""
    modules = {module for module, _ in compiled_functions}
    assert len(modules) > 20
    assert {m for m in modules if not m.startswith(build.MEANING) and m not in build.ALWAYS} == set()
