"""Elementwise nodes that a product computes on its own elements, before it stores them: bias, activation, the gradient's mask.

`groups` finds a product whose result a unit of elementwise nodes reads, and lets both run as one, where the unit stood. An Epilogue is
the unit as a function of one element: the product's kernel calls it where it would have stored the element.
"""

from refnet.definition import View, size_of
from refnet_fast.cuda import derive, kernels
from refnet_fast.cuda.text import Written
from refnet_fast.derive import Placed
from refnet_fast.fuse import Operand, node_lines, unit_shape
from refnet_fast.kernels import KernelCall

LONGEST = 12  # nodes: the function is written out for every element of a thread's tile
MOST = 2**31  # elements: their indices are divided as words
TAKEN = {"bool", "float16", "bfloat16", "float32", "float64"}


def groups(plan, library=None):
    """The plan's units in lists that run as one launch or a few: [product, unit] where the product finishes the unit, else [unit].

    Args:
        library: as of CudaRunning; what it is asked for has no epilogue.
    """
    host_of: dict = {}  # unit -> the product that finishes it
    for number in reversed(range(plan.computing)):
        product = plan.units[number]
        if not product.fused and len(product.nodes[0].outputs) == 1 and finishes(product.nodes[0], library):
            unit = first_reader(plan, product, plan.units[number + 1 :])
            if unit is not None and unit not in host_of and may_finish(plan, product, unit):
                host_of[unit] = product
    hosts = {id(product) for product in host_of.values()}
    found = [[host_of[unit], unit] if unit in host_of else [unit] for unit in plan.units if id(unit) not in hosts]
    return found


def finishes(node, library):
    """Whether the kernel that serves a node computes epilogues."""
    if library is not None and node.op.name == "matmul":
        return False
    chosen = kernels.find(call_of(node))
    return chosen is not None and chosen.finishes


def call_of(node):
    form = node.op.form(*node.inputs, **node.attributes)
    return KernelCall(node.op, form, node.inputs, node.outputs, node.attributes)


def first_reader(plan, product, units):
    """The first of these units that reads a product's result."""
    (z,) = product.nodes[0].outputs
    return next((unit for unit in units if any(plan.base(x) is z for x in unit.reads())), None)


def may_finish(plan, product, unit):
    """Whether a unit is as large as the product's result, short, of floats alone, and has no loop."""
    (z,) = product.nodes[0].outputs
    if not unit.fused or unit.merged or unit.commits or len(unit.nodes) > LONGEST:
        return False
    tensors = [t for node in unit.nodes for t in (*node.inputs, *node.outputs)]
    if not {t.dtype for t in tensors} <= TAKEN:
        return False
    same = all(size_of(x.shape) == size_of(unit.shape) for x in tensors if plan.base(x) is z)
    loops = any(derive.counts(node.op.scalar) for node in unit.nodes)
    return same and not loops and size_of(z.shape) == size_of(unit.shape) < MOST


class Epilogue:
    """A unit of elementwise nodes as a function `finish(at, value, z, more)`: element `at` of the product has this value.

    Args:
        nodes: of the unit.
        z: the product's result, and those of its aliases that the unit reads.
        kept: whether anybody else reads z, so that it must be stored.
        operand_of: {tensor: Operand} of what the unit reads besides, and of what it stores.
        joined: the unit's joined shape.
    Attributes:
        text: of the function.
        arguments: what it finds in `more`.
    """

    def __init__(self, nodes, z, kept, operand_of, joined):
        kernel = derive.Kernel(())  # names and imports; the arguments come as one tuple
        made = {y for node in nodes for y in node.outputs}
        extents = [kernel.add(int(n)) for n in joined[1:]]
        names: dict = {}
        for operand in operand_of.values():
            if operand.key not in names:
                view = View(tuple(joined), operand.strides)
                names[operand.key] = kernel.add(Placed(operand.address, view, operand.dtype))
        task = "(" + "".join(f"i{axis}, " for axis in range(len(joined))) + ")"
        place = {t: f"{names[operand.key]}[{task}]" for t, operand in operand_of.items()}
        value = {t: f"{names[operand.key]}_i" for t, operand in operand_of.items() if t not in made}
        emitted, numbers_read = derive.Emitted(kernel), []
        body = list(dict.fromkeys(f"{value[t]} = {emitted.read(t.dtype, place[t])}" for t in value))
        (first, *_) = z
        exact = first.dtype in ("float32", "float64")
        body.append(f"z_i = {'value' if exact else emitted.rounded(first.dtype, 'value')}")
        value |= dict.fromkeys(z, "z_i")
        for node in nodes:
            body += node_lines(node, value, emitted, numbers_read)
            body += [f"{place[y]} = {value[y]}" for y in node.outputs if y in place]
        numbers = [kernel.add(float(n) if isinstance(n, float) else int(n)) for n in numbers_read]
        head = [f"n{k} = {name}" for k, name in enumerate(numbers)]
        head = [f"a{k} = more[{k}]" for k in range(len(kernel.arguments))] + head
        if kept:
            head.append("put_one(z, at, value)")
        lines = ["def finish(at, value, z, more):", *("    " + line for line in [*head, *index_lines(extents), *body])]
        imports = ["from refnet_fast.cuda.numbers import jit", "from refnet_fast.cuda.tile import put_one, quotient"]
        self.text = Written("\n".join([*imports, *kernel.imports.values(), "", "@jit", *lines, ""]))
        self.arguments = tuple(kernel.arguments) or (0,)


def index_lines(extents):
    """The lines that find an element's indices i0, i1, ... from its number `at`; extents: of all axes but the first."""
    lines, rest = [], "at"
    for axis in range(len(extents), 0, -1):
        lines += [f"above{axis} = quotient({rest}, {extents[axis - 1]})"]
        lines += [f"i{axis} = {rest} - above{axis} * {extents[axis - 1]}"]
        rest = f"above{axis}"
    return [*lines, f"i0 = {rest}"]


def epilogue_of(plan, unit, node, others, address):
    """The Epilogue of a group.

    Args:
        unit, node: the elementwise unit, and the product's instruction.
        others: the plan's other units.
        address: `address(tensor)`.
    """
    (z,) = node.outputs
    outside = {plan.base(x) for x in plan.outputs} | {plan.base(x) for x, _ in plan.copies}
    kept = z in outside or any(plan.base(x) is z for other in others for x in other.reads())
    reads = unit.reads()
    own = [x for x in reads if plan.base(x) is z]
    tensors = [x for x in reads if plan.base(x) is not z] + unit.stored
    joined, strides = unit_shape(unit.shape, [t.shape for t in tensors] or [unit.shape])
    operands = {t: Operand(address(t), t.dtype, s) for t, s in zip(tensors, strides)}
    return Epilogue(unit.nodes, own, kept, operands, joined)
