"""Training, evaluation and prediction on data that come batch by batch."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import callbacks as callback_module
from refnet import engine, limits, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, shown
from refnet.models import data as checks
from refnet.models.batches import Batches
from refnet.models.sources import Source
from refnet.models.stepping import Stepping
from refnet.structure import packed


class Streaming(Stepping):
    """What fit, evaluate and predict do with a generator or a PyDataset, and what they share with arrays."""

    def _source(self, data: Any, label: str, method: str, shuffle: bool = False) -> Source:
        """Data that come batch by batch, with the first batch made: it may come from a thread that calls layers itself, so it is
        not waited for while a model is being prepared."""
        shuffle = shuffle and not getattr(data, "keeps_order", False)
        source = Source(data, label, method, self.shuffled if shuffle else None)
        source.peek()
        return source

    def shuffled(self, count: int) -> Array:
        """The next order of so many samples."""
        with engine.eager_on_current():
            return np.asarray(random.permutation(count, seed=self._orders()), np.int64)

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

    def _batch(self, kind: str, source: Source, given: Any, class_weight: Any = None, warn: bool = False) -> Batches:
        """One batch of a source, checked."""
        x, y, weight = source.parts(given)
        parts = self._checked(source.method, x, None if kind == "predict" else y, weight, warn=warn)
        if kind == "predict":
            return self._fed(source.method, parts[0])
        return self._fed(source.method, *self._class_weighted(source.method, parts, class_weight))

    def _prepared(self, kind: str, source: Source, class_weight: Any = None) -> Batches:
        """The first batch, for which the step's program is made."""
        first = self._batch(kind, source, source.peek(), class_weight, warn=True)
        self._executable(kind, first)
        return first

    def _stream(
        self,
        kind: str,
        source: Source,
        steps: int | None,
        listed: Any,
        class_weight: Any = None,
        keep: Callable[[list[Array]], None] | None = None,
    ) -> int:
        """Runs the batches of an epoch. Gives their number."""
        single, done = listed.wants_batches(kind), 0
        read: Any = dict if kind == "predict" else functools.partial(self._results, kind)
        for given in source.batches(steps):
            if single:
                listed.on_batch_begin(kind, done)
            with self._preparing():
                batches = self._batch(kind, source, given, class_weight)
                step = self._executable(kind, batches)
            results = step.run(batches.arrays)
            self._ran[kind] = step.program
            if keep is not None:
                keep(results)
            done += 1
            listed.progressed(kind, done, read)
            if single:
                shown = {"outputs": packed(self._structure(step, batches), results)} if kind == "predict" else read()
                listed.on_batch_end(kind, done - 1, shown)
            if self.stop_training and kind == "train":
                break
        return done

    def _validating(self, source: Source, steps: int | None) -> Callable[[Any], None]:
        """A function of the callbacks that evaluates on a source."""
        self._prepared("test", source)

        def run(listed: Any) -> None:
            self.reset_metrics()
            if self._stream("test", source, steps, listed) == 0:
                raise ArgumentError(
                    "fit: validation_data is a generator that has ended. Give validation_steps and a generator without an "
                    "end, or a PyDataset."
                )

        return run

    def _evaluate_source(self, data: Any, steps: int | None, verbose: Any, callbacks: Any) -> dict[str, Any]:
        source = self._source(data, "x", "evaluate")
        with self._preparing():
            self._prepared("test", source)
        steps = limits.steps(source.length if steps is None else steps)
        listed = callback_module.Listening(callbacks, self, verbose, epochs=1, steps=steps)
        with self._alone("evaluate"), listed.running("test"):
            self.reset_metrics()
            self._stream("test", source, steps, listed)
            return self._results("test")

    def _predict_source(self, data: Any, steps: int | None, verbose: Any, callbacks: Any) -> Any:
        source = self._source(data, "x", "predict")
        with self._preparing():
            first = self._prepared("predict", source)
        steps = limits.steps(source.length if steps is None else steps)
        listed = callback_module.Listening(callbacks, self, verbose, epochs=1, steps=steps)
        groups: list[list[Array]] = []
        with listed.running("predict"):
            self._stream("predict", source, steps, listed, keep=groups.append)
        joined = [np.concatenate([np.atleast_1d(part) for part in parts]) for parts in zip(*groups)]
        return packed(self._structure(self._executable("predict", first), first), joined)

    def _structure(self, step: Any, batches: Batches) -> Any:
        """How the outputs of a prediction are put together."""
        kept = self._structures.get(step.program)
        return self.output_structure(batches) if kept is None else kept


def count_of(method: str, word: str, value: Any, least: int, none: int | None = None) -> int:
    """An argument that counts something; `none` where it may be None."""
    if value is None and none is not None:
        return none
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{method}: {word} must be an integer of at least {least}; got {shown(value)}.")
    return int(value)


def refuse(method: str, kind: str, **given: Any) -> None:
    """Raises for arguments that belong to arrays, given together with a generator."""
    for word, value in given.items():
        if value is not None and value is not False and not (word == "validation_split" and value == 0):
            raise ArgumentError(
                f"{method}: {word} belongs to arrays; {kind} gives its own batches of (x, y) or (x, y, sample_weight)."
            )
