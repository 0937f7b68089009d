"""The engines under test (`--engine NAME`, repeatable) and how many examples are tried (REFNET_PROFILE=default or deep).

Without --engine: derived and cpu; in a process started with NUMBA_ENABLE_CUDASIM=1 cuda-sim, alone.
"""

import gc
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

import refnet_fast  # noqa: F401  (registers the engines)

sys.path.insert(0, str(Path(__file__).parent))
gc.set_threshold(50_000, 20, 20)  # as in tests/conftest.py

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "default", max_examples=10, derandomize=True, database=None, deadline=None, suppress_health_check=QUIET
)
settings.register_profile("deep", max_examples=300, deadline=None, suppress_health_check=QUIET)
# Numba's simulator is slow: few examples.
settings.register_profile("simulator", settings.get_profile("default"), max_examples=3)
settings.load_profile(os.environ.get("REFNET_PROFILE", "default"))


def pytest_addoption(parser):
    parser.addoption("--engine", action="append", help="engine to test; repeat for several")


def pytest_cmdline_main(config):
    """With --engine cuda-sim, everything runs in a process that is started with the simulator on."""
    if "cuda-sim" not in (config.getoption("--engine") or ()) or os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return None
    command = [sys.executable, "-m", "pytest", *config.invocation_params.args]
    return subprocess.call(command, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"})


def engines_under_test(config):
    named = config.getoption("--engine")
    if named:
        return named
    return ["cuda-sim"] if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" else ["derived", "cpu"]


def pytest_generate_tests(metafunc):
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", engines_under_test(metafunc.config))
    if "native_engine" in metafunc.fixturenames:  # those that run refnet_fast's native machine
        metafunc.parametrize(
            "native_engine", [e for e in engines_under_test(metafunc.config) if e in ("derived", "cpu")]
        )


def pytest_ignore_collect(collection_path, config):
    """test_simulator.py starts the process for cuda-sim: not from within it, and not when engines are named."""
    simulating = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
    if collection_path.name == "test_simulator.py" and (simulating or config.getoption("--engine")):
        return True
    return None
