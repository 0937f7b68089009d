"""Recurrent layers: a cell taken over the steps of a sequence."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Variable
from refnet.layers.base import Layer
from refnet.layers.first_states import asked, batch_of, begins_otherwise, first_states
from refnet.layers.masks import spread
from refnet.layers.recurrent_cell import RecurrentCell, Step
from refnet.layers.stacked_cells import StackedRNNCells, branches, build_cell, check_cell, output_size_of, stepper_of
from refnet.old_names import serve
from refnet.structure import flatten, mapped, packed


class RNN(Layer):
    """A cell over the steps of a sequence.

        output[t], state = cell(x[t], state)      for t = 0, 1, ...

    SimpleRNNCell, LSTMCell, GRUCell and stacks of them are one op over all steps, if the op knows their activations (most:
    `ops.recurrent.ACTIVATIONS`). Every other cell is called once for each step, as the step of `ops.scan`: where the time axis is
    open, once in all, on tensors that stand for a step, and it may not draw random numbers then.

    A step whose mask is False is left out: the state stays, and the output is the last one. Called with an initial state, the
    layer does not read the mask that its inputs carry, as in Keras 3; give `mask=` then.

    Args:
        cell: with `call(inputs, states)`, which gives an output and a list of states, and `state_size`, an integer or a list of
            them; or a list of cells, on top of each other.
        return_sequences: whether to return the outputs of all steps, (batch, time, ...), or the last one, (batch, ...).
        return_state: whether to return the last states too, behind the outputs.
        go_backwards: whether to take the steps from the last to the first; the outputs stand in the order of the steps.
        stateful: whether each batch begins with the states in which the one before ended, sample by sample. The batch size must
            be fixed: `Input(batch_shape=...)`. `reset_state` begins anew.
        unroll: accepted for Keras's sake; it changes nothing.
        zero_output_for_mask: whether the output of a step that is left out is 0.
    Raises:
        ShapeError: a time axis without steps; features that are not known.
        ArgumentError: something that is no cell, another number of initial states, a cell that draws along an open time axis.

    >>> import numpy as np
    >>> from refnet.layers import SimpleRNNCell
    >>> RNN(SimpleRNNCell(2), return_sequences=True)(np.ones((3, 5, 4), "float32")).shape
    (3, 5, 2)
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **more: Any,
    ):
        if "input_dim" in more:
            more.setdefault("input_length", None)
        super().__init__(**more)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(self.name, cell)
        if isinstance(cell, RNN):
            raise ArgumentError(
                f"{self.name} takes a cell, as LSTMCell; got a {type(cell).__name__}, which is an RNN by itself."
            )
        self.cell = cell
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.go_backwards, self.stateful, self.unroll = bool(go_backwards), bool(stateful), bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.branches_on_training = branches(cell)
        self.states: Any = None

    @property
    def state_size(self) -> list[Any]:
        """The cell's, as a list."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    def build(self, input_shape: Any) -> None:
        shape = (
            tuple(input_shape[0]) if input_shape and isinstance(input_shape[0], (tuple, list)) else tuple(input_shape)
        )
        self._check(shape)
        if self.stateful and shape[0] is None:
            raise ShapeError(
                f"{self.name} is stateful: it keeps a state for each sample of a batch, so the batch size must be fixed; got "
                f"shape {shape}. Begin the model with Input(batch_shape=(batch, time, features))."
            )
        build_cell(self.cell, (shape[0], *shape[2:]))
        if self.stateful:
            nothing = np.broadcast_to(np.float32(0), [length or 1 for length in shape])
            first = asked(self.get_initial_state, shape[0], self.compute_dtype, nothing)
            self.states = mapped(
                lambda x: Variable(x, dtype=self.dtype, trainable=False, name=f"{self.name}/rnn_state"), list(first)
            )

    def _check(self, shape: Any) -> None:
        """Raises ShapeError unless inputs of this shape are sequences of what the cell was built for."""
        if len(shape) < 3:
            raise ShapeError(
                f"{self.name} expects inputs of shape (batch, time, features), got shape {shape}. A recurrent layer in front of it "
                "needs return_sequences=True."
            )
        if shape[1] == 0:
            raise ShapeError(f"{self.name} needs at least one time step; got shape {shape}.")
        lowest = self.cell.cells[0] if isinstance(self.cell, StackedRNNCells) else self.cell
        wanted = (
            lowest.kernel.shape[0] if self.built and isinstance(lowest, RecurrentCell) and len(shape) == 3 else None
        )
        if None not in (wanted, shape[2]) and shape[2] != wanted:
            raise ShapeError(
                f"{self.name} expects inputs with {wanted} features (last axis), got shape {shape}. Its kernel was built for "
                f"{wanted} in an earlier call; make a new layer for other inputs."
            )

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """The states of so many samples before their first step, in a list: the cell's own, else zeros.

        Args:
            batch_size: how many; or, as in Keras 2, the inputs, whose first axis tells.

        >>> from refnet.layers import LSTM
        >>> [state.shape for state in LSTM(2).get_initial_state(batch_size=3)]
        [(3, 2), (3, 2)]
        """
        inputs = batch_size if len(getattr(batch_size, "shape", ())) else None
        states = first_states(self.cell, batch_of(batch_size), self.compute_dtype, inputs)
        return states if isinstance(states, list) else [states]

    def reset_state(self) -> None:
        """Of a stateful layer: the next batch begins with zeros."""
        for state in flatten(self.states or []):
            state.set(np.zeros(state.shape, state.array.dtype))

    def reset_states(self) -> None:
        """`reset_state()`."""
        self.reset_state()

    # ---- calls

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
        """All steps.

        Args:
            sequences: (batch, time, ...); or a list of them and of the initial states.
            initial_state: a list of the states before the first step, or one of them; zeros (or, if stateful, the kept ones)
                if None.
            mask: (batch, time), False where a step is left out.
        """
        if isinstance(sequences, (list, tuple)):
            sequences, *given = sequences
            initial_state = given or initial_state
        mask = flatten(mask)[0]
        self._check(sequences.shape)
        states = self._states_given(initial_state)
        if states is None and (begins_otherwise(self) or begins_otherwise(self.cell)):
            states = self._first_states(sequences)
        if getattr(self.cell, "takes_sequences", False):
            outputs, last, after = self.cell.sequence(sequences, states, mask, self.go_backwards, training)
        else:
            outputs, last, after = self._step_by_step(sequences, states, mask, training)
        if self.stateful:
            mapped(lambda state, value: state.assign(value), self.states, after)
        if self.zero_output_for_mask and mask is not None:
            outputs = zeroed(outputs, ops.flip(mask, 1) if self.go_backwards else mask)
            last = outputs[:, -1]
        output = outputs if self.return_sequences else last
        return (output, *after) if self.return_state else output

    def _states_given(self, initial_state: Any) -> Any:
        """The states before the first step in the structure of state_size; None for the cell's own."""
        if initial_state is None:
            return self.states
        given, wanted = flatten(initial_state), flatten(self.state_size)
        if len(given) != len(wanted):
            raise ArgumentError(f"{self.name} has {len(wanted)} states; initial_state has {len(given)}.")
        return packed(self.state_size, given)

    def _first_states(self, sequences: Any) -> Any:
        """The states before the first step where neither a caller nor an earlier batch gives them."""
        if begins_otherwise(self):
            states = asked(self.get_initial_state, ops.shape(sequences)[0], self.compute_dtype, sequences)
        else:
            states = first_states(self.cell, ops.shape(sequences)[0], self.compute_dtype, sequences)
        return list(states) if isinstance(states, (list, tuple)) else [states]

    def _step_by_step(self, sequences: Any, states: Any, mask: Any, training: Any) -> tuple[Any, Any, list[Any]]:
        if self.go_backwards:
            sequences, mask = ops.flip(sequences, 1), None if mask is None else ops.flip(mask, 1)
        batch = ops.shape(sequences)[0]
        states = self._first_states(sequences) if states is None else states
        size = output_size_of(self.cell)
        before = ops.zeros((batch, *(size if isinstance(size, (list, tuple)) else [size])), self.compute_dtype)
        step = stepper_of(self.cell, training, sequences[:, 0])
        return steps_taken(step, sequences, states, mask, before)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        output = flatten(mask)[0] if self.return_sequences else None
        return [output] + [None] * len(flatten(self.state_size)) if self.return_state else output


