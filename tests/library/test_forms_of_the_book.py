"""Activations, initializers, regularizers, losses, metrics and optimizers in the forms that the book's programs write them in."""

from typing import Any

import numpy as np
import pytest

from refnet import activations, initializers, losses, metrics, ops, optimizers, regularizers, utils
from refnet.layers import Dense, Embedding, Input
from refnet.models import Model, Sequential
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((12, 4)).astype("float32")
LABELS = RANDOM.integers(0, 3, 12)
ROWS = utils.to_categorical(LABELS, 3)


def trained(loss: Any, y: Any, units: int, activation: Any, optimizer: Any = "rmsprop", **more: Any) -> Any:
    model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(units, activation=activation)])
    model.compile(optimizer=optimizer, loss=loss, **more)
    return model, model.fit(X, y, epochs=3, batch_size=4, verbose=0).history


@pytest.mark.api("relu", "sigmoid", "softmax", "tanh", "linear / None", "selu", "hard_sigmoid")
def test_activations_by_name() -> None:
    due = {
        "relu": np.maximum(X, 0),
        "sigmoid": 1 / (1 + np.exp(-X)),
        "softmax": np.exp(X) / np.exp(X).sum(1, keepdims=True),
        "tanh": np.tanh(X),
        "linear": X,
        "selu": 1.05070098735548 * np.where(X > 0, X, 1.67326324235438 * np.expm1(X)),
        "hard_sigmoid": np.clip(X / 6 + 0.5, 0, 1),
        None: X,
    }
    for name, values in due.items():
        model = Sequential([Input((4,)), Dense(4, activation=name, kernel_initializer="identity")])
        np.testing.assert_array_equal(model.predict(X, verbose=0), model(X))
        agree(model, values, X)
    assert activations.get("selu") is activations.selu


@pytest.mark.api(
    "lecun_normal", "random initialisation", "glorot_uniform, orthogonal, zeros, uniform(-0.05, 0.05), ones"
)
def test_how_weights_start() -> None:
    dense = Dense(300, kernel_initializer="lecun_normal")
    dense.build((None, 200))
    kernel, bias = dense.get_weights()
    error = 200**-0.5 / kernel.size**0.5  # of the mean; the deviation's is smaller
    assert max(abs(kernel.std() - 200**-0.5), abs(kernel.mean())) < 6 * error and not bias.any()
    plain = Dense(300)
    plain.build((None, 200))
    limit = np.sqrt(6 / 500)
    assert abs(plain.get_weights()[0]).max() <= limit and plain.get_weights()[0].std() > 0.5 * limit
    embedding = Embedding(50, 20)
    embedding.build((None, 3))
    assert abs(embedding.get_weights()[0]).max() <= 0.05
    assert initializers.get("orthogonal") and initializers.ones()((2,)).tolist() == [1, 1]


@pytest.mark.api("regularizers.l2", "regularizers.l1", "regularizers.l1_l2", "capacity control")
def test_penalties_are_part_of_the_loss() -> None:
    forms = {
        regularizers.l2(0.001): lambda w: 0.001 * np.sum(w**2),
        regularizers.l1(0.001): lambda w: 0.001 * np.sum(abs(w)),
        regularizers.l1_l2(l1=0.001, l2=0.001): lambda w: 0.001 * np.sum(abs(w) + w**2),
    }
    for regularizer, penalty in forms.items():
        for units in (4, 16):
            model = Sequential([Input((4,)), Dense(units, kernel_regularizer=regularizer), Dense(1)])
            model.compile("rmsprop", "mse")
            y = np.zeros((12, 1), "float32")
            due = np.mean(model.predict(X, verbose=0) ** 2) + penalty(model.layers[0].get_weights()[0])
            close(model.evaluate(X, y, verbose=0), due, 2 * (12 + 4 * units + 6))


@pytest.mark.api("categorical_crossentropy", "sparse_categorical_crossentropy")
def test_one_hot_rows_and_class_numbers_train_alike() -> None:
    weights = []
    for loss, y in (("categorical_crossentropy", ROWS.astype(bool)), ("sparse_categorical_crossentropy", LABELS)):
        utils.set_random_seed(1)
        model, history = trained(loss, y, 3, "softmax", metrics=["accuracy"])
        weights.append(model.get_weights())
        assert set(history) == {"accuracy", "loss"} and history["loss"][-1] < history["loss"][0]
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)


