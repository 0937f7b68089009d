"""What is missing is named, with the way to get it, before anything runs."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet.engine import get_engine
from refnet.errors import EngineError
from refnet_fast.cuda import target

needs_numba_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="not run: numba-cuda is not installed"
)
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_importing_refnet_fast_imports_no_cuda():
    code = "import sys, refnet_fast; assert not [m for m in sys.modules if m.startswith(('numba.cuda', 'refnet_fast.cuda'))]"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["cuda", "cuda-sim"])
def test_without_the_package(name, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda module, *more: None if module == "numba_cuda" else find(module, *more)
    )
    with pytest.raises(
        EngineError, match=rf"engine '{name}' needs the package numba-cuda.*pip install 'refnet\[cuda\]'"
    ):
        target.check(name)


@needs_numba_cuda
def test_a_package_that_is_too_old(monkeypatch):
    """What is imported from it is not there yet; 'auto' would meet that as an error of Python's."""
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.9.2")
    with pytest.raises(EngineError, match=r"needs numba-cuda 0\.30 or a later one; 0\.9\.2 is installed"):
        target.check("cuda")
    pinned = [line for line in PROJECT.read_text().splitlines() if "numba-cuda[cu12]>=" in line]
    assert pinned and all("numba-cuda[cu12]>={}.{}".format(*target.LEAST) in line for line in pinned)


@needs_numba_cuda
def test_the_simulator_must_be_on_from_the_start():
    with pytest.raises(EngineError, match="NUMBA_ENABLE_CUDASIM=1 python your_program.py"):
        get_engine("cuda-sim")


@needs_numba_cuda
def test_without_driver_or_device(monkeypatch):
    from numba import cuda

    monkeypatch.setattr(cuda, "cuda_error", lambda: RuntimeError("no libcuda"))
    with pytest.raises(EngineError, match="needs NVIDIA's driver, which did not start: no libcuda.*nvidia-smi"):
        target.check("cuda")
    monkeypatch.setattr(cuda, "cuda_error", lambda: None)
    monkeypatch.setattr(cuda, "gpus", [])
    with pytest.raises(EngineError, match="no device.*CUDA_VISIBLE_DEVICES"):
        target.check("cuda")
    monkeypatch.setattr(cuda, "gpus", [0])
    monkeypatch.setattr(target, "toolkit", lambda: False)
    with pytest.raises(EngineError, match=r"compiler \(NVVM, NVRTC\).*pip install 'refnet\[cuda\]'"):
        target.check("cuda")


@needs_numba_cuda
def test_a_numpy_that_the_compiler_cannot_use(monkeypatch):
    """numba-cuda 0.30 sets no bound for NumPy, and its compiler asks for a name that 2.5 dropped."""
    from numba import cuda

    def importing(name):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(cuda, "cuda_error", lambda: None)
    monkeypatch.setattr(cuda, "gpus", [0])
    monkeypatch.setattr(target, "toolkit", lambda: True)
    monkeypatch.setattr(importlib, "import_module", importing)
    with pytest.raises(EngineError, match=r"does not go with NumPy .* 'row_stack'\. .*pip install 'refnet\[cuda\]'"):
        target.check("cuda")
    monkeypatch.undo()
    pinned = [line for line in PROJECT.read_text().splitlines() if "numba-cuda[cu12]>=" in line]
    assert all("numpy<2.5" in line for line in pinned)


@needs_numba_cuda
def test_a_device_that_is_not_there(monkeypatch):
    from numba import cuda

    monkeypatch.setattr(cuda, "cuda_error", lambda: None)
    monkeypatch.setattr(cuda, "gpus", [0])
    with pytest.raises(EngineError, match="'cuda:1' needs a device of number 1; here are 1, numbered from 0"):
        get_engine("cuda:1")
    for name in ("cuda:first", "cuda:", "cuda:-1"):
        with pytest.raises(EngineError, match="after the colon comes a device's number, as in 'cuda:0'"):
            get_engine(name)
    with pytest.raises(EngineError, match="unknown engine 'cpu:1'"):
        get_engine("cpu:1")


def test_auto_is_the_cpu_where_no_device_is(monkeypatch):
    from refnet_fast import _auto

    monkeypatch.setattr(target, "available", lambda: False)
    assert _auto() is get_engine("cpu")


def test_auto_asks_for_all_that_cuda_needs(monkeypatch):
    asked = []
    monkeypatch.setattr(target, "check", asked.append)
    assert target.available() and asked == ["cuda"]
    find = importlib.util.find_spec
    monkeypatch.undo()
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda module, *more: None if module == "numba_cuda" else find(module, *more)
    )
    assert not target.available()


def test_the_environment_names_the_engine(monkeypatch):
    from refnet.engine import current_engine

    monkeypatch.setenv("REFNET_ENGINE", "auto")
    assert current_engine() is get_engine("cuda" if target.available() else "cpu")
    monkeypatch.setenv("REFNET_ENGINE", "cuda:")
    with pytest.raises(EngineError, match="device's number"):
        current_engine()
