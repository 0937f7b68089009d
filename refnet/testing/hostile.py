"""Calls that nobody should make: each must end in a result or in an error of refnet's, never in a crash.

`python -m refnet.testing.hostile --calls 1000` takes the examples of the docstrings and of the strategies, spoils an argument or
two (indices outside, strides below 1, sizes beyond memory, other dtypes, NaN for a count) and makes the calls in child processes
with limited memory: eagerly and inside graphs, on several engines.
"""

import argparse
import contextlib
import doctest
import faulthandler
import inspect
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from refnet.annotations import Array

MEMORY = 4 << 30  # bytes that a child may take beyond what it holds when it starts
SECONDS = 60  # of processor time that one call may take, so that a busy machine decides nothing
TAKES_FUNCTIONS = (
    *(
        "associative_scan",
        "cond",
        "fori_loop",
        "gradients",
        "jvp",
        "map",
        "scan",
        "switch",
        "vectorize",
        "vectorized_map",
        "while_loop",
    ),
)
# What compiled engines are asked: functions whose kernels follow indices, strides and extents from the caller. Compiling takes
# most of their time, so that the quick profile asks for few; the deep one for all.
FOLLOWING = ("take", "take_along_axis", "slice", "segment_sum", "scatter_update", "conv", "max_pool", "pad")


class Call(NamedTuple):
    """One call: what is called, with which arguments, and how."""

    name: str
    arguments: dict[str, Any]
    engine: str
    symbolic: bool

    def __str__(self) -> str:
        given = ", ".join(f"{key}={told(value)}" for key, value in self.arguments.items())
        return f"{self.name}({given}) on {self.engine}{', in a graph' if self.symbolic else ''}"


class Outcome(NamedTuple):
    """What came of many calls: how many gave a result, how many an error of refnet's, and the calls that failed, with why."""

    results: int
    errors: int
    failures: list[str]


def told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        small = value.size <= 12 and value.dtype.name != "bfloat16"
        return f"np.array({value.tolist()!r}, {value.dtype.name!r})" if small else f"<{value.dtype} {value.shape}>"
    return repr(value)


# ---- calls to begin with


def public_functions() -> dict[str, Callable[..., Any]]:
    """The public functions that take arrays and numbers."""
    from refnet import ops, random

    found: dict[str, Callable[..., Any]] = {
        name: function
        for name, function in vars(ops).items()
        if inspect.isfunction(function) and function.__module__.startswith("refnet.ops.") and name[0] != "_"
    }
    draws = {f"random.{name}": getattr(random, name) for name in random.__all__}
    found |= {name: function for name, function in draws.items() if inspect.isfunction(function)}
    for name in [*TAKES_FUNCTIONS, "random.set_random_seed", "random.next_seed"]:
        found.pop(name, None)
    return found


def examples() -> dict[str, list[dict[str, Any]]]:
    """Sound calls of every public function, by parameter: those of its docstring, and drawn ones."""
    from refnet import ops
    from refnet.testing.draw import Seeded
    from refnet.testing.strategies import load, usages, use

    load()
    functions = public_functions()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in functions}
    for name, function in functions.items():

        def record(*args: Any, _name: str = name, _function: Callable[..., Any] = function, **kwargs: Any) -> Any:
            found[_name].append(named(_function, args, kwargs))
            return _function(*args, **kwargs)

        scope = {**vars(ops), **vars(inspect.getmodule(function)), "np": np, function.__name__: record}
        runner = doctest.DocTestRunner(verbose=False)
        for case in doctest.DocTestFinder(recurse=False).find(function, name, globs=scope):
            runner.run(case, out=lambda text: None)
        if name in usages:
            for seed in range(3):
                drawn = use(name, Seeded(("hostile", name, seed)))
                found[name].append(named(function, drawn.arguments, drawn.keywords))
    return {name: calls for name, calls in found.items() if calls}


