"""The launches of a step as one CUDA graph: captured once, replayed from then on."""

import warnings
import weakref

from refnet_fast.cuda import device, target


class Replay:
    """Launches in order, on a stream. The first run launches them one by one, which compiles and loads them; the second
    captures them as a graph, where there are graphs: the simulator has none. A driver that refuses is named in a warning.

    Args:
        launches: to be called with a stream.
    """

    def __init__(self, launches, stream):
        self.launches, self.stream = list(launches), stream
        self.graph, self.runs, self.graphs = None, 0, not target.simulated()

    def __call__(self):
        """Starts the step; it runs after all that was started before."""
        if self.graph is None and self.graphs and self.runs == 1:
            self._capture()
        self.runs += 1
        if self.graph is None:
            self._launch()
        else:
            device.calls["replay"] += 1
            driver().cuGraphLaunch(self.graph, int(self.stream.handle))

    def _launch(self):
        for launch in self.launches:
            launch(self.stream)

    def _capture(self):
        try:
            self.graph = self._captured()
        # Of any kind: whoever launched it has an error of its own; launched one by one it tells again what is wrong.
        except Exception as error:
            self.graphs = False
            warnings.warn(
                f"cuda: the driver refused to capture a step as a graph ({error}); its {len(self.launches)} kernels are "
                "launched one by one, which is slower.",
                stacklevel=3,
            )
            return
        weakref.finalize(self, driver().cuGraphExecDestroy, self.graph).atexit = False

    def _captured(self):
        """The launches as a graph that can be launched. What Python lets go meanwhile is given back to the device afterwards."""
        from numba import cuda

        api, stream = driver(), int(self.stream.handle)
        with device.order, cuda.defer_cleanup():
            api.cuStreamBeginCapture(stream, relaxed())
            try:
                self._launch()
            finally:  # ends the capture in any case: until then nobody may wait for the device
                captured = api.cuStreamEndCapture(stream)
        try:
            return api.cuGraphInstantiate(captured, 0)
        finally:
            api.cuGraphDestroy(captured)


def driver():
    """NVIDIA's driver as Numba calls it: an error code becomes an exception."""
    from numba.cuda.cudadrv.driver import driver

    return driver


def relaxed():
    """The capture mode in which other calls of this thread are let through."""
    from cuda.bindings.driver import CUstreamCaptureMode

    return CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
