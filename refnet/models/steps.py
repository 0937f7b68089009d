"""One step as one program: forward, loss, gradients, regularizers, optimizer and metric updates."""

from functools import reduce
from typing import Any

import numpy as np

from refnet import dtypes, losses, metrics, ops
from refnet.annotations import Array, Shape
from refnet.errors import ArgumentError, did_you_mean
from refnet.gradients import reverse
from refnet.graph import Assignment, Mode, Tensor, Variable, as_tensor, assignment, trace
from refnet.layers.base import Layer
from refnet.layers.returned import identity_op
from refnet.models.functional import Graph
from refnet.models.outputs import warn_of_no_slope, warn_of_outputs
from refnet.program import Program


class Compiled:
    """What `compile` was told, brought to one entry per output of the model.

    Attributes:
        names: of the outputs.  keyed: whether these are the keys of a dict of outputs; then the losses are shown in the order of
            the dict that compile was given, as Keras does it.
        named: whether logs name the outputs. Those of a subclass that are no dict have no name in Keras: there a loss is shown by its
            own name, metrics without a name before theirs.
        losses: a Loss or None per output.  factors: their loss_weights.
        loss_trackers: for several losses a Mean each, else None.
        metrics, weighted_metrics: a list of metrics per output.
    """

    def __init__(self, told: dict[str, Any], names: list[str], keyed: bool = False, named: bool = True):
        self.names, self.named = names, named or len(names) == 1
        wanted = per_output("loss", told["loss"], names, spread=True)
        self.losses: list[Any] = [loss if loss in losses.BY_SHAPES else losses.as_loss(loss) for loss in wanted]
        self.factors = per_output("loss_weights", told["loss_weights"], names, spread=False)
        several = sum(loss is not None for loss in self.losses) > 1
        self.loss_tracker = metrics.Mean("loss")
        self.loss_trackers = [
            metrics.Mean(f"{name if named else getattr(loss, 'name', loss)}_loss")
            if several and loss is not None
            else None
            for name, loss in zip(names, self.losses)
        ]
        self._told = told
        self._shown_first = list(told["loss"]) if keyed and isinstance(told["loss"], dict) else names
        self.metrics: list[list[metrics.Metric]] | None = None
        self.weighted_metrics: list[list[metrics.Metric]] | None = None

    def _without_use(self) -> list[bool]:
        """Which outputs need no target: they have neither a loss nor a metric. The only one of a model needs one."""
        if len(self.names) == 1:
            return [False]
        told = [
            per_output(word, self._told[word], self.names, spread=False) for word in ("metrics", "weighted_metrics")
        ]
        return [loss is None and not any(parts) for loss, *parts in zip(self.losses, *told)]

    def names_of_targets(self, given: dict[str, Any]) -> list[str]:
        """The outputs for which a dict of targets has to have one, and those for which it has one all the same."""
        return [name for name, idle in zip(self.names, self._without_use()) if name in given or not idle]

    def filled_up(self, targets: dict[str, Array]) -> dict[str, Array]:
        """Targets for all outputs, by label: where there is one for each that needs one, the others get zeros that nobody reads."""
        if len(targets) >= len(self.names):
            return targets
        idle = self._without_use()
        rest = list(targets.values())
        unread = np.zeros((len(rest[0]), 1), dtypes.as_numpy(dtypes.floatx()))
        labels = [f"y[{name!r}]" for name in self.names]
        if any(label in targets for label in labels):
            return {label: targets.get(label, unread) for label in labels}
        if len(targets) != len(self.names) - sum(idle):
            return targets
        return {f"y[{i}]": unread if without else rest.pop(0) for i, without in enumerate(idle)}

    def choose_losses(self, targets: list[Shape], outputs: list[Shape]) -> None:
        """Puts the crossentropy that fits in the place of "crossentropy", once the shapes are known."""
        self.losses = [
            losses.crossentropy_for(loss, target, output) if loss in losses.BY_SHAPES else loss
            for loss, target, output in zip(self.losses, targets, outputs)
        ]

    def make_metrics(self, targets: list[Any], outputs: list[Tensor]) -> None:
        """The metric objects, once the shapes are known that say which accuracy is meant."""
        if self.metrics is not None:
            return
        made = []
        for word in ("metrics", "weighted_metrics"):
            if len(self.names) == 1:
                wanted = [_of_the_one_output(self._told[word])]
                if isinstance(wanted[0], dict):
                    wanted = per_output(word, wanted[0], self.names, spread=False)
            else:
                wanted = per_output(word, self._told[word], self.names, spread=False)
            made.append([self._made(*entry) for entry in zip(wanted, targets, outputs)])
        self.metrics, self.weighted_metrics = made

    def _made(self, wanted: Any, target: Any, output: Tensor) -> list[metrics.Metric]:
        entries = [] if wanted is None else list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        return [metrics.as_metric(entry, target.shape, output.shape) for entry in entries if entry is not None]

    def trackers(self) -> dict[str, metrics.Metric]:
        """Every metric by the key it has in logs: loss, the outputs' losses, the others; of several outputs, as Keras does, by name.

        Where outputs have no name their losses come last.
        """
        found: dict[str, metrics.Metric] = {"loss": self.loss_tracker}
        parts = [self.loss_trackers[self.names.index(name)] for name in self._shown_first]
        if self.named:
            found.update({tracker.name: tracker for tracker in parts if tracker is not None})
        for group, weighted in ((self.metrics or [], False), (self.weighted_metrics or [], True)):
            for name, members in zip(self.names, group):
                for metric in members:
                    output = f"{name}_" if self.named and len(self.names) > 1 else ""
                    key = f"{output}{metric.name}"
                    if weighted and key in found:
                        key = f"{output}weighted_{metric.name}"
                    found[_free(key, found)] = metric
        if not self.named:
            for tracker in parts:
                if tracker is not None:
                    found[_free(tracker.name, found)] = tracker
        if len(self.names) == 1 or not self.named:
            return found
        first = [key for key, metric in found.items() if metric is self.loss_tracker or metric in self.loss_trackers]
        return {key: found[key] for key in [*first, *sorted(found.keys() - set(first))]}


