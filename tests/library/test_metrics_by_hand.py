"""The arguments of metrics beside counts and sums worked out by hand, alone and where a model writes its own step."""

import warnings
from typing import Any

import numpy as np
import pytest

from refnet import metrics, optimizers
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.testing.closeness import ELEMENTARY, close

LN2 = np.log(2.0)


def test_weights_of_places_and_of_samples() -> None:
    values, places = [[1.0, 3.0], [5.0, 7.0]], [[1.0, 0.0], [0.5, 0.5]]
    assert float(metrics.Mean()(values, sample_weight=[1.0, 3.0])) == (2 + 3 * 6) / 4
    assert float(metrics.Mean()(values, sample_weight=places)) == (0.5 + 3) / (0.5 + 0.5)
    assert float(metrics.Sum()(values, sample_weight=[1.0, 0.5])) == 4 + 0.5 * 12
    assert float(metrics.Sum()(values)) == 16
    # A place's weight counts for all that lies behind it: the mean of two numbers, or their sum.
    deep = np.array([[[1.0, 3.0], [5.0, 7.0]]])
    assert float(metrics.Mean()(deep, sample_weight=[[1.0, 0.5]])) == np.float32(2.5 / 0.75)
    assert float(metrics.Sum()(deep, sample_weight=[[1.0, 0.5]])) == 4 + 0.5 * 12
    weighted = metrics.RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [5.0]], sample_weight=[3.0, 1.0])
    close(np.float32(weighted), np.sqrt((27 + 25) / 4), 2 * 6)


def test_accuracies() -> None:
    assert float(metrics.Accuracy()([[1], [2], [3]], [[1], [0], [3]])) == np.float32(2 / 3)
    assert float(metrics.BinaryAccuracy(threshold=0.25)([[1], [1], [0]], [[0.25], [0.5], [0.75]])) == np.float32(1 / 3)
    scores = np.array([[[0.5, 0.25, 0.125], [0.125, 0.25, 0.5]]])
    assert float(metrics.SparseTopKCategoricalAccuracy(k=2)([[1, 0]], scores)) == 0.5  # one of two places
    best = metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    assert float(best([2, 0, 1, 1], [[2, 1, 0], [2, 1, 0], [2, 1, 0], [0, 2, 1]])) == 0.5


def test_only_the_largest_predictions_of_a_row_may_say_yes() -> None:
    """They do, however small they are, unless thresholds are given too."""
    truth, scores = [[1, 1, 0], [0, 1, 0]], [[0.75, 0.875, 0.0], [0.0, 0.1, 0.05]]
    assert float(metrics.Precision(top_k=1)(truth, scores)) == 1
    assert float(metrics.Recall(top_k=1)(truth, scores)) == np.float32(2 / 3)
    assert float(metrics.Precision(top_k=2)(truth, scores)) == 0.75
    assert float(metrics.Recall(thresholds=0.5, top_k=1)(truth, scores)) == np.float32(1 / 3)
    assert float(metrics.Recall(class_id=1)(truth, scores)) == 0.5
    assert float(metrics.Precision(class_id=0)(truth, scores, sample_weight=[0.5, 1.0])) == 1
    assert metrics.Precision(thresholds=[0.8, 0.01])(truth, scores, sample_weight=[1.0, 3.0]).tolist() == [1.0, 5 / 8]


def test_a_prediction_at_a_threshold_is_not_above_it_however_thresholds_are_looked_up() -> None:
    """Even thresholds are counted in buckets, others one by one. NaN is above none, not even the one below 0."""
    truth, scores = [1, 1, 1, 1, 1], [0.0, 0.5, 0.75, 1.0, np.nan]
    assert metrics.TruePositives(thresholds=[0.0, 0.5, 1.0])(truth, scores).tolist() == [3, 2, 0]
    assert metrics.TruePositives(thresholds=[0.0, 0.5, 0.9])(truth, scores).tolist() == [3, 2, 1]
    area = metrics.AUC(3)
    area.update_state(truth, scores)
    assert area.true_positives.numpy().tolist() == [4, 2, 0] and area.false_negatives.numpy().tolist() == [1, 3, 5]


