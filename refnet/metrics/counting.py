"""Right and wrong predictions counted at thresholds, within the program: what precision, recall and the curves are made of."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import dtypes, ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.losses import same_rank
from refnet.ops.arguments import as_dtype, converted, dtype_of, shape_of

BELOW_ALL = -1e10  # the score of a class that is not among the best k


def thresholds_of(name: str, thresholds: Any, default: float) -> list[float]:
    """Thresholds as a list. Raises ArgumentError for one outside 0..1."""
    given = [default] if thresholds is None else thresholds
    given = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    for threshold in given if thresholds is not None else []:
        if threshold is None or not 0 <= threshold <= 1:
            raise ArgumentError(f"{name}: thresholds lie in 0..1; got {threshold!r}.")
    return given


def evenly_spaced(thresholds: Sequence[float]) -> bool:
    """Whether thresholds divide 0..1 evenly, so that a prediction's place among them can be computed."""
    if len(thresholds) < 3:
        return False
    even = np.arange(len(thresholds), dtype=np.float32) / (len(thresholds) - 1)
    return bool(np.allclose(thresholds, even, atol=settings.epsilon()))


class Counted:
    """One batch of predictions, weighted and counted.

    Args:
        metric: whose counts they are, for messages.
        y_true: 0 is no, all else yes; of the predictions' shape.
        y_pred: scores.
        thresholds: a prediction says yes at those it is above.
        even: whether they are `evenly_spaced`.
        sample_weight: a weight for each sample or each prediction.
        top_k: only the k largest predictions of a row may say yes.
        class_id: only this class is looked at.
        multi_label: whether each column is counted by itself: counts are then (thresholds, labels).
        label_weights: a weight for each column.
    Attributes:
        true_positives, false_positives, true_negatives, false_negatives: (thresholds,).
    """

    def __init__(
        self,
        metric: str,
        y_true: TensorLike,
        y_pred: TensorLike,
        thresholds: Sequence[float],
        dtype: str,
        even: bool = False,
        sample_weight: TensorLike = None,
        top_k: int | None = None,
        class_id: int | None = None,
        multi_label: bool = False,
        label_weights: TensorLike = None,
    ):
        y_true, y_pred = (as_dtype(converted(metric, y), dtype) for y in (y_true, y_pred))
        y_pred, y_true = same_rank(y_pred, y_true)
        shapes = shape_of(y_true), shape_of(y_pred)
        if len(shapes[0]) != len(shapes[1]) or any(a != b and None not in (a, b) for a, b in zip(*shapes)):
            raise ShapeError(
                f"{metric} needs a target for each prediction, 0 or 1: targets of shape {shapes[1]}; got {shapes[0]}. Of class numbers, "
                "utils.to_categorical makes rows."
            )
        weight = None
        if sample_weight is not None:
            weight = ops.expand_dims(as_dtype(converted(metric, sample_weight, "sample_weight"), dtype), -1)
            weight = same_rank(y_true, weight, expand=False)[1]
        if top_k is not None:
            y_pred = only_top(y_pred, top_k)
        if class_id is not None:
            y_true, y_pred = column(y_true, class_id), column(y_pred, class_id)
        yes = as_dtype(ops.not_equal(y_true, 0), dtype)
        no = ops.subtract(1.0, yes)
        for factor in (weight, None if label_weights is None else ops.expand_dims(label_weights, 0)):
            if factor is not None:
                factor = ops.broadcast_to(as_dtype(factor, dtype), ops.shape(y_pred))
                yes, no = ops.multiply(yes, factor), ops.multiply(no, factor)
        if not multi_label:
            yes, no, y_pred = (ops.reshape(x, (-1,)) for x in (yes, no, y_pred))
        elif len(shape_of(y_pred)) != 2:
            raise ShapeError(
                f"{metric}: multi_label needs predictions of shape (batch, labels); got {shape_of(y_pred)}."
            )
        above = sums_of_buckets if even else sums_above
        self.true_positives, self.false_positives = above(y_pred, [yes, no], thresholds)
        self.true_negatives = ops.subtract(ops.sum(no, axis=0), self.false_positives)
        self.false_negatives = ops.subtract(ops.sum(yes, axis=0), self.true_positives)


def sums_above(y_pred: TensorLike, weights: list[TensorLike], thresholds: Sequence[float]) -> list[TensorLike]:
    """For each threshold the sum of the weights of the predictions above it: every one is compared with every one."""
    rank, dtype = len(shape_of(y_pred)), dtype_of(y_pred)
    limits = np.asarray(thresholds, dtypes.as_numpy(dtype)).reshape(-1, *[1] * rank)
    above = ops.greater(ops.expand_dims(y_pred, 0), limits)
    return [ops.sum(ops.where(above, ops.expand_dims(w, 0), 0.0), axis=1) for w in weights]


def sums_of_buckets(y_pred: TensorLike, weights: list[TensorLike], thresholds: Sequence[float]) -> list[TensorLike]:
    """`sums_above` for even thresholds: each prediction goes into its bucket, then buckets are added up from the top."""
    count, first = len(thresholds), thresholds[0]
    places = ops.ceil(ops.multiply(ops.clip(y_pred, 0.0, 1.0), float(count - 1)))  # bucket k lies above threshold k - 1
    if first < 0:
        places = ops.maximum(places, 1.0)  # nothing is below the first threshold
    places = ops.cast(ops.where(ops.isnan(y_pred), 0.0, places), "int32")  # NaN is above none
    labels = 1 if len(shape_of(y_pred)) == 1 else shape_of(y_pred)[1]
    if len(shape_of(y_pred)) == 2:
        offsets = np.arange(labels, dtype=np.int32)[None] * (count + 1)
        places = ops.reshape(ops.add(places, offsets), (-1,))
    result = []
    for weight in weights:
        flat = ops.reshape(weight, (-1,)) if len(shape_of(weight)) == 2 else weight
        buckets = ops.reshape(ops.segment_sum(flat, places, labels * (count + 1)), (labels, count + 1))
        sums = ops.transpose(ops.flip(ops.cumsum(ops.flip(buckets, 1), 1), 1))
        sums = ops.get_item(sums, (slice(1, count + 1),))
        result.append(ops.squeeze(sums, 1) if len(shape_of(y_pred)) == 1 else sums)
    return result


def only_top(y_pred: TensorLike, k: int) -> TensorLike:
    """Predictions with all but the k largest of each row far below any threshold."""
    classes = shape_of(y_pred)[-1]
    _, best = ops.top_k(y_pred, k)
    kept = ops.sum(ops.one_hot(best, classes, dtype=dtype_of(y_pred)), axis=-2)
    return ops.add(ops.multiply(y_pred, kept), ops.multiply(ops.subtract(1.0, kept), BELOW_ALL))


def column(x: TensorLike, class_id: int) -> TensorLike:
    """The entries of one class, the axis kept."""
    shape = shape_of(x)
    if len(shape) < 2:
        raise ShapeError(f"class_id needs predictions of shape (samples, classes); got {shape}.")
    if not 0 <= class_id < shape[-1]:
        raise ArgumentError(f"class_id lies in 0..{shape[-1] - 1} for {shape[-1]} classes; got {class_id}.")
    return ops.get_item(x, (Ellipsis, slice(class_id, class_id + 1)))
