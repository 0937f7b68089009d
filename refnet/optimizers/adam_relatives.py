"""Relatives of Adam: Adamax, Nadam, Lamb, and the one that needs no schedule."""

from functools import cached_property
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.optimizers.base import Optimizer


class TwoMeans(Optimizer):
    """Base of the optimizers that keep a mean of the gradients and one of their sizes.

    Args:
        beta_1, beta_2: how much of the two means is kept.
        epsilon: added to the root.
        others: see Optimizer.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        self._check_rates(beta_1=beta_1, beta_2=beta_2)
        epsilon = self._checked_epsilon(epsilon)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adamax(TwoMeans):
    """Adam with the largest gradient, slowly forgotten, in the place of the root mean square: see `ops.adamax_update`.

    Args:
        beta_1, beta_2: how much of the mean and of the largest gradient is kept.
        epsilon: added to the divisor.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Adamax(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.9, -1.9], dtype=float32)
    """

    def shared(self, rate: TensorLike) -> TensorLike:
        return ops.adamax_rate(rate, ops.add(self.steps_done(), 1), self.beta_1)

    def slot_groups(self) -> list[list[str]]:
        return [["momentum", "norm"]]

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        mean, norm = self.slot(weight, "momentum"), self.slot(weight, "norm")
        new, mean, norm = ops.adamax_update(start, mean, norm, gradient, rate, self.beta_1, self.beta_2, self.epsilon)
        return new, {"momentum": mean, "norm": norm}


class Nadam(TwoMeans):
    """Adam that looks one step ahead: see `ops.nadam_update`.

    Args:
        beta_1, beta_2: how much of the two means is kept.
        epsilon: added to the root.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Nadam(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.8937, -1.8937], dtype=float32)
    """

    @cached_property
    def _product(self) -> Variable:
        """The product of the momenta of the steps done."""
        return Variable(np.float32(1), dtype="float32", trainable=False, name=f"{self.name}/u_product")

    def shared(self, rate: TensorLike) -> TensorLike:
        return ops.nadam_rates(rate, ops.add(self.steps_done(), 1), self._product, self.beta_1, self.beta_2)

    def common(self, shared: TensorLike) -> list[tuple[Variable, TensorLike]]:
        return [(self._product, shared[3])]

    def slot_groups(self) -> list[list[str]]:
        return [["momentum", "velocity"]]

    def last_variables(self) -> list[Variable]:
        return [self._product, *super().last_variables()]

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        mean, square = self.slot(weight, "momentum"), self.slot(weight, "velocity")
        new, mean, square = ops.nadam_update(
            start, mean, square, gradient, rate, self.beta_1, self.beta_2, self.epsilon
        )
        return new, {"momentum": mean, "velocity": square}


class Lamb(TwoMeans):
    """Adam whose step is as long as the weight, for each layer: see `ops.lamb_update`.

    Args:
        beta_1, beta_2: how much of the two means is kept.
        epsilon: added to the root.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Lamb(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.8419, -1.8419], dtype=float32)
    """

    def slot_groups(self) -> list[list[str]]:
        return [["momentum", "velocity"]]

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        mean, square = self.slot(weight, "momentum"), self.slot(weight, "velocity")
        number = ops.add(self.steps_done(), 1)
        new, mean, square = ops.lamb_update(
            start, mean, square, gradient, rate, number, self.beta_1, self.beta_2, self.epsilon
        )
        return new, {"momentum": mean, "velocity": square}


class ScheduleFreeAdamW(Optimizer):
    """Adam that needs no schedule: gradients are taken between the iterate and its average. See `ops.schedule_free_adamw_update`.

    Args:
        beta_1: where between them, from 0 (the iterate) to 1 (the average).
        beta_2: how much of the mean square is kept.
        epsilon: added to the root.
        warmup_steps: over so many steps the learning rate rises from 0.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> ScheduleFreeAdamW(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.9, -1.9], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
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
        self._check_rates(beta_2=beta_2)
        self._check_not_negative(epsilon=epsilon, warmup_steps=warmup_steps)
        if not 0 < beta_1 <= 1:
            raise ArgumentError(f"{self.name}: beta_1 lies in 0..1, above 0; got {beta_1!r}.")
        self.beta_1, self.beta_2, self.epsilon, self.warmup_steps = beta_1, beta_2, epsilon, warmup_steps

    def slot_groups(self) -> list[list[str]]:
        return [["momentum", "velocity"]]

    def initial_slot(self, weight: Variable, name: str) -> Array:
        return weight.numpy() if name == "momentum" else np.zeros(weight.shape, weight.array.dtype)

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        iterate, square = self.slot(weight, "momentum"), self.slot(weight, "velocity")
        number = ops.add(self.steps_done(), 1)
        settings = (self.beta_1, self.beta_2, self.epsilon, self.warmup_steps)
        new, iterate, square = ops.schedule_free_adamw_update(start, iterate, square, gradient, rate, number, *settings)
        return new, {"momentum": iterate, "velocity": square}

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **own, "warmup_steps": self.warmup_steps}
