"""What the kernels of an engine are compiled from, found by walking from each kernel's text through all that it calls; as JSON.

`python tests/engines/what_kernels_reach.py ENGINE` prints {what a text imports: the modules of ours that its machine code is made of and
its name does not follow from}. Nothing is compiled.
"""

import dis
import json
import sys
import types

from numba.core.dispatcher import Dispatcher
from numba.extending import _Intrinsic

import refnet_fast  # noqa: F401  (registers the engines)
from refnet.definition import View
from refnet.engine import spec_of
from refnet.testing.draw import Seeded
from refnet.testing.strategies import case, primitives
from refnet_fast import build, derive, fuse, kernels


def texts_on_the_cpu():
    """Of every tuned kernel, every definition, and every elementary function as fused kernels use it: what its text begins with."""
    kernels.load()
    for several in kernels.tuned.values():
        for kernel in several:
            yield derive.HEADER + f"from {kernel.function.py_func.__module__} import {kernel.name}\n"
    for name in primitives():
        drawn = case(name, Seeded(name))
        specs = [spec_of(a) for a in drawn.arrays]
        form, due = drawn.op.form(*specs, **drawn.attributes), drawn.op.specs(*specs, **drawn.attributes)
        placed = lambda several: [derive.Placed(0, View(s.shape), s.dtype) for s in several]
        if form is not None and not {s.dtype for s in (*specs, *due)} & {"float16", "bfloat16"}:
            yield derive.derive(drawn.op, form, placed(specs), placed(due))[0].removesuffix(derive.KERNEL)
    for name in derive.scalar_functions.FUNCTIONS:
        for mode in (fuse.NARROW, fuse.WIDE):
            yield derive.HEADER + "from numpy import float32\n" + fuse.elementary_import(name, mode, name) + "\n"


def texts_for_cuda():
    """Of every launch of every tuned kernel."""
    from refnet_fast.cuda import calls
    from refnet_fast.cuda import kernels as on_cuda

    on_cuda.load()
    for call in calls.USUAL.values():
        for launch in calls.launches(call, False)[1]:
            yield launch.text


def functions_in(thing):
    """The Python functions that a value stands for: itself, what a dispatcher or an intrinsic compiles, those in a collection."""
    if isinstance(thing, _Intrinsic):
        return [thing._defn]
    if isinstance(thing, types.FunctionType):
        return [thing]
    if isinstance(thing, Dispatcher) or hasattr(thing, "py_func"):
        return [thing.py_func]
    if isinstance(thing, (tuple, list)):
        return [f for part in thing for f in functions_in(part)]
    return functions_in(tuple(thing.values())) if type(thing) is dict else []


def names_in(code):
    """(names of globals, names of attributes) that a function's code uses, and the code inside of it."""
    loads = [(i.opname, i.argval) for i in dis.get_instructions(code)]
    looked_up = {name for what, name in loads if what == "LOAD_GLOBAL"}
    attributes = {name for what, name in loads if what in ("LOAD_ATTR", "LOAD_METHOD")}
    for inner in [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]:
        more = names_in(inner)
        looked_up, attributes = looked_up | more[0], attributes | more[1]
    return looked_up, attributes


def modules_under(things):
    """The modules of ours whose functions are compiled with these."""
    todo, seen = [f for thing in things for f in functions_in(thing)], set()
    while todo:
        function = todo.pop()
        if function in seen or not (function.__module__ or "").startswith("refnet"):
            continue
        seen.add(function)
        (names, attributes), scope = names_in(function.__code__), function.__globals__
        values = [scope[name] for name in names if name in scope]
        values += [cell.cell_contents for cell in function.__closure__ or ()]
        for module in [value for value in values if isinstance(value, types.ModuleType)]:
            values += [vars(module)[name] for name in attributes if name in vars(module)]
        todo += [f for value in values for f in functions_in(value)]
    return {function.__module__ for function in seen}


def missing(text):
    """The modules that a kernel is made of and whose sources its name does not follow from."""
    scope = {"__name__": "a kernel"}
    exec(text, scope)
    sources = [*build.imported_by(text), *build.ALWAYS]
    told = {module for source in sources for module in build.sources_behind(source)}
    return modules_under(scope.values()) - told


if __name__ == "__main__":
    found = {}
    for text in {"cpu": texts_on_the_cpu, "cuda": texts_for_cuda}[sys.argv[1]]():
        imports = [line for line in text.splitlines() if "import" in line and line not in derive.HEADER]
        found["; ".join(imports)] = sorted(missing(text))
    print(json.dumps(found))
