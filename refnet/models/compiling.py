"""From `compile` and the user's arrays to the programs of a model's steps."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from refnet import engine, losses, metrics, optimizers, random, settings
from refnet.errors import ArgumentError, refuse_others
from refnet.graph import Mode, Variable, phase, sorted_nodes, trace
from refnet.keeping import Kept
from refnet.layers.answers import metrics_of
from refnet.layers.base import Layer
from refnet.layers.checks import must_be_initialized
from refnet.layers.weights import undone_on_error
from refnet.metrics import BY_SHAPES as METRICS_BY_SHAPES
from refnet.metrics import Metric
from refnet.metrics import get as metric_named
from refnet.models.batches import Batches
from refnet.models.compiled import Compiled
from refnet.models.functional import Graph
from refnet.models.steps import step_program
from refnet.models.with_data import WithData
from refnet.program import Program
from refnet.structure import flatten, keys
from refnet.tracing import building


class Compilable(WithData):
    """What `compile` and checked data make of a model: one program for each kind of step, kept for the next time."""

    graph: Graph | None
    stop_training: bool
    # Not looked into for the layers that a model holds: there may be hundreds of programs, and another thread may be putting some out.
    _no_layers = Layer._no_layers | {
        "_steps",
        "_executables",
        "_row_shapes",
        "_lean",
        "_traced",
        "_traced_steps",
        "_ran",
    }

    def __init__(self, **more: Any):
        """What a model keeps of `compile`, of its programs and of the training that is going on. There is nothing of it yet."""
        super().__init__(**more)
        # compile
        self.optimizer: Any = None
        self.run_eagerly = False
        self._told: dict[str, Any] | None = None  # the losses and metrics, as they were given
        self._own_loss: Any = None  # what a model of the user's has set `loss` to
        self._extra_losses: list[Any] = []  # of `add_loss` outside of calls, as pairs (loss, guard)
        self._compiled: Compiled | None = None  # what was told, brought to the outputs, once these are known
        self._captured: dict[Layer, bool] = {}  # which layers were trainable
        # Of models inside that are compiled by themselves: the optimizer, and how many steps it had done.
        self._inner_steps: dict[Compilable, tuple[Any, int]] = {}
        # the programs, by kind of step and of data: these may come in any number of shapes
        self._steps = Kept(self._let_go)
        self._executables: dict[Any, Any] = {}  # what engines have made of them
        self._row_shapes = Kept()  # the shapes of a sample's predictions
        self._lean = Kept()  # what `function` knows by engine, shapes and dtypes
        self._seen_at = -1  # by the clock: when it was last looked whether layers were changed
        # of steps that methods write: see `stepping.py`
        self._traced_steps: dict[Any, Any] = {}
        self._logs = WeakKeyDictionary[Any, dict[str, Any]]()  # what such a step shows, by its program
        self._structures = WeakKeyDictionary[Any, Any]()  # how its outputs are put together
        self._step_loss: metrics.Mean | None = None  # the running loss of a model that has no outputs, only steps
        # what training shows
        self._ran: dict[str, Any] = {}  # the program of each kind of step that ran last
        self._resettable: list[Metric] | None = None  # the metrics, looked up once
        self._shown: dict[str, Metric] | None = None  # those that are shown, likewise
        self.history: Any = None
        # where training is
        self.run_counter = Variable(0, dtype="int64", trainable=False, name=f"{self.name}/run_counter")
        self.stop_training = False
        self._resume: tuple[int, int] | None = None  # the epoch and step at which a run that was interrupted goes on
        self._shuffler: random.SeedGenerator | None = None  # draws the epochs' orders
        self._busy: tuple[int, str] | None = None  # the thread that trains or evaluates, and in which method

    # ---- compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        **more: Any,
    ) -> None:
        """Says how to train. Which layers are trainable is read here: changing it later has no effect until the next compile.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, its name or a function (y_true, y_pred); a list or dict (by output name) for several outputs.
            loss_weights: a factor for each output's loss, as a list or dict.
            metrics, weighted_metrics: metrics, names or functions; for several outputs a list or dict of them. Weighted ones
                take the sample weights.
            run_eagerly: whether steps are run op by op, so that a debugger stops in layers and finds values; slow.
            steps_per_execution, jit_compile: of Keras; they change nothing here. Nor does sample_weight_mode="temporal" of Keras 2.
            auto_scale_loss: whether a model with the policy "mixed_float16" gets its optimizer in a LossScaleOptimizer.
        Raises:
            ArgumentError: an unknown name or argument, with the near ones. Nothing is changed then.
        """
        must_be_initialized(self)
        if more.get("sample_weight_mode") in (None, "temporal"):
            more.pop("sample_weight_mode", None)
        refuse_others("compile", Compilable.compile, more)
        chosen = optimizers.get(optimizer)
        for part in flatten(loss):
            if part not in losses.BY_SHAPES:
                losses.get(part)
        for part in flatten([metrics, weighted_metrics]):
            if part is not None and part not in METRICS_BY_SHAPES:
                metric_named(part)
        told = {"loss": loss, "loss_weights": loss_weights, "metrics": metrics, "weighted_metrics": weighted_metrics}
        if self._built_graph is not None:
            Compiled(told, self._output_names, self._keyed_outputs)
        scaled = auto_scale_loss and self.dtype_policy.name == "mixed_float16"
        if scaled and not isinstance(chosen, optimizers.LossScaleOptimizer):
            chosen = optimizers.LossScaleOptimizer(chosen)
        self.optimizer, self._told, self._compiled = chosen, told, None
        self._own_loss = self._own_loss if loss is None else None
        self.run_eagerly = bool(run_eagerly)
        self._captured = {layer: layer.trainable for layer in self._flatten_layers()}
        self._inner_steps = self._steps_of_inner()
        self._forget_steps()

    def _forget_steps(self) -> None:
        """Forgets what was made of the layers and of what `compile` was told: either has changed."""
        self._traced_steps.clear()
        self._forget_programs()

    def _forget_programs(self) -> None:
        """Forgets the programs alone. They are made again of graphs that are kept, in which a seed has changed, for example."""
        self._logs.clear()
        self._structures.clear()
        self._steps.clear()
        self._executables.clear()
        self._row_shapes.clear()
        self._lean.clear()

    @property
    def compiled(self) -> bool:
        return self._told is not None

    @property
    def loss(self) -> Any:
        """What `compile` was given as loss; or what a model of the user's has put here."""
        return self._told["loss"] if self._told is not None and self._own_loss is None else self._own_loss

    @loss.setter
    def loss(self, value: Any) -> None:
        self._own_loss = value

    @property
    def metrics(self) -> list[Metric]:
        """The loss tracker and the metrics, once they exist, and those that layers hold in attributes."""
        layers = [x for x in self._flatten_layers() if x is self or not isinstance(x, Compilable)]
        return list(dict.fromkeys([*self._trackers().values(), *metrics_of(layers)]))

    @property
    def metrics_names(self) -> list[str]:
        return list(self._shown_metrics())

    def _shown_metrics(self) -> dict[str, Metric]:
        """What training and evaluation show, by key: the loss and compile's metrics, and those that layers or the model hold."""
        keys = {metric: key for key, metric in self._trackers().items()}
        return {keys.get(metric, metric.name): metric for metric in self.metrics}

    def _trackers(self) -> dict[str, Metric]:
        if self._compiled is not None:
            return self._compiled.trackers()
        if self._told is None or self._has_call:
            return {}
        if self._step_loss is None:  # of a model that only writes its steps: a step may update it
            self._step_loss = metrics.Mean("loss")
        return {"loss": self._step_loss}

    def reset_metrics(self) -> None:
        """Sets the loss tracker and the metrics back to their beginning."""
        known = self._resettable  # read once: a predict in another thread may forget them meanwhile
        if known is None:
            known = self._resettable = list(self.metrics)
        for metric in known:
            metric.reset_state()

    def _must_be_compiled(self, method: str) -> None:
        if self._told is None:
            raise ArgumentError(
                f"{self.name} must be compiled before {method}: call model.compile(optimizer=..., loss=..., metrics=[...])."
            )

    def _compiled_for(self, outputs: Any = None) -> Compiled:
        """What `compile` was told, for the model's outputs; for these, where only a step of its own knows any."""
        if self._compiled is None and outputs is not None and self._built_graph is None:
            keyed = isinstance(outputs, dict)
            names = keys(outputs) if keyed else [f"output_{i + 1}" for i in range(len(flatten(outputs)))]
            self._compiled = Compiled(self._told or {}, names, keyed, keyed)
        if self._compiled is None:
            named = self.graph is not None or self._keyed_outputs
            self._compiled = Compiled(self._told or {}, self._output_names, self._keyed_outputs, named)
        return self._compiled

    @contextmanager
    def _preparing(self) -> Iterator[None]:
        """One thread at a time. If the model is not built yet and something is wrong with the call that would build it, it stays unbuilt."""
        with building:
            changing: list[Any] = []
            if self._built_graph is None:  # the optimizer's states are those of weights that would go
                changing = [*self._flatten_layers(), *_optimizers_in(self.optimizer)]
            with undone_on_error(changing):
                yield

    @contextmanager
    def _alone(self, method: str) -> Iterator[None]:
        """Refuses a second thread: both would add to the same metrics. The same thread may enter again, from a callback."""
        me = threading.get_ident()
        with building:
            before = self._busy
            if before is not None and before[0] != me:
                raise ArgumentError(
                    f"{method}: {self.name} is in another thread's {before[1]}, whose metrics it would change. "
                    "Wait for it, or use a model of the thread's own; predict may be called at any time."
                )
            self._busy = before or (me, method)
        try:
            yield
        finally:
            self._busy = before

    # ---- programs

    def _executable(self, kind: str, batches: Batches) -> Any:
        """The current engine's executable for one kind of step on such data; made once."""
        graph = self._graph_for(batches)
        key = (kind, batches.key, graph, trace.learning_phase, *settings.chosen())
        program = self._steps.found(key)
        if program is None:
            self._resettable = self._shown = None
            program = self._steps[key] = self._program(kind, graph, batches)
            self._warn_of_open_training(kind, graph)
        return self._prepared_on_current(program)

    def _program(self, kind: str, graph: Graph, batches: Batches) -> Program:
        """The program of a step that no method of the model's own writes."""
        mode, counter = Mode(self._told_training(kind).get("training"), self._captured_layers()), self.run_counter
        if kind == "predict":
            return Program(graph.inputs, graph.outputs, graph.assignments, mode, counter)
        optimizer = self.optimizer if kind == "train" else None
        return step_program(graph, batches, self._compiled_for(), optimizer, self._extra_losses, mode, counter)

    def _prepared_on_current(self, program: Any) -> Any:
        current = engine.current_engine()
        made = self._executables.get((current, program))
        if made is None:
            made = self._executables[current, program] = current.prepare(program)
        return made

    def _let_go(self, key: Any, program: Any) -> None:
        """Forgets what was made of a program that is kept no longer. Who runs it holds it."""
        self._traced_steps.pop(key, None)
        for made in [made for made in self._executables if made[1] is program]:
            del self._executables[made]

    def _told_training(self, kind: str) -> dict[str, bool]:
        """What a step hands to the model's call: `training`, if that takes it, as in Keras 3; else layers inside go their default way."""
        return {"training": kind == "train"} if "training" in self.call_parameters() else {}

    def _warn_of_open_training(self, kind: str, graph: Graph) -> None:
        """Says which layers fit runs as in inference because the model's `call` does not hand `training` on."""
        if kind != "train" or self._told_training(kind):
            return
        phases = [node for node in sorted_nodes(graph.outputs) if node.op is phase]
        conditions = [(node.call.layer.name, node.attributes["condition"]) for node in phases if node.call]
        idle = list(dict.fromkeys(name for name, c in conditions if c.training is None and not c.default))
        if idle:
            warnings.warn(
                f"{self.name}: `call` of {type(self).__name__} has no argument `training`, so fit runs {', '.join(idle)} "
                "as in inference, as Keras 3 does. Write `def call(self, inputs, training=None)`, and hand it on.",
                stacklevel=2,
            )

    def _captured_layers(self) -> dict[Layer, bool]:
        """Which of the layers were trainable at compile; of those that `call` or a deferred build made later, what they are."""
        layers = dict.fromkeys(self._flatten_layers())
        for layer in layers:
            self._captured.setdefault(layer, layer.trainable)
        if not self.compiled:
            return {layer: layer.trainable for layer in layers}
        return {layer: on for layer, on in self._captured.items() if layer in layers}  # one may have been popped since

    def _steps_of_inner(self) -> "dict[Compilable, tuple[Any, int]]":
        """The models inside that are compiled by themselves, each with its optimizer and how many steps that has done."""
        inner = [x for x in self._flatten_layers() if isinstance(x, Compilable) and x is not self]
        return {model: (model.optimizer, int(model.optimizer.iterations)) for model in inner if model.compiled}

    def _trained_alone(self) -> set[Layer]:
        """The layers that models inside have trained by themselves since compile, as a discriminator is beside its generator."""
        found: set[Layer] = set()
        for model, (optimizer, steps) in self._steps_of_inner().items():
            before, first = self._inner_steps.get(model, (None, 0))
            if steps > (first if optimizer is before else 0):
                found.update(layer for layer, on in model._captured_layers().items() if on)
        return found

    def _results(self, kind: str, prefix: str = "") -> dict[str, float]:
        """The values to show now, by name: the metrics', or what a step of the model's own of this kind showed last."""
        known = self._shown  # read once: a predict in another thread may forget them meanwhile
        if known is None:
            known = self._shown = self._shown_metrics()
        ran = self._ran.get(kind)
        shown = known if ran is None else self._logs.get(ran, known)
        values: dict[str, Any] = {}
        for key, x in shown.items():
            value = x.numpy() if isinstance(x, Variable) else x.result()
            values.update(value if isinstance(value, dict) else {key: value})
        return {prefix + key: float(v) if np.ndim(v) == 0 else v for key, v in values.items()}


def _optimizers_in(optimizer: Any) -> list[optimizers.Optimizer]:
    """An optimizer, and those that it hands gradients to."""
    held = [optimizer]
    for value in [] if optimizer is None else vars(optimizer).values():
        # not by `flatten`, which sorts keys: those of a dict of states are variables
        held += value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
    return [x for x in held if isinstance(x, optimizers.Optimizer)]