def test_f_beta() -> None:
    """Of class 0: one found, one invented, none missed; of class 1: one found, one missed."""
    truth, scores = [[1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]
    precision, recall, four = np.array([1 / 2, 1]), np.array([1, 1 / 2]), 4.0
    due = (1 + four) * precision * recall / (four * precision + recall)
    small = {
        "roundings": 2 * 10 + 4 / 2**-24 * 1e-7,
        "dtype": "float32",
    }  # Keras's four epsilons of 1e-7 beside numbers of about 1
    close(metrics.FBetaScore(beta=2.0)(truth, scores), due, **small)
    close(metrics.FBetaScore("macro", 2.0)(truth, scores), due.mean(), **small)
    close(metrics.FBetaScore("weighted", 2.0)(truth, scores), (due[0] + 2 * due[1]) / 3, **small)
    close(metrics.FBetaScore("micro", 2.0)(truth, scores), 2 / 3, **small)  # 2 found, 1 invented, 1 missed
    # The second sample weighs twice as much: of class 0 two are invented, of class 1 two missed.
    p, r = np.array([1 / 3, 1]), np.array([1, 1 / 3])
    heavy = 5 * p * r / (4 * p + r)
    weight = [1.0, 2.0, 1.0]
    close(metrics.FBetaScore(beta=2.0)(truth, scores, sample_weight=weight), heavy, **small)
    close(
        metrics.FBetaScore("weighted", 2.0)(truth, scores, sample_weight=weight), (heavy[0] + 3 * heavy[1]) / 4, **small
    )
    close(
        metrics.FBetaScore("weighted", 2.0)(truth, scores, sample_weight=np.array(weight)[:, None]),
        (heavy[0] + 3 * heavy[1]) / 4,
        **small,
    )
    silent = metrics.F1Score()([[1, 0], [1, 0]], [[0.9, 0.1], [0.0, 0.0]])  # a row of zeros says nothing
    close(silent, [2 / 3, 0.0], **small)
    nothing = metrics.FBetaScore(threshold=0.5)
    assert float(nothing.result()) == 0 and nothing.get_config()["beta"] == 1.0


def test_intersections() -> None:
    truth, said = [0, 0, 1, 1, 2, 9], [0, 1, 1, 7, 0, 0]  # 9 and 7 are no classes: what has one is left out
    each = [1 / 3, 1 / 2, 0]
    near = {"roundings": 2 * 8 + 3 / 2**-24 * 1e-7, "dtype": "float32"}
    for number in range(3):
        close(metrics.IoU(3, [number])(truth, said), each[number], **near)
    close(metrics.IoU(3, [0, 1])(truth, said), (1 / 3 + 1 / 2) / 2, **near)
    close(
        metrics.IoU(3, [0, 1], ignore_class=1)([0, 1, 1], [0, 0, 1]), 1.0, **near
    )  # 1 does not occur and is not averaged
    close(metrics.MeanIoU(3)([0, 0], [0, 0]), 1.0, **near)
    weights = [[1, 2, 3], [4, 5, 6]]
    close(
        metrics.IoU(2, [1])([[0, 1, 1], [1, 0, 0]], [[1, 1, 0], [1, 1, 0]], weights),
        (2 + 4) / (1 + 2 + 3 + 4 + 5),
        **near,
    )
    close(metrics.BinaryIoU([1], threshold=0.5)([1, 1, 0], [0.5, 0.25, 0.75]), 1 / 3, **near)


def test_r2_with_weights_and_its_means() -> None:
    truth, said = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]]), np.array([[2.0, 2.0], [3.0, 3.0], [4.0, 8.0]])
    weight = np.array([1.0, 2.0, 1.0])

    def score(w: Any, **more: Any) -> Any:
        return metrics.R2Score(**more)(truth, said, sample_weight=w)

    for w in (weight, weight[:, None], None):
        factor = np.ones(3) if w is None else weight
        mean = factor @ truth / factor.sum()
        spread, left = factor @ (truth - mean) ** 2, factor @ (truth - said) ** 2
        due = 1 - left / spread
        size = (factor @ truth**2) / spread  # squares are summed before the mean's is taken away
        close(score(w, class_aggregation=None), due, 2 * 12, 1 + size)
        close(float(score(w)), due.mean(), 2 * 14, 1 + size.mean())
        varied = score(w, class_aggregation="variance_weighted_average")
        close(float(varied), 1 - left.sum() / spread.sum(), 2 * 16, 1 + size.sum())
    assert float(metrics.R2Score().result()) == 0


