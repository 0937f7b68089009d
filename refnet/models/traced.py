"""A call of a Python function on tensors, written down as a graph that a program can be made of."""

from collections.abc import Callable, Sequence
from typing import Any

from refnet.annotations import Array
from refnet.graph import Mode, Tensor, Variable, as_tensor, trace
from refnet.layers.returned import identity
from refnet.models.functional import Graph
from refnet.program import Program
from refnet.structure import flatten, mapped
from refnet.tracing import Call


class Traced:
    """What a Python function did with tensors: a graph from the tensors it was given to what it returned.

    Args:
        owner: whose name messages use.
        function: called with no arguments; it may make layers' calls, assign variables and draw random numbers.
        inputs: the tensors that it reads and a program will be fed.
        training: what `training` means to layers that are not told.
        captured: which layers were trainable at compile; None for what they are.
    Attributes:
        outputs: what the function returned, its numbers and arrays made tensors.
        assignments: every assignment made on the way.
    """

    def __init__(
        self,
        owner: Any,
        function: Callable[[], Any],
        inputs: Sequence[Tensor],
        training: bool | None = None,
        captured: Any = None,
    ):
        self.inputs, self.captured = list(inputs), captured
        record = Call(owner, None, {}, None)
        with trace.inside(call=record, guard=(), training=training, captured=captured):
            self.outputs = mapped(_marked, function())
            mark = identity(as_tensor(0.0, "float32"))  # it leads to the record, and so to assignments no output needs
        self.graph = Graph(self.inputs, [*self.tensors, mark])
        self.assignments = list(self.graph.assignments)

    @property
    def tensors(self) -> list[Tensor]:
        """The outputs that are tensors, in order."""
        return [y for y in flatten(self.outputs) if isinstance(y, Tensor)]

    def program(self, counter: Variable, mode: Mode) -> Program:
        """The program of the call."""
        return Program(self.inputs, self.tensors, self.assignments, mode, counter)

    def filled(self, arrays: Sequence[Array]) -> Any:
        """The outputs' structure with values in place of its tensors."""
        rest = iter(arrays)
        return mapped(lambda y: next(rest) if isinstance(y, Tensor) else y, self.outputs)


def _marked(y: Any) -> Any:
    """A leaf of what a function returned: a tensor that counts as made inside the call."""
    if y is None or isinstance(y, str):
        return y
    return identity(as_tensor(y))
