"""What an optimizer keeps: variables beside each weight, its slots, and counters of its own; and in which order files have them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.arrays import values_for
from refnet.graph import Variable
from refnet.optimizers.applying import Applied

EMA, SUM = "average", "gradient_accumulator"  # the slots that options add, before the optimizer's own


class WithSlots(Applied):
    """The part of an optimizer that makes its variables."""

    use_ema: bool
    gradient_accumulation_steps: int | None
    schedule: Callable[..., Any] | None
    _rate: Variable
    _slots: dict[Variable, dict[str, Variable]]
    _added: list[Variable]
    _assigns: Callable[[], bool]

    def slot_groups(self) -> list[list[str]]:
        """The slots' names; files have one group after the other, each for all weights. A subclass names its own."""
        return []

    def initial_slot(self, weight: Variable, name: str) -> Array | None:
        """The value a slot starts from; None where a weight has no such slot."""
        return np.zeros(weight.shape, weight.array.dtype)

    def own_variables(self) -> list[Variable]:
        """iterations and, without a schedule, the learning rate."""
        return [self._iterations] if self.schedule else [self._iterations, self._rate]

    def last_variables(self) -> list[Variable]:
        """What follows the slots in files."""
        return list(self._added)

    def _slots_of(self, weights: Iterable[Variable]) -> list[tuple[Variable, str]]:
        """Every slot, as a weight and a name, in the order of files."""
        groups = [[EMA]] * bool(self.use_ema) + [[SUM]] * bool(self.gradient_accumulation_steps) + self.slot_groups()
        every = [(w, name) for group in groups for w in weights for name in group]
        return [(w, name) for w, name in every if name in (EMA, SUM) or self.initial_slot(w, name) is not None]

    def slot(self, weight: Variable, name: str) -> Variable:
        """The variable of that name kept beside a weight."""
        slots = self._slots.setdefault(weight, {})
        if name not in slots:
            start = (
                np.zeros(weight.shape, weight.array.dtype) if name in (EMA, SUM) else self.initial_slot(weight, name)
            )
            assert start is not None
            label = f"{self.name}/{weight.name}/{name}"
            slots[name] = Variable(start, dtype=weight.dtype, trainable=False, name=label)
        return slots[name]

    def saved_variables(self, weights: Sequence[Variable]) -> list[Variable]:
        """What a file keeps, in Keras's order: iterations, the learning rate, and these weights' slots."""
        slots = [self.slot(w, name) for w, name in self._slots_of(weights)]
        return [*self.own_variables(), *slots, *self.last_variables()]

    def saved_count(self, weights: Sequence[Variable]) -> int:
        """How many variables `saved_variables` would give; makes none, but where an `update_step` of one's own decides them."""
        if self._assigns():
            self.build(weights)
        return len(self.own_variables()) + len(self._slots_of(weights)) + len(self.last_variables())

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of these weights."""
        self._weights = list(dict.fromkeys([*self._weights, *variables]))
        self.saved_variables(self._weights)

    @property
    def variables(self) -> list[Variable]:
        """iterations, the learning rate and every slot."""
        return self.saved_variables(self._weights) if self.built else self.own_variables()

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets `variables` from arrays, in their order.

        Raises:
            ArgumentError: another number of arrays.  ShapeError: an array of another shape. Nothing is set then.
        """
        own = self.variables
        for variable, value in zip(own, values_for(own, weights, f"{self.name}.set_weights", "variables")):
            variable.set(value)
