"""Accuracies: how often a prediction is right."""

from typing import Any

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.losses import same_rank
from refnet.metrics.reduction import MeanMetricWrapper, NamedMean
from refnet.ops.arguments import as_dtype, converted, dtype_of, shape_of


def accuracy(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """1 where y_pred equals y_true, else 0.

    >>> accuracy([1, 2, 3], [1, 0, 3])
    array([1., 0., 1.], dtype=float32)
    """
    y_pred = converted("accuracy", y_pred, "y_pred")
    y_true, y_pred = same_rank(as_dtype(converted("accuracy", y_true, "y_true"), dtype_of(y_pred)), y_pred)
    return ops.cast(ops.equal(y_true, y_pred), dtypes.floatx())


def binary_accuracy(y_true: TensorLike, y_pred: TensorLike, threshold: float = 0.5) -> TensorLike:
    """1 where y_pred > threshold agrees with y_true, else 0.

    Args:
        y_true: labels 0 and 1.
        y_pred: probabilities of that shape.
        threshold: from which on a prediction says 1.

    >>> binary_accuracy([1.0, 0.0], [0.75, 0.625])
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = same_rank(converted("binary_accuracy", y_true), converted("binary_accuracy", y_pred))
    said = ops.cast(ops.greater(y_pred, threshold), dtype_of(y_true))
    return ops.cast(ops.equal(y_true, said), dtypes.floatx())


def categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """1 where the largest entries of y_true and y_pred stand at the same place, else 0.

    >>> categorical_accuracy([[0.0, 1.0]], [[0.25, 0.75]])
    array([1.], dtype=float32)
    """
    wanted, got = ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)
    return ops.cast(ops.equal(wanted, got), dtypes.floatx())


def sparse_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """1 where y_pred is largest at the place that y_true names, else 0.

    >>> sparse_categorical_accuracy([1, 1], [[0.25, 0.75], [1.0, 0.0]])
    array([1., 0.], dtype=float32)
    """
    y_true = _squeezed("sparse_categorical_accuracy", y_true, y_pred)
    got = ops.argmax(y_pred, axis=-1)
    return ops.cast(ops.equal(as_dtype(y_true, dtype_of(got)), got), dtypes.floatx())


def top_k_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike, k: int = 5) -> TensorLike:
    """1 where the class of a one-hot target is among the k largest predictions, else 0.

    >>> top_k_categorical_accuracy([[0.0, 1.0, 0.0]], [[0.5, 0.25, 0.125]], k=2)
    array([1.], dtype=float32)
    """
    return _in_top_k(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: TensorLike, y_pred: TensorLike, k: int = 5, from_sorted_ids: bool = False
) -> TensorLike:
    """1 where the class that y_true names is among the k largest predictions, else 0.

    Args:
        y_true: class numbers.
        y_pred: a score for each class; or class numbers, the best first.
        k: how many count.
        from_sorted_ids: whether y_pred holds class numbers.

    >>> sparse_top_k_categorical_accuracy([1, 2], [[0.5, 0.25, 0.125], [0.5, 0.25, 0.125]], k=2)
    array([1., 0.], dtype=float32)
    """
    y_true = _squeezed("sparse_top_k_categorical_accuracy", y_true, y_pred)
    if not from_sorted_ids:
        return _in_top_k(y_true, y_pred, k)
    y_pred = converted("sparse_top_k_categorical_accuracy", y_pred)
    best = ops.get_item(y_pred, (Ellipsis, slice(0, k)))
    hits = ops.equal(ops.expand_dims(as_dtype(y_true, dtype_of(y_pred)), -1), best)
    return ops.cast(ops.any(hits, axis=-1), dtypes.floatx())


def _squeezed(name: str, y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """Class numbers without a last axis of 1 that only the predictions' classes account for."""
    y_true = converted(name, y_true, "y_true")
    if len(shape_of(y_true)) == len(shape_of(y_pred)) and shape_of(y_true)[-1] == 1:
        return ops.squeeze(y_true, -1)
    return y_true


def _in_top_k(labels: TensorLike, y_pred: TensorLike, k: int) -> TensorLike:
    y_pred, labels = converted("top k", y_pred), as_dtype(labels, "int32")
    shape = ops.shape(labels)
    if len(shape_of(y_pred)) > 2:
        y_pred = ops.reshape(y_pred, (-1, shape_of(y_pred)[-1]))
    hits = ops.in_top_k(ops.reshape(labels, (-1,)), y_pred, k=k)
    return ops.cast(ops.reshape(hits, shape), dtypes.floatx())


class Accuracy(NamedMean):
    """How often predictions equal targets.

    >>> Accuracy()([1, 2, 3, 4], [1, 2, 3, 0])
    array(0.75, dtype=float32)
    """

    function = staticmethod(accuracy)


class BinaryAccuracy(MeanMetricWrapper):
    """How often predictions fall on the right side of the threshold.

    Args:
        name, dtype: see Metric.
        threshold: from which on a prediction says 1.

    >>> BinaryAccuracy(threshold=0.5)([0.0, 1.0], [0.75, 0.625])
    array(0.5, dtype=float32)
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(NamedMean):
    """How often the largest prediction is the class of a one-hot target.

    >>> CategoricalAccuracy()([[0.0, 1.0], [1.0, 0.0]], [[0.25, 0.75], [0.25, 0.75]])
    array(0.5, dtype=float32)
    """

    function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(NamedMean):
    """How often the largest prediction is the class that the target names.

    >>> SparseCategoricalAccuracy()([1, 0], [[0.25, 0.75], [0.25, 0.75]])
    array(0.5, dtype=float32)
    """

    function = staticmethod(sparse_categorical_accuracy)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class of a one-hot target is among the k largest predictions.

    Args:
        k: how many count.
        name, dtype: see Metric.

    >>> TopKCategoricalAccuracy(k=2)([[0.0, 1.0, 0.0]], [[0.5, 0.25, 0.125]])
    array(1., dtype=float32)
    """

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class that the target names is among the k largest predictions.

    Args:
        k: how many count.
        name, dtype: see Metric.
        from_sorted_ids: whether predictions are class numbers, the best first.

    >>> SparseTopKCategoricalAccuracy(k=2)([1, 2], [[0.5, 0.25, 0.125], [0.5, 0.25, 0.125]])
    array(0.5, dtype=float32)
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
