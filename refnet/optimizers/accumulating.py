"""Optimizers that divide by all that gradients were so far: Adagrad, Adadelta, Ftrl."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.optimizers.base import Optimizer


class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far: see `ops.adagrad_update`.

    Args:
        initial_accumulator_value: what the sum of squares starts from.
        epsilon: added under the root.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Adagrad(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.9155, -1.9155], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **old: Any,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **old,
        )
        self._check_not_negative(initial_accumulator_value=initial_accumulator_value)
        epsilon = self._checked_epsilon(epsilon)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def slot_groups(self) -> list[list[str]]:
        return [["accumulator"]]

    def initial_slot(self, weight: Variable, name: str) -> Array:
        return np.full(weight.shape, self.initial_accumulator_value, weight.array.dtype)

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        new, total = ops.adagrad_update(start, self.slot(weight, "accumulator"), gradient, rate, self.epsilon)
        return new, {"accumulator": total}

    def get_config(self) -> dict[str, Any]:
        own = {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


class Adadelta(Optimizer):
    """Steps as large as the last ones were, whatever the gradient's scale: see `ops.adadelta_update`.

    Args:
        rho: how much of the running means is kept.
        epsilon: added under the roots.
        others: see Optimizer; the paper's learning rate is 1.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Adadelta(1.0).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.9986, -1.9986], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **old: Any,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **old,
        )
        self._check_rates(rho=rho)
        epsilon = self._checked_epsilon(epsilon)
        self.rho, self.epsilon = rho, epsilon

    def slot_groups(self) -> list[list[str]]:
        return [["accumulated_grad", "accumulated_delta_var"]]

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        (names,) = self.slot_groups()
        squares, steps = (self.slot(weight, name) for name in names)
        new, *values = ops.adadelta_update(start, squares, steps, gradient, rate, self.rho, self.epsilon)
        return new, dict(zip(names, values, strict=True))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class Ftrl(Optimizer):
    """Follow the regularized leader: weights that are not needed become exactly zero. See `ops.ftrl_update`.

    Args:
        learning_rate_power: at most 0.
        initial_accumulator_value: what the sum of squares starts from.
        l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength, beta: not below 0.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Ftrl(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.381 , -0.8464], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **old: Any,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **old,
        )
        if learning_rate_power > 0:
            raise ArgumentError(f"{self.name}: learning_rate_power must not be above 0; got {learning_rate_power!r}.")
        self.strengths = {
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
            "beta": beta,
        }
        self._check_not_negative(initial_accumulator_value=initial_accumulator_value, **self.strengths)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value

    def slot_groups(self) -> list[list[str]]:
        return [["accumulator", "linear"]]

    def initial_slot(self, weight: Variable, name: str) -> Array:
        start = self.initial_accumulator_value if name == "accumulator" else 0.0
        return np.full(weight.shape, start, weight.array.dtype)

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        total, linear = self.slot(weight, "accumulator"), self.slot(weight, "linear")
        new, total, linear = ops.ftrl_update(
            start, total, linear, gradient, rate, self.learning_rate_power, **self.strengths
        )
        return new, {"accumulator": total, "linear": linear}

    def get_config(self) -> dict[str, Any]:
        own = {
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
        }
        return {**super().get_config(), **own, **self.strengths}
