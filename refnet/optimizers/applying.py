"""Steps of an optimizer outside of `fit`: at once on arrays, as part of a step or a function that is traced, and on values."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, settings
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.graph import Assignment, Call, Mode, Tensor, Variable, as_tensor, trace
from refnet.program import Program


class Applied:
    """The part of an optimizer that applies gradients which somebody gives it."""

    name: str
    _weights: list[Variable]
    _iterations: Variable
    _programs: dict[Any, Any]

    @property
    def built(self) -> bool:
        """Whether the slots are made."""
        return bool(self._weights)

    @property
    @abstractmethod
    def variables(self) -> list[Variable]:
        """iterations, the learning rate and every slot."""

    @abstractmethod
    def updates(self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]) -> list[Assignment]:
        """The assignments of one step, for a program."""

    @abstractmethod
    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets `variables` from arrays, in their order."""

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Puts copies of the values of `variables` into `store`, numbered.

        Source: Keras 3 `Optimizer.save_own_variables`.
        """
        store.update((str(i), variable.numpy()) for i, variable in enumerate(self.variables))

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Takes what `save_own_variables` put there; the slots have to be made, by `build` or a first step.

        Raises:
            ArgumentError: other names than those of `variables`.  ShapeError: an array of another shape. Nothing is set then.
        Source: Keras 3 `Optimizer.load_own_variables`.
        """
        numbers = [str(i) for i in range(len(self.variables))]
        if set(store) != set(numbers):
            known = "" if self.built else " Call build(variables) first."
            raise ArgumentError(
                f"{self.name}.load_own_variables: it has {len(numbers)} variables, and the store has {len(store)} entries.{known}"
            )
        self.set_weights([store[number] for number in numbers])

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One step: inside a training step or a function of `jit` it becomes part of it, with arrays it is made at once.

        Args:
            grads: a gradient for each variable; None leaves the variable as it is.
            trainable_variables: the variables to change; those of `build` if None.
        Raises:
            ArgumentError: another number of gradients than variables.
        Source: Keras 3 `optimizers.Optimizer.apply`.
        """
        grads = list(grads)
        if not grads:
            return
        weights = self._weights if trainable_variables is None else list(trainable_variables)
        if len(weights) != len(grads):
            known = "" if self.built else " Call build(variables) first, or give them."
            raise ArgumentError(f"{self.name}.apply: got {len(grads)} gradients for {len(weights)} variables.{known}")
        if all(g is None for g in grads):
            raise ArgumentError(f"{self.name}.apply: no gradient for any variable.")
        if trace.active:
            self.updates(weights, [None if g is None else as_tensor(g, w.dtype) for g, w in zip(grads, weights)])
            return
        self._run(weights, [None if g is None else np.asarray(g) for g in grads])

    def updates_of_fit(self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]) -> list[Assignment]:
        """The assignments of a step of `fit`: by `apply`, where a subclass has one of its own."""
        if type(self).apply is Applied.apply:
            return self.updates(weights, gradients)
        this: Any = self
        record = Call(this, None, {}, None)
        with trace.inside(call=record, guard=()):
            self.apply(list(gradients), list(weights))
        if trace.call is not None:
            trace.call.assignments.extend(record.assignments)
        return record.assignments

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """One step on values: the variables stay as they are, and their new values are returned.

        Args:
            optimizer_variables: values, in the order of `variables`.
            grads: a gradient for each variable of `build`.
            trainable_variables: the values of these variables.
        Returns:
            (trainable_variables, optimizer_variables) after the step.
        Raises:
            ArgumentError: an optimizer that is not built, another number of values.
        Source: Keras 3 `optimizers.Optimizer.stateless_apply`.
        """
        from refnet.stateless import Pure

        if not self.built:
            raise ArgumentError(f"{self.name}.stateless_apply: call build(trainable_variables) first.")
        own, count = self.variables, len(self._weights)
        if (len(optimizer_variables), len(grads), len(trainable_variables)) != (len(own), count, count):
            raise ArgumentError(
                f"{self.name}.stateless_apply: it has {len(own)} variables and was built for {count}; got "
                f"{len(optimizer_variables)} and {len(trainable_variables)} values, and {len(grads)} gradients."
            )
        key = ("stateless", *self._weights)
        if key not in self._programs:
            self._programs[key] = Pure(self, self._pure_step, [*self._weights, *own], True)
        _, new = self._programs[key]([*trainable_variables, *optimizer_variables], list(grads))
        return new[:count], new[count:]

    def _pure_step(self, grads: list[Any]) -> None:
        self.updates(
            self._weights, [None if g is None else as_tensor(g, w.dtype) for g, w in zip(grads, self._weights)]
        )

    def _run(self, weights: list[Variable], grads: list[Array | None]) -> None:
        from refnet.engine import current_engine

        key = (current_engine(), tuple(weights), tuple(g is None for g in grads), *settings.chosen())
        if key not in self._programs:
            slots = [None if g is None else Tensor(w.shape, w.dtype, name="gradient") for w, g in zip(weights, grads)]
            with trace.inside(call=None, guard=(), training=None):
                records = self.updates(weights, slots)
            program = Program([x for x in slots if x is not None], [], records, Mode(True))
            self._programs[key] = key[0].prepare(program)
        feeds = [g.astype(dtypes.as_numpy(w.dtype)) for w, g in zip(weights, grads) if g is not None]
        self._programs[key].run(feeds)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """`apply` of pairs (gradient, variable). Returns the counter of calls."""
        grads, variables = zip(*grads_and_vars)
        self.apply(grads, variables)
        return self._iterations
