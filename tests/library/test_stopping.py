"""`stop_training` set by a callback: training ends after the batch in which it is found, as Keras 3 does it. When EarlyStopping does."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refnet import callbacks
from refnet.callbacks.watching import Watch
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential

X, Y = np.ones((8, 2), "float32"), np.zeros((8, 1), "float32")


def steps(callback: Any, batchwise: bool = False, **more: Any) -> tuple[int, int]:
    """How many epochs and batches of two samples a model trains that was stopped once before."""
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    model.stop_training = True
    x, y = (iter([(X[:2], Y[:2])] * 12), None) if batchwise else (X, Y)
    more = {"steps_per_epoch": 4, **more} if batchwise else {"batch_size": 2, **more}
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[callback], **more)
    return len(history.epoch), int(model.optimizer.iterations)


@pytest.mark.parametrize("batchwise", [False, True])
@pytest.mark.parametrize("method", ["on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end"])
def test_from_the_first_method_on(method: str, batchwise: bool) -> None:
    def stop(self: Any, *args: Any, **kwargs: Any) -> None:
        self.model.stop_training = True

    callback: Any = type("Stop", (callbacks.Callback,), {method: stop})()
    assert steps(callback, batchwise) == (1, 1)


class After(callbacks.Callback):
    def __init__(self, batches: int):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        self.model.stop_training = self.left == 0


@pytest.mark.parametrize("batchwise", [False, True])
@pytest.mark.parametrize("batches", range(1, 13))
def test_at_any_batch(batches: int, batchwise: bool) -> None:
    """An epoch of six batches goes over the end of a pass of four; the fourth batch is its last."""
    assert steps(After(batches), batchwise, steps_per_epoch=6) == (-(-batches // 6), batches)


def watched(values: list[float], **arguments: Any) -> tuple[int, int]:
    """How many epochs run of a model whose loss has these values, and whose weights it has in the end: those of which epoch."""
    kept = {"epoch": -1}
    model = SimpleNamespace(
        stop_training=False, get_weights=lambda: kept["epoch"], set_weights=lambda epoch: kept.update(epoch=epoch)
    )
    stop = callbacks.EarlyStopping("loss", mode="min", **arguments)
    stop.set_model(model)
    stop.on_train_begin()
    for epoch, value in enumerate(values):
        kept["epoch"] = epoch
        stop.on_epoch_end(epoch, {"loss": value})
        if model.stop_training:
            break
    stop.on_train_end()
    return epoch + 1, kept["epoch"]


@pytest.mark.api("EarlyStopping")
def test_early_stopping_goes_on_while_the_value_gets_better_though_not_beyond_the_baseline() -> None:
    """As in Keras 3: patience runs from the first epoch until the baseline is beaten, and ends at one that is not better."""
    assert watched([9.0, 8.0, 7.0, 6.0, 5.0, 5.0, 4.0], patience=2, baseline=1.0) == (6, 5)
    assert watched([9.0, 8.0, 0.5, 0.7, 0.6, 0.6, 0.6], patience=2, baseline=1.0) == (5, 4)
    assert watched([9.0, 9.0, 9.0], patience=2, baseline=1.0) == (2, 1)


@pytest.mark.api("EarlyStopping")
def test_early_stopping_puts_the_first_weights_back_where_no_loss_is_a_number() -> None:
    nan = float("nan")
    assert watched([nan, nan, nan, nan], patience=2, restore_best_weights=True) == (2, 0)
    assert watched([nan, 3.0, nan, nan, nan], patience=2, restore_best_weights=True) == (4, 1)
    assert watched([nan, nan, nan], patience=2, restore_best_weights=True, start_from_epoch=1) == (3, 1)


@pytest.mark.api("EarlyStopping")
def test_every_fit_begins_with_no_best_value_and_no_patience_spent() -> None:
    model = Sequential([Input((2,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    stop = callbacks.EarlyStopping("loss", patience=1, min_delta=100.0, restore_best_weights=True)
    for _ in range(2):  # the second fit is better than the first by less than 100
        assert len(model.fit(X, Y, epochs=5, verbose=0, callbacks=[stop]).epoch) == 2
        assert stop.stopped_epoch == 1 and stop.best_epoch == 0
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, cooldown=3, min_delta=100.0)
    model.optimizer.learning_rate = 0.5
    rates = [model.fit(X, Y, epochs=3, verbose=0, callbacks=[plateau]).history["learning_rate"] for _ in range(2)]
    assert rates == [[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]] and float(model.optimizer.learning_rate) == 0.125


def test_a_second_run_that_begins_worse_is_not_held_to_the_first() -> None:
    stop, model = callbacks.EarlyStopping("loss", patience=1, mode="min"), SimpleNamespace(stop_training=False)
    stop.set_model(model)
    for values in ([2.0, 1.0], [9.0, 8.0, 7.0]):
        stop.on_train_begin()
        for epoch, value in enumerate(values):
            stop.on_epoch_end(epoch, {"loss": value})
        assert not model.stop_training and stop.best == values[-1]


def rates_of(values: list[float], **arguments: Any) -> list[float]:
    """The learning rate after each epoch of a model whose loss has these values; it begins with 8."""
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 8.0
    plateau = callbacks.ReduceLROnPlateau("loss", mode="min", min_delta=0.0, **arguments)
    plateau.set_model(model)
    plateau.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        plateau.on_epoch_end(epoch, {"loss": value})
        found.append(float(model.optimizer.learning_rate))
    return found


def test_a_plateau_waits_its_patience_and_then_its_cooldown() -> None:
    """As in Keras 3: the epoch in which the cooldown ends counts towards the patience already."""
    still = [1.0] * 9
    assert rates_of(still, factor=0.5, patience=2) == [8, 8, 4, 4, 2, 2, 1, 1, 0.5]
    assert rates_of(still, factor=0.5, patience=2, cooldown=2) == [8, 8, 4, 4, 4, 2, 2, 2, 1]
    assert rates_of(still, factor=0.25, patience=1, min_lr=3.0) == [8, *[3.0] * 8]
    assert rates_of([1.0, 1.0, 0.5, 0.5, 0.5], factor=0.5, patience=2) == [8, 8, 8, 8, 4]


def test_any_number_is_better_than_none_and_an_infinite_loss_ends_training() -> None:
    watch = Watch("Watcher", "loss", "min")
    nan = float("nan")
    assert (
        watch.better(5.0, nan) and watch.better(5.0, None) and not watch.better(nan, nan) and not watch.better(nan, 5.0)
    )
    watch.best = nan
    assert watch.improved(5.0) and watch.best == 5 and not watch.improved(5.0)
    strict = Watch("Watcher", "accuracy", "auto", min_delta=-0.5)
    assert strict.better(1.0, 0.25) and not strict.better(0.75, 0.25) and not strict.better(0.1, 0.25)
    ended = callbacks.TerminateOnNaN()
    for loss, stops in ((1.0, False), (float("inf"), True), (-float("inf"), True), (nan, True)):
        ended.set_model(SimpleNamespace(stop_training=False))
        ended.on_batch_end(3, {"loss": loss})
        assert ended.model.stop_training == stops


def test_what_callbacks_say(capsys: Any) -> None:
    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    told = [
        callbacks.EarlyStopping("loss", patience=1, min_delta=100.0, verbose=1),
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0, verbose=1),
        callbacks.LearningRateScheduler(lambda epoch: 0.5, verbose=1),
    ]
    model.fit(X, Y, epochs=5, verbose=0, callbacks=told)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1: sgd: learning rate 0.5",
        "Epoch 2: sgd: learning rate 0.5",
        "Epoch 2: sgd: learning rate 0.25",
        "Epoch 2: early stopping",
    ]


@pytest.mark.parametrize(
    "words, make",
    [
        ("EarlyStopping: mode is 'auto', 'min' or 'max'; got 'least'", lambda: callbacks.EarlyStopping(mode="least")),
        (
            r"EarlyStopping watches one number; 'loss' has shape \(2,\)",
            lambda: callbacks.EarlyStopping("loss").on_epoch_end(0, {"loss": np.ones(2)}),
        ),
        ("BackupAndRestore: backup_dir names a folder; got an empty string", lambda: callbacks.BackupAndRestore("")),
    ],
)
def test_errors(words: str, make: Any) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()
