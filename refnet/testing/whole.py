"""What a whole program may answer: its nodes' certificates, carried from node to node.

`replay` runs nodes one by one, so it does not see what a planner makes of many: fused units, shared memory, updates in place. Here
the definitions run on numbers that carry their bounds, each result rounded to its dtype before the next node reads it, and an
engine's run of the whole program is held to what comes out. An engine that rounds less often stays inside.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.engine import Engine, current_engine, get_engine, use_engine
from refnet.graph import Variable
from refnet.program import Program, specialize
from refnet.scalars.bound import Bound
from refnet.scalars.choices import every_choice
from refnet.scalars.rounding import INF, arithmetic
from refnet.testing.certificates import Limits, arithmetic_of, either, judge, stored
from refnet.testing.evaluate import run_concrete

WAYS = 64  # in which comparisons may go that rounding decides


def hold_program(
    program: Program,
    feeds: Sequence[Array],
    engine: Engine | str,
    theirs: Callable[[], Mapping[Variable, Any]] | None = None,
) -> float:
    """Runs a program once on an engine, commits included, and holds outputs and new values of variables to their limits.

    Args:
        program: of floats; small, for a number with its bound takes microseconds for each operation.
        feeds: one array for each input.
        theirs: gives new values of variables by somebody else's program that starts from the same ones, which are held to the
            same limits; asked after the run.
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
    held = [*zip([engine.name] * len(due), names, [*outputs, *[v.numpy() for v in variables]], due, strict=True)]
    given = {} if theirs is None else theirs()
    for v, name, allowed in zip(variables, names[len(outputs) :], due[len(outputs) :], strict=True):
        if v in given:
            held.append(("theirs", name, np.asarray(given[v]).astype(v.numpy().dtype), allowed))
    worst = 0.0
    for whose, name, got, allowed in held:
        verdict = judge(got, allowed, allowed.shape, got.dtype.name, name)
        if verdict.refusal:
            raise AssertionError(f"the program on {whose}: {verdict.refusal}")
        worst = max(worst, verdict.worst)
    return worst


def hold_step(
    model: Any,
    x: Any,
    y: Any = None,
    engine: Engine | str | None = None,
    sample_weight: Any = None,
    theirs: tuple[Any, Sequence[Any]] | None = None,
) -> float:
    """Trains a compiled model on one batch, and holds loss, weights and all that the step keeps to what it may answer from where
    the model stood; without `y` it predicts the batch. See `hold_program`.

    Args:
        x, y: a batch, as for `train_on_batch`.
        engine: the current one if None.
        sample_weight: as for `train_on_batch`.
        theirs: the loss that somebody else's model gives for this step, from the same weights, or a list of it and of means that
            are the model's metrics, and its weights after it, in the order of `model.weights`; held to the same limits.
    """
    if y is not None:
        model._must_be_compiled("hold_step")
    with use_engine(engine or current_engine()):
        checked = model._checked("hold_step", x, y, sample_weight)
        batches = model._fed("hold_step", *checked) if y is not None else model._fed("hold_step", checked[0])
        program = model._executable("predict" if y is None else "train", batches).program
        if theirs is None:
            return hold_program(program, batches.arrays, current_engine())
        model.reset_metrics()

        def values() -> dict[Variable, Any]:
            means, weights = theirs
            known = dict(zip(model.weights, weights, strict=True))
            for metric, mean in zip(model.metrics, np.ravel(means), strict=True):
                total, count = metric.variables
                known[total] = mean * float(count)
            return known

        return hold_program(program, batches.arrays, current_engine(), values)


def limits(program: Program, feeds: Sequence[Array], engine: Engine) -> list[Array]:
    """What the elements of the outputs may be, and those of the variables that the program commits."""
    concrete = specialize(program, [np.shape(a) for a in feeds])
    ends = [*concrete.outputs, *concrete.commits.values()]
    arrays = [np.asarray(a, dtypes.as_numpy(x.dtype)) for a, x in zip(feeds, concrete.inputs, strict=True)]
    total: list[Array] = [np.full(y.shape, None, object) for y in ends]
    wanted = copy.copy(concrete)
    wanted.outputs = ends
    read = [x.dtype for x in (*concrete.inputs, *(t for i in concrete.instructions for t in (*i.inputs, *i.outputs)))]
    with arithmetic(arithmetic_of(read)):
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
