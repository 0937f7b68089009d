"""What a model has of the graph between its inputs and outputs: its ends, their names, and the graph as its layers are by now."""

from typing import Any

from refnet.graph import Tensor, trace
from refnet.keeping import Kept
from refnet.layers.replaceable import Replaceable
from refnet.models.data import unnested
from refnet.models.functional import Graph, again
from refnet.models.training import Trainer
from refnet.structure import keys, mapped
from refnet.tracing import clock


class WithGraph(Trainer):
    """The part of a model that knows its graph.

    Attributes:
        graph: what lies between the tensors that the model was made of; None in a subclass with a `call` of its own.
    """

    graph: Graph | None
    _renewed: Graph | None
    _traced: Kept
    _inputs_structure: Any
    _outputs_structure: Any

    @property
    def inputs(self) -> list[Tensor]:
        """The tensors at which the model begins."""
        return list(self._graph("inputs").inputs)

    @property
    def outputs(self) -> list[Tensor]:
        """The tensors that the model computes."""
        return list(self._graph("outputs").outputs)

    @property
    def input(self) -> Any:
        return self._inputs_structure if self.graph is not None else super().input

    @property
    def output(self) -> Any:
        return self._outputs_structure if self.graph is not None else super().output

    @Replaceable
    def input_names(self) -> list[str] | None:
        """The names of the inputs; None where inputs have none."""
        return self._input_names

    @Replaceable
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        return self._output_names

    input_shape = property(lambda self: mapped(lambda x: x.shape, self.input))
    output_shape = property(lambda self: mapped(lambda x: x.shape, self.output))

    def _graph(self, what: str) -> Graph:
        if self.graph is None:
            raise AttributeError(
                f"{self.name} has no {what} yet: it is built by its first call, or by build(input_shape)."
            )
        return self.graph

    @property
    def _built_graph(self) -> Graph | None:
        if self.graph is not None:
            return self._current_graph()
        return next(iter(self._traced.values()))[0] if self._traced else None

    def _current_graph(self) -> Graph:
        """The graph between the model's ends as its layers are: those that were changed since are called again, as in Keras."""
        graph = self._renewed or self._graph("graph")
        if graph.outdated():
            with trace.inside(call=None, guard=(), training=None, autocast=None):
                outputs = graph.called_again(graph.inputs, again, "it cannot be called again after a layer was changed")
            self._renewed = graph = Graph(graph.inputs, outputs)
        return graph

    def _renew(self) -> None:
        """Forgets what was made of layers as they were before one of them was changed."""
        layers = self._flatten_layers()
        if any(layer.changed_at > self._seen_at for layer in layers):
            self._traced.clear()
            self._forget_steps()
            self._seen_at = next(clock)

    @property
    def _input_names(self) -> list[str] | None:
        if isinstance(self.graph and self._inputs_structure, dict):
            return keys(self._inputs_structure)
        return None if self.graph is None else [x.name for x in self.graph.inputs]

    def _checked(self, method: str, x: Any, *args: Any, **more: Any) -> Any:
        return super()._checked(
            method, x if self.graph is None else unnested(x, self._inputs_structure, method), *args, **more
        )

    def _known_outputs(self) -> Any:
        return self._outputs_structure if self.graph is not None else next(iter(self._traced.values()))[1]

    @property
    def _keyed_outputs(self) -> bool:
        return isinstance(self._known_outputs(), dict)

    @property
    def _output_names(self) -> list[str]:
        """A name for each output: its key in a dict of outputs, else the layer that made it."""
        if self._keyed_outputs:
            return keys(self._known_outputs())
        graph = self._built_graph
        assert graph is not None
        held, names = set(graph.calls), list[str]()
        for y in graph.outputs:
            call = y.node.call if y.node is not None else None
            while call is not None and call.parent in held:
                call = call.parent
            name = (
                call.layer.name
                if call is not None and call in held
                else y.name or (y.node.op.name if y.node else "output")
            )
            names.append(name if name not in names else f"{name}_{len(names)}")
        return names