def _free(key: str, taken: dict[str, Any]) -> str:
    """The key, with a number behind it if it is taken."""
    stem, number = key, 1
    while key in taken:
        key, number = f"{stem}_{number}", number + 1
    return key


def _of_the_one_output(told: Any) -> Any:
    """What a model with one output was told; told in a list of lists, as where there are several, the one inside."""
    nested = isinstance(told, (list, tuple)) and len(told) == 1 and isinstance(told[0], (list, tuple))
    return told[0] if nested else told


def per_output(word: str, told: Any, names: list[str], spread: bool) -> list[Any]:
    """An argument of compile as one entry per output: given once, as a list, or as a dict by the outputs' names."""
    if isinstance(told, dict) and "class_name" not in told:
        for key in told:
            if key not in names:
                raise ArgumentError(f"compile: {word} names an output {key!r}.{did_you_mean(key, names)}")
        return [told.get(name) for name in names]
    if isinstance(told, (list, tuple)):
        if len(told) != len(names):
            raise ArgumentError(
                f"compile: {word} has {len(told)} entries; the model has {len(names)} outputs ({', '.join(names)})."
            )
        return list(told)
    return [told] * len(names) if spread or told is None or len(names) == 1 else _unclear(word, names)


def _unclear(word: str, names: list[str]) -> list[Any]:
    raise ArgumentError(
        f"compile: with several outputs {word} is a list or a dict with an entry for each of {', '.join(names)}."
    )


def seen_through(y: Tensor) -> Tensor:
    """What a call returned, without the nodes that only mark that it did: losses look for the softmax behind."""
    while y.node is not None and y.node.op is identity_op:
        y = y.node.inputs[0]
    return y


