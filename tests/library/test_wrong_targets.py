"""Targets, losses and weights that do not fit each other or the model: each message is quoted."""

from typing import Any

import numpy as np
import pytest

from refnet import losses, metrics
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.layers import Dense, Input, Reshape
from refnet.models import Model, Sequential
from refnet.testing.closeness import ELEMENTARY, close

X = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4)
LABELS = np.array([0, 1, 2, 0, 1, 2])
ROWS = np.eye(3, dtype="float32")[LABELS]


@pytest.mark.parametrize("deferred", [False, True])
def test_labels_outside_the_classes(classifier: Any, refuses: Any, deferred: bool) -> None:
    model = classifier(deferred=deferred)
    labels = LABELS.copy()
    labels[4] = 3
    message = "fit: labels must be whole numbers in 0..2 for 3 classes; y[4] is 3."
    refuses(model, DataError, message, lambda: model.fit(X, labels))
    labels[4] = -1
    refuses(model, DataError, "y[4] is -1.", lambda: model.fit(X, labels))
    unknown = np.where(LABELS == 2, np.nan, LABELS)
    with pytest.warns(UserWarning, match="y.2. is nan"):
        refuses(model, DataError, "y[2] is nan.", lambda: model.fit(X, unknown))
    half = LABELS + 0.5
    refuses(model, DataError, "y[0] is 0.5.", lambda: model.evaluate(X, half))
    model.fit(X, LABELS, verbose=0)


@pytest.mark.parametrize("deferred", [False, True])
def test_targets_that_are_not_one_hot(classifier: Any, refuses: Any, deferred: bool) -> None:
    model = classifier("categorical_crossentropy", deferred)
    rows = ROWS.copy()
    rows[3] = [2, -1, 0]
    message = (
        "fit: categorical_crossentropy needs one-hot targets (or probabilities): every row in 0..1 with the sum 1; "
        "y[3] is [ 2. -1.  0.], its sum 1."
    )
    refuses(model, DataError, message, lambda: model.fit(X, rows))
    rows[1] = [1, 1, 0]  # the sum alone would be warned of
    refuses(model, DataError, message, lambda: model.fit(X, rows))
    message = (
        "needs targets of the output's shape (None, 3); got y of shape (6,). For class numbers use sparse_categorical"
    )
    refuses(model, ShapeError, message, lambda: model.fit(X, LABELS))
    model.fit(X, ROWS, verbose=0)


@pytest.mark.parametrize("deferred", [False, True])
def test_rows_of_another_sum_are_warned_of_and_weigh_as_much(classifier: Any, deferred: bool) -> None:
    """As in Keras: the book's chapter 7 fits its functional models to drawn rows, and to rows of zeros."""
    model = classifier("categorical_crossentropy", deferred)
    rows = ROWS.copy()
    rows[3] = [1, 1, 0]
    with pytest.warns(UserWarning, match=r"fit: .* one-hot targets.* y\[3\] is \[1. 1. 0.\], its sum 2.") as caught:
        model.fit(X, rows, verbose=0)
    assert caught[0].filename == __file__
    chances = model.predict(X, verbose=0)
    with pytest.warns(UserWarning, match="evaluate: ") as caught:
        loss = model.evaluate(X, rows, verbose=0)
    assert caught[0].filename == __file__
    due = -(rows * np.log(chances)).sum(1).mean()
    close(loss[0], due, 2 * (rows.size + 2 * ELEMENTARY), 2 + due)  # a rounding of p is one of 1 in ln p
    with pytest.warns(UserWarning, match="its sum 0"):
        assert np.reshape(model.evaluate(X, 0 * rows, verbose=0), -1)[0] == 0


def test_one_hot_rows_for_the_sparse_loss(classifier: Any, refuses: Any) -> None:
    model = classifier()
    message = (
        "fit: sparse_categorical_crossentropy needs one class number per sample, shape (None,); got y of shape (6, 3). "
        "One-hot rows go to categorical_crossentropy."
    )
    refuses(model, ShapeError, message, lambda: model.fit(X, ROWS))


