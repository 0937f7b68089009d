"""Data sets made of data sets, by the methods that those of tf.data have: map, batch, take, shuffle and so on."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from refnet import engine, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, MissingNameError, shown, told_by
from refnet.structure import mapped
from refnet.utils.py_dataset import PyDataset

HERE = ("as_numpy_iterator", "batch", "cache", "map", "prefetch", "repeat", "shuffle", "skip", "take")
ELSEWHERE = (
    *("apply", "bucket_by_sequence_length", "cardinality", "concatenate", "element_spec", "enumerate", "filter"),
    *("flat_map", "from_generator", "from_tensor_slices", "group_by_window", "interleave", "padded_batch", "range"),
    *(
        "ragged_batch",
        "rebatch",
        "reduce",
        "save",
        "scan",
        "shard",
        "snapshot",
        "unbatch",
        "window",
        "with_options",
        "zip",
    ),
)


def drawn_order(count: int, seed: Any) -> Array:
    """0..count-1 in random order; seed: an integer, a SeedGenerator, or None for the next seed of the global stream."""
    with engine.eager_on_current():
        return np.asarray(random.permutation(count, seed=seed), np.int64)


def checked_index(index: Any, count: int) -> int:
    """A batch's number, from 0; negative ones count from the end. Raises IndexError, which ends a loop over a data set."""
    number = int(index)
    if not -count <= number < count:
        raise IndexError(f"there is no batch {index}: the data set has {count}.")
    return number % count


