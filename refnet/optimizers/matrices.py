"""Optimizers that look at a weight as a matrix: Adafactor and Muon."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.graph import Variable
from refnet.optimizers.base import Optimizer


class Adafactor(Optimizer):
    """Adam that keeps, of a matrix of squares, the means of rows and columns alone: see `ops.adafactor_update`.

    Args:
        beta_2_decay: below 0: how the share of the running mean that is kept grows with the number of steps.
        epsilon_1: added to squared gradients.
        epsilon_2: the least length of a weight, by which its step is multiplied.
        clip_threshold: the largest root mean square of a step, before that.
        relative_step: whether the learning rate is at most 1 / sqrt(step); without a schedule only.
        others: see Optimizer.

    >>> from refnet import Variable
    >>> weight = Variable([1.0, -2.0])
    >>> Adafactor(0.1).apply([[0.5, -0.5]], [weight])
    >>> weight.numpy().round(4)
    array([ 0.8419, -1.8419], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
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
        self._check_not_negative(epsilon_1=epsilon_1, epsilon_2=epsilon_2, clip_threshold=clip_threshold)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def slot_groups(self) -> list[list[str]]:
        return [["rows", "columns", "velocity"]]

    def initial_slot(self, weight: Variable, name: str) -> Array:
        shape = weight.shape
        if name != "velocity" and len(shape) < 2:
            shape = ()  # not used, but Keras's files have it
        elif name == "rows":
            shape = shape[:-1]
        elif name == "columns":
            shape = (*shape[:-2], shape[-1])
        return np.zeros(shape, weight.array.dtype)

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        (names,) = self.slot_groups()
        slots = [self.slot(weight, name) for name in names]
        settings = (self.beta_2_decay, self.epsilon_1, self.epsilon_2, self.clip_threshold)
        number = ops.add(self.steps_done(), 1)
        new, *values = ops.adafactor_update(start, slots[0], slots[1], slots[2], gradient, rate, number, *settings)
        return new, dict(zip(names, values, strict=True))

    def get_config(self) -> dict[str, Any]:
        own = {
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }
        return {**super().get_config(), **own}


class Muon(Optimizer):
    """Momentum made orthogonal, for matrices: see `ops.muon_update`. Other weights, and embeddings, take Adam's steps.

    Args:
        adam_beta_1, adam_beta_2, epsilon, adam_weight_decay: of Adam's steps.
        weight_decay: of Muon's steps.
        exclude_layers: regular expressions: weights in whose paths ("encoder/hidden/kernel") one is found take Adam's steps.
        exclude_embeddings: whether embeddings do.
        muon_a, muon_b, muon_c: the polynomial of the iteration.
        adam_lr_ratio: Adam's learning rate, as a multiple of Muon's.
        momentum: how much of the last step is kept.  nesterov: whether the gradient's step is taken after the momentum's.
        ns_steps: how often the polynomial is applied.
        rms_rate: the step's root mean square at a learning rate of 1; None for no adjustment.
        others: see Optimizer.
    Source: Jordan et al. 2024; Liu et al. 2025 (rms_rate); Keras 3 `optimizers.Muon`.

    >>> from refnet import Variable
    >>> weight = Variable([[1.0, 0.0], [0.0, 1.0]])
    >>> Muon(0.1, weight_decay=None).apply([[[0.5, 0.0], [0.0, 0.5]]], [weight])
    >>> weight.numpy().round(2)
    array([[0.97, 0.  ],
           [0.  , 0.97]], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
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
        self._check_rates(adam_beta_1=adam_beta_1, adam_beta_2=adam_beta_2, momentum=momentum)
        self._check_not_negative(epsilon=epsilon, ns_steps=ns_steps)
        self.own: dict[str, Any] = {
            "adam_beta_1": adam_beta_1,
            "adam_beta_2": adam_beta_2,
            "epsilon": epsilon,
            "exclude_layers": list(exclude_layers or []),
            "muon_a": muon_a,
            "muon_b": muon_b,
            "muon_c": muon_c,
            "adam_lr_ratio": adam_lr_ratio,
            "momentum": momentum,
            "ns_steps": ns_steps,
            "nesterov": nesterov,
            "exclude_embeddings": exclude_embeddings,
            "adam_weight_decay": adam_weight_decay,
            "rms_rate": rms_rate,
        }

    def takes_adam(self, weight: Variable) -> bool:
        """Whether a weight takes Adam's steps."""
        if len(weight.shape) != 2 or (self.own["exclude_embeddings"] and "embedding" in weight.path.lower()):
            return True
        return any(re.search(pattern, weight.path) for pattern in self.own["exclude_layers"])

    def decay_of(self, weight: Variable) -> float | None:
        decay: float | None = self.own["adam_weight_decay"] if self.takes_adam(weight) else self.weight_decay
        return decay

    def slot_groups(self) -> list[list[str]]:
        return [["momentum", "velocity"]]

    def initial_slot(self, weight: Variable, name: str) -> Array | None:
        if name == "velocity" and not self.takes_adam(weight):
            return None
        return np.zeros(weight.shape, weight.array.dtype)

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        own, momentum = self.own, self.slot(weight, "momentum")
        if not self.takes_adam(weight):
            polynomial = (own["muon_a"], own["muon_b"], own["muon_c"])
            settings = (own["momentum"], own["nesterov"], own["ns_steps"], own["rms_rate"], polynomial)
            new, momentum = ops.muon_update(start, momentum, gradient, rate, *settings)
            return new, {"momentum": momentum}
        betas = (own["adam_beta_1"], own["adam_beta_2"])
        alpha = ops.adam_rate(ops.multiply(rate, own["adam_lr_ratio"]), ops.add(self.steps_done(), 1), *betas)
        velocity = self.slot(weight, "velocity")
        new, momentum, velocity = ops.adam_update(start, momentum, velocity, gradient, alpha, *betas, own["epsilon"])
        return new, {"momentum": momentum, "velocity": velocity}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.own}
