"""How accurate each op is on each engine, measured on fixed calls: the table of `python -m refnet ops`."""

import importlib
import inspect
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from refnet import ops
from refnet.definition import Op
from refnet.engine import Engine, get_engine
from refnet.errors import EngineError
from refnet.naming import found
from refnet.testing.certificates import certificate, judge
from refnet.testing.draw import Seeded
from refnet.testing.evaluate import program_of, specs_of
from refnet.testing.strategies import case, load, usages, use
from refnet.testing.usages import NodeRun, function_named, node_runs

# In a process that was started with Numba's simulator on, it stands in for the device.
ENGINES = ("cpu", "derived", "cuda-sim" if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" else "cuda")
CALLS = 4  # a kind of op, fixed by their seeds


def engines_here() -> dict[str, Engine | None]:
    """The engines of the table that can run in this process; None for those that cannot (no device)."""
    importlib.import_module("refnet_fast")  # registers them
    found: dict[str, Engine | None] = {}
    for name in ENGINES:
        try:
            found[name] = get_engine(name)
        except (EngineError, ImportError):
            found[name] = None
    return found


def measured(op: Op, engine: Engine) -> dict[str, Any]:
    """{"kind", "worst_error_over_bound", "ulp"} of a primitive on an engine."""
    drawn = [case(op.name, Seeded(("table", op.name, number))) for number in range(CALLS)]
    runs = []
    for _, given, attributes in drawn:
        arrays = [np.asarray(a) for a in given]
        runs.append(NodeRun(op, arrays, attributes, engine.compute(op, arrays, attributes)))
    return summary(runs, engine)


def summary(runs: Iterable[NodeRun], engine: Engine) -> dict[str, Any]:
    """The worst of what an engine gave; 'tuned' where no derived kernel took part."""
    worst, ulp, kinds = 0.0, 0.0, set()
    for op, arrays, attributes, results in runs:
        kinds.add(engine.kind_of(op))
        specs = specs_of(op, arrays, attributes)
        for got, spec, limits in zip(results, specs, certificate(op, arrays, attributes, None, engine)):
            verdict = judge(got, limits, tuple(spec.shape), spec.dtype, op.name)
            worst, ulp = max(worst, verdict.worst), max(ulp, verdict.ulp)
    return {"kind": "tuned" if kinds == {"tuned"} else "derived", "worst_error_over_bound": worst, "ulp": ulp}


def measured_composite(name: str, engine: Engine) -> dict[str, Any] | None:
    """The same for a function written with other ops: the worst of its nodes; None where there is no usage to try."""
    if name not in usages:
        return None
    runs: list[NodeRun] = []
    for number in range(CALLS):
        usage = use(name, Seeded(("table", name, number)))
        program, feeds = program_of(function_named(name), usage.arguments, usage.keywords)
        runs += node_runs(program, feeds, engine)
    return summary(runs, engine)


def composites() -> list[str]:
    """Public functions of refnet.ops that are no primitive themselves."""
    public = (
        name
        for name, value in vars(ops).items()
        if inspect.isfunction(value) and value.__module__.startswith(ops.__name__)
    )
    return sorted(name for name in public if name not in Op.named or not Op.named[name].primitive)


def table(names: list[str] | None = None) -> list[dict[str, Any]]:
    """One row for each op: its name, whether it is primitive and differentiable, and how each engine did; None where not run."""
    load()
    engines = engines_here()
    rows = []
    every = sorted({n for n, op in Op.named.items() if op.primitive} | set(composites()))
    for name in names or []:
        found("op", name, dict.fromkeys(every))
    for name in every:
        if names and name not in names:
            continue
        op = Op.named.get(name)
        primitive = op is not None and op.primitive
        results: dict[str, Any] = {}
        for label, engine in engines.items():
            if engine is None:
                results[label] = None
            elif op is not None and primitive:
                results[label] = measured(op, engine)
            else:
                results[label] = measured_composite(name, engine)
        differentiable = op.gradient is not None if op is not None and primitive else True
        rows.append({"name": name, "primitive": primitive, "differentiable": differentiable, "engines": results})
    return rows
