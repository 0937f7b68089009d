"""compile, fit, evaluate, train_on_batch: what they compute and answer. Whom they tell of it: test_training_heard.py."""

from typing import Any

import numpy as np
import pytest

from refnet import callbacks, losses, metrics, ops, optimizers, regularizers, utils
from refnet.errors import ArgumentError
from refnet.layers import Dense, Dropout, Input
from refnet.models import Model, Sequential
from refnet.models.training import Trainer
from refnet.testing.closeness import ELEMENTARY, close

generator = np.random.default_rng(1)
X = generator.standard_normal((11, 4)).astype("float32")
LABELS = generator.integers(0, 3, 11)
ROWS = np.eye(3, dtype="float32")[LABELS]
# A mean of as many logarithms of probabilities, of which each comes by a softmax of 3: a rounding of p is one of 1 in ln p.
CROSS = 2 * (len(X) + 2 * ELEMENTARY + 4)


def classifier(loss: Any = "sparse_categorical_crossentropy", optimizer: Any = "sgd", **more: Any) -> Sequential:
    model = Sequential([Input((4,)), Dense(5, activation="tanh"), Dense(3, activation="softmax")])
    model.compile(optimizer, loss, **{"metrics": ["accuracy"], **more})
    return model


@pytest.mark.api("History", "fit")
def test_history_has_a_value_per_epoch_and_counts_the_partial_batch() -> None:
    model = classifier(optimizer=optimizers.SGD(0.0))
    history = model.fit(X, LABELS, batch_size=4, epochs=2, validation_data=(X[:3], LABELS[:3]), verbose=0)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"] and history.epoch == [0, 1]
    p = model.predict(X)
    hand = -np.log(p[np.arange(11), LABELS])
    close(history.history["loss"], [hand.mean()] * 2, CROSS, 1 + hand.mean())
    close(history.history["val_loss"], [hand[:3].mean()] * 2, CROSS, 1 + hand[:3].mean())
    close(history.history["accuracy"], [np.mean(p.argmax(1) == LABELS)] * 2, 2)
    assert model.history is history and all(type(v) is float for v in history.history["loss"])


@pytest.mark.api("evaluate", "train_on_batch")
def test_what_evaluate_and_train_on_batch_return() -> None:
    model = classifier(optimizer=optimizers.SGD(0.0))
    assert isinstance(model.evaluate(X, LABELS, verbose=0), list) and len(model.evaluate(X, LABELS, verbose=0)) == 2
    named = model.evaluate(X, LABELS, return_dict=True, batch_size=4, verbose=0)
    assert list(named) == ["loss", "accuracy"]
    assert model.metrics_names == ["loss", "accuracy"]
    one = model.train_on_batch(X[:5], LABELS[:5])
    # not a running mean
    assert one == model.test_on_batch(X[:5], LABELS[:5]) != model.train_on_batch(X[5:], LABELS[5:])
    nested = classifier(optimizer=optimizers.SGD(0.0), metrics=[["accuracy"]])
    nested.set_weights(model.get_weights())
    assert nested.evaluate(X, LABELS, verbose=0) == model.evaluate(X, LABELS, verbose=0)
    alone = classifier(metrics=None)
    assert isinstance(alone.evaluate(X, LABELS, verbose=0), float) and isinstance(
        alone.train_on_batch(X, LABELS), float
    )


@pytest.mark.api("accuracy / acc")
@pytest.mark.parametrize(
    ("loss", "y", "activation", "units", "kind"),
    [
        ("sparse_categorical_crossentropy", LABELS, "softmax", 3, metrics.SparseCategoricalAccuracy),
        ("sparse_categorical_crossentropy", LABELS[:, None], "softmax", 3, metrics.SparseCategoricalAccuracy),
        ("categorical_crossentropy", ROWS, "softmax", 3, metrics.CategoricalAccuracy),
        ("binary_crossentropy", LABELS % 2, "sigmoid", 1, metrics.BinaryAccuracy),
        ("binary_crossentropy", (LABELS % 2)[:, None], "sigmoid", 1, metrics.BinaryAccuracy),
    ],
)
def test_accuracy_is_the_one_that_fits(loss: str, y: Any, activation: str, units: int, kind: Any) -> None:
    model = Sequential([Input((4,)), Dense(units, activation=activation)])
    model.compile("sgd", loss, metrics=["acc"])
    result = model.evaluate(X, y, verbose=0, return_dict=True)
    assert type(model.metrics[1]) is kind
    p = model.predict(X)
    right = (p[:, 0] > 0.5) == np.ravel(y) if units == 1 else p.argmax(1) == LABELS
    close(result["acc"], np.mean(right), 2)


