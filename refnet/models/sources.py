"""Data that come batch by batch: generators, PyDatasets, and other objects that give batches when iterated."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from refnet import limits
from refnet.errors import ArgumentError, DataError
from refnet.graph import Tensor
from refnet.utils.py_dataset import PyDataset


def is_source(x: Any) -> bool:
    """Whether x gives batches, and is no array or structure of arrays."""
    if isinstance(x, PyDataset) or hasattr(x, "__next__"):
        return True
    arrays = isinstance(x, (np.ndarray, list, tuple, dict, range, str, bytes, Tensor))
    return not arrays and not hasattr(x, "shape") and not hasattr(x, "__array__") and isinstance(x, Iterable)


class Source:
    """Batches of a generator, which goes on where it stopped, or of something that can be begun again.

    Args:
        data: what `is_source` accepts.
        label, method: as messages name it.
        order: for a PyDataset the order of its batches, from their number; None for 0, 1, 2 ...
    """

    def __init__(self, data: Any, label: str, method: str, order: Callable[[int], Any] | None = None):
        self.data, self.label, self.method, self.order = data, label, method, order
        self.again = isinstance(data, PyDataset) or not hasattr(data, "__next__")
        self._running: Iterator[Any] | None = None
        self._peeked: list[Any] = []

    @property
    def length(self) -> int | None:
        """The number of batches in one pass; None if that is not known."""
        if isinstance(self.data, PyDataset):
            return self.data.num_batches
        return len(self.data) if self.again and hasattr(self.data, "__len__") else None

    def _begin(self) -> Iterator[Any]:
        if not isinstance(self.data, PyDataset):
            return iter(self.data)
        count = self.data.num_batches
        if count is None:
            return self.data.iterate(itertools.count())
        return self.data.iterate(range(count) if self.order is None else self.order(count))

    def _next(self) -> Any:
        """The next batch. Raises StopIteration at the end of a pass."""
        if self._peeked:
            return self._peeked.pop()
        if self._running is None:
            self._running = self._begin()
        try:
            return next(self._running)
        except StopIteration:
            self._running = None
            raise

    def peek(self) -> Any:
        """The first batch, which `batches` will give again."""
        try:
            self._peeked = [self._next()]
        except StopIteration:
            raise DataError(f"{self.method}: {self.label} gives no batch.") from None
        return self._peeked[0]

    def ended(self) -> bool:
        """Whether a generator has no more batches."""
        if not self.again and not self._peeked:
            try:
                self._peeked = [self._next()]
            except StopIteration:
                return True
        return False

    def batches(self, steps: int | None) -> Iterator[Any]:
        """So many batches, begun again where they end if they can be; one pass if `steps` is None."""
        count, fresh, most = 0, False, limits.max_steps_per_epoch()
        while (steps is None or count < steps) and (most is None or count < most):
            try:
                batch = self._next()
            except StopIteration:
                if steps is None or not self.again or fresh:
                    return
                fresh = True
                continue
            count, fresh = count + 1, False
            yield batch

    def parts(self, batch: Any) -> tuple[Any, Any, Any]:
        """(x, y, sample_weight) of a batch."""
        if batch is None:
            raise ArgumentError(
                f"{self.method}: {self.label} ({type(self.data).__name__}) gave None in place of a batch; it must give (x, y)."
            )
        if isinstance(batch, (tuple, list)):
            if not 1 <= len(batch) <= 3:
                raise ArgumentError(
                    f"{self.method}: {self.label} must give (x, y) or (x, y, sample_weight); got {len(batch)} things."
                )
            x, y, weight = [*batch, None, None][:3]
            return x, y, weight
        return batch, None, None
