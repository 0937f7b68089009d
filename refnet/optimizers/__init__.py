"""Optimizers: how gradients change weights. The rules themselves are the update ops of `refnet.ops`.

Source: Keras 3 `keras.optimizers`.
"""

from typing import Any

from refnet.errors import ArgumentError
from refnet.naming import resolved
from refnet.old_names import serve
from refnet.optimizers import schedules
from refnet.optimizers.accumulating import Adadelta, Adagrad, Ftrl
from refnet.optimizers.adam_and_adamw import Adam, AdamW
from refnet.optimizers.adam_relatives import Adamax, Lamb, Nadam, ScheduleFreeAdamW
from refnet.optimizers.base import Optimizer
from refnet.optimizers.gradient import SGD, Lion, RMSprop
from refnet.optimizers.matrices import Adafactor, Muon
from refnet.optimizers.scaling import LossScaleOptimizer
from refnet.optimizers.several import MultiOptimizer, OptimizerMap

_CLASSES: tuple[type[Optimizer], ...] = (
    *(SGD, RMSprop, Adagrad, Adadelta, Ftrl, Lion),
    *(Adam, AdamW, Adamax, Nadam, Lamb, ScheduleFreeAdamW),
    *(Adafactor, Muon),
)
known: dict[str, Any] = {c.__name__: c for c in _CLASSES} | {c.__name__.lower(): c for c in _CLASSES}
# What configs name besides.
parts: dict[str, Any] = {
    **schedules.known,
    **{kind.__name__: kind for kind in (LossScaleOptimizer, MultiOptimizer, OptimizerMap)},
}


def get(identifier: Any) -> Optimizer:
    """An optimizer by name, config, class or as itself.

    Raises:
        ArgumentError: an unknown name, with the near ones; something that is no optimizer.

    >>> get("adam"), get({"class_name": "SGD", "config": {"learning_rate": 0.5}})
    (<Adam name=adam>, <SGD name=sgd>)
    """
    name = identifier.lower() if isinstance(identifier, str) and identifier.lower() in known else identifier
    optimizer = resolved("optimizer", name, known)
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"optimizer must be an optimizer or a name ({', '.join(sorted(known))}); got {identifier!r}."
        )
    return optimizer


def serialize(optimizer: Optimizer) -> Any:
    """An optimizer as a config, without its state."""
    from refnet.saving.serialization import serialized

    return serialized(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """An optimizer from what `serialize` gave.

    Args:
        config: the config.
        custom_objects: {name: class or function} of the user's.

    >>> deserialize(serialize(Adam(0.5, clipnorm=1.0))).clipnorm
    1.0
    """
    from refnet.registration import custom_object_scope

    with custom_object_scope(custom_objects):
        return get(config)


serve(__name__)
