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
from refnet.program import Program
from refnet.testing.certificates import certificate, judge
from refnet.testing.reproduce import reproduction
from refnet.testing.usages import NodeRun, node_runs

# Multiply-adds that are certified in a node: a bound-carrying number takes microseconds for each.
WORK = 2000


class Replay(NamedTuple):
    """What a replay found: the worst error as a fraction of its bound, the op and the engine it was seen on, and how much
    was looked at."""

    worst: float
    op: str
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
    worst = Replay(0.0, "", "", 0, 0)
    arrays = [np.asarray(a, dtypes.as_numpy(x.dtype)) for a, x in zip(feeds, program.inputs)]
    for number, run in enumerate(node_runs(program, arrays, chosen[-1])):
        sample = sampled(run.op.form(*map(spec_of, run.arrays), **run.attributes), tasks, number)
        worst = worst._replace(nodes=worst.nodes + 1, tasks=worst.tasks + len(sample))
        certificates: dict[Any, list[Array]] = {}  # one for all engines that declare nothing of their own
        for engine in chosen:
            own = engine.rounding_of(run.op) or engine.bound_of(run.op, run.arrays, run.attributes)
            whose = engine if own else None
            if whose not in certificates:
                certificates[whose] = certificate(run.op, run.arrays, run.attributes, sample, whose)
            answers = run.results if engine is chosen[-1] else answered(engine, run, sample)
            ratio = judged(run, engine, answers, certificates[whose])
            if ratio > worst.worst or not worst.op:
                worst = worst._replace(worst=ratio, op=run.op.name, engine=engine.name)
    return worst


def answered(engine: Engine, run: NodeRun, sample: list[tuple[int, ...]]) -> list[Array]:
    """What another engine makes of a node; the reference does the sampled tasks only."""
    if engine is not reference:
        return engine.compute(run.op, run.arrays, run.attributes)
    results = [np.zeros(y.shape, y.dtype) for y in run.results]
    interpret(run.op, run.arrays, run.attributes, results, sample)
    return results


def judged(run: NodeRun, engine: Engine, answers: Sequence[Array], limits: Sequence[Array]) -> float:
    """The worst error as a fraction of its bound. Raises AssertionError where one is passed."""
    worst = 0.0
    for number, (got, allowed, due) in enumerate(zip(answers, limits, run.results)):
        verdict = judge(got, allowed, due.shape, due.dtype.name, f"y{number}", False)
        if verdict.refusal:
            code = reproduction(run.op, engine, run.arrays, run.attributes)
            raise AssertionError(f"{run.op.name} on {engine.name}: {verdict.refusal}\n{code}")
        worst = max(worst, verdict.worst)
    return worst


def replay_step(
    model: Any, x: Array, y: Array, engines: Sequence[Engine | str] = ("reference", "derived"), tasks: int = 200
) -> Replay:
    """The training step of a compiled model on one batch, replayed: see `replay`. The model stays as it is."""
    model._must_be_compiled("replay_step")
    batches = model._fed("replay_step", *model._checked("replay_step", x, y))
    return replay(model._executable("train", batches).program, batches.arrays, engines, tasks)


def sampled(form: Form, most: int, seed: int) -> list[tuple[int, ...]]:
    """Indices of at most `most` tasks of a form's domain, without repetition; fewer where a task is costly."""
    total = math.prod(form.domain)
    count = min(total, most, max(1, int(WORK / max(form.cost, 1))))
    chosen = sorted(random.Random(seed).sample(range(total), count))
    return [tuple(int(i) for i in np.unravel_index(task, form.domain)) for task in chosen]
