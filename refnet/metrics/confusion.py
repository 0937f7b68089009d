"""Counts of right and wrong predictions, precision and recall, and the best of one at a given other."""

from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.metrics.base import Metric
from refnet.metrics.counting import BELOW_ALL, Counted, evenly_spaced, thresholds_of


class Confusion(Metric):
    """Base of metrics that count at thresholds: a variable for each kind of count that is needed.

    Args:
        kinds: which counts.
        thresholds: a prediction says yes where it is above.
        even: whether they divide 0..1 evenly.
        top_k, class_id: see Precision.
        name, dtype: see Metric.
    """

    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def __init__(
        self,
        kinds: tuple[str, ...],
        thresholds: list[float],
        even: bool,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        self.kinds, self.thresholds, self.even, self.top_k, self.class_id = kinds, thresholds, even, top_k, class_id
        for kind in kinds:
            setattr(self, kind, self.add_variable((len(thresholds),), name=kind))

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:
        more = (self.even, sample_weight, self.top_k, self.class_id)
        counted = Counted(self.name, y_true, y_pred, self.thresholds, self.dtype, *more)
        for kind in self.kinds:
            getattr(self, kind).assign_add(getattr(counted, kind))

    def _alone(self, values: TensorLike) -> TensorLike:
        """One number where there is one threshold."""
        return ops.get_item(values, 0) if len(self.thresholds) == 1 else values


def share(part: TensorLike, rest: TensorLike) -> TensorLike:
    """part / (part + rest), and 0 where both are 0."""
    return ops.divide_no_nan(part, ops.add(part, rest))


class Count(Confusion):
    """Base of the four counts.

    Args:
        thresholds: a number in 0..1 or a list of them; 0.5 if None. With a list the result has one count for each.
        name, dtype: see Metric.
    """

    kind: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        self.init_thresholds = thresholds
        given = thresholds_of(name or type(self).__name__, thresholds, 0.5)
        super().__init__((self.kind,), given, evenly_spaced(given), name=name, dtype=dtype)

    @property
    def accumulator(self) -> Variable:
        """The counts."""
        counts: Variable = getattr(self, self.kind)
        return counts

    def result(self) -> TensorLike:
        return self._alone(self.accumulator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(Count):
    """How many positives were found.

    >>> TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
    array(2., dtype=float32)
    """

    kind = "true_positives"


class FalsePositives(Count):
    """How many negatives were taken for positives.

    >>> FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1])
    array(2., dtype=float32)
    """

    kind = "false_positives"


class TrueNegatives(Count):
    """How many negatives were left alone.

    >>> TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0])
    array(2., dtype=float32)
    """

    kind = "true_negatives"


class FalseNegatives(Count):
    """How many positives were missed.

    >>> FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0])
    array(2., dtype=float32)
    """

    kind = "false_negatives"


class _Share(Confusion):
    """Base of precision and recall."""

    other: str

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self.init_thresholds = thresholds
        default = 0.5 if top_k is None else BELOW_ALL
        given = thresholds_of(name or type(self).__name__, thresholds, default)
        super().__init__(("true_positives", self.other), given, evenly_spaced(given), top_k, class_id, name, dtype)

    def result(self) -> TensorLike:
        return self._alone(share(self.true_positives, getattr(self, self.other)))

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


class Precision(_Share):
    """The share of true ones among what was taken for positive; 0 if nothing was.

    Args:
        thresholds: a number in 0..1 or a list of them; 0.5 if None. With a list the result has one value for each.
        top_k: only the k largest predictions of a row may say yes.
        class_id: the class that is looked at; all if None.
        name, dtype: see Metric.
    Source: Keras 3 `metrics.Precision`.

    >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])
    array(0.6666667, dtype=float32)
    """

    other = "false_positives"


class Recall(_Share):
    """The share of the positives that was found; 0 if there are none.

    Args:
        thresholds, top_k, class_id, name, dtype: see Precision.
    Source: Keras 3 `metrics.Recall`.

    >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])
    array(0.6666667, dtype=float32)
    """

    other = "false_negatives"


ALL_KINDS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class _BestAt(Confusion):
    """Base of: the largest value of one share at thresholds where another is large enough."""

    word: str  # the argument's name

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any):
        label = name or type(self).__name__
        if not 0 <= value <= 1:
            raise ArgumentError(f"{label}: {self.word} lies in 0..1; got {value!r}.")
        if num_thresholds <= 0:
            raise ArgumentError(f"{label}: num_thresholds must be above 0; got {num_thresholds!r}.")
        self.value, self.num_thresholds = value, num_thresholds
        between = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        thresholds = [0.5] if num_thresholds == 1 else [0.0, *between, 1.0]
        super().__init__(ALL_KINDS, thresholds, num_thresholds > 1, None, class_id, name, dtype)

    def shares(self) -> dict[str, TensorLike]:
        """Sensitivity (recall), specificity and precision at each threshold."""
        recall = share(self.true_positives, self.false_negatives)
        return {
            "recall": recall,
            "sensitivity": recall,
            "specificity": share(self.true_negatives, self.false_positives),
            "precision": share(self.true_positives, self.false_positives),
        }

    def best(self, wanted: str) -> TensorLike:
        shares = self.shares()
        allowed = ops.greater_equal(shares[self.word], self.value)
        return ops.max(ops.where(allowed, shares[wanted], 0.0))

    def get_config(self) -> dict[str, Any]:
        own = {"num_thresholds": self.num_thresholds, self.word: self.value, "class_id": self.class_id}
        return {**super().get_config(), **own}


class SensitivityAtSpecificity(_BestAt):
    """The best sensitivity at thresholds whose specificity is at least the given one.

    Args:
        specificity: in 0..1.
        num_thresholds: into how many parts 0..1 is cut.
        class_id: the class that is looked at; all if None.
        name, dtype: see Metric.
    Source: Keras 3 `metrics.SensitivityAtSpecificity`.

    >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    array(0.5, dtype=float32)
    """

    word = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> TensorLike:
        return self.best("sensitivity")


class SpecificityAtSensitivity(_BestAt):
    """The best specificity at thresholds whose sensitivity is at least the given one.

    Args:
        sensitivity: in 0..1.
        num_thresholds, class_id, name, dtype: see SensitivityAtSpecificity.

    >>> SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    array(0.6666667, dtype=float32)
    """

    word = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> TensorLike:
        return self.best("specificity")


class PrecisionAtRecall(_BestAt):
    """The best precision at thresholds whose recall is at least the given one.

    Args:
        recall: in 0..1.
        num_thresholds, class_id, name, dtype: see SensitivityAtSpecificity.

    >>> PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    array(0.5, dtype=float32)
    """

    word = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> TensorLike:
        return self.best("precision")


class RecallAtPrecision(_BestAt):
    """The best recall at thresholds whose precision is at least the given one.

    Args:
        precision: in 0..1.
        num_thresholds, class_id, name, dtype: see SensitivityAtSpecificity.

    >>> RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    array(0.5, dtype=float32)
    """

    word = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> TensorLike:
        return self.best("recall")
