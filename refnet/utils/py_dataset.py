"""Data that come in batches, by number."""

from collections.abc import Iterable, Iterator
from typing import Any


class PyDataset:
    """Base of data sets whose batches are made when they are asked for: a subclass writes `__getitem__` and `__len__`.

    `__getitem__(i)` gives batch i: (inputs, targets) or (inputs, targets, sample_weights), or the inputs alone.

    Args:
        workers, use_multiprocessing, max_queue_size: of Keras; batches are made one by one where they are used.
    """

    keeps_order = False  # whether `fit` takes the batches as they come, whatever its `shuffle` says

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `__getitem__`")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no `__len__`")

    @property
    def num_batches(self) -> int | None:
        """The number of batches in an epoch; None for data without an end."""
        return len(self)

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        """One pass: the batches of these numbers, in their order."""
        return (self[int(i)] for i in numbers)

    def on_epoch_begin(self) -> None:
        """Called before each epoch of fit."""

    def on_epoch_end(self) -> None:
        """Called after each epoch of fit."""


Sequence = PyDataset
