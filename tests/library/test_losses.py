"""Losses: by hand, in training, with weights and masks, what they refuse. Against Keras: tests/peers."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from refnet import losses, ops
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.layers import Dense, Embedding, Input
from refnet.models import Sequential, load_model
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

A, B = np.array([[0.0, 2.0], [1.0, 1.0]], "float32"), np.array([[1.0, 2.0], [3.0, 0.0]], "float32")


def test_reductions_and_weights_by_hand() -> None:
    values = np.array([0.5, 2.5])
    weight = np.array([1.0, 3.0], "float32")

    def loss(reduction: str | None, **more: Any) -> Any:
        return losses.MeanSquaredError(reduction=reduction)(A, B, **more)

    assert loss("none").tolist() == values.tolist() and loss("sum") == 3.0 and loss("mean") == 1.5
    assert loss("sum_over_batch_size", sample_weight=weight) == (0.5 + 7.5) / 2
    assert loss("mean_with_sample_weight", sample_weight=weight) == (0.5 + 7.5) / 4
    assert loss("sum_over_batch_size", mask=[True, False]) == 0.5  # the mean over what counts
    assert loss("sum", mask=[False, True], sample_weight=weight) == 7.5
    assert loss("sum_over_batch_size", mask=[False, False]) == 0.0


@pytest.mark.api("binary_crossentropy")
def test_outputs_that_no_sigmoid_squashed_are_clipped() -> None:
    got = losses.binary_crossentropy([[1.0, 0.0]], [[2.0, -1.0]])
    close(got, [-np.log(float(np.float32(1 - 1e-7)))], 2 * (ELEMENTARY + 2))
    close(losses.binary_crossentropy([[1.0]], [[-3.0]]), [-np.log(1e-7)], 2 * (ELEMENTARY + 2))


def test_ignored_classes_are_left_out_of_the_mean() -> None:
    y_true, y_pred = [0, -1, 1], [[0.5, 0.5], [0.9, 0.1], [0.75, 0.25]]
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    close(float(loss(y_true, y_pred)), (np.log(2) + np.log(4)) / 2, 2 * (ELEMENTARY + 4))


def model_of(loss: Any, units: int = 3, activation: str | None = "softmax") -> Sequential:
    model = Sequential([Input((2,)), Dense(units, activation=activation)])
    model.compile("sgd", loss)
    return model


X = np.array([[0.5, -1.0], [1.0, 0.25], [-0.5, 0.75], [0.0, 1.0]], "float32")
LABELS, ROWS = np.array([0, 1, 2, 1]), np.eye(3, dtype="float32")[[0, 1, 2, 1]]


@pytest.mark.parametrize("name", sorted(losses._CLASSES, key=lambda f: f.__name__), ids=lambda f: f.__name__)
def test_every_loss_trains_by_name(name: Any) -> None:
    """From the name alone: the value falls, and is what the loss object gives for the predictions."""
    labels = name in (losses.sparse_categorical_crossentropy, losses.categorical_generalized_cross_entropy)
    y: Any = LABELS if labels or name is losses.circle else ROWS
    if name is losses.ctc:
        model = Sequential([Input((5,), dtype="int32"), Embedding(4, 3)])
        x, y = np.array([[0, 1, 2, 3, 1], [3, 2, 1, 0, 0]]), np.array([[1, 2], [2, 0]])
    else:
        activation = None if name in (losses.hinge, losses.squared_hinge, losses.log_cosh) else "softmax"
        model, x = model_of("mse", activation=activation), X
    model.compile("sgd", name.__name__)
    due = losses.as_loss(name.__name__)
    assert due is not None
    agree(lambda x: due(y, model(x)), model.evaluate(x, y, verbose=0), x)
    history = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


class Cubed(losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.power(ops.abs(y_true - y_pred), 3), axis=-1)


def test_a_loss_of_ones_own() -> None:
    assert float(Cubed()([[0.0]], [[2.0]])) == 8
    model = model_of(Cubed(name="cubed"))
    due = np.mean(abs(model.predict(X, verbose=0) - ROWS) ** 3)
    close(model.evaluate(X, ROWS, verbose=0), due, 2 * (ROWS.size + 3 + ELEMENTARY))


@dataclasses.dataclass
class Scaled:
    """A loss of the user's own that has no hash."""

    factor: float

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_true - y_pred) * self.factor, -1)


