"""Properties that give way to an attribute of the same name, which a subclass of the user's may set."""

from collections.abc import Callable
from typing import Any


class Replaceable:
    """A property in whose place a subclass's own `self.name = ...` is taken.

    A plain property would refuse the assignment, and a layer of the user's may well call something of its own `metrics` or
    `input_shape`. It has no `__set__`, so Python finds what stands in the object first.

    >>> class Layer:
    ...     @Replaceable
    ...     def size(self):
    ...         return 1
    >>> first, second = Layer(), Layer()
    >>> second.size = 2
    >>> first.size, second.size
    (1, 2)
    """

    def __init__(self, get: Callable[[Any], Any]):
        self.get, self.__doc__ = get, get.__doc__

    def __get__(self, layer: Any, kind: type) -> Any:
        return self if layer is None else self.get(layer)
