"""The graph: the nodes between tensors, and how layers leave their mark on it.

A node is one call of an op, numbered by the clock of `refnet.tracing`. Nothing is computed here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refnet import dtypes
from refnet.annotations import TensorLike
from refnet.definition import Op, Spec, SpecLike, size_of
from refnet.errors import ArgumentError, ShapeError
from refnet.tensors import Constant as Constant
from refnet.tensors import Tensor as Tensor
from refnet.tracing import Call as Call
from refnet.tracing import Condition as Condition
from refnet.tracing import Mode as Mode
from refnet.tracing import clock as clock
from refnet.tracing import trace as trace
from refnet.variables import Assignment as Assignment
from refnet.variables import Variable as Variable
from refnet.variables import assignment as assignment


class Node:
    """One call of an op: the inputs and attributes it was given, the outputs it promises, the layer call it belongs to."""

    def __init__(self, op: Op, inputs: Iterable[Tensor], attributes: dict[str, Any]):
        self.op, self.inputs, self.attributes = op, tuple(map(as_read, inputs)), attributes
        self.outputs = tuple(Tensor(s.shape, s.dtype, self) for s in op.specs(*self.inputs, **attributes))
        self.number = next(clock)
        self.reads = self.number if trace.reading is None else trace.reading  # at what time it reads variables
        self.call: Call | None = trace.call
        self.composite: str | None = trace.composite
        if trace.eager is not None:
            trace.eager.compute(self)


# What a program counts its runs by. Random nodes read it; a program puts its own counter variable in its place.
run_counter = Tensor((), "int64", name="run counter")


def as_read(x: Tensor) -> Tensor:
    """What a node reads: x, or a variable cast to the dtype in which the layer that is being called reads its weights."""
    if not isinstance(x, Variable) or x.dtype == x.stored_dtype:
        return x
    dtype = x.dtype
    with trace.inside(autocast=None):
        return Node(Op.named["cast"], (x,), {"dtype": dtype}).outputs[0]


def as_tensor(x: TensorLike, dtype: DTypeLike | None = None) -> Tensor:
    """x itself if symbolic, else a Constant."""
    return x if isinstance(x, Tensor) else Constant(x, dtype)


def call(op: Op, inputs: Sequence[TensorLike], attributes: dict[str, Any]) -> TensorLike:
    """What calling an op means: a node if something symbolic goes in, else the result, at once (see `engine.compute`)."""
    if any(isinstance(x, Tensor) for x in inputs) or (op.random and trace.call is not None):
        return node_of(op, tuple(as_tensor(x) for x in inputs), attributes)
    from refnet import engine

    results = engine.compute(op, inputs, attributes)
    return results[0] if len(results) == 1 else tuple(results)


def node_of(op: Op, inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor | tuple[Tensor, ...]:
    """A node's outputs; or those of other ops, or constants, where the shapes already decide."""
    if op.takes_shape:
        inputs, attributes = with_known_dimensions(inputs, attributes)
    if op.expand is not None and all(None not in x.shape for x in inputs):
        expanded: Tensor | tuple[Tensor, ...] = op.expand(*inputs, **attributes)
        return expanded
    outputs = folded(op, inputs, attributes) or Node(op, inputs, attributes).outputs
    return outputs[0] if len(outputs) == 1 else outputs


FOLDED = dtypes.SIGNED + dtypes.UNSIGNED + dtypes.BOOLEAN  # of arithmetic on shapes


def folded(op: Op, inputs: Sequence[Tensor], attributes: dict[str, Any]) -> tuple[Tensor, ...]:
    """The outputs as constants, where all inputs are, and as small as shapes: arithmetic on shapes is done at once. Else nothing."""
    read = [x for i, x in enumerate(inputs) if i not in op.shape_only]
    arrays = [x.value for x in inputs if isinstance(x, Constant)]
    if not read or len(arrays) < len(inputs) or not op.primitive or any(x.dtype not in FOLDED for x in read):
        return ()
    if not small(op, inputs, attributes):
        return ()
    from refnet import engine

    return tuple(map(Constant, engine.reference.compute(op, arrays, attributes)))


