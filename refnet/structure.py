"""Nested structures: lists, tuples and dicts of tensors or arrays, as layers take and return them."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """The leaves in order; a dict's by its keys as they are sorted, an OrderedDict's as they stand.

    So does Keras: it decides in which order a model lists its layers and weights, and how files of weights are read.

    >>> flatten({"second": 2, "first": [0, 1]})
    [0, 1, 2]
    """
    if isinstance(structure, (list, tuple)):
        return [x for part in structure for x in flatten(part)]
    if isinstance(structure, dict):
        return [x for key in keys(structure) for x in flatten(structure[key])]
    return [structure]


def keys(structure: dict[Any, Any]) -> list[Any]:
    """A dict's keys in the order in which `flatten` takes them: sorted, if they can be."""
    try:
        return list(structure) if isinstance(structure, OrderedDict) else sorted(structure)
    except TypeError:
        return list(structure)


def mapped(function: Callable[..., Any], structure: Any, *others: Any) -> Any:
    """The same structure with function(leaf, the other structures' leaves at that place) in place of each leaf."""
    if isinstance(structure, (list, tuple)):
        parts = [mapped(function, *group) for group in zip(structure, *others, strict=True)]
        return tuple(parts) if isinstance(structure, tuple) else parts
    if isinstance(structure, dict):
        made = {key: mapped(function, structure[key], *(other[key] for other in others)) for key in keys(structure)}
        return (OrderedDict if isinstance(structure, OrderedDict) else dict)((key, made[key]) for key in structure)
    return function(structure, *others)


def packed(structure: Any, leaves: Any) -> Any:
    """The structure with new leaves, taken in order."""
    rest: Iterator[Any] = iter(leaves)
    return mapped(lambda _: next(rest), structure)
