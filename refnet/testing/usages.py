"""Public functions as wholes: found by name, and certified node by node."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from refnet.annotations import Array
from refnet.definition import Op
from refnet.engine import Engine
from refnet.graph import Constant, Variable
from refnet.program import Program, specialize
from refnet.testing.certificates import hold


def function_named(name: str) -> Callable[..., Any]:
    """`refnet.ops.name`, or `refnet.random.name` for names with that prefix."""
    import refnet.ops
    import refnet.random

    package: Any = refnet.random if name.startswith("random.") else refnet.ops
    function: Callable[..., Any] = getattr(package, name.removeprefix("random."))
    return function


class NodeRun(NamedTuple):
    """One primitive of a program, as an engine ran it."""

    op: Op
    arrays: list[Array]
    attributes: dict[str, Any]
    results: list[Array]


def node_runs(program: Program, feeds: Sequence[Array], engine: Engine) -> Iterator[NodeRun]:
    """Every node of a program, run one by one, each on what the engine itself gave for the nodes before it."""
    concrete = specialize(program, [np.shape(a) for a in feeds])
    values = dict(zip(concrete.inputs, (np.asarray(a) for a in feeds)))
    for instruction in concrete.instructions:
        for x in instruction.inputs:
            if x not in values:
                if isinstance(x, (Constant, Variable)):
                    values[x] = np.asarray(x.value)
                else:
                    values[x] = np.broadcast_to(np.zeros(1, x.dtype), x.shape)  # read for its shape only
        arrays = [values[x] for x in instruction.inputs]
        results = engine.compute(instruction.op, arrays, instruction.attributes)
        yield NodeRun(instruction.op, arrays, instruction.attributes, results)
        values.update(zip(instruction.outputs, results))


def hold_nodes(program: Program, feeds: Sequence[Array], engine: Engine) -> float:
    """Certifies every node of a program. Returns the worst error as a fraction of its bound."""
    return max(
        (hold(run.op, engine, run.arrays, run.attributes, run.results) for run in node_runs(program, feeds, engine)),
        default=0.0,
    )
