"""Callbacks: what happens between epochs and batches."""

import contextlib
import inspect
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any

from refnet import naming
from refnet.callbacks.rates import rate_of, rated, rates
from refnet.errors import ArgumentError, UsageError, foreign
from refnet.progress import tell


class Callback:
    """Base of callbacks: override what is needed.

    A callback that overrides a hook of training batches makes training stop after every batch, which costs speed.

    Attributes:
        model: the model in training.
        params: {"epochs", "steps", "verbose", "batch_size", "do_validation"}, the last whether fit evaluates, of the first edition.
        validation_data: in fit, the arrays of the validation data in a list: inputs, targets, sample weights; None without.

    >>> import numpy as np
    >>> class Count(Callback):
    ...     batches = 0
    ...     def on_train_batch_end(self, batch, logs=None):
    ...         self.batches += 1
    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> count = Count()
    >>> history = model.fit(np.ones((5, 1)), np.zeros(5), batch_size=2, verbose=0, callbacks=[count])
    >>> count.batches
    3
    """

    model: Any = None
    shows_rate = False  # whether it puts the learning rate into the logs
    validation_data: list[Any] | None = None
    params: dict[str, Any] = {}

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def hears(self, hook: str) -> bool:
        """Whether a hook of batches does anything: training stops after no batch that nobody listens to."""
        return self.overrides(hook, Callback)

    def overrides(self, hook: str, base: type["Callback"]) -> bool:
        """Whether the hook is not that of a class it derives from."""
        return getattr(type(self), hook) is not getattr(base, hook)

    def on_train_begin(self, logs: Any = None) -> None: ...
    def on_train_end(self, logs: Any = None) -> None: ...
    def on_test_begin(self, logs: Any = None) -> None: ...
    def on_test_end(self, logs: Any = None) -> None: ...
    def on_predict_begin(self, logs: Any = None) -> None: ...
    def on_predict_end(self, logs: Any = None) -> None: ...

    def on_run_failed(self, logs: Any = None) -> None:
        """A fit, evaluate or predict has ended by an error, perhaps before this callback was told that it began: no end will follow."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...
    def on_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Any = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None: ...


_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Validated(Callback):
    """A callback that is told, before `on_epoch_end`, whether `validation_freq` left out the epoch's validation."""

    validation_left_out = False


def _is_class(callback: Any) -> bool:
    return isinstance(callback, type) and issubclass(callback, Callback)


def checked(callbacks: Any, verbose: Any) -> list[Callback]:
    """The callbacks as a list. Raises ArgumentError for what is none, and for a `verbose` that means nothing."""
    from refnet import progress

    given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    for callback in given:
        if not isinstance(callback, Callback):
            hint = f" {callback.__name__} is a class: call it, {callback.__name__}(...)." if _is_class(callback) else ""
            raise ArgumentError(
                f"callbacks are objects of classes derived from Callback; got {callback!r}.{hint or foreign(callback)}"
            )
    progress.display(verbose)
    return given


