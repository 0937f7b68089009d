"""What a whole program may answer: its nodes' certificates, carried from node to node.

`replay` runs nodes one by one, so it does not see what a planner makes of many: fused units, shared memory, updates in place. Here
the definitions run on numbers that carry their bounds, each result rounded to its dtype before the next node reads it, and an
engine's run of the whole program is held to what comes out. An engine that rounds less often stays inside.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.engine import Engine, current_engine, get_engine, use_engine
from refnet.program import Program, specialize
from refnet.scalars.bound import Bound
from refnet.scalars.choices import every_choice
from refnet.scalars.rounding import INF, arithmetic
from refnet.testing.certificates import Limits, arithmetic_of, either, judge, stored
from refnet.testing.evaluate import run_concrete

WAYS = 64  # in which comparisons may go that rounding decides


def hold_program(program: Program, feeds: Sequence[Array], engine: Engine | str) -> float:
    """Runs a program once on an engine, commits included, and holds outputs and new values of variables to their limits.

    Args:
        program: of floats; small, for a number with its bound takes microseconds for each operation.
        feeds: one array for each input.
    Returns:
        The worst error as a fraction of its bound.
    Raises:
        AssertionError: an element left its bound; names engine, output or variable, and element.
    """
    engine = get_engine(engine)
    concrete = specialize(program, [np.shape(a) for a in feeds])
    variables = list(concrete.commits)
    due = limits(program, feeds, engine)
    outputs = engine.prepare(program).run(feeds)
    names = [f"output {number}" for number in range(len(outputs))] + [v.name or "a variable" for v in variables]
    worst = 0.0
    for name, got, allowed in zip(names, [*outputs, *[v.numpy() for v in variables]], due, strict=True):
        verdict = judge(got, allowed, allowed.shape, got.dtype.name, name)
        if verdict.refusal:
            raise AssertionError(f"the program on {engine.name}: {verdict.refusal}")
        worst = max(worst, verdict.worst)
    return worst


def hold_step(model: Any, x: Any, y: Any = None, engine: Engine | str | None = None) -> float:
    """Trains a compiled model on one batch, and holds loss, weights and all that the step keeps to what it may answer from where
    the model stood; without `y` it predicts the batch. See `hold_program`.

    Args:
        x, y: a batch, as for `train_on_batch`.
        engine: the current one if None.
    """
    with use_engine(engine or current_engine()):
        checked = model._checked("hold_step", x, y)
        batches = model._fed("hold_step", *checked) if y is not None else model._fed("hold_step", checked[0])
        program = model._executable("predict" if y is None else "train", batches).program
        return hold_program(program, batches.arrays, current_engine())


def limits(program: Program, feeds: Sequence[Array], engine: Engine) -> list[Array]:
    """What the elements of the outputs may be, and those of the variables that the program commits."""
    concrete = specialize(program, [np.shape(a) for a in feeds])
    ends = [*concrete.outputs, *concrete.commits.values()]
    arrays = [np.asarray(a, dtypes.as_numpy(x.dtype)) for a, x in zip(feeds, concrete.inputs, strict=True)]
    total: list[Array] = [np.full(y.shape, None, object) for y in ends]
    wanted = copy.copy(concrete)
    wanted.outputs = ends
    read = [x.dtype for x in (*concrete.inputs, *(t for i in concrete.instructions for t in (*i.inputs, *i.outputs)))]
    with arithmetic(arithmetic_of(read, engine)):
        for ways in every_choice(lambda: run_concrete(wanted, arrays, Bound.read, kept), WAYS):
            for known, found, y in zip(total, ways, ends):
                for index in np.ndindex(*known.shape):
                    known[index] = either(known[index], _limits(found[index], y.dtype))
    return total


def kept(x: Any, dtype: str) -> Bound:
    """A node's result as the next node reads it: one value, and an error that holds its rounding."""
    known = stored(Bound.of(x), dtype)
    if known.free or known.low == -INF or known.high == INF:
        return Bound(known.value, error=INF, free=known.free)
    return Bound(known.value, error=max(known.value - known.low, known.high - known.value))


def _limits(x: Any, dtype: str) -> Any:
    if not dtypes.is_floating(dtype):
        return {x.item()}
    number = Bound.of(x)
    low, high = number.interval
    return Limits(number.value, low, high, number.free or number.overflows)
