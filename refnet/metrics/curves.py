"""Areas under curves, and average precision: how well scores put positives before negatives."""

from typing import Any

import numpy as np

from refnet import dtypes, ops, settings
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Variable, trace
from refnet.metrics.base import Metric
from refnet.metrics.confusion import ALL_KINDS, share
from refnet.metrics.counting import Counted, evenly_spaced
from refnet.ops.arguments import as_dtype, converted, shape_of

CURVES = {"pr": "PR", "roc": "ROC", "prgain": "PRGAIN"}
SUMMATIONS = ("interpolation", "majoring", "minoring")


class AUC(Metric):
    """The area under a curve that thresholds from 0 to 1 draw.

    Args:
        num_thresholds: how many; more come nearer to the exact area.
        curve: "ROC" (the share of positives found over that of negatives taken for positives), "PR" (precision over recall)
            or "PRGAIN".
        summation_method: "interpolation", "majoring" or "minoring": the middle, the larger or the smaller side of each step.
        name, dtype: see Metric.
        thresholds: the inner thresholds themselves, in 0..1.
        multi_label: whether each column of the predictions has a curve of its own, whose areas are averaged.
        num_labels: the number of columns; known from the first batch if None.
        label_weights: a weight for each column.
        from_logits: whether predictions are logits.
    Raises:
        ArgumentError: another curve or method, thresholds outside 0..1, fewer than two.
    Source: Davis and Goadrich 2006 (the interpolation of PR); Keras 3 `metrics.AUC`.

    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    array(0.75, dtype=float32)
    """

    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(dtype, name)
        if str(curve).lower() not in CURVES:
            raise ArgumentError(f"{self.name}: curve is 'ROC', 'PR' or 'PRGAIN'; got {curve!r}.")
        if str(summation_method).lower() not in SUMMATIONS:
            raise ArgumentError(f"{self.name}: summation_method is one of {SUMMATIONS}; got {summation_method!r}.")
        if num_labels and not multi_label:
            raise ArgumentError(f"{self.name}: num_labels is for multi_label=True.")
        self.curve, self.summation_method = CURVES[str(curve).lower()], str(summation_method).lower()
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        self.label_weights = None if label_weights is None else np.asarray(label_weights, dtypes.as_numpy(self.dtype))
        inner = inner_thresholds(self.name, num_thresholds, thresholds)
        self.given_thresholds = None if thresholds is None else inner
        self.num_thresholds = len(inner) + 2
        self.even = evenly_spaced([0.0, *inner, 1.0])
        self.thresholds = [-settings.epsilon(), *inner, 1 + settings.epsilon()]
        self._built = False
        if not multi_label or num_labels:
            self._build(num_labels)

    def _build(self, labels: int | None) -> None:
        shape = (self.num_thresholds, labels) if self.multi_label else (self.num_thresholds,)
        for kind in ALL_KINDS:
            setattr(self, kind, self.add_variable(shape, name=kind))
        self._built = True

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:
        y_pred = converted(self.name, y_pred, "y_pred")
        if not self._built:
            if len(shape_of(y_pred)) != 2:
                raise ShapeError(
                    f"{self.name}: multi_label needs predictions of shape (batch, labels); got {shape_of(y_pred)}."
                )
            self._build(shape_of(y_pred)[1])
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        more = {"sample_weight": sample_weight, "multi_label": self.multi_label, "even": self.even}
        weights = None if self.multi_label else self.label_weights  # of several curves they weight the areas
        counted = Counted(self.name, y_true, y_pred, self.thresholds, self.dtype, label_weights=weights, **more)
        for kind in ALL_KINDS:
            getattr(self, kind).assign_add(getattr(counted, kind))

    def result(self) -> TensorLike:
        if not self._built:
            return ops.zeros((), self.dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._averaged(self._interpolated_pr())
        x, y = self._points()
        before, after = y[:-1], y[1:]
        if self.summation_method == "interpolation":
            heights = ops.multiply(ops.add(before, after), 0.5)
        else:
            heights = (ops.minimum if self.summation_method == "minoring" else ops.maximum)(before, after)
        return self._averaged(ops.multiply(ops.subtract(x[:-1], x[1:]), heights))

    def _points(self) -> tuple[TensorLike, TensorLike]:
        """The curve's points, one for each threshold."""
        recall = share(self.true_positives, self.false_negatives)
        if self.curve == "ROC":
            return share(self.false_positives, self.true_negatives), recall
        if self.curve == "PR":
            return recall, share(self.true_positives, self.false_positives)
        positives = ops.add(self.true_positives, self.false_negatives)
        scale = ops.divide_no_nan(positives, ops.add(self.true_negatives, self.false_positives))
        gains = [
            ops.subtract(1.0, ops.multiply(scale, ops.divide_no_nan(wrong, self.true_positives)))
            for wrong in (self.false_negatives, self.false_positives)
        ]
        none = ops.equal(self.true_positives, 0.0)
        return ops.maximum(ops.where(none, 0.0, gains[0]), 0.0), ops.where(none, 1.0, gains[1])

    def _interpolated_pr(self) -> TensorLike:
        """The area of each step of the precision-recall curve. Between two points the true positives grow by a straight line
        of the predicted positives, so that precision does not."""
        true, predicted = self.true_positives, ops.add(self.true_positives, self.false_positives)
        more_true = ops.subtract(true[:-1], true[1:])
        more = ops.subtract(predicted[:-1], predicted[1:])
        slope = ops.divide_no_nan(more_true, ops.maximum(more, 0.0))
        intercept = ops.subtract(true[1:], ops.multiply(slope, predicted[1:]))
        both = ops.logical_and(ops.greater(predicted[:-1], 0.0), ops.greater(predicted[1:], 0.0))
        ratio = ops.divide_no_nan(predicted[:-1], ops.maximum(predicted[1:], 0.0))
        ratio = ops.where(both, ratio, 1.0)
        area = ops.multiply(slope, ops.add(more_true, ops.multiply(intercept, ops.log(ratio))))
        return ops.divide_no_nan(area, ops.maximum(ops.add(true[1:], self.false_negatives[1:]), 0.0))

    def _averaged(self, steps: TensorLike) -> TensorLike:
        area = ops.sum(steps, axis=0)
        if not self.multi_label:
            return area
        if self.label_weights is None:
            return ops.mean(area)
        return ops.divide_no_nan(ops.sum(ops.multiply(area, self.label_weights)), ops.sum(self.label_weights))

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        given = {} if self.given_thresholds is None else {"thresholds": self.given_thresholds}
        return {**super().get_config(), **own, **given}


def inner_thresholds(name: str, count: int, given: Any) -> list[float]:
    """The thresholds between 0 and 1: those given, or as many even ones as there are to be with both ends."""
    if given is not None:
        if np.ndim(given) != 1:
            raise ArgumentError(f"{name}: thresholds is a list of numbers in 0..1; got {given!r}.")
        thresholds = sorted(float(t) for t in given)
        if thresholds and not 0 <= thresholds[0] <= thresholds[-1] <= 1:
            raise ArgumentError(f"{name}: thresholds lie in 0..1; got {thresholds}.")
        return thresholds
    if count <= 1:
        raise ArgumentError(f"{name}: num_thresholds must be above 1; got {count!r}.")
    return [(i + 1) / (count - 1) for i in range(count - 2)]


class MeanAveragePrecision(Metric):
    """The mean over classes of the average precision: of each positive, the precision among what scores at least as high.

        AP = sum over thresholds t, from the top, of  (recall(t) - recall(the threshold above)) * precision(t)

    Counted at even thresholds, within the program: scores that no threshold parts count as equal. With a `capacity` the scores
    themselves are kept as well, and the value is exact as long as there were not more samples since the last reset.

    Args:
        num_thresholds: how many.
        capacity: how many samples' scores are kept; None for none.
        average: "macro" (the mean over the classes that have positives) or None (one value for each class; NaN where a class
            has no positives).
        from_logits: whether predictions are logits.
        name, dtype: see Metric.
    Raises:
        ArgumentError: fewer than two thresholds, a capacity below 1, another average.
        ShapeError: targets that are neither (batch, classes) nor, for one class, (batch,).
    Source: Manning, Raghavan and Schuetze 2008, section 8.4.

    >>> metric = MeanAveragePrecision(capacity=10)
    >>> metric([[0], [0], [1], [1]], [[0.1], [0.4], [0.35], [0.8]])
    array(0.8333333, dtype=float32)
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        capacity: int | None = None,
        average: str | None = "macro",
        from_logits: bool = False,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        inner = inner_thresholds(self.name, num_thresholds, None)
        if capacity is not None and capacity < 1:
            raise ArgumentError(f"{self.name}: capacity must be at least 1, or None; got {capacity!r}.")
        if average not in ("macro", None):
            raise ArgumentError(f"{self.name}: average is 'macro' or None; got {average!r}.")
        self.num_thresholds, self.capacity, self.average = num_thresholds, capacity, average
        self.from_logits, self.thresholds = from_logits, [-settings.epsilon(), *inner, 1 + settings.epsilon()]
        self.even = evenly_spaced([0.0, *inner, 1.0])
        self._exact: tuple[int, Array] | None = None
        self._built = False

    def _build(self, classes: int) -> None:
        self.true_positives = self.add_variable((self.num_thresholds, classes), name="true_positives")
        self.false_positives = self.add_variable((self.num_thresholds, classes), name="false_positives")
        self.seen = self.add_variable((), dtype="int32", name="seen")
        if self.capacity is not None:
            kept = (self.capacity, classes)
            self.scores, self.positive = (
                self.add_variable(kept, name="scores"),
                self.add_variable(kept, name="positive"),
            )
            self.weight = self.add_variable((self.capacity, 1), name="weight")
        self._built = True

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:
        y_true, y_pred = (as_dtype(converted(self.name, y), self.dtype) for y in (y_true, y_pred))
        y_true, y_pred = (ops.expand_dims(y, 1) if len(shape_of(y)) == 1 else y for y in (y_true, y_pred))
        if len(shape_of(y_pred)) != 2 or shape_of(y_true)[1:] != shape_of(y_pred)[1:]:
            raise ShapeError(
                f"{self.name} needs targets and predictions of shape (batch, classes), with 1 where a class is; "
                f"got {shape_of(y_true)} and {shape_of(y_pred)}."
            )
        if not self._built:
            self._build(shape_of(y_pred)[1])
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        more = {"even": self.even, "sample_weight": sample_weight, "multi_label": True}
        counted = Counted(self.name, y_true, y_pred, self.thresholds, self.dtype, **more)
        self.true_positives.assign_add(counted.true_positives)
        self.false_positives.assign_add(counted.false_positives)
        if self.capacity is not None:
            self._keep(y_true, y_pred, sample_weight, self.capacity)
        self.seen.assign_add(ops.cast(ops.shape(y_pred)[0], "int32"))

    def _keep(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike, capacity: int) -> None:
        ones = ops.ones_like(y_pred[:, :1])
        weight = ones
        if sample_weight is not None:
            weight = ops.reshape(as_dtype(converted(self.name, sample_weight), self.dtype), (-1, 1))
        places = ops.add(ops.cumsum(ops.cast(ones, "int32"), 0), ops.subtract(self.seen, 1))
        places = ops.minimum(places, capacity - 1)  # beyond it the thresholds serve, and nobody looks at what is kept
        positive = as_dtype(ops.not_equal(y_true, 0), self.dtype)
        for variable, rows in ((self.scores, y_pred), (self.positive, positive), (self.weight, weight)):
            variable.assign(ops.scatter_update(variable, places, rows))

    def result(self) -> TensorLike:
        if not self._built:
            return ops.zeros((), self.dtype)
        seen = None if trace.active else int(self.seen)
        if seen is not None and self.capacity is not None and seen <= self.capacity:
            return self._mean(self._kept_precision(seen))
        recall = ops.divide(self.true_positives, self.true_positives[:1])
        steps = ops.subtract(recall[:-1], recall[1:])
        precision = share(self.true_positives, self.false_positives)
        return self._mean(ops.sum(ops.multiply(steps, precision[:-1]), axis=0))

    def _mean(self, values: TensorLike) -> TensorLike:
        if self.average is None:
            return values
        present = ops.cast(ops.logical_not(ops.isnan(values)), self.dtype)
        return ops.divide_no_nan(ops.sum(ops.nan_to_num(values)), ops.sum(present))

    def _kept_precision(self, seen: int) -> Array:
        """The average precision of each class, from the scores: sorted once for each new number of samples."""
        if self._exact is None or self._exact[0] != seen:
            arrays = [v.numpy()[:seen].astype(np.float64) for v in (self.scores, self.positive, self.weight)]
            scores, positive, weight = arrays
            columns = [average_precision(s, p, weight[:, 0]) for s, p in zip(scores.T, positive.T)]
            self._exact = seen, np.array(columns, dtypes.as_numpy(self.dtype))
        return self._exact[1]

    def reset_state(self) -> None:
        self._exact = None
        super().reset_state()

    def get_config(self) -> dict[str, Any]:
        own = {"num_thresholds": self.num_thresholds, "capacity": self.capacity, "average": self.average}
        return {**super().get_config(), **own, "from_logits": self.from_logits}


def average_precision(scores: Array, positive: Array, weight: Array) -> float:
    """The average precision of one class; NaN without positives.

    Args:
        scores, positive, weight: (samples,); equal scores share a threshold.
    """
    order = np.argsort(-scores, kind="stable")
    scores, hits, every = scores[order], (positive * weight)[order], weight[order]
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))  # the last of each group of equal scores
    found, taken = np.cumsum(hits)[ends], np.cumsum(every)[ends]
    if not len(scores) or found[-1] == 0:
        return float("nan")
    precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
    return float(np.sum(np.diff(found, prepend=0) * precision) / found[-1])
