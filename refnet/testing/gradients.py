"""Gradients held to the definitions, without finite differences.

Where an op is linear in an argument (up to a constant), its gradient is the adjoint: <dy, f(x) - f(0)> == <f*(dy), x>, exactly,
in fractions. Elsewhere
the loop is run on dual numbers, which gives the derivative along a direction v, and <dy, f'(x) v> == <gradient(dy), v> must hold
to 25 digits in arithmetic of 72.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Number
from refnet.definition import Op
from refnet.gradients import Undifferentiable, reverse
from refnet.graph import Tensor
from refnet.program import Program
from refnet.scalars.dual import Dual
from refnet.scalars.exact import Irrational, exactly, mp
from refnet.testing.evaluate import evaluate, is_floating, numbers, program_of, run_program, specs_of
from refnet.testing.strategies import Case, Usage
from refnet.testing.usages import function_named

# Both ways carry 72 digits, and a wrong slope shows in the first; 47 may go to terms that cancel.
CLOSE = mp.mpf(10) ** -25
# Gradients that hold an irrational constant know it to the 53 bits of a Python float; normalize's is 1 / order, an exponent.
CONSTANTS = {"erf": mp.mpf(2) ** -52}
CONSTANTS |= dict.fromkeys(("erfc", "erfinv", "gelu", "log2", "log10", "normalize"), mp.mpf(2) ** -50)
SCALELESS = ("normalize",)  # f(t x) = f(x), so that a slope, and what its constant is off, grows like 1 / x


def differentiable() -> list[str]:
    """The names of the primitives that have a gradient."""
    from refnet.testing.strategies import primitives

    return [name for name in primitives() if not isinstance(Op.named[name].gradient, Undifferentiable | None)]


def check_gradient(case: Case, seed: int = 0) -> None:
    """Holds an op's gradient to its definition, at one call. Raises AssertionError, naming op, argument and both sides."""
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(a) for a in case.arrays]
    slots = [i for i, a in enumerate(arrays) if is_floating(a)]
    dys = [small(rng, s.shape) for s in specs_of(case.op, arrays, case.attributes) if dtypes.is_floating(s.dtype)]
    linear = [i for i in slots if is_linear(case, arrays, i, rng)]
    exact = exact_gradients(case, arrays, dys) if linear else None
    if exact is None:
        linear = []
    else:
        weights = [exactly(w) for dy in dys for w in dy.reshape(-1)]
        value = flat(floating_results(case, arrays, exactly))
        for i in linear:
            without = [np.zeros_like(a) if k == i else a for k, a in enumerate(arrays)]
            constant = flat(floating_results(case, without, exactly))
            product = sum((w * (y - c) for w, y, c in zip(weights, value, constant)), exactly(0))
            back = inner([numbers(arrays[i], exactly)], [exact[i]]) if exact[i] is not None else 0
            if product != back:
                raise AssertionError(
                    refused(case, f"argument {i}", "<dy, f(x) - f(0)>", product, "<gradient(dy), x>", back)
                )
    if len(linear) < len(slots):
        check_by_duals(case, arrays, slots, dys, rng)


def exact_gradients(case: Case, arrays: list[Array], dys: list[Array]) -> list[Array | None] | None:
    """The gradients in fractions; None where they are written with functions whose values are none, or meet an infinity."""
    try:
        return gradient_graph(case, arrays, dys, exactly)
    except (Irrational, OverflowError):
        return None


def check_by_duals(
    case: Case, arrays: list[Array], slots: list[int], dys: list[Array], rng: np.random.Generator
) -> None:
    """The derivative along one random direction for every argument by itself."""
    gradients = gradient_graph(case, arrays, dys, Dual.of)
    for i in slots:
        v = small(rng, arrays[i].shape)
        moved = moving(arrays, i, v)
        changes = [np.array([Dual.of(y).change for y in r.reshape(-1)], object) for r in results_of(case, moved)]
        forward = inner([numbers(dy, Dual.of) for dy in dys], [numbers_of(c) for c in changes])
        back = inner([gradients[i]], [numbers(v, Dual.of)]) if gradients[i] is not None else Dual.of(0)
        size = 1 + abs(forward.value) + abs(back.value)
        if not abs(forward.value - back.value) <= CONSTANTS.get(case.op.name, CLOSE) * size:
            raise AssertionError(refused(case, f"argument {i}", "<dy, f'(x) v>", forward, "<gradient(dy), v>", back))


