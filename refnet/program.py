"""Programs: a part of a graph, in one mode, ready for an engine.

A Program fixes what the graph leaves open: which way each phase node goes, which assignment each read of a variable sees,
and the place of every random node. `specialize` then fixes the shapes, which folds everything that follows from them.
"""

import math
from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple

from refnet.annotations import Array, Shape
from refnet.arrays import read_once
from refnet.definition import Op
from refnet.errors import ArgumentError, DataError, RefnetError, ShapeError, in_layer
from refnet.graph import Assignment, Mode, Node, Tensor, Variable, node_of, phase, run_counter, trace

LATEST = math.inf


class Instruction(NamedTuple):
    """One op to run: its inputs already resolved (the branch that runs, the assignment that is seen)."""

    op: Op
    inputs: tuple[Tensor, ...]
    attributes: dict[str, Any]
    outputs: tuple[Tensor, ...]
    node: Node | None = None  # where it came from, for error messages and traces


class Program:
    """What to compute and what to commit.

    Args:
        inputs: the tensors it will be fed; any tensors of the graph, not only Inputs.
        outputs: the tensors it gives back.
        assignments: records of `Variable.assign`; those whose guard holds in the mode are committed together at the end of
            a run, none of them if the run fails. A read sees the last assignment made before it; a gradient reads what the op
            read that it belongs to.
        mode: training or inference, and what was trainable at compile.
        counter: an int64 Variable that counts the runs of programs that draw random numbers. A new one if None.
        start: what reads of a variable see before it is assigned; its value where this has none.
    Attributes:
        instructions: in an order in which they can run.
        commits: {variable: the tensor it takes}.
    """

    def __init__(
        self,
        inputs: Iterable[Tensor],
        outputs: Iterable[Tensor],
        assignments: Iterable[Assignment] = (),
        mode: Mode | None = None,
        counter: Variable | None = None,
        start: dict[Variable, Tensor] | None = None,
    ):
        self._start: dict[Any, Tensor] = start or {}
        self.inputs, self.mode = list(inputs), mode or Mode(False)
        self.counter = (
            counter if counter is not None else Variable(0, dtype="int64", trainable=False, name="run_counter")
        )
        held = sorted((a for a in assignments if self.mode.holds(a.guard)), key=lambda a: a.number)
        self._held: dict[Tensor, list[Assignment]] = {}
        for record in held:
            self._held.setdefault(record.variable, []).append(record)
        self._fed = set(self.inputs)
        self.instructions: list[Instruction] = []
        outputs = list(outputs)
        roots = [(y, LATEST) for y in outputs] + [(a.value, a.number) for a in held]
        self._gather(roots)
        self.outputs = [self._source(y, LATEST) for y in outputs]
        self.commits: dict[Variable, Tensor] = {a.variable: self._source(a.value, a.number) for a in held}
        if any(i.op.random for i in self.instructions) and self.counter not in self.commits:
            from refnet import ops

            with trace.inside(call=None, guard=()):
                following = ops.add(self.counter, 1)
            self.instructions.append(_instruction(following.node, following.node.inputs))
            self.commits[self.counter] = following

    @property
    def variables(self) -> list[Variable]:
        """Every variable that is read or written."""
        read = [x for i in self.instructions for x in i.inputs] + self.outputs + list(self.commits.values())
        return list(dict.fromkeys([x for x in read if isinstance(x, Variable)] + list(self.commits)))

    def _source(self, tensor: Tensor, at: float) -> Tensor:
        """What a read at time `at` sees."""
        while tensor not in self._fed:
            node = tensor.node
            if node is not None and node.op is phase:
                tensor, at = self.mode.pick(node), node.reads
                continue
            if tensor is run_counter:
                return self.counter
            earlier = [a for a in self._held.get(tensor, ()) if a.number < at] if at != LATEST else ()
            if not earlier:
                return self._start.get(tensor, tensor)
            tensor, at = earlier[-1].value, earlier[-1].number
        return tensor

    def _gather(self, roots: Sequence[tuple[Tensor, float]]) -> None:
        """Appends every instruction the roots need, each after what it reads. Iterative, for deep graphs."""
        state: dict[Node, str] = {}
        places = 0
        stack = [self._source(t, at) for t, at in reversed(roots)]
        while stack:
            tensor = stack[-1]
            node = tensor.node
            if tensor in self._fed or node is None or state.get(node) == "done":
                if node is None and type(tensor) is Tensor and tensor not in self._fed:
                    label = tensor.name or f"of shape {tensor.shape}"
                    raise ArgumentError(f"the graph reads the input {label}, which is not among the inputs given.")
                stack.pop()
                continue
            sources = tuple(self._source(x, node.reads) for x in node.inputs)
            if state.get(node) is None:
                state[node] = "open"
                stack.extend(x for x in reversed(sources) if x.node is None or state.get(x.node) != "done")
                continue
            state[node] = "done"
            attributes = node.attributes
            if node.op.random:
                attributes = {**attributes, "place": places}
                places += 1
            self.instructions.append(_instruction(node, sources, attributes))
            stack.pop()


def _instruction(node: Node, inputs: Iterable[Tensor], attributes: dict[str, Any] | None = None) -> Instruction:
    return Instruction(
        node.op, tuple(inputs), node.attributes if attributes is None else attributes, node.outputs, node
    )


