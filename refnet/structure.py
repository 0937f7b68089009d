"""Nested structures: lists, tuples and dicts of tensors or arrays, as layers take and return them."""

from collections.abc import Callable, Iterator
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """The leaves in order; a dict's in the order of its keys."""
    if isinstance(structure, (list, tuple)):
        return [x for part in structure for x in flatten(part)]
    if isinstance(structure, dict):
        return [x for part in structure.values() for x in flatten(part)]
    return [structure]


def mapped(function: Callable[..., Any], structure: Any, *others: Any) -> Any:
    """The same structure with function(leaf, the other structures' leaves at that place) in place of each leaf."""
    if isinstance(structure, (list, tuple)):
        parts = [mapped(function, *group) for group in zip(structure, *others, strict=True)]
        return tuple(parts) if isinstance(structure, tuple) else parts
    if isinstance(structure, dict):
        return {key: mapped(function, part, *(other[key] for other in others)) for key, part in structure.items()}
    return function(structure, *others)


def packed(structure: Any, leaves: Any) -> Any:
    """The structure with new leaves, taken in order."""
    rest: Iterator[Any] = iter(leaves)
    return mapped(lambda _: next(rest), structure)