def test_targets_of_another_width(classifier: Any, refuses: Any) -> None:
    model = classifier("mse")
    message = "fit: mse needs targets of the output's shape (None, 3); got y of shape (6, 2)."
    refuses(model, ShapeError, message, lambda: model.fit(X, ROWS[:, :2]))


def test_losses_and_metrics_given_wrongly() -> None:
    with pytest.raises(ArgumentError, match="reduction is one of"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(ArgumentError, match="unknown metric 'mean_absolute_eror'. Did you mean 'mean_absolute_error'"):
        metrics.get("mean_absolute_eror")


def test_a_dict_of_targets_with_other_names(refuses: Any) -> None:
    x = Input((4,))
    outputs = [Dense(1, name=name)(x) for name in ("age", "income", "idle")]
    model = Model(x, outputs)
    model.compile("sgd", loss={"age": "mse", "income": "mse"})
    message = (
        "fit: y is a dict with the keys ['age', 'incom']; the model's names are ['age', 'income', 'idle']. "
        "Missing: 'income'. Unknown: 'incom'."
    )
    one = np.zeros(6)
    refuses(model, ArgumentError, message, lambda: model.fit(X, {"age": one, "incom": one}))
    message = "the model's names are ['age', 'income', 'idle']. Unknown: 'sex'."
    refuses(model, ArgumentError, message, lambda: model.fit(X, {"age": one, "income": one, "sex": one}))
    model.fit(X, {"age": one, "income": one}, verbose=0)
    model.fit(X, {"age": one, "income": one, "idle": one}, verbose=0)


def test_weights_of_samples_and_classes(classifier: Any, refuses: Any) -> None:
    model = classifier()
    message = (
        "fit: sample_weight has shape (6, 3); the loss of out has one value per sample, shape (None,), "
        "and its weights must fit them."
    )
    refuses(model, ShapeError, message, lambda: model.fit(X, LABELS, sample_weight=np.ones((6, 3))))
    message = "fit: class_weight is a dict {class: weight}; got [1, 2, 3]."
    refuses(model, ArgumentError, message, lambda: model.fit(X, LABELS, class_weight=[1, 2, 3]))
    model.fit(X, LABELS, sample_weight=np.ones((6, 1)), verbose=0)


def test_whole_numbers_that_are_no_binary_labels(refuses: Any) -> None:
    model = Sequential([Input((4,)), Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    message = "fit: binary_crossentropy needs labels 0 and 1 (or probabilities); y[2] is 2."
    refuses(model, DataError, message, lambda: model.fit(X, LABELS))
    model.fit(X, LABELS > 0, verbose=0)
    model.fit(X, np.minimum(LABELS, 1) * 1.05, verbose=0)  # noise on labels is a known trick


def small(*stack: Any, loss: str) -> Sequential:
    model = Sequential(list(stack), name="net")
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("stack", "loss", "y", "advice"),
    [
        ([Dense(3)], "binary_crossentropy", LABELS, "of one class in several go to sparse_categorical_crossentropy"),
        ([Dense(1)], "binary_crossentropy", ROWS[:, :2], "(class_mode='binary' from a directory)."),
        ([Reshape((2, 2)), Dense(3)], "categorical_crossentropy", ROWS, "a Flatten or global pooling layer before"),
        ([Reshape((2, 2)), Dense(1)], "mse", X[:, :1], "return_sequences=False in the last recurrent layer"),
    ],
)
def test_targets_of_another_shape_say_which_mistake_it_may_be(
    refuses: Any, stack: Any, loss: str, y: Any, advice: str
) -> None:
    model = small(Input((4,)), *stack, loss=loss)
    refuses(model, ShapeError, advice, lambda: model.fit(X, y, verbose=0))


def test_class_numbers_for_one_output_and_a_loss_of_rows(refuses: Any) -> None:
    model = small(Input((4,)), Dense(1), loss="categorical_crossentropy")
    message = "y[0] is [0], its sum 0. The model has one output: binary_crossentropy takes 0 and 1 for it."
    refuses(model, DataError, message, lambda: model.fit(X, LABELS % 2, verbose=0))