class Concrete:
    """A program at known shapes: every instruction is a primitive, every attribute complete.

    Attributes:
        inputs, outputs: tensors without open dimensions.
        instructions, commits: as in Program.
        program: where it came from.
    """

    def __init__(
        self,
        program: Program,
        inputs: list[Tensor],
        outputs: list[Tensor],
        instructions: list[Instruction],
        commits: dict[Variable, Tensor],
    ):
        self.program, self.inputs, self.outputs = program, inputs, outputs
        self.instructions, self.commits = instructions, commits


def check_feeds(program: Program, shapes: Sequence[Shape]) -> None:
    """Raises ShapeError unless the shapes fit the program's inputs."""
    if len(shapes) != len(program.inputs):
        raise ArgumentError(f"expected {len(program.inputs)} arrays, one per input; got {len(shapes)}.")
    for x, shape in zip(program.inputs, shapes):
        if len(shape) != len(x.shape) or any(d is not None and d != given for d, given in zip(x.shape, shape)):
            raise ShapeError(f"input {x.name or ''} expects shape {x.shape}, got {tuple(shape)}.".replace("  ", " "))


def specialize(program: Program, shapes: Sequence[Shape]) -> Concrete:
    """The program at these input shapes: the graph is written once more, and what the shapes decide is folded."""
    check_feeds(program, shapes)
    inputs = [Tensor(shape, x.dtype, name=x.name) for x, shape in zip(program.inputs, shapes)]
    new: dict[Tensor, Tensor] = dict(zip(program.inputs, inputs))
    made: dict[Node | None, Node | None] = {}
    with trace.inside(call=None, guard=(), collecting=True):
        for instruction in program.instructions:
            arguments = tuple(new.get(x, x) for x in instruction.inputs)
            try:
                results = node_of(instruction.op, arguments, instruction.attributes)
            except RefnetError as error:
                if instruction.node is not None and instruction.node.call is not None:
                    in_layer(error, instruction.node.call.layer.name)
                raise
            results = results if isinstance(results, tuple) else (results,)
            for y in results:
                made.setdefault(y.node, instruction.node)
            new.update(zip(instruction.outputs, results))
    outputs = [new.get(y, y) for y in program.outputs]
    commits = {v: new.get(x, x) for v, x in program.commits.items()}
    for variable, x in commits.items():
        if None not in x.shape and x.shape != variable.shape:
            raise variable.unfit(x.shape)
    instructions = _ordered([*outputs, *commits.values()], set(inputs), made)
    for instruction in instructions:
        for y in instruction.outputs:
            if None in y.shape:
                raise ArgumentError(
                    f"{place_of(instruction)}: the shape {y.shape} depends on values that are known when the program runs "
                    "only; the entries of a shape are integers, or come from ops.shape(x)."
                )
    return Concrete(program, inputs, outputs, instructions, commits)


def _ordered(
    targets: Iterable[Tensor], fed: Container[Tensor], origins: dict[Node | None, Node | None]
) -> list[Instruction]:
    """The instructions the targets need, in the order in which they were written."""
    found: set[Node] = set()
    todo = list(targets)
    while todo:
        x = todo.pop()
        if x.node is None or x in fed or x.node in found:
            continue
        found.add(x.node)
        todo += [v for i, v in enumerate(x.node.inputs) if i not in x.node.op.shape_only]
    order = sorted(found, key=lambda node: node.number)
    return [Instruction(n.op, n.inputs, n.attributes, n.outputs, origins.get(n) or n) for n in order]


def place_of(instruction: Instruction) -> str:
    """'dense_1: matmul' where the layer is known, else the op's name, or 'quantile (take)' where it is a part: for messages."""
    call, composite = (None, None) if instruction.node is None else (instruction.node.call, instruction.node.composite)
    spoken = (
        instruction.op.spoken
        if composite in (None, instruction.op.spoken)
        else f"{composite} ({instruction.op.spoken})"
    )
    return f"{call.layer.name}: {spoken}" if call is not None else spoken


def check_ranges(instruction: Instruction, arrays: Sequence[Array]) -> None:
    """Raises DataError if an integer input leaves the range that the op allows."""
    op = instruction.op
    if op.ranges is None:
        return
    for position, (low, high) in op.ranges(*instruction.inputs, **instruction.attributes).items():
        check_range(instruction, arrays[position], low, high)


def check_range(what: Instruction | str, array: Array, low: int, high: int) -> None:
    import numpy as np

    if array.size == 0:
        return
    array = read_once(array)
    if low <= array.min() and array.max() < high:
        return
    outside = np.argwhere((array < low) | (array >= high))
    place = tuple(int(i) for i in outside[0])
    raise out_of_range(what, place, int(array[place]), low, high)


def out_of_range(
    what: Instruction | str, place: Sequence[int], index: int, low: int, high: int, batch: str = ""
) -> DataError:
    """The error of an index outside low..high-1, which stands at `place` of the indices (of a batch).

    Args:
        what: the instruction that reads it, or its name.
    """
    advice = ""
    if isinstance(what, Instruction):
        call = what.node.call if what.node is not None else None
        advice = getattr(call.layer, "index_advice", lambda _: "")(index) if call is not None else ""
        what = place_of(what)
    one = f"the one at {list(place)}{batch}" if len(place) else f"the index{batch}"
    return DataError(f"{what}: indices must lie in {low}..{high - 1}; {one} is {index}.{advice}")
