"""What `compile` was told of losses and metrics, brought to an entry for each output of the model."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from refnet import dtypes, losses, metrics
from refnet.annotations import Array, Shape
from refnet.errors import ArgumentError, did_you_mean, shown
from refnet.graph import Tensor


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
        for name, factor in zip(names, self.factors):
            if not (factor is None or isinstance(factor, (int, float)) or hasattr(factor, "shape")):
                raise ArgumentError(f"compile: loss_weights holds numbers; for {name} it has {shown(factor)}.")
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

    def metrics_for(
        self, targets: list[Any], outputs: list[Any], weights: list[Any]
    ) -> Iterator[tuple[metrics.Metric, tuple[Any, Any], dict[str, Any]]]:
        """Every metric with the arguments of its `update_state` for a batch; only weighted ones take the sample weights.

        Args:
            targets, outputs, weights: one for each output; a weight may be None, and none may have been given at all.
        """
        for group, weighted in ((self.metrics, False), (self.weighted_metrics, True)):
            for i, (target, output) in enumerate(zip(targets, outputs)):
                for metric in group[i] if group else []:
                    weight = weights[i] if weighted and weights else None
                    yield metric, (target, output), {} if weight is None else {"sample_weight": weight}

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
