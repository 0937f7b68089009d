"""Optimizers along the gradient: plain, with momentum, divided by its recent size, or in its direction alone."""

from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
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
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        if self.momentum == 0:
            return ops.sgd_update(start, gradient, rate), {}
        velocity = self.slot(weight, "momentum")
        new, velocity = ops.sgd_momentum_update(start, velocity, gradient, rate, self.momentum, self.nesterov)
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

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> RMSprop(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.6838, -1.6838], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
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
        epsilon = self._checked_epsilon(epsilon)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def slot_groups(self) -> list[list[str]]:
        return [["velocity"]] + [["momentum"]] * (self.momentum > 0) + [["average_gradient"]] * self.centered

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        names = [name for group in self.slot_groups() for name in group]
        slots = {name: self.slot(weight, name) for name in names}
        new, *values = ops.rmsprop_update(
            start,
            slots["velocity"],
            gradient,
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


class Lion(Optimizer):
    """Every weight moves by the learning rate, only the direction is learned: see `ops.lion_update`.

    Args:
        beta_1, beta_2: how much of the mean counts, and is kept.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Lion(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.9, -1.9], dtype=float32)
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
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        new, mean = ops.lion_update(start, self.slot(weight, "momentum"), gradient, rate, self.beta_1, self.beta_2)
        return new, {"momentum": mean}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
