"""Losses: how far predictions are from targets. Each is a function of one value per sample, and a class that reduces them.

Source: Keras 3 `keras.losses`.
"""

from collections.abc import Callable
from typing import Any

from refnet.annotations import Shape
from refnet.losses.base import CLASS_NUMBERS, Loss, LossFunctionWrapper, apply_mask, is_among, same_rank
from refnet.losses.divergence import KLDivergence, Poisson, kl_divergence, poisson
from refnet.losses.hinge import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from refnet.losses.probabilistic import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from refnet.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from refnet.losses.similarity import CTC, Circle, Dice, Tversky, circle, ctc, dice, tversky
from refnet.naming import resolved
from refnet.old_names import serve

_CLASSES: dict[Callable[..., Any], type[Loss]] = {
    binary_crossentropy: BinaryCrossentropy,
    binary_focal_crossentropy: BinaryFocalCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    categorical_focal_crossentropy: CategoricalFocalCrossentropy,
    categorical_generalized_cross_entropy: CategoricalGeneralizedCrossEntropy,
    categorical_hinge: CategoricalHinge,
    circle: Circle,
    cosine_similarity: CosineSimilarity,
    ctc: CTC,
    dice: Dice,
    hinge: Hinge,
    huber: Huber,
    kl_divergence: KLDivergence,
    log_cosh: LogCosh,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_error: MeanSquaredError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    poisson: Poisson,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    squared_hinge: SquaredHinge,
    tversky: Tversky,
}
_SHORT = {
    "bce": binary_crossentropy,
    "cce": categorical_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}
# The functions that take targets of the output's shape, and have one value for each place of the other axes.
OUTPUT_SHAPED = set(_CLASSES) - CLASS_NUMBERS - {dice, tversky}

known: dict[str, Any] = {f.__name__: f for f in _CLASSES} | {c.__name__: c for c in _CLASSES.values()}
known |= _SHORT | {name.upper(): function for name, function in _SHORT.items()}
known |= {"LossFunctionWrapper": LossFunctionWrapper, "logcosh": log_cosh, "kullback_leibler_divergence": kl_divergence}
known |= {"huber_loss": huber, "cosine_proximity": cosine_similarity}


def get(identifier: Any) -> Any:
    """A loss (an object or a function) by name, config or as itself; None stays None.

    Raises:
        ArgumentError: an unknown name, with the near ones.

    >>> get("mse").__name__, get({"class_name": "Huber", "config": {"delta": 2.0}}).name
    ('mean_squared_error', 'huber_loss')
    """
    return resolved("loss", identifier, known)


def serialize(loss: Any) -> Any:
    """A loss as a config: a dict, or the name of a function."""
    from refnet.saving.serialization import serialized

    return serialized(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A loss from what `serialize` gave.

    Args:
        name: the config.
        custom_objects: {name: class or function} of the user's.

    >>> deserialize(serialize(Huber(2.0))).arguments
    {'delta': 2.0}
    """
    from refnet.registration import custom_object_scope

    with custom_object_scope(custom_objects):
        return get(name)


BY_SHAPES = ("crossentropy", "ce")  # what compile takes for the crossentropy that fits targets and outputs


def fitting(target_shape: Shape, output_shape: Shape) -> str:
    """Which of Keras's three kinds fits: "binary" for one output, "sparse_categorical" for class numbers, else "categorical".

    >>> fitting((None,), (None, 10)), fitting((None, 10), (None, 10)), fitting((None,), (None, 1))
    ('sparse_categorical', 'categorical', 'binary')
    """
    if output_shape[-1] == 1:
        return "binary"
    sparse = len(target_shape) < len(output_shape) or target_shape[-1] == 1
    return "sparse_categorical" if sparse else "categorical"


def crossentropy_for(identifier: str, target_shape: Shape, output_shape: Shape) -> Loss:
    """The crossentropy that fits, under the name that it was asked for by."""
    return _CLASSES[known[f"{fitting(target_shape, output_shape)}_crossentropy"]](name=identifier)


def as_loss(identifier: Any) -> Loss | None:
    """Whatever names a loss, as a Loss object."""
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    if is_among(found, _CLASSES):
        return _CLASSES[found](name=identifier if isinstance(identifier, str) else found.__name__)
    return LossFunctionWrapper(found)


serve(__name__)