def steps_taken(step: Step, inputs: Any, states: list[Any], mask: Any, before: Any) -> tuple[Any, Any, list[Any]]:
    """The steps of a sequence, one after the other.

    Args:
        step: (inputs, states) -> (output, states).
        inputs: (batch, time, ...).  mask: (batch, time), or None.
        before: the output of steps that are left out before any that counts.
    Returns:
        The outputs, (batch, time, ...), the last one and the last states.
    """

    def taken(carry: Any, part: Any) -> tuple[Any, Any]:
        held, last = carry
        x, counts = part if mask is not None else (part[0], None)
        output, after = step(x, held)
        after = packed(held, flatten(after))
        if counts is not None:
            output = ops.where(spread(counts, output), output, last)
            after = mapped(lambda new, old: ops.where(spread(counts, new), new, old), after, held)
        return (after, output if mask is not None else last), output

    parts = [ops.swapaxes(inputs, 0, 1)]
    if mask is not None:
        parts.append(ops.transpose(ops.cast(mask, "bool")))
    (after, _), outputs = ops.scan(taken, (list(states), before), parts)
    outputs = ops.swapaxes(outputs, 0, 1)
    return outputs, outputs[:, -1], after


def zeroed(outputs: Any, mask: Any) -> Any:
    """Outputs, (batch, time, ...), with 0 where the mask is False."""
    return ops.where(spread(ops.cast(mask, "bool"), outputs), outputs, ops.zeros_like(outputs))


serve(__name__)
