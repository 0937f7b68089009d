"""Units: what becomes one row of the machine, or one launch; elementwise instructions are gathered into them."""

import heapq

from refnet_fast.rewrite import is_short_cast
from refnet_fast.tables import UNIT_NODES


class Unit:
    """What becomes one row: fused elementwise nodes, or one instruction.

    Attributes:
        nodes: the instructions, each after what it reads.
        fused: whether they are elementwise nodes to be compiled together.
        stored: the outputs that must lie in memory.
        commits: {output: variable} where the output is written straight into the variable.
        merged: for an optimizer's updates of one kind: all of them are in `nodes`, to be run as one.
    """

    def __init__(self, nodes, fused):
        self.nodes, self.fused = list(nodes), fused
        self.stored: list = []
        self.commits: dict = {}
        self.merged = False

    @property
    def shape(self):
        return self.nodes[0].outputs[0].shape

    def reads(self):
        made = {y for node in self.nodes for y in node.outputs}
        found = {}
        for node in self.nodes:
            for i, x in enumerate(node.inputs):
                if x not in made and i not in node.op.shape_only:
                    found[x] = None
        return list(found)


def gathered(plan):
    """Elementwise nodes of one shape join the unit of a value they read, unless that would close a circle."""
    units, ancestors, home = [], [], {}
    finals = {plan.base(x) for x in plan.commits.values()}
    for instruction in plan.instructions:
        sources = {home[b] for x in instruction.inputs if (b := plan.base(x)) in home}
        before = 0
        for source in sources:
            before |= ancestors[source] | 1 << source
        fused = (
            plan.tuned and instruction.op.scalar is not None and not (is_short_cast(instruction) and not plan.on_device)
        )
        place = None
        if fused and not any(y in finals and y not in plan.readers for y in instruction.outputs):
            place = _joinable(plan, instruction, units, ancestors, home, sources, finals)
        if place is None:
            place = len(units)
            units.append(Unit([], fused))
            ancestors.append(0)
        else:
            before &= ~(1 << place)
            for number in range(len(units)):
                if ancestors[number] >> place & 1:
                    ancestors[number] |= before
        units[place].nodes.append(instruction)
        ancestors[place] |= before
        home.update(dict.fromkeys(instruction.outputs, place))
    return _sorted(units, ancestors)


def _joinable(plan, instruction, units, ancestors, home, sources, finals):
    """The number of a unit that an elementwise instruction may join, or None."""
    for x in instruction.inputs:
        place = home.get(plan.base(x))
        if place is None or not units[place].fused:
            continue
        unit = units[place]
        same = unit.shape == instruction.outputs[0].shape and len(unit.nodes) < UNIT_NODES
        final = any(y in finals for n in unit.nodes for y in n.outputs)
        # A reshaped operand is read from memory, where a value of the unit itself does not stand yet.
        same = same and not any(y is not plan.base(y) and home.get(plan.base(y)) == place for y in instruction.inputs)
        if same and not final and not any(s != place and ancestors[s] >> place & 1 for s in sources):
            return place
    return None


def _sorted(units, ancestors):
    """Units after what they need, else in the order of their last node."""
    last = [max(node.outputs[0].node.number for node in unit.nodes) for unit in units]
    waiting = [(number, n) for n, number in enumerate(last)]
    heapq.heapify(waiting)
    done, order, held = 0, [], []
    while waiting:
        number, n = heapq.heappop(waiting)
        if ancestors[n] & ~done:
            held.append((number, n))
            continue
        order.append(units[n])
        done |= 1 << n
        for entry in held:
            heapq.heappush(waiting, entry)
        held = []
    return order
