"""The planner: from a concrete program to units, each of which becomes one row of the machine.

In this order:

- the graph is made smaller (`rewrite.py`): reshapes become other names of the same memory, equal nodes one node, products with
  transposed matrices read the original, multiplications by one vanish;
- what nobody needs goes;
- elementwise nodes are gathered into units (`units.py`);
- assignments move to the end, where they are written straight into the variables if nothing else needs the old values; an optimizer's
  updates of one kind become one unit over all parameters (`commits.py`).
"""

import numpy as np

from refnet.definition import Op
from refnet.graph import node_of, trace
from refnet.program import Instruction, out_of_range
from refnet_fast.commits import arrange
from refnet_fast.memory import lies_at
from refnet_fast.rewrite import attention_gradients_in_pairs, pool_before_relu, simplified, without_short_floats
from refnet_fast.units import gathered


class Plan:
    """A concrete program, planned.

    Args:
        concrete: the program at known shapes.
        tuned: whether to transform it; without, each instruction becomes a unit of its own (the derived engine).
        on_device: whether the kernels are CUDA's, which compute with 16-bit floats (else ops get float64, with casts between) and
            read a transposed operand as it lies.
        lies_at: gives the address of a variable that an earlier program laid beside others, else None.
    Attributes:
        units: in the order in which they run; the first `computing` of them write no variable.
        copies: [(tensor, variable)], commits that need a copy at the very end.
        alias: {tensor: the tensor whose memory it shares}.
    """

    def __init__(self, concrete, tuned=True, on_device=False, lies_at=lies_at):
        self.concrete, self.tuned, self.on_device, self.lies_at = concrete, tuned, on_device, lies_at
        self.alias: dict = {}
        self.replaced: dict = {}
        self.maker: dict = {}
        self.instructions = without_short_floats(self, concrete.instructions)
        if tuned:
            self.instructions = simplified(self)
        self.outputs = [self.now(y) for y in concrete.outputs]
        self.commits = {v: self.now(x) for v, x in concrete.commits.items() if self.now(x) is not v}
        self._keep_what_is_overwritten()
        self.instructions = self._alive()
        if tuned:
            self.instructions = pool_before_relu(self)
            self.instructions = attention_gradients_in_pairs(self)
        self.readers = self._readers()
        arrange(self, gathered(self))

    def now(self, x):
        """The tensor that stands for x after simplification."""
        while x in self.replaced:
            x = self.replaced[x]
        return x

    def base(self, x):
        """The tensor whose memory x is read from."""
        while x in self.alias:
            x = self.alias[x]
        return x

    def checked(self):
        """[(instruction, input position, low, high)]: integers from outside that must lie in a range, each asked once."""
        found: dict = {}
        for instruction in self.instructions:
            if instruction.op.ranges is not None:
                ranges = instruction.op.ranges(*instruction.inputs, **instruction.attributes)
                for position, (low, high) in ranges.items():
                    key = self.base(instruction.inputs[position]), low, high
                    found.setdefault(key, (instruction, position, low, high))
        return list(found.values())

    def violation(self, flag, array_of, where=""):
        """The DataError of a raised flag: number of the check * 2**40 + position of the index.

        Args:
            array_of: gives the values of a tensor, as a NumPy array.
            where: what to say after the position.
        """
        instruction, position, low, high = self.checked()[flag >> 40]
        indices = array_of(instruction.inputs[position])
        index = np.unravel_index(flag & (2**40 - 1), indices.shape)
        return out_of_range(instruction, [int(i) for i in index], int(indices[index]), low, high, where)

    def added(self, op, inputs, attributes, origin):
        """A new instruction, which runs where another, its origin, would have."""
        with trace.inside(call=None, collecting=True):
            outputs = node_of(op, tuple(inputs), attributes)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        outputs[0].node.number = origin.outputs[0].node.number
        return Instruction(op, tuple(inputs), attributes, outputs, origin.node)

    def _keep_what_is_overwritten(self):
        """An output that is a variable's value from before the commits is copied before them."""
        for place, y in enumerate(self.outputs):
            if self.base(y) in self.commits:
                with trace.inside(call=None, collecting=True):
                    kept = node_of(Op.named["identity"], (y,), {})
                copied = Instruction(Op.named["identity"], (y,), {}, (kept,), kept.node)
                self.instructions += without_short_floats(self, [copied])
                self.outputs[place] = kept

    def _alive(self):
        """The instructions that outputs or commits need."""
        needed, result = {self.base(x) for x in [*self.outputs, *self.commits.values()]}, []
        for instruction in reversed(self.instructions):
            if any(y in needed for y in instruction.outputs):
                result.append(instruction)
                for i, x in enumerate(instruction.inputs):
                    if i not in instruction.op.shape_only:
                        needed.add(self.base(x))
        return result[::-1]

    def _readers(self):
        """{tensor in memory: how many instructions read it}."""
        count: dict = {}
        for instruction in self.instructions:
            for x in {self.base(x) for i, x in enumerate(instruction.inputs) if i not in instruction.op.shape_only}:
                count[x] = count.get(x, 0) + 1
        return count
