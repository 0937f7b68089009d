"""Learning rates that change with the number of steps done. Computed within the step's program, from the optimizer's counter.

Source: Keras 3 `optimizers.schedules`.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.ops.arguments import as_dtype, converted


class LearningRateSchedule:
    """Base of schedules: a subclass writes `__call__(step)` with ops, and `get_config` if it is to be saved.

    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return ops.power(0.5, ops.cast(step, "float32"))
    >>> Halving()(3)
    array(0.125, dtype=float32)
    """

    def __call__(self, step: TensorLike) -> TensorLike:
        """The rate after so many steps."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(step)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        raise NotImplementedError(f"{type(self).__name__} has no get_config, which saving needs")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LearningRateSchedule":
        """A new schedule from what get_config gave."""
        return cls(**config)


def takes_step(schedule: Callable[..., Any]) -> bool:
    """Whether a function of a learning rate is called with the number of steps; else it is called with nothing."""
    try:
        inspect.signature(schedule).bind(0)
    except TypeError:
        return False
    return True


def _number(step: TensorLike) -> TensorLike:
    return as_dtype(converted("schedule", step, "step"), "float32")


def _checked_steps(schedule: LearningRateSchedule, word: str, value: Any) -> None:
    if not value > 0:
        raise ArgumentError(f"{type(schedule).__name__}: {word} must be above 0; got {value!r}.")


