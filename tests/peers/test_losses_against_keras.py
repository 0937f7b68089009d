"""Losses and metrics against the installed Keras: same arguments, same arrays, equal values.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

from typing import Any

import numpy as np
import pytest

from refnet import losses as our_losses
from refnet import metrics as our_metrics
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

pytestmark = pytest.mark.peers

RANDOM = np.random.default_rng(0)
A, B = RANDOM.standard_normal((2, 6, 4)).astype("float32")
P = RANDOM.random((6, 4)).astype("float32")
ROWS = P / P.sum(axis=1, keepdims=True)
Q = RANDOM.random((6, 4)).astype("float32")
ROWS_2 = Q / Q.sum(axis=1, keepdims=True)
BITS = (RANDOM.random((6, 4)) > 0.5).astype("float32")
ONE_HOT = np.eye(4, dtype="float32")[RANDOM.integers(0, 4, 6)]
CLASSES = RANDOM.integers(0, 4, 6)
HOLES = np.array([0, 3, -1, 2, -1, 1])
UNIT = A / np.linalg.norm(A, axis=1, keepdims=True)
WEIGHT = np.array([0.0, 1.0, 2.0, 0.5, 1.5, 3.0], "float32")
SEQUENCES, LABELS = RANDOM.standard_normal((3, 7, 5)).astype("float32"), np.array([[1, 2, 0], [3, 3, 1], [4, 0, 0]])
IMAGES, BIT_IMAGES = (
    RANDOM.random((3, 4, 4, 2)).astype("float32"),
    (RANDOM.random((3, 4, 4, 2)) > 0.5).astype("float32"),
)

LOSSES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("MeanSquaredError", {}, A, B),
    ("MeanAbsoluteError", {}, A, B),
    ("MeanAbsolutePercentageError", {}, A, B),
    ("MeanSquaredLogarithmicError", {}, P, Q),
    ("CosineSimilarity", {}, A, B),
    ("Huber", {}, A, B),
    ("Huber", {"delta": 0.5}, A, B),
    ("LogCosh", {}, A, B),
    ("Hinge", {}, BITS, A),
    ("Hinge", {}, 2 * BITS - 1, A),
    ("SquaredHinge", {}, BITS, A),
    ("CategoricalHinge", {}, ONE_HOT, A),
    ("KLDivergence", {}, ROWS, ROWS_2),
    ("Poisson", {}, np.floor(5 * P), Q),
    ("BinaryCrossentropy", {}, BITS, P),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, BITS, A),
    ("BinaryCrossentropy", {}, BITS, 3 * A),  # outputs that no sigmoid has squashed are clipped
    ("BinaryFocalCrossentropy", {}, BITS, P),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 3.0, "from_logits": True}, BITS, A),
    ("CategoricalCrossentropy", {}, ONE_HOT, ROWS),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT, A),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, ROWS),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 1.0, "alpha": 0.5}, ONE_HOT, A),
    ("SparseCategoricalCrossentropy", {}, CLASSES, ROWS),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, CLASSES, A),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1}, HOLES, ROWS),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.3}, CLASSES, ROWS),
    ("Dice", {"axis": (1, 2, 3)}, BIT_IMAGES, IMAGES),
    ("Dice", {}, BIT_IMAGES, IMAGES),
    ("Tversky", {"alpha": 0.3, "beta": 0.7, "axis": (1, 2)}, BIT_IMAGES, IMAGES),
    ("Circle", {}, CLASSES, UNIT),
    ("Circle", {"gamma": 4.0, "margin": 0.2, "remove_diagonal": False}, CLASSES, UNIT),
    ("CTC", {}, LABELS, SEQUENCES),
]


def near(got: Any, due: Any, y: Any) -> None:
    """Sums of as many terms as `y` has numbers, each by two elementary functions at most; where they cancel they are up to 1."""
    close(np.asarray(got), due, 2 * (np.size(y) + 2 * ELEMENTARY), np.maximum(np.abs(due), 1), dtype="float32")


def plain(value: Any) -> Any:
    return value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)


@pytest.mark.parametrize("name, arguments, y_true, y_pred", LOSSES, ids=lambda x: x if isinstance(x, str) else "")
def test_losses_and_their_functions(name: str, arguments: dict[str, Any], y_true: Any, y_pred: Any) -> None:
    import keras

    for reduction in ("sum_over_batch_size", "sum", "none"):
        ours = getattr(our_losses, name)(**arguments, reduction=reduction)
        theirs = getattr(keras.losses, name)(**arguments, reduction=reduction)
        if name == "Circle":  # rounding decides more of its comparisons than a certificate follows
            near(ours(y_true, y_pred), plain(theirs(y_true, y_pred)), y_pred)
            near(ours(y_true, y_pred, WEIGHT), plain(theirs(y_true, y_pred, sample_weight=WEIGHT)), y_pred)
            continue
        agree(ours, plain(theirs(y_true, y_pred)), y_true, y_pred)
        if name not in ("Dice", "Tversky", "CTC"):
            weighted = plain(theirs(y_true, y_pred, sample_weight=WEIGHT))
            agree(ours, weighted, y_true, y_pred, sample_weight=WEIGHT)
    assert ours.name == theirs.name


def test_means_by_the_sum_of_weights() -> None:
    import keras

    ours = our_losses.MeanSquaredError(reduction="mean_with_sample_weight")
    theirs = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    agree(ours, plain(theirs(A, B, sample_weight=WEIGHT)), A, B, sample_weight=WEIGHT)


def test_every_loss_of_keras_is_there_and_compared() -> None:
    import keras

    theirs = {n for n in dir(keras.losses) if isinstance(getattr(keras.losses, n), type)} - {"Loss"}
    assert theirs == {name for name, *_ in LOSSES}
    functions = {n for n in dir(keras.losses) if callable(getattr(keras.losses, n)) and n not in theirs} - {"Loss"}
    assert functions <= set(dir(our_losses))


SCORES = RANDOM.random(40).astype("float32").round(2)  # some at the thresholds, some equal
TRUTH = (RANDOM.random(40) > 0.4).astype("float32")
MATRIX, TRUTHS = RANDOM.random((10, 4)).astype("float32"), (RANDOM.random((10, 4)) > 0.5).astype("float32")
WEIGHTS = RANDOM.random(40).astype("float32")
MASKS, SAID = RANDOM.integers(0, 3, (2, 2, 5, 6))
SCORE_MASKS = RANDOM.random((2, 5, 6, 3)).astype("float32")

METRICS: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("Accuracy", {}, CLASSES, HOLES),
    ("BinaryAccuracy", {"threshold": 0.3}, BITS, P),
    ("CategoricalAccuracy", {}, ONE_HOT, A),
    ("SparseCategoricalAccuracy", {}, CLASSES, A),
    ("SparseCategoricalAccuracy", {}, MASKS, SCORE_MASKS),
    ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT, A),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, CLASSES, A),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, MASKS, SCORE_MASKS),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, CLASSES, np.argsort(-A, axis=1)),
    ("MeanSquaredError", {}, A, B),
    ("MeanAbsoluteError", {}, A, B),
    ("MeanAbsolutePercentageError", {}, A, B),
    ("MeanSquaredLogarithmicError", {}, P, Q),
    ("RootMeanSquaredError", {}, A, B),
    ("CosineSimilarity", {}, A, B),
    ("LogCoshError", {}, A, B),
    ("R2Score", {}, A, B),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, A, B),
    ("R2Score", {"class_aggregation": None, "num_regressors": 2}, A, B),
    ("PearsonCorrelation", {}, A, B),
    ("ConcordanceCorrelation", {}, A, B),
    ("KLDivergence", {}, ROWS, ROWS_2),
    ("Poisson", {}, np.floor(5 * P), Q),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, BITS, P),
    ("CategoricalCrossentropy", {"from_logits": True}, ONE_HOT, A),
    ("SparseCategoricalCrossentropy", {}, CLASSES, ROWS),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1}, HOLES, ROWS),
    ("Hinge", {}, BITS, A),
    ("SquaredHinge", {}, BITS, A),
    ("CategoricalHinge", {}, ONE_HOT, A),
    ("TruePositives", {}, TRUTH, SCORES),
    ("FalsePositives", {"thresholds": [0.2, 0.5, 0.7]}, TRUTH, SCORES),
    ("TrueNegatives", {"thresholds": [0.0, 0.5, 1.0]}, TRUTH, SCORES),
    ("FalseNegatives", {"thresholds": 0.25}, TRUTH, SCORES),
    ("Precision", {}, TRUTH, SCORES),
    ("Precision", {"thresholds": [0.1, 0.9]}, TRUTH, SCORES),
    ("Precision", {"top_k": 2, "class_id": 1}, TRUTHS, MATRIX),
    ("Precision", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, TRUTHS, MATRIX),
    ("Recall", {"top_k": 3}, TRUTHS, MATRIX),
    ("Recall", {"class_id": 2, "thresholds": 0.3}, TRUTHS, MATRIX),
    ("SensitivityAtSpecificity", {"specificity": 0.6}, TRUTH, SCORES),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "num_thresholds": 1}, TRUTH, SCORES),
    ("PrecisionAtRecall", {"recall": 0.6, "num_thresholds": 11}, TRUTH, SCORES),
    ("RecallAtPrecision", {"precision": 0.5, "class_id": 1}, TRUTHS, MATRIX),
    ("AUC", {}, TRUTH, SCORES),
    ("AUC", {"num_thresholds": 5, "summation_method": "minoring"}, TRUTH, SCORES),
    ("AUC", {"num_thresholds": 21, "summation_method": "majoring"}, TRUTH, SCORES),
    ("AUC", {"curve": "PR"}, TRUTH, SCORES),
    ("AUC", {"curve": "PR", "summation_method": "majoring", "num_thresholds": 9}, TRUTH, SCORES),
    ("AUC", {"curve": "PRGAIN", "num_thresholds": 9}, TRUTH, SCORES),
    ("AUC", {"thresholds": [0.1, 0.35, 0.8]}, TRUTH, SCORES),
    ("AUC", {"multi_label": True}, TRUTHS, MATRIX),
    (
        "AUC",
        {"multi_label": True, "num_labels": 4, "label_weights": [1.0, 2.0, 0.0, 1.0], "curve": "PR"},
        TRUTHS,
        MATRIX,
    ),
    ("AUC", {"multi_label": True, "thresholds": [0.1, 0.35]}, TRUTHS, MATRIX),
    ("AUC", {"from_logits": True}, TRUTH, 3 * SCORES - 1),
    ("F1Score", {}, TRUTHS, MATRIX),
    ("F1Score", {"average": "micro", "threshold": 0.4}, TRUTHS, MATRIX),
    ("FBetaScore", {"average": "macro", "beta": 0.5, "threshold": 0.4}, TRUTHS, MATRIX),
    ("FBetaScore", {"average": "weighted", "beta": 2.0}, TRUTHS, MATRIX),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, MASKS, SAID),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2], "ignore_class": 1}, MASKS, SAID),
    ("BinaryIoU", {"threshold": 0.4}, TRUTHS, MATRIX),
    ("MeanIoU", {"num_classes": 5}, MASKS, SAID),
    ("MeanIoU", {"num_classes": 3, "sparse_y_pred": False}, MASKS, SCORE_MASKS),
    ("OneHotIoU", {"num_classes": 3, "target_class_ids": [1]}, np.eye(3)[MASKS], SCORE_MASKS),
    ("OneHotMeanIoU", {"num_classes": 3}, np.eye(3)[MASKS], SCORE_MASKS),
]


def weights(name: str, y_true: Any) -> Any:
    """A weight for each sample; of images, and where regions are compared, one for each place. IoU takes whole numbers."""
    places = (
        y_true.shape[:-1]
        if "OneHot" in name
        else y_true.shape
        if np.ndim(y_true) == 3 or "IoU" in name
        else len(y_true)
    )
    count = np.arange(np.prod(places)).reshape(places) % 3
    return count if "IoU" in name else (count + 0.5).astype("float32")


@pytest.mark.parametrize("name, arguments, y_true, y_pred", METRICS, ids=lambda x: x if isinstance(x, str) else "")
def test_metrics_over_two_batches(name: str, arguments: dict[str, Any], y_true: Any, y_pred: Any) -> None:
    import keras

    half = len(y_true) // 2 or 1
    for weighted in (False, True):
        ours, theirs = getattr(our_metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
        for rows in (slice(0, half), slice(half, None)):
            more = {"sample_weight": weights(name, y_true[rows])} if weighted else {}
            ours.update_state(y_true[rows], y_pred[rows], **more)
            theirs.update_state(y_true[rows], y_pred[rows], **more)
        near(ours.result(), plain(theirs.result()), y_pred)
        ours.reset_state()
        assert all(not v.numpy().any() for v in ours.variables)
    if name not in ("AUC",) and not name.endswith("IoU"):
        assert ours.name == theirs.name or theirs.name.startswith(ours.name)


def test_every_metric_of_keras_is_there_and_compared() -> None:
    import keras

    theirs = {n for n in dir(keras.metrics) if isinstance(getattr(keras.metrics, n), type)}
    assert theirs - {"Metric", "Mean", "Sum", "MeanMetricWrapper"} == {name for name, *_ in METRICS}
    functions = {n for n in dir(keras.metrics) if callable(getattr(keras.metrics, n)) and n not in theirs}
    assert functions <= set(dir(our_metrics))


@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_reductions(name: str) -> None:
    import keras

    ours, theirs = getattr(our_metrics, name)(), getattr(keras.metrics, name)()
    for values, weight in ((A, None), (A, WEIGHT), (A, np.abs(B)), (WEIGHT, WEIGHT)):
        ours.update_state(values, weight)
        theirs.update_state(values, weight)
        near(ours.result(), plain(theirs.result()), A)


def test_configs_of_metrics_and_losses_are_read_by_keras_and_back() -> None:
    import keras

    for ours, theirs, table in ((our_metrics, keras.metrics, METRICS), (our_losses, keras.losses, LOSSES)):
        for name, arguments, y_true, y_pred in table:
            if name == "CategoricalGeneralizedCrossEntropy" or arguments.get("label_weights"):
                continue  # which Keras 3.15 does not read from its own configs
            config = ours.serialize(getattr(ours, name)(**arguments))
            due = plain(getattr(theirs, name)(**arguments)(y_true, y_pred))
            np.testing.assert_array_equal(plain(theirs.deserialize(config)(y_true, y_pred)), due)
            written = theirs.serialize(getattr(theirs, name)(**arguments))
            kept = plain(theirs.deserialize(written)(y_true, y_pred))  # Keras leaves Huber's delta out
            near(ours.deserialize(written)(y_true, y_pred), kept, y_pred)
