"""Anybody's function of a known name, held to the definition: the whole call is certified at once."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.definition import Op
from refnet.engine import Engine, Running, reference, use_engine
from refnet.graph import Constant, Node
from refnet.program import Concrete, Program, specialize
from refnet.scalars.bound import Bound
from refnet.scalars.choices import Undecided, every_choice
from refnet.scalars.exact import mp
from refnet.scalars.rounding import arithmetic
from refnet.testing.certificates import SIGNED, Limits, Verdict, arithmetic_of, either, judge, stored
from refnet.testing.draw import Seeded
from refnet.testing.evaluate import program_of, run_program
from refnet.testing.reproduce import array_text
from refnet.testing.strategies import Usage, load, usages, use
from refnet.testing.usages import function_named

WAYS = 64  # in which comparisons may go that rounding decides
# What the first cases hold: a wrong answer to one such value shows where it is alone, and where it meets others.
SPECIAL = ((np.nan,), (np.inf,), (-0.0,), (np.nan,), (-np.inf,), *[(np.nan, np.inf, -np.inf, -0.0)] * 3)


class Report(NamedTuple):
    """How a function did: the worst error / bound and error in ULP over its calls, and the first thing that was wrong.

    calls: that were held to a certificate, the refused one included.  uncertain: calls that have none; reason: why the last has none.
    """

    name: str
    calls: int
    worst: float
    ulp: float
    refusal: str
    uncertain: int = 0
    reason: str = ""

    @property
    def verdict(self) -> str:
        return "REFUSED" if self.refusal else "within" if self.calls else "none"


def known_names() -> list[str]:
    """The functions that can be examined."""
    load()
    return sorted(usages)


def unknown_names() -> list[str]:
    """The functions of refnet.ops that cannot: no calls of them are drawn."""
    import refnet.ops

    public = (name for name, f in vars(refnet.ops).items() if inspect.isfunction(f) and not name.startswith("_"))
    return sorted({*public} - {*known_names()})


def examine(name: str, function: Callable[..., Any], examples: int = 40) -> Report:
    """Calls a function on fixed cases and compares every element with the certificate of refnet's function of that name."""
    worst, ulp, calls, uncertain, reason = 0.0, 0.0, 0, 0, ""
    for number in range(examples):
        usage = fixed_case(name, number)
        program, feeds = recorded(function_named(name), usage.arguments, usage.keywords)
        try:
            certificates = certified(program, feeds)
        except Undecided as undecided:
            uncertain, reason = uncertain + 1, f"{undecided}\n    {call_text(usage)}"
            continue
        calls += 1
        verdict = verdict_on(function, usage, certificates)
        worst, ulp = max(worst, verdict.worst), max(ulp, verdict.ulp)
        if verdict.refusal:
            return Report(name, calls, worst, ulp, f"{verdict.refusal}\n    {call_text(usage)}", uncertain, reason)
    return Report(name, calls, worst, ulp, "", uncertain, reason)


def fixed_case(name: str, number: int) -> Usage:
    """The call of that number; the first hold NaN, infinities and negative zeros."""
    return use(name, Seeded(("conformance", name, number), special=SPECIAL[number] if number < len(SPECIAL) else ()))


def verdict_on(function: Callable[..., Any], usage: Usage, certificates: list[tuple[Array, str]]) -> Verdict:
    """What a function's results for one call are worth: the first that is wrong counts."""
    try:
        with np.errstate(all="ignore"):
            given = function(*usage.arguments, **usage.keywords)
    except Exception as error:  # somebody else's code: whatever it raises is what the report has to say
        return Verdict(float("inf"), float("inf"), f"{type(error).__name__}: {error}")
    results = list(given) if isinstance(given, (tuple, list)) else [given]
    if len(results) != len(certificates):
        return Verdict(float("inf"), float("inf"), f"{len(results)} results; {len(certificates)} are due.")
    verdicts = [
        judge(np.asarray(got), limits, limits.shape, dtype, "y") for got, (limits, dtype) in zip(results, certificates)
    ]
    refusal = next((v.refusal for v in verdicts if v.refusal), "")
    return Verdict(max((v.worst for v in verdicts), default=0.0), max((v.ulp for v in verdicts), default=0.0), refusal)


