"""Certificates: what an engine may answer, derived from the op's own loop, element by element.

`certificate` runs the definition on numbers that carry their error bound. `check` holds an engine to it.
"""

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Tasks
from refnet.arrays import as_array
from refnet.definition import Op
from refnet.engine import Bounds, Engine, get_engine, spec_of
from refnet.naming import found
from refnet.scalars import rounding
from refnet.scalars.bound import Bound
from refnet.scalars.choices import Choices, answering, every_choice
from refnet.scalars.exact import mp
from refnet.scalars.rounding import FLOAT32, FLOAT64, INF, SLACK, ZERO, Arithmetic, arithmetic
from refnet.testing.evaluate import evaluate, refuse_other_calls, specs_of
from refnet.testing.reproduce import reproduction

# Files whose definitions only move elements: the results must be the same bits, the sign of zero included.
MOVING = ("refnet.ops.shapes", "refnet.ops.slicing", "refnet.ops.joining", "refnet.ops.filling")
# Ops of one operation, which IEEE 754 defines with the sign of a zero. In others engines may rightly differ: a sum is 0.0 or -0.0 by
# its start, the larger of 0.0 and -0.0 is either, and a function may be computed through others.
SIGNED = ("abs", "ceil", "divide", "floor", "multiply", "negative", "round", "sqrt", "square", "trunc")
FLOAT32_NORMAL = (
    mp.mpf(2) ** -126
)  # the least normal number of float32: those below it are as far apart as it and the next
MOST_UNITS = 1024  # a bound of more units than this is one of terms that cancel, and an error in units says nothing


class Limits(NamedTuple):
    """What one element may be: low <= computed <= high; `value` is exact. `free`: anything, NaN too. `sign`: of a zero, 1 or -1; 0 if
    it may have either."""

    value: Any
    low: Any
    high: Any
    free: bool
    sign: int = 0


def arithmetic_of(dtype_names: Sequence[str]) -> Arithmetic:
    """The arithmetic that engines compute in: float64 for float64 alone, else float32 (16-bit floats are only stored so)."""
    floats = [name for name in dtype_names if dtypes.is_floating(name)]
    return FLOAT64 if floats and all(name == "float64" for name in floats) else FLOAT32


def certificate(
    op: Op,
    arrays: Sequence[Array],
    attributes: dict[str, Any],
    tasks: Tasks | None = None,
    engine: Engine | None = None,
) -> list[Array]:
    """What every element of the results may be.

    Args:
        op: a primitive.
        arrays, attributes: the call.
        tasks: indices of the form's domain; all if None.
        engine: whose own roundings and bounds count (`Engine.rounding_of`, `Engine.bound_of`); nobody's if None.
    Returns:
        Object arrays, one per output: Limits, or the one right value where the result must be equal; None where no task wrote.
    Raises:
        ArgumentError: attributes with which the op would reach outside of the arrays.

    >>> limits = certificate(named("exp"), [np.array([1.0], "float32")], {})[0][0]
    >>> bool(limits.low < 2.7182817 < limits.high), bool(limits.low < 2.71829 < limits.high)
    (True, False)
    """
    specs = specs_of(op, arrays, attributes)
    if tasks is not None:
        tasks = list(tasks)
    if must_be_equal(op, specs):
        return evaluate(op, arrays, attributes, None, tasks)
    read = reader(op, arrays, engine)
    with arithmetic(arithmetic_of([s.dtype for s in specs] + [a.dtype.name for a in arrays])):
        first = Choices(())
        with answering(first):
            outputs = evaluate(op, arrays, attributes, read, tasks)
        if not first.made:
            limits = [_limited(y, s.dtype, op.name in SIGNED) for y, s in zip(outputs, specs)]
            own = None if engine is None else engine.bound_of(op, arrays, attributes)
            return limits if own is None else _with_own_bound(limits, own, [STORAGE[s.dtype].largest for s in specs])
        # Rounding decides a comparison somewhere: each task by itself, in every way it can go.
        domain = op.form(*[spec_of(a) for a in arrays], **attributes).domain
        result = [np.full(s.shape, None, object) for s in specs]
        for task in np.ndindex(*domain) if tasks is None else tasks:
            for ways in _ways(op, arrays, attributes, task):
                for total, y, s in zip(result, ways, specs):
                    _merge(total, _limited(y, s.dtype))
        return result