@pytest.mark.api("mse / mean_squared_error", "mae / mean_absolute_error", "NumPy definitions")
def test_errors_of_regression() -> None:
    y = RANDOM.standard_normal((12, 1)).astype("float32")
    for loss, rule in (
        ("mse", np.square),
        ("mean_squared_error", np.square),
        ("mae", abs),
        ("mean_absolute_error", abs),
    ):
        model, history = trained(loss, y, 1, None, metrics=["mae"])
        error = model.predict(X, verbose=0) - y
        close(model.evaluate(X, y, verbose=0)[0], np.mean(rule(error)), 2 * (12 + 4))
        assert history["mean_absolute_error"] == history["mae"]


@pytest.mark.api("binary_crossentropy", "metrics.binary_accuracy", "accuracy / acc", "precision, recall")
def test_yes_or_no() -> None:
    y = (LABELS > 0).astype("float32").reshape(-1, 1)
    model, history = trained(
        losses.binary_crossentropy, 1.05 * y, 1, "sigmoid", metrics=[metrics.binary_accuracy, "Precision", "recall"]
    )
    assert set(history) == {"binary_accuracy", "loss", "Precision", "recall"}
    flat, other = Input((5,)), Input((5,))
    tensor = metrics.binary_crossentropy(flat, other)  # as in the autoencoder of 8.4
    value = Model([flat, other], tensor).predict([np.ones((2, 5)), np.full((2, 5), 0.5)], verbose=0)
    close(value, [np.log(2)] * 2, 2 * ELEMENTARY + 4)
    assert trained("binary_crossentropy", y, 1, None)[1]["loss"][0] > 0  # outputs that nothing squashes
    for word in ("accuracy", "acc"):
        assert word in trained("binary_crossentropy", y, 1, "sigmoid", metrics=[word])[1]


@pytest.mark.api("CTC")
def test_ctc_learns_a_sequence() -> None:
    steps, y = np.arange(6).reshape(1, 6), np.array([[1, 2, 1]])
    model = Sequential([Input((6,), dtype="int32"), Embedding(6, 3)])
    model.compile(optimizers.Adam(0.1), losses.CTC())
    model.fit(steps, y, epochs=40, verbose=0)
    labels, _ = ops.ctc_decode(model.predict(steps, verbose=0), [6], mask_index=0)
    assert [int(i) for i in labels[0, 0] if i >= 0] == [1, 2, 1]


def closeness(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.cast(ops.less(ops.abs(y_true - y_pred), 0.5), "float32"), axis=-1)


@pytest.mark.api("custom metrics", "per-output losses")
def test_several_outputs_and_a_metric_of_ones_own() -> None:
    x = Input((4,))
    age, sex = Dense(1, name="age")(x), Dense(1, activation="sigmoid", name="sex")(x)
    y = [X[:, :1], (X[:, 1:2] > 0).astype("float32")]
    values = []
    for loss, factors in (
        (["mse", "binary_crossentropy"], [0.25, 10.0]),
        ({"age": "mse", "sex": "binary_crossentropy"}, {"age": 0.25, "sex": 10.0}),
    ):
        model = Model(x, [age, sex])
        model.compile("rmsprop", loss, loss_weights=factors, metrics={"age": [closeness]})
        values.append(model.evaluate(X, y, verbose=0, return_dict=True))
    first, second = values
    assert first == second
    close(first["loss"], 0.25 * first["age_loss"] + 10 * first["sex_loss"], 8)
    assert 0 <= first["age_closeness"] <= 1


@pytest.mark.api(
    "'rmsprop'", "optimizers.RMSprop", "argument `lr`", "argument `decay`", "arguments `clipvalue`, (`clipnorm`)"
)
def test_rmsprop_as_it_is_written() -> None:
    for optimizer in (
        "rmsprop",
        optimizers.RMSprop(),
        optimizers.RMSprop(lr=1e-4),
        optimizers.RMSprop(lr=0.0008, clipvalue=1.0, decay=1e-8),
        optimizers.RMSprop(lr=0.0004, clipnorm=1.0),
    ):
        _, history = trained("mse", ROWS, 3, None, optimizer=optimizer)
        assert history["loss"][-1] < history["loss"][0]
    slow = optimizers.SGD(lr=0.5, decay=1.0)
    assert float(slow.lr) == 0.5


@pytest.mark.api(
    "SGD, momentum, mini-batch variants",
    "Adagrad, Adadelta, Adam, Adamax, Nadam",
    "argument `rho`, `momentum`, `nesterov`",
)
@pytest.mark.parametrize(
    "optimizer",
    [
        *("sgd", "adagrad", "adadelta", "adam", "adamax", "nadam", "Adam"),
        optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        optimizers.RMSprop(rho=0.8, momentum=0.5),
    ],
)
def test_the_other_optimizers_learn(optimizer: Any) -> None:
    _, history = trained("mse", ROWS, 3, None, optimizer=optimizer)
    assert history["loss"][-1] < history["loss"][0]
