"""An optimizer around another: the loss is scaled so that gradients of float16 neither vanish nor overflow."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Assignment, Tensor, Variable, assignment
from refnet.optimizers.base import Optimizer


class LossScaleOptimizer(Optimizer):
    """Multiplies the loss by a scale and divides the gradients by it. A step whose gradients are not finite is left out.

    After dynamic_growth_steps steps in a row the scale is doubled, after a step that was left out it is halved.

    Args:
        inner_optimizer: makes the steps; its learning rate is this optimizer's.
        initial_scale: the scale at the start.
        dynamic_growth_steps: see above.
        name: of the optimizer.
    Raises:
        ArgumentError: an inner optimizer that is none, or an option that belongs there.
    Source: Micikevicius et al. 2018; Keras 3 `optimizers.LossScaleOptimizer`.

    >>> from refnet import Variable, optimizers
    >>> weight, optimizer = Variable([1.0]), LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=4.0)
    >>> optimizer.apply([[float("inf")]], [weight])
    >>> weight.numpy(), float(optimizer.dynamic_scale)
    (array([1.], dtype=float32), 2.0)
    """

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **options: Any,
    ):
        label = name or "loss_scale_optimizer"
        if not isinstance(inner_optimizer, Optimizer) or isinstance(inner_optimizer, LossScaleOptimizer):
            raise ArgumentError(f"{label}: inner_optimizer must be another optimizer; got {inner_optimizer!r}.")
        for word, value in options.items():
            if value not in (None, False) and (word, value) not in (("ema_momentum", 0.99), ("dynamic", True)):
                raise ArgumentError(f"{label}: give {word} to the inner optimizer.")
        if not initial_scale > 0 or not dynamic_growth_steps > 0:
            raise ArgumentError(f"{label}: initial_scale and dynamic_growth_steps must be above 0.")
        super().__init__(0.0, name=label)
        self.inner_optimizer, self.initial_scale = inner_optimizer, initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None
        self.step_counter = Variable(0, dtype="int32", trainable=False, name=f"{self.name}/step_counter")
        self.dynamic_scale = Variable(
            np.float32(initial_scale), dtype="float32", trainable=False, name=f"{self.name}/dynamic_scale"
        )

    @property
    def iterations(self) -> Any:
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    def own_variables(self) -> list[Variable]:
        return [self._iterations, self._rate, *self.inner_optimizer.own_variables()]

    def saved_variables(self, weights: Sequence[Variable]) -> list[Variable]:
        own = [self._iterations, self._rate, self.step_counter, self.dynamic_scale]
        return own + self.inner_optimizer.saved_variables(weights)

    def saved_count(self, weights: Sequence[Variable]) -> int:
        return 4 + self.inner_optimizer.saved_count(weights)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.inner_optimizer.build(variables)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def scale_loss(self, loss: TensorLike) -> TensorLike:
        return ops.multiply(loss, ops.cast(self.dynamic_scale, loss.dtype))

    def updates(self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]) -> list[Assignment]:
        self.build(weights)
        scaled = [None if g is None else ops.divide(g, ops.cast(self.dynamic_scale, g.dtype)) for g in gradients]
        finite: TensorLike = None
        for g in gradients:
            if g is not None:
                whole = ops.all(ops.isfinite(g))
                finite = whole if finite is None else ops.logical_and(finite, whole)
        values = self.inner_optimizer.new_values(weights, scaled)
        records = [assignment(v, ops.where(finite, new, v)) for v, new in values]
        grown = ops.equal(self.step_counter, self.dynamic_growth_steps - 1)
        counted = ops.where(ops.logical_or(grown, ops.logical_not(finite)), 0, ops.add(self.step_counter, 1))
        factor = ops.where(finite, ops.where(grown, 2.0, 1.0), 0.5)
        records.append(assignment(self.step_counter, ops.cast(counted, "int32")))
        records.append(assignment(self.dynamic_scale, ops.multiply(self.dynamic_scale, factor)))
        return records

    def finalize_variable_values(self, var_list: Any) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": self.inner_optimizer,
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }
