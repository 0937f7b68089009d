"""How many epochs, and steps of each, training may take at most: to run a program quickly without changing it."""

import os
import warnings
from typing import TypeVar

import numpy as np

from refnet.errors import ArgumentError, shown

EPOCHS, STEPS = "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"
Asked = TypeVar("Asked", int, int | None)
_set: dict[str, int | None] = {}


def max_epochs() -> int | None:
    """At most so many epochs are trained by `fit`: what `set_max_epochs` said, else $KERAS_MAX_EPOCHS, else None.

    >>> set_max_epochs(2)
    >>> max_epochs()
    2
    >>> set_max_epochs(None)
    """
    return _limit(EPOCHS)


def max_steps_per_epoch() -> int | None:
    """At most so many batches are taken by an epoch of `fit`, by `evaluate` and by `predict`.

    What `set_max_steps_per_epoch` said, else $KERAS_MAX_STEPS_PER_EPOCH, else None.

    >>> set_max_steps_per_epoch(10)
    >>> max_steps_per_epoch()
    10
    >>> set_max_steps_per_epoch(None)
    """
    return _limit(STEPS)


def set_max_epochs(max_epochs: int | None) -> None:
    """Limits the number of epochs of every `fit` from here on, which then warns.

    Args:
        max_epochs: at least 1; None for no limit.
    Raises:
        ArgumentError: another value. The limit is unchanged then.
    Source: Keras 3 `config.set_max_epochs`.

    >>> set_max_epochs(1)
    >>> epochs(10)
    1
    >>> set_max_epochs(None)
    """
    _set[EPOCHS] = _checked("set_max_epochs: max_epochs", max_epochs)


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limits the batches of an epoch of `fit`, of `evaluate` and of `predict` from here on, which then warn.

    Args:
        max_steps_per_epoch: at least 1; None for no limit.
    Raises:
        ArgumentError: another value. The limit is unchanged then.
    Source: Keras 3 `config.set_max_steps_per_epoch`.

    >>> set_max_steps_per_epoch(3)
    >>> steps(100), steps(2)
    (3, 2)
    >>> set_max_steps_per_epoch(None)
    """
    _set[STEPS] = _checked("set_max_steps_per_epoch: max_steps_per_epoch", max_steps_per_epoch)


def warn(method: str) -> None:
    """Says that a method will do less than it was asked to, where a limit is set."""
    limits = {"epochs": max_epochs() if method == "fit" else None, "steps in each": max_steps_per_epoch()}
    told = [f"{limit} {word}" for word, limit in limits.items() if limit is not None]
    if told:
        warnings.warn(
            f"{method}: at most {', '.join(told)}, as config.set_max_epochs, config.set_max_steps_per_epoch or the "
            f"environment variables {EPOCHS} and {STEPS} say.",
            stacklevel=3,
        )


def epochs(asked: int) -> int:
    """So many epochs, or as many as are allowed."""
    most = max_epochs()
    return asked if most is None else min(asked, most)


def steps(asked: Asked) -> Asked:
    """So many steps, or as many as are allowed; None (to the end of the data) stays."""
    most = max_steps_per_epoch()
    return asked if most is None or asked is None else min(asked, most)


def _limit(variable: str) -> int | None:
    if variable in _set:
        return _set[variable]
    text = os.environ.get(variable)
    return (
        None if not text else _checked(f"the environment variable {variable}", int(text) if text.isdecimal() else text)
    )


def _checked(what: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ArgumentError(f"{what} must be an integer of at least 1, or None for no limit; got {shown(value)}.")
    return int(value)
