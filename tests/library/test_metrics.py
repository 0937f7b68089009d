"""Metrics: by hand, alone and within training, of one's own, saved. Against Keras: tests/peers."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from refnet import losses, metrics, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Dense, Input
from refnet.models import Sequential, load_model
from refnet.testing import close

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((11, 4)).astype("float32")
BITS = (RANDOM.random((11, 1)) > 0.5).astype("float32")
ROWS = np.eye(3, dtype="float32")[RANDOM.integers(0, 3, 11)]
MANY = (RANDOM.random((11, 3)) > 0.5).astype("float32")


def test_counts_by_hand() -> None:
    y_true, y_pred = [0, 1, 1, 0], [0.25, 0.75, 0.5, 1.0]
    counts = {kind: float(getattr(metrics, kind)()(y_true, y_pred)) for kind in ("TruePositives", "FalsePositives")}
    assert counts == {"TruePositives": 1, "FalsePositives": 1}
    assert float(metrics.FalseNegatives(thresholds=0.5)(y_true, y_pred)) == 1  # 0.5 is not above 0.5
    assert metrics.TrueNegatives(thresholds=[0.1, 0.5])(y_true, y_pred).tolist() == [0, 1]
    with pytest.raises(ArgumentError, match="auc: thresholds is a list of numbers in 0..1; got 0.3"):
        metrics.AUC(thresholds=0.3)
    assert float(metrics.Precision()(y_true, y_pred)) == 0.5 == float(metrics.Recall()(y_true, y_pred))
    assert float(metrics.Precision()([0, 0], [0.1, 0.2])) == 0


@pytest.mark.api("ROC AUC")
def test_auc_comes_near_the_exact_area() -> None:
    scores = RANDOM.random(200).astype("float32")
    truth = (RANDOM.random(200) < scores).astype("float32")
    due = roc_auc_score(truth, scores)
    coarse, fine = (abs(float(metrics.AUC(n)(truth, scores)) - due) for n in (10, 2000))
    assert fine <= unresolved(truth, scores, 2000) < 1e-3 < coarse <= unresolved(truth, scores, 10)
    logits = 8 * scores - 4
    away = abs(float(metrics.AUC(from_logits=True)(truth, logits)) - due)
    assert away <= unresolved(truth, 1 / (1 + np.exp(-logits)), 200)


def unresolved(truth: Any, chances: Any, thresholds: int) -> float:
    """How far a straight line between the points of two thresholds may be from any curve that rises between them."""
    edges = np.linspace(0, 1, thresholds)
    there, not_there = (np.histogram(chances[truth == kind], edges)[0] for kind in (1, 0))
    steps = there / there.sum() * (not_there / not_there.sum())
    return float(steps.sum() / 2 + 2 * len(truth) * 2**-24)


@pytest.mark.api("mean average precision")
def test_average_precision_by_thresholds_and_exactly() -> None:
    scores = RANDOM.random((60, 3)).astype("float32").round(2)  # some are equal
    truth = (RANDOM.random((60, 3)) < scores).astype("float32")
    weight = RANDOM.random(60).astype("float32")
    due = average_precision_score(truth, scores, average="macro")
    roundings = 2 * (60 + 60 + 3 + 3)  # counts, the sum over scores, the mean over classes
    exact, counted = metrics.MeanAveragePrecision(capacity=60), metrics.MeanAveragePrecision(num_thresholds=1001)
    for metric in (exact, counted):
        for rows in (slice(0, 25), slice(25, 60)):
            metric.update_state(truth[rows], scores[rows])
    close(exact.result(), due, roundings)
    close(counted.result(), due, roundings)  # no two of these scores are between the same thresholds
    exact.update_state(truth[:1], scores[:1])  # one more than there is room for: the thresholds serve
    more = [np.concatenate([a, a[:1]]) for a in (truth, scores)]
    close(exact.result(), average_precision_score(*more, average="macro"), roundings)
    exact.reset_state()
    weighted = average_precision_score(truth[:, 0], scores[:, 0], sample_weight=weight)
    alone = metrics.MeanAveragePrecision(capacity=100, average=None)
    close(alone(truth[:, 0], scores[:, 0], sample_weight=weight), [weighted], roundings)
    assert np.isnan(metrics.MeanAveragePrecision(capacity=5, average=None)([[0.0], [0.0]], [[0.5], [0.25]]))


class Everything(metrics.Metric):
    """Reads its own state in an update, draws on another metric, and starts from something else than zero."""

    def __init__(self, name: str = "everything", **more: Any):
        super().__init__(name=name, **more)
        self.largest = self.add_variable((), initializer="ones", name="largest")
        self.steps = self.add_weight(name="steps", dtype="int32")
        self.inner = metrics.Mean()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_true - y_pred))))
        self.steps.assign_add(1)
        self.inner.update_state(ops.square(y_true - y_pred))

    def result(self) -> Any:
        return {"largest": self.largest / 2, "steps": self.steps, "mean": self.inner.result()}

    def reset_state(self) -> None:
        super().reset_state()
        self.largest.assign(1.0)


def test_a_metric_of_ones_own_alone_and_in_training() -> None:
    metric = Everything()
    assert len(metric.variables) == 4
    metric.update_state(np.array([1.0, 5.0]), np.array([1.0, 1.0]))
    assert {key: float(v) for key, v in metric(np.array([1.0]), np.array([3.0])).items()} == {
        "largest": 2.0,
        "steps": 2,
        "mean": np.float32((16 + 4) / 3),
    }
    metric.reset_state()
    assert float(metric.largest) == 1 and int(metric.steps) == 0
    model = Sequential([Input((4,)), Dense(3)])
    model.compile("sgd", "mse", metrics=[metric])
    error = abs(model.predict(X, verbose=0) - ROWS)
    values = model.evaluate(X, ROWS, batch_size=4, verbose=0, return_dict=True)
    assert values["steps"] == 3 and values["largest"] == max(1, error.max()) / 2
    close(values["mean"], np.mean(error**2), 2 * (error.size + 2))


@pytest.mark.parametrize("activation", ["sigmoid"])
def test_metrics_in_a_model_are_metrics_alone(activation: str) -> None:
    """Within the step's program, over three batches, the last of them smaller; then alone on the predictions."""
    model = Sequential([Input((4,)), Dense(3, activation=activation)])
    made = [
        *("auc", "precision", metrics.Recall(0.3), metrics.F1Score(), metrics.AUC(curve="PR", multi_label=True)),
        *(metrics.R2Score(), metrics.MeanAveragePrecision(capacity=20), metrics.BinaryIoU(), "kl_divergence"),
        *(metrics.SensitivityAtSpecificity(0.4), metrics.TopKCategoricalAccuracy(2), "mape", metrics.FalsePositives()),
        *(metrics.PearsonCorrelation(), metrics.RootMeanSquaredError(), "cosine_similarity"),
    ]
    model.compile("sgd", "binary_crossentropy", metrics=made)
    values = model.evaluate(X, MANY, batch_size=4, verbose=0, return_dict=True)
    y = model.predict(X, verbose=0)
    alone = [metrics.get(m) if isinstance(m, str) else type(m).from_config(m.get_config()) for m in made]
    for metric, given in zip(alone, made):
        name = given if isinstance(given, str) else given.name
        found = values.get(name, values.get(f"{name}_1"))
        if name == "auc":
            found = values["auc" if metric.curve == "ROC" else "auc_1"]
        np.testing.assert_array_equal(found, metric(MANY, y))
    model.fit(X, MANY, batch_size=4, verbose=0)


