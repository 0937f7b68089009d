"""A program replayed node by node: each node runs on several engines, on the same inputs, and is held to its certificate."""

import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.definition import Form
from refnet.engine import Engine, get_engine, interpret, reference, spec_of
from refnet.graph import Constant, Tensor, Variable
from refnet.program import Program, place_of, specialize
from refnet.testing.certificates import arithmetic_of, certificate, hold

# Multiply-adds that are certified in a node: a bound-carrying number takes microseconds for each.
WORK = 2000


class Replay(NamedTuple):
    """What a replay found: the worst error as a fraction of its bound, the node and the engine it was seen on."""

    worst: float
    node: str
    engine: str
    nodes: int
    tasks: int


def replay(
    program: Program,
    feeds: Sequence[Array],
    engines: Sequence[Engine | str] = ("reference", "derived"),
    tasks: int = 200,
) -> Replay:
    """Runs a program node by node and holds every engine's results to the node's certificate. Commits nothing.

    Args:
        program: for example a model's training step.
        feeds: one array per input.
        engines: the engines that run each node; the next node gets what the last of them computed. The reference
            interprets the certified tasks only, unless it is the last.
        tasks: the most tasks of a node that are certified; chosen at random, the same every time. Nodes with costly tasks
            get fewer.
    Raises:
        AssertionError: an element left its bound; names engine, op and element.
    """
    chosen = [get_engine(engine) for engine in engines]
    concrete = specialize(program, [np.shape(a) for a in feeds])
    values: dict[Tensor, Array] = {
        x: np.ascontiguousarray(a, dtypes.as_numpy(x.dtype)) for x, a in zip(concrete.inputs, feeds)
    }

    def value_of(x: Tensor) -> Array:
        if x in values:
            return values[x]
        if isinstance(x, Constant | Variable):
            return np.asarray(x.value)
        return np.broadcast_to(np.zeros(1, dtypes.as_numpy(x.dtype)), x.shape)  # read for its shape alone

    worst = Replay(0.0, "", "", len(concrete.instructions), 0)
    for number, (op, inputs, attributes, outputs, _) in enumerate(concrete.instructions):
        arrays = [value_of(x) for x in inputs]
        sample = sampled(op.form(*map(spec_of, arrays), **attributes), tasks, number)
        worst = worst._replace(tasks=worst.tasks + len(sample))
        results: list[Array] = []
        certificates: dict[str, list[Array]] = {}  # one for all engines that promise the same
        for engine in chosen:
            if engine is reference and engine is not chosen[-1]:
                results = [np.zeros(y.shape, dtypes.as_numpy(y.dtype)) for y in outputs]
                interpret(op, arrays, attributes, results, sample)
            else:
                results = engine.compute(op, arrays, attributes)
            promise = str(arithmetic_of([y.dtype for y in outputs], engine))
            if promise not in certificates:
                certificates[promise] = certificate(op, arrays, attributes, sample, engine)
            ratio = hold(op, engine, arrays, attributes, results, sample, certificates[promise])
            if ratio > worst.worst or not worst.node:
                worst = worst._replace(worst=ratio, node=place_of(concrete.instructions[number]), engine=engine.name)
        values.update(zip(outputs, results))
    return worst


def replay_step(
    model: Any, x: Array, y: Array, engines: Sequence[Engine | str] = ("reference", "derived"), tasks: int = 200
) -> Replay:
    """The training step of a compiled model on one batch, replayed: see `replay`. The model stays as it is."""
    batches = model._fed("replay_step", *model._checked("replay_step", x, y))
    return replay(model._executable("train", batches).program, batches.arrays, engines, tasks)


def sampled(form: Form, most: int, seed: int) -> list[tuple[int, ...]]:
    """Indices of at most `most` tasks of a form's domain, without repetition; fewer where a task is costly."""
    total = math.prod(form.domain)
    count = min(total, most, max(1, int(WORK / max(form.cost, 1))))
    chosen = sorted(random.Random(seed).sample(range(total), count))
    return [tuple(int(i) for i in np.unravel_index(task, form.domain)) for task in chosen]
