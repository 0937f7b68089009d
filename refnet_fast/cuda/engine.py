"""The engines `cuda`, on an NVIDIA device, and `cuda-sim`, the same in Numba's simulator."""

from refnet_fast.cuda import target
from refnet_fast.engine import PlannedEngine


class CudaEngine(PlannedEngine):
    """Runs programs as launches of CUDA kernels; variables stay on the device between runs.

    Args:
        name: "cuda" or "cuda-sim".
    Raises:
        EngineError: what is missing (package, driver, device, the simulator's switch), and how to get it.
    """

    def __init__(self, name):
        target.check(name)
        super().__init__(name)
        from refnet_fast.cuda.residence import Residence

        self.residence = Residence()

    def build(self, concrete):
        from refnet_fast.cuda.running import CudaRunning

        return CudaRunning(concrete, self.residence)

    def kind_of(self, op):
        """How this engine computes an op: 'tuned' (a kernel of ours serves some calls, or it is fused) or 'derived'."""
        from refnet_fast.cuda import kernels

        kernels.load()
        return "tuned" if op.scalar is not None or op.name in kernels.tuned else "derived"
