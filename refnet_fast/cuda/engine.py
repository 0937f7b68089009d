"""The engines on an NVIDIA device: `cuda`, `cuda-cublas` and `cuda-tf32`; and `cuda-sim`, `cuda` in Numba's simulator."""

from refnet_fast.cuda import cublas, target
from refnet_fast.engine import PlannedEngine, PlannedExecutable
from refnet_fast.vm import workers


class CudaEngine(PlannedEngine):
    """Runs programs as launches of CUDA kernels; variables stay on the device between runs.

    Args:
        name: "cuda", "cuda-cublas" (matrix products by cuBLASLt), "cuda-tf32" (products of float32 rounded to TF32) or
            "cuda-sim".
        device: the number of the device, None for the first. Each keeps variables of its own.
    Raises:
        EngineError: what is missing (package, driver, device, the simulator's switch), and how to get it.
    """

    def __init__(self, name, device=None):
        with_library = name == "cuda-cublas"
        if with_library:
            cublas.check()
        target.check("cuda-sim" if name == "cuda-sim" else "cuda", device or 0)
        super().__init__(name if device is None else f"{name}:{device}")
        from refnet_fast.cuda.residence import Residence

        self.residence = Residence(device)
        self.library = cublas.Cublas() if with_library else None
        self.rounds = name == "cuda-tf32"

    def build(self, concrete):
        from refnet_fast.cuda.running import CudaRunning

        with self.residence.current():
            return CudaRunning(concrete, self.residence, self.library, self.rounds)

    def rounding_of(self, op):
        """The unit roundoff of what an op reads in float32 before it computes; 0 where it reads it as it is. Certificates ask."""
        from refnet_fast.cuda import kernels, rounded_product

        kernels.load()
        return rounded_product.ROUNDOFF if self.rounds and op.name in kernels.rounding else 0.0

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
