"""What layers of Keras 2 can be asked beside today's attributes."""

from typing import Any

from refnet.layers.replaceable import Replaceable
from refnet.structure import mapped


def _shape(structure: Any) -> Any:
    return mapped(lambda x: x.shape, structure)


class OldAttributes:
    """Part of every layer: its shapes, and inputs and outputs by the number of the call."""

    input: Any
    output: Any
    _calls_made: list[Any]

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Inside `call`: pairs (variable, value), by themselves or in a list, take effect in training.

        What `K.update` and `K.moving_average_update` gave has been noted already. `inputs` is not read.
        """
        from refnet.backend_values import in_training
        from refnet.graph import Assignment, assignment

        pair = isinstance(updates, tuple) and len(updates) == 2 and not isinstance(updates[0], (tuple, Assignment))
        for update in [updates] if pair or not isinstance(updates, (list, tuple)) else updates:
            if isinstance(update, tuple):
                variable, value = update
                assignment(variable, in_training(value, variable))

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
        return self._calls_made[node_index].inputs

    def get_output_at(self, node_index: int) -> Any:
        """What the layer returned from a call, counted from 0."""
        return self._calls_made[node_index].outputs

    def get_input_shape_at(self, node_index: int) -> Any:
        """The shape of `get_input_at`."""
        return _shape(self.get_input_at(node_index))

    def get_output_shape_at(self, node_index: int) -> Any:
        """The shape of `get_output_at`."""
        return _shape(self.get_output_at(node_index))