def test_the_adjusted_r2_also_in_a_step_of_ones_own() -> None:
    """Within a program the number of samples is not known when the program is written."""

    class Own(Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    x = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]], "float32")
    y = x + np.array([[0.5], [-0.5], [0.0], [0.5], [-0.5]], "float32")
    plain = 1 - 1.0 / np.sum((y - y.mean()) ** 2)
    due = 1 - (1 - plain) * 4 / (5 - 2 - 1)
    for kind in (Sequential, Own):
        model = kind([Input((1,)), Dense(1, kernel_initializer="ones")])
        model.compile(optimizers.SGD(0.0), "mse", metrics=[metrics.R2Score(num_regressors=2)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            history = model.fit(x, y, batch_size=5, epochs=2, verbose=0).history
        close(history["r2_score"], [due] * 2, 2 * 16, 1 + np.sum(y**2) / np.sum((y - y.mean()) ** 2))
    few = metrics.R2Score(num_regressors=3)
    few.update_state(x[:4], y[:4])
    with pytest.warns(UserWarning, match="needs more than num_regressors [+] 1 = 4 values; there are 4") as told:
        value = few.result()
    assert told[0].filename == __file__ and value == metrics.R2Score()(x[:4], y[:4])


def test_concordance_falls_with_the_distance_of_the_means() -> None:
    truth, said = [0.0, 2.0, 4.0], [2.0, 4.0, 6.0]
    due = 2 * (8 / 3) / (8 / 3 + 8 / 3 + 4)
    close(np.float32(metrics.concordance_correlation(truth, said)), due, 2 * 12 + 1e-7 / 2**-24)


CURVE_TRUTH, CURVE_SCORES = [0, 0, 1, 1, 1], [0.2, 0.6, 0.4, 0.7, 0.9]


def points(weight: Any = (1.0,) * 5) -> Any:
    """What is found and invented above each of the thresholds -e, 1/2 and 1 + e."""
    truth, scores, weight = np.array(CURVE_TRUTH), np.array(CURVE_SCORES), np.array(weight)
    above = [scores >= 0, scores > 0.5, scores > 1]
    return np.array([(weight * truth)[a].sum() for a in above]), np.array(
        [(weight * (1 - truth))[a].sum() for a in above]
    )


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
def test_areas_of_a_curve_of_three_points(curve: str, method: str) -> None:
    found, invented = points()
    yes, no = found[0], invented[0]
    recall = found / yes
    if curve == "ROC":
        x, y = invented / no, recall
    elif curve == "PR":
        x, y = recall, np.divide(found, found + invented, out=np.zeros(3), where=found > 0)
    else:
        with np.errstate(all="ignore"):
            gains = [1 - yes / no * wrong / found for wrong in (yes - found, invented)]
        x, y = np.maximum(np.where(found > 0, gains[0], 0), 0), np.where(found > 0, gains[1], 1)
    pairs = {
        "minoring": np.minimum(y[:-1], y[1:]),
        "majoring": np.maximum(y[:-1], y[1:]),
        "interpolation": (y[:-1] + y[1:]) / 2,
    }
    due = np.sum((x[:-1] - x[1:]) * pairs[method])
    if curve == "PR" and method == "interpolation":
        # From (2 found, 1 invented) to (3, 2) found grows by slope 1/2 of what is taken, beginning at 1/2:
        # the integral of (1/2 + 1/(4 taken)) d(taken)... = slope * (1 + intercept * ln(5 / 3)); the step to (0, 0) is 2 * 2/3.
        due = (0.5 * (1 + 0.5 * np.log(5 / 3)) + (2 / 3) * 2) / 3
    close(metrics.AUC(3, curve, method)(CURVE_TRUTH, CURVE_SCORES), due, 2 * (12 + ELEMENTARY), 2.0, dtype="float32")


def test_a_gain_of_recall_is_not_below_0() -> None:
    """Above 1/2 lie 1 of 4 positives and 1 of 2 negatives: its gain would be 1 - 4 / 2 * 3 / 1, that of precision is 1 - 4 / 2."""
    truth, scores = [1, 1, 1, 1, 0, 0], [0.9, 0.1, 0.2, 0.3, 0.8, 0.4]
    close(float(metrics.AUC(3, "PRGAIN")(truth, scores)), (1 - 0) * (0 - 1) / 2, 2 * 12)


def test_weights_of_labels() -> None:
    """Of several curves they weigh the areas, of one curve the predictions of a column."""
    truth, scores = [[0, 1], [1, 0]], [[0.2, 0.2], [0.8, 0.8]]  # the areas are 1 and 0
    close(float(metrics.AUC(3, multi_label=True)(truth, scores)), 0.5, 2 * 8)
    close(float(metrics.AUC(3, multi_label=True, label_weights=[3, 1])(truth, scores)), 0.75, 2 * 8)
    # Above 1/2 are 3 of 4 positives' weight and 1 of 4 negatives'.
    close(float(metrics.AUC(3, label_weights=[3, 1])(truth, scores)), 0.25 * 0.75 / 2 + 0.75 * (0.75 + 1) / 2, 2 * 8)
    given = metrics.AUC(3, multi_label=True, num_labels=2, label_weights=[3, 1]).get_config()
    assert given["label_weights"] == [3.0, 1.0] and metrics.AUC.from_config(given).label_weights.tolist() == [3.0, 1.0]


def test_the_best_share_where_another_is_just_large_enough() -> None:
    """At the threshold 1/2 specificity is 2/4, sensitivity 2/2; above, at 1, both are 1 and 0."""
    truth, scores = [0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.7, 0.6, 0.9]
    assert float(metrics.SensitivityAtSpecificity(0.5, 3)(truth, scores)) == 1
    assert float(metrics.SensitivityAtSpecificity(0.75, 3)(truth, scores)) == 0
    assert float(metrics.SpecificityAtSensitivity(1.0, 3)(truth, scores)) == 0.5
    assert float(metrics.PrecisionAtRecall(1.0, 3)(truth, scores)) == 0.5
    assert float(metrics.RecallAtPrecision(0.5, 3)(truth, scores)) == 1
    assert float(metrics.RecallAtPrecision(0.75, 1)(truth, scores)) == 0  # one threshold, 1/2


def test_average_precision_counts_equal_scores_together_and_begins_anew() -> None:
    """Of 3/4 both: 1 of 2 is right; then at 1/4 the last, 2 of 3."""
    truth, scores = [[1], [0], [1]], [[0.75], [0.75], [0.25]]
    metric = metrics.MeanAveragePrecision(capacity=3, average=None)
    close(metric(truth, scores), [0.5 * 0.5 + 0.5 * 2 / 3], 2 * 6)
    metric.reset_state()
    close(metric([[1], [1], [0]], scores), [1.0], 2 * 6)  # as many samples as before
    full = metrics.MeanAveragePrecision(num_thresholds=3, capacity=2)  # no threshold lies between the scores
    assert float(full([[0], [1]], [[0.6], [0.7]])) == 1
    close(float(full([[0]], [[0.8]])), 1 / 3, 2 * 6)  # beyond the capacity the thresholds serve: 1 of 3 above 1/2
    logits = metrics.MeanAveragePrecision(num_thresholds=3, from_logits=True)
    close(float(logits(truth, [[1.0], [1.0], [-1.0]])), 0.5 * 0.5 + 0.5 * 2 / 3, 2 * 6)
    assert float(metrics.MeanAveragePrecision().result()) == 0


def test_an_ignored_class_counts_as_0_or_with_weights_not_at_all() -> None:
    """As in Keras."""
    p = [[0.5, 0.5], [0.25, 0.75]]
    ignoring = metrics.SparseCategoricalCrossentropy(ignore_class=-1)
    close(float(ignoring([0, -1], p)), LN2 / 2, 2 * 12)
    ignoring.reset_state()
    close(float(ignoring([0, -1], p, sample_weight=[1.0, 5.0])), LN2, 2 * 12)


class Nothing(metrics.Metric):
    """Says neither how it is updated nor what comes of it."""


class Hasty(metrics.Metric):
    def __init__(self) -> None:
        self.add_variable((), name="early")


@pytest.mark.parametrize(
    "error, words, make",
    [
        (NotImplementedError, "Nothing has no update_state", lambda: Nothing()([1.0])),
        (NotImplementedError, "Nothing has no result", lambda: Nothing().result()),
        (ArgumentError, r"Hasty: call super\(\).__init__\(\)", Hasty),
        (ArgumentError, "summation_method is one of", lambda: metrics.AUC(summation_method="middle")),
        (ArgumentError, "num_labels is for multi_label=True", lambda: metrics.AUC(num_labels=2)),
        (ArgumentError, r"thresholds lie in 0..1; got \[0.5, 1.5\]", lambda: metrics.AUC(thresholds=[1.5, 0.5])),
        (ShapeError, r"\(batch, labels\); got \(2,\)", lambda: metrics.AUC(multi_label=True)([0, 1], [0.1, 0.9])),
        (ShapeError, r"\(batch, labels\); got \(1, 1, 2\)", lambda: metrics.AUC(multi_label=True, num_labels=2)([[[0, 1]]], [[[0.1, 0.9]]])),
        (ArgumentError, "average is 'macro' or None; got 'micro'", lambda: metrics.MeanAveragePrecision(average="micro")),
        (ShapeError, r"shape \(batch, classes\).*got \(2, 1\) and \(2, 2\)", lambda: metrics.MeanAveragePrecision()([0, 1], [[0.1, 0.9]] * 2)),
        (ArgumentError, "num_thresholds must be above 0; got 0", lambda: metrics.RecallAtPrecision(0.5, 0)),
        (ArgumentError, "beta must be a number above 0; got 0", lambda: metrics.FBetaScore(beta=0)),
        (ArgumentError, "threshold lies in 0..1, above 0; got 0", lambda: metrics.F1Score(threshold=0)),
        (ArgumentError, "class_aggregation is 'uniform_average'", lambda: metrics.R2Score("mean")),
        (ArgumentError, "num_regressors must not be below 0; got -1", lambda: metrics.R2Score(num_regressors=-1)),
    ],
)  # fmt: skip
def test_errors(error: Any, words: str, make: Any) -> None:
    with pytest.raises(error, match=words):
        make()
    assert repr(metrics.Mean("loss")) == "<Mean name=loss>"
