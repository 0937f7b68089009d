"""What an optimizer is: variables beside each weight, and one weight's update, written with the update ops of `refnet.ops`."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from refnet import ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Assignment, Tensor, Variable, assignment, trace
from refnet.naming import snake_case
from refnet.ops.arguments import as_dtype
from refnet.optimizers.options import accumulation_steps, checked_clips, checked_ema, scaled_to, unknown_argument
from refnet.optimizers.own_update import OwnUpdate
from refnet.optimizers.schedules import takes_step
from refnet.optimizers.slots import EMA, SUM, WithSlots


class Optimizer(WithSlots, OwnUpdate):
    """Base of optimizers: a subclass names its slots and writes one weight's update, as `step`, or as Keras 3's `update_step`.

    Args:
        learning_rate: a number, a schedule, or a function of the number of steps done, written with ops.
        weight_decay: each step first takes learning_rate * weight_decay * weight from the weight; None for none.
        clipnorm: gradients whose norm is larger are scaled down to it, each weight by itself.
        clipvalue: gradients are cut off at -clipvalue and clipvalue.
        global_clipnorm: all gradients are scaled down together to this norm.
        use_ema: whether a moving average of each weight is kept; at the end of `fit` the weights become their averages.
        ema_momentum: how much of the average is kept.
        ema_overwrite_frequency: after every so many steps the weights become their averages; None for never.
        loss_scale_factor: the loss is multiplied by it, and the gradients divided, so that small ones survive in float16.
        gradient_accumulation_steps: so many batches' gradients are averaged for one step; None for one.
        name: of the optimizer.
        lr, decay: of the first edition: learning_rate, and how the rate shrinks, to rate / (1 + decay * steps done).
    Attributes:
        iterations: how many steps were done.
        learning_rate: a variable, or what the schedule gives now. Setting it takes effect at the next step.
    Raises:
        ArgumentError: a rate, factor or option outside its range.
    Source: Keras 3 `optimizers.Optimizer`.

    >>> from refnet import Variable, ops
    >>> class Halving(Optimizer):
    ...     def step(self, weight, start, gradient, rate):
    ...         return ops.multiply(start, 0.5), {}
    >>> weight = Variable([1.0])
    >>> Halving().apply([[0.0]], [weight])
    >>> weight.numpy()
    array([0.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
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
        *,
        lr: Any = None,
        decay: float | None = 0.0,
        **more: Any,
    ):
        if more:
            raise unknown_argument(type(self), next(iter(more)), Optimizer)
        self.name = name or snake_case(type(self).__name__)
        learning_rate = learning_rate if lr is None else lr
        decay = 0.0 if decay is None else decay
        if isinstance(decay, (bool, str)) or not hasattr(decay, "__float__") or not float(decay) >= 0:
            raise ArgumentError(f"{self.name}: decay must be a number of at least 0; got {decay!r}.")
        self.decay = float(decay)
        checked_clips(self.name, clipnorm, clipvalue, global_clipnorm)
        self.weight_decay, self.clipnorm, self.clipvalue = weight_decay, clipnorm, clipvalue
        self.global_clipnorm, self.loss_scale_factor = global_clipnorm, loss_scale_factor
        checked_ema(self.name, use_ema, ema_momentum, ema_overwrite_frequency)
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.gradient_accumulation_steps = accumulation_steps(self.name, gradient_accumulation_steps)
        self._iterations = Variable(0, dtype="int64", trainable=False, name=f"{self.name}/iterations")
        self.schedule: Callable[..., Any] | None = learning_rate if callable(learning_rate) else None
        start = 0.0 if self.schedule else self._checked_rate(learning_rate)
        self._rate = Variable(np.float32(start), dtype="float32", trainable=False, name=f"{self.name}/learning_rate")
        self._slots: dict[Variable, dict[str, Variable]] = {}
        self._weights: list[Variable] = []
        self._added: list[Variable] = []
        self._without_decay: tuple[set[Variable], list[str]] = (set(), [])
        self._programs: dict[Any, Any] = {}
        self.averages_swapped = False  # whether the weights hold their averages, and the slots the weights

    # ---- checks

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

    def _check_not_negative(self, **numbers: Any) -> None:
        for word, value in numbers.items():
            if not isinstance(value, (int, float, np.number)) or not value >= 0:
                raise ArgumentError(f"{self.name}: {word} must be a number of at least 0; got {value!r}.")

    def _checked_epsilon(self, value: float | None) -> float:
        """None, as Keras 2 wrote it, is `config.epsilon()`."""
        value = settings.epsilon() if value is None else value
        self._check_not_negative(epsilon=value)
        return value

    # ---- counters and rates

    @property
    def iterations(self) -> Any:
        """How many steps were done: a variable, or a number where gradients of several batches make one step."""
        if self.gradient_accumulation_steps is None:
            return self._iterations
        return self._iterations.numpy() // self.gradient_accumulation_steps

    def steps_done(self) -> TensorLike:
        """The number of steps done, for a program."""
        if self.gradient_accumulation_steps is None:
            return self._iterations
        return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)

    @property
    def learning_rate(self) -> Any:
        if self.schedule is None:
            return self._rate
        from refnet.evaluating import evaluated

        return self.rate() if trace.active else np.asarray(evaluated(self.rate()))

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

    def rate(self) -> TensorLike:
        """The learning rate of the next step, for a program."""
        rate: TensorLike = self._rate
        if self.schedule is not None:
            rate = self.schedule(self._iterations) if takes_step(self.schedule) else self.schedule()
        if self.decay:
            rate = ops.divide(rate, ops.add(ops.multiply(ops.cast(self._iterations, "float32"), self.decay), 1.0))
        return rate

    # ---- a step

    def shared(self, rate: TensorLike) -> TensorLike:
        """What every weight's update needs of the learning rate."""
        return rate

    def step(
        self, weight: Variable, start: TensorLike, gradient: TensorLike, rate: TensorLike
    ) -> tuple[TensorLike, dict[str, TensorLike]]:
        """One weight's update: its new value, and its slots' new values by name.

        Args:
            weight: whose slots are read.
            start: the value the update starts from.
            gradient: of the loss, with respect to the weight.
            rate: what `shared` gave.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither `step` nor `update_step`")

    def common(self, shared: TensorLike) -> list[tuple[Variable, TensorLike]]:
        """Variables that belong to no weight, with their new values."""
        return []

    def updates(self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]) -> list[Assignment]:
        """The assignments of one step, for a program. Weights without a gradient stay as they are."""
        if self._assigns():
            return self._recorded(weights, gradients)
        return [assignment(variable, value) for variable, value in self.new_values(weights, gradients)]

    def new_values(
        self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]
    ) -> list[tuple[Variable, TensorLike]]:
        """Every variable that one step changes, with its new value."""
        self.build(weights)
        values = self._stepped([(w, dw) for w, dw in zip(weights, gradients) if dw is not None])
        if self.use_ema:
            values = list({**dict(values), **dict(self._averages(weights, dict(values)))}.items())
        constrained = [(v, new if v.constraint is None else v.constraint(new)) for v, new in values]
        return [*constrained, (self._iterations, ops.add(self._iterations, 1))]

    def _stepped(self, pairs: list[tuple[Variable, Tensor]]) -> list[tuple[Variable, TensorLike]]:
        """The weights and slots with their new values."""
        gradients: list[Any] = [dw for _, dw in pairs]
        if self.loss_scale_factor is not None:
            gradients = [ops.divide(gradient, self.loss_scale_factor) for gradient in gradients]
        steps, sums = self.gradient_accumulation_steps, list[TensorLike]()
        if steps is not None:
            sums = [ops.add(self.slot(w, SUM), gradient) for (w, _), gradient in zip(pairs, gradients)]
            gradients = [ops.divide(total, steps) for total in sums]
        rate = self.rate()
        shared, values = self.shared(rate), list[tuple[Variable, TensorLike]]()
        for (weight, _), gradient in zip(pairs, self.clipped(gradients)):
            new, slots = self.step(weight, self.decayed(weight, rate), gradient, shared)
            values.append((weight, new))
            values += [(self.slot(weight, name), value) for name, value in slots.items()]
        values += self.common(shared)
        if steps is None:
            return values
        due = ops.equal(ops.mod(ops.add(self._iterations, 1), steps), 0)
        values = [(variable, ops.where(due, value, variable)) for variable, value in values]
        return values + [(self.slot(w, SUM), ops.where(due, 0.0, total)) for (w, _), total in zip(pairs, sums)]

    def _averages(
        self, weights: Sequence[Variable], values: dict[Variable, TensorLike]
    ) -> list[tuple[Variable, TensorLike]]:
        """The moving averages' new values, and the weights' where they become their averages."""
        done, result = self.steps_done(), list[tuple[Variable, TensorLike]]()
        kept = ops.where(ops.equal(done, 0), 0.0, self.ema_momentum)
        for weight in weights:
            new, before = values.get(weight, weight), self.slot(weight, EMA)
            share = as_dtype(kept, weight.dtype)
            average = ops.add(ops.multiply(before, share), ops.multiply(new, ops.subtract(1.0, share)))
            result.append((before, average))
            if self.ema_overwrite_frequency:
                due = ops.equal(ops.mod(ops.add(done, 1), self.ema_overwrite_frequency), 0)
                result.append((weight, ops.where(due, average, new)))
        return result

    def decay_of(self, weight: Variable) -> float | None:
        """How much of a weight goes at a learning rate of 1."""
        return self.weight_decay

    def decayed(self, weight: Variable, rate: TensorLike) -> TensorLike:
        """The value that a weight's update starts from."""
        decay = self.decay_of(weight)
        held, patterns = self._without_decay
        names = weight.path, weight.path.rpartition("/")[2]
        if not decay or weight in held or any(re.search(pattern, name) for pattern in patterns for name in names):
            return weight
        return ops.subtract(weight, ops.multiply(ops.multiply(weight, decay), as_dtype(rate, weight.dtype)))

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Weights that weight_decay leaves alone. To be called before training.

        Args:
            var_list: variables.
            var_names: regular expressions that are searched in the variables' paths ("encoder/hidden/kernel"), and in their last
                parts alone, which are Keras 3's names ("^kernel$").
        """
        if self.built:
            raise ArgumentError(f"{self.name}: exclude_from_weight_decay must be called before the first step.")
        self._without_decay = set(var_list or ()), list(var_names or ())

    def clipped(self, gradients: list[Any]) -> list[Any]:
        """The gradients, kept within the limits."""
        if self.clipvalue is not None:
            return [ops.clip(dw, -self.clipvalue, self.clipvalue) for dw in gradients]
        if self.clipnorm is not None:
            return [scaled_to([dw], self.clipnorm)[0] for dw in gradients]
        if self.global_clipnorm is not None and gradients:
            return scaled_to(gradients, self.global_clipnorm)
        return gradients

    def scale_loss(self, loss: TensorLike) -> TensorLike:
        """The loss whose gradients `updates` expects."""
        return loss if self.loss_scale_factor is None else ops.multiply(loss, self.loss_scale_factor)

    # ---- at the end

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """At the end of training: with use_ema these weights become their averages."""
        weights = [w for w in var_list if EMA in self._slots.get(w, {})]
        if self.averages_swapped:
            self.swap_averages(weights)
        for weight in weights:
            weight.set(self.slot(weight, EMA).numpy())

    def swap_averages(self, weights: Iterable[Variable]) -> None:
        """Exchanges weights and their averages."""
        for weight in weights:
            if EMA in self._slots.get(weight, {}):
                value, average = weight.numpy(), self.slot(weight, EMA)
                weight.set(average.numpy())
                average.set(value)
        self.averages_swapped = not self.averages_swapped

    # ---- configs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        old = {"decay": self.decay} if self.decay else {}
        return {
            "name": self.name,
            "learning_rate": self.schedule or float(self._rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            **old,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Optimizer":
        """A new optimizer from what get_config gave; a schedule may be a config, custom_objects has classes of yours by name."""
        from refnet import registration
        from refnet.saving.serialization import restored

        with registration.custom_object_scope(custom_objects):
            return cls(**restored(config))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
