"""What is missing is named, with the way to get it, before anything runs."""

import importlib.util
import subprocess
import sys

import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet.engine import get_engine
from refnet.errors import EngineError
from refnet_fast.cuda import target


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


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="not run: numba-cuda is not installed")
def test_the_simulator_must_be_on_from_the_start():
    with pytest.raises(EngineError, match="NUMBA_ENABLE_CUDASIM=1 python your_program.py"):
        get_engine("cuda-sim")


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="not run: numba-cuda is not installed")
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
