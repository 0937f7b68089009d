"""F scores: precision and recall in one number."""

from typing import Any

from refnet import ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.metrics.base import Metric
from refnet.ops.arguments import as_dtype, converted, shape_of


class FBetaScore(Metric):
    """(1 + beta^2) * precision * recall / (beta^2 * precision + recall).

    Args:
        average: None (one value for each class), "micro" (all classes counted together), "macro" (the mean over classes) or
            "weighted" (the mean, weighted by how often each class occurs).
        beta: how much more recall counts than precision.
        threshold: predictions above it say yes; if None, the largest of each row does.
        name, dtype: see Metric.
    Raises:
        ArgumentError: another average, beta or threshold.  ShapeError: arrays that are not (samples, classes).
    Source: Keras 3 `metrics.FBetaScore`.

    >>> import numpy as np
    >>> y_true = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]])
    >>> y_pred = np.array([[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> FBetaScore(beta=2.0, threshold=0.5)(y_true, y_pred).round(6)
    array([0.384615, 0.909091, 0.833333], dtype=float32)
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ArgumentError(f"{self.name}: average is None, 'micro', 'macro' or 'weighted'; got {average!r}.")
        if isinstance(beta, (bool, str)) or not hasattr(beta, "__float__") or not float(beta) > 0:
            raise ArgumentError(f"{self.name}: beta must be a number above 0; got {beta!r}.")
        if threshold is not None and not 0 < threshold <= 1:
            raise ArgumentError(f"{self.name}: threshold lies in 0..1, above 0; got {threshold!r}.")
        self.average, self.beta, self.threshold = average, float(beta), threshold
        self.axis = None if average == "micro" else 0
        self._built = False

    def _build(self, true_shape: Any, shape: Any) -> None:
        if len(shape) != 2 or len(true_shape) != 2 or shape[1] is None:
            column = tuple(shape[1:]) == (1,)
            advice = (
                "y[:, None] makes a column of them" if column else "Of class numbers, utils.to_categorical makes rows"
            )
            raise ShapeError(
                f"{self.name} needs targets and predictions of shape (samples, classes); got {true_shape} and {shape}. {advice}."
            )
        size = () if self.average == "micro" else (shape[1],)
        self.true_positives = self.add_variable(size, name="true_positives")
        self.false_positives = self.add_variable(size, name="false_positives")
        self.false_negatives = self.add_variable(size, name="false_negatives")
        self.intermediate_weights = self.add_variable(size, name="intermediate_weights")
        self._built = True

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:
        y_true, y_pred = (as_dtype(converted(self.name, y), self.dtype) for y in (y_true, y_pred))
        if not self._built:
            self._build(shape_of(y_true), shape_of(y_pred))
        if self.threshold is None:
            largest = ops.greater_equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
            said = ops.logical_and(largest, ops.greater(ops.abs(y_pred), 1e-9))  # a row of zeros says nothing
        else:
            said = ops.greater(y_pred, self.threshold)
        yes = ops.cast(said, self.dtype)
        self.true_positives.assign_add(self._total(ops.multiply(yes, y_true), sample_weight))
        self.false_positives.assign_add(self._total(ops.multiply(yes, ops.subtract(1.0, y_true)), sample_weight))
        self.false_negatives.assign_add(self._total(ops.multiply(ops.subtract(1.0, yes), y_true), sample_weight))
        self.intermediate_weights.assign_add(self._total(y_true, sample_weight))

    def _total(self, values: TensorLike, sample_weight: TensorLike) -> TensorLike:
        if sample_weight is not None:
            weight = as_dtype(converted(self.name, sample_weight), self.dtype)
            values = ops.multiply(values, ops.expand_dims(weight, 1) if len(shape_of(weight)) == 1 else weight)
        return ops.sum(values, axis=self.axis)

    def result(self) -> TensorLike:
        if not self._built:
            return ops.zeros((), self.dtype)
        true = self.true_positives
        precision = ops.divide(true, ops.add(ops.add(true, self.false_positives), settings.epsilon()))
        recall = ops.divide(true, ops.add(ops.add(true, self.false_negatives), settings.epsilon()))
        square = self.beta * self.beta
        whole = ops.add(ops.add(ops.multiply(precision, square), recall), settings.epsilon())
        score = ops.multiply(ops.divide(ops.multiply(precision, recall), whole), 1 + square)
        if self.average == "weighted":
            total = ops.add(ops.sum(self.intermediate_weights), settings.epsilon())
            return ops.sum(ops.multiply(score, ops.divide(self.intermediate_weights, total)))
        return score if self.average is None else ops.mean(score)

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """2 * precision * recall / (precision + recall).

    Args:
        average, threshold, name, dtype: see FBetaScore.
    Source: Keras 3 `metrics.F1Score`.

    >>> F1Score(threshold=0.5)([[1, 0], [1, 1]], [[0.75, 0.75], [0.25, 0.75]]).round(4)
    array([0.6667, 0.6667], dtype=float32)
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "beta"}
