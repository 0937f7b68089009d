"""Data sets cut in two, and arrays and sources as PyDatasets."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from refnet import random
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.structure import flatten, mapped
from refnet.utils.chained_datasets import Chainable, checked_index, drawn_order
from refnet.utils.py_dataset import PyDataset


class ArrayDataset(Chainable):
    """Arrays as a data set of batches.

    Args:
        arrays: an array, or a tuple, list or dict of arrays with one row per sample.
        batch_size: samples in a batch; None: each element is a sample, without a batch axis.
        shuffle: whether each epoch has its own order.
        seed: of those orders.
    """

    def __init__(self, arrays: Any, batch_size: int | None = 32, shuffle: bool = False, seed: Any = None):
        super().__init__()
        self.arrays, self.batch_size = mapped(np.asarray, arrays), batch_size
        if any(a.ndim == 0 for a in flatten(self.arrays)):
            raise ShapeError(
                f"a data set's arrays have one row per sample; got single numbers in {shown(arrays)}. Make lists of numbers arrays "
                "first: np.array(...)."
            )
        lengths = {len(a) for a in flatten(self.arrays)}
        if len(lengths) != 1:
            raise ShapeError(f"a data set's arrays have one row per sample; got arrays of lengths {sorted(lengths)}.")
        self.samples = lengths.pop()
        self.generator = random.SeedGenerator(seed) if shuffle else None
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self.order = np.arange(self.samples) if self.generator is None else drawn_order(self.samples, self.generator)

    def __len__(self) -> int:
        return self.samples if self.batch_size is None else -(-self.samples // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        index = checked_index(index, len(self))
        if self.batch_size is None:
            return mapped(lambda a: a[self.order[index]], self.arrays)
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return mapped(lambda a: a[rows], self.arrays)


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[ArrayDataset, ArrayDataset]:
    """A data set cut in two.

    Args:
        dataset: an array, a list or tuple of arrays with one row per sample, or a data set of them.
        left_size, right_size: how many samples (an integer) or which share of them (a float) each part gets; one of them may
            be None: the rest.
        shuffle: whether the samples are put into a random order first.
        seed: of that order.
        preferred_backend: of Keras.
    Returns:
        Two data sets of single samples; an ArrayDataset that was given keeps its batch size. `.arrays` has the arrays.
    Raises:
        ArgumentError: sizes that do not fit.  ShapeError: arrays of different lengths.
    Source: Keras 3 `utils.split_dataset`.

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> left.arrays, right.arrays
    (array([0, 1, 2, 3, 4, 5, 6, 7]), array([8, 9]))
    """
    batch_size = None
    if isinstance(dataset, ArrayDataset):
        dataset, batch_size = dataset.arrays, dataset.batch_size
    elif hasattr(dataset, "iloc"):  # a table of pandas, whose elements are its columns' names
        dataset = np.asarray(dataset)
    elif isinstance(dataset, PyDataset) or (not isinstance(dataset, (np.ndarray, list, tuple, dict))):
        dataset, batch_size = gathered(dataset)
    whole = ArrayDataset(tuple(dataset) if isinstance(dataset, list) else dataset, None)
    left, right = part_sizes(left_size, right_size, whole.samples)
    order = drawn_order(whole.samples, seed) if shuffle else np.arange(whole.samples)
    parts = order[:left], order[whole.samples - right :]
    made = [ArrayDataset(mapped(lambda a, rows=rows: a[rows], whole.arrays), batch_size) for rows in parts]
    return made[0], made[1]


def gathered(dataset: Any) -> tuple[Any, int]:
    """The arrays of a data set of batches, and the size of its first batch."""
    if not isinstance(dataset, Iterable) and not isinstance(dataset, PyDataset):
        raise ArgumentError(f"split_dataset takes arrays or a data set of batches; got {shown(dataset)}.")
    batches = [dataset[i] for i in range(len(dataset))] if isinstance(dataset, PyDataset) else list(dataset)
    if not batches:
        raise ArgumentError("split_dataset: the data set is empty.")
    size = len(flatten(batches[0])[0])
    return mapped(lambda *parts: np.concatenate(parts), *batches), size


def part_sizes(left: Any, right: Any, count: int) -> tuple[int, int]:
    """The numbers of samples on both sides."""
    if left is None and right is None:
        raise ArgumentError("split_dataset: give left_size or right_size.")
    sizes: list[Any] = []
    for word, size in (("left_size", left), ("right_size", right)):
        number = isinstance(size, (int, float, np.number)) and not isinstance(size, bool)
        share = isinstance(size, (float, np.floating))
        if size is not None and (not number or not 0 < size < (1 if share else count)):
            raise ArgumentError(
                f"split_dataset: {word} is an integer in 1..{count - 1} for {count} samples, or a share between 0 and 1; "
                f"got {size!r}."
            )
        sizes.append(None if size is None else round(size * count) if share else int(size))
    first = count - sizes[1] if sizes[0] is None else sizes[0]
    second = count - first if sizes[1] is None else sizes[1]
    if not first or not second or first + second > count:
        raise ArgumentError(
            f"split_dataset: left_size={left!r} and right_size={right!r} of {count} samples would be {first} and {second}; "
            "both need at least one, and together not more than there are."
        )
    return first, second
