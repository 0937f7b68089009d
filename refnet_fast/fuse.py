"""Elementwise ops fused: a unit of nodes becomes one kernel that reads each operand once and keeps the rest in registers.

Each node's scalar definition is compiled for the dtypes at hand. Where all is float32 it computes in float32: constants and
attributes are combined in double and rounded once, elementary functions are the vectorising ones of `cpu.elementary`.
Everything else is computed wide, as in a derived kernel, and rounded at each node.
"""

import ast
import functools
import inspect
import textwrap
import types as python_types

from refnet import scalars
from refnet.definition import broadcast_strides, join_axes, size_of
from refnet_fast.derive import HEADER, called_by_address, itemsize, numba_dtype, words

NARROW, WIDE = "float32", "wide"


def is_number(value):
    """Whether the value of a name in a definition's module is a constant of computation; a bool is a decision."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Operand:
    """An array that a unit reads or writes: its address, dtype, and strides over the unit's (joined) shape."""

    def __init__(self, address, dtype, strides):
        self.address, self.dtype, self.strides = address, dtype, tuple(strides)

    @property
    def key(self):
        return self.address, self.dtype, self.strides


# ---- scalar definitions, as text for one precision


class Precision(ast.NodeTransformer):
    """Rewrites a scalar definition for one precision, and collects the functions it calls.

    In float32, whatever an expression computes from literals, module constants and attributes alone is computed in double and
    rounded once: with every name rounded first, 1 - 0.999 would be 1e-5 off.
    """

    def __init__(self, function, attributes, mode, emitted):
        self.function, self.mode, self.emitted = function, mode, emitted
        self.fixed = {*attributes, *(name for name, value in function.__globals__.items() if is_number(value))}

    def visit(self, node):
        if (
            self.mode == NARROW
            and isinstance(node, ast.expr)
            and not isinstance(node, (ast.Tuple, ast.Compare, ast.BoolOp))
        ):
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            stored = any(isinstance(part.ctx, ast.Store) for part in ast.walk(node) if isinstance(part, ast.Name))
            calls = any(isinstance(part, ast.Call) for part in ast.walk(node))
            if names <= self.fixed and not stored and not calls and not self._is_bool(node):
                return ast.Call(ast.Name("float32", ast.Load()), [self._constants(node)], [])
        return super().visit(node)

    @staticmethod
    def _is_bool(node):
        return isinstance(node, ast.Constant) and (isinstance(node.value, (bool, str)) or node.value is None)

    def _constants(self, node):
        """Module constants written out as numbers."""
        replace = self.function.__globals__

        class Written(ast.NodeTransformer):
            def visit_Name(self, name):
                value = replace.get(name.id)
                return ast.Constant(value) if is_number(value) else name

        return Written().visit(node)

    def visit_Name(self, node):
        value = self.function.__globals__.get(node.id)
        if isinstance(node.ctx, ast.Load) and is_number(value):
            return ast.Constant(value)
        return node

    def visit_IfExp(self, node):
        """Both arms are computed and one is selected: a branch would keep the loop from being vectorised."""
        test, body, other = self.visit(node.test), self.visit(node.body), self.visit(node.orelse)
        if self.mode != NARROW or self._is_bool(node.body) or self._is_bool(node.orelse):
            return ast.IfExp(test, body, other)
        return ast.Call(ast.Name("select", ast.Load()), [test, body, other], [])

    def visit_Call(self, node):
        node.args = [self.visit(argument) for argument in node.args]
        callee = self.function.__globals__.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if isinstance(callee, python_types.FunctionType):
            node.func.id = self.emitted.function(callee, (), self.mode)
        return node