def agree(function: Callable[..., Any], theirs: Any, *arguments: Any, **keywords: Any) -> float:
    """Holds a function of refnet, and what somebody else's gives for the same call, to the certificate of that call.

    So far may any correct evaluation of the definition be from the exact value: nobody chooses how near is near enough.

    Args:
        function: of `refnet.ops`, or written with them. What it makes of numbers alone counts as exact here, as weights that
            layers in it are given do; `examine` takes it for computed.
        theirs: their result, or a tuple or list of them; rounded to the dtype that is due.
    Returns:
        The worst error as a fraction of its bound.
    Raises:
        AssertionError: an element of theirs or of ours left its bound, or ours have another dtype than is due; says whose. Or the
            certificate says nothing of most elements, because they may be anything though their exact values are finite.
    """
    program, feeds = program_of(function, arguments, keywords)
    certificates = certified(program, feeds)
    ours, worst = function(*arguments, **keywords), 0.0
    for limits, _ in certificates:
        bare = sum(
            isinstance(x, Limits) and mp.isfinite(x.value) and not mp.isfinite(x.high - x.low) for x in limits.flat
        )
        assert bare <= limits.size / 2, f"the certificate says nothing of {bare} of {limits.size} elements."
    for whose, given in (("theirs", theirs), ("ours", ours)):
        results = list(given) if isinstance(given, (tuple, list)) else [given]
        for got, (limits, dtype) in zip(results, certificates, strict=True):
            array = np.asarray(got)
            array = array if whose == "ours" else array.astype(dtypes.as_numpy(dtype))
            verdict = judge(array, limits, limits.shape, dtype, whose)
            assert not verdict.refusal, verdict.refusal
            worst = max(worst, verdict.worst)
    return worst


class Recording(Engine):
    """While a call is recorded: what its ops make of numbers alone (the weights of a blur) become nodes too, computed by nobody.

    A correct engine computes them as any other result, with roundings, so they must not count as exact. Whole numbers and random
    ones do: no rounding decides them, and a call's own key decides what is drawn.
    """

    name = "recording"

    def compute(self, op: Op, arrays: Sequence[Array], attributes: dict[str, Any]) -> list[Any]:
        given = [Constant(a) for a in arrays]
        if op.random or not any(dtypes.is_floating(y.dtype) for y in op.specs(*given, **attributes)):
            return reference.compute(op, arrays, attributes)
        return list(Node(op, given, attributes).outputs)

    def build(self, concrete: Concrete) -> Running:
        return reference.build(concrete)


def recorded(
    function: Callable[..., Any], arguments: Sequence[Any], keywords: dict[str, Any]
) -> tuple[Program, list[Array]]:
    """A call as a program that holds every rounding of it, those in numbers that do not depend on the arrays too."""
    with use_engine(Recording()):
        return program_of(function, arguments, keywords)


def certified(program: Program, feeds: list[Array]) -> list[tuple[Array, str]]:
    """What each result of a whole program may be: the Bounds travel from node to node."""
    names = [y.dtype for y in program.outputs] + [a.dtype.name for a in feeds]
    concrete = specialize(program, [a.shape for a in feeds])
    shapes, signed = concrete.outputs, all(i.op.name in SIGNED for i in concrete.instructions)
    total = [np.full(y.shape, None, object) for y in shapes]
    with arithmetic(arithmetic_of(names)):
        for outputs in every_choice(lambda: run_program(program, feeds, Bound.read), WAYS):
            for whole, y, t in zip(total, outputs, program.outputs):
                for index in np.ndindex(*y.shape):
                    whole[index] = either(whole[index], limit(y[index], t.dtype, signed))
    return [(limits, t.dtype) for limits, t in zip(total, program.outputs)]


def limit(x: Any, dtype: str, signed: bool) -> Any:
    """A Bound as Limits; an integer or bool as the set of the one value it must have."""
    return stored(Bound.of(x), dtype, signed) if dtypes.is_floating(dtype) else {np.asarray(x).item()}


def call_text(usage: Usage) -> str:
    """The call as code."""

    def text(x: Any) -> str:
        if isinstance(x, (list, tuple)) and any(isinstance(part, np.ndarray) for part in x):
            return "[" + ", ".join(map(text, x)) + "]"
        return array_text(x) if isinstance(x, np.ndarray) else repr(x)

    given = [*map(text, usage.arguments), *(f"{key}={text(value)}" for key, value in usage.keywords.items())]
    return f"{usage.name}({', '.join(given)})"
