"""fit, evaluate, predict and their batch forms. An epoch is one program, run batch after batch."""

from typing import Any

import numpy as np

from refnet import callbacks as callback_module
from refnet import dtypes
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.models import data as checks
from refnet.models.compiling import Batches
from refnet.models.sources import is_source
from refnet.models.streaming import Streaming, count_of, refuse
from refnet.program import specialize
from refnet.structure import packed


class Trainer(Streaming):
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
        validation_freq: int = 1,
        *,
        nb_epoch: int | None = None,
    ) -> "callback_module.History":
        """Trains for a number of epochs.

        Args:
            x, y: an array each, or a list or dict of arrays for several inputs or outputs; all samples first. Or x alone: a
                generator, a PyDataset, or what else gives batches (x, y) or (x, y, sample_weight) when iterated.
            batch_size: samples per step, 32 if None; an epoch's last batch may be smaller. Not read where x gives batches.
            epochs: the number of the last epoch; training starts after `initial_epoch`.
            verbose: 0 silent, 1 a live bar, 2 a line per epoch; "auto" is 1 in a terminal or notebook and 0 elsewhere.
            callbacks: a list of callbacks.
            validation_split: the share of samples, taken from the end before shuffling, that is only evaluated.
            validation_data: (x, y) or (x, y, sample_weight), or what gives batches; evaluated after each epoch.
            shuffle: whether each epoch takes the samples (of a PyDataset the batches) in a new order.
            class_weight: a weight for each class, by number.  sample_weight: a weight for each sample.
            validation_batch_size: batch_size if None.  validation_steps: evaluate only so many batches.
            validation_freq: evaluate after every so many epochs.
            steps_per_epoch: batches in an epoch where x gives batches; needed if it has no end, and if a generator is to serve
                several epochs. What can be begun again is begun again where it ends. With arrays it must be None.
            nb_epoch: the oldest name of epochs.
        Returns:
            A History: `history.history` has a list of values for each metric, one per epoch.
        Raises:
            ArgumentError, ShapeError, DtypeError, DataError: before any weight, metric or optimizer state is changed.
        """
        self._must_be_compiled("fit")
        epochs = epochs if nb_epoch is None else nb_epoch
        batch_size = count_of("fit", "batch_size", batch_size, 1, none=32)
        validation_size = count_of("fit", "validation_batch_size", validation_batch_size, 1, none=batch_size)
        count_of("fit", "validation_steps", validation_steps, 1, none=1)
        for word, value, least in (
            ("epochs", epochs, 0),
            ("initial_epoch", initial_epoch, 0),
            ("validation_freq", validation_freq, 1),
        ):
            count_of("fit", word, value, least)
        if steps_per_epoch is not None and not is_source(x):
            raise ArgumentError(
                "fit: steps_per_epoch belongs to endless data; arrays give ceil(samples / batch_size) steps."
            )
        callback_module.checked(callbacks, verbose)
        if is_source(x):
            kind = f"x ({type(x).__name__})"
            refuse("fit", kind, y=y, sample_weight=sample_weight, validation_split=validation_split)
            if steps_per_epoch is not None:
                count_of("fit", "steps_per_epoch", steps_per_epoch, 1)
            validate = self._validation_of(validation_data, validation_size, validation_steps)
            wanted = range(initial_epoch, epochs)
            return self._fit_source(
                x, wanted, callbacks, verbose, validate, validation_freq, bool(shuffle), class_weight, steps_per_epoch
            )
        stream = validation_data if is_source(validation_data) else None
        arrays = None if stream is not None else validation_data
        parts, held = self._held_out(x, y, sample_weight, arrays, 0.0 if stream is not None else validation_split)
        parts = self._class_weighted("fit", parts, class_weight)
        with self._preparing():
            batches = self._fed("fit", *parts)
            validation = None if held is None else self._fed("fit (validation)", *held)
            self._executable("train", batches)
            if validation is not None:
                self._executable("test", validation)
            streamed = None if stream is None else self._validating(stream, validation_steps)
        checks.check_fixed_batch(self.graph_for(batches.inputs).inputs, len(batches), batch_size, "fit")
        steps = -(-len(batches) // batch_size)
        listed = callback_module.CallbackList(
            callbacks, self, verbose, epochs=epochs, steps=steps, history=True, batch_size=batch_size
        )
        with self._alone("fit"), listed.running("train"):
            self.history, self.stop_training = listed.history, False
            (start, first), self.resume = self.resume or (initial_epoch, 0), None
            step = self._executable("train", batches)  # again: a run taken up has its own seeds
            for epoch in range(start, epochs):
                if not first:
                    self.reset_metrics()
                listed.on_epoch_begin(epoch)
                order = self._order(bool(shuffle), len(batches))
                self._run(step, batches, order, batch_size, steps, listed, "train", first=first)
                first = 0
                logs = self._results()
                if (validation is not None or streamed is not None) and (epoch + 1) % validation_freq == 0:
                    if streamed is not None:
                        streamed(listed)
                    elif validation is not None:
                        self._evaluate(validation, validation_size, validation_steps, listed)
                    logs.update(self._results("val_"))
                listed.on_epoch_end(epoch, dict(sorted(logs.items())))
                if self.stop_training:
                    break
        return listed.history

    def _validation_of(self, data: Any, size: int, steps: int | None) -> Any:
        """Makes, once the model is built, what evaluates on validation_data: a function of the callbacks, or None."""
        if data is None:
            return lambda: None
        if is_source(data):
            return lambda: self._validating(data, steps)
        held = self._checked("fit (validation)", *_unpacked(data))

        def made() -> Any:
            batches = self._fed("fit (validation)", *held)
            self._executable("test", batches)
            return lambda listed: self._evaluate(batches, size, steps, listed)

        return made

    def _held_out(self, x: Any, y: Any, sample_weight: Any, validation_data: Any, validation_split: Any) -> Any:
        """The checked arrays to train on, and those to evaluate on (or None)."""
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
        checks.warn_of_strange_numbers(looked_at, "fit", depth=4)
        return parts, held

    def _order(self, shuffle: bool, samples: int) -> Array | None:
        return self._shuffled(samples) if shuffle else None

    def _run(
        self,
        step: Any,
        batches: Batches,
        order: Any,
        size: int,
        steps: int,
        listed: Any,
        kind: str,
        outputs: Any = None,
        first: int = 0,
    ) -> None:
        """Runs the batches of an epoch in slices: as many at once as the engine likes, or one by one for batch callbacks."""
        at, single, arrays = first, listed.wants_batches(kind), batches.arrays
        while at < steps:
            if single:
                listed.on_batch_begin(kind, at)
            stop = at + 1 if single else steps
            more = {} if outputs is None else {"outputs": outputs}
            at = step.run_batches(arrays, order, size, at, stop, **more)
            listed.progressed(kind, at, self._results if kind != "predict" else dict)
            if single:
                listed.on_batch_end(kind, at - 1, self._results() if kind != "predict" else {})
            if self.stop_training and kind == "train":
                break

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
        batch_size = count_of("evaluate", "batch_size", batch_size, 1, none=32)
        count_of("evaluate", "steps", steps, 1, none=1)
        callback_module.checked(callbacks, verbose)
        if is_source(x):
            refuse("evaluate", f"x ({type(x).__name__})", y=y, sample_weight=sample_weight)
            return _returned(self._evaluate_source(x, steps, verbose, callbacks), return_dict)
        parts = self._checked("evaluate", x, y, sample_weight)
        with self._preparing():
            batches = self._fed("evaluate", *parts)
            self._executable("test", batches)
        count = _steps(len(batches), batch_size, steps)
        taken = min(len(batches), count * batch_size)
        checks.check_fixed_batch(self.graph_for(batches.inputs).inputs, taken, batch_size, "evaluate")
        listed = callback_module.CallbackList(callbacks, self, verbose, epochs=1, steps=count)
        with self._alone("evaluate"), listed.running("test"):
            self._evaluate(batches, batch_size, steps, listed)
            return _returned(self._results(), return_dict)

    def _evaluate(self, batches: Batches, size: int, steps: int | None, listed: Any) -> None:
        self.reset_metrics()
        self._run(
            self._executable("test", batches), batches, None, size, _steps(len(batches), size, steps), listed, "test"
        )

    # ---- predict

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs, as new arrays that may be written to.

        Args:
            x, batch_size, verbose, callbacks: as in fit; of what gives batches (x, y) the x is taken.
            steps: predict only so many batches; needed where x gives batches without end.
        """
        batch_size = count_of("predict", "batch_size", batch_size, 1, none=32)
        count_of("predict", "steps", steps, 1, none=1)
        callback_module.checked(callbacks, verbose)
        if is_source(x):
            return self._predict_source(x, steps, verbose, callbacks)
        parts = self._checked("predict", x)
        with self._preparing():
            batches = self._fed("predict", parts[0])
            step = self._executable("predict", batches)
        count = _steps(len(batches), batch_size, steps)
        samples = min(len(batches), count * batch_size)
        checks.check_fixed_batch(self.graph_for(batches.inputs).inputs, samples, batch_size, "predict")
        listed = callback_module.CallbackList(callbacks, self, verbose, epochs=1, steps=count)
        outputs = self._room(step.program, batches, samples, batch_size)
        with listed.running("predict"):
            if outputs is not None:
                self._run(step, batches, None, batch_size, count, listed, "predict", outputs)
            else:
                outputs = self._joined(step, batches, batch_size, count, listed)
        return packed(self.output_structure(batches.inputs), outputs)

    def _room(self, program: Any, batches: Batches, samples: int, size: int) -> list[Array] | None:
        """Arrays for the outputs of all samples; None where an output has no row for each sample."""
        size = min(size, samples)
        shapes = tuple((size, *a.shape[1:]) for a in batches.arrays)
        if (program, shapes) not in self._row_shapes:
            fixed = any(y.shape[:1] != (None,) for y in program.outputs)
            known = [] if fixed else [y.shape for y in specialize(program, shapes).outputs]
            by_rows = not fixed and all(shape[0] == size for shape in known)
            self._row_shapes[program, shapes] = [shape[1:] for shape in known] if by_rows else None
        rows = self._row_shapes[program, shapes]
        if rows is None:
            return None
        return [np.empty((samples, *row), dtypes.as_numpy(y.dtype)) for row, y in zip(rows, program.outputs)]

    def _joined(self, step: Any, batches: Batches, size: int, count: int, listed: Any) -> list[Array]:
        """Predictions whose rows are not the samples: batch by batch, put one after the other."""
        parts = [step.run([a[i * size : (i + 1) * size] for a in batches.arrays]) for i in range(count)]
        return [np.concatenate([np.atleast_1d(p) for p in group]) for group in zip(*parts)]

    # ---- the first edition's names

    def fit_generator(self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, **more: Any) -> Any:
        """`fit(generator, ...)`; `max_queue_size`, `workers` and `use_multiprocessing` are not read."""
        return self.fit(generator, steps_per_epoch=steps_per_epoch, epochs=epochs, **_without_queue(more))

    def evaluate_generator(self, generator: Any, steps: int | None = None, **more: Any) -> Any:
        """`evaluate(generator, steps=steps)`."""
        return self.evaluate(generator, steps=steps, **_without_queue(more))

    def predict_generator(self, generator: Any, steps: int | None = None, **more: Any) -> Any:
        """`predict(generator, steps=steps)`."""
        return self.predict(generator, steps=steps, **_without_queue(more))

    # ---- single batches

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on one batch. Returns the batch's loss, or a list of the loss and the metrics, or a dict."""
        self._must_be_compiled("train_on_batch")
        return self._on_batch("train", "train_on_batch", x, y, sample_weight, return_dict, class_weight)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and the metrics of one batch."""
        self._must_be_compiled("test_on_batch")
        return self._on_batch("test", "test_on_batch", x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch."""
        parts = self._checked("predict_on_batch", x)
        with self._preparing():
            batches = self._fed("predict_on_batch", parts[0])
            step = self._executable("predict", batches)
        return packed(self.output_structure(batches.inputs), step.run(batches.arrays))

    def _on_batch(
        self, kind: str, method: str, x: Any, y: Any, weights: Any, return_dict: bool, class_weight: Any = None
    ) -> Any:
        parts = self._class_weighted(method, self._checked(method, x, y, weights), class_weight)
        with self._preparing():
            batches = self._fed(method, *parts)
            step = self._executable(kind, batches)
        with self._alone(method):
            self.reset_metrics()
            step.run(batches.arrays)
            return _returned(self._results(), return_dict)


def _without_queue(more: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v for k, v in more.items() if k not in ("max_queue_size", "max_q_size", "workers", "use_multiprocessing")
    }


def _steps(samples: int, size: int, limit: int | None) -> int:
    steps = -(-samples // size)
    return steps if limit is None else min(steps, limit)


def _unpacked(validation_data: Any) -> tuple[Any, Any, Any]:
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        raise ArgumentError(
            f"fit: validation_data is (x, y) or (x, y, sample_weight); got a {type(validation_data).__name__}."
        )
    x, y, weight = [*validation_data, None][:3]
    return x, y, weight


def _returned(results: dict[str, Any], as_dict: bool) -> Any:
    if as_dict:
        return results
    values = list(results.values())
    return values[0] if len(values) == 1 else values
