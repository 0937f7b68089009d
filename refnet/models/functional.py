"""The graph of a model: what lies between its inputs and outputs, and how its layers are called again where a copy will not do."""

from collections.abc import Callable
from typing import Any

from refnet.errors import ArgumentError
from refnet.graph import Assignment, Call, Node, Tensor, node_of, run_counter
from refnet.layers.core import Input
from refnet.layers.masks import mask_of
from refnet.models.copying import GraphCopy
from refnet.structure import flatten, mapped, packed
from refnet.tracing import Guard, changes


class Graph:
    """Nodes, and the layer calls they came from, with their losses and assignments.

    A call counts whole: its losses and assignments, and what they read, belong to the graph though no output needs them.

    Args:
        inputs: tensors at which the graph begins; inner tensors of a larger graph are allowed.
        outputs: tensors, or a list of them.
    Attributes:
        nodes, calls: in the order in which they were made.
        losses: with the guards under which they count.
    Raises:
        ArgumentError: an output depends on an Input that is not among the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any):
        self.inputs, self.outputs = flatten(inputs), flatten(outputs)
        nodes, calls = self._found()
        self.nodes: list[Node] = sorted(nodes, key=lambda node: node.number)
        self.calls: list[Call] = sorted(calls, key=lambda call: call.number)
        self.losses: list[tuple[Tensor, Guard]] = [loss for call in self.calls for loss in call.losses]
        self.assignments: list[Assignment] = [a for call in self.calls for a in call.assignments]
        self.input_layers: dict[Tensor, Any] = {}  # of inputs inside of a larger graph, which have none of their own
        self._looked_at = -1  # the last change, of whatever layer, at which none of its own had changed

    def _found(self) -> tuple[set[Node], set[Call]]:
        """The nodes that the outputs and their masks need, the calls that made these, and what the calls need."""
        fed, nodes, calls = set(self.inputs), set[Node](), set[Call]()
        todo = [*self.outputs, *map(mask_of, self.outputs)]
        while todo:
            x = todo.pop()
            if not isinstance(x, Tensor) or x in fed or x.node in nodes:
                continue
            if x.node is None:
                self._must_have_a_value(x)
                continue
            nodes.add(x.node)
            todo += x.node.inputs
            call = x.node.call
            while call is not None and call not in calls:
                calls.add(call)
                todo += flatten([call.inputs, call.arguments])
                todo += [loss for loss, _ in call.losses] + [a.value for a in call.assignments]
                call = call.parent
        return nodes, calls

    def _must_have_a_value(self, x: Tensor) -> None:
        """Raises where a tensor that no node made has no value either: it is neither a variable nor a constant."""
        if type(x) is not Tensor or x is run_counter:
            return
        turned = any(y.node is None for y in self.outputs) and all(x.node is not None for x in self.inputs)
        advice = " Model takes the inputs first, then the outputs: Model(inputs, outputs)." if turned else ""
        raise ArgumentError(
            f"the graph is disconnected: its outputs need the input {x.name!r} of shape {x.shape}, which is not "
            f"among the inputs given ({', '.join(repr(i.name) for i in self.inputs)}).{advice}"
        )

    # ---- what is asked of it

    def outermost_calls(self) -> dict[Call | None, Call]:
        """Every call with the one of `outer_calls` in which it was made; these with themselves."""
        found = dict[Call | None, Call]()
        for call in self.calls:  # a call comes after the one that made it
            found[call] = found.get(call.parent, call)
        return found

    def outer_calls(self) -> list[Call]:
        """The calls that no other call of this graph made."""
        return [call for call, outermost in self.outermost_calls().items() if call is outermost]

    def outer_events(self) -> list[Any]:
        """The calls that no other call made and the nodes that no call made, in their order."""
        alone = [node for node in self.nodes if node.call is None]
        return sorted([*self.outer_calls(), *alone], key=lambda event: event.number)

    def calls_closing_over(self) -> list[Call]:
        """The outer calls that read tensors of the graph which are not among their arguments: called again, they would read the old."""
        outermost, fed, found = self.outermost_calls(), set(self.inputs), dict[Call, None]()
        for node in self.nodes:
            if node.call is None:
                continue
            own = outermost[node.call]
            given = {id(x) for x in flatten([own.inputs, own.arguments, own.masks])}
            for x in node.inputs:
                made_outside = x.node is not None and outermost.get(x.node.call) is not own
                if (x in fed or made_outside) and id(x) not in given:
                    found[own] = None
        return list(found)

    def reads(self, tensors: list[Any]) -> bool:
        """Whether a node or a call takes one of these tensors, or an output carries one as its mask."""
        taken = [x for node in self.nodes for x in node.inputs] + [mask_of(y) for y in self.outputs]
        taken += [x for call in self.calls for x in flatten([call.inputs, call.arguments])]
        return not {id(x) for x in tensors}.isdisjoint(map(id, taken))

    def outdated(self) -> bool:
        """Whether a layer was changed after a call that the graph holds: `layer.activation = None`, for example."""
        last = changes.last
        if last > self._looked_at:
            if any(getattr(call.layer, "changed_at", -1) > call.number for call in self.calls):
                return True
            self._looked_at = last
        return False

    # ---- the same on other inputs

    def copy(self, inputs: list[Tensor], training: bool | None) -> list[Tensor]:
        """The same graph on other inputs, inside the layer call being traced. Gives the new outputs.

        The layers are not called again: only a copy keeps what their calls closed over, and random nodes, losses and updates of
        its own. With `training` given, open phases are decided.
        """
        return GraphCopy(self, inputs, training).made()

    def called_again(
        self,
        inputs: list[Any],
        call: Callable[..., Any] | None = None,
        what: str = "masks cannot be brought into it",
    ) -> list[Tensor]:
        """The layers called once more, on other inputs: masks on these say which ops the layers write, so a copy will not do.

        Args:
            inputs: what stands in the place of the graph's; None in that of a mask.
            call: called with a layer and the arguments of its call; the layer itself if None.
            what: for the error: what is not possible then.
        Raises:
            ArgumentError: a layer closes over a tensor of the graph, and would read the old one.
        """
        for closing in self.calls_closing_over():
            raise ArgumentError(f"{closing.layer.name} closes over tensors of the model, so {what}.")
        new: dict[Tensor, Any] = dict(zip(self.inputs, inputs))

        def at(x: Any) -> Any:
            return new.get(x, x) if isinstance(x, Tensor) else x

        for event in self.outer_events():
            if isinstance(event, Node):
                results: Any = node_of(event.op, tuple(map(at, event.inputs)), event.attributes)
            else:
                given = {key: mapped(at, a) for key, a in event.arguments.items()}
                arguments = (mapped(at, event.inputs), *given.pop("args", ()))
                results = event.layer(*arguments, **given) if call is None else call(event.layer, *arguments, **given)
            new.update(zip(flatten(event.outputs), flatten(results)))
        return [new[y] for y in self.outputs]


def again(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a layer once more for a graph that was written before; its `output` stays that of the first call."""
    outputs = layer(*args, **kwargs)
    layer._calls_made.pop()
    return outputs


def without_masks(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """The ends of a graph whose inputs carry no masks: arrays, which will stand in their place, carry none.

    Where a tensor inside of a larger graph has a mask that is read, what lies behind it was written for a mask. It is called once more
    on an Input of that tensor's shape, as in Keras, whose masks come with values.
    """
    masked = [x for x in flatten(inputs) if x.node is not None and x.mask is not None]
    if not masked:
        return inputs, outputs
    graph = Graph([*flatten(inputs), *(x.mask for x in masked)], outputs)
    if not graph.reads([x.mask for x in masked]):
        return inputs, outputs
    new = {x: Input(batch_shape=x.shape, dtype=x.dtype) for x in masked}
    starts = [new.get(x, x) for x in flatten(inputs)]
    ends = graph.called_again(
        [*starts, *(None for _ in masked)], again, "it cannot begin at a tensor that carries a mask"
    )
    return packed(inputs, starts), packed(outputs, ends)
