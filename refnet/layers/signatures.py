"""What methods of layers take. Each is looked up once."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


@functools.cache
def parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of all that a function takes."""
    return tuple(inspect.signature(function).parameters)


@functools.cache
def first_of(function: Callable[..., Any]) -> str | None:
    """The name of a method's first argument that may be given by place and by name."""
    found = list(inspect.signature(function).parameters.values())[1:2]
    return found[0].name if found and found[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD else None


@functools.cache
def default_of(function: Callable[..., Any], name: str) -> Any:
    """The default of an argument; None where there is no such argument."""
    found = inspect.signature(function).parameters.get(name)
    return None if found is None else found.default