def step_program(
    kind: str,
    graph: Graph,
    captured: dict[Layer, bool],
    counter: Variable,
    extra_losses: list[Any],
    compiled: Compiled | None = None,
    optimizer: Any = None,
    targets: list[Array] | None = None,
    weights: list[Array | None] | None = None,
    training: bool | None = None,
) -> Program:
    """The program of one batch.

    Args:
        kind: 'train', 'test' or 'predict'.
        captured: which layers were trainable at compile.
        targets: an array for each output (its shape and dtype count); its input follows the model's.
        weights: a sample weight (or None) for each output; the inputs of those that are arrays come last.
        training: what layers are told that the model's call left open; None for their defaults.
    """
    mode = Mode(training, captured)
    if kind == "predict" or compiled is None:
        return Program(graph.inputs, graph.outputs, graph.assignments, mode, counter)
    with trace.inside(call=None, guard=(), training=None):
        slots = [_slot(a, f"target_{i}") for i, a in enumerate(targets or [])]
        weight_slots = [None if a is None else _slot(a, f"sample_weight_{i}") for i, a in enumerate(weights or [])]
        outputs = [seen_through(y) for y in graph.outputs]
        compiled.make_metrics(slots or [as_tensor(y) for y in graph.outputs], outputs)
        size = ops.cast(ops.shape(graph.inputs[0])[0], "float32")
        terms, tracked = _terms_of_outputs(kind, compiled, graph, slots, weight_slots, size)
        terms += [scalar(loss) for loss, guard in graph.losses + extra_losses if mode.holds(guard)]
        variables = trained_variables(captured)
        terms += [as_tensor(v.regularizer(v)) for v in variables if v.regularizer is not None]
        total = total_of(terms, kind == "train")
        assignments = [*graph.assignments, *tracked, *mean_updates(compiled.loss_tracker, total, size)]
        assignments += _updates_of_metrics(compiled, graph, slots, weight_slots)
        if kind == "train":
            total = optimizer.scale_loss(total)
            slopes = reverse([total], [ops.ones_like(total)], variables, mode)
            warn_of_no_slope(variables, slopes)
            assignments += optimizer.updates_of_fit(variables, slopes)
        inputs = [*graph.inputs, *slots, *[w for w in weight_slots if w is not None]]
        return Program(inputs, [], assignments, mode, counter)


def _terms_of_outputs(
    kind: str,
    compiled: Compiled,
    graph: Graph,
    targets: list[Tensor],
    weights: list[Tensor | None],
    size: Tensor,
) -> tuple[list[Tensor], list[Assignment]]:
    """What each output adds to the loss, and the updates of the running means that show it by itself.

    Args:
        kind, graph: as in `step_program`.
        targets, weights: the inputs that stand for targets and sample weights; no weights where none were given.
        size: the number of samples in the batch.
    """
    terms, assignments = list[Tensor](), list[Assignment]()
    for i, target in enumerate(targets):
        loss, tracker, factor = compiled.losses[i], compiled.loss_trackers[i], compiled.factors[i]
        if loss is None:
            continue
        output = seen_through(graph.outputs[i])
        if kind == "train":
            warn_of_outputs(loss, output, compiled.names[i])
        weight = weights[i] if weights else None
        if output.mask is None:
            weight = losses.apply_mask(weight, graph.outputs[i].mask, loss.dtype, loss.reduction)
        value = scalar(loss(target, output, weight))
        if tracker is not None:
            assignments += mean_updates(tracker, value, size)
        terms.append(value if factor is None else ops.multiply(value, factor))
    return terms, assignments


def _updates_of_metrics(
    compiled: Compiled, graph: Graph, targets: list[Tensor], weights: list[Tensor | None]
) -> list[Assignment]:
    """The batch taken into every metric; into the weighted ones with its sample weights."""
    assignments: list[Assignment] = []
    for group, weighted in ((compiled.metrics, False), (compiled.weighted_metrics, True)):
        for i, target in enumerate(targets):
            for metric in group[i] if group else []:
                weight = weights[i] if weighted and weights else None
                more = {} if weight is None else {"sample_weight": weight}
                assignments += metric.updates(target, graph.outputs[i], **more)
    return assignments


def trained_variables(captured: dict[Layer, bool]) -> list[Variable]:
    """The variables that training changes, of the layers that were trainable at compile."""
    return list(dict.fromkeys(v for layer, on in captured.items() if on for v in layer._own_weights if v.trainable))


def _slot(array: Array, name: str) -> Tensor:
    return Tensor((None, *array.shape[1:]), array.dtype, name=name)


def scalar(value: Any) -> Tensor:
    """A loss as one number: summed, if it is none."""
    value = as_tensor(value)
    total: Tensor = ops.sum(value) if value.shape else value
    return total


def total_of(terms: list[Tensor], minimised: bool) -> Tensor:
    """The loss of a batch: the sum of its terms. Raises ArgumentError where there is nothing to minimise."""
    if not terms:
        if minimised:
            raise ArgumentError("fit: there is nothing to minimise: compile got no loss, and no layer added one.")
        return as_tensor(0.0, "float32")
    return reduce(ops.add, terms)


def mean_updates(tracker: metrics.Mean, value: Tensor, size: Tensor) -> list[Assignment]:
    """A batch's mean taken into a running mean over samples: the last batch of an epoch may be smaller."""
    return [
        assignment(tracker.total, ops.add(tracker.total, ops.multiply(ops.cast(value, tracker.dtype), size))),
        assignment(tracker.count, ops.add(tracker.count, size)),
    ]
