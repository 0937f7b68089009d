"""What `refnet_fast.cuda.check` finds out, part by part. A part fills a dict of rows, one after the other; whoever made the dict may
write it down whenever a row is added, so that what was found is kept whatever comes after.
"""

import functools
import importlib.util
import pathlib
import statistics
import sys
import tempfile
import time
import traceback

import numpy as np

import refnet_fast
from refnet import mixed_precision, ops  # noqa: F401  (declares the ops)
from refnet.definition import Op, size_of
from refnet.engine import get_engine, use_engine
from refnet.testing import hold
from refnet.testing.evaluate import specs_of
from refnet.testing.whole import hold_step
from refnet_fast.bench.programs.workloads import WORKS
from refnet_fast.cuda import calls, kernels, target
from refnet_fast.cuda.apart import PROCESSES, among_processes, apart, run
from refnet_fast.cuda.engine import CudaEngine
from refnet_fast.engine import single

PRODUCTS = ("matmul", "conv")  # how the names of kernels begin that arithmetic bounds, not memory
STEPS, POLICIES = "3 steps of 8 samples in ", ("float32", "mixed_float16", "mixed_bfloat16")
SIZE = 4096  # of square products that are timed
ATTEMPTS, TIMES = 5, 10  # runs between two events, and how often
LONG = 2e6  # nanoseconds of a task, as its form counts them, that Python takes too long to certify


