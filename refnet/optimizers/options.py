"""The options that all optimizers share: what they may be, and gradients kept within a norm."""

import inspect
from typing import Any

import numpy as np

from refnet import ops
from refnet.errors import ArgumentError, did_you_mean


def unknown_argument(kind: type, word: str, base: type) -> ArgumentError:
    """The error of an argument that neither an optimizer nor `base` has, with the nearest that they have."""
    known = [*inspect.signature(kind).parameters, *inspect.signature(base).parameters]
    known = [name for name in dict.fromkeys(known) if name not in ("more", "options")]
    return ArgumentError(f"{kind.__name__} has no argument {word!r}.{did_you_mean(word, known)}")


def checked_clips(name: str, clipnorm: Any, clipvalue: Any, global_clipnorm: Any) -> None:
    """Raises ArgumentError unless at most one limit is given, above 0."""
    limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
    if sum(value is not None for value in limits.values()) > 1:
        raise ArgumentError(f"{name}: give at most one of clipnorm, clipvalue and global_clipnorm.")
    for word, value in limits.items():
        if value is not None and not value > 0:
            raise ArgumentError(f"{name}: {word} must be above 0; got {value!r}.")


def checked_ema(name: str, use_ema: bool, momentum: Any, frequency: Any) -> None:
    """Raises ArgumentError unless the moving averages' momentum and frequency make sense."""
    if not use_ema:
        return
    if not isinstance(momentum, (int, float, np.number)) or not 0 <= momentum <= 1:
        raise ArgumentError(f"{name}: ema_momentum lies in 0..1; got {momentum!r}.")
    if frequency is not None and (isinstance(frequency, bool) or not isinstance(frequency, int) or frequency < 1):
        raise ArgumentError(f"{name}: ema_overwrite_frequency is a number of steps, or None; got {frequency!r}.")


def accumulation_steps(name: str, steps: Any) -> int | None:
    """How many batches make a step; None for one. Raises ArgumentError for less than 2."""
    if steps is None:
        return None
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 2:
        raise ArgumentError(f"{name}: gradient_accumulation_steps is at least 2, or None; got {steps!r}.")
    return int(steps)


def scaled_to(gradients: list[Any], limit: float) -> list[Any]:
    """Gradients multiplied by limit / max(norm, limit), the norm of all of them together."""
    total = ops.sum(ops.square(gradients[0]))
    for gradient in gradients[1:]:
        total = ops.add(total, ops.sum(ops.square(gradient)))
    factor = ops.divide(limit, ops.maximum(ops.sqrt(total), limit))
    return [ops.multiply(gradient, factor) for gradient in gradients]