def written_again(calls: Iterable[Any], new: dict[Tensor, Tensor], outputs: Iterable[Tensor]) -> list[Tensor]:
    """Calls of ops once more, in the graph that is being built, on other tensors.

    Args:
        calls: nodes or a program's instructions, each after what it reads.
        new: what stands for each input; the calls' results are added to it. What it has not stays itself.
        outputs: tensors of the old graph.
    Returns:
        What stands for the outputs.
    """
    for step in calls:
        results = node_of(step.op, tuple(new.get(x, x) for x in step.inputs), step.attributes)
        new.update(zip(step.outputs, results if isinstance(results, tuple) else (results,)))
    return [new.get(y, y) for y in outputs]


def small(op: Op, inputs: Sequence[Tensor], attributes: dict[str, Any]) -> bool:
    """Whether what goes in and what comes out is at most as long as a shape."""
    specs: tuple[SpecLike, ...] = (*inputs, *op.specs(*inputs, **attributes))
    return all(None not in s.shape and size_of(s.shape) <= 16 for s in specs)


def with_known_dimensions(
    inputs: Sequence[Tensor], attributes: dict[str, Any]
) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    """Constant dimension inputs go into the `shape` attribute; those still unknown stay inputs."""
    open_axes = [axis for axis, extent in enumerate(attributes["shape"]) if extent is None]
    first = len(inputs) - len(open_axes)
    shape, kept = list(attributes["shape"]), list(inputs[:first])
    for axis, tensor in zip(open_axes, inputs[first:]):
        if isinstance(tensor, Constant):
            shape[axis] = int(tensor.value)
        else:
            kept.append(tensor)
    return tuple(kept), {**attributes, "shape": tuple(shape)}


def call_with_shape(op: Op, inputs: Sequence[TensorLike], shape: Any, **attributes: Any) -> TensorLike:
    """Calls an op that takes a shape, some of whose entries may be tensors (from `ops.shape`)."""
    if isinstance(shape, (int, np.integer, Tensor)):
        shape = (shape,)
    if not isinstance(shape, (tuple, list, np.ndarray)) or (isinstance(shape, np.ndarray) and shape.ndim != 1):
        raise ArgumentError(f"{op.name}: a shape is an integer, or a tuple of them; got {shape!r}.")
    entries = [d if isinstance(d, Tensor) else dimension_argument(op, d) for d in shape]
    for d in entries:
        if isinstance(d, Tensor) and d.shape != ():
            raise ArgumentError(
                f"{op.name}: an entry of a shape must be a single integer; got a tensor of shape {d.shape}."
            )
    dims = [d for d in entries if isinstance(d, Tensor)]
    static = tuple(None if isinstance(d, Tensor) else d for d in entries)
    return op(*inputs, *dims, shape=static, **attributes)


def dimension_argument(op: Op, d: Any) -> int:
    try:
        return int(d.__index__())
    except (AttributeError, TypeError):
        raise ArgumentError(
            f"{op.name}: a shape is made of integers; got {d!r}. For an open dimension use ops.shape(x)[i]."
        ) from None


# ---- phase: a Mode decides which of two ways runs when a program is made


def _phase_rule(a: Spec, b: Spec, *, condition: Condition) -> Spec:
    if len(a.shape) != len(b.shape) or a.dtype != b.dtype:
        raise ShapeError(
            f"a layer's call must return the same rank and dtype with training=True and training=False; "
            f"got {a.shape} {a.dtype} and {b.shape} {b.dtype}."
        )
    return Spec(tuple(p if p == q else None for p, q in zip(a.shape, b.shape)), a.dtype)


phase = Op("phase", _phase_rule)


def sorted_nodes(targets: Iterable[Tensor], mode: Mode | None = None) -> list[Node]:
    """Every node the targets need, each after what it reads; with a mode only the branch that runs, else both.

    Iterative: a thousand chained layers must not overflow the stack.
    """
    order: list[Node] = []
    state: dict[Node, str] = {}
    stack = [t.node for t in reversed(list(targets)) if t.node is not None]
    while stack:
        node = stack[-1]
        if state.get(node) == "done":
            stack.pop()
            continue
        if state.get(node) == "open":
            state[node] = "done"
            order.append(node)
            stack.pop()
            continue
        state[node] = "open"
        sources = [mode.pick(node)] if mode is not None and node.op is phase else node.inputs
        for x in reversed(sources):
            if x.node is not None and state.get(x.node) is None:
                stack.append(x.node)
    return order
