"""fit, evaluate, predict and their batch forms. An epoch is one program, run batch after batch."""

from typing import Any

import numpy as np

from refnet import callbacks as callback_module
from refnet import dtypes, engine, random
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.models import data as checks
from refnet.models.compiling import Batches, Compilable
from refnet.program import specialize
from refnet.structure import packed


class Trainer(Compilable):
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
    ) -> "callback_module.History":
        """Trains on arrays for a number of epochs.

        Args:
            x, y: an array each, or a list or dict of arrays for several inputs or outputs; all samples first.
            batch_size: samples per step, 32 if None; an epoch's last batch may be smaller.
            epochs: the number of the last epoch; training starts after `initial_epoch`.
            verbose: 0 silent, 1 a live bar, 2 a line per epoch; "auto" is 1 in a terminal or notebook and 0 elsewhere.
            callbacks: a list of callbacks.
            validation_split: the share of samples, taken from the end before shuffling, that is only evaluated.
            validation_data: (x, y) or (x, y, sample_weight), evaluated after each epoch.
            shuffle: whether each epoch takes the samples in a new order.
            class_weight: a weight for each class, by number.  sample_weight: a weight for each sample.
            validation_batch_size: batch_size if None.  validation_steps: evaluate only so many batches.
            validation_freq: evaluate after every so many epochs.
            steps_per_epoch: of endless data; arrays have an end, so it must be None.
        Returns:
            A History: `history.history` has a list of values for each metric, one per epoch.
        Raises:
            ArgumentError, ShapeError, DtypeError, DataError: before any weight, metric or optimizer state is changed.
        """
        self._must_be_compiled("fit")
        batch_size = _batch_size("fit", batch_size)
        callback_module.checked(callbacks, verbose)
        if steps_per_epoch is not None:
            raise ArgumentError(
                "fit: steps_per_epoch belongs to endless data; arrays give ceil(samples / batch_size) steps."
            )
        for word, value, least in (
            ("epochs", epochs, 0),
            ("initial_epoch", initial_epoch, 0),
            ("validation_freq", validation_freq, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise ArgumentError(f"fit: {word} must be an integer of at least {least}; got {value!r}.")
        if not isinstance(validation_split, (int, float, np.number)) or not 0 <= validation_split < 1:
            raise ArgumentError(
                f"fit: validation_split is a share of the samples, at least 0 and below 1; got {validation_split!r}."
            )
        parts = self._checked("fit", x, y, sample_weight, warn=False)
        held, shown = None, {**parts[0], **parts[1]}
        if validation_data is not None:
            held = self._checked("fit (validation_data)", *_unpacked(validation_data), warn=False)
            shown.update({f"validation {label}": array for label, array in {**held[0], **held[1]}.items()})
        elif validation_split:
            pairs = [checks.split(part, validation_split, "fit") if part else ({}, {}) for part in parts]
            parts, held = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
        checks.warn_of_strange_numbers(shown, "fit", depth=3)
        parts = self._class_weighted("fit", parts, class_weight)
        with self._unbuilt_on_error():
            batches = self._fed("fit", *parts)
            validation = None if held is None else self._fed("fit (validation)", *held)
            self._executable("train", batches)
            if validation is not None:
                self._executable("test", validation)
        steps = -(-len(batches) // batch_size)
        listed = callback_module.CallbackList(
            callbacks, self, verbose, epochs=epochs, steps=steps, history=True, batch_size=batch_size
        )
        self.history, self.stop_training, self.resume = listed.history, False, None
        with listed.running("train"):
            start, first = self.resume or (initial_epoch, 0)
            step = self._executable("train", batches)  # again: a run taken up has its own seeds
            for epoch in range(start, epochs):
                if not first:
                    self.reset_metrics()
                listed.on_epoch_begin(epoch)
                order = self._order(bool(shuffle), len(batches))
                self._run(step, batches, order, batch_size, steps, listed, "train", first=first)
                first = 0
                logs = self._results()
                if validation is not None and (epoch + 1) % validation_freq == 0:
                    size = _batch_size("fit", validation_batch_size or batch_size)
                    self._evaluate(validation, size, validation_steps, listed)
                    logs.update(self._results("val_"))
                listed.on_epoch_end(epoch, dict(sorted(logs.items())))
                if self.stop_training:
                    break
        return listed.history

    def _order(self, shuffle: bool, samples: int) -> Array | None:
        if not shuffle:
            return None
        with engine.eager_on_current():
            return np.asarray(random.permutation(samples, seed=self._orders()), np.int64)

    def _orders(self) -> random.SeedGenerator:
        if self._shuffler is None:
            self._shuffler = random.SeedGenerator()
        return self._shuffler

    def shuffler_state(self) -> list[int]:
        """Seed and number of draws of the generator of the epochs' orders."""
        return [int(number) for number in self._orders().state.value]

    def set_shuffler(self, seed: int, drawn: int) -> None:
        """Puts the generator of the epochs' orders where `shuffler_state` found it."""
        self._shuffler = random.SeedGenerator(seed)
        self._shuffler.state.set(np.array([seed, drawn]))

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

    def _class_weighted(self, method: str, parts: Any, class_weight: Any) -> Any:
        """Checked arrays with a sample weight from each sample's class; data that are only evaluated are not weighted so."""
        if class_weight is None:
            return parts
        inputs, targets, weights = parts
        if weights:
            raise ArgumentError(f"{method}: give sample_weight or class_weight, not both.")
        if len(targets) != 1:
            raise ArgumentError(f"{method}: class_weight is for models with one output; use sample_weight.")
        (target,) = targets.values()
        return inputs, targets, {"class_weight": checks.class_weights(class_weight, target, method)}

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
        """The loss and the metrics on arrays.

        Args:
            x, y, batch_size, verbose, sample_weight, callbacks: as in fit.
            steps: evaluate only so many batches.
            return_dict: whether the values come as a dict by name.
        Returns:
            The loss, or a list of the loss and the metrics, or a dict.
        """
        self._must_be_compiled("evaluate")
        batch_size = _batch_size("evaluate", batch_size)
        callback_module.checked(callbacks, verbose)
        parts = self._checked("evaluate", x, y, sample_weight)
        with self._unbuilt_on_error():
            batches = self._fed("evaluate", *parts)
            self._executable("test", batches)
        count = _steps(len(batches), batch_size, steps)
        listed = callback_module.CallbackList(callbacks, self, verbose, epochs=1, steps=count)
        with listed.running("test"):
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
        """The model's outputs for arrays, as new arrays that may be written to.

        Args:
            x, batch_size, verbose, callbacks: as in fit.
            steps: predict only so many batches.
        """
        batch_size = _batch_size("predict", batch_size)
        callback_module.checked(callbacks, verbose)
        parts = self._checked("predict", x)
        with self._unbuilt_on_error():
            batches = self._fed("predict", parts[0])
            step = self._executable("predict", batches)
        count = _steps(len(batches), batch_size, steps)
        listed = callback_module.CallbackList(callbacks, self, verbose, epochs=1, steps=count)
        samples = min(len(batches), count * batch_size)
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
        with self._unbuilt_on_error():
            batches = self._fed("predict_on_batch", parts[0])
            step = self._executable("predict", batches)
        return packed(self.output_structure(batches.inputs), step.run(batches.arrays))

    def _on_batch(
        self, kind: str, method: str, x: Any, y: Any, weights: Any, return_dict: bool, class_weight: Any = None
    ) -> Any:
        parts = self._class_weighted(method, self._checked(method, x, y, weights), class_weight)
        with self._unbuilt_on_error():
            batches = self._fed(method, *parts)
            step = self._executable(kind, batches)
        self.reset_metrics()
        step.run(batches.arrays)
        return _returned(self._results(), return_dict)


def _batch_size(method: str, value: Any) -> int:
    if value is None:
        return 32
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ArgumentError(f"{method}: batch_size must be an integer of at least 1; got {value!r}.")
    return int(value)


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