class Chainable(PyDataset):
    """A data set that has the methods of tf.data which the book's programs use. Each gives another data set, which reads this one.

    An element is what `data_set[i]` gives: a batch, or one sample where `batch_size` is None.
    """

    keeps_order = True  # `shuffle` of its own

    def map(self, function: Callable[..., Any], num_parallel_calls: Any = None, deterministic: Any = None) -> "Mapped":
        """Each element as a function gives it back.

        Args:
            function: of an element; a tuple is handed over in parts: `lambda x, y: (layer(x), y)`. It gets arrays, not tensors, each
                time that an element is read.
            num_parallel_calls, deterministic: of tf.data; elements are made in order, one by one.
        """
        if not callable(function):
            raise ArgumentError(f"{type(self).__name__}.map takes a function of an element; got {shown(function)}.")
        return Mapped(self, function)

    def batch(self, batch_size: int, drop_remainder: bool = False, num_parallel_calls: Any = None) -> "Batched":
        """Elements joined along a new first axis, `batch_size` at a time; drop_remainder leaves out a last one that has fewer."""
        return Batched(self, self._counted("batch", "batch_size", batch_size, 1), drop_remainder)

    def take(self, count: int) -> "Part":
        """The first `count` elements; all for -1."""
        count = self._counted("take", "count", count, -1)
        return Part(self, 0, self.num_batches if count < 0 else count)

    def skip(self, count: int) -> "Part":
        """All but the first `count` elements."""
        return Part(self, self._counted("skip", "count", count, 0), None)

    def shuffle(self, buffer_size: Any = None, seed: Any = None, reshuffle_each_iteration: bool = True) -> "Shuffled":
        """The elements in another order each epoch. All of them are drawn from, whatever `buffer_size` says."""
        if self.num_batches is None:
            raise ArgumentError(f"{type(self).__name__}.shuffle: the data set has no end. Call shuffle before repeat.")
        return Shuffled(self, seed, bool(reshuffle_each_iteration))

    def repeat(self, count: int | None = None) -> "Repeated":
        """The elements `count` times over; without end for None or -1, then fit needs steps_per_epoch."""
        count = -1 if count is None else self._counted("repeat", "count", count, -1)
        if not self.num_batches:
            raise ArgumentError(
                f"{type(self).__name__}.repeat: a data set of a known length, of 1 at least, is repeated."
            )
        return Repeated(self, None if count < 0 else count)

    def cache(self, filename: Any = None) -> "Cached":
        """The elements as they came the first time, kept in memory. The order is kept too: call shuffle afterwards."""
        return Cached(self)

    def prefetch(self, buffer_size: Any = None) -> "Chainable":
        """The data set itself: files are read ahead without it, by `max_queue_size` batches."""
        return self

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements, once."""
        return iter(self)  # by __getitem__, until IndexError

    def _counted(self, method: str, word: str, value: Any, least: int) -> int:
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < least:
            name = f"{type(self).__name__}.{method}"
            raise ArgumentError(f"{name}: {word} is an integer of at least {least}; got {shown(value)}.")
        return int(value)

    def __getattr__(self, name: str) -> Any:
        kind = type(self).__name__
        if name not in ELSEWHERE:
            raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=self)
        raise MissingNameError(
            f"{kind}.{name}: a data set of refnet is none of tf.data. Of its methods there are {', '.join(HERE)}; for others write a "
            "generator of batches, or a class with __len__ and __getitem__ on refnet.utils.PyDataset."
        )


class Changed(Chainable):
    """A data set that is made of another."""

    def __init__(self, source: PyDataset):
        super().__init__()
        self.source = source

    @property
    def num_batches(self) -> int | None:
        return self.source.num_batches

    def __len__(self) -> int:
        count = self.num_batches
        if count is None:
            raise TypeError("a data set that is repeated without end has no length; take(count) gives a part of it.")
        return count

    def __getitem__(self, index: int) -> Any:
        count = self.num_batches
        return next(iter(self.iterate([int(index) if count is None else checked_index(index, count)])))

    def on_epoch_begin(self) -> None:
        self.source.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.source.on_epoch_end()


class Mapped(Changed):
    """See `Chainable.map`."""

    def __init__(self, source: PyDataset, function: Callable[..., Any]):
        super().__init__(source)
        self.function = function

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        for element in self.source.iterate(numbers):
            with told_by("the function given to map"):
                changed = self.function(*element) if isinstance(element, tuple) else self.function(element)
            yield changed


class Batched(Changed):
    """See `Chainable.batch`."""

    def __init__(self, source: PyDataset, batch_size: int, drop_remainder: bool):
        super().__init__(source)
        self.batch_size, self.drop_remainder = batch_size, drop_remainder

    @property
    def num_batches(self) -> int | None:
        count = self.source.num_batches
        if count is None:
            return None
        return count // self.batch_size if self.drop_remainder else -(-count // self.batch_size)

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        count = self.source.num_batches
        for number in numbers:
            end = (int(number) + 1) * self.batch_size
            rows = range(int(number) * self.batch_size, end if count is None else min(end, count))
            yield mapped(joined, *self.source.iterate(rows))


def joined(*parts: Any) -> Array:
    """Arrays of one shape, or strings, as rows of one array."""
    if any(isinstance(part, str) for part in parts):
        rows = np.empty(len(parts), object)
        rows[:] = parts
        return rows
    arrays = [np.asarray(part) for part in parts]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise DataError(
            f"batch: elements of shapes {sorted(shapes)} cannot be rows of one array. Pad them to one shape before."
        )
    return np.stack(arrays)


class Part(Changed):
    """The elements from `start` on, `count` of them at most; see `Chainable.take` and `Chainable.skip`."""

    def __init__(self, source: PyDataset, start: int, count: int | None):
        super().__init__(source)
        self.start, self.count = start, count

    @property
    def num_batches(self) -> int | None:
        there = self.source.num_batches
        if there is None:
            return self.count
        left = max(there - self.start, 0)
        return left if self.count is None else min(left, self.count)

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        return self.source.iterate(self.start + int(number) for number in numbers)


class Shuffled(Changed):
    """See `Chainable.shuffle`."""

    def __init__(self, source: PyDataset, seed: Any, each_time: bool):
        super().__init__(source)
        self.generator, self.each_time = random.SeedGenerator(seed), each_time
        self.order = drawn_order(len(source), self.generator)

    def on_epoch_end(self) -> None:
        super().on_epoch_end()
        if self.each_time:
            self.order = drawn_order(len(self.source), self.generator)

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        order = self.order  # of this pass: a thread may still read it when the next is drawn
        return self.source.iterate(int(order[int(number)]) for number in numbers)


class Repeated(Changed):
    """See `Chainable.repeat`. Each turn is an epoch of the source, so that it has its own order."""

    def __init__(self, source: PyDataset, count: int | None):
        super().__init__(source)
        self.count, self.turn = count, 0

    @property
    def num_batches(self) -> int | None:
        return None if self.count is None else self.count * len(self.source)

    def on_epoch_end(self) -> None:
        if self.count is not None:  # an epoch of fit may end in the middle of a turn of what has no end
            self.turn = 0
            super().on_epoch_end()

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        length = len(self.source)
        for turn, part in groupby(map(int, numbers), lambda number: number // length):
            if turn != self.turn:  # the next turn, or the first of another pass
                self.turn = turn
                self.source.on_epoch_end()
            yield from self.source.iterate(number % length for number in part)


class Cached(Changed):
    """See `Chainable.cache`."""

    def __init__(self, source: PyDataset):
        super().__init__(source)
        self.kept: dict[int, Any] = {}

    def on_epoch_begin(self) -> None:
        """Nothing: what was kept stays as it is."""

    on_epoch_end = on_epoch_begin

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        for number in map(int, numbers):
            if number not in self.kept:
                self.kept[number] = self.source[number]
            yield mapped(_again, self.kept[number])


def _again(value: Any) -> Any:
    """A copy of an array that is kept, because the one who gets it may write into it."""
    return value.copy() if isinstance(value, np.ndarray) else value
