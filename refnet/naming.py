"""Default names (`dense`, `dense_1`, ...) and the search by name with which every part of the library answers a wrong one."""

import re
from collections.abc import Mapping
from typing import Any

from refnet import registration
from refnet.errors import ArgumentError, did_you_mean, foreign

_counts: dict[str, int] = {}
_numbers: dict[str, int] = {}


def snake_case(name: str) -> str:
    """`GlobalAveragePooling2D` -> `global_average_pooling2d`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(prefix: str) -> str:
    """The prefix itself the first time, then with _1, _2 ..."""
    count = _counts.get(prefix, 0)
    _counts[prefix] = count + 1
    return prefix if count == 0 else f"{prefix}_{count}"


def unique_number(prefix: str) -> int:
    """1 the first time that a prefix is given, then 2 ..."""
    _numbers[prefix] = _numbers.get(prefix, 0) + 1
    return _numbers[prefix]


def reset_names() -> None:
    """Default names start again."""
    _counts.clear()
    _numbers.clear()


def found(kind: str, name: Any, known: Mapping[str, Any]) -> Any:
    """What `known` holds under a name, or what the user registered. Raises ArgumentError with near names if there is nothing."""
    if name in known:
        return known[name]
    custom = registration.get_registered_object(name) if isinstance(name, str) else None
    if custom is not None:
        return custom
    raise ArgumentError(f"unknown {kind} {name!r}.{did_you_mean(name, list(known))}")


def resolved(kind: str, identifier: Any, known: Mapping[str, Any]) -> Any:
    """An object given as itself, as a class, by name, or as {"class_name", "config"}."""
    if isinstance(identifier, str):
        identifier = found(kind, identifier, known)
    elif isinstance(identifier, dict) and "class_name" in identifier:
        from refnet.saving.serialization import restored

        return restored(identifier)
    if kind != "initializer" and foreign(identifier):  # one that makes arrays is as good as any function
        raise ArgumentError(f"{kind}: got {identifier!r}.{foreign(identifier)}")
    if isinstance(identifier, type):
        return identifier()
    if identifier is None or callable(identifier) or hasattr(identifier, "get_config"):
        return identifier
    raise ArgumentError(f"{kind}: give a name, an object or a function; got {identifier!r}.")
