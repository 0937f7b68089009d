"""A driver without a device: Numba compiles, links and launches as it does for an sm_90, device memory is the host's. No kernel runs, but
where a test asks for it: then each runs on the machine for PTX (refnet_fast/cuda/machine), when it or a graph that holds it is launched.

What it holds the engine to is all that stands between Python and a kernel, and that the simulator does not have: the types that Numba
finds for the arguments, the machine code that its linker makes of a kernel, the words that a launch passes, streams, events, graphs.
Everything that it does not know is an error.
"""

import contextlib
import ctypes
import re
import types

import numpy as np

CAPABILITY = (9, 0)
TOTAL = 2**33


class Refusal(Exception):
    """A call that a real driver would refuse, or that this one does not know."""


class FakeDriver:
    """The functions of NVIDIA's driver that Numba and the engine call.

    Attributes:
        blocks: {address: (size, the bytes)} of device memory that is taken.
        capturing: the stream that is being captured, None outside.
        types: Numba's types of the arguments of the launch that is under way.
        runs: whether kernels run, on the machine for PTX.
        races: whether the machine looks for races.
        captured: launches of the graph that is being captured: (name, details), and what runs it.
        done: what was called, in order: (name, details).
    """

    def __init__(self):
        self.blocks, self.capturing, self.captured, self.done = {}, None, [], []
        self.graphs, self.streams, self.events, self.next = {}, {1000: "default"}, {}, 5000
        self.pinned, self.types, self.runs, self.races = {}, (), False, True
        self.is_initialized, self.initialization_error, self.is_available, self.devices = True, None, True, {}

    def __getattr__(self, name):
        raise Refusal(f"the fake driver does not know {name}")

    def number(self):
        self.next += 1
        return self.next

    def note(self, name, *details):
        self.done.append((name, details))

    def inside(self, address, size):
        """Refuses what does not lie in one block."""
        for start, (length, _) in self.blocks.items():
            if start <= address and address + size <= start + length:
                return
        raise Refusal(f"{size} bytes at {address} lie in no block of the device")

    # ---- kernels

    def work(self, text, shape, arguments):
        """What runs a kernel on the machine: it may touch the arrays that it is given, as far as they lie on the device, nothing else."""
        from refnet_fast.cuda.machine.running import launch

        regions = [
            (max(low, start), min(high, start + size) - max(low, start))
            for low, high in bounds_of(list(self.types), list(arguments))
            for start, (size, _) in self.blocks.items()
        ]
        words = [bytes_of(argument) for argument in arguments]
        return lambda: launch(text, shape.grid, shape.block, words, regions, races=self.races)

    # ---- memory

    def cuMemAlloc(self, size):
        from cuda.bindings.driver import CUdeviceptr

        room = np.full(size + 256, 0xCC, np.uint8)
        address = -(-room.ctypes.data // 256) * 256
        self.blocks[address] = size, room
        return CUdeviceptr(address)

    def cuMemFree(self, address):
        if self.blocks.pop(int(address), None) is None:
            raise Refusal(f"{int(address)} is freed and was never taken")

    def cuMemGetInfo(self):
        taken = sum(size for size, _ in self.blocks.values())
        return TOTAL - taken, TOTAL

    def cuMemsetD8(self, address, value, size):
        if self.capturing is not None:
            raise Refusal("work on the default stream while a stream is captured")
        self.inside(int(address), size)
        ctypes.memset(int(address), value, size)

    def _copied(self, target, source, size, stream=0):
        ctypes.memmove(int(target), int(source), size)

    def cuMemcpyHtoD(self, target, source, size):
        if self.capturing is not None:
            raise Refusal("a copy that waits while a stream is captured")
        self.inside(int(target), size)
        self._copied(target, source, size)

    def cuMemcpyHtoDAsync(self, target, source, size, stream):
        self.known(stream)
        self.inside(int(target), size)
        if not any(start <= int(source) and int(source) + size <= start + n for start, (n, _) in self.pinned.items()):
            raise Refusal("an asynchronous copy from memory that is not pinned")
        self._copied(target, source, size)

    def cuMemcpyDtoH(self, target, source, size):
        if self.capturing is not None:
            raise Refusal("a copy that waits while a stream is captured")
        self.inside(int(source), size)
        self._copied(target, source, size)

    def cuMemHostAlloc(self, size, flags):
        room = np.full(max(size, 1), 0xCC, np.uint8)
        self.pinned[room.ctypes.data] = size, room
        return room.ctypes.data

    def cuMemFreeHost(self, address):
        if self.pinned.pop(int(address), None) is None:
            raise Refusal("pinned memory is freed and was never taken")

    # ---- streams, events, graphs

    def known(self, stream):
        if int(stream) != 0 and int(stream) not in self.streams:
            raise Refusal(f"{stream} is no stream")

    def cuStreamCreate(self, flags):
        from cuda.bindings.driver import CUstream

        number = self.number()
        self.streams[number] = int(flags)
        return CUstream(number)

    def cuStreamDestroy(self, stream):
        del self.streams[int(stream)]

    def cuStreamSynchronize(self, stream):
        self.known(stream)
        if self.capturing is not None:
            raise Refusal("a wait while a stream is captured")

    def cuEventCreate(self, flags):
        from cuda.bindings.driver import CUevent

        number = self.number()
        self.events[number] = None
        return CUevent(number)

    def cuEventDestroy(self, event):
        del self.events[int(event)]

    def cuEventRecord(self, event, stream):
        self.known(stream)
        self.events[int(event)] = int(stream)

    def cuEventSynchronize(self, event):
        assert int(event) in self.events

    def cuStreamWaitEvent(self, stream, event, flags):
        self.known(stream)
        assert int(event) in self.events and flags == 0

    def cuStreamBeginCapture(self, stream, mode):
        from cuda.bindings.driver import CUstreamCaptureMode

        self.known(stream)
        if int(stream) == 0 or mode not in list(CUstreamCaptureMode):
            raise Refusal("the default stream cannot be captured")
        self.capturing, self.captured = int(stream), []
        return ()

    def cuStreamEndCapture(self, stream):
        from cuda.bindings.driver import CUgraph

        assert self.capturing == int(stream)
        graph, self.capturing = self.number(), None
        self.graphs[graph] = self.captured
        return CUgraph(graph)

    def cuGraphInstantiate(self, graph, flags):
        from cuda.bindings.driver import CUgraphExec

        assert flags == 0
        number = self.number()
        self.graphs[number] = list(self.graphs[int(graph)])
        return CUgraphExec(number)

    def cuGraphDestroy(self, graph):
        del self.graphs[int(graph)]
        return ()

    def cuGraphExecDestroy(self, graph):
        del self.graphs[int(graph)]
        return ()

    def cuGraphLaunch(self, graph, stream):
        self.known(stream)
        self.note("graph", *(entry for entry, _ in self.graphs[int(graph)]))
        for _, run in self.graphs[int(graph)]:
            if run:
                run()
        return ()

    # ---- contexts

    def get_active_context(self):
        return contextlib.nullcontext()


class FakeDevice:
    id, compute_capability, name = 0, CAPABILITY, "an sm_90 that does not exist"

    def get_primary_context(self):
        return self.context


def bytes_of(argument):
    """An argument's bytes, as cuda.core passes them to the driver."""
    if isinstance(argument, bool):
        return bytes([argument])
    if isinstance(argument, ctypes._SimpleCData):
        return bytes(argument)
    return int(argument).to_bytes(8, "little", signed=int(argument) < 2**63)


def bounds_of(kinds, arguments):
    """[(first address, the one behind the last)] of the arrays among a kernel's arguments, which it takes from the lists."""
    from numba.cuda import types as numba_types

    found = []
    for kind in kinds:
        if isinstance(kind, numba_types.BaseTuple):
            found += bounds_of(list(kind), arguments)
        elif isinstance(kind, numba_types.Array):
            _, _, size, itemsize, address, *rest = (int(a) for a in arguments[: 5 + 2 * kind.ndim])
            steps = [(n - 1) * step for n, step in zip(rest[: kind.ndim], rest[kind.ndim :])]
            if size:
                low = address + sum(step for step in steps if step < 0)
                found.append((low, address + sum(step for step in steps if step > 0) + itemsize))
            del arguments[: 5 + 2 * kind.ndim]
        else:
            del arguments[:1]
    return found


def install(patch):
    """Puts the FakeDriver in the place of NVIDIA's; gives it.

    Args:
        patch: pytest's monkeypatch.
    """
    from cuda.core._kernel_arg_handler import ParamHolder
    from numba import cuda
    from numba.cuda import api, codegen, dispatcher
    from numba.cuda.cudadrv import devices, driver

    fake, device = FakeDriver(), FakeDevice()
    patch.setattr(driver, "driver", fake)
    patch.setattr(driver, "_logger", driver.make_logger(), raising=False)
    device.context = context = driver.Context(device, 1)
    patch.setattr(device.context, "prepare_for_use", lambda: None)
    context.memory_manager.deallocations.memory_capacity = TOTAL
    runtime = devices._runtime
    patch.setattr(devices, "driver", fake)
    patch.setattr(runtime, "_get_attached_context", lambda: context)
    patch.setattr(runtime, "_set_attached_context", lambda context: None)
    patch.setattr(cuda, "cuda_error", lambda: None)
    patch.setattr(cuda, "is_available", lambda: True)
    patch.setattr(devices._DeviceList, "lst", [device])
    for module in (cuda, api, dispatcher):
        patch.setattr(module, "get_current_device", lambda: device)
    loaded = {}

    def get_cufunc(library):
        if id(library) not in loaded:
            cubin = library.get_cubin()
            assert fake.capturing is None and len(cubin.code) > 0
            module = types.SimpleNamespace(initialized=True)
            loaded[id(library)] = types.SimpleNamespace(
                name=library.name, module=module, kernel=library, library=library
            )
        return loaded[id(library)]

    def launch(stream, shape, kernel, *arguments):
        fake.known(int(stream.handle))
        assert all(n > 0 for n in shape.grid + shape.block) and shape.grid[0] < 2**31 and max(shape.grid[1:]) < 65536
        ParamHolder(arguments)
        text, threads = kernel.get_asm_str(), shape.block[0] * shape.block[1] * shape.block[2]
        (most,) = re.findall(r"\.maxntid (\d+)", text) or [1024]
        assert threads <= int(most), f"{threads} threads of a block, of a kernel compiled for {most}"
        parameters = text.partition(".entry")[2].partition("{")[0].count(".param")
        assert parameters == len(arguments), f"{len(arguments)} arguments for {parameters} parameters"
        entry, run = ("launch", kernel.name), fake.work(text, shape, arguments) if fake.runs else None
        if fake.capturing == int(stream.handle):
            fake.captured.append((entry, run))
        else:
            fake.note(*entry)
            if run:
                run()

    def typed(kernel, *arguments, **options):
        fake.types = kernel.argument_types
        return started(kernel, *arguments, **options)

    started = dispatcher._Kernel.launch
    patch.setattr(dispatcher._Kernel, "launch", typed)
    patch.setattr(codegen.CUDACodeLibrary, "get_cufunc", get_cufunc)
    patch.setattr(dispatcher, "launch", launch)
    return fake