@pytest.mark.api("compile", "custom metrics")
def test_metrics_by_name_function_and_class() -> None:
    def largest(y_true: Any, y_pred: Any) -> Any:
        return ops.max(y_pred, axis=-1)

    class Seen(metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name="seen")
            self.count = self.add_variable((), dtype="int32", name="count")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.count.assign_add(ops.cast(ops.shape(y_true)[0], "int32"))

        def result(self) -> Any:
            return self.count.numpy()

    wanted = ["mae", "mean_squared_error", largest, Seen(), metrics.CategoricalAccuracy(), losses.mean_absolute_error]
    model = classifier("mse", metrics=wanted)
    history = model.fit(X, ROWS, batch_size=4, epochs=2, verbose=0).history
    names = ["categorical_accuracy", "largest", "loss", "mae", "mean_absolute_error", "mean_squared_error", "seen"]
    assert list(history) == names and history["seen"] == [11, 11]
    result = model.evaluate(X, ROWS, return_dict=True, verbose=0)
    p = model.predict(X)
    close(result["largest"], p.max(1).mean(), 2 * len(p))
    close(result["mae"], abs(p - ROWS).mean(), 2 * (p.size + 2))
    close(result["mean_absolute_error"], abs(p - ROWS).mean(), 2 * (p.size + 2))
    assert result["loss"] == result["mean_squared_error"]


def test_sample_and_class_weights() -> None:
    model = classifier(optimizer=optimizers.SGD(0.0), weighted_metrics=["accuracy"], metrics=None)
    p, weights = model.predict(X), generator.random(11).astype("float32")
    each = -np.log(p[np.arange(11), LABELS])
    loss, accuracy = model.evaluate(X, LABELS, sample_weight=weights, batch_size=11, verbose=0)
    close(loss, np.mean(each * weights), CROSS + 2, np.mean((1 + each) * weights))
    close(accuracy, np.average(p.argmax(1) == LABELS, weights=weights), 2 * (2 * len(X) + 1))
    by_class = np.array([1.0, 2.0, 0.5])
    history = model.fit(X, LABELS, class_weight=dict(enumerate(by_class)), batch_size=11, verbose=0).history
    close(history["loss"][0], np.mean(each * by_class[LABELS]), CROSS + 2, np.mean((1 + each) * by_class[LABELS]))
    with pytest.raises(ArgumentError, match="sample_weight or class_weight, not both"):
        model.fit(X, LABELS, sample_weight=weights, class_weight={0: 1.0})


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_a_class_without_a_weight_weighs_one(dtype: str) -> None:
    model = classifier(optimizer=optimizers.SGD(0.0))
    labels = LABELS.astype(dtype)
    weights = np.where(LABELS == 1, np.float32(3.0), np.float32(1.0))
    told = {"batch_size": 11, "verbose": 0, "shuffle": False}
    expected = model.fit(X, labels, sample_weight=weights, **told).history["loss"]
    assert model.fit(X, labels, class_weight={1: 3.0}, **told).history["loss"] == expected
    assert (
        model.fit(X, labels[:, None], class_weight={np.int64(1): np.array(3.0), 9: 7}, **told).history["loss"]
        == expected
    )


def test_the_class_of_a_label_with_noise_is_the_nearest() -> None:
    model = Sequential([Input((4,)), Dense(1, activation="sigmoid")])
    model.compile(optimizers.SGD(0.0), "binary_crossentropy")
    labels, told = (
        (LABELS == 1) * np.float32(0.75) + np.float32(0.125),
        {"batch_size": 11, "verbose": 0, "shuffle": False},
    )
    weights = np.where(LABELS == 1, np.float32(3.0), np.float32(0.5))
    expected = model.fit(X, labels, sample_weight=weights, **told).history["loss"]
    assert model.fit(X, labels, class_weight={1: 3.0, 0: 0.5}, **told).history["loss"] == expected


