"""What is written with other ops only when every shape is known: steps along an axis whose length is open."""

from collections.abc import Callable, Sequence
from typing import Any

from refnet import dtypes, ops
from refnet.definition import Op, Spec
from refnet.errors import ArgumentError, ShapeError
from refnet.gradients import reverse
from refnet.graph import Node, as_tensor, clock, node_of, phase, sorted_nodes, written_again
from refnet.structure import flatten, packed
from refnet.tensors import Tensor
from refnet.tracing import trace
from refnet.variables import Variable

# ---- any composite


def _rule(*specs: Spec, composite: Callable[..., Any], promised: Callable[..., tuple[Spec, ...]]) -> tuple[Spec, ...]:
    return promised(*specs)


def _expand(*inputs: Tensor, composite: Callable[..., Sequence[Tensor]], promised: Any) -> Any:
    results = tuple(composite(*inputs))
    return results[0] if len(results) == 1 else results


def _gradient(node: Node, *dys: Tensor | None) -> list[Tensor | None]:
    """Deferred as well; so the gradient of the gradient is, too."""
    composite, count = node.attributes["composite"], len(node.inputs)
    wanted = [k for k, x in enumerate(node.inputs) if dtypes.is_floating(x.dtype)]
    flowing = [k for k, dy in enumerate(dys) if dy is not None]

    def gradients(*given: Tensor) -> list[Tensor]:
        xs = [ops.unary.same(x) for x in given[:count]]
        ys = composite(*xs)
        found = reverse([ys[k] for k in flowing], given[count:], xs, None)
        return [as_tensor(ops.zeros_like(xs[k]) if found[k] is None else found[k]) for k in wanted]

    def promised(*specs: Spec) -> tuple[Spec, ...]:
        return tuple(Spec(tuple(specs[k].shape), specs[k].dtype) for k in wanted)

    found: list[Tensor | None] = [None] * count
    if wanted:
        for k, dx in zip(wanted, later(gradients, promised, [*node.inputs, *(dy for dy in dys if dy is not None)])):
            found[k] = dx
    return found


deferred_op = Op("deferred", _rule, expand=_expand, gradient=_gradient, spoken="scan")