def reader(op: Op, arrays: Sequence[Array], engine: Engine | None) -> Callable[[Any], Bound]:
    """How elements are read: exactly, or, where an engine declares it (`Engine.rounding_of`), rounded before a product.

    The products concerned are linear in what they read, so no comparison depends on it. Exponents are float32's.
    """
    u = mp.mpf(0 if engine is None else engine.rounding_of(op))
    if not u or any(dtypes.is_floating(a.dtype.name) and a.dtype.name != "float32" for a in arrays):
        return Bound.read

    def rounded(x: Any) -> Bound:
        exact = Bound.read(x)
        if exact.value == 0 or not mp.isfinite(exact.value):
            return exact
        error = exact.error + u * max(abs(exact.value), FLOAT32_NORMAL)
        return Bound(exact.value, error=error, free=abs(exact.value) * (1 + u) >= 2 * mp.mpf(2) ** 127)

    return rounded


def _with_own_bound(limits: list[Array], own: Bounds | tuple[Bounds, ...], largest: Sequence[Any]) -> list[Array]:
    """The limits, wider where the engine's kernel sums other terms than the definition: see `Engine.bound_of`.

    Args:
        largest: the largest number of each result's dtype; what rounds past it is infinite.
    """
    for result, bound, most in zip(limits, own if isinstance(own, tuple) else (own,), largest):
        for index in written(result):
            x = result[index]
            radius = mp.mpf(bound(index)) if mp.isfinite(x.value) else INF
            if mp.isfinite(radius):
                low, high = x.value - radius, x.value + radius
                low, high = -INF if low < -most else low, INF if high > most else high
                result[index] = x._replace(low=min(x.low, low), high=max(x.high, high))
    return limits


def _ways(op: Op, arrays: Sequence[Array], attributes: dict[str, Any], task: tuple[int, ...]) -> Iterator[list[Array]]:
    """One task's results under every answer to its undecided comparisons."""
    return every_choice(lambda: evaluate(op, arrays, attributes, Bound.read, [task]))


def must_be_equal(op: Op, specs: Sequence[Any]) -> bool:
    """Whether the definition leaves no room: integers and bools, random bits, elements that are only moved."""
    moves = op.loop is not None and op.loop.__module__ in MOVING
    return moves or op.random or not any(dtypes.is_floating(s.dtype) for s in specs)


def _limited(outputs: Array, dtype: str, signed: bool = False) -> Array:
    """Bounds as the Limits of what is stored; signed: zeros have the sign that the definition gives them."""
    result = np.full(outputs.shape, None, object)
    floating = dtypes.is_floating(dtype)
    for index in written(outputs):
        x = outputs[index]
        result[index] = (
            stored(Bound.of(x), dtype, signed) if floating else {x.item() if isinstance(x, np.generic) else x}
        )
    return result


def written(outputs: Array) -> list[tuple[int, ...]]:
    """The indices of what tasks wrote: sampled tasks of a large call leave most elements None."""
    there = np.fromiter((x is not None for x in outputs.flat), bool, outputs.size).reshape(outputs.shape)
    return [tuple(int(i) for i in index) for index in np.argwhere(there)]


class Storage(NamedTuple):
    u: Any
    eta: Any
    largest: Any


STORAGE = {
    "float64": Storage(mp.mpf(2) ** -53, mp.mpf(2) ** -1074, FLOAT64.largest),
    "float32": Storage(mp.mpf(2) ** -24, mp.mpf(2) ** -149, FLOAT32.largest),
    "float16": Storage(mp.mpf(2) ** -11, mp.mpf(2) ** -24, mp.mpf(65504)),
    "bfloat16": Storage(mp.mpf(2) ** -8, mp.mpf(2) ** -133, mp.mpf(2) ** 128 * (1 - mp.mpf(2) ** -8)),
}


