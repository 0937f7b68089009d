"""Optimizers of a user's own, written as for Keras 3: variables beside the weights, and `update_step`, which assigns."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Assignment, Call, Tensor, Variable, trace


class OwnUpdate:
    """The part of an optimizer that carries out an `update_step` of a subclass.

    Where a subclass has one, a step is: weight decay, `update_step` for each weight, moving averages, constraints, each assigning in
    turn, so that each reads what those before it assigned. Else nothing here takes part in a step.
    """

    name: str
    use_ema: bool
    gradient_accumulation_steps: int | None
    loss_scale_factor: float | None
    _weights: list[Variable]
    _iterations: Variable
    _added: list[Variable]

    @abstractmethod
    def build(self, variables: Sequence[Variable]) -> None: ...

    # ---- variables

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable, which files of the optimizer keep. To be called in `build`.

        Args:
            shape: a tuple of integers.
            initializer: see `initializers.get`.
            dtype: the default floating dtype if None.
            aggregation, layout: of Keras, for several devices; not used.
            name: of the variable.
        """
        from refnet import initializers

        dtype = dtypes.standardize(dtype)
        with trace.inside(call=None, collecting=False):
            value: Array = np.asarray(initializers.get(initializer)(tuple(shape), dtype=dtype))
        self._added.append(Variable(value, dtype=dtype, trainable=False, name=f"{self.name}/{name or 'variable'}"))
        return self._added[-1]

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A new variable of a weight's shape and dtype. To be called in `build`."""
        label = f"{reference_variable.name.replace('/', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name=label)

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """A new variable for each weight; for a list of names a tuple of lists, one for each name."""
        weights = list(trainable_variables)
        if isinstance(name, str):
            return [self.add_variable_from_reference(w, name, initializer) for w in weights]
        kinds = [initializer] * len(name) if isinstance(initializer, str) or callable(initializer) else initializer
        return tuple(
            [self.add_variable_from_reference(w, one, kind) for w in weights] for one, kind in zip(name, kinds)
        )

    def _get_variable_index(self, variable: Variable) -> int:
        """Which of the weights of `build` it is."""
        return next(place for place, weight in enumerate(self._weights) if weight is variable)

    def assign(self, variable: Variable, value: TensorLike) -> None:
        """Sets a variable when the step is done; what is computed in `update_step` after this reads the new value."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: TensorLike) -> None:
        """`assign` of variable + value."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: TensorLike) -> None:
        """`assign` of variable - value."""
        variable.assign_sub(value)

    # ---- a step

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """One weight's update, by assignments. A subclass may write its own; this one does what `step` says.

        Args:
            gradient: the gradient, clipped if the optimizer clips.
            variable: the weight.
            learning_rate: the rate of this step.
        Source: Keras 3 `optimizers.Optimizer.update_step`.
        """
        this: Any = self
        new, slots = this.step(variable, variable, gradient, this.shared(learning_rate))
        variable.assign(new)
        for name, value in slots.items():
            this.slot(variable, name).assign(value)

    def _assigns(self) -> bool:
        """Whether a subclass has an `update_step` of its own."""
        return type(self).update_step is not OwnUpdate.update_step

    def _recorded(self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]) -> list[Assignment]:
        """The assignments that a step by `update_step` makes."""
        this: Any = self
        if self.gradient_accumulation_steps is not None:
            raise ArgumentError(
                f"{self.name}: gradient_accumulation_steps needs an optimizer that says its update as `step`; "
                f"{type(self).__name__} has `update_step`, which assigns at once."
            )
        self.build(weights)
        record = Call(this, None, {}, None)
        with trace.inside(call=record, guard=()):
            pairs = [(w, dw) for w, dw in zip(weights, gradients) if dw is not None]
            known: list[Any] = [dw for _, dw in pairs]
            if self.loss_scale_factor is not None:
                known = [ops.divide(dw, self.loss_scale_factor) for dw in known]
            rate = this.rate()
            for (weight, _), gradient in zip(pairs, this.clipped(known)):
                decayed = this.decayed(weight, rate)
                if decayed is not weight:
                    weight.assign(decayed)
                self.update_step(gradient, weight, rate)
            shared = [*this.common(this.shared(rate)), *(this._averages(weights, {}) if self.use_ema else [])]
            for variable, value in shared:
                variable.assign(value)
            for weight in weights:
                if weight.constraint is not None:
                    weight.assign(weight.constraint(weight))
            self._iterations.assign_add(1)
        if trace.call is not None:  # a step or a function that is being traced
            trace.call.assignments.extend(record.assignments)
        return record.assignments