@pytest.mark.api("fit")
def test_validation_split_takes_the_last_samples_before_shuffling() -> None:
    model = classifier(optimizer=optimizers.SGD(0.0))
    history = model.fit(X, LABELS, validation_split=0.3, batch_size=3, verbose=0).history  # floor(11 * 0.7) = 7 and 4
    close(history["val_loss"][0], model.evaluate(X[7:], LABELS[7:], verbose=0)[0], 2 * len(X))
    assert history["loss"][0] == model.evaluate(X[:7], LABELS[:7], verbose=0)[0]


class Watched:
    """An engine's executable that tells `before` of every run_batches."""

    def __init__(self, inner: Any, before: Any):
        self.inner, self.before, self.program, self.run = inner, before, inner.program, inner.run

    def fed(self, data: Any, size: int) -> Any:
        return self.inner.fed(data, size)

    def run_batches(self, data: Any, order: Any, size: int, start: int, stop: int, **more: Any) -> int:
        stop = self.before(order, start, stop)
        at: int = self.inner.run_batches(data, order, size, start, stop, **more)
        return at


def watch(monkeypatch: Any, before: Any) -> None:
    plain = Trainer._executable
    monkeypatch.setattr(Trainer, "_executable", lambda self, kind, batches: Watched(plain(self, kind, batches), before))


def test_each_epoch_has_an_order_of_its_own_that_the_seed_repeats(monkeypatch: Any) -> None:
    seen: list[Any] = []
    runs = []

    def before(order: Any, start: int, stop: int) -> int:
        seen.append(None if order is None else order.copy())
        return stop

    watch(monkeypatch, before)
    for _ in range(2):
        utils.set_random_seed(8)
        model = classifier()
        model.fit(X, LABELS, batch_size=11, epochs=2, verbose=0)
        model.fit(X, LABELS, batch_size=11, epochs=1, verbose=0)
        runs.append(model.get_weights())
    assert all(order.dtype == np.int64 and sorted(order) == list(range(11)) for order in seen)
    first, second = seen[:3], seen[3:]
    assert all(np.array_equal(a, b) for a, b in zip(first, second)) and len({tuple(o) for o in first}) == 3
    assert all(np.array_equal(a, b) for a, b in zip(*runs))
    seen.clear()
    model.fit(X, LABELS, shuffle=False, verbose=0)
    assert seen == [None]


def test_dropout_draws_anew_in_every_step() -> None:
    model = Sequential([Input((4,)), Dropout(0.5)])
    model.compile(optimizers.SGD(0.0), "mse")
    x, zeros = np.ones((6, 4), "float32"), np.zeros((6, 4), "float32")
    assert len({model.train_on_batch(x, zeros) for _ in range(8)}) > 2
    assert model.test_on_batch(x, zeros) == 1


@pytest.mark.api("per-output losses", "compile", "multi-input / multi-output / DAG / shared layers")
def test_several_outputs_with_losses_weights_and_metrics_of_their_own() -> None:
    a = Input((4,))
    h = Dense(3)(a)
    model = Model(a, [Dense(1, name="left")(h), Dense(3, activation="softmax", name="right")(h)])
    y = [X[:, :1], LABELS]
    lost = {"left": "mse", "right": "sparse_categorical_crossentropy"}
    model.compile(optimizers.SGD(0.0), lost, loss_weights=[0.5, 2.0], metrics={"right": ["accuracy"]})
    result = model.evaluate(X, y, return_dict=True, batch_size=4, verbose=0)
    assert list(result) == ["loss", "left_loss", "right_loss", "right_accuracy"]
    left, right = model.predict(X)
    close(result["left_loss"], np.mean((left - X[:, :1]) ** 2), 2 * (11 + 3))
    cross = -np.mean(np.log(right[np.arange(11), LABELS]))
    close(result["right_loss"], cross, CROSS, 1 + cross)
    close(result["loss"], 0.5 * result["left_loss"] + 2 * result["right_loss"], 8)
    assert model.fit(X, {"left": y[0], "right": y[1]}, verbose=0).history["right_accuracy"] == [
        result["right_accuracy"]
    ]


