"""Callbacks that watch a value of the logs and change the training."""

from typing import Any

import numpy as np

from refnet.callbacks.base import Callback, named
from refnet.callbacks.rates import rate_of, rated, rates
from refnet.errors import ArgumentError, did_you_mean
from refnet.progress import tell

LARGER_IS_BETTER = (
    "accuracy",
    "acc",
    "auc",
    "precision",
    "recall",
    "f1_score",
    "fbeta_score",
    "r2_score",
    "iou",
    "io_u",
)


class Watch:
    """A value of the logs, and which way it gets better.

    Args:
        owner: the callback's class, for messages.
        monitor: the value's name.
        mode: "min", "max", or "auto": what the metric of that name says, else "max" for names that end as an accuracy does.
        min_delta: changes up to this do not count.
        best: what has to be beaten first; None for nothing.
    Attributes:
        model: whose metrics are asked; None for none.
        skipped: whether fit evaluates after some of its epochs, but not after the one that ends.
    """

    skipped = False

    def __init__(self, owner: str, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None):
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"{owner}: mode is 'auto', 'min' or 'max'; got {mode!r}.")
        self.owner, self.monitor, self.mode, self.min_delta = owner, monitor, mode, abs(min_delta)
        self.best, self.model = best, None

    @property
    def sign(self) -> int:
        """-1 if larger values are better, else 1."""
        return -1 if self.mode == "max" or (self.mode == "auto" and self._larger()) else 1

    def _larger(self) -> bool:
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "metrics", []):
            if metric.name == name and getattr(metric, "_direction", None) is not None:
                return bool(metric._direction == "up")
        return name.endswith(LARGER_IS_BETTER)

    def find(self, names: Any) -> str:
        """The name of the value among these. Raises ArgumentError, with the names there are, if it is not among them."""
        found = named(self.monitor, names)
        if found is None:
            near = did_you_mean(self.monitor, list(names))
            hint = near if near.startswith(" Did") else ""
            raise ArgumentError(
                f"{self.owner} watches {self.monitor!r}; the logs have {', '.join(names) or 'nothing'}.{hint}"
            )
        return found

    def unseen(self, logs: dict[str, Any]) -> bool:
        """Whether the value is one of validation that is missing, as after this epoch nothing was evaluated."""
        return self.skipped and self.monitor.startswith("val_") and named(self.monitor, logs) is None

    def read(self, logs: dict[str, Any]) -> float:
        """The value in the logs. Raises ArgumentError if there is none, or if it is not one number."""
        value = logs[self.find(logs)]
        if np.size(value) != 1:
            raise ArgumentError(f"{self.owner} watches one number; {self.monitor!r} has shape {np.shape(value)}.")
        return float(np.reshape(value, ()))

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another. Any number is better than None or NaN; NaN is better than nothing."""
        if value != value:
            return False
        return than is None or than != than or self.sign * value < self.sign * than - self.min_delta

    def improved(self, value: float) -> bool:
        """Whether a value is better than the best so far; it is the best then."""
        better = self.better(value, self.best)
        if better:
            self.best = value
        return better


class Watching(Callback):
    """A callback that watches a value of the logs."""

    watch: Watch

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self.watch.best

    @best.setter
    def best(self, value: float | None) -> None:
        self.watch.best = value


class EarlyStopping(Watching):
    """Ends training when a value of the logs no longer gets better.

    Args:
        monitor: its name.
        min_delta: changes up to this do not count.
        patience: epochs without getting better that are waited for.
        verbose: 1 prints a line when it stops training.
        mode: "min", "max", or "auto": see Watch.
        baseline: a value that has to be beaten before an epoch that got better begins the waiting anew.
        restore_best_weights: whether the weights of the best epoch are put back at the end; where no value was a number, those of the
            first epoch that was looked at.
        start_from_epoch: epochs before this one are not looked at.
    Raises:
        ArgumentError: when fit begins, for a name that the logs will not have.
    Source: Keras 3 `callbacks.EarlyStopping`.

    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile("sgd", "mse")
    >>> stop = EarlyStopping("loss", patience=2)  # with targets of 0 the loss is 0 from the first epoch on
    >>> history = model.fit(np.ones((4, 1)), np.zeros(4), epochs=9, verbose=0, callbacks=[stop])
    >>> len(history.history["loss"])
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        self.monitor, self.mode, self.patience, self.verbose = monitor, mode, patience, verbose
        self.baseline, self.restore_best_weights = baseline, restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.watch = Watch("EarlyStopping", monitor, mode, min_delta)
        self.min_delta = self.watch.min_delta
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best, self.best_weights = None, None

    def get_monitor_value(self, logs: Any) -> float | None:
        """The value that is watched; None if the logs of this epoch have none. For callbacks of yours to override."""
        return None if self.watch.unseen(logs or {}) else self.watch.read(logs or {})

    def on_train_begin(self, logs: Any = None) -> None:
        self._begin_anew()
        self.watch.model = self.model

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = None if epoch < self.start_from_epoch else self.get_monitor_value(logs)
        if value is None:
            return
        self.wait += 1
        better = self.watch.improved(value)
        first = self.best_weights is None  # the best until a number comes
        if self.restore_best_weights and (better or first):
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        if better:
            self.best_epoch = epoch
            if self.watch.better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch, self.model.stop_training = epoch, True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch and self.verbose:
            tell(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Watching):
    """Multiplies the learning rate by a factor when a value of the logs no longer gets better. Puts it into the logs.

    Of a MultiOptimizer it does so with that of each of its own: see LearningRateScheduler.

    Args:
        monitor: its name.
        factor: below 1.
        patience: epochs without getting better that are waited for.
        verbose: 1 prints a line when it changes the rate.
        mode: "min", "max", or "auto": see Watch.
        min_delta: changes up to this do not count.
        cooldown: epochs after a change in which it does not count.
        min_lr: the rate is not made smaller.
        epsilon: the oldest name of min_delta.
    Source: Keras 3 `callbacks.ReduceLROnPlateau`.

    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile("sgd", "mse")
    >>> reduce = ReduceLROnPlateau("loss", factor=0.5, patience=1)
    >>> history = model.fit(np.ones((4, 1)), np.zeros(4), epochs=3, verbose=0, callbacks=[reduce])
    >>> [f"{rate:.3f}" for rate in history.history["learning_rate"]]
    ['0.010', '0.010', '0.005']
    """

    shows_rate = True

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
        *,
        epsilon: float | None = None,
    ):
        if not 0 <= factor < 1:
            raise ArgumentError(f"ReduceLROnPlateau: factor lies in 0..1, below 1; got {factor!r}.")
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta if epsilon is None else epsilon
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.watch = Watch("ReduceLROnPlateau", monitor, mode, self.min_delta)
        self.wait = self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Whether the rate was changed so lately that epochs do not count."""
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.watch = Watch("ReduceLROnPlateau", self.monitor, self.mode, self.min_delta)
        self.watch.model = self.model
        self.wait, self.cooldown_counter = 0, 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs.update(rates(self.model.optimizer))
        if self.watch.unseen(logs or {}):
            return
        value = self.watch.read(logs or {})
        if self.in_cooldown():
            self.cooldown_counter, self.wait = self.cooldown_counter - 1, 0
        if self.watch.improved(value):
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        for optimizer in rated(self.model.optimizer).values():
            old = rate_of(optimizer)
            if old > np.float32(self.min_lr):
                optimizer.learning_rate = max(old * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    tell(f"Epoch {epoch + 1}: {optimizer.name}: learning rate {optimizer.learning_rate.numpy()}")


class TerminateOnNaN(Callback):
    """Ends training after a batch whose loss is NaN or infinite. It looks at every batch, which costs speed.

    Args:
        raise_error: whether that is an error, so that no callback takes the end of the run for a good one.
    Raises:
        RuntimeError: such a loss, with raise_error.

    >>> from refnet import Sequential, layers, optimizers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    >>> model.compile(optimizers.SGD(1e25), "mse")  # a rate at which the weights leave float32's range
    >>> history = model.fit(np.ones((4, 1)), np.zeros(4), epochs=9, verbose=0, callbacks=[TerminateOnNaN()])
    Batch 0: the loss is inf; training ends.
    >>> len(history.epoch)
    2
    """

    def __init__(self, raise_error: bool = False):
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"TerminateOnNaN: after batch {batch} the loss is {loss}; training ends.")
            tell(f"Batch {batch}: the loss is {loss}; training ends.")
            self.model.stop_training = True
