"""Metrics: what is watched during training. A metric's state is variables, updated within the step's program.

Source: Keras 3 `keras.metrics`; `MeanAveragePrecision` is refnet's.
"""

from collections.abc import Callable
from typing import Any

from refnet import losses
from refnet.annotations import Shape
from refnet.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from refnet.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from refnet.metrics.base import Metric
from refnet.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from refnet.metrics.curves import AUC, MeanAveragePrecision
from refnet.metrics.fscore import F1Score, FBetaScore
from refnet.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from refnet.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from refnet.metrics.reduction import Mean, MeanMetricWrapper, Sum
from refnet.metrics.regression import (
    ConcordanceCorrelation,
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
    concordance_correlation,
    cosine_similarity,
    pearson_correlation,
)
from refnet.naming import resolved, snake_case
from refnet.old_names import serve

_CLASSES: tuple[type[Metric], ...] = (
    *(Mean, Sum, MeanMetricWrapper),
    *(Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
    *(TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy),
    *(MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError),
    *(MeanSquaredLogarithmicError, CosineSimilarity, LogCoshError, R2Score),
    *(PearsonCorrelation, ConcordanceCorrelation),
    *(BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, KLDivergence, Poisson),
    *(Hinge, SquaredHinge, CategoricalHinge),
    *(AUC, MeanAveragePrecision, F1Score, FBetaScore),
    *(TruePositives, FalsePositives, TrueNegatives, FalseNegatives, Precision, Recall),
    *(PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity),
    *(IoU, BinaryIoU, MeanIoU, OneHotIoU, OneHotMeanIoU),
)
_SHORT = {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
# What files may name as the function of a MeanMetricWrapper.
functions: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(accuracy, binary_accuracy, categorical_accuracy, sparse_categorical_accuracy),
        *(top_k_categorical_accuracy, sparse_top_k_categorical_accuracy),
        *(pearson_correlation, concordance_correlation),
    )
}
known: dict[str, Any] = {c.__name__: c for c in _CLASSES} | {snake_case(c.__name__): c for c in _CLASSES}
known |= _SHORT | {name.upper(): kind for name, kind in _SHORT.items()} | {"acc": Accuracy}
known |= {name: losses.known[name] for name in ("huber", "log_cosh", "logcosh", "cosine_proximity")}


def get(identifier: Any) -> Any:
    """A metric (an object or a function) by name, config or as itself.

    Raises:
        ArgumentError: an unknown name, with the near ones.

    >>> get("auc"), get("mse")
    (<AUC name=auc>, <MeanSquaredError name=mean_squared_error>)
    """
    return resolved("metric", identifier, known)


def serialize(metric: Any) -> Any:
    """A metric as a config: a dict, or the name of a function."""
    from refnet.saving.serialization import serialized

    return serialized(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A metric from what `serialize` gave.

    Args:
        config: the config.
        custom_objects: {name: class or function} of the user's.

    >>> deserialize(serialize(Recall(0.25))).thresholds
    [0.25]
    """
    from refnet.registration import custom_object_scope

    with custom_object_scope(custom_objects):
        return get(config)


BY_SHAPES = ("accuracy", "acc", *losses.BY_SHAPES)  # what compile takes for the metric that fits targets and outputs


def as_metric(identifier: Any, target_shape: Shape, output_shape: Shape) -> Metric:
    """Whatever names a metric, as a Metric object; "accuracy" and "crossentropy" are the ones that fit the shapes."""
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPES:
        kind = "accuracy" if identifier.lower() in ("accuracy", "acc") else "crossentropy"
        fitting: Metric = known[f"{losses.fitting(target_shape, output_shape)}_{kind}"](name=identifier)
        return fitting
    found = get(identifier)
    name = str(getattr(found, "name", None) or snake_case(getattr(found, "__name__", type(found).__name__)))
    metric = found if isinstance(found, Metric) else MeanMetricWrapper(found, name=name)  # of a lambda: "lambda"
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


serve(__name__)