def check_function(usage: Usage, seed: int = 0) -> None:
    """Holds the gradients of a public function's whole graph to its derivative along random directions, by dual numbers."""
    rng = np.random.default_rng(seed)
    program, feeds = program_of(function_named(usage.name), usage.arguments, usage.keywords)
    targets = [y for y in program.outputs if dtypes.is_floating(y.dtype) and y.node is not None]
    if not targets:
        return  # whole numbers and bools: there is nothing to differentiate
    slots = [i for i, a in enumerate(feeds) if is_floating(a)]
    seeds = [Tensor(y.shape, y.dtype) for y in targets]
    dys = [small(rng, y.shape) for y in targets]
    found = reverse(targets, seeds, [program.inputs[i] for i in slots], None)
    wanted = [dx for dx in found if dx is not None]
    results = iter(run_program(Program([*program.inputs, *seeds], wanted), [*feeds, *dys], Dual.of))
    gradients = [None if dx is None else next(results) for dx in found]
    weights = [numbers(dy, Dual.of) for dy in dys]
    for i, gradient in zip(slots, gradients):
        v = small(rng, feeds[i].shape)
        moved = run_program(Program(program.inputs, targets), moving(feeds, i, v), Dual.of)
        if not all(mp.isfinite(y.value) for r in moved for y in r.reshape(-1)):
            return  # what has no value has no slope: a mean whose weights add up to 0
        changes = [numbers_of(np.array([y.change for y in r.reshape(-1)], object)) for r in moved]
        forward = as_dual(inner(weights, changes))
        back = as_dual(inner([gradient], [numbers(v, Dual.of)])) if gradient is not None else Dual.of(0)
        size = 1 + abs(forward.value) + abs(back.value)
        if usage.name in SCALELESS:
            size *= 1 / min([1.0, *(abs(float(x)) for x in feeds[i].reshape(-1) if x != 0)])
        if not abs(forward.value - back.value) <= CONSTANTS.get(usage.name, CLOSE) * size:
            call = f"{usage.name}({', '.join(str(a.shape) for a in feeds)}, {usage.keywords})"
            raise AssertionError(f"the gradient of {call} is wrong for array {i}: forwards {forward}, backwards {back}")


def as_dual(x: Any) -> Dual:
    """A product as a dual; that of nothing is an exact 0."""
    return x if isinstance(x, Dual) else Dual.of(float(x))


def moving(arrays: Sequence[Array], slot: int, v: Array) -> list[Array]:
    """The arguments as duals, the one at `slot` moving along v."""
    result = [numbers(a, Dual.of) for a in arrays]
    flat = [Dual(x.value, mp.mpf(float(change))) for x, change in zip(result[slot].reshape(-1), v.reshape(-1))]
    result[slot] = np.empty(arrays[slot].shape, object)
    result[slot].reshape(-1)[:] = flat
    return result


def numbers_of(changes: Array) -> Array:
    result = np.empty(changes.shape, object)
    result[:] = [Dual(x) for x in changes]
    return result


def results_of(case: Case, arrays: Sequence[Array]) -> list[Array]:
    """The definition's floating results on arrays that already hold numbers."""
    from refnet.engine import interpret

    specs = specs_of(case.op, case.arrays, case.attributes)
    outputs = [np.empty(s.shape, object if dtypes.is_floating(s.dtype) else dtypes.as_numpy(s.dtype)) for s in specs]
    interpret(case.op, arrays, case.attributes, outputs)
    return [y for y, s in zip(outputs, specs) if dtypes.is_floating(s.dtype)]


