"""How a kernel with a broken line is run.

A CPU kernel's file is run with one line replaced and without Numba: its kernels are then plain functions of NumPy arrays. A CUDA
kernel's is written beside the others under another name and runs in the simulator.
"""

import contextlib
import ctypes
import functools
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
from cuda_mutants import CUDA_MUTANTS
from kernel_mutants import broken_text, source
from numba import njit
from numba.core.dispatcher import Dispatcher

from refnet import dtypes
from refnet.engine import Reference, get_engine, interpret, reference, spec_of
from refnet.testing import check, hold
from refnet.testing.certificates import named
from refnet.testing.draw import Seeded
from refnet.testing.evaluate import specs_of
from refnet.testing.strategies import case, load
from refnet_fast.cpu import fourier_bound
from refnet_fast.cpu.tile import multiply, strip_for, strips
from refnet_fast.cpu.windows import convolve
from refnet_fast.cpu.winograd import tiling, transformed

UNCOMPILED = """
def njit(*functions, **options):
    return functions[0] if functions else lambda function: function
"""


# ---- CPU kernels, as Python runs them


class PythonKernel(Reference):
    """Runs one tuned kernel as plain Python where it may serve, in shares of a few tasks; the definition elsewhere."""

    name = "kernel in Python"

    def __init__(self, op_name, kernel):
        super().__init__()
        self.op_name, self.kernel, self.served = op_name, kernel, 0

    def compute(self, op, arrays, attributes):
        from refnet_fast.derive import Placed
        from refnet_fast.kernels import KernelCall

        specs, promised = tuple(map(spec_of, arrays)), specs_of(op, arrays, attributes)
        outputs = [np.full(s.shape, 7, dtypes.as_numpy(s.dtype)) for s in promised]
        form = op.form(*specs, **attributes)
        call = KernelCall(op, form, specs, tuple(promised), attributes)
        empty = any(0 in view.shape for view in (*form.inputs, *form.outputs))
        if op.name != self.op_name or empty or not self.kernel.when(call):
            interpret(op, arrays, attributes, outputs)
            return outputs
        self.served += 1
        held = [np.ascontiguousarray(a) for a in arrays]
        inputs = [Placed(a.ctypes.data, v, s.dtype) for a, v, s in zip(held, form.inputs, specs)]
        results = [Placed(y.ctypes.data, v, s.dtype) for y, v, s in zip(outputs, form.outputs, promised)]
        given = self.kernel.arguments
        arguments = given(call, inputs, results) if given else [*inputs, *form.attributes, *results]
        seen = [in_memory(a) if isinstance(a, Placed) else a for a in arguments]
        step = 2 * self.kernel.quantum
        total = self.kernel.tasks(call)
        with np.errstate(all="ignore"):
            for lo in range(0, total, step):
                self.kernel.function(*seen, lo, min(lo + step, total))
        return outputs


def in_memory(placed):
    """The NumPy array of what lies at an address."""
    kind = dtypes.as_numpy(placed.dtype)
    shape = placed.view.shape
    steps = placed.view.strides or [int(np.prod(shape[k + 1 :])) for k in range(len(shape))]
    reach = sum((n - 1) * s for n, s in zip(shape, steps)) + 1 if 0 not in shape else 0
    if reach <= 0:
        return np.empty(shape, kind)
    flat = np.frombuffer((ctypes.c_char * (reach * kind.itemsize)).from_address(placed.address), kind)
    return np.lib.stride_tricks.as_strided(flat, shape, [s * kind.itemsize for s in steps])


