"""What the kernels are compiled for: a device, Numba's simulator, or (for PTX alone) no device at all."""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import re
import types as python_types

import numpy as np

from refnet.errors import EngineError

LEAST = 0, 30  # of numba-cuda, as pyproject.toml asks for it
SIMULATE = "NUMBA_ENABLE_CUDASIM=1"

# Bytes that a kernel's arguments may take. Drivers from 530 on (CUDA 12.1) take 32,764 on sm_70 and later; but numba-cuda[cu12] runs on
# any driver of CUDA 12, and that of 12.0 (525) takes 4,096.
ARGUMENTS = 4096


def available():
    """Whether a device can run programs here; nothing is imported where the package is not installed."""
    try:
        check("cuda")
    except EngineError:
        return False
    return True


def check(name, device=0):
    """Raises EngineError, saying what is missing and how to get it, unless the engine of that name can run here.

    Args:
        device: the number of the device that it is to use.
    """
    cuda = _package(name)
    if name == "cuda-sim":
        _check_simulated()
        return
    if simulated():
        raise EngineError(
            f"this process was started with {SIMULATE}: it has Numba's simulator and no device. "
            "Use the engine 'cuda-sim' here, or start the process without that variable for 'cuda'."
        )
    _check_device(cuda, device)
    _check_compiler()


def installed():
    """The version of numba-cuda."""
    return importlib.metadata.version("numba-cuda")


def _package(name):
    """The module `numba.cuda` of a numba-cuda that is new enough."""
    if importlib.util.find_spec("numba_cuda") is None:
        raise EngineError(
            f"engine {name!r} needs the package numba-cuda, which is not installed. "
            "Install it: pip install 'refnet[cuda]' (CUDA 12)."
        )
    here = installed()
    if tuple(map(int, re.findall(r"\d+", here)[:2])) < LEAST:
        raise EngineError(
            f"engine {name!r} needs numba-cuda {LEAST[0]}.{LEAST[1]} or a later one; {here} is installed. "
            "Install it: pip install --upgrade 'refnet[cuda]' (CUDA 12), or numba-cuda[cu13] beside a toolkit of CUDA 13."
        )
    try:
        from numba import cuda
    except ImportError as error:
        raise EngineError(
            f"engine {name!r} needs numba-cuda with NVIDIA's CUDA bindings; importing it failed: {error} "
            "Install them: pip install 'refnet[cuda]' (CUDA 12)."
        ) from error
    return cuda


def _check_simulated():
    if not simulated():
        raise EngineError(
            "engine 'cuda-sim' runs only in a process that was started with the simulator switched on: "
            f"{SIMULATE} python your_program.py (it cannot be switched on later)."
        )


def _check_device(cuda, device):
    """A driver that starts, and a device of this number."""
    problem = cuda.cuda_error()
    if problem is not None:
        raise EngineError(
            f"engine 'cuda' needs NVIDIA's driver, which did not start: {' '.join(str(problem).split())} "
            "Install a driver for your GPU (the command nvidia-smi must list it), or use the engine 'cpu'."
        )
    if len(cuda.gpus) == 0:
        raise EngineError(
            "engine 'cuda' found NVIDIA's driver but no device. Check that nvidia-smi lists a GPU and that "
            "CUDA_VISIBLE_DEVICES does not hide it, or use the engine 'cpu'."
        )
    if device >= len(cuda.gpus):
        raise EngineError(
            f"engine 'cuda:{device}' needs a device of number {device}; here are {len(cuda.gpus)}, numbered from 0. "
            "Check nvidia-smi and CUDA_VISIBLE_DEVICES, or use a number below."
        )


def _check_compiler():
    """The toolkit's compiler, and a NumPy that goes with numba-cuda."""
    if not toolkit():
        raise EngineError(
            "engine 'cuda' found a device but not the CUDA toolkit's compiler (NVVM, NVRTC). If there is one, let CUDA_HOME say where. "
            "Else install it: pip install 'refnet[cuda]' (CUDA 12), or use the engine 'cpu'."
        )
    try:
        importlib.import_module("refnet_fast.cuda.bfloat16")  # which takes all of numba-cuda's compiler
    except (AttributeError, ImportError) as error:
        raise EngineError(
            f"engine 'cuda' found a device, but numba-cuda {installed()} does not go with NumPy {np.__version__}: {error}. "
            "Install two that go together: pip install 'refnet[cuda]', or use the engine 'cpu'."
        ) from error


def toolkit():
    """Whether the CUDA toolkit's compiler libraries are here; they are all that PTX needs."""
    from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib

    try:
        return all(load_nvidia_dynamic_lib(name) for name in ("nvvm", "nvrtc"))
    except DynamicLibNotFoundError:
        return False


def capable(least):
    """Whether the current device has at least this compute capability. Where there is none, kernels are compiled for one by name."""
    from numba import cuda

    return simulated() or not cuda.is_available() or cuda.get_current_device().compute_capability >= least


@functools.cache
def simulated():
    """Whether this process has Numba's simulator in the place of devices."""
    from numba.cuda import config

    return bool(config.ENABLE_CUDASIM)


@contextlib.contextmanager
def compiling(capability=None, contract=False):
    """Inside, the CUDA compiler keeps every product and every sum rounded by itself, unless it may contract them.

    Contracted to fused multiply-adds, normal draws would differ in their last bits from those of the other engines. Numba has
    no argument for it, so NVVM's option is added where Numba calls NVVM.

    Args:
        capability: compile for this compute capability, (8, 0) for example, whether or not there is a device.
        contract: whether products and sums may be fused.
    """
    import numba.cuda.dispatcher as dispatcher
    from numba.cuda.cudadrv import nvvm

    compile_ir, device = nvvm.compile_ir, dispatcher.get_current_device

    def uncontracted(ir, **options):
        return compile_ir(ir, **{**options, "fma": contract})

    nvvm.compile_ir = uncontracted
    if capability is not None:
        dispatcher.get_current_device = lambda: python_types.SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        nvvm.compile_ir, dispatcher.get_current_device = compile_ir, device
