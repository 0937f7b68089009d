"""Metrics of numbers: errors, R2, correlations."""

import warnings
from typing import Any

from refnet import losses, ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import trace
from refnet.losses import same_rank
from refnet.losses.base import floats
from refnet.metrics.base import Metric
from refnet.metrics.reduction import Mean, MeanMetricWrapper, NamedMean
from refnet.ops.arguments import as_dtype, converted, shape_of


def cosine_similarity(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> TensorLike:
    """The cosine of the angle between target and prediction: 1 where they point the same way.

    >>> cosine_similarity([[3.0, 4.0]], [[6.0, 8.0]])
    array([1.], dtype=float32)
    """
    return ops.negative(losses.cosine_similarity(y_true, y_pred, axis=axis))


def pearson_correlation(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> TensorLike:
    """The correlation along an axis: 1 where y_pred is a rising straight line of y_true. NaN where one of them is constant.

    Source: Pearson 1895; Keras 3 `metrics.pearson_correlation`.

    >>> pearson_correlation([0.0, 1.0, 2.0], [5.0, 3.0, 1.0])
    array(-0.9999998, dtype=float32)
    """
    y_true, y_pred = floats("pearson_correlation", y_true, y_pred)
    parts = []
    for y in (y_true, y_pred):
        y = ops.subtract(y, ops.mean(y, axis=axis, keepdims=True))
        parts.append(ops.divide(y, ops.std(y, axis=axis, keepdims=True)))
    return ops.mean(ops.multiply(*parts), axis=axis)


def concordance_correlation(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> TensorLike:
    """2 cov / (var + var + (difference of the means)^2) along an axis: 1 only where y_pred equals y_true.

    Source: Lin 1989; Keras 3 `metrics.concordance_correlation`.

    >>> concordance_correlation([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    array(0.99999994, dtype=float32)
    """
    y_true, y_pred = floats("concordance_correlation", y_true, y_pred)
    means = [ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred)]
    parts = [ops.subtract(y, mean) for y, mean in zip((y_true, y_pred), means)]
    spread = ops.add(*(ops.mean(ops.square(part), axis=axis, keepdims=True) for part in parts))
    whole = ops.add(ops.add(spread, ops.square(ops.subtract(*means))), settings.epsilon())
    return ops.mean(ops.divide(ops.multiply(ops.multiply(*parts), 2.0), whole), axis=axis)


class MeanSquaredError(NamedMean):
    """The mean of (y_true - y_pred)^2.

    >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]], sample_weight=[2.0])
    array(2.5, dtype=float32)
    """

    function = staticmethod(losses.mean_squared_error)


class MeanAbsoluteError(NamedMean):
    """The mean of |y_true - y_pred|.

    >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
    array(1.5, dtype=float32)
    """

    function = staticmethod(losses.mean_absolute_error)


class MeanAbsolutePercentageError(NamedMean):
    """The mean of `losses.mean_absolute_percentage_error`.

    >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]])
    array(25., dtype=float32)
    """

    function = staticmethod(losses.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(NamedMean):
    """The mean of `losses.mean_squared_logarithmic_error`.

    >>> MeanSquaredLogarithmicError()([[1.0]], [[1.0]])
    array(0., dtype=float32)
    """

    function = staticmethod(losses.mean_squared_logarithmic_error)


class LogCoshError(NamedMean):
    """The mean of `losses.log_cosh`.

    >>> LogCoshError()([[0.0]], [[100.0]])
    array(99.306854, dtype=float32)
    """

    function = staticmethod(losses.log_cosh)
    named = "logcosh"


class RootMeanSquaredError(Mean):
    """The root of the mean of (y_true - y_pred)^2, over all samples.

    Args:
        name, dtype: see Metric.

    >>> RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [4.0]])
    array(3.535534, dtype=float32)
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:  # type: ignore[override]  # what is averaged is computed from two arguments
        y_true, y_pred = (as_dtype(converted(self.name, y), self.dtype) for y in (y_true, y_pred))
        super().update_state(ops.square(ops.subtract(*same_rank(y_pred, y_true))), sample_weight)

    def result(self) -> TensorLike:
        return ops.sqrt(super().result())


class CosineSimilarity(MeanMetricWrapper):
    """The mean of `cosine_similarity`.

    Args:
        name, dtype: see Metric.
        axis: along which the vectors lie.

    >>> CosineSimilarity()([[1.0, 0.0]], [[2.0, 0.0]])
    array(1., dtype=float32)
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean of `pearson_correlation`, one for each sample.

    Args:
        name, dtype: see Metric.
        axis: along which the values of a sample lie.

    >>> PearsonCorrelation()([[0.0, 1.0]], [[0.0, 0.5]])
    array(1., dtype=float32)
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean of `concordance_correlation`, one for each sample.

    Args:
        name, dtype: see Metric.
        axis: along which the values of a sample lie.

    >>> ConcordanceCorrelation()([[0.0, 4.0]], [[0.0, 4.0]])
    array(1., dtype=float32)
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)


class R2Score(Metric):
    """The share of the targets' variance that the predictions explain: 1 - sum (y - p)^2 / sum (y - mean)^2.

    Args:
        class_aggregation: "uniform_average" over the outputs, "variance_weighted_average", or None for one value each.
        num_regressors: of the adjusted R2: how many inputs the model has; 0 for the plain one.
        name, dtype: see Metric.
    Raises:
        ArgumentError: another aggregation.  ShapeError: arrays that are not (samples, outputs).
    Source: Keras 3 `metrics.R2Score`.

    >>> R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
    array(0.57142854, dtype=float32)
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ArgumentError(
                f"{self.name}: class_aggregation is 'uniform_average', 'variance_weighted_average' or None; "
                f"got {class_aggregation!r}."
            )
        if num_regressors < 0:
            raise ArgumentError(f"{self.name}: num_regressors must not be below 0; got {num_regressors!r}.")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable((), name="num_samples")
        self._built = False

    def _build(self, true_shape: Any, shape: Any) -> None:
        if len(shape) != 2 or len(true_shape) != 2 or shape[1] is None:
            raise ShapeError(
                f"{self.name} needs targets and predictions of shape (samples, outputs); got {true_shape} and {shape}."
            )
        self.squared_sum = self.add_variable((shape[1],), name="squared_sum")
        self.sum = self.add_variable((shape[1],), name="sum")
        self.total_mse = self.add_variable((shape[1],), name="residual")
        self.count = self.add_variable((shape[1],), name="count")
        self._built = True

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:
        y_true, y_pred = same_rank(*(as_dtype(converted(self.name, y), self.dtype) for y in (y_true, y_pred)))
        if not self._built:
            self._build(shape_of(y_true), shape_of(y_pred))
        weight = as_dtype(converted(self.name, 1.0 if sample_weight is None else sample_weight), self.dtype)
        if len(shape_of(weight)) == 1:
            weight = ops.expand_dims(weight, 1)
        weight = ops.broadcast_to(weight, ops.shape(y_true))
        weighted = ops.multiply(y_true, weight)
        error = ops.multiply(ops.square(ops.subtract(y_true, y_pred)), weight)
        self.sum.assign_add(ops.sum(weighted, axis=0))
        self.squared_sum.assign_add(ops.sum(ops.multiply(y_true, weighted), axis=0))
        self.total_mse.assign_add(ops.sum(error, axis=0))
        self.count.assign_add(ops.sum(weight, axis=0))
        self.num_samples.assign_add(ops.sum(ops.ones_like(y_true)))

    def result(self) -> TensorLike:
        if not self._built:
            return ops.zeros((), self.dtype)
        total = ops.subtract(self.squared_sum, ops.multiply(self.sum, ops.divide(self.sum, self.count)))
        scores = ops.subtract(1.0, ops.divide(self.total_mse, total))
        scores = ops.where(ops.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ops.divide(ops.sum(ops.multiply(total, scores)), ops.sum(total))
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, scores: TensorLike) -> TensorLike:
        samples, least = self.num_samples, float(self.num_regressors + 1)
        if not trace.active and float(samples) <= least:
            warnings.warn(
                f"{self.name}: the adjusted R2 needs more than num_regressors + 1 = {self.num_regressors + 1} values; there "
                f"are {float(samples):.0f}. This is the plain R2.",
                stacklevel=4,
            )
        factor = ops.divide(ops.subtract(samples, 1.0), ops.subtract(samples, least))
        adjusted = ops.subtract(1.0, ops.multiply(ops.subtract(1.0, scores), factor))
        return ops.where(ops.greater(samples, least), adjusted, scores)

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
