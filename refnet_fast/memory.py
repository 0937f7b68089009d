"""Where everything lies: one arena by lifetime, constants beside it, variables of one kind side by side."""

import numpy as np

from refnet import dtypes
from refnet.definition import size_of
from refnet.graph import Constant, Variable
from refnet_fast.derive import itemsize
from refnet_fast.fuse import Operand
from refnet_fast.native import address_of, aligned_zeros

LINE = 64  # bytes of a cache line; every buffer starts on one


def bytes_of(tensor):
    return size_of(tensor.shape) * itemsize(tensor.dtype)


def padded(tensor):
    return max(LINE, -(-bytes_of(tensor) // LINE) * LINE)


def merged_size(unit):
    """Elements of a merged unit's block, padding included."""
    return sum(padded(node.outputs[0]) for node in unit.nodes) // itemsize(unit.nodes[0].outputs[0].dtype)


class Arena:
    """Offsets by lifetime: the smallest hole that fits, else more at the end. Neighbouring holes are joined."""

    def __init__(self):
        self.top, self.holes = 0, {}

    def take(self, size):
        fitting = [(extent, offset) for offset, extent in self.holes.items() if extent >= size]
        if not fitting:
            self.top += size
            return self.top - size
        extent, offset = min(fitting)
        del self.holes[offset]
        if extent > size:
            self.holes[offset + size] = extent - size
        return offset

    def give(self, offset, size):
        after = self.holes.pop(offset + size, 0)
        for start, extent in self.holes.items():
            if start + extent == offset:
                self.holes[start] = extent + size + after
                return
        self.holes[offset] = size + after


class Memory:
    """The addresses of a plan's tensors, in the host's memory; a device's memory overrides the last five methods.

    Args:
        plan: the Plan.
        groups: its units, in order, in lists of those that run together (chains): an operand of one of them lives until all of
            them are done.
    """

    def __init__(self, plan, groups):
        self.plan = plan
        self.offsets: dict = {}
        self.outside: dict = {}
        self.kept: list = []
        self.blocks: dict = {}  # (merged unit, operand position) -> address
        arena = Arena()
        self._lay_out_merged(groups, arena)
        self._lay_out(groups, arena)
        self.size = arena.top
        self.start = self.allocate(arena.top)

    def address(self, tensor):
        """Where a tensor lies."""
        base = self.plan.base(tensor)
        if base in self.offsets:
            return self.start + self.offsets[base]
        if base not in self.outside:
            if isinstance(base, Variable):
                self.outside[base] = self.home(base)
            elif isinstance(base, Constant):
                self.outside[base] = self.keep(np.ascontiguousarray(base.value))
            else:
                raise AssertionError(f"no place for {base}")
        return self.outside[base]

    # ---- merged updates: every operand of all of them contiguous

    def _lay_out_merged(self, groups, arena):
        for unit in (u for group in groups for u in group if u.merged):
            for position in range(len(unit.nodes[0].inputs)):
                if unit.nodes[0].inputs[position].shape != unit.nodes[0].outputs[0].shape:
                    continue  # a scalar that all of them share
                tensors = [self.plan.base(node.inputs[position]) for node in unit.nodes]
                if isinstance(tensors[0], Variable):
                    self.blocks[unit, position] = self.side_by_side(tensors)
                    continue
                start = arena.take(sum(map(padded, tensors)))
                self.blocks[unit, position] = start
                for tensor in tensors:
                    self.offsets[tensor] = start
                    start += padded(tensor)

    def block_address(self, unit, position):
        found = self.blocks[unit, position]
        return found if isinstance(unit.nodes[0].inputs[position], Variable) else self.start + found

    def merged_operands(self, unit):
        """{tensor: Operand} of the one flat pass that a merged unit is, padding included, over its first node's tensors."""
        node, operands = unit.nodes[0], {}
        for position, x in enumerate(node.inputs):
            if (unit, position) in self.blocks:
                operands[x] = Operand(self.block_address(unit, position), x.dtype, (1,))
            else:
                operands[x] = Operand(self.address(x), x.dtype, (0,))
        for y in node.outputs:
            position = list(node.inputs).index(unit.commits[y])
            operands[y] = Operand(self.block_address(unit, position), y.dtype, (1,))
        return operands

    # ---- everything else, by lifetime

    def _lay_out(self, groups, arena):
        plan = self.plan
        last: dict = {}
        for number, group in enumerate(groups):
            for unit in group:
                for x in unit.reads():
                    last[plan.base(x)] = number
        ends: dict = {}
        for x, number in last.items():
            ends.setdefault(number, []).append(x)
        forever = {plan.base(x) for x in plan.outputs} | {plan.base(x) for x, _ in plan.copies}
        forever |= {plan.base(instruction.inputs[position]) for instruction, position, _, _ in plan.checked()}
        live: set = set()
        for x in plan.concrete.inputs:
            self.offsets[x] = arena.take(padded(x))
            forever.add(x)
        for number, group in enumerate(groups):
            for unit in group:
                for y in unit.stored:
                    if y in unit.commits or y in self.offsets:
                        continue
                    heir = self._inherits(unit, y, live, last, number, forever, group)
                    if heir is not None:
                        self.offsets[y] = self.offsets[heir]
                        live.discard(heir)
                    else:
                        self.offsets[y] = arena.take(padded(y))
                    live.add(y)
            made = [y for unit in group for y in unit.stored if y not in last]
            for x in ends.get(number, []) + made:
                if x in live and x not in forever:
                    live.discard(x)
                    arena.give(self.offsets[x], padded(x))
        for unit in (u for group in groups for u in group):
            for y, variable in unit.commits.items():
                self.outside[y] = self.home(variable)

    def _inherits(self, unit, y, live, last, number, forever, group):
        """An operand that dies here and whose memory an elementwise result may take, element for element."""
        if not unit.fused or len(group) > 1:
            return None
        for x in unit.reads():
            base = self.plan.base(x)
            fits = base in live and last[base] == number and base not in forever
            if fits and x.shape == y.shape and itemsize(x.dtype) == itemsize(y.dtype) and base is x:
                return base
        return None

    # ---- which memory it is

    def allocate(self, size):
        """The address of `size` zeroed bytes that belong to this plan."""
        self.room = aligned_zeros(size)
        return address_of(self.room)

    def keep(self, array):
        """The address of a constant, kept as long as the plan."""
        self.kept.append(array)
        return address_of(array)

    def home(self, variable):
        """The address of a variable."""
        variable.come_home()
        return address_of(variable.array)

    def side_by_side(self, variables):
        """The address of a block in which variables lie in order."""
        return side_by_side(variables)

    def array(self, tensor):
        """The memory of a tensor as a NumPy array."""
        base = self.plan.base(tensor)
        if isinstance(base, Variable):
            return base.array.reshape(tensor.shape)
        if isinstance(base, Constant):
            return base.value.reshape(tensor.shape)
        offset = self.offsets[base]
        return self.room[offset : offset + bytes_of(tensor)].view(dtypes.as_numpy(tensor.dtype)).reshape(tensor.shape)


def lies_at(variable):
    """The address of a variable that lies in a block with others, else None."""
    return address_of(variable.array) if variable.placed else None


def side_by_side(variables):
    """Moves variables into one block, in order, unless they already lie so; returns its address.

    Others may be neighbours by chance: what pads them is not theirs, and is written where all of a block is updated at once.
    """
    start = address_of(variables[0].array)
    at = start
    for variable in variables:
        variable.come_home()
        if lies_at(variable) != at:
            break
        at += padded(variable)
    else:
        return start
    room = aligned_zeros(sum(map(padded, variables)))
    offset = 0
    for variable in variables:
        home = room[offset : offset + bytes_of(variable)].view(variable.array.dtype).reshape(variable.shape)
        variable.place(home)
        offset += padded(variable)
    return address_of(room)
