"""A graph copied onto other inputs: what happens whenever a model is called as a layer, or traced for a step of one's own."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from refnet.annotations import TensorLike
from refnet.graph import Assignment, Call, Condition, Node, Tensor, clock, node_of, phase, trace
from refnet.layers.masks import mask_of
from refnet.layers.returned import identity, identity_op
from refnet.ops.custom_gradient import with_gradient
from refnet.structure import flatten, mapped
from refnet.tracing import Guard

if TYPE_CHECKING:
    from refnet.models.functional import Graph

MARKS = (identity_op, with_gradient)  # nodes that stay in a graph although they compute nothing


class GraphCopy:
    """One copy of a graph being made, inside the layer call being traced.

    The layers are not called again: nodes, calls and assignments are written once more, in the order in which they were made, so
    that each read of a variable still sees the assignments before it.

    Args:
        graph: what is copied.
        inputs: what stands in the place of its inputs.
        training: decides what depends on training and is still open; None leaves it open.
    Attributes:
        new: which tensor stands for which.
        calls: which call stands for which.
    """

    def __init__(self, graph: "Graph", inputs: list[Tensor], training: bool | None):
        self.graph, self.training, self.outer, self.guard = graph, training, trace.call, trace.guard
        self.new: dict[Tensor, Tensor] = dict(zip(graph.inputs, inputs))
        self.calls: dict[Call, Call] = {}
        self.owners = {record: call for call in graph.calls for record in call.assignments}

    def made(self) -> list[Tensor]:
        """Makes the copy. Gives what stands for the graph's outputs."""
        again = {} if trace.eager is None else self._parts_of_calls_to_repeat()
        events: list[Any] = [*self.graph.nodes, *self.graph.calls, *self.graph.assignments]
        for event in sorted(events, key=lambda event: event.number):
            if event in again:
                if again[event] is event:  # the call itself; its parts come with it
                    self._repeat(event)
            elif isinstance(event, Node):
                self._copy_node(event)
            elif isinstance(event, Call):
                self._copy_call(event)
            else:
                self._copy_assignment(event)
        for old, call in self.calls.items():
            self._complete(old, call)
        self._give_masks(x for x in self.new if x not in self.graph.inputs)
        return [self._at(y) for y in self.graph.outputs]

    # ---- what stands for what

    def _at(self, x: TensorLike) -> TensorLike:
        return self.new.get(x, x) if isinstance(x, Tensor) else x

    def _call_for(self, old: Call | None) -> Call | None:
        """The copy of a call; the call being traced for what no copied call made."""
        return self.outer if old is None else self.calls.get(old, self.outer)

    def _give_masks(self, olds: Iterable[Any]) -> None:
        """Gives the tensors that stand for these their masks."""
        for x in olds:
            if mask_of(x) is not None and mask_of(self._at(x)) is None:
                self._at(x).mask = self._at(x.mask)

    # ---- what depends on training

    def _decided(self, condition: Condition) -> Condition | bool:
        """The condition with the training given filled in; whether it is true, if nothing else decides it."""
        if self.training is None or condition.training is not None:
            return condition
        return bool(self.training) if condition.owner is None else Condition(self.training, condition.owner)

    def _decided_guard(self, guard: Guard) -> Guard | None:
        """The guard that a copy has; None if it belongs to the branch that was not taken."""
        result = list(self.guard)
        for condition, branch in guard:
            decided = self._decided(condition)
            if isinstance(decided, Condition):
                result.append((decided, branch))
            elif decided != branch:
                return None
        return tuple(result)

    # ---- nodes, calls, assignments

    def _copy_node(self, node: Node) -> None:
        if node.outputs[0] in self.new:
            return
        inputs = tuple(self._at(x) for x in node.inputs)
        with trace.inside(call=self._call_for(node.call), composite=node.composite):
            results: Tensor | tuple[Tensor, ...]
            if node.op is phase:
                results = self._copied_phase(node, inputs)
            elif node.op in MARKS:
                results = Node(node.op, inputs, node.attributes).outputs
            else:
                results = node_of(node.op, inputs, node.attributes)
        self.new.update(zip(node.outputs, results if isinstance(results, tuple) else (results,)))

    def _copied_phase(self, node: Node, inputs: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        decided = self._decided(node.attributes["condition"])
        if isinstance(decided, Condition):
            return node_of(phase, inputs, {"condition": decided})
        # an identity node, because the branch may be an outer tensor and the call must still be found
        return identity(inputs[0 if decided else 1])

    def _copy_call(self, call: Call) -> None:
        inputs, arguments = mapped(self._at, call.inputs), mapped(self._at, call.arguments)
        self.calls[call] = Call(call.layer, inputs, arguments, self._call_for(call.parent))

    def _complete(self, old: Call, call: Call) -> None:
        """Gives the copy of a call what is known when everything is copied."""
        call.outputs = mapped(self._at, old.outputs)
        call.masks = [self._at(mask) for mask in old.masks]
        for loss, guard in old.losses:
            kept = self._decided_guard(guard)
            if kept is not None:
                call.losses.append((self._at(loss), kept))

    def _copy_assignment(self, record: Assignment) -> None:
        guard = self._decided_guard(record.guard)
        if guard is None:
            return
        copied = Assignment(record.variable, self._at(record.value), guard, next(clock))
        with trace.inside(call=self.calls[self.owners[record]]):
            trace.effect("assignments", copied)

    # ---- layers that are called again

    def _parts_of_calls_to_repeat(self) -> dict[Any, Call]:
        """Op by op, layers are called again, so that a debugger stops in them: such calls, and what is made in them, each with its call.

        A layer that closes over tensors of the graph would read the old ones; its nodes are copied as always.
        """
        graph = self.graph
        repeated = set(graph.outer_calls()) - set(graph.calls_closing_over())
        made_in: list[tuple[Any, Call | None]] = [(node, node.call) for node in graph.nodes]
        made_in += [(call, call) for call in graph.calls]
        made_in += [(record, self.owners[record]) for record in graph.assignments]
        outermost = graph.outermost_calls()
        owned = {event: outermost[call] for event, call in made_in if call is not None}
        return {event: call for event, call in owned.items() if call in repeated}

    def _repeat(self, call: Call) -> None:
        """Calls a layer once more, on what stands for its arguments."""
        arguments = {key: mapped(self._at, value) for key, value in call.arguments.items()}
        more = arguments.pop("args", ())
        layer: Any = call.layer
        self._give_masks(x for x in flatten([call.inputs, call.arguments]) if x not in self.graph.inputs)
        with trace.inside(call=self._call_for(call.parent)):
            outputs = flatten(layer(mapped(self._at, call.inputs), *more, **arguments))
        before = flatten(call.outputs)
        self.new.update(zip(before, outputs))
        self.new.update((y.mask, z.mask) for y, z in zip(before, outputs) if y.mask is not None and z.mask is not None)
