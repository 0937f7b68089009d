"""Any definition becomes a compiled kernel: the same text, under Numba, every element it reads widened."""

import ast
import inspect
import struct
import textwrap
import types as python_types

import numpy as np

from refnet import dtypes, philox, scalars
from refnet.definition import View, row_major, size_of
from refnet.errors import EngineError
from refnet_fast import native, scalar_functions

HEADER = """import numpy as np
from numba import cfunc
from refnet_fast.native import ABI, as_float, framed_array, njit, row_at, wide
from refnet_fast.outcomes import cleared_scratch, outcome_of
from refnet_fast.derive import compiled
"""


WORK = """

@njit(error_model="numpy", fastmath=False)
def work(frame, lo, hi):
"""
KERNEL = """


@cfunc(ABI, cache=True)
def kernel(frame, lo, hi):
    return outcome_of(work, (frame, lo, hi))
"""


class Placed:
    """Where an array lies: its address, how it is seen, its dtype; and who must live as long as a program that points there, if the
    program's memory does not hold it."""

    def __init__(self, address, view: View, dtype, owner=None):
        self.address, self.view, self.dtype = int(address) + view.offset * itemsize(dtype), view, dtype
        self.owner = owner

    @property
    def contiguous(self):
        shape, strides = self.view.shape, self.view.strides
        if strides is None or 0 in shape:
            return True
        return all(n == 1 or given == own for n, given, own in zip(shape, strides, row_major(shape)))

    @property
    def size(self):
        return size_of(self.view.shape)


def itemsize(dtype):
    return dtypes.as_numpy(dtype).itemsize


# ---- a definition under Numba


class WideLoads(ast.NodeTransformer):
    """Widens every element that is read: `x[i]` becomes `wide(x[i])`. Annotations and docstrings go."""

    def visit_Subscript(self, node):
        self.generic_visit(node)
        return ast.Call(ast.Name("wide", ast.Load()), [node], []) if isinstance(node.ctx, ast.Load) else node

    def visit_FunctionDef(self, node):
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value is not None else None


class Translator:
    """Compiles definitions, and with each the plain-Python helpers it calls.

    Args:
        wide: the function that widens an element.
        functions: {name: function}, what the names of refnet.scalars mean.
        jit: the compiler, a decorator.
    """

    def __init__(self, wide, functions, jit):
        self.wide, self.functions, self.jit = wide, functions, jit
        self.done: dict = {}

    def __call__(self, definition):
        if definition not in self.done:
            scope = dict(definition.__globals__, wide=self.wide)
            for name in definition.__code__.co_names:
                value = scope.get(name)
                if isinstance(value, python_types.FunctionType):
                    if value.__module__ == scalars.__name__:
                        scope[name] = self.functions[value.__name__]
                    elif value is not definition:
                        scope[name] = self(value)
            tree = WideLoads().visit(ast.parse(textwrap.dedent(inspect.getsource(definition))))
            exec(compile(ast.fix_missing_locations(tree), inspect.getsourcefile(definition), "exec"), scope)
            self.done[definition] = self.jit(scope[definition.__name__])
        return self.done[definition]


# fastmath is said, for what is not said comes from the caller: whichever is compiled first in a process.
compiled = Translator(native.wide, scalar_functions.FUNCTIONS, native.njit(error_model="numpy", fastmath=False))
scalar_functions.FUNCTIONS["erfinv"] = scalar_functions.inverse(compiled(philox.inverse_error_function))


# ---- frames: how arguments travel


def words(argument):
    """An argument as int64 words: an array is its address and shape (and byte strides if strided), a float its bits."""
    if isinstance(argument, Placed):
        if argument.contiguous:
            return [argument.address, *argument.view.shape]
        step = itemsize(argument.dtype)
        return [argument.address, *argument.view.shape, *(s * step for s in argument.view.strides)]
    if isinstance(argument, (tuple, list)):
        return [word for part in argument for word in words(part)]
    if isinstance(argument, (float, np.floating)):
        return [struct.unpack("q", struct.pack("d", float(argument)))[0]]
    number = int(argument)
    return [number - 2**64 if number >= 2**63 else number]