class _Decay(LearningRateSchedule):
    """Base of the two that share their arguments."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = None,
    ):
        _checked_steps(self, "decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name or type(self).__name__

    def progress(self, step: TensorLike) -> TensorLike:
        """step / decay_steps, in whole numbers for a staircase."""
        p = ops.divide(_number(step), float(self.decay_steps))
        return ops.floor(p) if self.staircase else p

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class ExponentialDecay(_Decay):
    """initial_learning_rate * decay_rate^(step / decay_steps).

    Args:
        initial_learning_rate: the rate at the start.
        decay_steps: after so many steps it is multiplied by decay_rate.
        decay_rate: the factor.
        staircase: whether the exponent is a whole number.
        name: of the schedule.

    >>> ExponentialDecay(1.0, decay_steps=10, decay_rate=0.25)(5)
    array(0.5, dtype=float32)
    """

    def __call__(self, step: TensorLike) -> TensorLike:
        return ops.multiply(ops.power(float(self.decay_rate), self.progress(step)), self.initial_learning_rate)


class InverseTimeDecay(_Decay):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Args:
        initial_learning_rate: the rate at the start.
        decay_steps, decay_rate: how fast it falls.
        staircase: whether step / decay_steps is a whole number.
        name: of the schedule.

    >>> InverseTimeDecay(1.0, decay_steps=10, decay_rate=2.0)(5)
    array(0.5, dtype=float32)
    """

    def __call__(self, step: TensorLike) -> TensorLike:
        fall = ops.add(ops.multiply(self.progress(step), float(self.decay_rate)), 1.0)
        return ops.divide(float(self.initial_learning_rate), fall)


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and with step boundaries[0], then values[1] up to boundaries[1], and so on.

    Args:
        boundaries: rising numbers of steps.
        values: one more than boundaries.
        name: of the schedule.

    >>> schedule = PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])
    >>> [float(schedule(step)) for step in (10, 11, 21)]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise ArgumentError(
                f"PiecewiseConstantDecay needs one value more than boundaries; got {len(boundaries)} boundaries and "
                f"{len(values)} values."
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: TensorLike) -> TensorLike:
        step, rate = converted("schedule", step, "step"), converted("schedule", float(self.values[-1]))
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1])):
            rate = ops.where(ops.less_equal(step, boundary), float(value), rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """From initial_learning_rate to end_learning_rate in decay_steps, along a power: a straight line for power 1.

        (initial - end) * (1 - step / decay_steps)^power + end

    Args:
        initial_learning_rate, end_learning_rate: the rate at the start and at the end.
        decay_steps: how long it takes.
        power: of the curve.
        cycle: whether it rises again after the end, each time on a longer way (else it stays at the end).
        name: of the schedule.

    >>> PolynomialDecay(1.0, decay_steps=10, end_learning_rate=0.0)(5)
    array(0.5, dtype=float32)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        _checked_steps(self, "decay_steps", decay_steps)
        self.initial_learning_rate, self.end_learning_rate = initial_learning_rate, end_learning_rate
        self.decay_steps, self.power, self.cycle, self.name = decay_steps, power, cycle, name

    def __call__(self, step: TensorLike) -> TensorLike:
        step, steps = _number(step), converted("schedule", float(self.decay_steps))
        if self.cycle:
            turns = ops.ceil(ops.divide(step, steps))
            steps = ops.multiply(ops.where(ops.equal(step, 0), 1.0, turns), steps)
        else:
            step = ops.minimum(step, steps)
        rest = ops.power(ops.subtract(1.0, ops.divide(step, steps)), float(self.power))
        return ops.add(ops.multiply(rest, self.initial_learning_rate - self.end_learning_rate), self.end_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class CosineDecay(LearningRateSchedule):
    """Half a wave of the cosine, from initial_learning_rate to alpha times it; before that, if wanted, a straight line up.

    Args:
        initial_learning_rate: the rate at the start.
        decay_steps: how long it falls.
        alpha: the share of the rate that is left at the end.
        name: of the schedule.
        warmup_target: where the line leads and the fall begins; None for no line.
        warmup_steps: how long it rises.
    Source: Loshchilov and Hutter 2016.

    >>> CosineDecay(1.0, decay_steps=10)(5)
    array(0.49999997, dtype=float32)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ):
        _checked_steps(self, "decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.alpha, self.name = (
            initial_learning_rate,
            decay_steps,
            alpha,
            name,
        )
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def _falling(self, step: TensorLike, top: float) -> TensorLike:
        wave = _half_wave(ops.divide(ops.minimum(step, float(self.decay_steps)), float(self.decay_steps)))
        return ops.multiply(ops.add(ops.multiply(wave, 1 - self.alpha), self.alpha), float(top))

    def __call__(self, step: TensorLike) -> TensorLike:
        step = _number(step)
        if self.warmup_target is None or not self.warmup_steps:
            top = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
            return self._falling(step, top)
        rise = self.warmup_target - self.initial_learning_rate
        rising = ops.add(ops.multiply(ops.divide(step, float(self.warmup_steps)), rise), self.initial_learning_rate)
        later = ops.maximum(ops.subtract(step, float(self.warmup_steps)), 0.0)
        return ops.where(ops.less(step, self.warmup_steps), rising, self._falling(later, self.warmup_target))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """CosineDecay that begins again, each time t_mul times longer and m_mul times lower.

    Args:
        initial_learning_rate: the rate at the start.
        first_decay_steps: how long the first fall is.
        t_mul, m_mul: how the length and the height change.
        alpha: the share of the rate that is left at the end of a fall.
        name: of the schedule.
    Source: Loshchilov and Hutter 2016.

    >>> schedule = CosineDecayRestarts(1.0, first_decay_steps=10, m_mul=0.5)
    >>> [float(schedule(step)) for step in (0, 10)]
    [1.0, 0.5]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        _checked_steps(self, "first_decay_steps", first_decay_steps)
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def __call__(self, step: TensorLike) -> TensorLike:
        done = ops.divide(_number(step), float(self.first_decay_steps))
        if self.t_mul == 1.0:
            restarts = ops.floor(done)
            done = ops.subtract(done, restarts)
        else:
            grown = ops.log(ops.add(ops.multiply(done, self.t_mul - 1.0), 1.0))
            restarts = ops.floor(ops.divide(grown, converted("t_mul", float(math.log(self.t_mul)))))
            length = ops.power(float(self.t_mul), restarts)
            before = ops.divide(ops.subtract(1.0, length), 1.0 - self.t_mul)
            done = ops.divide(ops.subtract(done, before), length)
        wave = ops.multiply(_half_wave(done), ops.power(float(self.m_mul), restarts))
        return ops.multiply(ops.add(ops.multiply(wave, 1 - self.alpha), self.alpha), float(self.initial_learning_rate))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


def _half_wave(x: TensorLike) -> TensorLike:
    """From 1 at 0 to 0 at 1, along the cosine."""
    return ops.multiply(ops.add(ops.cos(ops.multiply(x, math.pi)), 1.0), 0.5)


known: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay),
        *(PolynomialDecay, CosineDecay, CosineDecayRestarts),
    )
}


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """A schedule as a config."""
    from refnet.saving.serialization import serialized

    return serialized(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A schedule from what `serialize` gave.

    Args:
        config: the config.
        custom_objects: {name: class} of the user's.

    >>> deserialize(serialize(ExponentialDecay(0.1, 10, 0.5))).decay_rate
    0.5
    """
    from refnet.registration import custom_object_scope
    from refnet.saving.serialization import restored

    with custom_object_scope(custom_objects):
        return restored(config)
