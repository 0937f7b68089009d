"""Steps that a subclass may write itself: train_step, test_step, predict_step, compute_loss, compute_metrics.

A model that overrides none of them has its steps written by `steps.py`. Else the method is called on tensors, and what it does is the
step (`own_steps.py`). What a method here does not override it shares with `steps.py`: the terms of the loss, their sum, which metric
takes what.
"""

import inspect
from collections.abc import Sequence
from typing import Any

from refnet import engine, ops, settings
from refnet.errors import ArgumentError, without_tape
from refnet.gradients import gradients
from refnet.graph import Mode, Tensor, as_tensor, trace
from refnet.layers.replaceable import Replaceable
from refnet.models.batches import Batches
from refnet.models.compiling import Compilable
from refnet.models.functional import Graph
from refnet.models.own_steps import EagerStep, TracedStep
from refnet.models.steps import loss_terms, mean_updates, scalar, total_loss, trained_variables
from refnet.structure import flatten
from refnet.tracing import building
from refnet.utils.packing import unpack_x_y_sample_weight

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
    """The part of a model whose steps are methods, which a subclass may override."""

    graph: Graph | None
    _seen_inputs: Any  # of a subclass: tensors like those of its first call

    zero_grad = property(without_tape)

    # ---- what a subclass may override

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training, written with ops: forward, loss, gradients, update, metrics.

            x, y, sample_weight = utils.unpack_x_y_sample_weight(data)
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
            gradients = ops.gradients(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            return self.compute_metrics(x, y, y_pred, sample_weight)

        Args:
            data: (x, y, sample_weight) as far as they were given, or x alone; tensors, built as the user gave them.
        Returns:
            The values to show, by name.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, **self._told_training("train"))
        loss = self._loss_of_step("train", x, y, y_pred, sample_weight)
        variables = trained_variables(self._captured_layers())
        self.optimizer.updates_of_fit(variables, gradients(self.optimizer.scale_loss(loss), variables))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of evaluation: see train_step."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, **self._told_training("test"))
        self._loss_of_step("test", x, y, y_pred, sample_weight)
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
        targets, outputs = [] if y is None else flatten(y), flatten(y_pred)
        if y is not None:
            compiled.choose_losses([target.shape for target in targets], [output.shape for output in outputs])
        samples = _samples(targets if x is None else x) if any(compiled.loss_trackers) else None
        terms, _ = loss_terms(compiled, targets, outputs, _one_for_each(targets, sample_weight), samples)
        terms += self._added_losses(x, outputs, training)
        return total_loss(terms, trained_variables(self._captured_layers()), minimised=training)

    def _loss_of_step(self, kind: str, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Tensor:
        """What `compute_loss` gives, which the metric "loss" gets too. Raises ArgumentError if it is not one number."""
        found = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **self._told_loss(kind))
        if found is None:
            raise ArgumentError(f"{self.name}.compute_loss must give the loss of a batch, one number; it gave None.")
        loss = as_tensor(found)
        if loss.shape:
            raise ArgumentError(
                f"{self.name}.compute_loss must give one number; it gave shape {tuple(loss.shape)}. Reduce it: ops.mean(loss)."
            )
        self._track(loss, x)
        return loss

    def _added_losses(self, x: Any, outputs: list[Tensor], training: bool) -> list[Tensor]:
        """What the layers on the way to the outputs added, and what `model.add_loss` was given.

        The way begins at the data of the step; outside of a step at x.
        """
        if not all(isinstance(y, Tensor) for y in outputs):
            return []  # arrays: nobody knows which calls they came from
        if trace.step is not None:
            begins, mode = trace.step
        else:
            begins, mode = [t for t in flatten(x) if isinstance(t, Tensor)], Mode(training, self._captured_layers())
        added = [scalar(loss) for loss, guard in Graph(begins, outputs).losses if mode.holds(guard)]
        own = self._built_graph
        if self._extra_losses and own is not None:
            whole = Graph(own.inputs, [loss for loss, _ in self._extra_losses])
            added += [scalar(loss) for loss in whole.copy(flatten(x), mode.training)]
        return added

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Takes a batch into the metrics that `compile` was told of. Gives all values so far, by name."""
        compiled = self._compiled_for(y_pred)
        if y is not None:
            targets, outputs = flatten(y), flatten(y_pred)
            compiled.make_metrics(targets, outputs)
            weights = _one_for_each(targets, sample_weight)
            for metric, taken, more in compiled.metrics_for(targets, outputs, weights):
                metric.update_state(*taken, **more)
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
        """Takes a batch's loss into the metric "loss"; x says how many samples it is of."""
        mean_updates(self._compiled_for().loss_tracker, loss, _samples(x))

    # ---- which steps are methods of the model's own

    def _overrides(self, *methods: str) -> bool:
        """Whether a subclass has one of these methods of its own."""
        return any(getattr(type(self), name) is not getattr(Stepping, name) for name in methods)

    def _own_step(self, kind: str) -> bool:
        """Whether a step is the methods' and not the one that `steps.py` writes."""
        return self.run_eagerly or self._overrides(*_PARTS[kind])

    def _shown_names(self) -> list[str] | None:
        """The names of the values that training and evaluation show; None if steps of the model's own say so only when they run."""
        return None if self._own_step("train") or self._own_step("test") else self.metrics_names

    @property
    def _own_targets(self) -> bool:
        return self._overrides("train_step", "test_step", "compute_loss")

    def _beside_call(self, method: str, inputs: Sequence[Any]) -> bool:
        training = method in ("train", "fit", "train_on_batch")
        kind = "predict" if "predict" in method else "train" if training else "test"
        if not self._overrides(f"{kind}_step"):
            return False
        taken = self.graph.inputs if self.graph is not None else flatten(self._seen_inputs)
        ranks = [len(x.shape) for x in taken if x is not None]
        found = [array.ndim for array in inputs]
        # `call` takes an array whose last axis of 1 is left out, too
        near = len(ranks) == len(found) and all(a in (b, b - 1) for a, b in zip(found, ranks))
        return bool(ranks) and not near

    def _told_loss(self, kind: str) -> dict[str, bool]:
        """What a step hands to `compute_loss` beside the tensors: `training`, if that takes it, as in Keras 3."""
        taken = inspect.signature(self.compute_loss).parameters.values()
        told = any(p.name == "training" or p.kind is inspect.Parameter.VAR_KEYWORD for p in taken)
        return {"training": kind == "train"} if told else {}

    # ---- and how these become executables

    def _executable(self, kind: str, batches: Batches) -> Any:
        with building:  # another thread's prediction may put out what this one has just found
            self._renew()
            if not self._own_step(kind):
                return super()._executable(kind, batches)
            if self._has_call and not self._beside_call(kind, batches.inputs):
                self._make_outputs(kind, batches)
            key = (kind, batches.key, batches.arrangement, trace.learning_phase, *settings.chosen())
            return (self._eager_step if self.run_eagerly else self._traced_step)(key, kind, batches)

    def _make_outputs(self, kind: str, batches: Batches) -> None:
        """Builds the model if it is not built yet, and the metrics of its outputs: a step may ask for either."""
        outputs = self._graph_for(batches).outputs
        if kind != "predict" and len(outputs) == len(batches.targets):
            self._compiled_for().make_metrics(batches.targets, outputs)

    def _eager_step(self, key: Any, kind: str, batches: Batches) -> EagerStep:
        """The method itself, as an executable of the current engine."""
        current = engine.current_engine()
        if (current, key) not in self._executables:
            self._resettable = self._shown = None
            self._executables[current, key] = EagerStep(current, self, kind, batches, self._captured_layers())
        step: EagerStep = self._executables[current, key]
        return step

    def _traced_step(self, key: Any, kind: str, batches: Batches) -> Any:
        """What the current engine has made of the method's program."""
        program = self._steps.found(key)
        if program is None:
            self._resettable, self._shown, captured = None, None, self._captured_layers()
            if key not in self._traced_steps:
                self._traced_steps[key] = TracedStep(self, kind, batches, captured)
            traced = self._traced_steps[key]
            program = self._steps[key] = traced.program(self.run_counter, Mode(None, captured))
            self._structures[program], self._logs[program] = traced.outputs, traced.logs
        return self._prepared_on_current(program)


def _samples(x: Any) -> Tensor:
    """The number of samples in a batch, given the batch or a list of its parts."""
    samples: Tensor = as_tensor(ops.cast(ops.shape(flatten(x)[0])[0], "float32"))
    return samples


def _one_for_each(targets: list[Any], sample_weight: Any) -> list[Any]:
    """The sample weights of each target: one for all, or one for each; an empty list if there are none."""
    given = [] if sample_weight is None else flatten(sample_weight)
    return [given[min(i, len(given) - 1)] for i in range(len(targets))] if given else []
