"""What recurrent cells have in common: their weights, their dropout, and one step beside all steps at once."""

from collections.abc import Callable
from typing import Any

from refnet import activations, constraints, initializers, ops, random, regularizers
from refnet.errors import ShapeError
from refnet.layers.base import Layer
from refnet.layers.checks import share, whole
from refnet.layers.first_states import batch_of
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
        batch = batch_of(batch_size)
        return [ops.zeros((batch, size), self.compute_dtype) for size in flatten(self.state_size)]

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
