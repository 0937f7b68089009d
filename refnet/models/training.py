"""fit, evaluate and predict. An epoch is one program, run batch after batch."""

import functools
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from refnet import callbacks as callback_module
from refnet import dtypes, limits
from refnet.annotations import Array
from refnet.errors import ArgumentError, refuse_others
from refnet.models import data as checks
from refnet.models.batches import Batches
from refnet.models.feeds import ArrayFeed, Pass, SourceFeed, Validation
from refnet.models.first_edition import GeneratorNames
from refnet.models.outputs import warn_of_thawed
from refnet.models.single_batches import SingleBatches, returned
from refnet.models.sources import is_source
from refnet.models.steps import trained_variables
from refnet.models.streaming import count_of, refuse
from refnet.program import Program, specialize
from refnet.structure import packed
from refnet.tracing import building

Feed: TypeAlias = ArrayFeed | SourceFeed


class Trainer(GeneratorNames, SingleBatches):
    """What Model adds to Layer for training."""

    # ---- fit

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        *,
        nb_epoch: int | None = None,
        **more: Any,
    ) -> "callback_module.History":
        """Trains for a number of epochs.

        Args:
            x, y: an array each, or a list or dict of arrays for several inputs or outputs; all samples first. What a dict for x has
                beyond the model's inputs is not read. Or x alone: a generator, a PyDataset, or what else gives batches (x, y) or
                (x, y, sample_weight) when iterated.
            batch_size: samples per step, 32 if None; an epoch's last batch may be smaller. Not read where x gives batches.
            epochs: the number of the last epoch; training starts after `initial_epoch`.
            verbose: 0 silent, 2 a line per epoch, 1 and "auto" a live bar, or where there is no screen (a log) a line.
            callbacks: a list of callbacks.
            validation_split: the share of samples, taken from the end before shuffling, that is only evaluated.
            validation_data: (x, y) or (x, y, sample_weight), or what gives batches; evaluated after each epoch.
            shuffle: whether each epoch takes the samples (of a PyDataset the batches) in a new order; data sets
                that functions of `utils` made shuffle themselves.
            class_weight: a weight for each class, by number; 1 for those not named.  sample_weight: a weight for each sample.
            validation_batch_size: batch_size if None.  validation_steps: evaluate only so many batches.
            validation_freq: evaluate after every so many epochs; or a list of the epochs after which to evaluate, from 1.
            steps_per_epoch: batches in an epoch. Where x gives batches it is needed if they have no end, and if a generator is to
                serve several epochs. Arrays, and what else can be begun again, are gone on with where the last epoch stopped, and
                begun again where they end.
            nb_epoch: the oldest name of epochs.
        Returns:
            A History: `history.history` has a list of values for each metric, one per epoch.
        Raises:
            ArgumentError, ShapeError, DtypeError, DataError: before any weight, metric or optimizer state is changed.
        """
        self._must_be_compiled("fit")
        refuse_others("fit", Trainer.fit, more)
        epochs = limits.epochs(count_of("fit", "epochs", epochs if nb_epoch is None else nb_epoch, 0))
        batch_size = count_of("fit", "batch_size", batch_size, 1, none=32)
        validation_size = count_of("fit", "validation_batch_size", validation_batch_size, 1, none=batch_size)
        for word, value in (("validation_steps", validation_steps), ("steps_per_epoch", steps_per_epoch)):
            count_of("fit", word, value, 1, none=1)
        asked = range(count_of("fit", "initial_epoch", initial_epoch, 0), epochs)
        evaluated = _epochs_to_evaluate(validation_freq, epochs)
        callback_module.checked(callbacks, verbose)
        limits.warn("fit")
        asked_of_validation = Validation(validation_data, validation_size, validation_steps)
        if is_source(x):
            refuse(
                "fit", f"x ({type(x).__name__})", y=y, sample_weight=sample_weight, validation_split=validation_split
            )
            feed, held, validation = self._source_feed(
                x, bool(shuffle), class_weight, steps_per_epoch, asked_of_validation
            )
        else:
            parts, held = self._held_out(x, y, sample_weight, validation_split, asked_of_validation)
            parts = self._class_weighted("fit", parts, class_weight)
            feed, validation = self._array_feed(
                parts, held, batch_size, bool(shuffle), steps_per_epoch, asked_of_validation
            )
        listed = callback_module.Listening(
            callbacks,
            self,
            verbose,
            epochs=epochs,
            steps=feed.steps,
            history=True,
            batch_size=None if is_source(x) else batch_size,
            validation_data=None if held is None else [array for part in held for array in part.values()],
            validates=validation is not None,
        )
        return self._epochs(feed, asked, validation, evaluated, listed)

    def _source_feed(self, x: Any, shuffle: bool, class_weight: Any, steps: int | None, validation: Validation) -> Any:
        """Of data that come batch by batch: a feed, the checked arrays of validation (or None), and what `_validation` gives."""
        data = validation.data
        held = None if data is None or is_source(data) else self._checked("fit (validation)", *_unpacked(data))
        source = self._source(x, "x", "fit", shuffle)
        validation = _with_source(self, validation)
        with self._preparing():
            self._prepared("train", source, class_weight)
            return SourceFeed(self, source, steps, class_weight), held, self._validation(held, validation)

    def _array_feed(
        self, parts: Any, held: Any, size: int, shuffle: bool, steps: int | None, validation: Validation
    ) -> Any:
        """Of checked arrays, and of those held for validation (or None): a feed, and what `_validation` gives."""
        validation = _with_source(self, validation)
        with self._preparing():
            batches = self._fed("fit", *parts)
            self._executable("train", batches)
            checks.check_fixed_batch(self._built_graph, len(batches), size, "fit")
            feed = ArrayFeed(self, batches, size, shuffle, steps)
            return feed, self._validation(held, validation)

    def _validation(self, held: Any, asked: Validation) -> Callable[[Any], None] | None:
        """A function of the callbacks that evaluates on the checked arrays `held`, or on a source; None without either."""
        if held is None:
            return None if asked.data is None else self._validating(asked.data, asked.steps)
        batches = self._fed("fit (validation)", *held)
        self._executable("test", batches)
        return lambda listed: self._evaluate(batches, asked.size, asked.steps, listed)

    def _epochs(
        self,
        feed: "Feed",
        asked: range,
        validation: Callable[[Any], None] | None,
        evaluated: Container[int],
        listed: Any,
    ) -> "callback_module.History":
        """The epochs of fit, with everything checked and prepared."""
        listed.check_names()
        if not self._own_step("train"):
            warn_of_thawed(self._captured_layers(), self._trained_alone)
        with self._alone("fit"), self._not_stopped(), listed.running("train"):
            self.history = listed.history
            (start, first), resumed, self._resume = self._resume or (asked.start, 0), self._resume is not None, None
            if resumed:
                feed.take_up(start - asked.start, first)
            for epoch in range(start, asked.stop):
                if feed.ended(epoch):
                    break
                if not first:
                    self.reset_metrics()
                listed.on_epoch_begin(epoch)
                done, first = feed.epoch(listed, first), 0
                logs = self._results("train")
                if validation is not None and epoch + 1 in evaluated:
                    with listed.validating():
                        validation(listed)
                    logs.update(self._results("test", "val_"))
                listed.on_epoch_end(epoch, dict(sorted(logs.items())))
                if self.stop_training or feed.ran_out(done, epoch):
                    break
            self.optimizer.finalize_variable_values(trained_variables(self._captured_layers()))
        history: callback_module.History = listed.history
        return history

    @contextmanager
    def _not_stopped(self) -> Iterator[None]:
        """Forgets an earlier run's wish to stop. Callbacks may have one from their first method on: one batch runs all the same."""
        self.stop_training = False
        yield

    def _held_out(self, x: Any, y: Any, sample_weight: Any, validation_split: Any, validation: Validation) -> Any:
        """The checked arrays to train on, and those to evaluate on: None where there are none, or where they come batch by batch."""
        streamed = is_source(validation.data)
        validation_data, validation_split = (None, 0.0) if streamed else (validation.data, validation_split)
        if not isinstance(validation_split, (int, float, np.number)) or not 0 <= validation_split < 1:
            raise ArgumentError(
                f"fit: validation_split is a share of the samples, at least 0 and below 1; got {validation_split!r}."
            )
        parts = self._checked("fit", x, y, sample_weight, warn=False)
        held, looked_at = None, {**parts[0], **parts[1]}
        if validation_data is not None:
            held = self._checked("fit (validation)", *_unpacked(validation_data), warn=False)
            looked_at.update({f"validation {label}": array for label, array in {**held[0], **held[1]}.items()})
        elif validation_split:
            pairs = [checks.split(part, float(validation_split), "fit") if part else ({}, {}) for part in parts]
            parts, held = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
        checks.warn_of_strange_numbers(looked_at, "fit")
        return parts, held

    def _run(
        self,
        kind: str,
        through: Pass,
        start: int,
        stop: int,
        listed: Any,
        outputs: list[Array] | None = None,
        number: int = 0,
    ) -> int:
        """Runs batches start..stop in slices: as many at once as the engine likes, or one by one for batch callbacks.

        Args:
            kind: 'train', 'test' or 'predict'.
            outputs: arrays to be written; for predictions.
            number: which batch of the epoch the first one is.
        Returns:
            How many were run: fewer if a callback ended training.
        """
        step, batches, size, order, arrays = through
        at, single = start, listed.wants_batches(kind)
        arrays = step.fed(batches.arrays, size) if arrays is None else arrays
        more = {} if outputs is None else {"outputs": outputs}
        read: Any = dict if kind == "predict" else functools.partial(self._results, kind)
        while at < stop:
            if single:
                listed.on_batch_begin(kind, at - start + number)
            one = single or (self.stop_training and kind == "train")
            at = step.run_batches(arrays, order, size, at, at + 1 if one else stop, **more)
            self._ran[kind] = step.program
            listed.progressed(kind, at - start + number, read)
            if single:
                rows = [y[(at - 1) * size : at * size] for y in outputs or ()]
                shown = {"outputs": packed(self._structure(step, batches), rows)} if kind == "predict" else read()
                listed.on_batch_end(kind, at - 1 - start + number, shown)
            if self.stop_training and kind == "train":
                break
        return at - start

    # ---- evaluate

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **more: Any,
    ) -> Any:
        """The loss and the metrics.

        Args:
            x, y, batch_size, verbose, sample_weight, callbacks: as in fit.
            steps: evaluate only so many batches; needed where x gives batches without end.
            return_dict: whether the values come as a dict by name.
        Returns:
            The loss, or a list of the loss and the metrics, or a dict.
        """
        self._must_be_compiled("evaluate")
        refuse_others("evaluate", Trainer.evaluate, more)
        batch_size = count_of("evaluate", "batch_size", batch_size, 1, none=32)
        count_of("evaluate", "steps", steps, 1, none=1)
        callback_module.checked(callbacks, verbose)
        limits.warn("evaluate")
        if is_source(x):
            refuse("evaluate", f"x ({type(x).__name__})", y=y, sample_weight=sample_weight)
            return returned(self._evaluate_source(x, steps, verbose, callbacks), return_dict)
        parts = self._checked("evaluate", x, y, sample_weight)
        with self._preparing():
            batches = self._fed("evaluate", *parts)
            self._executable("test", batches)
        count = _steps(len(batches), batch_size, steps)
        taken = min(len(batches), count * batch_size)
        checks.check_fixed_batch(self._built_graph, taken, batch_size, "evaluate")
        listed = callback_module.Listening(callbacks, self, verbose, epochs=1, steps=count)
        with self._alone("evaluate"), listed.running("test"):
            self._evaluate(batches, batch_size, steps, listed)
            return returned(self._results("test"), return_dict)

    def _evaluate(self, batches: Batches, size: int, steps: int | None, listed: Any) -> None:
        self.reset_metrics()
        step = self._executable("test", batches)
        self._run("test", Pass(step, batches, size), 0, _steps(len(batches), size, steps), listed)

    # ---- predict

    def predict(
        self,
        x: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        **more: Any,
    ) -> Any:
        """The model's outputs, as new arrays that may be written to.

        Args:
            x, batch_size, verbose, callbacks: as in fit; of what gives batches (x, y) the x is taken.
            steps: predict only so many batches; needed where x gives batches without end.
        """
        refuse_others("predict", Trainer.predict, more)
        batch_size = count_of("predict", "batch_size", batch_size, 1, none=32)
        count_of("predict", "steps", steps, 1, none=1)
        callback_module.checked(callbacks, verbose)
        limits.warn("predict")
        if is_source(x):
            return self._predict_source(x, steps, verbose, callbacks)
        parts = self._checked("predict", x)
        with self._preparing():
            batches = self._fed("predict", parts[0])
            step = self._executable("predict", batches)
        count = _steps(len(batches), batch_size, steps)
        samples = min(len(batches), count * batch_size)
        checks.check_fixed_batch(self._built_graph, samples, batch_size, "predict")
        listed = callback_module.Listening(callbacks, self, verbose, epochs=1, steps=count)
        outputs = self._room(step.program, batches, samples, batch_size)
        with listed.running("predict"):
            if outputs is not None:
                self._run("predict", Pass(step, batches, batch_size), 0, count, listed, outputs)
            else:
                outputs = self._joined(step, batches, batch_size, count, listed)
        return packed(self._structure(step, batches), outputs)

    def _room(self, program: Any, batches: Batches, samples: int, size: int) -> list[Array] | None:
        """Arrays for the outputs of all samples; None where an output has no row for each sample, or nothing is known of them."""
        if not isinstance(program, Program):
            return None
        size = min(size, samples)
        shapes = tuple((size, *a.shape[1:]) for a in batches.arrays)
        with building:  # other threads predict too, and what they keep may put this out
            kept = self._row_shapes.found((program, shapes))
            if kept is None:
                fixed = any(y.shape[:1] != (None,) for y in program.outputs)
                known = [] if fixed else [y.shape for y in specialize(program, shapes).outputs]
                by_rows = not fixed and all(shape[0] == size for shape in known)
                kept = self._row_shapes[program, shapes] = ([shape[1:] for shape in known] if by_rows else None,)
        (rows,) = kept
        if rows is None:
            return None
        return [np.empty((samples, *row), dtypes.as_numpy(y.dtype)) for row, y in zip(rows, program.outputs)]

    def _joined(self, step: Any, batches: Batches, size: int, count: int, listed: Any) -> list[Array]:
        """Predictions whose rows are not the samples: batch by batch, put one after the other."""
        single, parts = listed.wants_batches("predict"), []
        for i in range(count):
            if single:
                listed.on_batch_begin("predict", i)
            parts.append(step.run([a[i * size : (i + 1) * size] for a in batches.arrays]))
            listed.progressed("predict", i + 1, dict)
            if single:
                listed.on_batch_end("predict", i, {"outputs": packed(self._structure(step, batches), parts[-1])})
        return [np.concatenate([np.atleast_1d(p) for p in group]) for group in zip(*parts)]


def _with_source(model: Trainer, validation: Validation) -> Validation:
    """The same, with data that come batch by batch made a Source."""
    if not is_source(validation.data):
        return validation
    return validation._replace(data=model._source(validation.data, "validation_data", "fit (validation)"))


def _epochs_to_evaluate(validation_freq: Any, epochs: int) -> Container[int]:
    """The numbers, from 1, of the epochs after which fit evaluates."""
    if isinstance(validation_freq, (list, tuple, set)):
        return {count_of("fit", "validation_freq", number, 1) for number in validation_freq}
    every = count_of("fit", "validation_freq", validation_freq, 1)
    return range(every, epochs + 1, every)


def _steps(samples: int, size: int, limit: int | None) -> int:
    steps = -(-samples // size)
    return limits.steps(steps if limit is None else min(steps, limit))


def _unpacked(validation_data: Any) -> tuple[Any, Any, Any]:
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (1, 2, 3):
        raise ArgumentError(
            f"fit: validation_data is (x, y) or (x, y, sample_weight); got a {type(validation_data).__name__}"
            f"{f' of {len(validation_data)}' if isinstance(validation_data, (tuple, list)) else ''}."
        )
    x, y, weight = [*validation_data, None, None][:3]
    return x, y, weight
