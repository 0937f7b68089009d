"""Tuned CUDA kernels: how they are declared, found and launched.

A kernel is a plain function of the arrays and attributes of an op's canonical form, written with `numba.cuda`. It is compiled
from a copy of its text, so that it is cached on disk, simulated and turned into PTX like a derived one. The derived kernel
always exists; a tuned one only adds a faster way, under a condition.
"""

import functools
import importlib
from collections.abc import Callable

from refnet_fast.cuda import derive
from refnet_fast.cuda.text import text_of

FAMILIES = (
    "contraction",
    "convolution",
    "convolution3d",
    "short_product",
    "rounded_product",
    "depthwise",
    "recurrent_simple",
    "recurrent_lstm",
    "recurrent_gru",
    "activation",
    "reduction",
    "extremum",
    "statistics",
    "loss",
    "normalization",
    "row_normalization",
    "pooling",
    "indexing",
    "shapes",
    "attention",
    "sorting",
    "joining",
    "warping",
    "resizing",
    "shuffling",
    "slicing",
    "random",
)


class Step:
    """One function of a tuned kernel, and how it is launched.

    Args:
        function: the kernel.
        grid: `grid(call)`, blocks along x, y, z.
        block: threads of a block along x, y; or `block(call)`.
        needed: `needed(call)`, whether the step is to be taken.
        more: numbers that it is given after all other arguments.
        constants: `constants(call)`, values of names in the function's text; see `text_of`.
        given: which of the kernel's arguments it is given.
        contract: whether products and sums may be fused; where a result's very bits are defined, they must not.
    """

    def __init__(
        self,
        function,
        grid,
        block,
        needed=lambda call: True,
        more=(),
        constants=lambda call: {},
        given=slice(None),
        contract=True,
    ):
        self.function, self.grid, self.needed, self.more, self.constants = function, grid, needed, more, constants
        self.given, self.contract = given, contract
        self.name = function.__name__
        self.block = block if callable(block) else lambda call: block

    def text(self, call, epilogue=None):
        """The function's text as a module of its own that defines `kernel`, made to measure for a call."""
        finish = {} if epilogue is None else {"finish": epilogue.text}
        return text_of(self.function, {**self.constants(call), "FINISH": bool(finish), **finish})

    def launch(self, call, arguments, epilogue=None):
        shape = tuple(self.grid(call)), tuple(self.block(call))
        made = derive.Launch(
            self.text(call, epilogue), [*arguments[self.given], *self.more], shape=shape, contract=self.contract
        )
        made.step = self.name
        return made


class Kernel:
    """A tuned kernel: steps that are launched one after the other with the same arguments.

    Args:
        step: the first Step.
        when: `when(call) -> bool`, the condition under which it may serve.
        arguments: `arguments(call, inputs, outputs)`, a list of what the steps are given; default: the form's.
        rooms: `rooms(call)`, [(shape, dtype)] of scratch arrays, which come after the other arguments.
    Attributes:
        finishes: whether it can compute an Epilogue; what that works with is then the last argument.
    """

    finishes = False

    def __init__(self, step, when, arguments, rooms):
        self.steps, self.when, self.arguments, self.rooms = [step], when, arguments, rooms
        self.name = step.function.__name__

    def launches(self, call, inputs, outputs, room, epilogue=None):
        """The Launches of the steps for a call.

        Args:
            room: `room(shape, dtype)`, a Placed of scratch memory on the device.
            epilogue: an Epilogue, for a kernel that `finishes`.
        """
        if self.arguments is None:
            arguments = [*inputs, *call.form.attributes, *outputs]
        else:
            arguments = self.arguments(call, inputs, outputs)
        arguments += [room(shape, dtype) for shape, dtype in self.rooms(call)]
        if not self.finishes:
            return [step.launch(call, arguments) for step in self.steps if step.needed(call)]
        arguments.append((0,) if epilogue is None else epilogue.arguments)
        return [step.launch(call, arguments, epilogue) for step in self.steps if step.needed(call)]


tuned: dict[str, list] = {}
rounding: dict[str, list] = {}  # kernels that round what they read, for an engine that says so


def kernel(
    op_name,
    *,
    grid: Callable,
    block: tuple | Callable,
    when: Callable = lambda call: True,
    arguments: Callable | None = None,
    rooms: Callable = lambda call: [],
    more: tuple = (),
    constants: Callable = lambda call: {},
    contract: bool = True,
):
    """Declares a function as a tuned kernel of an op, or of several. Later declarations are asked first."""

    def declare(function):
        made = Kernel(
            Step(function, grid, block, more=more, constants=constants, contract=contract), when, arguments, rooms
        )
        for name in (op_name,) if isinstance(op_name, str) else op_name:
            tuned.setdefault(name, []).insert(0, made)
        return function

    return declare


def then(
    first,
    *,
    grid: Callable,
    block: tuple | Callable,
    needed: Callable = lambda call: True,
    more: tuple = (),
    constants: Callable = lambda call: {},
    given: slice = slice(None),
):
    """Declares a function as the next step of the kernel that begins with `first`."""

    def declare(function):
        (begun,) = [k for found in tuned.values() for k in found if k.steps[0].function is first]
        begun.steps.append(Step(function, grid, block, needed, more, constants, given))
        return function

    return declare


@functools.cache
def load():
    """Imports the files with kernels."""
    for family in FAMILIES:
        importlib.import_module(f"refnet_fast.cuda.{family}")


def find(call, rounds=False):
    """The kernel that serves a call, or None.

    Args:
        rounds: whether it may be one that rounds what it reads.
    """
    load()
    found = [*(rounding.get(call.op.name, ()) if rounds else ()), *tuned.get(call.op.name, ())]
    return next((k for k in found if k.when(call)), None)
