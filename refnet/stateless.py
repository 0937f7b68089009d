"""Calls that change nothing: the variables' values come as arguments, and the new ones go out as results.

One thing is no argument: what a call with random layers (Dropout) draws advances a counter kept beside the call, so that two
such calls with the same values differ.

Keras's `stateless_call`, `stateless_update_state`, `stateless_apply`. The call is traced once for each kind of arguments; on arrays its
program is run, on tensors its nodes are written again where the call stands, so that `grad` and `jit` see through it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, ops, settings
from refnet.arrays import as_array, is_array_like
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.graph import Mode, Tensor, Variable, as_tensor, trace, written_again
from refnet.keeping import Kept, OnEngines, key_of
from refnet.models.traced import Traced
from refnet.program import Program
from refnet.structure import flatten, mapped, outline, packed
from refnet.tracing import building


class Pure:
    """One method of one object, as a function of the values of its variables.

    Args:
        owner: the layer, metric or optimizer; messages name it.
        function: takes the call's arguments.
        variables: those whose values are given.
        training: what `training` means to layers that are not told.
    """

    def __init__(
        self, owner: Any, function: Callable[..., Any], variables: Sequence[Variable], training: bool | None = None
    ):
        self.owner, self.function, self.variables, self.training = owner, function, list(variables), training
        self.made = Kept()  # {kind of arguments: a Traced, and its program on engines}
        self.counter = Variable(0, dtype="int64", trainable=False, name=f"{owner.name}/run_counter")

    def __call__(self, values: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        """The results, and the variables' new values, in their order."""
        if len(values) != len(self.variables):
            names = ", ".join(v.name for v in self.variables)
            raise ArgumentError(
                f"{self.owner.name}: got {len(values)} values for {len(self.variables)} variables ({names})."
            )
        given = mapped(_taken, [list(values), list(args), kwargs])
        for value, variable in zip(given[0], self.variables):
            self._check(value, variable)
        leaves = [x for x in flatten(given) if isinstance(x, (Tensor, np.ndarray))]
        with building:
            outputs, prepared = self._program(given)
            program = prepared.program
        if any(isinstance(x, Tensor) for x in leaves):
            tensors = map(as_tensor, leaves)
            new = {
                slot: x if x.dtype == slot.dtype else ops.cast(x, slot.dtype)
                for slot, x in zip(program.inputs, tensors)
            }
            results: list[Any] = written_again(program.instructions, new, program.outputs)
        else:
            with building:
                executable = prepared.on_current()
            results = executable.run(leaves)
        count = len(self.variables)
        return packed_tensors(outputs, results[: len(results) - count]), list(results[len(results) - count :])

    def _check(self, value: Any, variable: Variable) -> None:
        needed = f"a value of shape {variable.shape} for the variable {variable.name}"
        if not isinstance(value, (Tensor, np.ndarray)):
            value = as_array(value) if isinstance(value, (int, float, list)) else value
            if not isinstance(value, np.ndarray) or value.shape != variable.shape:
                raise ArgumentError(f"{self.owner.name}: {needed} is needed; got {shown(value)}.")
        known = len(value.shape) == len(variable.shape)
        if not known or any(a != b for a, b in zip(value.shape, variable.shape) if a is not None):
            raise ShapeError(f"{self.owner.name}: {needed} is needed; got shape {tuple(value.shape)}.")
        if isinstance(value, np.ndarray) and value.dtype.kind not in "biufV":
            raise ArgumentError(f"{self.owner.name}: {needed} is needed; got dtype {value.dtype}.")

    def _program(self, given: Any) -> tuple[Any, OnEngines]:
        key = (outline(given, _kind), trace.learning_phase, *settings.chosen())
        made = self.made.found(key)
        if made is None or made[0].graph.outdated():
            self.made[key] = made = self._made(given)
        traced, prepared = made
        return traced.outputs, prepared

    def _made(self, given: Any) -> tuple[Traced, OnEngines]:
        slots: list[Tensor] = []

        def slot(x: Any) -> Any:
            if not isinstance(x, (Tensor, np.ndarray)):
                return x
            slots.append(Tensor(x.shape, dtypes.standardize(x.dtype)))
            return slots[-1]

        _, args, kwargs = mapped(slot, given)
        slots[: len(self.variables)] = [Tensor(v.shape, v.stored_dtype) for v in self.variables]
        traced = Traced(self.owner, lambda: self.function(*args, **kwargs), slots, self.training)
        start = dict(zip(self.variables, slots))
        mode = Mode(self.training)
        program = Program(slots, traced.tensors, traced.assignments, mode, self.counter, start)
        program.outputs += [program.commits.pop(v, start[v]) for v in self.variables]
        for variable in program.commits:
            if variable is not self.counter:
                raise ArgumentError(
                    f"{self.owner.name}: the call changes {variable.name}, which is none of its variables. If it is made in the call, "
                    "call it once on data before. If a stateful recurrent layer keeps it: with stateful=False and return_state=True "
                    "it takes and gives its state as initial_state."
                )
        return traced, OnEngines(program)


def _taken(x: Any) -> Any:
    """A leaf of the arguments: a variable outside a graph counts as its value, numbers as arrays."""
    if isinstance(x, Variable) and not trace.active:
        return x.value
    if isinstance(x, Tensor):
        return x
    return as_array(x) if isinstance(x, np.generic) or is_array_like(x) else x


def _kind(x: Any) -> Any:
    return (type(x), x.shape, str(x.dtype)) if isinstance(x, (Tensor, np.ndarray)) else key_of(x)


def packed_tensors(structure: Any, values: Sequence[Any]) -> Any:
    """The structure with values in place of its tensors."""
    rest = iter(values)
    return packed(structure, [next(rest) if isinstance(y, Tensor) else y for y in flatten(structure)])
