"""The planner: from a concrete program to units, each of which becomes one row of the machine.

In this order: reshapes become aliases, equal subexpressions one, products with transposed matrices plain ones, products with
one nothing; dead code goes; elementwise nodes are gathered into units; assignments are sorted to the end, where they happen
in place, an optimizer's updates of one kind in a single unit over all parameters.
"""

import heapq
import math

import numpy as np

from refnet.definition import Op, size_of
from refnet.graph import Constant, Node, Variable, node_of, trace
from refnet.program import Instruction, out_of_range
from refnet_fast.rewrite import pool_before_relu

SHORT = ("float16", "bfloat16")  # floats that the processor stores but does not compute with


def is_short_cast(instruction):
    """Whether this is a conversion between a 16-bit float and float64."""
    kinds = {instruction.inputs[0].dtype, instruction.outputs[0].dtype} if instruction.op.name == "cast" else set()
    return "float64" in kinds and len(kinds) == 2 and kinds - {"float64"} <= set(SHORT)


def exactly(attributes):
    """A call's attributes as a key: 0.0 and -0.0, which are equal, are two."""
    return tuple(sorted((name, _exact(value)) for name, value in attributes.items()))


def _exact(value):
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return "-0.0" if isinstance(value, float) and value == 0 and math.copysign(1, value) < 0 else value


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


