"""The engines `cuda`, on an NVIDIA device, `cuda-cublas`, with NVIDIA's products, and `cuda-sim`, the first in Numba's simulator."""

from refnet_fast.cuda import cublas, target
from refnet_fast.engine import PlannedEngine, PlannedExecutable
from refnet_fast.vm import workers


class CudaEngine(PlannedEngine):
    """Runs programs as launches of CUDA kernels; variables stay on the device between runs.

    Args:
        name: "cuda", "cuda-cublas" (matrix products by cuBLASLt) or "cuda-sim".
        device: the number of the device, None for the first. Each keeps variables of its own.
    Raises:
        EngineError: what is missing (package, driver, device, the simulator's switch), and how to get it.
    """

    def __init__(self, name, device=None):
        with_library = name == "cuda-cublas"
        if with_library:
            cublas.check()
        target.check("cuda" if with_library else name, device or 0)
        super().__init__(name if device is None else f"{name}:{device}")
        from refnet_fast.cuda.residence import Residence

        self.residence = Residence(device)
        self.library = cublas.Cublas() if with_library else None

    def build(self, concrete):
        from refnet_fast.cuda.running import CudaRunning

        with self.residence.current():
            return CudaRunning(concrete, self.residence, self.library)

    def prepare(self, program):
        return CudaExecutable(self, program)

    def kind_of(self, op):
        """How this engine computes an op: 'tuned' (a kernel of ours serves some calls, or it is fused) or 'derived'."""
        from refnet_fast.cuda import kernels

        kernels.load()
        return "tuned" if op.scalar is not None or op.name in kernels.tuned else "derived"


class CudaExecutable(PlannedExecutable):
    """A program on a device: the batches of an epoch are gathered there."""

    def run_batches(self, data, order, batch_size, start, stop, outputs=None):
        samples = len(data[0]) if order is None else len(order)
        full = samples // batch_size
        rows, end = (batch_size, min(full, stop)) if start < full else (samples - full * batch_size, stop)
        with workers.lock:
            built = self.at([(rows, *a.shape[1:]) for a in data])
            return built.run_batches(data, order, batch_size, start, end, outputs)
