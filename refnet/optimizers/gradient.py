"""Optimizers along the gradient: plain, with momentum, or divided by what gradients were like so far."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.optimizers.base import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum if asked: see `ops.sgd_update` and `ops.sgd_momentum_update`.

    Args:
        momentum: how much of the last step is kept.
        nesterov: whether the gradient's step is taken after the momentum's.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight, optimizer = Variable([1.0, 2.0]), SGD(0.25)
    >>> optimizer.apply([[4.0, -4.0]], [weight])
    >>> weight.numpy()
    array([0., 3.], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if not 0 <= momentum <= 1:
            raise ArgumentError(f"{self.name}: momentum lies in 0..1; got {momentum!r}.")
        self.momentum, self.nesterov = momentum, nesterov

    def slot_groups(self) -> list[list[str]]:
        return [["momentum"]] if self.momentum else []

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        if self.momentum == 0:
            return ops.sgd_update(start, slope, rate), {}
        velocity = self.slot(weight, "momentum")
        new, velocity = ops.sgd_momentum_update(start, velocity, slope, rate, self.momentum, self.nesterov)
        return new, {"momentum": velocity}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient: see `ops.rmsprop_update`.

    Args:
        rho: how much of the running mean is kept.
        momentum: how much of the last step is kept.
        epsilon: added under the root.
        centered: whether the running mean of the gradient is taken off first.
        others: see Optimizer.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        self._check_rates(rho=rho, momentum=momentum)
        self._check_positive(epsilon=epsilon)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def slot_groups(self) -> list[list[str]]:
        return [["velocity"]] + [["momentum"]] * (self.momentum > 0) + [["average_gradient"]] * self.centered

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        names = [name for group in self.slot_groups() for name in group]
        slots = {name: self.slot(weight, name) for name in names}
        new, *values = ops.rmsprop_update(
            start,
            slots["velocity"],
            slope,
            rate,
            self.rho,
            self.epsilon,
            self.momentum,
            slots.get("momentum"),
            slots.get("average_gradient"),
        )
        return new, dict(zip(names, values, strict=True))

    def get_config(self) -> dict[str, Any]:
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}


class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far: see `ops.adagrad_update`.

    Args:
        initial_accumulator_value: what the sum of squares starts from.
        epsilon: added under the root.
        others: see Optimizer.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
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
        self._check_positive(initial_accumulator_value=initial_accumulator_value, epsilon=epsilon)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def slot_groups(self) -> list[list[str]]:
        return [["accumulator"]]

    def initial_slot(self, weight: Variable, name: str) -> Array:
        return np.full(weight.shape, self.initial_accumulator_value, weight.array.dtype)

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        new, total = ops.adagrad_update(start, self.slot(weight, "accumulator"), slope, rate, self.epsilon)
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
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
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
        self._check_positive(epsilon=epsilon)
        self.rho, self.epsilon = rho, epsilon

    def slot_groups(self) -> list[list[str]]:
        return [["accumulated_grad", "accumulated_delta_var"]]

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        (names,) = self.slot_groups()
        squares, steps = (self.slot(weight, name) for name in names)
        new, *values = ops.adadelta_update(start, squares, steps, slope, rate, self.rho, self.epsilon)
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
        self._check_positive(initial_accumulator_value=initial_accumulator_value, **self.strengths)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value

    def slot_groups(self) -> list[list[str]]:
        return [["accumulator", "linear"]]

    def initial_slot(self, weight: Variable, name: str) -> Array:
        start = self.initial_accumulator_value if name == "accumulator" else 0.0
        return np.full(weight.shape, start, weight.array.dtype)

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        total, linear = self.slot(weight, "accumulator"), self.slot(weight, "linear")
        new, total, linear = ops.ftrl_update(
            start, total, linear, slope, rate, self.learning_rate_power, **self.strengths
        )
        return new, {"accumulator": total, "linear": linear}

    def get_config(self) -> dict[str, Any]:
        own = {
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
        }
        return {**super().get_config(), **own, **self.strengths}


class Lion(Optimizer):
    """Every weight moves by the learning rate, only the direction is learned: see `ops.lion_update`.

    Args:
        beta_1, beta_2: how much of the mean counts, and is kept.
        others: see Optimizer.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        if not 0 < beta_1 <= 1:
            raise ArgumentError(f"{self.name}: beta_1 lies in 0..1, above 0; got {beta_1!r}.")
        self.beta_1, self.beta_2 = beta_1, beta_2

    def slot_groups(self) -> list[list[str]]:
        return [["momentum"]]

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        new, mean = ops.lion_update(start, self.slot(weight, "momentum"), slope, rate, self.beta_1, self.beta_2)
        return new, {"momentum": mean}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
