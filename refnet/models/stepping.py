"""Steps that a subclass may write itself: train_step, test_step, predict_step, compute_loss, compute_metrics.

A model that overrides none of them has its steps written by `steps.py`. Else the method is called once, on tensors, and what it does
is the step's program; under run_eagerly=True it is called for every batch, on tensors that have values.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import engine, metrics, ops, settings
from refnet.annotations import Array
from refnet.eager import Eager, known_tensor
from refnet.errors import ArgumentError, without_tape
from refnet.gradients import gradients
from refnet.graph import Assignment, Mode, Tensor, Variable, as_tensor, trace
from refnet.layers.first_edition import Replaceable
from refnet.models.batches import Batches
from refnet.models.compiling import Compilable
from refnet.models.data import arranged
from refnet.models.functional import Graph
from refnet.models.steps import mean_updates, scalar, total_of, trained_variables
from refnet.models.traced import Traced
from refnet.structure import flatten, mapped
from refnet.tracing import Call, building, clock
from refnet.utils.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight

_PARTS = {
    "train": ("train_step", "compute_loss", "compute_metrics"),
    "test": ("test_step", "compute_loss", "compute_metrics"),
    "predict": ("predict_step",),
}


class CompiledMetrics:
    """`model.compiled_metrics` of Keras 2: the metrics that `compile` was told of, as one that a step hands a batch to."""

    def __init__(self, model: "Stepping"):
        self._model = model

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes a batch in, as `compute_metrics` does."""
        self._model.compute_metrics(None, y_true, y_pred, sample_weight)


