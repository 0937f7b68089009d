"""Tuned CUDA kernels: how they are declared, found and launched.

A kernel is a plain function of the arrays and attributes of an op's canonical form, written with `numba.cuda`. It is compiled
from a copy of its text, so that it is cached on disk, simulated and turned into PTX like a derived one. The derived kernel
always exists; a tuned one only adds a faster way, under a condition.
"""

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable

from refnet_fast.cuda import derive, target

FAMILIES = ("contraction", "activation", "reduction")


class Kernel:
    """A tuned kernel and what a launch has to know of it.

    Args:
        function: the kernel.
        when: `when(call) -> bool`, the condition under which it may serve.
        grid: `grid(call)`, blocks along x, y, z.
        block: threads of a block along x, y.
    """

    def __init__(self, function, when, grid, block):
        self.function, self.when, self.grid, self.block = function, when, grid, block

    @functools.cached_property
    def text(self):
        """The function's text as a module of its own that defines `kernel`."""
        definition = ast.parse(textwrap.dedent(inspect.getsource(self.function))).body[0]
        definition.name, definition.decorator_list = "kernel", []
        if target.simulated():  # a simulated thread is a Python thread, in which NumPy's warnings are on
            quiet = ast.parse('with np.errstate(all="ignore"):\n    pass').body[0]
            quiet.body, definition.body = definition.body, [quiet]
        known = vars(inspect.getmodule(self.function))
        imports = ""
        for name in self.function.__code__.co_names:
            if inspect.ismodule(known.get(name)):
                imports += f"import {known[name].__name__} as {name}\n" if name != "cuda" else ""
            elif name in known:
                imports += f"from {self.function.__module__} import {name}\n"
        return derive.HEADER + imports + "\n\n" + ast.unparse(ast.fix_missing_locations(definition)) + "\n"

    def launch(self, call, inputs, outputs):
        """The Launch of this kernel for a call."""
        arguments = [*inputs, *call.form.attributes, *outputs]
        return derive.Launch(self.text, arguments, shape=(tuple(self.grid(call)), self.block), contract=True)


tuned: dict[str, list] = {}


def kernel(op_name, *, grid: Callable, block: tuple, when: Callable = lambda call: True):
    """Declares a function as a tuned kernel of an op. Later declarations are asked first."""

    def declare(function):
        tuned.setdefault(op_name, []).insert(0, Kernel(function, when, grid, block))
        return function

    return declare


@functools.cache
def load():
    """Imports the files with kernels."""
    for family in FAMILIES:
        importlib.import_module(f"refnet_fast.cuda.{family}")


def find(call):
    """The kernel that serves a call, or None."""
    load()
    return next((k for k in tuned.get(call.op.name, ()) if k.when(call)), None)