def frame_of(arguments):
    return [word for argument in arguments for word in words(argument)]


def unpack(argument, at):
    """The source text that reads `argument` from frame[at:], and where the next one starts."""
    if isinstance(argument, Placed):
        rank, strided = len(argument.view.shape), not argument.contiguous
        text = f"framed_array(frame, {at}, {rank}, {strided}, {numba_dtype(argument.dtype)})"
        return text, at + 1 + rank * (1 + strided)
    if isinstance(argument, (tuple, list)):
        parts = []
        for part in argument:
            text, at = unpack(part, at)
            parts.append(text)
        return "(" + "".join(part + ", " for part in parts) + ")", at
    if isinstance(argument, (bool, np.bool_)):
        return f"(frame[{at}] != 0)", at + 1
    return (f"as_float(frame[{at}])" if isinstance(argument, (float, np.floating)) else f"frame[{at}]"), at + 1


def numba_dtype(dtype):
    if dtype in ("float16", "bfloat16"):
        raise EngineError(f"the CPU kernels have no {dtype} arithmetic yet; cast to float32 first.")
    return "np.bool_" if dtype == "bool" else f"np.{dtype}"


def kernel_text(imports, arguments, body):
    """The text of a kernel: the arguments unpacked as a0, a1, ..., then the body."""
    lines, at = [], 0
    for number, argument in enumerate(arguments):
        text, at = unpack(argument, at)
        lines.append(f"a{number} = {text}")
    lines += body
    return HEADER + imports + called_by_address("\n".join(lines))


def called_by_address(lines):
    """The text of the function that the machine calls: these lines, and how they ended."""
    return WORK + textwrap.indent(lines, "    ") + KERNEL


# ---- derive


def derive(op, form, inputs, outputs):
    """(text, frame) of a kernel made from the op's own definition; its tasks are the form's domain, in row-major order.

    Args:
        op: a primitive.
        form: its call in canonical form.
        inputs, outputs: a Placed for each array of the form. Scratch is allocated once per call of the kernel.
    """
    arrays = [tuple(inputs)] if op.variadic else list(inputs)
    arguments = [tuple(form.domain), *arrays, *form.attributes, *outputs, *map(tuple, form.scratch)]
    names = [f"a{number}" for number in range(len(arguments))]
    axes = range(len(form.domain))
    task = "(" + "".join(f"i{axis}, " for axis in axes) + ")"
    if op.scalar is not None:
        first, end = 1 + len(inputs), 1 + len(inputs) + len(form.attributes)
        reads = [f"wide({name}[{task}])" for name in names[1:first]]
        writes = ", ".join(f"{name}[{task}]" for name in names[end:])
        action = f"{writes} = definition({', '.join(reads + names[first:end])})"
    else:
        given = names[1 : len(names) - len(form.scratch)] + [
            f"s{n}" for n in range(len(names) - len(form.scratch), len(names))
        ]
        action = f"definition(({task},), {', '.join(given)})"
    first_scratch = len(arguments) - len(form.scratch)
    body = [f"s{number} = cleared_scratch(a{number}, np.float64)" for number in range(first_scratch, len(arguments))]
    body += ["rest = lo"]
    for axis in reversed(axes):
        body += [f"i{axis} = rest % a0[{axis}]", f"rest //= a0[{axis}]"]
    body += ["for number in range(lo, hi):"] + ["    " + line for line in [action] + next_task(len(form.domain))]
    source = op.scalar or op.loop
    imports = f"from {source.__module__} import {source.__name__}\ndefinition = compiled({source.__name__})\n"
    return kernel_text(imports, arguments, body), frame_of(arguments)


def next_task(rank):
    """Lines that advance i0..i(rank-1) to the next task in row-major order."""
    lines, indent = [], ""
    for axis in reversed(range(rank)):
        lines.append(f"{indent}i{axis} += 1")
        if axis:
            lines += [f"{indent}if i{axis} == a0[{axis}]:", f"{indent}    i{axis} = 0"]
            indent += "    "
    return lines
