"""The text of a tuned kernel as a module of its own, made to measure: with constants filled in and loops written out."""

import ast
import copy
import functools
import inspect
import textwrap

from refnet_fast.cuda import derive, target


def unrolled(count):
    """A range whose loop is written out in a kernel's text: the elements that it indexes can then lie in registers.

    The count is a name of the kernel's constants, or a number.
    """
    return range(count)


def inlined(function):
    """Marks a function as a part of kernels: their constants are filled in there, too, and it is compiled into each of them."""
    function.is_inlined = True
    return function


class Written(str):
    """The text of a function that a kernel calls, under the name that the kernel has for it."""


def text_of(function, constants):
    """A function's text as a module that defines `kernel`; it can be cached on disk, simulated and turned into PTX.

    Args:
        function: the kernel. The parts that it calls are written before it.
        constants: {name: value}, for names that the kernel uses. A number or a NumPy type is filled in, and what stands under
            `if NAME [and ...]:` is left out where NAME is False. A definition of refnet.ops is compiled for the device, an inlined
            part is written down under that name, and what is Written stands as it is. BOUNDS, if given, are the threads of a block
            and how many blocks a multiprocessor is to have room for.
    """
    return _text(function, tuple(constants.items()))


@functools.cache
def _text(function, items):
    constants, head, texts = dict(items), {}, {}
    if "BOUNDS" in constants:
        head["BOUNDS"] = f"BOUNDS = {constants['BOUNDS']}\n"
    definition = _written(function, constants, head, texts)
    definition.name = "kernel"
    if target.simulated():  # a simulated thread is a Python thread, in which NumPy's warnings are on
        quiet = ast.parse('with np.errstate(all="ignore"):\n    pass').body[0]
        quiet.body, definition.body = definition.body, [quiet]
    texts["kernel"] = ast.unparse(ast.fix_missing_locations(definition)) + "\n"
    return derive.HEADER + "".join(head.values()) + "\n\n" + "\n\n".join(texts.values())


def _written(function, constants, head, texts):
    """The definition of a kernel or a part, constants filled in; `head` and `texts` get the lines and parts that it needs, by name."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    definition.decorator_list = []
    if ast.get_docstring(definition):
        del definition.body[0]
    definition = Specialised(constants).visit(definition)
    known = vars(inspect.getmodule(function))
    for name in {node.id: None for node in ast.walk(definition) if isinstance(node, ast.Name)}:
        value = constants.get(name, known.get(name))
        if isinstance(value, Written):
            texts[name] = value
        elif inspect.ismodule(value):
            head[name] = "" if name == "cuda" else f"import {value.__name__} as {name}\n"  # the header has cuda
        elif name in constants and isinstance(value, type):
            head[name] = f"{name} = np.{value.__name__}\n"
        elif hasattr(value, "is_inlined"):
            if name not in texts:
                made = _written(value, constants, head, texts)
                made.name = name
                compiled = "" if target.simulated() else "@cuda.jit(device=True, forceinline=True)\n"
                texts[name] = compiled + ast.unparse(ast.fix_missing_locations(made)) + "\n"
        elif name in constants and callable(value):
            head[name] = f"from {value.__module__} import {value.__name__}\n{name} = device({value.__name__})\n"
        elif name in known:
            head[name] = f"from {function.__module__} import {name}\n"
    return definition


class Specialised(ast.NodeTransformer):
    """Writes `unrolled` loops out, drops what stands under an `if` whose constant is False, and what the simulator does not know."""

    def __init__(self, constants):
        self.constants = constants

    def visit_For(self, node):
        if not (isinstance(node.iter, ast.Call) and getattr(node.iter.func, "id", None) == "unrolled"):
            return self.generic_visit(node)
        written = []
        for n in range(self.visit(node.iter.args[0]).value):
            for statement in node.body:
                made = self.visit(Numbered(node.target.id, n).visit(copy.deepcopy(statement)))
                written += made if isinstance(made, list) else [made]
        return written

    def visit_If(self, node):
        tests = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
        flag, *others = tests
        if not (isinstance(flag, ast.Name) and flag.id in self.constants) or isinstance(
            getattr(node.test, "op", None), ast.Or
        ):
            return self.generic_visit(node)
        if others and self.constants[flag.id]:
            test = others[0] if len(others) == 1 else ast.BoolOp(ast.And(), others)
            return self.generic_visit(ast.If(test, node.body, node.orelse))
        written = []
        for statement in node.body if self.constants[flag.id] else node.orelse:
            made = self.visit(statement)
            written += made if isinstance(made, list) else [made]
        return written

    def visit_Name(self, node):
        value = self.constants.get(node.id)
        return ast.Constant(value) if isinstance(value, (bool, int)) else node

    def visit_BinOp(self, node):
        """A number that follows from constants is written out: the compiler takes some arguments only so."""
        self.generic_visit(node)
        known = isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant)
        return ast.Constant(eval(ast.unparse(node))) if known else node

    def visit_keyword(self, node):
        return None if node.arg == "alignment" and target.simulated() else self.generic_visit(node)


class Numbered(ast.NodeTransformer):
    """Puts a number in the place of a name."""

    def __init__(self, name, number):
        self.name, self.number = name, number

    def visit_Name(self, node):
        return ast.Constant(self.number) if node.id == self.name else node
