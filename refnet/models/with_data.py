"""A model's arrays: checked before anything changes, then as its programs are fed them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.layers.base import Layer
from refnet.models import data as checks
from refnet.models.batches import Batches
from refnet.models.compiled import Compiled
from refnet.models.functional import Graph
from refnet.structure import flatten


class WithData(Layer):
    """The part of a model that takes the user's arrays."""

    # ---- what Model provides

    @abstractmethod
    def _renew(self) -> None:
        """Forgets programs of layers that were changed since."""

    @abstractmethod
    def _graph_for(self, batches: Batches) -> Graph:
        """The graph that computes the outputs for such batches."""

    @property
    @abstractmethod
    def _output_names(self) -> list[str]:
        """The outputs' names, which losses and metrics may be given by."""

    @property
    @abstractmethod
    def _keyed_outputs(self) -> bool:
        """Whether the outputs are a dict, whose keys are their names."""

    @property
    @abstractmethod
    def _input_names(self) -> list[str] | None:
        """The inputs' names, which a dict of arrays may have; None where inputs have none."""

    @abstractmethod
    def output_structure(self, batches: Batches) -> Any:
        """How the outputs are put together: a tensor, a list, a tuple or a dict of tensors."""

    @property
    def _has_call(self) -> bool:
        """Whether the model computes outputs: one that only writes its steps need not."""
        return True

    def _beside_call(self, method: str, inputs: Sequence[Array]) -> bool:
        """Whether these data are for a step that the model writes itself, and nothing that its `call` takes."""
        return False

    @property
    def _own_targets(self) -> bool:
        """Whether a method of the model's own reads the targets, so that they need not fit the outputs."""
        return False

    @property
    def _built_graph(self) -> Graph | None:
        return None

    @abstractmethod
    def _compiled_for(self, outputs: Any = None) -> Compiled:
        """What `compile` was told, brought to the outputs."""

    # ---- data

    def _checked(self, method: str, x: Any, y: Any = None, sample_weight: Any = None, warn: bool = True) -> Any:
        """x, y and sample_weight as dicts of arrays by label, all of one length."""
        inputs = checks.arrays_of(x, self._input_names, "x", method)
        known = self._built_graph is not None and not self._own_targets
        aims = self._compiled_for().names_of_targets(y) if known and isinstance(y, dict) else None
        targets = {} if y is None else checks.arrays_of(y, aims, "y", method, self._output_names if known else None)
        weights = {}
        if sample_weight is not None:
            names = self._output_names if known else None
            weights = checks.arrays_of(sample_weight, names, "sample_weight", method)
        checks.check_lengths({**inputs, **targets, **weights}, method)
        if warn:
            checks.warn_of_strange_numbers({**inputs, **targets}, method)
        return inputs, targets, weights

    def _fed(self, method: str, inputs: Any, targets: Any = None, weights: Any = None) -> Batches:
        """Checked arrays as the model's programs take them; builds the model if it is not built yet."""
        labels = (list(inputs), list(targets or {}), list(weights or {}))
        floats = [np.ascontiguousarray(a, dtypes.as_numpy(dtypes.floatx())) for a in (weights or {}).values()]
        if not self._has_call or self._beside_call(method, list(inputs.values())):
            given = [checks.target_of(array, None, label, method) for label, array in inputs.items()]
            aims = [checks.target_of(array, None, label, method) for label, array in (targets or {}).items()]
            return Batches(given, aims, list(floats), labels)
        graph = self._graph_for(Batches(list(inputs.values()), [], [], labels))
        given = self._fed_inputs(method, graph, inputs, targets)
        if self._own_targets:
            aims = [checks.target_of(array, None, label, method) for label, array in (targets or {}).items()]
            return Batches(given, aims, list(floats), labels)
        if not targets:
            if targets is not None and self._compiled_for().losses != [None] * len(graph.outputs):
                raise ArgumentError(
                    f"{method}: the loss needs targets; y is None. Give y; a generator gives pairs (x, y)."
                )
            return Batches(given, [], [], labels)
        targets = self._compiled_for().filled_up(targets)
        labels[1][:] = targets
        aims = self._fed_targets(method, graph, targets)
        return Batches(given, aims, self._fed_weights(method, graph, floats), labels)

    def _fed_inputs(self, method: str, graph: Graph, inputs: Any, targets: Any) -> list[Array]:
        if len(inputs) != len(graph.inputs):
            told_together = targets == {} and len(inputs) == len(graph.inputs) + len(graph.outputs)
            raise ArgumentError(
                f"{method}: {self.name} has {len(graph.inputs)} inputs ({', '.join(t.name for t in graph.inputs)}); "
                f"got {len(inputs)} arrays."
                + (f" {method}(x, y) takes the targets as its second argument." * told_together)
            )
        return [
            checks.fed(array, tensor, self._reader_of(graph, tensor), label, method)
            for (label, array), tensor in zip(inputs.items(), graph.inputs)
        ]

    def _fed_targets(self, method: str, graph: Graph, targets: dict[str, Array]) -> list[Array]:
        """The targets as the losses take them; the losses that depend on shapes are chosen here."""
        compiled = self._compiled_for()
        if len(targets) != len(graph.outputs):
            raise ArgumentError(
                f"{method}: {self.name} has {len(graph.outputs)} outputs ({', '.join(compiled.names)}); "
                f"got {len(targets)} arrays of targets."
            )
        compiled.choose_losses([array.shape for array in targets.values()], [y.shape for y in graph.outputs])
        for (label, array), loss, output in zip(targets.items(), compiled.losses, graph.outputs):
            checks.check_target(array, loss, output, label, method)
        named = zip(targets.items(), compiled.losses)
        return [checks.target_of(array, loss, label, method) for (label, array), loss in named]

    def _fed_weights(self, method: str, graph: Graph, weights: list[Array]) -> list[Array]:
        """The weights of samples, one array for each output, or none."""
        compiled, count = self._compiled_for(), len(graph.outputs)
        if len(weights) == 1:
            weights = weights * count
        if weights and len(weights) != count:
            raise ArgumentError(f"{method}: give one sample_weight, or one per output ({count}); got {len(weights)}.")
        for array, loss, output, name in zip(weights, compiled.losses, graph.outputs, compiled.names):
            checks.check_sample_weight(array, loss, output, name, method)
        return weights

    def _reader_of(self, graph: Graph, tensor: Tensor) -> str:
        """The layer that an input goes into, for messages."""
        for call in graph.outer_calls():
            if tensor in flatten(call.inputs):
                return f"{call.layer.name} (in {self.name})"
        return str(self.name)
