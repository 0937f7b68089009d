"""What layers of Keras 2 can be asked beside today's attributes."""

from collections.abc import Callable
from typing import Any

from refnet.structure import mapped


def _shape(structure: Any) -> Any:
    return mapped(lambda x: x.shape, structure)


class Replaceable:
    """A property in whose place a subclass's own `self.name = ...` is taken."""

    def __init__(self, get: Callable[[Any], Any]):
        self.get, self.__doc__ = get, get.__doc__

    def __get__(self, layer: Any, kind: type) -> Any:
        return self if layer is None else self.get(layer)


class OldAttributes:
    """Part of every layer: its shapes, and inputs and outputs by the number of the call."""

    input: Any
    output: Any
    calls: list[Any]

    @Replaceable
    def input_shape(self) -> Any:
        """The shape of what the layer was called on, if it was called exactly once."""
        return _shape(self.input)

    @Replaceable
    def output_shape(self) -> Any:
        """The shape of what the layer returned, if it was called exactly once."""
        return _shape(self.output)

    def get_input_at(self, node_index: int) -> Any:
        """What the layer was called on in a call, counted from 0."""
        return self.calls[node_index].inputs

    def get_output_at(self, node_index: int) -> Any:
        """What the layer returned from a call, counted from 0."""
        return self.calls[node_index].outputs

    def get_input_shape_at(self, node_index: int) -> Any:
        """The shape of `get_input_at`."""
        return _shape(self.get_input_at(node_index))

    def get_output_shape_at(self, node_index: int) -> Any:
        """The shape of `get_output_at`."""
        return _shape(self.get_output_at(node_index))
