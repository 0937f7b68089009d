"""Tuned kernels: how they are declared, found and called.

A kernel is a plain function `f(inputs..., attributes..., outputs..., lo, hi)` on the arrays of the op's canonical form (or on
whatever its `arguments` make of them), for tasks lo..hi of its own domain, which may be coarser than the definition's. The
definition's derived kernel always exists; a tuned one only adds a faster way, under a condition.
"""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from refnet.definition import Form, View
from refnet_fast.derive import Placed, frame_of, kernel_text
from refnet_fast.native import njit

FAMILIES = (
    "contraction",
    "convolution",
    "convolution3d",
    "depthwise",
    "pooling",
    "recurrent_simple",
    "recurrent_lstm",
    "recurrent_gru",
    "activation",
    "loss",
    "reduction",
    "extremum",
    "sorting",
    "shapes",
    "indexing",
    "joining",
    "slicing",
    "random",
    "shuffling",
    "unary",
    "warping",
    "resizing",
    "normalization",
    "row_normalization",
    "statistics",
    "attention",
    "attention_gradients",
    "fourier",
)


class KernelCall(NamedTuple):
    """What a kernel's conditions see of a call."""

    op: object
    form: Form
    inputs: tuple  # Specs, as the user's op was called
    outputs: tuple
    attributes: dict

    @property
    def dtypes(self):
        return {s.dtype for s in (*self.inputs, *self.outputs)}


class Kernel:
    """A tuned kernel and what the planner has to know of it.

    Args:
        function: the kernel.
        when: `when(call) -> bool`, the condition under which it may serve.
        tasks: `tasks(call) -> int`, its number of tasks.
        cost: `cost(call) -> float`, nanoseconds a task, roughly: it decides how many threads work on a call.
        quantum: tasks that a thread's share is a multiple of.
        arguments: `arguments(call, inputs, outputs) -> list` of Placed, ints, floats; default: the form's.
        rows: `rows(call)`, positions of the inputs of which task i reads only row i, or None if tasks are not rows of the
            outputs; where they are, the call can run block by block with its neighbours.
    """

    def __init__(self, function, when, tasks, cost, quantum, arguments, rows):
        self.function, self.when, self.tasks, self.cost = function, when, tasks, cost
        self.quantum, self.arguments, self.rows = quantum, arguments, rows
        self.name = function.__name__

    def emit(self, call, inputs, outputs):
        """(text, frame) of the kernel for this call, and the owners of what the frame points to beside the program's memory."""
        if self.arguments is None:
            arguments = [*inputs, *call.form.attributes, *outputs]
        else:
            arguments = self.arguments(call, inputs, outputs)
        imports = f"from {self.function.__module__} import {self.name}\n"
        names = "".join(f"a{number}, " for number in range(len(arguments)))
        text = kernel_text(imports, arguments, [f"{self.name}({names}lo, hi)"])
        owners = [a.owner for a in arguments if isinstance(a, Placed) and a.owner is not None]
        return text, frame_of(arguments), owners


def as_rows(call, inputs, outputs):
    """Arrays of form (outer, lane, 1) as (outer, lane), so that a kernel's rows are contiguous for the compiler too."""
    arrays = [*inputs, *outputs]
    return [Placed(a.address, View(a.view.shape[:2]), a.dtype) for a in arrays]


tuned: dict[str, list] = {}


def kernel(
    op_name,
    *,
    tasks: Callable,
    cost: Callable,
    when: Callable = lambda call: True,
    quantum=1,
    arguments=None,
    rows=lambda call: None,
    fastmath=frozenset({"contract"}),
):
    """Declares a function as a tuned kernel of an op, or of several, and compiles it. Later declarations are asked first."""

    def declare(function):
        function = njit(error_model="numpy", fastmath=set(fastmath))(function)
        made = Kernel(function, when, tasks, cost, quantum, arguments, rows)
        for name in (op_name,) if isinstance(op_name, str) else op_name:
            tuned.setdefault(name, []).insert(0, made)
        return function

    return declare


def load():
    """Imports the files with kernels."""
    for family in FAMILIES:
        importlib.import_module(f"refnet_fast.cpu.{family}")


def find(call):
    """The kernel that serves a call, or None."""
    return next((k for k in tuned.get(call.op.name, ()) if k.when(call)), None)
