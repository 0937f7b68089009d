"""StackedRNNCells, and what `RNN` asks of any cell, refnet's or a user's."""

from typing import Any

from refnet import ops
from refnet.errors import ArgumentError, shown
from refnet.layers.base import Layer
from refnet.layers.first_states import batch_of, first_states
from refnet.layers.recurrent_cell import RecurrentCell, Step
from refnet.structure import flatten


class StackedRNNCells(Layer):
    """Cells on top of each other, as one cell: each takes the output of the one below.

    Args:
        cells: a list of cells. What has `call(inputs, states)` and `state_size` is one.

    >>> import numpy as np
    >>> from refnet.layers import LSTMCell, RNN
    >>> RNN(StackedRNNCells([LSTMCell(4), LSTMCell(3)]))(np.ones((2, 5, 1), "float32")).shape
    (2, 3)
    """

    def __init__(self, cells: Any, **more: Any):
        super().__init__(**more)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ArgumentError(f"{self.name} takes a list of cells; got {cells!r}.")
        for cell in cells:
            check_cell(self.name, cell)
        self.cells = list(cells)
        self.branches_on_training = any(branches(cell) for cell in cells)

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        return output_size_of(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size_of(cell))

    def get_initial_state(self, batch_size: Any = None, inputs: Any = None) -> list[Any]:
        """The cells' own; `inputs` are for cells of yours that ask for them."""
        batch = batch_of(batch_size)
        return [first_states(cell, batch, self.compute_dtype, inputs) for cell in self.cells]

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        """One time step. `states` holds a list, or one tensor, for each cell."""
        return self.stepper(training)(inputs, list(states))

    def stepper(self, training: Any, like: Any = None) -> Step:
        steps = []
        for cell in self.cells:
            steps.append(stepper_of(cell, training, like))
            size = output_size_of(cell)
            like = None if like is None or not isinstance(size, int) else ops.zeros((ops.shape(like)[0], size))

        def step(inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            after = []
            for one, own in zip(steps, states):
                several = isinstance(own, (list, tuple))
                inputs, new = one(inputs, list(own) if several else [own])
                after.append(new if several else new[0])
            return inputs, after

        return step

    @property
    def takes_sequences(self) -> bool:
        own = type(self).call is StackedRNNCells.call and type(self).stepper is StackedRNNCells.stepper
        return own and all(getattr(cell, "takes_sequences", False) for cell in self.cells)

    def sequence(
        self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any
    ) -> tuple[Any, Any, list[Any]]:
        """Cell after cell, each over the whole sequence: no cell sees a later step of the one above."""
        after, last = [], None
        for k, cell in enumerate(self.cells):
            own = None if states is None else states[k]
            several = own is None or isinstance(own, (list, tuple))
            inputs, last, new = cell.sequence(inputs, own if several else [own], mask, go_backwards, training)
            after.append(new if isinstance(cell.state_size, (list, tuple)) else new[0])
            if go_backwards:
                mask, go_backwards = None if mask is None else ops.flip(mask, 1), False
        return inputs, last, after


def check_cell(layer: str, cell: Any) -> None:
    """Raises ArgumentError unless this is a cell."""
    for word in ("call", "state_size"):
        if not hasattr(cell, word):
            raise ArgumentError(f"{layer}: a cell has `call(inputs, states)` and `state_size`; {cell!r} has no {word}.")


def branches(cell: Any) -> bool:
    """Whether training and inference have to be traced apart: a cell draws dropout masks, or is the user's and takes `training`."""
    if isinstance(cell, Layer) and not type(cell).call.__module__.startswith("refnet."):
        return "training" in cell.call_parameters()
    return isinstance(cell, (RecurrentCell, StackedRNNCells)) and cell.branches_on_training


def build_cell(cell: Any, input_shape: Any) -> None:
    if isinstance(cell, Layer) and not cell.built:
        cell.build(input_shape)
        cell.built = True


def output_size_of(cell: Any) -> Any:
    size = getattr(cell, "output_size", None)
    return size if size is not None else flatten(cell.state_size)[0]


def stepper_of(cell: Any, training: Any, like: Any = None) -> Step:
    """A cell's step on lists of states; `like` is what one step's inputs look like."""
    if isinstance(cell, (RecurrentCell, StackedRNNCells)) and type(cell).call in (
        RecurrentCell.call,
        StackedRNNCells.call,
    ):
        return cell.stepper(training, like)

    def step(inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        result = (cell if callable(cell) else cell.call)(inputs, states)
        kind = type(cell).__name__
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise ArgumentError(f"{kind}: a cell's `call` returns (output, states); it returned {shown(result)}.")
        output, after = result
        after = list(after) if isinstance(after, (list, tuple)) else [after]
        if len(flatten(after)) != len(flatten(states)):
            raise ArgumentError(
                f"{kind}: state_size says that there are {len(flatten(states))} states; `call` returned {len(flatten(after))}."
            )
        return output, after

    return step