class Listening:
    """The callbacks of one fit, evaluate or predict, called in order, History last; and the progress display."""

    def __init__(
        self,
        callbacks: Any,
        model: Any,
        verbose: Any,
        epochs: int,
        steps: int | None,
        history: bool = False,
        batch_size: int | None = None,
        validation_data: list[Any] | None = None,
        validates: bool = False,
    ):
        from refnet import progress

        given = checked(callbacks, verbose)
        self.display = progress.display(verbose)
        self.history = next((c for c in given if isinstance(c, History)), None) or History()
        last: list[Callback] = [self.history] if history and self.history not in given else []
        self.callbacks = given + last  # the history has what other callbacks put into the logs
        params = {"epochs": epochs, "steps": steps, "verbose": verbose, "batch_size": batch_size}
        params["do_validation"] = validates
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
            if history:
                callback.validation_data = validation_data
        self.validates, self.evaluated = validates, False
        self.model, self.epochs, self.steps = model, epochs, steps
        self.logs: dict[str, Any] = {}

    def wants_batches(self, kind: str) -> bool:
        """Whether a callback listens to a batch hook of this kind."""
        return any(callback.hears(hook) for callback in self.callbacks for hook in _BATCH_HOOKS[kind])

    def check_names(self) -> None:
        """Raises ArgumentError if a callback watches a value that this fit will not have.

        Callbacks of the user's own may add values to the logs: with such a one nothing is said before the first epoch has ended.
        """
        names = self.model._shown_names()
        own = [
            c for c in self.callbacks if not type(c).__module__.startswith("refnet.") or isinstance(c, LambdaCallback)
        ]
        if names is None or own:
            return
        names = sorted(names + [f"val_{name}" for name in names if self.validates])
        if any(callback.shows_rate for callback in self.callbacks):
            names += rated(self.model.optimizer)
        for callback in self.callbacks:
            watch = getattr(callback, "watch", None)
            if watch is not None and getattr(callback, "save_best_only", True):
                watch.find(names)

    @contextmanager
    def running(self, kind: str) -> Iterator[None]:
        """Begins and ends a run; the display is put away whatever happens, and the callbacks hear of an error."""
        try:
            self._each(f"on_{kind}_begin")
            if kind != "train":
                self.display.begin(None, None, self.steps)
            yield
            if kind != "train":
                self.logs = self.model._results("test") if kind == "test" else {}
                self.display.end(self.logs)
            self.display.close()
            self._each(f"on_{kind}_end", logs=self.logs)
        except BaseException:
            self.display.close()
            with contextlib.ExitStack() as stack:  # each is told, whatever another makes of it
                for callback in reversed(self.callbacks):
                    stack.callback(callback.on_run_failed, {})
            raise

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Around an evaluation within fit."""
        self.evaluated = True
        self._each("on_test_begin")
        yield
        self._each("on_test_end", logs=self.model._results("test"))

    def _each(self, hook: str, *args: Any, logs: Any = None) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*args, {} if logs is None else logs)

    def on_epoch_begin(self, epoch: int) -> None:
        self.evaluated = False
        self.display.begin(epoch, self.epochs, self.steps)
        self._each("on_epoch_begin", epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        self.logs = logs
        for callback in self.callbacks:
            watch: Any = getattr(callback, "watch", None)
            if hasattr(watch, "skipped"):  # a Watch; callbacks of the user's own may have anything of that name
                watch.skipped = self.validates and not self.evaluated
            if isinstance(callback, Validated):
                callback.validation_left_out = self.validates and not self.evaluated
        self._each("on_epoch_end", epoch, logs=logs)
        self.display.end(logs)

    def on_batch_begin(self, kind: str, batch: int) -> None:
        self._each(f"on_{kind}_batch_begin", batch)

    def on_batch_end(self, kind: str, batch: int, logs: dict[str, Any]) -> None:
        self._each(f"on_{kind}_batch_end", batch, logs=logs)

    def progressed(self, kind: str, batch: int, read: Callable[[], dict[str, Any]]) -> None:
        """Tells the display; the metrics are read only if it shows them now. Validation inside fit is not shown."""
        if kind == "train" or not self.display.in_epoch:
            self.display.update(batch, read)


NAMES = (
    ("accuracy", "acc"),
    ("mean_absolute_error", "mae", "MAE"),
    ("mean_squared_error", "mse", "MSE"),
    ("learning_rate", "lr"),
)


def named(key: str, logs: Container[str]) -> str | None:
    """The name under which a value stands in logs: its own, or another that the metric goes by; None if it is not there."""
    if key in logs:
        return key
    prefix, name = ("val_", key[4:]) if str(key).startswith("val_") else ("", key)
    others = [prefix + other for names in NAMES if name in names for other in names]
    return next((other for other in others if other in logs), None)


class Values(dict[str, list[Any]]):
    """A history: a list for each name. A metric is also found, though not listed, under the other name it goes by."""

    def __missing__(self, key: str) -> list[Any]:
        found = named(key, self)
        if found is None:
            raise KeyError(key, f"the history has {', '.join(self)}")
        return self[found]

    def get(self, key: str, default: Any = None) -> Any:
        found = named(key, self)
        return default if found is None else self[found]


class History(Callback):
    """What fit returns.

    Attributes:
        history: {name: a value for each epoch}; `acc` finds `accuracy`, `mean_absolute_error` finds `mae`, and so on.
        epoch: the epochs' numbers.

    >>> import numpy as np
    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((4, 1)), np.zeros(4), epochs=2, verbose=0)
    >>> history.history
    {'loss': [0.0, 0.0]}
    """

    def __init__(self) -> None:
        self.history = Values()
        self.epoch: list[int] = []

    def __getitem__(self, key: str) -> Any:
        raise UsageError(f"fit returns a History, whose values are in its attribute: history.history[{key!r}].")

    def on_train_begin(self, logs: Any = None) -> None:
        self.history, self.epoch = Values(), []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)


class LambdaCallback(Callback):
    """Functions as hooks: on_epoch_begin, on_epoch_end, on_train_begin, on_train_end, on_train_batch_begin, on_train_batch_end.

    >>> import numpy as np
    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> tell = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, list(logs)))
    >>> history = model.fit(np.ones((4, 1)), np.zeros(4), epochs=2, verbose=0, callbacks=[tell])
    0 ['loss']
    1 ['loss']
    """

    def __new__(
        cls,
        on_epoch_begin: Any = None,
        on_epoch_end: Any = None,
        on_train_begin: Any = None,
        on_train_end: Any = None,
        on_train_batch_begin: Any = None,
        on_train_batch_end: Any = None,
        **hooks: Any,
    ) -> "LambdaCallback":
        hooks |= {"on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end}
        hooks |= {"on_train_begin": on_train_begin, "on_train_end": on_train_end}
        hooks |= {"on_train_batch_begin": on_train_batch_begin, "on_train_batch_end": on_train_batch_end}
        known = [name for name in dir(Callback) if name.startswith("on_")]
        for name in hooks:
            naming.found("hook of LambdaCallback", name, {word: word for word in known})
        wrapped = {name: _as_method(hook) for name, hook in hooks.items() if hook is not None}
        made: LambdaCallback = object.__new__(type("LambdaCallback", (cls,), wrapped))
        return made

    def __init__(self, *args: Any, **hooks: Any) -> None: ...


def _as_method(hook: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args: hook(*args)


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch, and puts it into the logs as `learning_rate`.

    Of a MultiOptimizer it sets that of each of its own, and puts them into the logs as `learning_rate_sgd` and so on.

    Args:
        schedule: schedule(epoch, current rate), or schedule(epoch), gives the rate.
        verbose: 1 prints it.
    Source: Keras 3 `callbacks.LearningRateScheduler`.

    >>> import numpy as np
    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> history = model.fit(np.ones((4, 1)), np.zeros(4), epochs=2, verbose=0, callbacks=[halve])
    >>> model.optimizer.learning_rate.value
    array(0.0025, dtype=float32)
    """

    shows_rate = True

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        if not callable(schedule):
            raise ArgumentError(
                f"LearningRateScheduler: schedule is a function of the epoch (and the rate) that gives the rate; got {schedule!r}."
            )
        self.schedule, self.verbose = schedule, verbose
        parameters = inspect.signature(schedule).parameters.values()
        # the first edition's takes none
        self.takes_rate = len([p for p in parameters if p.kind is not p.KEYWORD_ONLY]) != 1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        for optimizer in rated(self.model.optimizer).values():
            before = (rate_of(optimizer),) if self.takes_rate else ()
            rate = self.schedule(epoch, *before)
            if rate is None:
                raise ArgumentError(
                    f"LearningRateScheduler: schedule({', '.join(map(str, (epoch, *before)))}) returned None; it has to return the rate."
                )
            optimizer.learning_rate = rate
            if self.verbose:
                tell(f"Epoch {epoch + 1}: {optimizer.name}: learning rate {rate}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs.update(rates(self.model.optimizer))