def array_at(address, shape, dtype):
    """`native.array_at`, and `row_at`, which exist in compiled functions only."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(int(address)), dtype).reshape(shape)


def turn_four(source, step, target, apart):
    """`intrinsics.turn_four`, likewise."""
    for k in range(4):
        for j in range(4):
            ctypes.memmove(int(target + j * apart + 8 * k), int(source + k * step + 8 * j), 8)


@njit
def call_strip(*arguments):
    """`tile.multiply`, which exists in compiled functions only."""
    multiply(*arguments)


def entered(function):
    """A compiled function of another file, to be called from Python: see `native.njit`."""
    return njit(lambda *arguments: function(*arguments))


def plain(file, text):
    """What a file of kernels defines, run without Numba."""
    scope = {"__name__": f"refnet_fast.cpu.{file}"}
    text = re.sub(r"(from refnet_fast\.native import .*\bnjit\b.*\n)", r"\1" + UNCOMPILED, text)
    exec(compile(text, file, "exec"), scope)
    scope |= {name: entered(f) for name, f in scope.items() if isinstance(f, Dispatcher)}
    stand_ins = {"scratch": np.empty, "cleared_scratch": np.zeros}  # which exist in compiled functions only
    scope |= {name: f for name, f in stand_ins.items() if name in scope}
    return scope


def python_kernel(mutant, text):
    """The kernel that a mutant breaks, uncompiled; `text` is that of the file with the broken line."""
    from refnet_fast import kernels

    found = {}

    def declare(op_name, *, tasks, cost, when=lambda call: True, quantum=1, arguments=None, rows=None, fastmath=None):
        def keep(function):
            found[function.__name__] = kernels.Kernel(function, when, tasks, cost, quantum, arguments, rows)
            return function

        return keep

    texts = {file: source(mutant.place, file).read_text() for file in (mutant.file, "rows")} | {mutant.broken: text}
    helpers = [plain(file, texts[file]) for file in texts if file != mutant.file]
    sound, kernels.kernel = kernels.kernel, declare
    try:
        scope = plain(mutant.file, texts[mutant.file])
    finally:
        kernels.kernel = sound
    # the compiled ones are called by compiled kernels only; np.maximum, too, gives NaN where there is one
    stand_ins = {"exp": np.exp, "log": np.log, "maximum": np.maximum, "multiply": call_strip}
    stand_ins |= {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
    stand_ins |= {
        "rint": np.rint,
        "round_down": np.floor,
        "row_at": array_at,
        "array_at": array_at,
        "turn_four": turn_four,
    }
    stand_ins["select"] = lambda condition, x, y: x if condition else y
    for own in helpers:
        own |= {name: f for name, f in stand_ins.items() if name in own}
    for own in helpers:
        stand_ins |= {name: f for name, f in own.items() if getattr(f, "__module__", None) == own["__name__"]}
    scope |= {name: f for name, f in stand_ins.items() if name in scope}
    return found[mutant.kernel]


def cpu_rejection(mutant, text, examples=150):
    """What the certificate says against a kernel; None if it keeps within. Raises LookupError if it never served."""
    load()
    if mutant.file == "index_lists":
        return listed_rejection(text)
    if mutant.file == "windows":
        return large_rejection(text)
    if mutant.file in ("winograd", "winograd_gradient"):
        return tiles_rejection({mutant.file: text})
    if mutant.kernel == "conv2d_few_filters":
        return few_rejection(python_kernel(mutant, text))
    if mutant.file == "fourier":
        return signals_rejection(python_kernel(mutant._replace(kernel="dft_signals"), text))
    engine = PythonKernel(mutant.op, python_kernel(mutant, text))
    for number in range(examples):
        drawn = case(mutant.op, Seeded(("kernel", mutant.op, number)))
        try:
            check(mutant.op, engine, drawn.arrays, drawn.attributes)
        except AssertionError as error:
            return str(error)
        if engine.served >= 25:
            break
    if not engine.served:
        raise LookupError(f"{mutant.kernel} served none of {examples} calls")
    return None


def listed_rejection(text):
    """The same for products with index lists: the second of three batches, in an order of its own, in shares of 7 rows."""
    scope, random, matmul, cpu = (
        plain("index_lists", text),
        np.random.default_rng(1),
        named("matmul"),
        get_engine("cpu"),
    )
    scope |= {name: f for name, f in plain("rows", source("cpu", "rows").read_text()).items() if name in scope}
    scope |= {"batch_of": lambda lists: lists, "CHAIN": 2}  # several sums are made apart
    x = (random.random((12, 20)) < 0.2).astype("float32")
    starts, places = np.zeros(13, "int64"), np.zeros(x.size, "int32")
    assert scope["scan"](x, starts, places) == x.sum()
    order = random.permutation(12)
    rows, lists = x[order[4:8]], (starts, places, order, 4)
    w, dy = (random.standard_normal((size, 3)).astype("float32") for size in (20, 4))
    w[3, 1], dy[2, 1] = np.inf, -np.inf
    y, dw, rest = np.zeros((4, 3), "float32"), np.zeros((20, 3), "float32"), np.zeros(3, "float32")
    with np.errstate(all="ignore"):
        scope["zero_products"](w, rest, 0, 1)
        for lo in range(0, 4, 2):
            scope["listed_product"](lists, w, rest, y, lo, lo + 2)
        for lo in range(0, 20, 7):
            scope["listed_gradient"](lists, dy, dw, lo, min(lo + 7, 20))
    try:
        hold(matmul, cpu, [rows, w], {"transpose1": False, "transpose2": False}, [y])
        hold(matmul, cpu, [rows, dy], {"transpose1": True, "transpose2": False}, [dw])
    except AssertionError as error:
        return str(error)
    return None


def large_rejection(text):
    """The same for a convolution by columns of taps: of whole numbers, which do not round, in two shares, the second with a copy of
    the kernel and not all channels at hand."""
    scope = plain("windows", text)
    scope |= {"multiply": call_strip, "move_bytes": ctypes.memmove, "MANY": 20, "DEEP": 6}
    random, found = np.random.default_rng(1), strips(4)
    filters = strip_for.py_func(found, 2**20)[1] + 8  # a panel and a part of one
    x, k = (random.integers(-3, 4, shape).astype("float32") for shape in ((2, 6, 7, 5), (3, 2, 5, filters)))
    slides = {"strides": (1, 2), "dilation": (2, 1), "padding": (2, 1)}
    (due,) = reference.compute(named("conv2d"), [x, k], {"groups": 1, **slides, "extents": (5, 4)})
    y = np.full_like(due, 7)
    rows, columns = y.shape[1:3]
    places = rows * columns * filters, columns * filters, filters
    for f in range(0, filters, filters - 8):
        panel = strip_for.py_func(found, filters - f)[1]
        of, to = k.ctypes.data + 4 * f, y.ctypes.data + 4 * f
        shapes = x.shape[1:], (3, 2, filters), (rows, columns)
        for lo, hi in ((0, 3), (3, 2 * rows)):
            scope["columns_of_taps"](found, x.ctypes.data, of, to, *shapes, places, *slides.values(), panel, 0, lo, hi)
    wrong = np.argwhere(y != due)
    return f"conv2d: {len(wrong)} sums are wrong, the first at {wrong[0]}" if len(wrong) else None


def few_rejection(kernel):
    """The same for a convolution of whole vectors of channels with few filters, over a border of the image."""
    random, engine, channels = np.random.default_rng(1), PythonKernel("conv2d", kernel), strips(4).lanes
    arrays = [random.standard_normal(shape).astype("float32") for shape in ((2, 4, 5, channels), (3, 2, channels, 2))]
    attributes = {"groups": 1, "strides": (1, 2), "dilation": (1, 1), "padding": (1, 0), "extents": (4, 2)}
    try:
        check("conv2d", engine, arrays, attributes)
    except AssertionError as error:
        return str(error)
    if not engine.served:
        raise LookupError(f"{kernel.name} did not serve")
    return None


class PythonTransform(PythonKernel):
    """A Fourier transform, whose results have a bound of their own."""

    def bound_of(self, op, arrays, attributes):
        return fourier_bound.bounds(arrays, attributes)


def signals_rejection(kernel):
    """The same for Fourier's transforms, three columns at a time: of lengths with all factors, of a prime one, of pairs; and of numbers
    that are very large or not finite."""
    random, engine = np.random.default_rng(1), PythonTransform("dft", kernel)
    kernel.function.__globals__["COLUMNS"] = 3
    for n, real, size, sign, count in (
        (60, False, 1, -1, 20), (128, False, 1, 1, 32), (53, False, 1, -1, 5), (24, True, 1, 1, 24), (6, False, 1e308, 1, 6),
        (20, False, np.inf, 1, 20), (4096, False, 1, 1, 6),
    ):  # fmt: skip
        re, im = random.uniform(-1, 1, (2, 3 if n < 4096 else 1, n))
        re[-1, 2 if size == np.inf else slice(None)] *= size
        try:
            check("dft", engine, [re, im * (not real)], {"sign": sign, "count": count})
        except AssertionError as error:
            return str(error)
    if engine.served != 7:
        raise LookupError(f"{kernel.name} served {engine.served} of 7 calls")
    return None


@njit
def call_transform(*arguments):
    return transformed(*arguments)


@njit
def call_convolve(*arguments):
    convolve(*arguments)


def zeros_at(size, y, row, lo, hi):
    ctypes.memset(y + size * row * lo, 0, size * row * (hi - lo))


def tiles_rejection(broken):
    """The same for tiles, in two shares: whole numbers, which do not round, and in a second call some that are not finite. `broken` has
    the text of a file by its name."""
    files = "winograd", "winograd_gradient"
    scope, gradient = (plain(file, broken.get(file) or source("cpu", file).read_text()) for file in files)
    scope |= {"multiply": call_strip, "transformed": call_transform, "convolve": call_convolve, "clear_rows": zeros_at}
    scope |= {"move_bytes": ctypes.memmove, "AT_HAND": 0, "TILES": 4, "STEPS": 2, "OF_TAPS_ROOM": 400000}
    shared = "multiply", "transformed", "at_a_line", "tiles_at_hand", "shapes_of", "transformed_tiles"
    gradient |= {name: scope[name] for name in shared} | {"BLOCKS": 2, "SUMS": 0}
    for taps, image, result in (((3, 3), (5, 5), (4, 5)), ((4, 2), (9, 5), (7, 5))):
        given, padding = tiling(4, taps), (taps[0] // 2 - 1, 1)
        rows = 2 * -(-result[0] // given[11])  # of tiles
        for (x, k, dy), due in tiles_due(taps, image, result, padding):
            (*_, channels, filters), made = k.shape, [np.full_like(a, 7) for a in due]
            matrix = made[1].reshape(-1, filters)
            convolved, slopes = [[a.ctypes.data for a in pair] for pair in ((x, k, made[0]), (x, dy))]
            with np.errstate(all="ignore"):
                for lo, hi in ((0, 1), (1, rows)):
                    scope["convolve_tiles_here"](given, *convolved, image, channels, filters, result, padding, lo, hi)
                vectors = filters // given[1]  # of filters; the second share has a part, all, and a part of them
                for lo, hi in ((0, 2), (2, 2 * vectors + 1), (2 * vectors + 1, 3 * vectors)):
                    shapes = (*image, channels), (*taps, filters), result
                    gradient["kernel_of_tiles"](given, *slopes, matrix, 2, *shapes, padding, lo, hi)
            for got, right in zip(made, due):
                if not np.array_equal(got, right, equal_nan=True):
                    return f"{np.sum(got != right)} sums are wrong"
    return None


@functools.cache
def tiles_due(taps, image, result, padding):
    """Arrays for a convolution, without and with numbers that are not finite, each with what is due: result, and kernel's gradient."""
    random, lane = np.random.default_rng(1), strips(4).lanes
    channels, filters = 3 * lane, strip_for.py_func(strips(4), 2**20)[1] + lane
    shapes = (2, *image, channels), (*taps, channels, filters), (2, *result, filters)
    x, k, dy = (random.integers(1, 4, shape).astype("float32") for shape in shapes)
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": padding}
    found = []
    for odd in (False, True):
        x, dy = x.copy(), dy.copy()
        if odd:
            x[1, 2, 2, channels - 1] = dy[0, 0, 0, 0] = np.inf
        (y,) = get_engine("derived").compute(named("conv2d"), [x, k], attributes | {"extents": result})
        (dk,) = get_engine("derived").compute(named("conv2d_kernel_gradient"), [x, dy], attributes | {"extents": taps})
        found.append(((x, k, dy), (y, dk)))
    return found


