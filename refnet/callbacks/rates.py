"""The learning rates of a model's optimizer, by the names that logs give them."""

from typing import Any

import numpy as np


def rated(optimizer: Any) -> dict[str, Any]:
    """What has a learning rate, by the name of its rate in logs.

    Args:
        optimizer: a model's.
    Returns:
        {"learning_rate": optimizer}; of a MultiOptimizer, {"learning_rate_sgd": one of its own, ...}, of which those of one name
        are numbered.

    >>> from refnet import optimizers
    >>> chosen = optimizers.OptimizerMap(optimizers.SGD(), {".*bias": optimizers.SGD(), ".*kernel": optimizers.Adam()})
    >>> list(rated(optimizers.MultiOptimizer(chosen)))
    ['learning_rate_sgd', 'learning_rate_adam', 'learning_rate_sgd_1']
    """
    several = getattr(getattr(optimizer, "inner_optimizer", optimizer), "optimizers", None)
    if several is None:
        return {"learning_rate": optimizer}
    named: dict[str, Any] = {}
    for part in several:
        name = stem = f"learning_rate_{part.name}"
        number = 1
        while name in named:
            name, number = f"{stem}_{number}", number + 1
        named[name] = part
    return named


def rate_of(optimizer: Any) -> float:
    """The rate of the next step."""
    return float(np.asarray(optimizer.learning_rate))


def rates(optimizer: Any) -> dict[str, float]:
    """The learning rates, by their names in logs."""
    return {name: rate_of(part) for name, part in rated(optimizer).items()}