def later(
    composite: Callable[..., Sequence[Tensor]],
    promised: Callable[..., tuple[Spec, ...]],
    inputs: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """What `composite(*inputs)` gives, which is called when the inputs' shapes are known: when a program is planned.

    Args:
        composite: takes tensors without open dimensions, gives a sequence of tensors; written with ops, without assignments and draws.
        promised: the Specs of its results, from those of the inputs.
        inputs: everything it reads.
    Returns:
        Tensors of these Specs.
    """
    results = node_of(deferred_op, inputs, {"composite": composite, "promised": promised})
    return results if isinstance(results, tuple) else (results,)


# ---- a function of tensors, as the nodes that it made


class Recorded:
    """A function's nodes, to be written again on other tensors.

    Args:
        op: whose name errors bear.
        f: takes tensors and gives a list of tensors.
        stand_ins: the tensors it is traced on.
    Attributes:
        outputs: what it gives for the stand-ins.
        captured: what else it reads: variables, and tensors that were there before.
    Raises:
        ArgumentError: a function that draws random numbers, or does one thing in training and another in inference.
    """

    def __init__(self, op: str, f: Callable[..., list[Tensor]], stand_ins: Sequence[Tensor]):
        began = next(clock)
        self.stand_ins = list(stand_ins)
        self.outputs = f(*stand_ins)
        reached: set[Tensor] = set(stand_ins)
        self._nodes: list[Node] = []
        for node in sorted_nodes(self.outputs):
            if node.number > began and (node.op.random or node.op is phase):
                what = "draws random numbers" if node.op.random else "depends on whether it is training"
                raise ArgumentError(
                    f"{op}: the number of steps is open, and a step {what}, which is possible only where their number is known. "
                    "Give Input the length of that axis."
                )
            if (
                node.number > began
            ):  # of variables alone too: it belongs to a layer's call, whose inputs stand-ins may be
                reached.update(node.outputs)
                self._nodes.append(node)
        read = [x for node in self._nodes for x in node.inputs] + self.outputs
        self.captured = list(dict.fromkeys(x for x in read if x not in reached and _varies(x)))

    def __call__(self, values: Sequence[Tensor], captured: Sequence[Tensor]) -> list[Tensor]:
        """What the function gives for these values of the stand-ins, and of what it captured."""
        new = dict(zip([*self.stand_ins, *self.captured], [*values, *captured]))
        return written_again(self._nodes, new, self.outputs)


def _varies(x: Tensor) -> bool:
    return x.node is not None or isinstance(x, Variable) or type(x) is Tensor


# ---- steps


def scan_open(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, parts: Sequence[Tensor], reverse_order: bool
) -> tuple[Any, Any]:
    """`ops.scan` along an axis of open length: the step is traced once, on stand-ins, and written out when the length is known.

    Args:
        parts: the leaves of xs, tensors.  The others: see `ops.scan`.
    Raises:
        ArgumentError: see `Recorded`; a carry that changes its structure or dtype.  ShapeError: a carry that changes its shape.
    """
    from refnet.ops.control import carry_and_part, same_structure

    first = [as_tensor(x) for x in flatten(init)]
    count = len(first)
    kept: list[Any] = []

    def step(*stand_ins: Tensor) -> list[Tensor]:
        with trace.inside(pure=True):
            after, y = carry_and_part(f(packed(init, stand_ins[:count]), packed(xs, stand_ins[count:])))
        same_structure("scan", init, after)
        kept.append(y)
        return [as_tensor(x) for x in flatten(after)] + [as_tensor(x) for x in flatten(y) if x is not None]

    stand_ins = [Tensor(tuple(x.shape), x.dtype) for x in first] + [Tensor(tuple(x.shape[1:]), x.dtype) for x in parts]
    body = Recorded("scan", step, stand_ins)
    _check_carry(first, body.outputs)

    def steps(*inputs: Tensor) -> list[Tensor]:
        carry, rest = list(inputs[:count]), inputs[count:]
        along, captured = rest[: len(parts)], rest[len(parts) :]
        length = along[0].shape[0]
        if not length:
            raise ShapeError("scan needs at least one step; got 0.")
        rows: list[list[Tensor]] = []
        for i in reversed(range(length)) if reverse_order else range(length):
            results = body([*carry, *(x[i] for x in along)], captured)
            carry, ys = results[:count], results[count:]
            rows.append(ys)
        stacks = [ops.stack(list(column)) for column in zip(*(rows[::-1] if reverse_order else rows))]
        return carry + [as_tensor(x) for x in stacks]

    def promised(*specs: Spec) -> tuple[Spec, ...]:
        ends = [
            Spec(tuple(a if a == b else None for a, b in zip(s.shape, y.shape)), s.dtype)
            for s, y in zip(specs[:count], body.outputs)
        ]
        lengths = {s.shape[0] for s in specs[count : count + len(parts)]} - {None}
        length = lengths.pop() if lengths else None
        return (*ends, *(Spec((length, *y.shape), y.dtype) for y in body.outputs[count:]))

    results = later(steps, promised, [*first, *parts, *body.captured])
    ys = iter(results[count:])
    leaves = [None if y is None else next(ys) for y in flatten(kept[0])]
    return packed(init, results[:count]), None if all(y is None for y in leaves) else packed(kept[0], leaves)


def _check_carry(before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
    """Raises unless a step leaves the carry's dtypes and shapes as they are."""
    for x, y in zip(before, after):
        if x.dtype != y.dtype:
            raise ArgumentError(
                f"scan: the number of steps is open, so the carry keeps its dtype; it begins as {x.dtype}, and a step makes it "
                f"{y.dtype}. Begin with ops.cast(init, {y.dtype!r})."
            )
        if not _alike(x.shape, y.shape):
            raise ShapeError(
                f"scan: the carry keeps its shape; it begins with {tuple(x.shape)}, and a step makes it {tuple(y.shape)}."
            )


def _alike(before: Sequence[int | None], after: Sequence[int | None]) -> bool:
    """Whether two shapes may be one."""
    return len(before) == len(after) and all(a is None or b is None or a == b for a, b in zip(before, after))
