"""Reverse mode: graph in, graph out. Each op's gradient is written with ops, so gradients can be differentiated again."""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import NoReturn

from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Condition, Mode, Node, Tensor, phase, sorted_nodes, trace


def gradients(loss: Tensor, xs: Tensor | Iterable[Tensor]) -> list[Tensor | None]:
    """The gradient of a loss with respect to each of xs, as new tensors.

    Where the phase (training or inference) is still open, both ways are differentiated by themselves and joined: a zero
    sent into the idle branch could meet an infinity.

    Args:
        loss: a tensor; if it is not a scalar, the gradient is that of its sum.
        xs: a tensor, or a list of tensors: variables, inputs, or anything the loss was computed from.
    Returns:
        A list, one tensor per x; None where the loss does not depend on x.
    """
    from refnet import ops

    xs = [xs] if isinstance(xs, Tensor) else list(xs)
    seeds = [ops.ones_like(loss)]
    if not any(node.op is phase for node in sorted_nodes([loss])):
        return reverse([loss], seeds, xs, None)
    if trace.step is not None:  # a model's step: which way is known
        return reverse([loss], seeds, xs, trace.step[1])
    ways = [reverse([loss], seeds, xs, Mode(training, trace.captured)) for training in (True, False)]

    def flow(dx: Tensor | None, x: Tensor) -> TensorLike:
        return ops.zeros_like(x) if dx is None else dx

    return [
        None if a is None and b is None else phase(flow(a, x), flow(b, x), condition=Condition())
        for a, b, x in zip(*ways, xs)
    ]


def reverse(
    targets: Sequence[Tensor], seeds: Iterable[Tensor], xs: Iterable[Tensor], mode: Mode | None
) -> list[Tensor | None]:
    """Gradients of `targets`, weighted by `seeds`, with respect to xs; phase nodes go the way the mode says."""
    from refnet import ops
    from refnet.ops.slicing import joined

    received: dict[Tensor, list[Tensor]] = {}
    order = sorted_nodes(targets, mode)
    wanted = set(xs)
    for node in order:
        sources = [mode.pick(node)] if mode is not None and node.op is phase else node.inputs
        if any(x in wanted for x in sources):
            wanted.update(node.outputs)

    def receive(x: Tensor, dx: Tensor | None) -> None:
        if dx is not None and x in wanted:
            received.setdefault(x, []).append(dx)

    def total(x: Tensor) -> Tensor | None:
        if x not in received:
            return None
        parts = received[x]
        whole = joined(parts) if len(parts) > 1 else None
        received[x] = [reduce(ops.add, parts) if whole is None else whole]
        return received[x][0]

    for target, seed in zip(targets, seeds):
        receive(target, seed)
    for node in reversed(order):
        if not any(y in received for y in node.outputs) or not any(x in wanted for x in node.inputs):
            continue
        dys = [total(y) for y in node.outputs]
        if node.op is phase:
            assert mode is not None, "a graph whose phase is open is differentiated by `gradients`"
            receive(mode.pick(node), dys[0])
        elif node.op.gradient is not None:
            with trace.inside(reading=node.reads):  # what the node read, though an assignment has followed since
                dxs = node.op.gradient(node, *dys)
            for x, dx in zip(node.inputs, dxs):
                receive(x, dx)
    return [total(x) for x in xs]


def differentiated(
    composite: Callable[..., Sequence[Tensor]], node: Node, dys: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """An op's gradient, by differentiating a composite: `composite(*inputs, **attributes)` gives the op's outputs with other ops.

    The inputs count as independent of each other, although one may have been computed from another.
    """
    from refnet import ops

    xs = [ops.unary.same(x) for x in node.inputs]
    given = [(y, dy) for y, dy in zip(composite(*xs, **node.attributes), dys) if dy is not None]
    return reverse([y for y, _ in given], [dy for _, dy in given], xs, None)


class Undifferentiable:
    """The gradient of an op that has none, although something real flows through it: asking for it raises, in these words."""

    def __init__(self, words: str):
        self.words = words

    def __call__(self, node: Node, *dys: Tensor | None) -> NoReturn:
        raise ArgumentError(f"{node.op.name}: {self.words}")
