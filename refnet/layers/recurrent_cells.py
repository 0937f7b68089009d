"""Recurrent cells: what one time step does to a state. `RNN` takes them over whole sequences."""

from collections.abc import Callable
from typing import Any

from refnet import activations, constraints, initializers, ops, random, regularizers
from refnet.errors import ShapeError
from refnet.layers.base import Layer
from refnet.layers.checks import share, whole
from refnet.ops.recurrent import ACTIVATIONS, activation_name
from refnet.structure import flatten

Step = Callable[[Any, list[Any]], tuple[Any, list[Any]]]  # (inputs, states) -> (output, states)


class RecurrentCell(Layer):
    """Base of the cells with a kernel for the inputs and one for the state, each in `gates` parts of `units` columns.

    A subclass writes `step`, one time step with ops, and `sequence`, all of them by the op that does them at once.
    """

    gates = 1
    activation_arguments: tuple[str, ...] = ("activation",)
    activation: Any

    def __init__(
        self,
        units: int,
        use_bias: bool,
        kernel: tuple[Any, Any, Any],
        recurrent: tuple[Any, Any, Any],
        bias: tuple[Any, Any, Any],
        dropout: float,
        recurrent_dropout: float,
        seed: Any,
        **more: Any,
    ):
        self.implementation = more.pop("implementation", 2)
        super().__init__(**more)
        self.units, self.use_bias = whole(self.name, "units", units, 1), bool(use_bias)
        self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint = treatment(kernel)
        self.recurrent_initializer, self.recurrent_regularizer, self.recurrent_constraint = treatment(recurrent)
        self.bias_initializer, self.bias_regularizer, self.bias_constraint = treatment(bias)
        self.dropout = share(self.name, "dropout", dropout)
        self.recurrent_dropout = share(self.name, "recurrent_dropout", recurrent_dropout)
        self.seed, self.key = seed, random.next_seed() if seed is None else seed
        self.branches_on_training = bool(self.dropout or self.recurrent_dropout)
        self.state_size: Any = self.units
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ShapeError(f"{self.name} needs to know the number of features (last axis); got shape {input_shape}.")
        columns = self.gates * self.units
        self.kernel = self._weight("kernel", (input_shape[-1], columns))
        self.recurrent_kernel = self._weight("recurrent_kernel", (self.units, columns), "recurrent")
        self.bias = self._weight("bias", self.bias_shape(), initializer=self.first_bias()) if self.use_bias else None

    def _weight(self, name: str, shape: Any, treatment: str | None = None, initializer: Any = None) -> Any:
        own = treatment or name
        return self.add_weight(
            shape,
            initializer or getattr(self, f"{own}_initializer"),
            regularizer=getattr(self, f"{own}_regularizer"),
            constraint=getattr(self, f"{own}_constraint"),
            name=name,
        )

    def bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def first_bias(self) -> Any:
        """What the bias starts from."""
        return self.bias_initializer

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros, (batch, units) for each state."""
        return [ops.zeros((batch_size, size), self.compute_dtype) for size in flatten(self.state_size)]

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        """One time step.

        Args:
            inputs: (batch, features).
            states: a list of (batch, units) each, or one of them.
        Returns:
            The output, (batch, units), and the new states: a list where `states` was one.
        """
        several = isinstance(states, (list, tuple))
        output, after = self.stepper(training)(inputs, list(states) if several else [states])
        return output, after if several else after[0]

    # ---- dropout: one mask for all steps of a sequence

    def dropout_masks(self, inputs: Any, training: Any) -> tuple[Any, Any]:
        """Factors on the inputs' features and on the state in training: (batch, n), or with one for each gate in front."""
        batch = ops.shape(inputs)[0]
        for_each = (self.gates,) if self.gates > 1 and (self.recurrent_dropout or self.implementation == 1) else ()

        def drawn(rate: float, width: int) -> Any:
            if not training or not 0 < rate < 1:
                return None
            return random.dropout_mask((*for_each, batch, width), rate, self.compute_dtype, self.key, symbolic=True)

        return drawn(self.dropout, inputs.shape[-1]), drawn(self.recurrent_dropout, self.units)

    def stepper(self, training: Any, like: Any = None) -> Step:
        """`step` with the dropout masks in it, which are drawn for inputs like these; at the first step, if none are given."""
        masks = [] if like is None else list(self.dropout_masks(like, training))

        def step(inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            if not masks:
                masks.extend(self.dropout_masks(inputs, training))
            return self.step(inputs, states, *masks)

        return step

    def parts(self, x: Any, kernel: Any, mask: Any) -> list[Any]:
        """x times each gate's columns of a kernel, x multiplied with the gate's mask before."""
        if mask is None or len(mask.shape) == 2:
            product = ops.matmul(x if mask is None else ops.multiply(x, mask), kernel)
            return list(ops.split(product, self.gates, axis=-1))
        columns = ops.split(kernel, self.gates, axis=-1)
        return [ops.matmul(ops.multiply(x, mask[g]), columns[g]) for g in range(self.gates)]

    def through(self, argument: str, x: Any) -> Any:
        """x through one of the cell's activations."""
        function = getattr(self, argument)
        return x if function is activations.linear else function(x)

    def step(self, inputs: Any, states: list[Any], dropout: Any, recurrent_dropout: Any) -> tuple[Any, list[Any]]:
        """One time step, written with ops: the output and the new states."""
        raise NotImplementedError(f"{type(self).__name__} has no `step`")

    # ---- whole sequences

    @property
    def takes_sequences(self) -> bool:
        """Whether one op can do all steps: it knows the activations, and no subclass has changed what a step does."""
        known = all(activation_name(named(getattr(self, word))) is not None for word in self.activation_arguments)
        own = next(kind for kind in type(self).__mro__ if "sequence" in vars(kind))
        same = all(getattr(type(self), word) is getattr(own, word) for word in ("step", "stepper", "call"))
        return known and same and type(self).call is RecurrentCell.call

    def sequence(
        self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any
    ) -> tuple[Any, Any, list[Any]]:
        """All steps at once.

        Args:
            inputs: (batch, time, features).
            states: before the first step; None for zeros.
            mask: (batch, time), or None.
        Returns:
            The outputs of all steps in the order in which they are taken, the last one, and the states after it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `sequence`")

    def shared(self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any) -> dict[str, Any]:
        """The arguments that the ops over sequences have in common."""
        dropout, recurrent_dropout = self.dropout_masks(inputs, training)
        return {
            **{"inputs": inputs, "kernel": self.kernel, "recurrent_kernel": self.recurrent_kernel, "bias": self.bias},
            **{"initial_state": states, "mask": mask, "go_backwards": go_backwards, "dropout_mask": dropout},
            **{"recurrent_dropout_mask": recurrent_dropout, "activation": named(self.activation)},
        }


def named(activation: Any) -> Any:
    """An activation as the ops over sequences know it: its name, if it is one of theirs; else the function."""
    return next((name for name in ACTIVATIONS if activations.known.get(name) is activation), activation)


def treatment(given: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """How a weight starts, is penalised and is constrained."""
    initializer, regularizer, constraint = given
    return initializers.get(initializer), regularizers.get(regularizer), constraints.get(constraint)


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
