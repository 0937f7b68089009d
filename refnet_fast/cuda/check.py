"""Everything that a device has to show, in one command of at most ten minutes: `python -m refnet_fast.cuda.check --save FILE`.

It writes the file anew after each part, so that what was found is kept whatever comes after:

    certificates    every tuned kernel on its small call, held to its certificate
    bandwidth       kernels bound by memory, beside a copy of as many bytes; some elements of each certified
    products        float32, TF32 and bfloat16 products; beside cuBLAS through PyTorch, where it is installed
    cublas          the same products by the engine `cuda-cublas`, certified and timed, where nvmath-python is installed
    training        small steps certified; 20 on cpu and on the device from the same seed: the losses, and what stops the host
    properties      pytest property_tests --engine cuda, for as long as there is time
    workloads       python -m refnet_fast.bench --engine cuda, likewise

In a process started with NUMBA_ENABLE_CUDASIM=1 it runs on the simulator, in tiny sizes: its times then say nothing.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import traceback

import numpy as np

import refnet_fast
from refnet import ops  # noqa: F401  (declares the ops)
from refnet.definition import Op, size_of
from refnet.engine import get_engine, use_engine
from refnet.errors import EngineError
from refnet.testing import hold
from refnet.testing.evaluate import specs_of
from refnet.testing.whole import hold_step
from refnet_fast.cuda import calls, target
from refnet_fast.cuda.engine import CudaEngine
from refnet_fast.engine import single

ROOT = pathlib.Path(__file__).parents[2]
PRODUCTS = ("matmul", "conv")  # how the names of kernels begin that arithmetic bounds, not memory
ATTEMPTS, TIMES = 5, 10  # runs between two events, and how often


class Checking:
    """One run of the command.

    Args:
        seconds: how long it may take.
    """

    def __init__(self, seconds):
        self.began, self.seconds = time.monotonic(), seconds
        self.tiny, self.rejected = target.simulated(), []
        self.engine = CudaEngine("cuda-sim" if self.tiny else "cuda")
        self.calls = calls.TINY if self.tiny else calls.LARGE

    def left(self):
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.began)

    # ---- certificates

    def certificates(self):
        """{kernel: worst error / bound} of the small calls."""
        return {name: self.held(call) for name, call in calls.TINY.items() if not self.tiny or "columns" in name}

    def held(self, call, tasks=None, engine=None):
        """The worst error / bound; what the certificate says if an element is beyond it."""
        op, arrays, engine = Op.named[call.op], calls.arrays(call), engine or self.engine
        outputs = engine.compute(op, arrays, call.attributes)
        try:
            return float(hold(op, engine, arrays, call.attributes, outputs, tasks))
        except AssertionError as error:
            self.rejected.append(f"{call.op}: {error}")
            return str(error)

    # ---- bandwidth

    def bandwidth(self):
        """GB/s of each kernel that memory bounds, the bytes of its arrays counted once, and its share of a copy's."""
        size = 2**10 if self.tiny else 2**28
        copied = self.timed(calls.Call("transpose", (calls.floats(size // 4),), {"axes": (0,)}))
        whole = 2 * size / copied
        rows = {"a copy, as derived": {"GB/s": whole / 1e9, "share": 1.0}}
        if not self.tiny:
            whole = max(whole, 2 * size / seconds_of_driver_copy(size))
            rows["a copy, by the driver"] = {"GB/s": whole / 1e9, "share": 1.0}
        chosen = {n: c for n, c in self.calls.items() if not n.startswith(PRODUCTS)} | self.elementwise()
        for name, call in list(chosen.items())[: 1 if self.tiny else None]:
            rate = moved(call) / self.timed(call)
            rows[name] = {"GB/s": rate / 1e9, "share": rate / whole, "MB": moved(call) / 1e6}
            rows[name]["worst error / bound, 3 tasks"] = self.held(call, self.few_tasks(call))
        return rows

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

    def products(self):
        """TFLOP/s of square products, ours and PyTorch's, and of convolutions."""
        size, rows = 32 if self.tiny else 4096, {}
        for dtype in ("float32",) if self.tiny else ("float32", "bfloat16"):
            call = square(size, dtype)
            row = {"ours": 2 * size**3 / self.timed(call) / 1e12}
            if importlib.util.find_spec("torch") is not None and not self.tiny:
                row["PyTorch"] = 2 * size**3 / seconds_of_torch_product(size, dtype) / 1e12
                row["share"] = row["ours"] / row["PyTorch"]
            row["worst error / bound, 3 tasks"] = self.held(call, self.few_tasks(call))
            rows[f"{size}^3 {dtype}, TFLOP/s"] = row
        call = square(size, "float32")
        row = {"ours": 2 * size**3 / self.timed(call, self.rounding()) / 1e12}
        row["worst error / bound, 3 tasks"] = self.held(call, self.few_tasks(call), self.rounding())
        rows[f"{size}^3 float32 as TF32, TFLOP/s"] = row
        images, kernel = self.calls["conv2d_tiled"].inputs
        flops = 2 * size_of(images.shape[:3]) * size_of(kernel.shape)  # of its gradients too
        for name, call in self.calls.items():
            if name.startswith("conv2d"):
                rows[f"{name}, TFLOP/s"] = {"ours": flops / self.timed(call) / 1e12}
        return rows

    def rounding(self):
        """The engine `cuda-tf32`, or the simulator's like."""
        if not self.tiny:
            return get_engine("cuda-tf32")
        engine = CudaEngine("cuda-sim")
        engine.rounds = True
        return engine

    def cublas(self):
        """TFLOP/s of square products by cuBLASLt; some elements of each certified, and small products of all kinds whole."""
        if self.tiny or importlib.util.find_spec("nvmath") is None:
            return {
                "not run": "the simulator"
                if self.tiny
                else "nvmath-python is not installed: pip install 'refnet[cuda,cublas]'"
            }
        engine, rows = CudaEngine("cuda-cublas"), {}
        for dtype in ("float32", "float64", "float16", "bfloat16"):
            call = square(4096, dtype)
            row = {"TFLOP/s": 2 * 4096**3 / self.timed(call, engine) / 1e12}
            row["worst error / bound, 3 tasks"] = self.held(call, self.few_tasks(call), engine)
            for flags in ((False, False), (True, False), (False, True)):
                attributes = dict(zip(("transpose1", "transpose2"), flags))
                shapes = [(33, 18)[:: -1 if flags[0] else 1], (18, 13)[:: -1 if flags[1] else 1]]
                small = calls.Call("matmul", tuple(calls.floats(*s, dtype=dtype) for s in shapes), attributes)
                row[f"worst error / bound, transposed {flags}"] = self.held(small, engine=engine)
            rows[dtype] = row
        return rows

    # ---- training

    def held_steps(self):
        """The worst error / bound of three small steps, each from where the one before left the model; or what is wrong."""
        with use_engine(self.engine):
            refnet_fast.utils.set_random_seed(4)
            model, x, y = network(8, 3)
            try:
                return max(float(hold_step(model, x[k], y[k])) for k in range(3))
            except AssertionError as error:
                self.rejected.append(f"training: {error}")
                return str(error)

    def training(self):
        """Certified steps; the losses of 20 on both engines; how often the host stopped for the device in the last epoch."""
        from refnet_fast.cuda import device, epoch

        steps, told = 3 if self.tiny else 20, {}
        for engine in ("cpu", self.engine):
            with use_engine(engine):
                refnet_fast.utils.set_random_seed(4)
                model, x, y = network(8 if self.tiny else 128, steps)
                losses = [float(model.train_on_batch(x[k], y[k])) for k in range(steps)]
                told["cpu" if engine == "cpu" else "device"] = losses
        told["worst error / bound, 3 steps of 8 samples"] = self.held_steps()
        x, y = np.concatenate(x), np.concatenate(y)
        with use_engine(self.engine):
            model.fit(x, y, batch_size=len(x) // steps, epochs=2, verbose=0)
            before = dict(device.calls)
            model.fit(x, y, batch_size=len(x) // steps, epochs=1, verbose=0)
        told["largest difference"] = float(np.max(np.abs(np.subtract(told["cpu"], told["device"]))))
        told["calls of an epoch"] = {k: device.calls[k] - before.get(k, 0) for k in device.calls}
        told["slice, s"] = epoch.SLICE
        return told

    # ---- other commands

    def properties(self):
        """How pytest property_tests ends."""
        engine = "cuda-sim" if self.tiny else "cuda"
        chosen = ["-k", "draw_the_same_bits and dropout"] if self.tiny else []
        command = ["-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", "--engine", engine, *chosen]
        return self.ended([*command, "property_tests/test_random.py" if self.tiny else "property_tests"], 0.5)

    def workloads(self):
        """The report of the benchmark."""
        if self.tiny:
            return {"not run": "the simulator"}
        report = ROOT / "refnet_fast" / "bench" / "results" / "cuda-workloads.json"
        command = ["-m", "refnet_fast.bench", "--engine", "cuda", "--rounds", "3", "--save", str(report)]
        ended = self.ended(command, 1.0)
        return {**ended, "report": json.loads(report.read_text()) if report.exists() else None}

    def ended(self, command, share):
        """How a Python command ends that may take this share of the time that is left."""
        try:
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=max(20.0, self.left() * share),
            )
        except subprocess.TimeoutExpired as error:
            printed = error.stdout or b""
            return {"status": "ran out of time", "printed": printed.decode(errors="replace")[-2000:]}
        return {"status": done.returncode, "printed": (done.stdout + done.stderr)[-2000:]}


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


PARTS = ("certificates", "bandwidth", "products", "cublas", "training", "properties", "workloads")


def environment():
    """What was checked on."""
    from numba import cuda

    versions = {}
    for name in (
        "numba",
        "numba-cuda",
        "cuda-core",
        "cuda-bindings",
        "nvmath-python",
        "nvidia-cublas-cu12",
        "numpy",
        "torch",
        "keras",
        "jax",
    ):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    told = {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "versions": versions}
    told |= {"system": platform.platform(), "python": platform.python_version(), "processors": os.cpu_count()}
    if target.simulated():
        return {**told, "device": "Numba's simulator"}
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    free, total = cuda.current_context().get_memory_info()
    return {**told, "device": name, "capability": list(device.compute_capability), "memory": total, "free": free}


def main(arguments=None):
    """Runs the parts, prints each, and writes what they found."""
    parser = argparse.ArgumentParser(prog="python -m refnet_fast.cuda.check", description=__doc__.split(":")[0])
    parser.add_argument("--save", metavar="FILE", help="write what was found there, as JSON")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; may be repeated")
    parser.add_argument("--seconds", type=float, default=560.0, help="how long it may take (560)")
    given = parser.parse_args(arguments)
    try:
        target.check("cuda-sim" if target.simulated() else "cuda")
    except EngineError as error:
        print(f"EngineError: {error}", file=sys.stderr)
        return 1
    checking, report = Checking(given.seconds), {"environment": environment()}
    for part in given.only or PARTS:
        began = time.monotonic()
        try:
            report[part] = getattr(checking, part)()
        except Exception:  # a part that fails is a finding; the others are still run
            report[part] = {"failed": traceback.format_exc()}
        report[part]["seconds"] = round(time.monotonic() - began, 1)
        print(part, json.dumps(report[part], indent=1), flush=True)
        if given.save:
            pathlib.Path(given.save).write_text(json.dumps(report, indent=1) + "\n")
    failed = [part for part in report if "failed" in report[part] or report[part].get("status", 0) != 0]
    failed += checking.rejected
    print("failed: " + "; ".join(failed) if failed else "every part passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