def stored(x: Bound, dtype: str, signed: bool = False) -> Limits:
    """The limits of a Bound that is rounded once more, to the dtype it is stored in; signed: with the sign of a zero."""
    storage = STORAGE[dtype]
    free = x.free or x.overflows
    if not mp.isfinite(x.value):
        return Limits(x.value, x.value, x.value, free)
    if (x.exact or x.unrounded) and fits(x.value, storage) and not free:
        sign = (-1 if x.negative_zero else 1) if signed and x.is_zero else 0
        return Limits(x.value, x.value, x.value, False, sign)
    low, high = x.interval
    if low == high == 0 and not free:  # a sum of zeros has no rounding, however many there are
        return Limits(x.value, x.value, x.value, False)
    own = storage.u * abs(x.value) + storage.eta
    narrow = storage.u > rounding.current.u

    def widened(radius: Any) -> Any:
        return (radius + own if narrow else max(radius, own)) * SLACK

    low, high = x.value - widened(x.value - low), x.value + widened(high - x.value)
    # What rounds past the largest number is infinite.
    return Limits(x.value, -INF if low < -storage.largest else low, INF if high > storage.largest else high, free)


def fits(value: Any, storage: Storage) -> bool:
    """Whether the dtype holds the value exactly."""
    if value == 0:
        return True
    digits = int(-mp.log(storage.u, 2))
    exponent = max(int(mp.mag(value)) - digits, int(mp.log(storage.eta, 2)))
    return bool(abs(value) <= storage.largest and mp.isint(mp.ldexp(value, -exponent)))


def _merge(total: Array, more: Array) -> None:
    """Widens a certificate by what another way of evaluation allows."""
    for index in np.ndindex(*total.shape):
        total[index] = either(total[index], more[index])


def either(p: Any, q: Any) -> Any:
    """What an element may be that either of two certificates allows; None allows nothing."""
    if p is None or q is None:
        return q if p is None else p
    if isinstance(p, Limits):
        special = not (mp.isfinite(p.value) and mp.isfinite(q.value)) and p.value != q.value
        sign = p.sign if p.sign == q.sign else 0
        return Limits(p.value, min(p.low, q.low), max(p.high, q.high), p.free or q.free or special, sign)
    return p | q


# ---- holding results to a certificate


def check(
    op: Op | str, engine: Engine | str, arrays: Sequence[Array], attributes: dict[str, Any], tasks: Tasks | None = None
) -> float:
    """Runs one call on an engine and holds every element (or the sampled tasks' elements) to the certificate.

    Args:
        op: a primitive, or its name.
        engine: an engine, or its name.
        arrays: the op's inputs.
        attributes: what else the op takes, in the form in which its public function hands it on: an axis counted from 0, all
            of them given.
        tasks: the tasks whose elements are held, indices of the form's domain; all if None.
    Returns:
        The worst error as a fraction of its bound; 0 where the result must be equal, and is.
    Raises:
        AssertionError: naming op, element, what came, what is exact, what was allowed, and the call as code.
        ArgumentError: no such op; other attributes or another number of arrays than it takes; attributes with which it would reach
            outside of the arrays.  DtypeError: arrays of something else than numbers.

    >>> check("softmax", "reference", [np.array([[1.0, 2.0]], "float32")], {"axis": 1}) <= 1
    True
    """
    op = named(op) if isinstance(op, str) else op
    engine = get_engine(engine)
    arrays = [as_array(a) for a in arrays]
    refuse_other_calls(op, arrays, attributes)
    results = engine.compute(op, arrays, attributes)
    return hold(op, engine, arrays, attributes, results, tasks)


def named(name: str) -> Op:
    """The op of that name. Raises ArgumentError with near names if there is none."""
    for module in ("refnet.ops", "refnet.random"):  # they declare the ops
        importlib.import_module(module)
    op: Op = found("op", name, Op.named)
    return op


def hold(
    op: Op,
    engine: Engine,
    arrays: Sequence[Array],
    attributes: dict[str, Any],
    results: Sequence[Array],
    tasks: Tasks | None = None,
) -> float:
    """`check` for results that are there already.

    Args:
        op, engine, arrays, attributes, tasks: as in `check`, but the op and the engine themselves.
        results: one array for each output.
    Returns, Raises: as `check`.

    >>> x = np.array([0.25, 1.0], "float32")
    >>> hold(named("exp"), get_engine("reference"), [x], {}, [np.exp(x)]) <= 1
    True
    """
    specs = specs_of(op, arrays, attributes)
    if len(results) != len(specs):
        raise AssertionError(f"{op.name} on {engine.name}: {len(results)} results; {len(specs)} are due.")
    expected = certificate(op, arrays, attributes, tasks, engine)
    worst = 0.0
    for number, (got, spec, limits) in enumerate(zip(results, specs, expected)):
        verdict = judge(
            got, limits, tuple(spec.shape), spec.dtype, f"y{number if len(specs) > 1 else ''}", tasks is None
        )
        if verdict.refusal:
            code = reproduction(op, engine, arrays, attributes)
            raise AssertionError(f"{op.name} on {engine.name}: {verdict.refusal}\n{code}")
        worst = max(worst, verdict.worst)
    return worst


