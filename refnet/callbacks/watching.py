"""Callbacks that watch a value of the logs and change the training."""

from typing import Any

import numpy as np

from refnet.callbacks.base import Callback
from refnet.errors import ArgumentError


class Watch:
    """A value of the logs, and which way it gets better.

    Args:
        owner: the callback's class, for messages.
        monitor: the value's name.
        mode: "min", "max", or "auto": "max" for names that end with "accuracy", "acc" or "auc", else "min".
        min_delta: changes up to this do not count.
        best: what has to be beaten first; None for nothing.
    """

    def __init__(self, owner: str, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None):
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"{owner}: mode is 'auto', 'min' or 'max'; got {mode!r}.")
        largest = mode == "max" or (mode == "auto" and monitor.endswith(("accuracy", "acc", "auc")))
        self.owner, self.monitor, self.min_delta, self.sign = owner, monitor, abs(min_delta), -1 if largest else 1
        self.best = best

    def read(self, logs: dict[str, Any]) -> float:
        """The value in the logs. Raises ArgumentError, with the names there are, if it is not among them."""
        if self.monitor not in logs:
            raise ArgumentError(f"{self.owner} watches {self.monitor!r}; the logs have {', '.join(logs) or 'nothing'}.")
        return float(logs[self.monitor])

    def improved(self, value: float) -> bool:
        """Whether a value is better than the best so far; it is the best then."""
        better = self.best is None or self.sign * value < self.sign * self.best - self.min_delta
        if better:
            self.best = value
        return better


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by a factor when a value of the logs no longer gets better.

    Args:
        monitor: its name.
        factor: below 1.
        patience: epochs without getting better that are waited for.
        verbose: 1 prints a line when it changes the rate.
        mode: "min", "max", or "auto": "max" for names that end with "accuracy", "acc" or "auc", else "min".
        min_delta: changes up to this do not count.
        cooldown: epochs after a change in which it does not count.
        min_lr: the rate is not made smaller.
    Source: Keras 3 `callbacks.ReduceLROnPlateau`.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        if not 0 <= factor < 1:
            raise ArgumentError(f"ReduceLROnPlateau: factor lies in 0..1, below 1; got {factor!r}.")
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.watch = Watch("ReduceLROnPlateau", monitor, mode, min_delta)

    def on_train_begin(self, logs: Any = None) -> None:
        self.watch = Watch("ReduceLROnPlateau", self.monitor, self.mode, self.min_delta)
        self.wait, self.cooldown_counter = 0, 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.watch.read(logs or {})
        cooling = self.cooldown_counter > 0
        if cooling:
            self.cooldown_counter, self.wait = self.cooldown_counter - 1, 0
        if self.watch.improved(value):
            self.wait = 0
        elif not self.cooldown_counter > 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        old = float(np.asarray(optimizer.learning_rate))
        if old > np.float32(self.min_lr):
            optimizer.learning_rate = max(old * self.factor, self.min_lr)
            self.cooldown_counter, self.wait = self.cooldown, 0
            if self.verbose:
                print(f"Epoch {epoch + 1}: learning rate {optimizer.learning_rate.numpy()}")


class TerminateOnNaN(Callback):
    """Ends training after a batch whose loss is NaN or infinite. It looks at every batch, which costs speed."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            print(f"Batch {batch}: the loss is {loss}; training ends.")
            self.model.stop_training = True
