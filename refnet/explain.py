"""Explanations: a definition run on numbers that remember how they were made prints the terms of one output."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.definition import Op
from refnet.engine import interpret, spec_of
from refnet.errors import ArgumentError, did_you_mean
from refnet.program import Concrete, specialize
from refnet.scalars.recording import Recording, decisions

ATTEMPTS = 500  # examples looked through for one that has the element asked for
MOST = 12  # comparisons told


class Element(NamedTuple):
    """One element of a result, and the comparisons that were made on the way to it, where they are known."""

    expression: Any
    decisions: list[str]


def element(op: Op, arrays: list[Array], attributes: dict[str, Any], index: tuple[int, ...]) -> Element:
    """An element of a primitive's first result as an expression in the elements of the arguments, x[0, 1] (or x1[..], x2[..]).

    Args:
        op: a primitive.
        arrays, attributes: the call; floating arrays become names, the rest stay numbers.
    """
    specs = [spec_of(a) for a in arrays]
    results = op.specs(*specs, **attributes)
    named_arrays = all_named(arrays)
    for task in np.ndindex(*op.form(*specs, **attributes).domain):
        outputs = [np.full(s.shape, None, object) for s in results]
        with decisions() as made:
            interpret(op, named_arrays, attributes, outputs, [task])
        if outputs[0][index] is not None:
            return Element(outputs[0][index], made)
    raise AssertionError(f"{op.name} wrote no element {index}")


def all_named(arrays: Sequence[Array]) -> list[Array]:
    names = letters(len(arrays))
    return [named(a, letter) if dtypes.is_floating(a.dtype.name) else a for a, letter in zip(arrays, names)]


def letters(count: int) -> list[str]:
    return [f"x{number + 1}" for number in range(count)] if count > 1 else ["x"]


def named(array: Array, letter: str) -> Array:
    """The elements as Recordings that know their place."""
    result = np.empty(array.shape, object)
    for index in np.ndindex(*array.shape):
        place = ", ".join(map(str, index))
        result[index] = Recording(float(array[index]), f"{letter}[{place}]" if index else letter)
    return result


class Example(NamedTuple):
    """A small call: the arrays, what else was given, the shape of the result, and what gives an element of it."""

    arrays: list[Array]
    others: dict[str, Any]
    shape: tuple[int, ...]
    element: Callable[[tuple[int, ...]], Element]


def example_of(name: str, seed: Any) -> Example:
    """A drawn call of an op; a function written with other ops is followed down to their loops."""
    from refnet.testing.draw import Seeded
    from refnet.testing.evaluate import program_of
    from refnet.testing.strategies import case, usages, use
    from refnet.testing.usages import function_named

    draw = Seeded(("explain", name, seed), calm=True)
    if name not in usages or (name in Op.named and Op.named[name].primitive):
        drawn = case(name, draw)
        arrays = [np.asarray(a) for a in drawn.arrays]
        shape = drawn.op.specs(*(spec_of(a) for a in arrays), **drawn.attributes)[0].shape
        return Example(arrays, drawn.attributes, shape, partial(element, drawn.op, arrays, drawn.attributes))
    usage = use(name, draw)
    program, feeds = program_of(function_named(name), usage.arguments, usage.keywords)
    concrete = specialize(program, [a.shape for a in feeds])
    others = {key: value for key, value in (usage.keywords or {}).items() if not isinstance(value, np.ndarray)}
    shape = tuple(concrete.outputs[0].shape)
    return Example(feeds, others, shape, partial(element_of_graph, concrete, feeds))


def element_of_graph(concrete: Concrete, feeds: list[Array], index: tuple[int, ...]) -> Element:
    """The same of a function written with other ops. Its comparisons are those of all elements: told only where there are no terms."""
    from refnet.testing.evaluate import run_concrete

    with decisions() as made:
        expression = run_concrete(concrete, all_named(feeds), Recording)[0][index]
    has_terms = isinstance(expression, Recording) and "x" in expression.text
    return Element(expression, [] if has_terms else made)


def explain(name: str, at: str | None = None, seed: int = 0) -> str:
    """What makes up one element of an op's result, on a small example that has such an element.

    Args:
        name: an op of `refnet.ops`, primitive or written with others.
        at: the element's index, such as "0,1"; None for the last one.
        seed: which example.
    Raises:
        ArgumentError: no such op; no example with such an element.

    >>> print(explain("add", "0,1").splitlines()[1].rpartition(" = ")[0])
    y[0, 1] = x1[0, 1] + x2[0, 1]
    """
    from refnet.testing.strategies import primitives, usages

    known = sorted({*primitives(), *usages})
    if name not in known:
        raise ArgumentError(f"explain: there is no op {name!r}.{did_you_mean(name, known)}")
    words = at.split(",") if at else []
    index = tuple(int(word) for word in words if word.strip().isdecimal())
    if len(index) != len(words):
        raise ArgumentError(f"explain: --at must be an index, such as 0,1; got {at!r}.")
    shapes = set()
    for attempt in range(seed, seed + ATTEMPTS):
        example = example_of(name, attempt)
        shapes.add(example.shape)
        if at is None:
            if prod(example.shape) < 2 and attempt < seed + ATTEMPTS - 1:
                continue
            index = tuple(n - 1 for n in example.shape)
        if len(index) == len(example.shape) and all(i < n for i, n in zip(index, example.shape)):
            break
    else:
        seen = ", ".join(map(str, sorted(shapes, key=lambda shape: (len(shape), shape))[-4:]))
        raise ArgumentError(f"explain: --at {at} is in no example of {name}; their results have shapes like {seen}.")
    return told(name, example, index)


def told(name: str, example: Example, index: tuple[int, ...]) -> str:
    """The call, the element, the arrays that stayed numbers, and what was decided by comparing."""
    given = ", ".join(f"{a.dtype.name}{list(a.shape)}" for a in example.arrays)
    others = f", {example.others}" if example.others else ""
    found = example.element(index)
    lines = [f"{name}({given}{others})", f"y{list(index)} = {found.expression!r}"]
    for array, letter in zip(example.arrays, letters(len(example.arrays))):
        if not dtypes.is_floating(array.dtype.name):
            lines.append(f"where {letter} = {array.tolist()}")
    made = [text for text in dict.fromkeys(found.decisions) if "x" in text]
    if made:
        more = f", and {len(made) - MOST} more" if len(made) > MOST else ""
        lines.append(f"because {', '.join(made[:MOST])}{more}")
    return "\n".join(lines)
