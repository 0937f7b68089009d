"""Adam and its relatives: running means of the gradient and of its square."""

from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.optimizers.base import Optimizer


class Adam(Optimizer):
    """Running means of the gradient and of its square: see `ops.adam_update`.

    Args:
        beta_1, beta_2: how much of the two means is kept.
        epsilon: added to the root.
        amsgrad: whether the largest mean square so far is used.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Adam(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.9, -1.9], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
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
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def shared(self, rate: TensorLike) -> TensorLike:
        return ops.adam_rate(rate, ops.add(self.steps_done(), 1), self.beta_1, self.beta_2)

    def slot_groups(self) -> list[list[str]]:
        return [["momentum", "velocity"]] + [["velocity_hat"]] * self.amsgrad

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        names = [name for group in self.slot_groups() for name in group]
        slots = [self.slot(weight, name) for name in names]
        largest = slots[2] if self.amsgrad else None
        new, *values = ops.adam_update(
            start, slots[0], slots[1], gradient, rate, self.beta_1, self.beta_2, self.epsilon, largest
        )
        return new, dict(zip(names, values, strict=True))

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), **own}


class AdamW(Adam):
    """Adam whose weights shrink by themselves, not through the gradient.

    Args:
        weight_decay: each step first takes learning_rate * weight_decay * weight from the weight.
        beta_1, beta_2, epsilon, amsgrad: see Adam.
        others: see Optimizer.
    Source: Loshchilov and Hutter 2019; Keras 3 `optimizers.AdamW`.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> AdamW(0.1, weight_decay=0.5).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.85, -1.8 ], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
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
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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
        if weight_decay is None:
            raise ArgumentError(f"{self.name}: weight_decay must be a number; without decay use Adam.")
