"""The step that a model has of itself, as one program; and the parts that a step of one's own (`stepping.py`) has in common with it.

A step is the model's outputs for a batch, `loss_terms` of them, `total_loss`, its gradients, the optimizer's updates, and the metrics'
(`Compiled.metrics_for`). What a batch assigns is returned as records, for a program; where a step of one's own is being traced, they
are noted with it as well.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from refnet import metrics, ops
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.gradients import reverse
from refnet.graph import Assignment, Mode, Tensor, Variable, as_tensor, assignment, trace
from refnet.layers.base import Layer
from refnet.layers.returned import identity_op
from refnet.models.batches import Batches
from refnet.models.compiled import Compiled
from refnet.models.functional import Graph
from refnet.models.outputs import warn_of_no_gradient, warn_of_outputs
from refnet.program import Program


def step_program(
    graph: Graph,
    batches: Batches,
    compiled: Compiled,
    optimizer: Any,
    added: list[Any],
    mode: Mode,
    counter: Variable,
) -> Program:
    """The program of one batch of training or evaluation.

    Args:
        graph: from the model's inputs to its outputs.
        batches: data of the kind that the program is fed: the inputs, a target for each output (or none), then the sample weights.
        compiled: what `compile` was told, for these outputs.
        optimizer: what changes the weights; None in evaluation.
        added: what `model.add_loss` was given, as pairs (loss, guard), like the losses that layers add.
        mode: what layers are told that the model's call left open, and which of them were trainable at compile.
        counter: counts the program's runs, for random numbers.
    """
    with trace.inside(call=None, guard=(), training=None):
        targets = [slot_for(a, f"target_{i}") for i, a in enumerate(batches.targets)]
        weights = [None if a is None else slot_for(a, f"sample_weight_{i}") for i, a in enumerate(batches.weights)]
        outputs = [seen_through(y) for y in graph.outputs]
        compiled.make_metrics(targets or [as_tensor(y) for y in graph.outputs], outputs)
        samples = ops.cast(ops.shape(graph.inputs[0])[0], "float32")
        if optimizer is not None:
            warn_of_outputs(compiled.losses, outputs, compiled.names)
        masks = [None if behind.mask is y.mask else y.mask for y, behind in zip(graph.outputs, outputs)]
        terms, updates = loss_terms(compiled, targets, outputs, weights, samples, masks)
        terms += [scalar(loss) for loss, guard in graph.losses + added if mode.holds(guard)]
        variables = trained_variables(mode.trainable)
        total = total_loss(terms, variables, minimised=optimizer is not None)
        updates += mean_updates(compiled.loss_tracker, total, samples)
        for metric, taken, more in compiled.metrics_for(targets, graph.outputs, weights):
            updates += metric.updates(*taken, **more)
        if optimizer is not None:
            total = optimizer.scale_loss(total)
            gradients = reverse([total], [ops.ones_like(total)], variables, mode)
            warn_of_no_gradient(variables, gradients)
            updates += optimizer.updates_of_fit(variables, gradients)
        inputs = [*graph.inputs, *targets, *[w for w in weights if w is not None]]
        return Program(inputs, [], [*graph.assignments, *updates], mode, counter)


def loss_terms(
    compiled: Compiled,
    targets: Sequence[Tensor],
    outputs: Sequence[Tensor],
    weights: Sequence[Tensor | None],
    samples: Tensor | None,
    masks: Sequence[Tensor | None] = (),
) -> tuple[list[Tensor], list[Assignment]]:
    """What each output adds to the loss, and the updates of the running means that show it by itself.

    Args:
        targets: one for each output, or none at all.
        weights: the sample weights of each output; none at all where none were given.
        samples: how many there are in the batch; not read where there are no such means.
        masks: of the outputs; None, or none at all, for those that the outputs carry.
    """
    terms, updates = list[Tensor](), list[Assignment]()
    for i, target in enumerate(targets):
        loss, tracker, factor = compiled.losses[i], compiled.loss_trackers[i], compiled.factors[i]
        if loss is None:
            continue
        mask = {"mask": masks[i]} if masks and masks[i] is not None else {}
        value = scalar(loss(target, outputs[i], weights[i] if weights else None, **mask))
        if tracker is not None:
            assert samples is not None
            updates += mean_updates(tracker, value, samples)
        terms.append(value if factor is None else ops.multiply(value, factor))
    return terms, updates


def total_loss(terms: list[Tensor], variables: list[Variable], minimised: bool) -> Tensor:
    """The loss of a batch: the sum of its terms and of the penalties that regularizers put on variables.

    Raises:
        ArgumentError: there is nothing to minimise.
    """
    terms = terms + [as_tensor(v.regularizer(v)) for v in variables if v.regularizer is not None]
    if not terms:
        if minimised:
            raise ArgumentError("fit: there is nothing to minimise: compile got no loss, and no layer added one.")
        return as_tensor(0.0, "float32")
    return reduce(ops.add, terms)


def scalar(value: Any) -> Tensor:
    """A loss as one number: summed, if it is none."""
    value = as_tensor(value)
    total: Tensor = ops.sum(value) if value.shape else value
    return total


def mean_updates(tracker: metrics.Mean, value: Tensor, samples: Tensor) -> list[Assignment]:
    """A batch's mean taken into a running mean over samples: the last batch of an epoch may be smaller."""
    return [
        assignment(tracker.total, ops.add(tracker.total, ops.multiply(ops.cast(value, tracker.dtype), samples))),
        assignment(tracker.count, ops.add(tracker.count, samples)),
    ]


def trained_variables(captured: dict[Layer, bool]) -> list[Variable]:
    """The variables that training changes, of the layers that were trainable at compile."""
    return list(dict.fromkeys(v for layer, on in captured.items() if on for v in layer._own_weights if v.trainable))


def seen_through(y: Tensor) -> Tensor:
    """What a call returned, without the nodes that only mark that it did: losses look for the softmax behind."""
    while y.node is not None and y.node.op is identity_op:
        y = y.node.inputs[0]
    return y


def slot_for(array: Array, name: str) -> Tensor:
    """What stands for a batch of an array's samples, however many there are."""
    return Tensor((None, *array.shape[1:]), array.dtype, name=name)