def floating_results(case: Case, arrays: Sequence[Array], read: Callable[[Any], Number]) -> list[Array]:
    """The definition's floating results, in another kind of number."""
    specs = specs_of(case.op, arrays, case.attributes)
    outputs = evaluate(case.op, arrays, case.attributes, read)
    return [y for y, s in zip(outputs, specs) if dtypes.is_floating(s.dtype)]


def gradient_graph(
    case: Case, arrays: Sequence[Array], dys: Sequence[Array], read: Callable[[Any], Number]
) -> list[Array | None]:
    """What the gradient, as it is written with ops, gives for each argument; None where nothing flows."""
    inputs = [Tensor(a.shape, a.dtype.name) for a in arrays]
    result = case.op(*inputs, **case.attributes)
    outputs = result if isinstance(result, tuple) else (result,)
    targets = [y for y in outputs if dtypes.is_floating(y.dtype)]
    seeds = [Tensor(y.shape, y.dtype) for y in targets]
    xs = [x for x in inputs if dtypes.is_floating(x.dtype)]
    given = {x: dx for x, dx in zip(xs, reverse(targets, seeds, xs, None)) if dx is not None}
    for x, dx in given.items():
        if dx.shape != x.shape:
            raise AssertionError(
                refused(case, f"argument {inputs.index(x)}", "its shape", x.shape, "its gradient's", dx.shape)
            )
    values = run_program(Program([*inputs, *seeds], given.values()), [*arrays, *dys], read)
    found = dict(zip(given, values))
    return [found.get(x) for x in inputs]


def is_linear(case: Case, arrays: list[Array], slot: int, rng: np.random.Generator) -> bool:
    """Whether f is linear in one argument, up to a constant: f(x + b) + f(0) == f(x) + f(b), exactly, and so for -x and 2x.

    2x lies beyond x: where x is on a bend of f, f may be linear on this side of it alone.
    """

    def at(x: Array) -> list[Number]:
        changed = [np.asarray(x) if i == slot else a for i, a in enumerate(arrays)]
        return flat(floating_results(case, changed, exactly))

    x, b = arrays[slot], small(rng, arrays[slot].shape)
    if not all(np.isfinite(a).all() for a in arrays if is_floating(a)):
        return False  # infinities are no fractions
    try:
        nothing = at(np.zeros_like(x))
        both = zip(at(x + b), nothing, at(x), at(b))
        if not all(f_sum + f_0 == f_x + f_b for f_sum, f_0, f_x, f_b in both):
            return False
        around = zip(at(-x), at(x), at(2 * x), nothing)
        return all(f_minus + f_x == 2 * f_0 and f_twice + f_0 == 2 * f_x for f_minus, f_x, f_twice, f_0 in around)
    except (Irrational, ZeroDivisionError, OverflowError):
        return False


def flat(results: Sequence[Array]) -> list[Number]:
    """Every element, as exact numbers."""
    return [exactly(y) for r in results for y in r.reshape(-1)]


def small(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    """Random multiples of 1/16, none of them 0."""
    return np.asarray(rng.integers(1, 32, tuple(shape)) * rng.choice([-1, 1], tuple(shape)) / 16)


def inner(a: Sequence[Array], b: Sequence[Array]) -> Any:
    """The sum of the products of corresponding elements."""
    pairs = [(p, q) for x, y in zip(a, b) for p, q in zip(x.reshape(-1), y.reshape(-1))]
    if any(isinstance(n, Dual) for pair in pairs for n in pair):
        return sum((Dual.of(p) * Dual.of(q) for p, q in pairs), Dual.of(0))
    return sum((exactly(p) * exactly(q) for p, q in pairs), exactly(0))


def refused(case: Case, where: str, left: str, a: Any, right: str, b: Any) -> str:
    arrays = ", ".join(f"{x.dtype.name}{list(x.shape)}" for x in case.arrays)
    return (
        f"the gradient of {case.op.name}({arrays}, {case.attributes}) is wrong for {where}: {left} = {a}, {right} = {b}"
    )