class Verdict(NamedTuple):
    """How a result compares with its certificate: the worst error / bound, the worst error in ULP, what is wrong ('': nothing)."""

    worst: float
    ulp: float
    refusal: str


def judge(got: Array, expected: Array, shape: tuple[int, ...], dtype: str, name: str, complete: bool = True) -> Verdict:
    """Compares one result with its certificate (what `certificate` gave), element by element.

    Args:
        complete: whether every element must have been written.
    """
    if got.shape != shape or got.dtype.name != dtype:
        return Verdict(float("inf"), float("inf"), f"{name} is {got.dtype.name} {got.shape}; {dtype} {shape} is due.")
    worst, worst_ulp, refusal = 0.0, 0.0, ""
    for index in np.ndindex(*shape) if complete else written(expected):
        limits, place, x = expected[index], f"{name}{list(index)}", got[index]
        if limits is None:
            if complete:
                refusal = refusal or f"the definition leaves {place} unwritten."
        elif isinstance(limits, Limits):
            ratio = error_over_bound(x, limits)
            worst, worst_ulp = max(worst, float(ratio)), max(worst_ulp, error_in_ulp(x, limits, dtype))
            if ratio > 1 and not refusal:
                refusal = (
                    f"{place} is {float(x)!r}; exactly {'-' * (limits.sign < 0)}{mp.nstr(limits.value, 17)}, allowed "
                    f"{mp.nstr(limits.low, 17)} .. {mp.nstr(limits.high, 17)}; error / bound = {mp.nstr(ratio, 4)}."
                )
        else:
            right = x.item() in limits if isinstance(limits, set) else same(x, limits, dtype)
            if not right:
                worst = worst_ulp = float("inf")
                due = " or ".join(map(str, limits)) if isinstance(limits, set) else f"exactly {limits}"
                refusal = refusal or f"{place} is {x}; it must be {due}."
    return Verdict(worst, worst_ulp, refusal)


def error_in_ulp(got: Any, limits: Limits, dtype: str) -> float:
    """The error in units of the last place of the exact value; 0 where that says nothing.

    It says nothing of what is not finite, nor where terms cancel: there the bound itself is many units of the small result.
    """
    x = mp.mpf(float(got))
    if not (mp.isfinite(x) and mp.isfinite(limits.value)):
        return 0.0
    storage = STORAGE[dtype]
    unit = (
        storage.eta if limits.value == 0 else max(mp.ldexp(2 * storage.u, int(mp.mag(limits.value)) - 1), storage.eta)
    )
    cancelled = max(limits.high - limits.value, limits.value - limits.low) > MOST_UNITS * unit
    return 0.0 if cancelled else float(abs(x - limits.value) / unit)


def error_over_bound(got: Any, limits: Limits) -> Any:
    """How much of what is allowed was used: 0 for the exact value, more than 1 for a wrong one."""
    x = float(got)
    if limits.free:
        return ZERO
    if x != x or limits.value != limits.value:
        return ZERO if x != x and limits.value != limits.value else INF
    computed = mp.mpf(x)
    if computed == limits.value:
        return INF if limits.sign and math.copysign(1, x) != limits.sign else ZERO
    if not limits.low <= computed <= limits.high:
        room = limits.high - limits.value if computed > limits.value else limits.value - limits.low
        return abs(computed - limits.value) / room if room > 0 and mp.isfinite(computed) else INF
    room = limits.high - limits.value if computed > limits.value else limits.value - limits.low
    return abs(computed - limits.value) / room if mp.isfinite(room) else ZERO


def same(got: Any, due: Any, dtype: str) -> bool:
    """The same value of a dtype, to the bit; one NaN is like another."""
    with np.errstate(all="ignore"):
        right = np.asarray(due).astype(dtypes.as_numpy(dtype))
    if dtypes.is_floating(dtype):
        if np.isnan(right) or np.isnan(got):
            return bool(np.isnan(right) and np.isnan(got))
        return bool(right == got and np.signbit(right) == np.signbit(got))
    return bool(right == got)