class Emitted:
    """The functions that one kernel's text needs, each once, in an order in which they can be compiled."""

    def __init__(self):
        self.imports: dict = {}
        self.texts: dict = {}

    def mode(self, instruction):
        return mode_of(instruction)

    def rounded(self, dtype, result):
        """The text that rounds a result to a dtype."""
        return result if dtype == "bool" else f"{numba_dtype(dtype)}({result})"

    def function(self, function, attributes, mode):
        """The name under which a scalar definition (or a function of refnet.scalars) is available in this mode."""
        name = f"{function.__name__}_{mode}"
        if name not in self.imports and name not in self.texts:
            imports, texts = texts_of(function, tuple(attributes), mode)
            self.imports.update(imports)
            self.texts.update(texts)
        return name

    def add(self, name, function, attributes, mode):
        """Writes down a function that is not there yet, after what it calls."""
        if function.__module__ == scalars.__name__:
            self.imports[name] = elementary_import(function.__name__, mode, name)
            return
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        definition = tree.body[0]
        definition.name, definition.returns = name, None
        if ast.get_docstring(definition):
            definition.body = definition.body[1:]
        for argument in definition.args.args:
            argument.annotation = None
        definition.body = [Precision(function, attributes, mode, self).visit(part) for part in definition.body]
        flags = '@njit(error_model="numpy", fastmath={"contract"}, forceinline=True)\n'
        self.texts[name] = flags + ast.unparse(ast.fix_missing_locations(tree)) + "\n"

    def text(self):
        return "\n".join(self.imports.values()) + "\n\n" + "\n\n".join(self.texts.values()) + "\n"


@functools.cache  # a step has hundreds of nodes of a few kinds
def texts_of(function, attributes, mode):
    """(imports, texts) by name: a scalar definition and all that it calls, as one kernel's text needs them."""
    emitted = Emitted()
    emitted.add(f"{function.__name__}_{mode}", function, attributes, mode)
    return emitted.imports, emitted.texts


def elementary_import(function, mode, name):
    """The line that brings in a function of refnet.scalars for a mode."""
    from refnet_fast.cpu import elementary

    precision = "float32" if mode == NARROW else "float64"
    found = elementary.FUNCTIONS.get(function, {}).get(precision)
    if found is not None:
        return (
            f"from refnet_fast.cpu.elementary import FUNCTIONS as _table\n{name} = _table[{function!r}][{precision!r}]"
        )
    wide = f"from refnet_fast.scalar_functions import FUNCTIONS as _table\n_wide_{name} = _table[{function!r}]"
    if mode != NARROW:
        return f"{wide}\n{name} = _wide_{name}"
    return f'{wide}\n@njit(error_model="numpy")\ndef {name}(*x):\n    return float32(_wide_{name}(*x))'


def mode_of(instruction):
    """Whether a node computes in float32 or wide."""
    dtypes = {t.dtype for t in (*instruction.inputs, *instruction.outputs)}
    return NARROW if dtypes <= {"float32", "bool"} and "float32" in dtypes else WIDE


# ---- the kernel


def unit_shape(shape, sources):
    """The unit's shape with neighbouring axes joined, and the strides of each operand over it.

    Along the last axis an operand lies side by side (stride 1) or is repeated (0), because in memory all are row-major.

    Args:
        shape: the shape of every output.
        sources: the shape each operand has in memory, row-major.
    """
    if size_of(shape) == 1:  # nothing is repeated, and results must not look like operands that are
        return (1,), [[1]] * len(sources)
    return join_axes(tuple(shape), [broadcast_strides(tuple(s), tuple(shape)) for s in sources])


