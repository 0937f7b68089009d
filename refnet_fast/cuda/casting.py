"""Weights in the dtype that a model of mixed precision computes in: one launch for all of them, where each was one."""

from refnet.definition import size_of
from refnet.graph import Variable
from refnet_fast.cuda.derive import Emitted, Kernel
from refnet_fast.cuda.services import flat
from refnet_fast.cuda.target import ARGUMENTS
from refnet_fast.fuse import node_lines

# Weights of a launch: a pair of arrays of one axis takes 112 bytes, and there are numbers beside them.
MOST = ARGUMENTS // 128


def together(plan, groups):
    """The groups of a plan, those that cast one variable each in one group, which stands where the first of them stood."""
    alike: dict = {}
    for group in groups:
        if casts_a_weight(plan, group):
            (node,) = group[0].nodes
            alike.setdefault((node.inputs[0].dtype, node.outputs[0].dtype), []).append(group)
    moved, joined = set(), {}
    for found in alike.values():
        for first in range(0, len(found), MOST):
            some = found[first : first + MOST]
            joined[id(some[0])] = [unit for group in some for unit in group]
            moved |= {id(group) for group in some[1:]}
    return [joined.get(id(group), group) for group in groups if id(group) not in moved]


def casts_a_weight(plan, group):
    """Whether a group is one unit, which reads a variable, as it was before the step, and does nothing but cast it."""
    if len(group) > 1 or not group[0].fused or group[0].merged or group[0].commits or len(group[0].nodes) > 1:
        return False
    node = group[0].nodes[0]
    return (
        node.op.name == "cast" and isinstance(plan.base(node.inputs[0]), Variable) and size_of(node.inputs[0].shape) > 0
    )


def launch(nodes, address):
    """The Launch of a group's casts: an element a thread, which finds out whose it is by going through their lengths.

    Args:
        address: `address(tensor)`.
    """
    sources, targets = (
        tuple(flat(address(t), size_of(t.shape), t.dtype) for t in tensors)
        for tensors in ([node.inputs[0] for node in nodes], [node.outputs[0] for node in nodes])
    )
    kernel = Kernel((sum(x.size for x in sources),))
    xs, ys = kernel.add(sources), kernel.add(targets)
    emitted, value, numbers = Emitted(kernel), {nodes[0].inputs[0]: "x"}, []
    cast = node_lines(nodes[0], value, emitted, numbers)
    body = ["k, j = 0, i0", f"while j >= {xs}[k].shape[0]:", f"    j -= {xs}[k].shape[0]", "    k += 1"]
    body += [f"x = {emitted.read(sources[0].dtype, f'{xs}[k][j]')}", *cast]
    return kernel.launch([*body, f"{ys}[k][j] = {value[nodes[0].outputs[0]]}"])