class Checking:
    """The parts, each a method that is given a dict for its rows.

    Args:
        seconds: how long they may take. A row that would begin later is not run, and says so.
        names: the kernels that are certified, here; None for all, each in a process of its own.
    """

    def __init__(self, seconds, names=None):
        self.began, self.seconds, self.names = time.monotonic(), seconds, names
        self.tiny = target.simulated()
        self.calls = calls.TINY if self.tiny else calls.LARGE

    @functools.cached_property
    def engine(self):
        return CudaEngine("cuda-sim" if self.tiny else "cuda")

    def left(self):
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.began)

    def add(self, rows, name, find):
        """Adds what `find()` gives; why there is nothing, if it fails: the rows after it are found all the same."""
        if self.left() <= 0:
            rows[name] = {"not run": "no time was left"}
            return
        try:
            rows[name] = find()
        except Exception:
            rows[name] = {"failed": traceback.format_exc()[-3000:]}

    # ---- certificates

    def certificates(self, rows):
        """{kernel: worst error / bound} of the small calls, those in TF32 too; and of small steps of training."""
        kernels.load()
        rounded = [k.name for found in kernels.rounding.values() for k in found]
        steps, names = [STEPS + policy for policy in POLICIES], [*calls.TINY, *rounded]
        if self.tiny:
            names, steps = [name for name in names if "columns" in name], [STEPS + "float32"]
        self.each(rows, "certificates", steps, names, self.certified)

    def certified(self, name):
        """The row of a kernel, or of steps under a policy."""
        if name.startswith(STEPS):
            return self.held_steps(name.removeprefix(STEPS))
        call = calls.TINY[name.replace("_rounded", "_tiled")]
        return self.held(call, engine=self.rounding() if name.endswith("_rounded") else None)

    def each(self, rows, part, alone, others, find):
        """Fills in the rows of a part by `find(name)`, in other processes: compiling takes most of the time, for which there are
        many processors. Here those of the names that this process was given, up to one that fails: nothing works on a device behind it.
        """
        if not (self.names or self.tiny):
            among_processes(rows, alone, others, functools.partial(command_of, part), part, self.left)
            return
        for name in self.names or [*alone, *others]:
            self.add(rows, name, functools.partial(find, name))
            if isinstance(rows[name], dict) and "failed" in rows[name]:
                break

    # ---- compiling

    def compiled(self, rows):
        """{kernel: seconds to compile it for its large call}: it lies on disk then, and the parts that time it lose no time."""
        if self.tiny:
            rows["not run"] = "the simulator"
            return
        self.each(rows, "compiled", [], [*self.timed_calls()], self.seconds_to_compile)

    def timed_calls(self):
        """{name: (call, whether what it reads is rounded)} of all that is timed."""
        untimed = "matmul", "conv3d"
        found = {name: (call, False) for name, call in self.calls.items() if not name.startswith(untimed)}
        sizes = [("float32", False), ("bfloat16", False), ("float32", True)]
        return found | {f"product, {dtype}, {rounds}": (square(SIZE, dtype), rounds) for dtype, rounds in sizes}

    def seconds_to_compile(self, name):
        began = time.monotonic()
        _, launches = calls.launches(*self.timed_calls()[name])
        for launch in {launch.text: launch for launch in launches}.values():
            launch.compile()
        return time.monotonic() - began

    # ---- what is held to its certificate

    def held(self, call, tasks=None, engine=None):
        """The worst error / bound; what the certificate says if an element is beyond it."""
        op, arrays, engine = Op.named[call.op], calls.arrays(call), engine or self.engine
        outputs = engine.compute(op, arrays, call.attributes)
        try:
            return float(hold(op, engine, arrays, call.attributes, outputs, tasks))
        except AssertionError as error:
            return {"failed": f"{call.op}: {error}"}

    # ---- bandwidth

    def bandwidth(self, rows):
        """GB/s of each kernel that memory bounds, the bytes of its arrays counted once, and its share of a copy's."""
        size = 2**10 if self.tiny else 2**28
        copied = self.timed(calls.Call("transpose", (calls.floats(size // 4),), {"axes": (0,)}))
        whole = 2 * size / copied
        rows["a copy, as derived"] = {"GB/s": whole / 1e9, "share": 1.0}
        if not self.tiny:
            whole = max(whole, 2 * size / seconds_of_driver_copy(size))
            rows["a copy, by the driver"] = {"GB/s": whole / 1e9, "share": 1.0}
        chosen = self.elementwise() | {n: c for n, c in self.calls.items() if not n.startswith(PRODUCTS)}
        for name, call in list(chosen.items())[3:4] if self.tiny else chosen.items():
            self.add(rows, name, lambda call=call: self.moving(call, whole))

    def moving(self, call, whole):
        """The row of a kernel; whole: bytes a second of a copy."""
        rate = moved(call) / self.timed(call)
        row = {"GB/s": rate / 1e9, "share": rate / whole, "MB": moved(call) / 1e6}
        if Op.named[call.op].form(*call.inputs, **call.attributes).cost > LONG:
            return row
        return {**row, "worst error / bound, 3 tasks": self.held(call, self.few_tasks(call))}

    def elementwise(self):
        """Calls that the engine fuses."""
        many = calls.floats(2**10 if self.tiny else 2**25)
        one = calls.floats()
        adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
        return {
            "add": calls.Call("add", (many, many), {}),
            "tanh": calls.Call("tanh", (many,), {}),
            "adam_update": calls.Call("adam_update", (*[many] * 4, one), adam),
        }

    def few_tasks(self, call):
        domain = Op.named[call.op].form(*call.inputs, **call.attributes).domain
        rng = np.random.default_rng(2)
        return [tuple(int(rng.integers(0, n)) for n in domain) for _ in range(3)]

    def timed(self, call, engine=None):
        """Seconds of one run of a call, the median of several, by the device's own clock."""
        from numba import cuda

        op, engine = Op.named[call.op], engine or self.engine
        running = engine.build(single(op, tuple(call.inputs), call.attributes))
        running.run(calls.arrays(call))
        stream, times = engine.residence.stream, []
        for _ in range(1 if self.tiny else TIMES):
            start, end = cuda.event(), cuda.event()
            start.record(stream)
            for _ in range(1 if self.tiny else ATTEMPTS):
                running.step()
            end.record(stream)
            end.synchronize()
            times.append(cuda.event_elapsed_time(start, end) / 1e3 / ATTEMPTS if not self.tiny else 1.0)
        return statistics.median(times)

    # ---- products

    def products(self, rows):
        """TFLOP/s of square products, ours and PyTorch's, and of convolutions."""
        size = 32 if self.tiny else SIZE
        for dtype in ("float32",) if self.tiny else ("float32", "bfloat16"):
            name = f"{size}^3 {dtype}, TFLOP/s"
            self.add(rows, name, lambda dtype=dtype: self.multiplied(size, dtype, self.engine))
            if importlib.util.find_spec("torch") is not None and not self.tiny:
                self.add(rows, f"{name}, beside", functools.partial(self.beside, size, dtype, rows[name]))
        self.add(rows, f"{size}^3 float32 as TF32, TFLOP/s", lambda: self.multiplied(size, "float32", self.rounding()))
        images, kernel = self.calls["conv2d_tiled"].inputs
        flops = 2 * size_of(images.shape[:3]) * size_of(kernel.shape)  # of its gradients too
        for name, call in self.calls.items():
            if name.startswith("conv2d"):
                self.add(rows, f"{name}, TFLOP/s", lambda call=call: {"ours": flops / self.timed(call) / 1e12})

    def beside(self, size, dtype, ours):
        """PyTorch's product, and what share of it ours is: a row of its own, as PyTorch may be there without a device."""
        theirs = 2 * size**3 / seconds_of_torch_product(size, dtype) / 1e12
        return {"PyTorch": theirs, "share": ours["ours"] / theirs}

    def multiplied(self, size, dtype, engine):
        call = square(size, dtype)
        ours = 2 * size**3 / self.timed(call, engine) / 1e12
        return {"ours": ours, "worst error / bound, 3 tasks": self.held(call, self.few_tasks(call), engine)}

    def rounding(self):
        """The engine `cuda-tf32`, or the simulator's like."""
        if not self.tiny:
            return get_engine("cuda-tf32")
        engine = CudaEngine("cuda-sim")
        engine.rounds = True
        return engine

    def cublas(self, rows):
        """TFLOP/s of square products by cuBLASLt; some elements of each certified, and small products of all kinds whole."""
        if self.tiny or importlib.util.find_spec("nvmath") is None:
            missing = "nvmath-python is not installed: pip install 'refnet[cuda,cublas]'"
            rows["not run"] = "the simulator" if self.tiny else missing
            return
        engine = CudaEngine("cuda-cublas")
        for dtype in ("float32", "float64", "float16", "bfloat16"):
            self.add(rows, dtype, lambda dtype=dtype: self.multiplied(SIZE, dtype, engine))
            for flags in ((False, False), (True, False), (False, True)):
                attributes = dict(zip(("transpose1", "transpose2"), flags))
                shapes = [(33, 18)[:: -1 if flags[0] else 1], (18, 13)[:: -1 if flags[1] else 1]]
                small = calls.Call("matmul", tuple(calls.floats(*s, dtype=dtype) for s in shapes), attributes)
                self.add(
                    rows,
                    f"worst error / bound, {dtype}, transposed {flags}",
                    lambda small=small: self.held(small, engine=engine),
                )

    # ---- training

    def training(self, rows):
        """The losses of 20 steps on both engines; how often the host stopped for the device in the last epoch."""
        steps, batch = (3, 8) if self.tiny else (20, 128)
        self.add(rows, "cpu", lambda: losses("cpu", batch, steps))
        self.add(rows, "device", lambda: losses(self.engine, batch, steps))
        self.add(rows, "largest difference", lambda: float(np.max(np.abs(np.subtract(rows["cpu"], rows["device"])))))
        self.add(rows, "calls of an epoch", lambda: self.calls_of_an_epoch(batch, steps))

    def held_steps(self, policy):
        """The worst error / bound of three small steps, each from where the one before left the model; or what is wrong."""
        before = mixed_precision.dtype_policy()
        mixed_precision.set_global_policy(policy)
        try:
            with use_engine(self.engine):
                refnet_fast.utils.set_random_seed(4)
                model, x, y = network(8, 3) if policy == "float32" else smooth_network(8, 3)
                return max(float(hold_step(model, x[k], y[k])) for k in range(3))
        except AssertionError as error:
            return {"failed": f"training: {error}"}
        finally:
            mixed_precision.set_global_policy(before)

    def calls_of_an_epoch(self, batch, steps):
        """How often the device was asked for what, in the third epoch; and after how many seconds the host waits at the latest."""
        from refnet_fast.cuda import device, epoch

        with use_engine(self.engine):
            model, x, y = network(batch, steps)
            x, y = np.concatenate(x), np.concatenate(y)
            model.fit(x, y, batch_size=batch, epochs=2, verbose=0)
            before = dict(device.calls)
            model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        return {**{k: device.calls[k] - before.get(k, 0) for k in device.calls}, "slice, s": epoch.SLICE}

    # ---- other commands

    def properties(self, rows):
        """How pytest property_tests ends: what has failed is named as it fails, so that it is known however far it comes."""
        engine, several = "cuda-sim" if self.tiny else "cuda", ["-n0"]
        if not self.tiny and importlib.util.find_spec("xdist") is not None:
            several = ["-n", str(PROCESSES), "--maxprocesses", str(PROCESSES)]
        command = [sys.executable, "-m", "pytest", "-v", *several, "-p", "no:cacheprovider", "--engine", engine]
        chosen = ["-k", "draw_the_same_bits and dropout", "property_tests/test_random.py"]
        ended = run(command + (chosen if self.tiny else ["property_tests"]), self.left())
        lines = ended.pop("output").splitlines()
        rows["passed"] = sum("PASSED" in line for line in lines)
        rows["failed tests"] = [line for line in lines if line.startswith(("FAILED", "ERROR")) or " FAILED " in line][
            :60
        ]
        rows["printed"] = "\n".join(lines)[-3000:]
        rows["status"] = ended["status"]

    def workloads(self, rows):
        """The reports of the benchmark, one for each workload, as many as there is time for."""
        if self.tiny:
            rows["not run"] = "the simulator"
            return
        for name in WORKS:
            self.add(rows, name, functools.partial(self.workload, name))

    def workload(self, name):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            command = [sys.executable, "-m", "refnet_fast.bench", "--engine", "cuda", "--rounds", "3", "--only", name]
            found = apart([*command, "--save", str(path)], self.left(), path)
        ended = found.pop("ended", None)
        if ended is not None:
            found["failed" if ended["status"] in range(256) else "not finished"] = ended
        return found


def command_of(part, names, path):
    """The command by which another process fills in these rows of a part."""
    command = [sys.executable, "-m", "refnet_fast.cuda.check", "--here", "--only", part, "--save", str(path)]
    return command + [word for name in names for word in ("--kernel", name)]


def moved(call):
    """Bytes of all inputs and outputs, once."""
    from refnet_fast.memory import bytes_of

    arrays = [np.broadcast_to(np.zeros((), s.dtype), s.shape) for s in call.inputs]
    return sum(map(bytes_of, (*call.inputs, *specs_of(Op.named[call.op], arrays, call.attributes))))


def network(batch, steps):
    """A perceptron with dropout, and batches for it."""
    layers = refnet_fast.layers
    parts = [layers.Input((20,)), layers.Dense(16, activation="relu"), layers.Dropout(0.3)]
    model = refnet_fast.Sequential([*parts, layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(5)
    return model, rng.standard_normal((steps, batch, 20)).astype("float32"), rng.integers(0, 4, (steps, batch))


def smooth_network(batch, steps):
    """The same without a comparison: in 16 bits rounding would decide too many to follow them all."""
    layers = refnet_fast.layers
    parts = [layers.Input((20,)), layers.Dense(8, activation="tanh"), layers.Dense(4)]
    model = refnet_fast.Sequential([*parts, layers.Activation("sigmoid", dtype="float32")])
    model.compile("sgd", "mean_squared_error")
    rng = np.random.default_rng(5)
    return model, rng.standard_normal((steps, batch, 20)).astype("float32"), rng.random((steps, batch, 4))


def losses(engine, batch, steps):
    """Those of the first steps on an engine, from one seed."""
    with use_engine(engine):
        refnet_fast.utils.set_random_seed(4)
        model, x, y = network(batch, steps)
        return [float(model.train_on_batch(x[k], y[k])) for k in range(steps)]


def square(size, dtype):
    """The Call of a product of two square matrices."""
    spec = calls.Spec((size, size), dtype)
    return calls.Call("matmul", (spec, spec), {"transpose1": False, "transpose2": False})


def seconds_of_driver_copy(size):
    """Of one copy from the device to the device."""
    from numba import cuda

    source, copy = cuda.device_array(size, np.uint8), cuda.device_array(size, np.uint8)
    times = []
    for _ in range(TIMES):
        start, end = cuda.event(), cuda.event()
        start.record()
        copy.copy_to_device(source)
        end.record()
        end.synchronize()
        times.append(cuda.event_elapsed_time(start, end) / 1e3)
    return statistics.median(times)


def seconds_of_torch_product(size, dtype):
    """Of one product by cuBLAS, in float32 proper."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    a, b = (torch.randn(size, size, device="cuda", dtype=getattr(torch, dtype)) for _ in range(2))
    times = []
    for _ in range(TIMES):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(ATTEMPTS):
            a @ b
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / ATTEMPTS)
    return statistics.median(times)