def fuse(nodes, operand_of, joined, width=1):
    """(text, frame, tasks, per_task) of the kernel of a unit.

    Args:
        nodes: Instructions of elementwise ops, each after what it reads.
        operand_of: {tensor: Operand} for all that lies in memory: what the unit reads, and the outputs it must store.
        joined: the unit's joined shape.
        width: with one joined axis, elements per task; else tasks are rows along the last axis.
    """
    made = {y for node in nodes for y in node.outputs}
    arrays: dict = {}
    for operand in operand_of.values():
        arrays.setdefault(operand.key, (f"x{len(arrays)}", operand))
    name_of = {t: arrays[o.key][0] for t, o in operand_of.items()}
    scalar_reads = {name for name, o in arrays.values() if o.strides[-1] == 0}
    emitted, body, numbers = Emitted(), [], []
    value = {t: name_of[t] if name_of[t] in scalar_reads else f"{name_of[t]}_i" for t in operand_of if t not in made}
    # All reads come first: a result may take the place of an operand that a later node still needs.
    body += [f"{name}_i = {name}[i]" for name in dict.fromkeys(name_of[t] for t in value) if name not in scalar_reads]
    for node in nodes:
        body += node_lines(node, value, emitted, numbers)
        body += [f"{name_of[y]}[i] = {value[y]}" for y in node.outputs if y in operand_of]
    names = [name for name, _ in arrays.values()]
    number_names = [f"n{k}" for k in range(len(numbers))]
    head = f"def body({', '.join([*names, *number_names, 'count'])}):\n    for i in range(count):\n"
    text = (
        "from numpy import float32\nfrom refnet_fast.cpu.intrinsics import select\n"
        + emitted.text()
        + '@njit(error_model="numpy", fastmath={"contract"})\n'
        + head
        + textwrap.indent("\n".join(body), "        ")
    )
    call = f"body({', '.join([*names, *number_names, 'count'])})"
    operands = [operand for _, operand in arrays.values()]
    if len(joined) == 1:
        lines, frame = flat_lines(names, operands, numbers, call, width, joined[0])
        tasks, per_task = -(-joined[0] // width), width
    else:
        lines, frame = row_lines(names, operands, numbers, call, joined)
        tasks, per_task = size_of(joined[:-1]), joined[-1]
    return HEADER + text + "\n" + called_by_address(lines), frame, tasks, per_task


def node_lines(node, value, emitted, numbers):
    """The lines that compute one node; `value` maps tensors to expressions and is added to."""
    mode = emitted.mode(node)
    form_attributes = node.op.form(*node.inputs, **node.attributes).attributes
    parameters = list(inspect.signature(node.op.scalar).parameters)
    attributes = parameters[len(node.inputs) :]
    function = emitted.function(node.op.scalar, attributes, mode)
    arguments = [value[x] if mode == NARROW else f"wide({value[x]})" for x in node.inputs]
    for attribute in form_attributes:
        if isinstance(attribute, bool):
            arguments.append(f"(n{len(numbers)} != 0)")
        else:
            arguments.append(f"n{len(numbers)}")
        numbers.append(attribute)
    results = [f"t{len(value)}_{k}" for k in range(len(node.outputs))]
    lines = [f"{', '.join(results)} = {function}({', '.join(arguments)})"]
    for y, result in zip(node.outputs, results):
        value[y] = emitted.rounded(y.dtype, result)
    return lines


def number_lines(numbers, at):
    """The lines that read runtime numbers from the frame, and their words."""
    lines, frame = [], []
    for k, number in enumerate(numbers):
        lines.append(f"n{k} = as_float(frame[{at + k}])" if isinstance(number, float) else f"n{k} = frame[{at + k}]")
        frame += words(number)
    return lines, frame


def flat_lines(names, operands, numbers, call, width, size):
    """One joined axis: the range lo..hi of tasks is one stretch of every array."""
    lines = ["first = lo * frame[0]", "count = min(hi * frame[0], frame[1]) - first"]
    frame = [width, size]
    for name, operand in zip(names, operands):
        dtype, at = numba_dtype(operand.dtype), len(frame)
        if operand.strides[0] == 0:
            lines.append(f"{name} = row_at(frame[{at}], 1, {dtype})[0]")
        else:
            lines.append(f"{name} = row_at(frame[{at}] + first * {itemsize(operand.dtype)}, count, {dtype})")
        frame.append(operand.address)
    more, extra = number_lines(numbers, len(frame))
    return "\n".join(lines + more + [call]), frame + extra


def row_lines(names, operands, numbers, call, joined):
    """Several joined axes: tasks are rows; each row's start follows from the indices of the outer axes."""
    outer = len(joined) - 1
    frame = [joined[-1], *joined[:-1]]
    head, inner = ["count = frame[0]"], []
    index = ["rest = row"]
    for axis in reversed(range(outer)):
        if axis:
            index += [f"i{axis} = rest % frame[{1 + axis}]", f"rest //= frame[{1 + axis}]"]
        else:
            index.append("i0 = rest")
    for name, operand in zip(names, operands):
        dtype, at, item = numba_dtype(operand.dtype), len(frame), itemsize(operand.dtype)
        frame += [operand.address, *(s * item for s in operand.strides)]
        start = " + ".join(
            [f"frame[{at}]", *(f"i{k} * frame[{at + 1 + k}]" for k in range(outer) if operand.strides[k])]
        )
        if operand.strides[-1] == 0:
            inner.append(f"{name} = row_at({start}, 1, {dtype})[0]")
        else:
            inner.append(f"{name} = row_at({start}, count, {dtype})")
    more, extra = number_lines(numbers, len(frame))
    lines = head + more + ["for row in range(lo, hi):"] + ["    " + line for line in index + inner + [call]]
    return "\n".join(lines), frame + extra
