"""Explanations: a definition run on numbers that remember how they were made prints the terms of one output."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.definition import Op
from refnet.engine import interpret
from refnet.errors import ArgumentError, did_you_mean
from refnet.scalars.recording import Recording


def terms(op: Op, arrays: list[Array], attributes: dict[str, Any]) -> list[Array]:
    """The results as expressions in the elements of the arguments, called x[0, 1] (or x1[..], x2[..]).

    Args:
        op: a primitive.
        arrays, attributes: the call; floating arrays become names, the rest stay numbers.
    """
    letters = [f"x{number + 1}" if len(arrays) > 1 else "x" for number in range(len(arrays))]
    inputs = [named(a, letter) if a.dtype.kind == "f" else a for a, letter in zip(arrays, letters)]
    specs = op.specs(*(spec_like(a) for a in arrays), **attributes)
    outputs = [np.empty(s.shape, object) for s in specs]
    interpret(op, inputs, attributes, outputs)
    return outputs


def spec_like(array: Array) -> Any:
    from refnet.engine import spec_of

    return spec_of(np.asarray(array))


def named(array: Array, letter: str) -> Array:
    """The elements as Recordings that know their place."""
    result = np.empty(array.shape, object)
    for index in np.ndindex(*array.shape):
        place = ", ".join(map(str, index))
        result[index] = Recording(float(array[index]), f"{letter}[{place}]" if index else letter)
    return result


def explain(name: str, at: str | None = None, seed: int = 0) -> str:
    """What makes up one element of an op's result, on a small example.

    Args:
        name: a primitive.
        at: the element's index, such as "0,1"; None for the last one.
        seed: which example.
    """
    from refnet.testing.draw import Seeded
    from refnet.testing.strategies import case, primitives

    if name not in primitives():
        raise ArgumentError(f"explain: there is no primitive {name!r}.{did_you_mean(name, primitives())}")
    for attempt in range(seed, seed + 1000):
        drawn = case(name, Seeded(("explain", name, attempt), calm=True))
        results = terms(drawn.op, [np.asarray(a) for a in drawn.arrays], drawn.attributes)
        if results[0].size > 1 or attempt == seed + 999:
            break
    y = results[0]
    words = at.split(",") if at else [str(d - 1) for d in y.shape]
    index = tuple(int(word) for word in words if word.isdecimal())
    if not len(index) == len(words) == y.ndim or any(i >= d for i, d in zip(index, y.shape)):
        raise ArgumentError(f"explain: --at must be an index of a result of shape {y.shape}; got {at!r}.")
    given = ", ".join(f"{a.dtype.name}{list(a.shape)}" for a in map(np.asarray, drawn.arrays))
    return f"{name}({given}{', ' + str(drawn.attributes) if drawn.attributes else ''})\ny{list(index)} = {y[index]!r}"