def named(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Every parameter with its value, defaults included."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


# ---- spoiling

HUGE = (2**33, 2**40, 2**62, 2**63 - 1, 2**63, 2**64, 10**30)
ODD: tuple[Any, ...] = (
    None,
    True,
    "x",
    "",
    0.5,
    float("nan"),
    float("inf"),
    -1,
    0,
    1,
    2,
    3,
    -7,
    *HUGE,
    -(2**40),
    -(2**63),
    1j,
    b"x",
    (),
    [],
    {},
)
DTYPES = (
    "float32",
    "float64",
    "float16",
    "int32",
    "int64",
    "uint8",
    "uint64",
    "int8",
    "bool",
    "complex64",
    "str",
    "object",
)
ELEMENTS = (float("nan"), float("inf"), -float("inf"), -1, 2**31 - 1, -(2**31), 2**40, 1e30, -1e300, 1000, 0.5)


def spoiled(arguments: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The call with one or two arguments, seldom three, made hostile."""
    result = dict(arguments)
    for name in rng.sample(sorted(result), min(len(result), rng.choice((1, 1, 1, 2, 2, 3)))):
        result[name] = hostile(result[name], rng)
    return result


def hostile(value: Any, rng: random.Random) -> Any:
    """Something near a value, or something else altogether."""
    if rng.random() < 0.15:
        return rng.choice(
            (*ODD, np.zeros((0,)), np.zeros((2, 0, 3), "float32"), np.array(3), np.array(["a"]), object())
        )
    if isinstance(value, np.ndarray):
        return hostile_array(value, rng)
    if isinstance(value, (list, tuple)) and value:
        return hostile_sequence(value, rng)
    if isinstance(value, bool) or value is None:
        return rng.choice(ODD)
    if isinstance(value, int):
        return rng.choice(
            (-value, value + 1, value - 1, -value - 1, 0, -1, rng.choice(HUGE), -(2**40), float("nan"), 0.5)
        )
    if isinstance(value, float):
        return rng.choice((float("nan"), float("inf"), -value, 0.0, 1e300, -1.0, 2**63, "x"))
    return rng.choice(ODD)


def hostile_sequence(value: Sequence[Any], rng: random.Random) -> Any:
    parts = list(value)
    place = rng.randrange(len(parts))
    way = rng.randrange(5)
    if way == 0:
        parts.pop(place)
    elif way == 1:
        parts.append(parts[place])
    elif way == 2:
        parts = [hostile(part, rng) for part in parts]
    else:
        parts[place] = hostile(parts[place], rng)
    return tuple(parts) if isinstance(value, tuple) else parts


def hostile_array(value: Array, rng: random.Random) -> Any:
    way = rng.randrange(9)
    with np.errstate(all="ignore"):
        if way == 0:
            return cast(value, rng.choice(DTYPES))
        if way == 1 and value.ndim:
            return value.sum(0, dtype=value.dtype) if rng.random() < 0.5 else value.sum(-1, dtype=value.dtype)
        if way == 2:
            return value[None] if rng.random() < 0.5 else value[..., None]
        if way == 3 and value.ndim:
            return np.take(value, [], axis=rng.randrange(value.ndim))
        if way == 4 and value.ndim and value.size:
            return np.concatenate([value, value], rng.randrange(value.ndim))
        if way == 5 and value.size:
            # As large as can be named, without the memory: broadcast.
            return np.broadcast_to(value.reshape(-1)[0], rng.choice(((2**40,), (2**20, 2**20), (2**28, 2**30))))
        if value.size and value.dtype.kind in "fiu":
            changed = value.astype(rng.choice(("int64", value.dtype.name)), copy=True)
            element = rng.choice(ELEMENTS)
            flat = changed.reshape(-1)
            if changed.dtype.kind != "f" and not (element == int(element) if abs(element) < 2**63 else False):
                element = -1
            flat[rng.randrange(flat.size)] = np.asarray(element).astype(changed.dtype)
            return changed
    return cast(value, rng.choice(DTYPES))


def cast(value: Array, dtype: str) -> Any:
    try:
        return value.astype(dtype)
    except (TypeError, ValueError):
        return value.astype("float64")


def calls(first: int, count: int, seed: int, deep: bool) -> Iterator[tuple[int, Call]]:
    """The calls of these numbers; each depends on its number and the seed alone."""
    known = examples()
    names = sorted(known)
    for number in range(first, first + count):
        rng = random.Random(f"{seed} {number}")
        engine = rng.choice(("reference",) * 8 + ("derived", "cpu"))
        name = rng.choice(names if engine == "reference" or deep else [n for n in FOLLOWING if n in known])
        arguments = spoiled(rng.choice(known[name]), rng)
        yield number, Call(name, arguments, engine, rng.random() < 0.25)


# ---- the child


class TooLong(BaseException):
    """A call that did not come back in time. Nothing that catches exceptions of refnet's may catch it."""


def make(call: Call) -> None:
    """Makes the call, and computes what it promises."""
    from refnet.engine import get_engine, use_engine
    from refnet.testing.evaluate import program_of
    from refnet.testing.usages import function_named

    function = function_named(call.name)
    args, keywords = split(function, call.arguments)
    with use_engine(call.engine):
        if call.symbolic:
            program, feeds = program_of(function, args, keywords)
            get_engine(call.engine).prepare(program).run(feeds)
        else:
            function(*args, **keywords)


def split(function: Callable[..., Any], arguments: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Those of a parameter like *x with all before it, and the arguments that go by name."""
    ahead: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            given, before = arguments[name], [arguments[key] for key in ahead]
            rest = {key: value for key, value in arguments.items() if key != name and key not in ahead}
            return (*before, *(given if isinstance(given, (list, tuple)) else (given,))), rest
        ahead.append(name)
    return (), arguments


def verdict(call: Call) -> str:
    """'result', 'error', or what went wrong."""
    from refnet.errors import RefnetError

    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    faulthandler.dump_traceback_later(20 * SECONDS, exit=True)  # where no handler runs: inside NumPy
    try:
        make(call)
        return "result"
    except RefnetError as error:
        return "error" if str(error) else "an error without words"
    except TooLong:
        return f"took more than {SECONDS} s"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()


def child(first: int, count: int, seed: int, deep: bool) -> None:
    """Makes the calls and prints a line before each and a line after."""
    import resource
    import warnings

    import refnet_fast  # noqa: F401  (registers the engines)

    def stop(*_: Any) -> None:
        raise TooLong

    signal.signal(signal.SIGPROF, stop)
    todo = calls(first, count, seed, deep)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    warnings.simplefilter("ignore")
    report = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for number, call in todo:
            print(json.dumps([number, str(call)]), file=report, flush=True)
            print(json.dumps([number, verdict(call)]), file=report, flush=True)


# ---- the parent


def attack(count: int, seed: int = 0, deep: bool = False) -> Outcome:
    """Makes so many hostile calls in children; one that dies is followed by the next."""
    results, errors, failures = 0, 0, []
    number = 0
    while number < count:
        command = [sys.executable, "-m", "refnet.testing.hostile", "--child", str(number)]
        options = ["--calls", str(count - number), "--seed", str(seed), *(["--deep"] if deep else [])]
        run = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        announced = ""
        for place, words in lines:
            if place == number and words in ("result", "error"):
                results, errors = results + (words == "result"), errors + (words == "error")
            elif place == number and announced:
                failures.append(f"{number}: {announced}: {words}")
            else:
                announced = words
                continue
            number, announced = number + 1, ""
        if announced:
            failures.append(f"{number}: {announced}: the process ended with {run.returncode}")
            number += 1
        elif number < count:
            raise RuntimeError(
                f"the child stopped before call {number} (status {run.returncode}): {run.stderr[-2000:]}"
            )
    return Outcome(results, errors, failures)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m refnet.testing.hostile", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deep", action="store_true", help="every function on the compiled engines, too")
    parser.add_argument("--child", type=int, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child is not None:
        child(given.child, given.calls, given.seed, given.deep)
        return 0
    outcome = attack(given.calls, given.seed, given.deep)
    for failure in outcome.failures:
        print(failure)
    print(f"{given.calls} calls: {outcome.results} results, {outcome.errors} errors, {len(outcome.failures)} failures")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
