"""Functions between any tensors of a graph, and gradients as tensors: Keras's `backend.function` and `backend.gradients`."""

from collections.abc import Callable
from typing import Any

from refnet import ops
from refnet.errors import ArgumentError, shown
from refnet.graph import Assignment, Mode, Tensor, Variable, as_tensor, assignment
from refnet.keeping import OnEngines
from refnet.program import Program
from refnet.structure import flatten, packed
from refnet.tracing import building

# What `learning_phase()` gives while nothing fixes it; among the inputs of a function it says which way layers go.
phase_input = Tensor((), "int32", name="learning phase")


def gradients(loss: Any, variables: Any) -> list[Any]:
    """The gradient of a loss with respect to each of some tensors, as new tensors.

    Args:
        loss: a tensor, or a list of them; if it is not a scalar, the gradient is that of its sum.
        variables: a tensor or a list of them: variables, inputs, or whatever the loss was computed from.
    Returns:
        A list; None where the loss does not depend on it.
    Raises:
        ArgumentError: a loss or variables that are no tensors.

    >>> x = Variable([2.0, 3.0])
    >>> [float(y) for y in np.asarray(gradients(x * x, x)[0])]
    [4.0, 6.0]
    """
    total = None
    for part in flatten(loss):
        part = ops.sum(as_tensor(part))
        total = part if total is None else ops.add(total, part)
    if not isinstance(total, Tensor):
        raise ArgumentError(f"gradients: loss must be a tensor; got {loss!r}.")
    sources = [variables] if isinstance(variables, Tensor) else list(variables)
    for x in sources:
        if not isinstance(x, Tensor):
            raise ArgumentError(f"gradients: variables must be tensors; got {shown(x)}.")
    return list(ops.gradients(total, sources))


class Function:
    """What `function` makes; call it with a list of arrays."""

    def __init__(self, inputs: Any, outputs: Any, updates: Any = None, name: str | None = None):
        self.name = name or "function"
        given = flatten(inputs)
        for word, tensors in (("inputs", given), ("outputs", flatten(outputs))):
            for x in tensors:
                if not isinstance(x, Tensor) and not (word == "inputs" and isinstance(x, int)):
                    raise ArgumentError(f"{self.name}: {word} must be tensors; got {x!r}.")
        self.inputs, self.outputs = given, outputs
        self.updates = [_as_record(entry) for entry in updates or ()]
        self._counter = Variable(0, dtype="int64", trainable=False, name=f"{self.name}/run_counter")
        self._fed = [x for x in given if isinstance(x, Tensor)]
        self._programs = {False: self._program(False)}  # at once, so that a missing input is told here

    def _program(self, training: bool) -> OnEngines:
        return OnEngines(Program(self._fed, flatten(self.outputs), self.updates, Mode(training), self._counter))

    def __call__(self, inputs: Any, training: Any = None) -> Any:
        """The outputs, in their structure, as new arrays.

        Args:
            inputs: one array for each input, in a list.
            training: which way layers go that differ; inference unless the learning phase is among the inputs.
        """
        arrays = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if len(arrays) != len(self.inputs):
            raise ArgumentError(f"{self.name} has {len(self.inputs)} inputs; called with {len(arrays)} arrays.")
        feeds = []
        for x, array in zip(self.inputs, arrays):
            if x is phase_input:
                training = bool(array) if training is None else training
            if isinstance(x, Tensor):
                feeds.append(array)
        mode = bool(training)
        with building:
            if mode not in self._programs:
                self._programs[mode] = self._program(mode)
            executable = self._programs[mode].on_current()
        return packed(self.outputs, executable.run(feeds))


def _as_record(entry: Any) -> Assignment:
    if isinstance(entry, Assignment):
        return entry
    variable, value = entry
    return assignment(variable, as_tensor(value, variable.dtype))


def function(inputs: Any, outputs: Any, updates: Any = None, name: str | None = None) -> Callable[..., Any]:
    """A function on arrays, from some tensors of a graph to others.

    Args:
        inputs: tensors: of Input or placeholder, or any inner ones, which are then fed and not computed.
        outputs: tensors, of any layers and models, slices, gradients; a list gives a list of arrays.
        updates: pairs (variable, new value), or what `update` gave: made when the function has run.
    Returns:
        A function of a list of arrays; what it returns may be written to.
    Raises:
        ArgumentError: an output needs an Input that is not among the inputs.
    """
    return Function(inputs, outputs, updates, name)
