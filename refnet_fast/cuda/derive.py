"""Any definition as a CUDA kernel: one thread for each task, every element it reads widened, rounded once when it is stored.

A kernel's text depends on the op, the ranks and the kinds of its arguments; shapes, strides and numbers are arguments. Arrays
come with their strides, so transposed, broadcast and sliced views cost no copy.
"""

import ast
import contextlib
import functools
import importlib.metadata
import inspect
import textwrap

import numpy as np

from refnet import dtypes, scalars
from refnet.definition import View, row_major, size_of
from refnet.philox import fraction, philox4x32
from refnet_fast import fuse as fuse_on_cpu
from refnet_fast.build import load
from refnet_fast.cuda import numbers, target
from refnet_fast.cuda.device import array_at, calls
from refnet_fast.cuda.philox import fraction_by_factor, philox_in_words
from refnet_fast.derive import Placed, Translator, itemsize
from refnet_fast.fuse import NARROW, WIDE, node_lines
from refnet_fast.rewrite import SHORT

THREADS = 128  # in a block
CLEAR = 2**62  # what a flag holds while no check is violated

HEADER = f"""# numba-cuda {importlib.metadata.version("numba-cuda")}
import numpy as np
from numba import cuda
from refnet_fast.cuda.derive import CLEAR, device
from refnet_fast.cuda.numbers import wide
"""


def _jit(function):
    if target.simulated():
        return function
    from numba import cuda

    return cuda.jit(device=True)(function)


device = Translator(numbers.wide, numbers.FUNCTIONS, _jit)  # definition -> device function
device.done |= {philox4x32: _jit(philox_in_words), fraction: _jit(fraction_by_factor)}


