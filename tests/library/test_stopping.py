"""`stop_training` set by a callback: training ends after the batch in which it is found, as Keras 3 does it. When EarlyStopping does."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refnet import callbacks
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
