"""Public functions as wholes: found by name, and certified node by node."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.engine import Engine
from refnet.graph import Constant, Variable
from refnet.program import Program, specialize
from refnet.testing.certificates import hold


def function_named(name: str, package: Any = None) -> Callable[..., Any]:
    """`refnet.ops.name`, or `refnet.random.name` for names with that prefix."""
    if package is not None:
        return getattr(package, name)  # type: ignore[no-any-return]
    import refnet.ops
    import refnet.random

    module = refnet.random if name.startswith("random.") else refnet.ops
    return getattr(module, name.removeprefix("random."))  # type: ignore[no-any-return]


def hold_nodes(program: Program, feeds: Sequence[Array], engine: Engine) -> float:
    """Certifies every node of a program, each on what the engine itself gave for the nodes before it.

    Returns:
        The worst error as a fraction of its bound.
    """
    concrete = specialize(program, [np.shape(a) for a in feeds])
    values = dict(zip(concrete.inputs, (np.asarray(a) for a in feeds)))
    worst = 0.0
    for instruction in concrete.instructions:
        arrays = []
        for x in instruction.inputs:
            if x not in values:
                values[x] = x.value if isinstance(x, (Constant, Variable)) else np.broadcast_to(np.zeros(1, x.dtype), x.shape)
            arrays.append(np.asarray(values[x]))
        results = engine.compute(instruction.op, arrays, instruction.attributes)
        worst = max(worst, hold(instruction.op, engine, arrays, instruction.attributes, results))
        values.update(zip(instruction.outputs, results))
    return worst