class Plan:
    """A concrete program, planned.

    Args:
        concrete: the program at known shapes.
        tuned: whether to transform it; without, each instruction becomes a unit of its own (the derived engine).
        on_device: whether the kernels are CUDA's, which compute with 16-bit floats (else ops get float64, with casts between) and
            read a transposed operand as it lies.
    Attributes:
        units: in the order in which they run; the first `computing` of them write no variable.
        copies: [(tensor, variable)], commits that need a copy at the very end.
        alias: {tensor: the tensor whose memory it shares}.
    """

    def __init__(self, concrete, tuned=True, on_device=False):
        self.concrete, self.tuned, self.on_device = concrete, tuned, on_device
        self.alias: dict = {}
        self.replaced: dict = {}
        self.maker: dict = {}
        self.instructions = self._without_short_floats(concrete.instructions)
        if tuned:
            self.instructions = self._simplified()
        self.outputs = [self.now(y) for y in concrete.outputs]
        self.commits = {v: self.now(x) for v, x in concrete.commits.items() if self.now(x) is not v}
        self._keep_what_is_overwritten()
        self.instructions = self._alive()
        if tuned:
            self.instructions = pool_before_relu(self)
        self.readers = self._readers()
        units = self._units()
        self._arrange(units)

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

    # ---- 16-bit floats

    def _without_short_floats(self, instructions):
        """Every op computes on float64 where its arrays are 16-bit floats; casts, which have kernels, stand between."""
        if self.on_device:
            return list(instructions)
        result = []
        for instruction in instructions:
            tensors = (*instruction.inputs, *instruction.outputs)
            if not any(x.dtype in SHORT for x in tensors) or is_short_cast(instruction):
                result.append(instruction)
                continue
            wide_inputs = []
            for x in instruction.inputs:
                if x.dtype in SHORT:
                    result.append(self.added(Op.named["cast"], (x,), {"dtype": "float64"}, instruction))
                    x = result[-1].outputs[0]
                wide_inputs.append(x)
            node = Node(instruction.op, wide_inputs, instruction.attributes)
            outputs = [y if given.dtype in SHORT else given for given, y in zip(instruction.outputs, node.outputs)]
            result.append(instruction._replace(inputs=tuple(wide_inputs), outputs=tuple(outputs)))
            for given, y in zip(instruction.outputs, outputs):
                if y is not given:
                    y.dtype = "float64"
                    cast = {"dtype": given.dtype}
                    result.append(Instruction(Op.named["cast"], (y,), cast, (given,), instruction.node))
        return result

    # ---- simplification

    def _simplified(self):
        seen: dict = {}
        result = []
        queue = list(reversed(self.instructions))
        while queue:
            instruction = queue.pop()
            inputs = tuple(self.now(x) for x in instruction.inputs)
            instruction = instruction._replace(inputs=inputs)
            if instruction.op.name == "reshape":
                y, source = instruction.outputs[0], inputs[0]
                while source.shape != y.shape and source in self.alias:
                    source = self.alias[source]
                if source.shape == y.shape:  # nothing is reshaped, or it was reshaped to and fro
                    self.replaced[y] = source
                    continue
                self.alias[y] = inputs[0]
                self.maker[y] = instruction
                continue
            key = (instruction.op, inputs, exactly(instruction.attributes))
            if key in seen:
                self.replaced.update(zip(instruction.outputs, seen[key]))
                continue
            seen[key] = instruction.outputs
            rewritten = self._rewritten(instruction)
            if rewritten is not None:
                queue.extend(reversed(rewritten))
                continue
            if instruction.op.scalar is not None and (self.on_device or not is_short_cast(instruction)):
                instruction = instruction._replace(inputs=tuple(self._before_repeat(x) for x in inputs))
            result.append(instruction)
            self.maker.update(dict.fromkeys(instruction.outputs, instruction))
        return result

    def _before_repeat(self, x):
        """What an elementwise op may read instead: it repeats operands by itself."""
        while (made := self.maker.get(x)) is not None and made.op.name == "broadcast_to":
            x = made.inputs[0]
        return x

    def _is_one(self, x):
        x = self._before_repeat(x)
        while self.maker.get(x) is not None and self.maker[x].op.name in ("reshape", "broadcast_to"):
            x = self.maker[x].inputs[0]
        return isinstance(x, Constant) and x.value.size == 1 and x.value.reshape(()) == 1

    def _rewritten(self, instruction):
        """Instructions to use instead of one, or None."""
        name, inputs, y = instruction.op.name, instruction.inputs, instruction.outputs[0]
        if name in ("multiply", "divide"):
            for one, other in ((1, 0), (0, 1)) if name == "multiply" else ((1, 0),):
                if self._is_one(inputs[one]) and inputs[other].shape == y.shape and inputs[other].dtype == y.dtype:
                    self.replaced[y] = inputs[other]
                    return []
        if name == "matmul":
            return self._plain_matmul(instruction)
        return None

    def _plain_matmul(self, instruction):
        """A product whose operands are transposes takes their source; a transposed second operand of many rows is copied."""
        flags = ["transpose1", "transpose2"]
        inputs, attributes, changed = list(instruction.inputs), dict(instruction.attributes), False
        few = self.on_device or instruction.outputs[0].shape[-2] < 16
        for position, flag in enumerate(flags):
            if position == 1 and not attributes[flag] and not few:
                continue  # a transposed second operand would only be copied again below
            made = self.maker.get(inputs[position])
            rank = len(inputs[position].shape)
            swapped = (*range(rank - 2), rank - 1, rank - 2)
            if made is not None and made.op.name == "transpose" and made.attributes["axes"] == swapped:
                inputs[position], attributes[flag], changed = made.inputs[0], not attributes[flag], True
        if attributes["transpose2"] and not few and len(inputs[1].shape) == 2:
            turned = self.added(Op.named["transpose"], (inputs[1],), {"axes": (1, 0)}, instruction)
            inputs[1], attributes["transpose2"] = turned.outputs[0], False
            return [turned, self._same(instruction, inputs, attributes)]
        return [self._same(instruction, inputs, attributes)] if changed else None

    def added(self, op, inputs, attributes, origin):
        with trace.inside(call=None, collecting=True):
            outputs = node_of(op, tuple(inputs), attributes)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        outputs[0].node.number = origin.outputs[0].node.number  # it runs where its origin would have
        return Instruction(op, tuple(inputs), attributes, outputs, origin.node)

    def _same(self, instruction, inputs, attributes):
        made = self.added(instruction.op, inputs, attributes, instruction)
        self.replaced.update(zip(instruction.outputs, made.outputs))
        return made

    def _keep_what_is_overwritten(self):
        """An output that is a variable's value from before the commits is copied before them."""
        for place, y in enumerate(self.outputs):
            if self.base(y) in self.commits:
                with trace.inside(call=None, collecting=True):
                    kept = node_of(Op.named["identity"], (y,), {})
                copied = Instruction(Op.named["identity"], (y,), {}, (kept,), kept.node)
                self.instructions += self._without_short_floats([copied])
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

    # ---- units

    def _units(self):
        """Elementwise nodes of one shape join the unit of a value they read, unless that would close a circle."""
        units, ancestors, home = [], [], {}
        finals = {self.base(x) for x in self.commits.values()}
        for instruction in self.instructions:
            sources = {home[b] for x in instruction.inputs if (b := self.base(x)) in home}
            before = 0
            for source in sources:
                before |= ancestors[source] | 1 << source
            fused = (
                self.tuned
                and instruction.op.scalar is not None
                and not (is_short_cast(instruction) and not self.on_device)
            )
            place = None
            if fused and not any(y in finals and y not in self.readers for y in instruction.outputs):
                place = self._joinable(instruction, units, ancestors, home, sources)
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
        return self._sorted(units, ancestors)

    def _joinable(self, instruction, units, ancestors, home, sources):
        for x in instruction.inputs:
            place = home.get(self.base(x))
            if place is None or x is not self.base(x) or not units[place].fused:
                continue
            unit = units[place]
            same = unit.shape == instruction.outputs[0].shape and len(unit.nodes) < 24
            final = any(y in {self.base(v) for v in self.commits.values()} for n in unit.nodes for y in n.outputs)
            # A reshaped operand is read from memory, where a value of the unit itself does not stand yet.
            same = same and not any(
                y is not self.base(y) and home.get(self.base(y)) == place for y in instruction.inputs
            )
            if same and not final and not any(s != place and ancestors[s] >> place & 1 for s in sources):
                return place
        return None

    @staticmethod
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

    # ---- the order in which they run, and what is written in place

    def _arrange(self, units):
        outputs = {self.base(y) for y in self.outputs}
        home = {y: unit for unit in units for node in unit.nodes for y in node.outputs}
        direct: list = []
        self.copies = []
        wanted: dict = {}
        for variable, value in self.commits.items():
            wanted.setdefault(self.base(value), []).append((variable, value))
        for source, targets in wanted.items():
            unit = home.get(source)
            variable, value = targets[0]
            final = (
                self.tuned
                and unit is not None
                and unit.fused
                and len(targets) == 1
                and source not in self.readers
                and source not in outputs
                and source.shape == variable.shape
                and source.dtype == variable.dtype
            )
            if final:
                unit.commits[source] = variable
                if unit not in direct:
                    direct.append(unit)
            else:
                self.copies += [(value, v) for v, value in targets]
        direct = [u for u in direct if self._may_write_in_place(u, direct)]
        for unit in units:
            if unit not in direct:
                self.copies += [(y, v) for y, v in unit.commits.items()]
                unit.commits = {}
        direct = self._merged(direct)
        computing = [u for u in units if not u.commits and not any(u.nodes[0] in d.nodes for d in direct)]
        self.units, self.computing = computing + direct, len(computing)
        needed = (
            outputs
            | {self.base(x) for unit in self.units for x in unit.reads()}
            | {self.base(x) for x, _ in self.copies}
        )
        for unit in self.units:
            made = [y for node in unit.nodes for y in node.outputs]
            unit.stored = [y for y in made if y in needed or y in unit.commits] if unit.fused else made

    def _may_write_in_place(self, unit, direct):
        """Every output that matters commits, and nothing that runs as late reads what this unit writes."""
        made = {y for node in unit.nodes for y in node.outputs}
        outputs = {self.base(y) for y in self.outputs}
        if any(y not in unit.commits and (y in self.readers or y in outputs) for y in made):
            return False
        mine = set(unit.commits.values())
        if any(self.base(x) in mine for x, _ in self.copies):
            return False
        return not any(x in mine for other in direct if other is not unit for x in map(self.base, other.reads()))

    def _merged(self, direct):
        """Updates of one kind (same op, same numbers, same shared scalars) become one unit."""
        kinds: dict = {}
        placed: set = set(self.concrete.inputs)  # what has a place of its own cannot lie beside the others
        for unit in direct:
            kind = self._kind(unit)
            node = unit.nodes[0]
            own = [self.base(x) for x in node.inputs if x.shape == node.outputs[0].shape]
            own = [x for x in own if not isinstance(x, Variable)]
            if kind is not None and (placed & set(own) or len(set(own)) < len(own)):
                kind = None
            if kind is not None:
                placed.update(own)
            kinds.setdefault(kind, []).append(unit)
        result = []
        for kind, members in kinds.items():
            if kind is None or len(members) < 2:
                result += members
                continue
            whole = Unit([m.nodes[0] for m in members], True)
            whole.merged = True
            for member in members:
                whole.commits.update(member.commits)
            result.append(whole)
        return result

    def _kind(self, unit):
        """What updates must share to be merged; None where a unit cannot be.

        Each operand is a variable that is written, a value that is computed, or one number that all updates read.
        """
        node = unit.nodes[0]
        if len(unit.nodes) != 1 or len(node.outputs) < 2 and not node.op.name.endswith("_update"):
            return None
        shape = node.outputs[0].shape
        # With weight decay, say, the variable that is written is not what the update reads.
        if size_of(shape) == 0 or any(unit.commits.get(y) not in node.inputs for y in node.outputs):
            return None
        written, shared = [unit.commits[y] for y in node.outputs], []
        for x in node.inputs:
            source = self.base(x)
            if x.shape == shape and source in written:
                shared.append(written.index(source))  # which result takes its place
            elif x.shape == shape != () and not isinstance(source, (Variable, Constant)):
                shared.append(None)
            elif size_of(x.shape) == 1 and x.shape != shape:
                shared.append(source)
            else:
                return None
        return node.op, exactly(node.attributes), tuple(shared), tuple(x.dtype for x in node.inputs)
