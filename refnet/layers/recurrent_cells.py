"""Recurrent cells: what one time step does to a state. `RNN` takes them over whole sequences."""

from collections.abc import Callable
from typing import Any

from refnet import activations, initializers, ops
from refnet.layers.recurrent_cell import RecurrentCell, named


class SimpleRNNCell(RecurrentCell):
    """The state is an activation of the inputs and of the state before.

        h' = activation(x * kernel + bias + h * recurrent_kernel)

    Args:
        units: the size of the state, which is also the output.
        activation: a name or a function; None for none.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: how the weights start.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: what they add to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are brought back to after each update.
        dropout, recurrent_dropout: the share of inputs and of state that is dropped in training, the same at every step.
        seed: an integer, for draws that do not depend on the seed of the whole program.
    Source: Elman 1990; Chollet 6.2.

    >>> output, states = SimpleRNNCell(4)(np.zeros((2, 3)), [np.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **more: Any,
    ):
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        recurrent = recurrent_initializer, recurrent_regularizer, recurrent_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(units, use_bias, kernel, recurrent, bias, dropout, recurrent_dropout, seed, **more)
        self.activation = activations.get(activation)

    def step(self, inputs: Any, states: list[Any], dropout: Any, recurrent_dropout: Any) -> tuple[Any, list[Any]]:
        (x,), (h,) = (
            self.parts(inputs, self.kernel, dropout),
            self.parts(states[0], self.recurrent_kernel, recurrent_dropout),
        )
        x = x if self.bias is None else ops.add(x, self.bias)
        h = self.through("activation", ops.add(x, h))
        return h, [h]

    def sequence(
        self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any
    ) -> tuple[Any, Any, list[Any]]:
        first = None if states is None else states[0]
        y, h = ops.simple_rnn(**self.shared(inputs, first, mask, go_backwards, training))
        return y, h, [h]


class LSTMCell(RecurrentCell):
    """Gates decide what a memory c takes in, keeps and shows; the equations are those of `ops.lstm`.

    Args:
        units: the size of the state h, which is also the output, and of the memory c.
        activation: of what comes in and of what is shown.  recurrent_activation: of the gates. Names, functions or None.
        unit_forget_bias: whether the forget gate's bias starts at 1, so that the memory is kept at first.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: as in
            SimpleRNNCell; with recurrent_dropout each gate has masks of its own.
    Source: Hochreiter and Schmidhuber 1997; Jozefowicz et al. 2015 (the forget gate's bias); Chollet 6.2.2.

    >>> output, (hidden, carry) = LSTMCell(4)(np.zeros((2, 3)), [np.zeros((2, 4)), np.zeros((2, 4))])
    >>> output.shape, carry.shape
    ((2, 4), (2, 4))
    """

    gates = 4
    activation_arguments = ("activation", "recurrent_activation")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **more: Any,
    ):
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        recurrent = recurrent_initializer, recurrent_regularizer, recurrent_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(units, use_bias, kernel, recurrent, bias, dropout, recurrent_dropout, seed, **more)
        self.activation, self.recurrent_activation = activations.get(activation), activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)
        self.state_size = [self.units, self.units]

    def first_bias(self) -> Any:
        return forgetful(self.bias_initializer, self.units) if self.unit_forget_bias else self.bias_initializer

    def step(self, inputs: Any, states: list[Any], dropout: Any, recurrent_dropout: Any) -> tuple[Any, list[Any]]:
        x = self.parts(inputs, self.kernel, dropout)
        h = self.parts(states[0], self.recurrent_kernel, recurrent_dropout)
        z = [ops.add(a, b) for a, b in zip(x, h)]
        if self.bias is not None:
            z = [ops.add(a, b) for a, b in zip(z, ops.split(self.bias, 4))]
        return lstm_step(self, z, states[1])

    def sequence(
        self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any
    ) -> tuple[Any, Any, list[Any]]:
        given = self.shared(inputs, states, mask, go_backwards, training)
        y, h, c = ops.lstm(**given, recurrent_activation=named(self.recurrent_activation))
        return y, h, [h, c]


def forgetful(initializer: Any, units: int) -> Callable[..., Any]:
    """A bias in four quarters, the second (of the forget gate) 1, the others as the initializer says."""

    def bias(shape: Any, dtype: Any = None) -> Any:
        ones = initializers.Ones()((units,), dtype=dtype)
        return ops.concatenate([initializer((units,), dtype=dtype), ones, initializer((2 * units,), dtype=dtype)])

    return bias


def lstm_step(cell: Any, z: list[Any], c: Any) -> tuple[Any, list[Any]]:
    """Output and states from the four preactivations i, f, g, o and the memory."""
    i, f, o = (cell.through("recurrent_activation", z[k]) for k in (0, 1, 3))
    c = ops.add(ops.multiply(f, c), ops.multiply(i, cell.through("activation", z[2])))
    h = ops.multiply(o, cell.through("activation", c))
    return h, [h, c]


class GRUCell(RecurrentCell):
    """A gate z keeps the old state or lets a candidate in; the equations are those of `ops.gru`.

    Args:
        units: the size of the state, which is also the output.
        activation: of the candidate.  recurrent_activation: of the gates. Names, functions or None.
        reset_after: whether the gate r acts after the product with the recurrent kernel (then that product has a bias of its
            own) or before it, as first published.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed: as in
            LSTMCell.
    Source: Cho et al. 2014; Chollet 6.3.

    >>> output, states = GRUCell(4)(np.zeros((2, 3)), [np.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    gates = 3
    activation_arguments = ("activation", "recurrent_activation")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: Any = None,
        **more: Any,
    ):
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        recurrent = recurrent_initializer, recurrent_regularizer, recurrent_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(units, use_bias, kernel, recurrent, bias, dropout, recurrent_dropout, seed, **more)
        self.activation, self.recurrent_activation = activations.get(activation), activations.get(recurrent_activation)
        self.reset_after = bool(reset_after)

    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def step(self, inputs: Any, states: list[Any], dropout: Any, recurrent_dropout: Any) -> tuple[Any, list[Any]]:
        h, masked = states[0], self.masked_states(states[0], recurrent_dropout)
        x = self.parts(inputs, self.kernel, dropout)
        kernels = ops.split(self.recurrent_kernel, 3, axis=-1)
        back = [ops.matmul(masked[k], kernels[k]) for k in range(2)]
        own: Any = None  # the recurrent product's bias
        if self.bias is not None:
            outer = self.bias[0] if self.reset_after else self.bias
            x = [ops.add(a, b) for a, b in zip(x, ops.split(outer, 3))]
            own = ops.split(self.bias[1], 3) if self.reset_after else None
        if own is not None:
            back = [ops.add(a, b) for a, b in zip(back, own)]
        z, r = (self.through("recurrent_activation", ops.add(a, b)) for a, b in zip(x, back))
        if self.reset_after:
            seen = ops.matmul(masked[2], kernels[2])
            seen = ops.multiply(r, seen if own is None else ops.add(seen, own[2]))
        else:
            seen = ops.matmul(ops.multiply(r, masked[2]), kernels[2])
        candidate = self.through("activation", ops.add(x[2], seen))
        h = ops.add(ops.multiply(z, h), ops.multiply(ops.subtract(1.0, z), candidate))
        return h, [h]

    def masked_states(self, h: Any, mask: Any) -> list[Any]:
        """The state as each gate sees it."""
        if mask is None:
            return [h] * 3
        return [ops.multiply(h, mask if len(mask.shape) == 2 else mask[g]) for g in range(3)]

    def sequence(
        self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any
    ) -> tuple[Any, Any, list[Any]]:
        given = self.shared(inputs, None if states is None else states[0], mask, go_backwards, training)
        y, h = ops.gru(**given, recurrent_activation=named(self.recurrent_activation), reset_after=self.reset_after)
        return y, h, [h]
