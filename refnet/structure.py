"""Nested structures: lists, tuples and dicts of tensors or arrays, as layers take and return them."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """The leaves in order; a dict's by its keys as they are sorted, an OrderedDict's as they stand.

    So does Keras: it decides in which order a model lists its layers and weights, and how files of weights are read.

    Args:
        structure: lists, tuples, named tuples, deques and dicts in each other; everything else, None too, is a leaf.
    Returns:
        A list of the leaves.
    Source: Keras 3 `tree.flatten`.

    >>> flatten({"second": 2, "first": [0, 1]})
    [0, 1, 2]
    """
    if isinstance(structure, (list, tuple, deque)):
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


def outline(structure: Any, leaf: Callable[[Any], Any]) -> Any:
    """How a structure is put together, kinds of containers and keys of dicts in their order, with leaf(x) for each leaf; for keys.

    >>> outline([1, {"a": 2}], str) == outline([1, {"a": 2}], str) != outline((1, {"a": 2}), str)
    True
    """
    if isinstance(structure, (list, tuple, deque)):
        return (type(structure), *(outline(part, leaf) for part in structure))
    if isinstance(structure, dict):
        return (type(structure), *((type(key), key, outline(part, leaf)) for key, part in structure.items()))
    return leaf(structure)


def places(structure: Any) -> list[Any] | None:
    """The indices or keys of what a structure holds, in the order of `flatten`; None of a leaf."""
    if isinstance(structure, (list, tuple, deque)):
        return list(range(len(structure)))
    return keys(structure) if isinstance(structure, dict) else None


def like(structure: Any, parts: Iterable[Any]) -> Any:
    """A structure of the same kind that holds other parts, given in the order of `flatten`."""
    if isinstance(structure, tuple):
        return type(structure)(*parts) if hasattr(structure, "_fields") else tuple(parts)
    if isinstance(structure, deque):
        return deque(parts, structure.maxlen)
    if not isinstance(structure, dict):
        return list(parts)
    found = dict(zip(keys(structure), parts, strict=True))
    made = ((key, found[key]) for key in structure)
    if isinstance(structure, defaultdict):
        return defaultdict(structure.default_factory, made)
    return (OrderedDict if isinstance(structure, OrderedDict) else dict)(made)


def mapped(function: Callable[..., Any], structure: Any, *others: Any) -> Any:
    """The same structure with function(leaf, the other structures' leaves at that place) in place of each leaf."""
    if isinstance(structure, (list, tuple, deque)):
        return like(structure, [mapped(function, *group) for group in zip(structure, *others, strict=True)])
    if isinstance(structure, dict):
        parts = [mapped(function, structure[key], *(other[key] for other in others)) for key in keys(structure)]
        return like(structure, parts)
    return function(structure, *others)


def packed(structure: Any, leaves: Any) -> Any:
    """The structure with new leaves, taken in order."""
    rest: Iterator[Any] = iter(leaves)
    return mapped(lambda _: next(rest), structure)
