"""Optimizers: how gradients change weights. The rules themselves are the update ops of `refnet.ops`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Assignment, Tensor, Variable, assignment, trace
from refnet.naming import resolved


class Optimizer:
    """Base of optimizers: a subclass names its slots and writes one weight's update.

    Args:
        learning_rate: a number, or a function of the number of steps done, written with ops.
        weight_decay: each step first takes learning_rate * weight_decay * weight from the weight; None for none.
        clipnorm: gradients whose norm is larger are scaled down to it, each weight by itself.
        clipvalue: gradients are cut off at -clipvalue and clipvalue.
        global_clipnorm: all gradients are scaled down together to this norm.
        name: of the optimizer.
        lr, decay: of the first edition: learning_rate, and how the rate shrinks, to rate / (1 + decay * steps done).
    Attributes:
        iterations: a variable: how many steps were done.
        learning_rate: a variable, unless it is a function. Setting it takes effect at the next step.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        *,
        lr: Any = None,
        decay: float = 0.0,
    ):
        self.name = name or type(self).__name__.lower()
        learning_rate = learning_rate if lr is None else lr
        if isinstance(decay, (bool, str)) or not hasattr(decay, "__float__") or not float(decay) >= 0:
            raise ArgumentError(f"{self.name}: decay must be a number of at least 0; got {decay!r}.")
        self.decay = float(decay)
        if sum(value is not None for value in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ArgumentError(f"{self.name}: give at most one of clipnorm, clipvalue and global_clipnorm.")
        for word, value in (("clipnorm", clipnorm), ("clipvalue", clipvalue), ("global_clipnorm", global_clipnorm)):
            if value is not None and not value > 0:
                raise ArgumentError(f"{self.name}: {word} must be above 0; got {value!r}.")
        self.weight_decay, self.clipnorm, self.clipvalue = weight_decay, clipnorm, clipvalue
        self.global_clipnorm = global_clipnorm
        self.iterations = Variable(0, "int64", trainable=False, name=f"{self.name}/iterations")
        self.schedule: Callable[..., Any] | None = learning_rate if callable(learning_rate) else None
        start = 0.0 if self.schedule else self._checked_rate(learning_rate)
        self._rate = Variable(np.float32(start), "float32", trainable=False, name=f"{self.name}/learning_rate")
        self._slots: dict[Variable, dict[str, Variable]] = {}
        self._appliers: dict[tuple[Variable, ...], Callable[..., Any]] = {}

    def _checked_rate(self, value: Any) -> float:
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__") or not float(value) >= 0:
            raise ArgumentError(
                f"{self.name}: learning_rate must be a number of at least 0, or a schedule; got {value!r}."
            )
        return float(value)

    def _check_rates(self, **rates: Any) -> None:
        """What a running mean keeps: a share below 1."""
        for word, value in rates.items():
            if not isinstance(value, (int, float, np.number)) or not 0 <= value < 1:
                raise ArgumentError(f"{self.name}: {word} must be a number, at least 0 and below 1; got {value!r}.")

    def _check_epsilon(self, epsilon: Any) -> None:
        if not isinstance(epsilon, (int, float, np.number)) or not epsilon >= 0:
            raise ArgumentError(f"{self.name}: epsilon must be a number of at least 0; got {epsilon!r}.")

    @property
    def learning_rate(self) -> Any:
        return self.schedule or self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self.schedule is not None or callable(value):
            raise ArgumentError(
                f"{self.name}: a schedule cannot be set or replaced; make a new optimizer and compile again."
            )
        self._rate.set(np.float32(self._checked_rate(value)))

    @property
    def lr(self) -> Any:
        """The first edition's name of learning_rate."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def variables(self) -> list[Variable]:
        """iterations, the learning rate and every slot."""
        own = [self.iterations] if self.schedule else [self.iterations, self._rate]
        return own + [slot for slots in self._slots.values() for slot in slots.values()]

    def slot_groups(self) -> list[list[str]]:
        """The slots' names; files have one group after the other, each for all weights. A subclass names its own."""
        return [[name] for name in next(iter(self._slots.values()), {})]

    def saved_variables(self, weights: Sequence[Variable]) -> list[Variable]:
        """What a file keeps, in Keras's order: iterations, the learning rate, and these weights' slots."""
        own = [self.iterations] if self.schedule else [self.iterations, self._rate]
        return own + [self.slot(w, name) for group in self.slot_groups() for w in weights for name in group]

    def slot(self, weight: Variable, name: str) -> Variable:
        """The variable of that name kept beside a weight; zeros at first."""
        slots = self._slots.setdefault(weight, {})
        if name not in slots:
            zeros = np.zeros(weight.shape, weight.array.dtype)
            slots[name] = Variable(zeros, weight.dtype, trainable=False, name=f"{self.name}/{weight.name}/{name}")
        return slots[name]

    def updates(self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]) -> list[Assignment]:
        """The assignments of one step, for a program. Weights without a gradient stay as they are."""
        pairs = [(w, dw) for w, dw in zip(weights, gradients) if dw is not None]
        slopes = self.clipped([dw for _, dw in pairs])
        rate = self.schedule(self.iterations) if self.schedule is not None else self._rate
        if self.decay:
            rate = ops.divide(rate, ops.add(ops.multiply(ops.cast(self.iterations, "float32"), self.decay), 1.0))
        records: list[Assignment] = []
        shared = self.shared(rate)
        for (weight, _), slope in zip(pairs, slopes):
            start: TensorLike = weight
            if self.weight_decay:
                start = ops.subtract(weight, ops.multiply(ops.multiply(weight, self.weight_decay), rate))
            new, slots = self.step(weight, start, slope, shared)
            records.append(assignment(weight, new if weight.constraint is None else weight.constraint(new)))
            records += [assignment(self.slot(weight, name), value) for name, value in slots.items()]
        records.append(assignment(self.iterations, ops.add(self.iterations, 1)))
        return records

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable]) -> None:
        """One step: inside a training step or a function of `jit` it becomes part of it, with arrays it is made at once.

        Args:
            grads: a gradient for each variable; None leaves the variable as it is.
            trainable_variables: the variables to change.
        Raises:
            ArgumentError: another number of gradients than variables.
        Source: Keras 3 `optimizers.Optimizer.apply`.
        """
        slopes, variables = list(grads), list(trainable_variables)
        if len(slopes) != len(variables):
            raise ArgumentError(f"{self.name}.apply: got {len(slopes)} gradients for {len(variables)} variables.")
        if trace.call is not None or trace.collecting:
            self.updates(variables, slopes)
            return
        from refnet.functions import jit

        key = tuple(variables)
        if key not in self._appliers:
            self._appliers[key] = jit(lambda given: [None for _ in self.updates(variables, given)])
        self._appliers[key](slopes)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """`apply` of pairs (gradient, variable)."""
        pairs = list(grads_and_vars)
        self.apply([slope for slope, _ in pairs], [variable for _, variable in pairs])

    def shared(self, rate: TensorLike) -> TensorLike:
        """What every weight's update needs of the learning rate."""
        return rate

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        """One weight's update: its new value, and its slots' new values by name.

        Args:
            weight: whose slots are read.
            start: the value the update starts from.
            slope: the gradient.
            rate: what `shared` gave.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `step`")

    def clipped(self, slopes: list[Any]) -> list[Any]:
        if self.clipvalue is not None:
            return [ops.clip(dw, -self.clipvalue, self.clipvalue) for dw in slopes]
        if self.clipnorm is not None:
            return [_scaled_to([dw], self.clipnorm)[0] for dw in slopes]
        if self.global_clipnorm is not None and slopes:
            return _scaled_to(slopes, self.global_clipnorm)
        return slopes

    def get_config(self) -> dict[str, Any]:
        rate = self.schedule or float(self._rate)
        clips = {"clipnorm": self.clipnorm, "clipvalue": self.clipvalue, "global_clipnorm": self.global_clipnorm}
        old = {"decay": self.decay} if self.decay else {}
        return {"name": self.name, "learning_rate": rate, "weight_decay": self.weight_decay, **clips, **old}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Optimizer":
        return cls(**config)


def _scaled_to(slopes: list[Any], limit: float) -> list[Any]:
    """Gradients multiplied by limit / max(norm, limit), the norm of all of them together."""
    total = ops.sum(ops.square(slopes[0]))
    for slope in slopes[1:]:
        total = ops.add(total, ops.sum(ops.square(slope)))
    factor = ops.divide(limit, ops.maximum(ops.sqrt(total), limit))
    return [ops.multiply(slope, factor) for slope in slopes]


class SGD(Optimizer):
    """Gradient descent, with momentum if asked: see `ops.sgd_update` and `ops.sgd_momentum_update`.

    Args:
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr, decay: see Optimizer.
        momentum: how much of the last step is kept.
        nesterov: whether the gradient's step is taken after the momentum's.
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
        name: str = "SGD",
        **old: Any,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **old)
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
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr, decay: see Optimizer.
        rho: how much of the running mean is kept.
        momentum: how much of the last step is kept.
        epsilon: added under the root.
        centered: whether the running mean of the gradient is taken off first.
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
        name: str = "rmsprop",
        **old: Any,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **old)
        self._check_rates(rho=rho, momentum=momentum)
        self._check_epsilon(epsilon)
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