class Launch:
    """A kernel and what it is called with.

    Args:
        text: the source; it defines `kernel`, and maybe BOUNDS: threads of a block, blocks that a multiprocessor has room for.
        arguments: a Placed for each array; ints, floats, bools and tuples of them.
        threads: how many threads it needs, in blocks of THREADS, or
        shape: (blocks along x, y, z; threads of a block along x, y).
        contract: whether the compiler may fuse multiplications and additions.
    Attributes:
        what: the ops that it computes.
        step: the name of the tuned kernel's function, if it is one.
    """

    def __init__(self, text, arguments, threads=0, shape=None, contract=False):
        self.text, self.arguments, self.contract = text, arguments, contract
        block = max(1, min(THREADS, threads))
        self.grid, self.block = shape or ((-(-threads // block),), (block,))
        self.threads = threads if shape is None else size_of(self.grid) * size_of(self.block)
        self.what = self.step = ""
        self._ready = None

    def __call__(self, stream=0):
        """Starts the kernel on a stream; it runs after all that were started there before."""
        if self.threads == 0:
            return
        calls["launch"] += 1
        if self._ready is None:
            kernel, arguments = dispatcher(self.text), [on_device(a) for a in self.arguments]
            # Configured each time: the simulator keeps one configuration for all.
            self._ready = lambda stream: kernel[self.grid, self.block, stream](*arguments)
            with contextlib.nullcontext() if target.simulated() else target.compiling(contract=self.contract):
                self._ready(stream)
            return
        self._ready(stream)

    def compile(self):
        """Compiles the kernel for the device and keeps it on disk; nothing is started."""
        with target.compiling(contract=self.contract):
            dispatcher(self.text).compile(tuple(map(type_of, self.arguments)))

    def ptx(self, capability):
        """The kernel as PTX for a compute capability, (9, 0) for example; no device is needed."""
        from numba import cuda

        with target.compiling(capability, self.contract):
            module, types = load(self.text), tuple(map(type_of, self.arguments))
            bounds = getattr(module, "BOUNDS", None)
            text, _ = cuda.compile_ptx(module.kernel, types, cc=capability, launch_bounds=bounds)
        return text


@functools.cache
def dispatcher(text):
    """The kernel of that text, compiled for whatever it will be called with, and kept on disk."""
    from numba import cuda
    from numba.cuda import config

    module = load(text)
    if target.simulated():
        return cuda.jit(module.kernel)
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a small tensor makes a small launch; nobody can do anything about it
    return cuda.jit(cache=True, lto=False, launch_bounds=getattr(module, "BOUNDS", None))(module.kernel)


def on_device(argument):
    """An argument as it is passed to a kernel."""
    if isinstance(argument, Placed):
        strides = None if argument.contiguous else argument.view.strides
        return array_at(argument.address, argument.view.shape, argument.dtype, strides)
    if isinstance(argument, (tuple, list)):
        return tuple(map(on_device, argument))
    return plain(argument)


def plain(number):
    if isinstance(number, (bool, np.bool_)):
        return bool(number)
    return float(number) if isinstance(number, (float, np.floating)) else int(number)


def type_of(argument):
    """The Numba type of an argument."""
    from numba.cuda import types
    from numba.cuda.np.numpy_support import from_dtype

    if isinstance(argument, Placed):
        return types.Array(from_dtype(dtypes.as_numpy(argument.dtype)), len(argument.view.shape), layout_of(argument))
    if isinstance(argument, (tuple, list)):
        parts = tuple(map(type_of, argument))
        return types.Tuple(parts) if len(set(parts)) > 1 else types.UniTuple(parts[0], len(parts))
    number = plain(argument)
    return types.boolean if isinstance(number, bool) else types.float64 if isinstance(number, float) else types.int64


def layout_of(placed):
    """Numba's letter for how an array lies: rows one after the other, columns, or any other way. It goes by the strides that it is given."""
    from numba.cuda.cudadrv.dummyarray import Array

    shape, strides, size = placed.view.shape, placed.view.strides, itemsize(placed.dtype)
    if placed.contiguous:
        return "C"
    if 0 in strides and placed.size:
        return "A"
    flags = Array.from_desc(0, tuple(shape), tuple(n * size for n in strides), size).flags
    return "C" if flags["C_CONTIGUOUS"] else "F" if flags["F_CONTIGUOUS"] else "A"


# ---- the text of a kernel


class Kernel:
    """A kernel being written: its arguments, numbered as they are added, and its imports.

    Args:
        domain: one thread for each index of this shape; the body sees it as i0, i1, ...
        guard: a Placed flag: with it the body runs only while no check is violated.
    """

    def __init__(self, domain, guard=None):
        self.domain, self.arguments, self.imports = tuple(domain), [], {}
        self.flag = None if guard is None else self.add(guard)

    def add(self, argument):
        """The name of an argument in the body. What is empty or absent is written out, as it has no type."""
        if isinstance(argument, (tuple, list)) and (
            not argument or any(isinstance(a, (tuple, list)) for a in argument)
        ):
            return "(" + "".join(self.add(part) + ", " for part in argument) + ")"
        if argument is None:
            return "None"
        self.arguments.append(argument)
        return f"a{len(self.arguments) - 1}"

    def function(self, definition):
        """The name of a definition, compiled for the device."""
        name = f"{definition.__name__}_on_device"
        self.imports[name] = (
            f"from {definition.__module__} import {definition.__name__}\n{name} = device({definition.__name__})"
        )
        return name

    @property
    def task(self):
        return "(" + "".join(f"i{axis}, " for axis in range(len(self.domain))) + ")"

    def launch(self, body):
        """The Launch of this kernel with these lines as its body."""
        axes = range(len(self.domain))
        names = ["count", *(f"d{axis}" for axis in axes), *(f"a{k}" for k in range(len(self.arguments)))]
        count, shape = size_of(self.domain), self._rectangle()
        if shape is None:
            index, inside = ["number = cuda.grid(1)"], "number < count"
            body = [*self._divided(), *body]
        else:
            index, inside = RECTANGLE, "i0 < d0 and i1 < d1"
        if target.simulated():  # a simulated thread is a Python thread, in which NumPy's warnings are on
            body = ['with np.errstate(all="ignore"):', *("    " + line for line in body)]
        guard = "" if self.flag is None else f" and {self.flag}[0] == CLEAR"
        lines = [f"def kernel({', '.join(names)}):", *("    " + line for line in [*index, f"if {inside}{guard}:"])]
        text = "\n".join([HEADER, *self.imports.values(), "\n", *lines, textwrap.indent("\n".join(body), " " * 8), ""])
        return Launch(text, [count, *self.domain, *self.arguments], count, shape)

    def _rectangle(self):
        """(grid, block) for a domain of two axes, the second along x in a block: its indices then need no division."""
        if len(self.domain) != 2 or not 16 <= self.domain[1] <= 65535 * 16:
            return None
        across = 32 if self.domain[1] > 16 else 16
        down = max(1, min(THREADS // across, self.domain[0]))
        return (-(-self.domain[0] // down), -(-self.domain[1] // across)), (across, down)

    def _divided(self):
        """The lines that find a thread's indices by division: of words, where the numbers are that short."""
        index, divided = ["rest = number"], "rest // d{axis}"
        if size_of(self.domain) < 2**31 and len(self.domain) > 1:
            self.imports["quotient"] = "from refnet_fast.cuda.tile import quotient"
            divided = "quotient(rest, d{axis})"
        for axis in reversed(range(1, len(self.domain))):
            index += [f"above = {divided.format(axis=axis)}", f"i{axis} = rest - above * d{axis}", "rest = above"]
        return [*index, "i0 = rest"] if self.domain else index


RECTANGLE = [
    "i0 = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y",
    "i1 = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x",
    "number = i0 * d1 + i1",
]


def derive(op, form, inputs, outputs, scratch=()):
    """The Launch of a kernel made from the op's own definition, one thread for each index of the form's domain.

    Args:
        op: a primitive.
        form: its call in canonical form.
        inputs, outputs: a Placed for each array of the form.
        scratch: a Placed for each scratch array, with the threads as its first axis.
    """
    kernel = Kernel(form.domain)
    if op.variadic:
        inputs = [tuple(Strided(x) for x in inputs)]
    reads, writes = [kernel.add(x) for x in inputs], [kernel.add(y) for y in outputs]
    attributes = [kernel.add(a) for a in form.attributes]
    rooms = [f"{kernel.add(room)}[number]" for room in scratch]
    if op.scalar is None:
        arguments = ", ".join([f"({kernel.task},)", *reads, *attributes, *writes, *rooms])
        return kernel.launch([f"{kernel.function(op.loop)}({arguments})"])
    task = kernel.task
    elements = [f"wide({name}[{task}])" for name in reads]
    results = ", ".join(f"{name}[{task}]" for name in writes)
    return kernel.launch([f"{results} = {kernel.function(op.scalar)}({', '.join(elements + attributes)})"])


class Strided(Placed):
    """A Placed that is passed with its strides even if it is contiguous: the arrays of a tuple must be of one type."""

    contiguous = False

    def __init__(self, placed):
        view = placed.view
        strides = row_major(view.shape) if view.strides is None else view.strides
        super().__init__(placed.address, View(view.shape, tuple(strides)), placed.dtype)


# ---- fused units


class Emitted:
    """What `fuse.node_lines` asks for, answered for the device: float32 and shorter floats are computed in float32, all else wide.

    Between nodes a 16-bit float is a float32 that has been rounded: a device converts to float64 several times more slowly.
    """

    def __init__(self, kernel):
        self.kernel = kernel

    def mode(self, node):
        dtypes_of = {t.dtype for t in (*node.inputs, *node.outputs)}
        short = dtypes_of <= {"bool", "float32", *SHORT} and dtypes_of != {"bool"}
        return NARROW if short and not counts(node.op.scalar) else WIDE

    def function(self, scalar, attributes, mode):
        if mode == WIDE:
            return self.kernel.function(scalar)
        self.kernel.imports.update(narrow_texts(scalar, tuple(attributes)))
        return f"{scalar.__name__}_{mode}"

    def rounded(self, dtype, result):
        self.kernel.imports[dtype] = f"from refnet_fast.cuda.numbers import as_{dtype}"
        return self.read(dtype, f"as_{dtype}({result})")

    def read(self, dtype, element):
        """The text that reads an element of an array."""
        return f"np.float32({element})" if dtype in SHORT else element


@functools.cache
def counts(scalar):
    """Whether a scalar definition has a loop, whose numbers must stay integers."""
    return any(isinstance(part, ast.For) for part in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(scalar)))))


class Narrow(fuse_on_cpu.Emitted):
    """Scalar definitions in float32, as device functions; otherwise as on the CPU."""

    def function(self, function, attributes, mode):
        name = f"{function.__name__}_{mode}"
        if name not in self.imports and name not in self.texts:
            self.add(name, function, attributes, mode)
        return name

    def add(self, name, function, attributes, mode):
        if function.__module__ == scalars.__name__:
            self.imports[name] = f"{name} = short[{function.__name__!r}]"
            return
        super().add(name, function, attributes, mode)
        self.texts[name] = "@jit\n" + self.texts[name].partition("\n")[2]


@functools.cache
def narrow_texts(scalar, attributes):
    """{name: text} of a scalar definition in float32 and of all that it calls."""
    emitted = Narrow()
    emitted.function(scalar, attributes, NARROW)
    head = "from numpy import float32\nfrom refnet_fast.cuda.numbers import jit, select, short"
    return {"float32 functions": head, **emitted.imports, **emitted.texts}


def fuse(nodes, operand_of, joined, guard=None):
    """The Launch of a unit of elementwise nodes: one thread for each element, what lies between the nodes in registers.

    Args: as refnet_fast.fuse.fuse.
    """
    kernel = Kernel(joined, guard)
    made = {y for node in nodes for y in node.outputs}
    names: dict = {}
    for operand in operand_of.values():
        if operand.key not in names:
            names[operand.key] = kernel.add(
                Placed(operand.address, View(tuple(joined), operand.strides), operand.dtype)
            )
    place = {t: f"{names[operand.key]}[{kernel.task}]" for t, operand in operand_of.items()}
    value = {t: f"{names[operand.key]}_i" for t, operand in operand_of.items() if t not in made}
    # All reads come first: a result may take the place of an operand that a later node still needs.
    emitted, numbers_read = Emitted(kernel), []
    body = list(dict.fromkeys(f"{value[t]} = {emitted.read(t.dtype, place[t])}" for t in value))
    for node in nodes:
        body += node_lines(node, value, emitted, numbers_read)
        body += [f"{place[y]} = {value[y]}" for y in node.outputs if y in place]
    body = [
        f"n{k} = {kernel.add(float(n) if isinstance(n, float) else int(n))}" for k, n in enumerate(numbers_read)
    ] + body
    return kernel.launch(body)
