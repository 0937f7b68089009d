"""The graph of a model: what lies between its inputs and outputs, and how it is copied when the model is called."""

from collections.abc import Callable, Container, Iterable
from typing import Any

from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Assignment, Call, Condition, Node, Tensor, clock, node_of, phase, trace
from refnet.layers.core import Input
from refnet.layers.masks import mask_of
from refnet.layers.returned import identity, identity_op
from refnet.ops.custom_gradient import with_gradient
from refnet.structure import flatten, mapped, packed
from refnet.tracing import changes

Guard = tuple[tuple[Condition, bool], ...]
MARKS = (identity_op, with_gradient)  # nodes that stay in a graph although they compute nothing


class Graph:
    """Nodes, and the layer calls they came from, with their losses and assignments.

    A call counts whole: its losses and assignments, and what they read, belong to the graph though no output needs them.

    Args:
        inputs: tensors at which the graph begins; inner tensors of a larger graph are allowed.
        outputs: tensors, or a list of them.
    Raises:
        ArgumentError: an output depends on an Input that is not among the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any):
        self.inputs, self.outputs = flatten(inputs), flatten(outputs)
        fed, nodes, calls, todo = set(self.inputs), set(), set(), [*self.outputs, *map(mask_of, self.outputs)]
        while todo:
            x = todo.pop()
            if not isinstance(x, Tensor) or x in fed or x.node in nodes:
                continue
            if x.node is None:
                if type(x) is Tensor and x.name != "run counter":
                    raise ArgumentError(
                        f"the graph is disconnected: its outputs need the input {x.name!r} of shape {x.shape}, which is not "
                        f"among the inputs given ({', '.join(repr(i.name) for i in self.inputs)}).{self._swapped()}"
                    )
                continue
            nodes.add(x.node)
            todo += x.node.inputs
            call = x.node.call
            while call is not None and call not in calls:
                calls.add(call)
                todo += flatten([call.inputs, call.arguments])
                todo += [loss for loss, _ in call.losses] + [a.value for a in call.assignments]
                call = call.parent
        self.nodes: list[Node] = sorted(nodes, key=lambda node: node.number)
        self.calls: list[Call] = sorted(calls, key=lambda call: call.number)
        self.losses: list[tuple[Tensor, Guard]] = [loss for call in self.calls for loss in call.losses]
        self.assignments: list[Assignment] = [a for call in self.calls for a in call.assignments]
        self.input_layers: dict[Tensor, Any] = {}  # of inputs inside of a larger graph, which have none of their own
        self._looked_at = -1  # the last change, of whatever layer, at which none of its own had changed

    def _swapped(self) -> str:
        """Advice where outputs are Inputs and inputs are not."""
        turned = any(y.node is None for y in self.outputs) and all(x.node is not None for x in self.inputs)
        return " Model takes the inputs first, then the outputs: Model(inputs, outputs)." if turned else ""

    def outer_calls(self) -> list[Call]:
        """The calls that no other call of this graph made."""
        held = set(self.calls)
        return [call for call in self.calls if call.parent not in held]

    def outdated(self) -> bool:
        """Whether a layer was changed after a call that the graph holds: `layer.activation = None`, for example."""
        last = changes.last
        if last > self._looked_at:
            if any(getattr(call.layer, "changed_at", -1) > call.number for call in self.calls):
                return True
            self._looked_at = last
        return False

    def copy(self, inputs: list[Tensor], training: bool | None) -> list[Tensor]:
        """The same graph on other inputs, inside the layer call being traced. Gives the new outputs.

        The layers are not called again: only a copy keeps what their calls closed over, and random nodes, losses and updates of
        its own. With `training` given, open phases are decided.
        """
        return _Copy(self, inputs, training).outputs()

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
        for layer in self.closing_over():
            raise ArgumentError(f"{layer.name} closes over tensors of the model, so {what}.")
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

    def reads(self, tensors: list[Any]) -> bool:
        """Whether a node or a call takes one of these tensors, or an output carries one as its mask."""
        taken = [x for node in self.nodes for x in node.inputs] + [mask_of(y) for y in self.outputs]
        taken += [x for call in self.calls for x in flatten([call.inputs, call.arguments])]
        return not {id(x) for x in tensors}.isdisjoint(map(id, taken))

    def outer_events(self) -> list[Any]:
        """The calls that no other call made and the nodes that no call made, in their order."""
        outer = set(self.outer_calls())
        alone = [node for node in self.nodes if top(node.call, outer) is None]
        return sorted([*outer, *alone], key=lambda event: event.number)

    def closing_over(self) -> list[Any]:
        """The layers whose calls read tensors of the graph that are not among their arguments."""
        outer, fed, found = set(self.outer_calls()), set(self.inputs), []
        for node in self.nodes:
            own = top(node.call, outer)
            if own is None:
                continue
            known = {id(x) for x in flatten([own.inputs, own.arguments, own.masks])}
            for x in node.inputs:
                outside = x in fed if x.node is None else top(x.node.call, outer) is not own
                if outside and id(x) not in known:
                    found.append(own.layer)
        return found


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


def again(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a layer once more for a graph that was written before; its `output` stays that of the first call."""
    outputs = layer(*args, **kwargs)
    layer._calls_made.pop()
    return outputs


def top(call: Call | None, outer: Container[Call]) -> Call | None:
    """The one of the outer calls that made this one; None if none did."""
    while call is not None and call not in outer:
        call = call.parent
    return call