class Stepping(Compilable):
    """The steps as methods."""

    graph: Graph | None
    _seen_inputs: Any  # of a subclass: tensors like those of its first call

    zero_grad = property(without_tape)

    # ---- what a subclass may override

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training, written with ops: forward, loss, gradients, update, metrics.

            x, y, sample_weight = utils.unpack_x_y_sample_weight(data)
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
            slopes = ops.gradients(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(slopes, self.trainable_variables))
            return self.compute_metrics(x, y, y_pred, sample_weight)

        Args:
            data: (x, y, sample_weight) as far as they were given, or x alone; tensors, built as the user gave them.
        Returns:
            The values to show, by name.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, **self._told_training("train"))
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **self._told_loss("train"))
        self._track(loss, x)
        variables = trained_variables(self._captured_layers())
        self.optimizer.updates_of_fit(variables, gradients(self.optimizer.scale_loss(loss), variables))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of evaluation: see train_step."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, **self._told_training("test"))
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **self._told_loss("test"))
        self._track(loss, x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """One step of prediction: the outputs for a batch."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, **self._told_training("predict"))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The total loss of a batch: what `compile` was told, what layers added, and the regularizers.

        Args:
            x, y, y_pred, sample_weight: tensors, or lists or dicts of them, in the model's order.
            training: whether it is to be minimised.
        """
        compiled = self._compiled_for(y_pred)
        outputs, weights = flatten(y_pred), [] if sample_weight is None else flatten(sample_weight)
        terms: list[Tensor] = []
        if y is not None:
            compiled.choose_losses([t.shape for t in flatten(y)], [t.shape for t in outputs])
        for i, target in enumerate([] if y is None else flatten(y)):
            loss, tracker, factor = compiled.losses[i], compiled.loss_trackers[i], compiled.factors[i]
            if loss is None:
                continue
            value = scalar(loss(target, outputs[i], weights[min(i, len(weights) - 1)] if weights else None))
            if tracker is not None:
                mean_updates(tracker, value, _samples(x if x is not None else target))
            terms.append(value if factor is None else ops.multiply(value, factor))
        terms += self._added_losses(x, outputs, training)
        variables = trained_variables(self._captured_layers())
        terms += [as_tensor(v.regularizer(v)) for v in variables if v.regularizer is not None]
        return total_of(terms, training)

    def _added_losses(self, x: Any, outputs: list[Tensor], training: bool) -> list[Tensor]:
        """What the layers on the way to the outputs added, and what `model.add_loss` was given."""
        given, mode = trace.step or (
            [t for t in flatten(x) if isinstance(t, Tensor)],
            Mode(training, self._captured_layers()),
        )
        if not all(isinstance(y, Tensor) for y in outputs):
            return []  # arrays: nobody knows which calls they came from
        held = Graph(given, outputs).losses
        added = [scalar(loss) for loss, guard in held if mode.holds(guard)]
        own = self._built_graph
        if self._extra_losses and own is not None:
            whole = Graph(own.inputs, [loss for loss, _ in self._extra_losses])
            added += [scalar(loss) for loss in whole.copy(flatten(x), mode.training)]
        return added

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Takes a batch into the metrics that `compile` was told of. Gives all values so far, by name."""
        compiled, weights = self._compiled_for(y_pred), [] if sample_weight is None else flatten(sample_weight)
        if y is not None:
            targets, outputs = flatten(y), flatten(y_pred)
            compiled.make_metrics(targets, outputs)
            for i, (target, output) in enumerate(zip(targets, outputs)):
                for metric in (compiled.metrics or [])[i]:
                    metric.update_state(target, output)
                for metric in (compiled.weighted_metrics or [])[i]:
                    metric.update_state(
                        target, output, sample_weight=weights[min(i, len(weights) - 1)] if weights else None
                    )
        return self.get_metrics_result()

    def compiled_loss(self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None) -> Any:
        """`compute_loss` as steps for Keras 2 call it. The metric "loss" gets the value too; regularizers are part of it anyway."""
        loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
        self._track(loss, y)
        return loss

    compiled_metrics = Replaceable(lambda self: CompiledMetrics(self))

    def get_metrics_result(self) -> dict[str, Any]:
        """The values of all metrics so far, by name. In a step they are tensors."""
        results = {name: (metric, metric.result()) for name, metric in self._shown_metrics().items()}
        if trace.call is None:
            return {name: value for name, (_, value) in results.items()}
        return {name: value if isinstance(value, Tensor) else metric for name, (metric, value) in results.items()}

    def _track(self, loss: Tensor, x: Any) -> None:
        mean_updates(self._compiled_for().loss_tracker, loss, _samples(x))

    # ---- and how they become programs

    def _shown_names(self) -> list[str] | None:
        """The names of the values that training and evaluation show; None if steps of the model's own say so only when they run."""
        return None if self._own_step("train") or self._own_step("test") else self.metrics_names

    def _own_step(self, kind: str) -> bool:
        """Whether a step is the methods' and not the one that `steps.py` writes."""
        parts = [getattr(type(self), name) is not getattr(Stepping, name) for name in _PARTS[kind]]
        return self.run_eagerly or any(parts)

    def _beside_call(self, method: str, inputs: Sequence[Any]) -> bool:
        training = method in ("train", "fit", "train_on_batch")
        kind = "predict" if "predict" in method else "train" if training else "test"
        if getattr(type(self), f"{kind}_step") is getattr(Stepping, f"{kind}_step"):
            return False
        taken = self.graph.inputs if self.graph is not None else flatten(self._seen_inputs)
        ranks = [len(x.shape) for x in taken if x is not None]
        found = [array.ndim for array in inputs]
        near = len(ranks) == len(found) and all(a in (b, b - 1) for a, b in zip(found, ranks))
        return bool(ranks) and not near

    @property
    def _own_targets(self) -> bool:
        parts = ("train_step", "test_step", "compute_loss")
        return any(getattr(type(self), name) is not getattr(Stepping, name) for name in parts)

    def _executable(self, kind: str, batches: Batches) -> Any:
        with building:  # another thread's prediction may put out what this one has just found
            self._renew()
            return self._own_executable(kind, batches) if self._own_step(kind) else super()._executable(kind, batches)

    def _own_executable(self, kind: str, batches: Batches) -> Any:
        """The executable of a step that a method writes."""
        if self._has_call and not self._beside_call(kind, batches.inputs):
            outputs = self._graph_for(batches).outputs
            if kind != "predict" and len(outputs) == len(batches.targets):
                self._compiled_for().make_metrics(batches.targets, outputs)
        current = engine.current_engine()
        key = (kind, batches.key, batches.arrangement, trace.learning_phase, *settings.chosen())
        if self.run_eagerly:
            if (current, key) not in self._executables:
                self._resettable = self._shown = None
                self._executables[current, key] = EagerStep(current, self, kind, batches, self._captured_layers())
            return self._executables[current, key]
        program = self._steps.found(key)
        if program is None:
            self._resettable, self._shown, captured = None, None, self._captured_layers()
            if key not in self._traced_steps:
                self._traced_steps[key] = self._traced_step(kind, batches, captured)
            traced = self._traced_steps[key]
            program = self._steps[key] = traced.program(self.run_counter, Mode(None, captured))
            self._structures[program], self._logs[program] = traced.outputs, traced.logs
        return self._prepared_on_current(program)

    def _traced_step(self, kind: str, batches: Batches, captured: Any) -> "TracedStep":
        slots = [Tensor((None, *a.shape[1:]), a.dtype, name=f"data_{i}") for i, a in enumerate(batches.arrays)]
        return TracedStep(self, kind, batches, slots, captured)

    def _told_loss(self, kind: str) -> dict[str, bool]:
        """What a step hands to `compute_loss` beside the tensors: `training`, if that takes it, as in Keras 3."""
        taken = inspect.signature(self.compute_loss).parameters.values()
        told = any(p.name == "training" or p.kind is inspect.Parameter.VAR_KEYWORD for p in taken)
        return {"training": kind == "train"} if told else {}

    def _call_step(self, kind: str, batches: Batches, slots: Sequence[Tensor], mode: Mode) -> Any:
        """Calls the step's method on the data, put together as the user gave them."""
        rest = iter(slots)
        parts = []
        for labels, arrays in zip(batches.labels, (batches.inputs, batches.targets, batches.weights)):
            taken = [next(rest) for a in arrays if a is not None]
            parts.append(arranged(labels, taken) if taken else None)
        method, data = getattr(self, f"{kind}_step"), pack_x_y_sample_weight(*parts)
        try:
            inspect.signature(method).bind(data)
        except TypeError as error:
            raise ArgumentError(
                f"{self.name}.{kind}_step is called with the data alone, as step(self, data): {error}. A step for JAX takes a state and gives "
                "it back; here variables change in place: slopes = ops.gradients(loss, self.trainable_variables), then "
                "self.optimizer.apply(slopes, self.trainable_variables)."
            ) from None
        with trace.inside(step=(list(slots), mode)):
            result = method(data)
        if kind != "predict" and not isinstance(result, dict):
            raise ArgumentError(f"{self.name}.{kind}_step must give a dict of values to show; it gave {result!r}.")
        return result


def _samples(x: Any) -> Tensor:
    samples: Tensor = as_tensor(ops.cast(ops.shape(flatten(x)[0])[0], "float32"))
    return samples


class TracedStep(Traced):
    """A step's method, called once on tensors; the values it shows are kept in variables, which the last batch leaves."""

    def __init__(self, model: Stepping, kind: str, batches: Batches, slots: list[Tensor], captured: Any):
        mode = Mode(None, captured)  # a call in the step that leaves `training` open goes the layers' default way
        self.logs: dict[str, Any] = {}
        shown: dict[str, Any] = {}

        def step() -> Any:
            result = model._call_step(kind, batches, slots, mode)
            if kind == "predict":
                return result
            shown.update(result)
            return {name: value for name, value in result.items() if not isinstance(value, metrics.Metric)}

        super().__init__(model, step, slots, None, captured)
        if kind == "predict":
            return
        values, self.outputs = self.outputs, []
        for name in shown:
            if name not in values:
                self.logs[name] = shown[name]
                continue
            kept = _kept(model, name, values[name])
            self.logs[name] = kept
            self.assignments.append(Assignment(kept, values[name], (), next(clock)))


def _kept(model: Any, name: str, value: Tensor) -> Variable:
    if None in value.shape:
        raise ArgumentError(
            f"{model.name}: the value {name!r} that a step shows has an open shape, {value.shape}; reduce it."
        )
    return Variable(np.zeros(value.shape), dtype=value.dtype, trainable=False, name=f"{model.name}/{name}")


class EagerStep(engine.Executable):
    """A step's method, called for every batch on tensors that have values."""

    def __init__(self, on: engine.Engine, model: Stepping, kind: str, batches: Batches, captured: Any):
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
            result = model._call_step(self.kind, self.batches, slots, self.mode)
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
