"""Strategies: what a valid call of each op is, and which calls it must refuse. Nothing about any kernel.

A strategy is a function of a Draw; it returns arrays and attributes. One file for each file of definitions.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

from refnet.annotations import Array
from refnet.definition import Op
from refnet.testing.draw import Draw

Attributes = dict[str, Any]


class Case(NamedTuple):
    """One call of an op."""

    op: Op
    arrays: list[Array]
    attributes: Attributes


class Usage(NamedTuple):
    """One call of a public function: `name(*arguments, **keywords)`."""

    name: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class Refusal(NamedTuple):
    """A call of a public function that must raise `error`, with `words` in its text."""

    name: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    error: type[Exception]
    words: str


strategies: dict[str, Callable[[Draw], tuple[list[Array], Attributes]]] = {}
usages: dict[str, Callable[[Draw], tuple[tuple[Any, ...], dict[str, Any]]]] = {}
refusals: list[Refusal] = []


def strategy(*names: str) -> Callable[[Callable[[Draw], Any]], Callable[[Draw], Any]]:
    """Declares how to draw valid calls of the primitives of these names."""

    def declare(function: Callable[[Draw], Any]) -> Callable[[Draw], Any]:
        for name in names:
            if name in strategies:
                raise ValueError(f"there are two strategies for {name}")
            strategies[name] = function
        return function

    return declare


def usage(*names: str) -> Callable[[Callable[[Draw], Any]], Callable[[Draw], Any]]:
    """Declares how to draw valid calls of the public functions of these names: arguments and keywords."""

    def declare(function: Callable[[Draw], Any]) -> Callable[[Draw], Any]:
        usages.update(dict.fromkeys(names, function))
        return function

    return declare


def refuse(name: str, *arguments: Any, error: type[Exception], words: str, **keywords: Any) -> None:
    """Declares a call of a public function that must raise."""
    refusals.append(Refusal(name, arguments, keywords, error, words))


def case(name: str, draw: Draw) -> Case:
    """One valid call of a primitive."""
    load()
    arrays, attributes = strategies[name](draw)
    return Case(Op.named[name], arrays, attributes)


def use(name: str, draw: Draw) -> Usage:
    """One valid call of a public function."""
    load()
    arguments, keywords = usages[name](draw)
    return Usage(name, arguments, keywords)


def load() -> None:
    """Imports every file of strategies, and of definitions."""
    import refnet.ops
    import refnet.random

    for module in pkgutil.iter_modules(refnet.ops.__path__):
        importlib.import_module(f"refnet.ops.{module.name}")
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def primitives() -> list[str]:
    """The names of all ops that have a loop."""
    load()
    return sorted(name for name, op in Op.named.items() if op.primitive)