def test_the_metrics_of_several_outputs_come_by_name() -> None:
    """As in Keras 3: loss, the outputs' losses in order, then the rest by their names."""
    h = Dense(3)(a := Input((4,)))
    model = Model(a, [Dense(1, name="second")(h), Dense(1, name="first")(h)])
    model.compile("sgd", ["mse", "mse"], metrics=[["mse", "mae"], ["mae"]])
    model.evaluate(X, [X[:, :1], X[:, :1]], verbose=0)
    named = ["loss", "second_loss", "first_loss", "first_mae", "second_mae", "second_mse"]
    assert model.metrics_names == named
    values = model.evaluate(X, [X[:, :1], X[:, :1]], verbose=0)
    assert dict(zip(named, values)) == model.evaluate(X, [X[:, :1], X[:, :1]], verbose=0, return_dict=True)
    twice = Model(a, model.outputs)
    twice.compile("sgd", ["mse", "mse"], metrics=[["mae", "mae"], []], weighted_metrics=[["mae", "mae"], []])
    shown = twice.evaluate(X, [X[:, :1], X[:, :1]], verbose=0, return_dict=True)
    again = ["second_mae", "second_mae_1", "second_weighted_mae", "second_weighted_mae_1"]
    assert list(shown)[3:] == again and len({shown[key] for key in again}) == 1


def test_regularizers_count_in_training_and_evaluation() -> None:
    model = Sequential([Input((4,)), Dense(2, kernel_regularizer=regularizers.L2(0.1))])
    model.compile(optimizers.SGD(0.0), "mse")
    y = np.zeros((11, 2))
    hand = np.mean(model.predict(X) ** 2) + 0.1 * np.sum(model.get_weights()[0] ** 2)
    close(model.evaluate(X, y, verbose=0), hand, 2 * (y.size + 8 + 5))
    close(model.train_on_batch(X, y), hand, 2 * (y.size + 8 + 5))


@pytest.mark.api("compile")
def test_compiling_again_starts_the_optimizer_but_keeps_the_weights() -> None:
    model = classifier(optimizer="adam")
    model.fit(X, LABELS, verbose=0)
    weights = model.get_weights()
    model.compile("adam", "sparse_categorical_crossentropy")
    assert int(model.optimizer.iterations) == 0 and all(
        np.array_equal(a, b) for a, b in zip(weights, model.get_weights())
    )


def test_an_interrupt_leaves_a_whole_number_of_steps(monkeypatch: Any) -> None:
    def before(order: Any, start: int, stop: int) -> int:
        if start >= 2:
            raise KeyboardInterrupt
        return start + 1

    model = classifier()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        watch(patched, before)
        model.fit(X, LABELS, batch_size=3, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 2
    model.fit(X, LABELS, verbose=0)


def test_an_epoch_of_so_many_batches_goes_on_where_the_last_one_stopped(monkeypatch: Any) -> None:
    seen: list[Any] = []

    def before(order: Any, start: int, stop: int) -> int:
        seen.append((order, start, stop))
        return stop

    watch(monkeypatch, before)
    numbers: list[int] = []
    each = [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: numbers.append(batch))]
    history = classifier().fit(X, LABELS, batch_size=4, epochs=4, steps_per_epoch=2, callbacks=each, verbose=0)
    assert [start for _, start, _ in seen] == [0, 1, 2, 0, 1, 2, 0, 1] and numbers == [0, 1] * 4
    orders = [order for order, _, _ in seen]
    assert orders[0] is orders[2] and orders[3] is orders[5] and not np.array_equal(orders[0], orders[3])
    assert len(history.history["loss"]) == 4 and history.params["steps"] == 2
    seen.clear()
    classifier().fit(X, LABELS, batch_size=4, steps_per_epoch=7, shuffle=False, callbacks=each, verbose=0)
    assert [(order, start) for order, start, _ in seen] == [(None, at % 3) for at in range(7)]


def test_validation_after_some_epochs_and_on_some_batches() -> None:
    model = classifier(optimizer=optimizers.SGD(0.0))
    data = (X, LABELS)
    history = model.fit(*data, epochs=4, validation_data=data, validation_freq=2, verbose=0).history
    assert len(history["loss"]) == 4 and len(history["val_loss"]) == 2
    history = model.fit(
        *data, epochs=4, validation_data=data, validation_freq=[1, 4], validation_steps=2, verbose=0
    ).history
    assert len(history["val_loss"]) == 2
    again = model.fit(*data, validation_data=data, validation_steps=2, validation_batch_size=3, verbose=0).history
    assert again["val_loss"][0] == model.evaluate(X[:6], LABELS[:6], verbose=0)[0]
    with pytest.raises(ArgumentError, match="validation_freq must be an integer of at least 1; got 0"):
        model.fit(*data, validation_data=data, validation_freq=0)
