"""Explanations: a definition run on numbers that remember how they were made prints the terms of one output."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from refnet import dtypes, worked
from refnet.annotations import Array
from refnet.definition import Op
from refnet.engine import interpret, spec_of
from refnet.errors import ArgumentError
from refnet.graph import Constant
from refnet.program import Concrete, specialize
from refnet.scalars.recording import Recording, decisions

ATTEMPTS = 500  # examples looked through for one that has the element asked for
MOST = 12  # comparisons told


class Element(NamedTuple):
    """One element of a result, and the comparisons that were made on the way to it, where they are known."""

    expression: Any
    decisions: list[str]


def element(
    op: Op,
    arrays: list[Array],
    attributes: dict[str, Any],
    index: tuple[int, ...],
    known: Sequence[Array] | None = None,
) -> Element:
    """An element of a primitive's first result as an expression in the elements of the arguments, x[0, 1] (or x1[..], x2[..]).

    Args:
        op: a primitive.
        arrays, attributes: the call; floating arrays become names, the rest stay numbers.
        known: the arrays with their names, where the call's function was given others.
    """
    specs = [spec_of(a) for a in arrays]
    results = op.specs(*specs, **attributes)
    named_arrays = all_named(arrays) if known is None else known
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
    """A small call: as one writes it, its arrays, the shape of the result, what gives an element of it, and one to look at.

    at: the index of an element; None for the last.  all: whether the values of all arrays are told, as they are few.
    """

    call: str
    arrays: list[Array]
    shape: tuple[int, ...]
    element: Callable[[tuple[int, ...]], Element]
    at: tuple[int, ...] | None = None
    all: bool = False


def example_of(name: str, seed: Any) -> Example:
    """A drawn call of an op; a function written with other ops is followed down to their loops."""
    from refnet.testing.draw import Seeded
    from refnet.testing.strategies import case, usages, use

    draw = Seeded(("explain", name, seed), calm=True)
    if name in usages:
        usage = use(name, draw)
        return example_of_call(name, usage.arguments, usage.keywords or {})
    drawn = case(name, draw)
    arrays = [np.asarray(a) for a in drawn.arrays]
    shape = drawn.op.specs(*(spec_of(a) for a in arrays), **drawn.attributes)[0].shape
    return Example(
        written(name, arrays, drawn.attributes), arrays, shape, partial(element, drawn.op, arrays, drawn.attributes)
    )


def example_of_call(name: str, arguments: Sequence[Any], keywords: dict[str, Any]) -> Example:
    """A call of a public function. One that is a single primitive is told with its comparisons."""
    from refnet import ops
    from refnet.testing.evaluate import program_of
    from refnet.testing.usages import function_named

    function = function_named(name if hasattr(ops, name) else f"random.{name}")
    program, feeds = program_of(function, arguments, keywords)
    concrete = specialize(program, [a.shape for a in feeds])
    found = partial(element_of_graph, concrete, feeds)
    only = concrete.instructions[0]
    if len(concrete.instructions) == 1 and only.op.primitive and only.outputs[0] is concrete.outputs[0]:
        given: dict[Any, Array] = {x: np.asarray(x.value) for x in only.inputs if isinstance(x, Constant)}
        given.update(zip(concrete.inputs, feeds))
        names: dict[Any, Array] = {**given, **dict(zip(concrete.inputs, all_named(feeds)))}
        arrays, known = [given[x] for x in only.inputs], [names[x] for x in only.inputs]
        found = partial(element, only.op, arrays, only.attributes, known=known)
    return Example(written(name, arguments, keywords), feeds, tuple(concrete.outputs[0].shape), found)


def worked_example(name: str) -> Example:
    """The call of the reading path that is worked out by hand."""
    at, arguments, keywords = worked.CALLS[name]
    return example_of_call(name, arguments, keywords)._replace(at=at, all=True)


def written(name: str, arguments: Sequence[Any], keywords: dict[str, Any]) -> str:
    """A call as one writes it, with the dtypes and shapes of its arrays."""
    given = [in_a_call(x) for x in arguments] + [f"{word}={in_a_call(x)}" for word, x in keywords.items()]
    return f"{name}({', '.join(given)})"


def in_a_call(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype.name}{list(x.shape)}"
    if isinstance(x, list):
        return f"[{', '.join(map(in_a_call, x))}]"
    return str(getattr(x, "__name__", repr(x)))


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
        at: the element's index, such as "0,1"; None for the one that is worked out by hand, where there is one, or the last.
        seed: which example; from 1 on none that is worked out by hand.
    Raises:
        ArgumentError: no such op, or no example of it; no example with such an element.

    >>> print(explain("add"))
    add(float64[2, 2], float64[2])
    y[1, 0] = x1[1, 0] + x2[0] = 13
    where x1 = [[1.0, 2.0], [3.0, 4.0]]
    where x2 = [10.0, 20.0]
    """
    from refnet.reading import nearest
    from refnet.testing.strategies import primitives, usages

    known = sorted({*primitives(), *usages, *worked.CALLS})
    if name not in known:
        raise ArgumentError(f"explain: {without_example(name) or f'there is no op {name!r}.' + nearest(name, known)}")
    words = at.split(",") if at else []
    index = tuple(int(word) for word in words if word.strip().isdecimal())
    if len(index) != len(words):
        raise ArgumentError(f"explain: --at must be an index, such as 0,1; got {at!r}.")
    shapes = set()
    for example in examples(name, seed):
        shapes.add(example.shape)
        if at is None and (example.at is not None or prod(example.shape) > 1):
            return told(example, example.at or tuple(n - 1 for n in example.shape))
        if at is not None and len(index) == len(example.shape) and all(i < n for i, n in zip(index, example.shape)):
            return told(example, index)
    if at is None:  # every example has one element
        return told(example, tuple(0 for _ in example.shape))
    seen = ", ".join(map(str, sorted(shapes, key=lambda shape: (len(shape), shape))[-4:]))
    raise ArgumentError(f"explain: --at {at} is in no example of {name}; their results have shapes like {seen}.")


def examples(name: str, seed: int) -> Iterator[Example]:
    """The call that is worked out by hand, if there is one and no other is asked for, then drawn ones."""
    from refnet.testing.strategies import primitives, usages

    if name in worked.CALLS and seed == 0:
        yield worked_example(name)
    if name in usages or name in primitives():
        for attempt in range(seed, seed + ATTEMPTS):
            yield example_of(name, attempt)


def without_example(name: str) -> str:
    """Where a public function is written of which there is no example; nothing for other names."""
    from refnet.reading import file_of, public

    function = public(name)
    return f"there is no example of {name}, which is written with other ops in {file_of(function)}." if function else ""


def told(example: Example, index: tuple[int, ...]) -> str:
    """The call, the element, the arrays that stayed numbers, and what was decided by comparing."""
    found = example.element(index)
    result = found.expression if isinstance(found.expression, Recording) else np.asarray(found.expression).item()
    lines = [example.call, f"y{list(index)} = {result!r}"]
    for array, letter in zip(example.arrays, letters(len(example.arrays))):
        if example.all or not dtypes.is_floating(array.dtype.name):
            lines.append(f"where {letter} = {array.tolist()}")
    made = [text for text in dict.fromkeys(found.decisions) if "x" in text]
    if made:
        more = f", and {len(made) - MOST} more" if len(made) > MOST else ""
        lines.append(f"because {', '.join(made[:MOST])}{more}")
    return "\n".join(lines)