def test_a_loss_may_be_a_callable_without_a_hash() -> None:
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones")])
    model.compile("sgd", Scaled(2.0))
    x, y = np.array([[1.0], [2.0]]), np.array([[0.0], [4.0]])
    assert model.evaluate(x, y, sample_weight=np.array([1.0, 0.5]), verbose=0) == 3
    assert model.fit(x, y, verbose=0).history == {"loss": [5.0]}


def test_names_and_configs() -> None:
    for name, kind in losses.known.items():
        if kind is losses.LossFunctionWrapper:
            continue
        made = losses.get(name)
        if isinstance(kind, type):
            assert losses.deserialize(losses.serialize(made)).get_config() == made.get_config()
    wrapped = losses.LossFunctionWrapper(losses.huber, delta=2.0)
    again = losses.deserialize(losses.serialize(wrapped))
    assert again.fn is losses.huber and again.arguments == {"delta": 2.0}
    assert losses.get("MSE") is losses.mean_squared_error and losses.get(None) is None


def test_a_function_of_ones_own_gets_labels_and_outputs_of_one_rank() -> None:
    """Labels (n,) beside outputs (n, 1): their difference would be n by n, and its mean a loss of something else."""
    shapes = []

    def unlike(y_true: Any, y_pred: Any) -> Any:
        shapes.append((len(y_true.shape), len(y_pred.shape)))
        return ops.mean(ops.square(y_true - y_pred))

    x, y = np.array([[0.0], [1.0], [2.0]], "float32"), np.array([0.0, 1.0, 4.0], "float32")
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones")])
    model.compile("sgd", unlike)
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, y[:, None], verbose=0) == np.float32(4 / 3)
    assert set(shapes) == {(2, 2)}
    assert losses.LossFunctionWrapper(unlike)(y[:, None], y) == 0 and shapes[-1] == (2, 2)
    given = {"a": y, "b": y}
    wrapped = losses.LossFunctionWrapper(lambda true, found: ops.square(true["a"] - found["b"]))
    assert wrapped.call(given, given).tolist() == [0, 0, 0]


def test_a_loss_comes_back_from_a_file(tmp_path: Any) -> None:
    model = model_of(losses.CategoricalFocalCrossentropy(gamma=3.0))
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert again.loss.arguments["gamma"] == 3.0
    assert again.evaluate(X, ROWS, verbose=0) == model.evaluate(X, ROWS, verbose=0)


@pytest.mark.parametrize(
    "error, words, make",
    [
        (ArgumentError, "Did you mean 'huber'", lambda: losses.get("hubber")),
        (ArgumentError, "reduction is one of", lambda: losses.Dice(reduction="average")),
        (ArgumentError, "label_smoothing lies in 0..1", lambda: losses.BinaryCrossentropy(label_smoothing=2.0)),
        (ArgumentError, "q lies between 0 and 1", lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0)),
        (ShapeError, r"ctc needs y_pred of shape \(batch, time, classes\)", lambda: losses.ctc([[1]], [[1.0]])),
        (ShapeError, "one class number for each embedding", lambda: losses.circle(ROWS, ROWS)),
        (
            DataError,
            r"y\[2\] is 5",
            lambda: model_of("sparse_categorical_crossentropy").fit(X, [0, 1, 5, 1], verbose=0),
        ),
        (ShapeError, "needs targets of the output's shape", lambda: model_of("huber").fit(X, ROWS[:, :2], verbose=0)),
        (
            ShapeError,
            "one class number per sample",
            lambda: model_of("categorical_generalized_cross_entropy").fit(X, ROWS, verbose=0),
        ),
    ],
)
def test_errors(error: Any, words: str, make: Any) -> None:
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("name", ["mean_squared_error", "log_cosh", "squared_hinge", "kl_divergence", "poisson"])
def test_a_refusal_names_the_loss(name: str) -> None:
    with pytest.raises(ShapeError, match=rf"{name} cannot combine the shapes \(2, 3\) and \(4, 5\)"):
        getattr(losses, name)(np.ones((2, 3)), np.ones((4, 5)))
    with pytest.raises(DtypeError, match=f"{name}: y_true must hold numbers"):
        getattr(losses, name)(["a", "b"], np.ones((2, 3)))


@pytest.mark.parametrize("from_logits", [False, True])
def test_a_label_that_is_no_class_names_the_loss(from_logits: bool) -> None:
    with pytest.raises(DataError, match=r"^sparse_categorical_crossentropy: indices must lie in 0..1; .* is 7"):
        losses.sparse_categorical_crossentropy([7], [[0.5, 0.5]], from_logits=from_logits)