def test_weighted_metrics_take_the_weights() -> None:
    model = Sequential([Input((4,)), Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["acc", "mae"], weighted_metrics=["mae", metrics.Recall()])
    weight = np.arange(11, dtype="float32")
    values = model.evaluate(X, BITS, batch_size=4, sample_weight=weight, verbose=0, return_dict=True)
    error = abs(model.predict(X, verbose=0) - BITS)[:, 0]
    close(values["mae"], error.mean(), 2 * (error.size + 2))
    close(values["weighted_mae"], (error * weight).sum() / weight.sum(), 2 * (2 * error.size + 3))
    found = (error < 0.5) & (BITS[:, 0] == 1)
    assert values["recall"] == np.float32((weight * found).sum() / (weight * BITS[:, 0]).sum())


def test_names_and_configs() -> None:
    needed = {"num_classes": 3, "target_class_ids": [0], "specificity": 0.5, "sensitivity": 0.5, "recall": 0.5}
    needed |= {"precision": 0.5, "fn": losses.huber}
    import inspect

    for kind in set(metrics.known.values()):
        if not isinstance(kind, type):
            continue
        required = [
            p.name
            for p in inspect.signature(kind.__init__).parameters.values()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"
        ]
        made = kind(**{name: needed[name] for name in required})
        again = metrics.deserialize(metrics.serialize(made))
        assert type(again) is kind and again.get_config() == made.get_config()
    wrapped = metrics.deserialize(metrics.serialize(metrics.MeanMetricWrapper(metrics.binary_accuracy, threshold=0.25)))
    assert wrapped.fn is metrics.binary_accuracy and wrapped.arguments == {"threshold": 0.25}
    assert metrics.get("acc").name == "accuracy" and metrics.get("MSE").name == "mean_squared_error"


def test_metrics_come_back_from_a_file(tmp_path: Any) -> None:
    model = Sequential([Input((4,)), Dense(3, activation="softmax")])
    model.compile("sgd", "mse", metrics=[metrics.AUC(thresholds=[0.25, 0.5]), "accuracy", metrics.MeanIoU(3)])
    model.compile("sgd", "mse", metrics=[metrics.AUC(thresholds=[0.25, 0.5]), "accuracy", metrics.OneHotMeanIoU(3)])
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert again.evaluate(X, ROWS, verbose=0) == model.evaluate(X, ROWS, verbose=0)


def test_predictions_that_are_no_numbers_count_as_negative() -> None:
    for metric in (metrics.AUC(), metrics.Precision(), metrics.Recall(thresholds=[0.0, 0.5, 1.0])):
        metric.update_state([1, 0, 1], [np.nan, 0.25, 0.75])
        assert np.isfinite(metric.result()).all()
    assert float(metrics.FalseNegatives()([1], [np.nan])) == 1


class Forgetful(metrics.Metric):
    def __init__(self) -> None:
        self.total = metrics.Mean()


@pytest.mark.parametrize(
    "error, words, make",
    [
        (ArgumentError, "Did you mean 'precision'", lambda: metrics.get("precison")),
        (ArgumentError, "curve is 'ROC', 'PR' or 'PRGAIN'", lambda: metrics.AUC(curve="rok")),
        (ArgumentError, "num_thresholds must be above 1", lambda: metrics.AUC(num_thresholds=1)),
        (ArgumentError, "thresholds lie in 0..1", lambda: metrics.Precision(thresholds=[0.5, 2.0])),
        (ArgumentError, "class_id lies in 0..2", lambda: metrics.Recall(class_id=3)(MANY, MANY)),
        (ShapeError, "class_id needs predictions", lambda: metrics.Recall(class_id=0)([1.0], [1.0])),
        (ArgumentError, "specificity lies in 0..1", lambda: metrics.SensitivityAtSpecificity(2.0)),
        (ArgumentError, "average is None, 'micro'", lambda: metrics.F1Score(average="mean")),
        (
            ShapeError,
            r"needs targets and predictions of shape \(samples, classes\)",
            lambda: metrics.F1Score()([1], [1]),
        ),
        (ShapeError, r"shape \(samples, outputs\)", lambda: metrics.R2Score()([1.0], [1.0])),
        (ArgumentError, "class 3 is outside the 3 classes", lambda: metrics.IoU(3, [3])),
        (ArgumentError, "capacity must be at least 1", lambda: metrics.MeanAveragePrecision(capacity=0)),
        (ArgumentError, r"call super\(\).__init__\(\)", Forgetful),
    ],
)
def test_errors(error: Any, words: str, make: Any) -> None:
    with pytest.raises(error, match=words):
        make()
