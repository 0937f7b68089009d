"""Op by op: while an Eager is in `trace.eager`, every node is computed as soon as it is made.

The graph is built as always, so gradients, losses and assignments mean what they always mean; but its tensors have values, which
`x.numpy()`, `print(x)`, `if x > 0:` and a debugger see. `compile(run_eagerly=True)` runs its steps so.
"""

from typing import TYPE_CHECKING

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.graph import Assignment, Constant, Node, Tensor, Variable, phase, run_counter
from refnet.tracing import Mode

if TYPE_CHECKING:
    from refnet.engine import Engine


class Eager:
    """What computes nodes, and what their assignments would make of variables; `commit` makes it so.

    Args:
        engine: runs the ops, one by one.
        mode: the way of nodes that depend on training.
        counter: the variable that counts the runs of random nodes.
    """

    def __init__(self, engine: "Engine", mode: Mode, counter: Variable):
        self.engine, self.mode, self.counter = engine, mode, counter
        self.assigned: dict[Variable, Array] = {}
        self.places = 0

    def has(self, x: Tensor) -> bool:
        """Whether a tensor has a value."""
        return x.known is not None or x is run_counter or isinstance(x, (Variable, Constant))

    def read(self, x: Tensor) -> Array:
        """The value of a tensor now: of a variable, what was last assigned to it."""
        if x.known is not None:
            return x.known
        if x is run_counter:
            return np.asarray(self.counter.value)
        if isinstance(x, Variable):
            return self.assigned.get(x, x.value)
        if isinstance(x, Constant):
            return np.asarray(x.value)
        raise ArgumentError(f"{x!r} has no value in this run: it belongs to a graph that was made before.")

    def compute(self, node: Node) -> None:
        """Gives a node's outputs their values."""
        op, attributes = node.op, node.attributes
        sources = [self.mode.pick(node)] if op is phase else node.inputs
        if not all(self.has(x) for x in sources):
            return  # only shapes are asked for
        if op is phase:
            results = [self.read(sources[0])]
        elif op.primitive:
            if op.random:
                attributes = {**attributes, "place": self.places}
                self.places += 1
            results = self.engine.compute(op, [self.read(x) for x in node.inputs], attributes)
        else:  # an op that only marks: its first input goes through
            results = [self.read(node.inputs[0])]
        for y, value in zip(node.outputs, results):
            y.known = value

    def take(self, record: Assignment) -> None:
        """An assignment was made: reads from here on see it, if its branch is the one that runs."""
        if self.mode.holds(record.guard):
            dtype = dtypes.as_numpy(record.variable.dtype)
            self.assigned[record.variable] = np.array(self.read(record.value), dtype)

    def commit(self) -> None:
        """Sets the variables that were assigned, and counts the run."""
        for variable, value in self.assigned.items():
            variable.set(value)
        if self.places:
            self.counter.set(self.counter.value + 1)


def known_tensor(array: Array) -> Tensor:
    """A tensor that has a value."""
    x = Tensor(array.shape, array.dtype)
    x.known = array
    return x