class _Copy:
    """One copy of a graph being made: which new tensor and call stands for which old one."""

    def __init__(self, graph: Graph, inputs: list[Tensor], training: bool | None):
        self.graph, self.training, self.outer, self.guard = graph, training, trace.call, trace.guard
        self.new: dict[Tensor, Tensor] = dict(zip(graph.inputs, inputs))
        self.calls: dict[Call, Call] = {}
        self.owners = {record: call for call in graph.calls for record in call.assignments}

    def at(self, x: TensorLike) -> TensorLike:
        return self.new.get(x, x) if isinstance(x, Tensor) else x

    def call_for(self, old: Call | None) -> Call | None:
        """The copy of a call; the call being traced for what no copied call made."""
        return self.outer if old is None else self.calls.get(old, self.outer)

    def outputs(self) -> list[Tensor]:
        events: list[Any] = [*self.graph.nodes, *self.graph.calls, *self.graph.assignments]
        called = self.callable_calls() if trace.eager is not None else {}
        for event in sorted(events, key=lambda e: e.number):
            if event in called:
                if called[event] is event:
                    self.call_again(event)
            elif isinstance(event, Node):
                self.copy_node(event)
            elif isinstance(event, Call):
                self.copy_call(event)
            else:
                self.copy_assignment(event)
        for old, call in self.calls.items():
            call.outputs = mapped(self.at, old.outputs)
            call.masks = [self.at(m) for m in old.masks]
            for loss, guard in old.losses:
                kept = self.guard_of(guard)
                if kept is not None:
                    call.losses.append((self.at(loss), kept))
        self.give_masks(x for x in self.new if x not in self.graph.inputs)
        return [self.at(y) for y in self.graph.outputs]

    def give_masks(self, olds: Iterable[Any]) -> None:
        """Gives the tensors that stand for these their masks."""
        for x in olds:
            if mask_of(x) is not None and mask_of(self.at(x)) is None:
                self.at(x).mask = self.at(x.mask)

    def callable_calls(self) -> dict[Any, Call]:
        """Op by op, layers are called again, so that a debugger stops in them: every event that belongs to such a call, with it.

        A layer that closes over tensors of the graph would read the old ones; its nodes are copied as always.
        """
        held, belongs, closed = set(self.graph.calls), dict[Any, Call](), set[Call]()
        pairs: list[tuple[Any, Any]] = [(node, node.call) for node in self.graph.nodes] + [
            (call, call) for call in self.graph.calls
        ]
        pairs += [(record, self.owners[record]) for record in self.graph.assignments]
        for event, call in pairs:
            while call is not None and call.parent in held:
                call = call.parent
            if call in held:
                belongs[event] = call
        for node in self.graph.nodes:
            own = belongs.get(node)
            if own is not None:
                given = {id(x) for x in flatten([own.inputs, own.arguments, own.masks])}
                outside = [x for x in node.inputs if (belongs.get(x.node) is not own if x.node else x in self.new)]
                if any(id(x) not in given for x in outside):
                    closed.add(own)
        return {event: call for event, call in belongs.items() if call not in closed}

    def call_again(self, call: Call) -> None:
        arguments = {key: mapped(self.at, value) for key, value in call.arguments.items()}
        more = arguments.pop("args", ())
        layer: Any = call.layer
        self.give_masks(x for x in flatten([call.inputs, call.arguments]) if x not in self.graph.inputs)
        with trace.inside(call=self.call_for(call.parent)):
            outputs = flatten(layer(mapped(self.at, call.inputs), *more, **arguments))
        before = flatten(call.outputs)
        self.new.update(zip(before, outputs))
        self.new.update((y.mask, z.mask) for y, z in zip(before, outputs) if y.mask is not None and z.mask is not None)

    def copy_node(self, node: Node) -> None:
        if node.outputs[0] in self.new:
            return
        attributes = node.attributes
        inputs = tuple(self.at(x) for x in node.inputs)
        decided = False
        if node.op is phase and self.training is not None and attributes["condition"].training is None:
            attributes = {"condition": Condition(self.training, attributes["condition"].owner)}
            decided = attributes["condition"].owner is None
        with trace.inside(call=self.call_for(node.call), composite=node.composite):
            results: Tensor | tuple[Tensor, ...]
            if decided:  # an identity node, because the branch may be an outer tensor and the call must still be found
                results = identity(inputs[0 if self.training else 1])
            elif node.op in MARKS:
                results = Node(node.op, inputs, attributes).outputs
            else:
                results = node_of(node.op, inputs, attributes)
        self.new.update(zip(node.outputs, results if isinstance(results, tuple) else (results,)))

    def copy_call(self, call: Call) -> None:
        arguments = mapped(self.at, call.arguments)
        copied = Call(call.layer, mapped(self.at, call.inputs), arguments, self.call_for(call.parent))
        self.calls[call] = copied

    def copy_assignment(self, record: Assignment) -> None:
        guard = self.guard_of(record.guard)
        if guard is None:
            return
        copied = Assignment(record.variable, self.at(record.value), guard, next(clock))
        with trace.inside(call=self.calls[self.owners[record]]):
            trace.effect("assignments", copied)

    def guard_of(self, guard: Guard) -> Guard | None:
        """The guard with the given training filled in; None if it belongs to the branch that was not taken."""
        result = list(self.guard)
        for condition, branch in guard:
            if condition.training is None and self.training is not None:
                if condition.owner is None:
                    if branch != self.training:
                        return None
                    continue
                condition = Condition(self.training, condition.owner)
            result.append((condition, branch))
        return tuple(result)