class Adam(Optimizer):
    """Running means of the gradient and of its square: see `ops.adam_update`.

    Args:
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr, decay: see Optimizer.
        beta_1, beta_2: how much of the two means is kept.
        epsilon: added to the root.
        amsgrad: whether the largest mean square so far is used.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adam",
        **old: Any,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, **old)
        self._check_rates(beta_1=beta_1, beta_2=beta_2)
        self._check_epsilon(epsilon)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def shared(self, rate: TensorLike) -> TensorLike:
        return ops.adam_rate(rate, ops.add(self.iterations, 1), self.beta_1, self.beta_2)

    def slot_groups(self) -> list[list[str]]:
        return [["momentum", "velocity"]] + [["velocity_hat"]] * self.amsgrad

    def step(
        self, weight: Variable, start: TensorLike, slope: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        names = [name for group in self.slot_groups() for name in group]
        slots = [self.slot(weight, name) for name in names]
        largest = slots[2] if self.amsgrad else None
        new, *values = ops.adam_update(
            start, slots[0], slots[1], slope, rate, self.beta_1, self.beta_2, self.epsilon, largest
        )
        return new, dict(zip(names, values, strict=True))

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), **own}


known: dict[str, Any] = {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam, "SGD": SGD, "RMSprop": RMSprop, "Adam": Adam}


def get(identifier: Any) -> Optimizer:
    """An optimizer by name, config, class or as itself.

    Raises:
        ArgumentError: an unknown name, with the near ones; something that is no optimizer.
    """
    name = identifier.lower() if isinstance(identifier, str) and identifier.lower() in known else identifier
    optimizer = resolved("optimizer", name, known)
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"optimizer must be an optimizer or a name ({', '.join(sorted(known))}); got {identifier!r}."
        )
    return optimizer