# ---- CUDA kernels, in the simulator


def cuda_call(mutant):
    """A call that the tuned kernel serves, and tasks of it to look at."""
    from refnet_fast.cuda import calls

    if mutant.kernel != "softmax_rows":
        call = calls.TINY[mutant.kernel.replace("_rounded", "_tiled")]  # in TF32 the calls of float32 are served
        arrays = calls.arrays(call)
        if mutant.file in ("extremum", "pooling", "sorting"):
            arrays[-1] = np.sign(arrays[-1])  # ties
        some = [(o, j, 2 * o) for o in range(4) for j in range(9)] if mutant.file == "resizing" else None
        return arrays, call.attributes, some
    x = np.random.default_rng(1).normal(size=(2, 150)).astype("float32")
    x[:, 2] += 1000  # in an even thread's share; without the largest taken off it overflows
    return [x], {"axis": 1}, None


@contextlib.contextmanager
def replaced(name, module):
    """Inside, whoever imports the module of that name gets another."""
    package, _, last = name.rpartition(".")
    sound, sys.modules[name] = sys.modules[name], module
    setattr(sys.modules[package], last, module)
    try:
        yield
    finally:
        sys.modules[name] = sound
        setattr(sys.modules[package], last, sound)


def cuda_rejection(mutant, text, directory):
    from refnet_fast.cuda import kernels
    from refnet_fast.cuda.engine import CudaEngine

    engine = CudaEngine("cuda-sim")
    engine.rounds = mutant.file == "rounded_product"
    kernels.load()
    number = len(list(Path(directory).iterdir()))
    name = f"broken_{number}"
    (Path(directory) / f"{name}.py").write_text(text)
    helpers = f"refnet_fast.cuda.{mutant.helpers}"
    families = kernels.tuned, kernels.rounding
    before = [{op: list(found) for op, found in family.items()} for family in families]
    sys.path.insert(0, str(directory))
    try:
        importlib.import_module(name)
        if mutant.helpers:
            with replaced(helpers, sys.modules[name]):
                (Path(directory) / f"{name}_kernels.py").write_text(source("cuda", mutant.file).read_text())
                importlib.import_module(f"{name}_kernels")
        arrays, attributes, tasks = cuda_call(mutant)
        with contextlib.redirect_stdout(sys.stderr):
            check(mutant.op, engine, arrays, attributes, tasks)
        return None
    except (AssertionError, OverflowError) as error:  # a simulated thread's math raises where a real one's overflows
        return str(error)
    finally:
        sys.path.pop(0)
        for family, sound in zip(families, before):
            family.clear()
            family.update(sound)


def cuda_verdicts(directory):
    """Prints what the certificate says to each CUDA mutant, and to the sound texts."""
    import refnet_fast  # noqa: F401  (registers the engines)

    load()
    verdicts = {m.name: cuda_rejection(m, broken_text(m), directory) for m in CUDA_MUTANTS}
    for file in sorted({m.file for m in CUDA_MUTANTS}):
        sound = next(m for m in CUDA_MUTANTS if m.file == file)
        verdicts[f"sound {file}"] = cuda_rejection(sound, broken_text(sound._replace(new=sound.old)), directory)
    print(json.dumps(verdicts))


if __name__ == "__main__":
    cuda_verdicts(sys.argv[1])
