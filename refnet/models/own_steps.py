"""What becomes of a step that a method writes: a program, made of what the method did with tensors; or the method, batch by batch."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from refnet import engine, metrics
from refnet.annotations import Array
from refnet.eager import Eager, known_tensor
from refnet.errors import ArgumentError, shown
from refnet.graph import Assignment, Mode, Tensor, Variable, as_tensor, trace
from refnet.layers.base import Layer
from refnet.models.batches import Batches
from refnet.models.data import arranged
from refnet.models.steps import slot_for
from refnet.models.traced import Traced
from refnet.structure import flatten, mapped
from refnet.tracing import Call, clock
from refnet.utils.packing import pack_x_y_sample_weight

if TYPE_CHECKING:
    from refnet.models.stepping import Stepping


class TracedStep(Traced):
    """A step's method, called once on tensors. The values it shows are kept in variables, in which the last batch leaves its own.

    Args:
        kind: 'train', 'test' or 'predict'.
        batches: data of the kind that the step is for.
        captured: which layers were trainable at compile.
    Attributes:
        logs: what the step shows, by name: metrics, and these variables.
    """

    def __init__(self, model: "Stepping", kind: str, batches: Batches, captured: dict[Layer, bool]):
        slots = [slot_for(array, f"data_{i}") for i, array in enumerate(batches.arrays)]
        mode = Mode(None, captured)  # a call in the step that leaves `training` open goes the layers' default way
        shown: dict[str, Any] = {}

        def step() -> Any:
            result = call_step(model, kind, batches, slots, mode)
            if kind == "predict":
                return result
            shown.update(result)
            return {name: value for name, value in result.items() if not isinstance(value, metrics.Metric)}

        super().__init__(model, step, slots, None, captured)
        self.logs: dict[str, Any] = {}
        if kind == "predict":
            return
        values, self.outputs = self.outputs, []
        for name in shown:
            if name not in values:
                self.logs[name] = shown[name]
                continue
            kept = _variable_for(values[name], model, name)
            self.logs[name] = kept
            self.assignments.append(Assignment(kept, values[name], (), next(clock)))


def _variable_for(value: Tensor, model: Any, name: str) -> Variable:
    if None in value.shape:
        raise ArgumentError(
            f"{model.name}: the value {name!r} that a step shows has an open shape, {value.shape}; reduce it."
        )
    return Variable(np.zeros(value.shape), dtype=value.dtype, trainable=False, name=f"{model.name}/{name}")


class EagerStep(engine.Executable):
    """A step's method, called for every batch on tensors that have values.

    Args:
        on: the engine that runs the ops.
        kind, batches, captured: as of TracedStep.
    """

    def __init__(self, on: engine.Engine, model: "Stepping", kind: str, batches: Batches, captured: dict[Layer, bool]):
        self.engine, self.model, self.kind, self.batches = on, model, kind, batches.emptied()
        self.mode = Mode(None, captured)
        self.program: Any = self  # what logs and structures are kept under
        self.logs: dict[str, Any] = {}

    def run(self, feeds: Sequence[Any]) -> list[Array]:
        model, given = self.model, self.batches.arrays
        slots = [known_tensor(engine.as_fed(a, like.dtype.name)) for a, like in zip(feeds, given)]
        eager = Eager(self.engine, self.mode, model.run_counter)
        record = Call(model, None, {}, None)
        with trace.inside(call=record, guard=(), training=None, captured=self.mode.trainable, eager=eager):
            result = call_step(model, self.kind, self.batches, slots, self.mode)
            values = mapped(
                lambda y: y if isinstance(y, metrics.Metric) else np.array(eager.read(as_tensor(y))), result
            )
        eager.commit()
        model._structures[self] = values
        if self.kind == "predict":
            return flatten(values)
        for name, value in values.items():
            if not isinstance(value, metrics.Metric):
                value = Variable(value, dtype=value.dtype, trainable=False, name=name)
            self.logs[name] = value
        model._logs[self] = self.logs
        return []


def call_step(model: "Stepping", kind: str, batches: Batches, slots: Sequence[Tensor], mode: Mode) -> Any:
    """Calls a step's method on the data, put together as the user gave them.

    Args:
        kind: 'train', 'test' or 'predict'.
        batches: says how the data were given.
        slots: tensors in the place of its arrays.
        mode: what the step is for.
    Raises:
        ArgumentError: a method that takes more than the data; one of training or evaluation that gives no dict.
    """
    rest, parts = iter(slots), list[Any]()
    for labels, arrays in zip(batches.labels, (batches.inputs, batches.targets, batches.weights)):
        taken = [next(rest) for a in arrays if a is not None]
        parts.append(arranged(labels, taken) if taken else None)
    method, data = getattr(model, f"{kind}_step"), pack_x_y_sample_weight(*parts)
    try:
        inspect.signature(method).bind(data)
    except TypeError as error:
        raise ArgumentError(
            f"{model.name}.{kind}_step is called with the data alone, as step(self, data): {error}. A step for JAX takes a state and gives "
            "it back; here variables change in place: gradients = ops.gradients(loss, self.trainable_variables), then "
            "self.optimizer.apply(gradients, self.trainable_variables)."
        ) from None
    with trace.inside(step=(list(slots), mode)):
        result = method(data)
    if kind != "predict" and not isinstance(result, dict):
        raise ArgumentError(f"{model.name}.{kind}_step must give a dict of values to show; it gave {result!r}.")
    for name, value in result.items() if kind != "predict" else ():
        if not isinstance(value, (metrics.Metric, int, float)) and not hasattr(value, "shape"):
            raise ArgumentError(
                f"{model.name}.{kind}_step: the value {name!r} to show must be a number, a tensor or a metric; it is {shown(value)}."
            )
    return result
