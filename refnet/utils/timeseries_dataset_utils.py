"""Windows of a time series."""

from typing import Any

import numpy as np

from refnet import random
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.utils.chained_datasets import Chainable, checked_index, drawn_order


class TimeseriesDataset(Chainable):
    """Windows of a series, cut when they are asked for; see `timeseries_dataset_from_array`.

    Args:
        data: the series, time first.
        targets: what each window is to predict, or None.
        starts: where the windows begin.
        length, rate: the number of points in a window, and the steps from one to the next.
        batch_size: windows in a batch; None: single windows.
        seed: of the orders of the epochs; None if they are not shuffled.
    """

    def __init__(
        self, data: Array, targets: Array | None, starts: Array, length: int, rate: int, batch_size: Any, seed: Any
    ):
        super().__init__()
        self.data, self.targets, self.starts = data, targets, starts
        self.offsets, self.batch_size = np.arange(length) * rate, batch_size
        self.generator = seed
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        count = len(self.starts)
        self.order = np.arange(count) if self.generator is None else drawn_order(count, self.generator)

    def __len__(self) -> int:
        return len(self.starts) if self.batch_size is None else -(-len(self.starts) // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        index = checked_index(index, len(self))
        size = 1 if self.batch_size is None else self.batch_size
        starts = self.starts[self.order[index * size : (index + 1) * size]]
        windows = self.data[starts[:, None] + self.offsets]
        targets = None if self.targets is None else self.targets[starts]
        if self.batch_size is None:
            windows, targets = windows[0], None if targets is None else targets[0]
        return windows if targets is None else (windows, targets)


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> TimeseriesDataset:
    """Windows of a time series, with what they are to predict.

        window k is  data[s], data[s + r], ..., data[s + (length - 1) * r],  s = start_index + k * stride,  r = sampling_rate

    and its target is targets[s].

    Args:
        data: an array, time first.
        targets: an array whose row s belongs to the window that begins at row s of `data`; or None.
        sequence_length: points in a window.
        sequence_stride: steps from one window's beginning to the next.
        sampling_rate: steps from one point of a window to the next.
        batch_size: windows in a batch; None: the windows one by one.
        shuffle: whether each epoch has its own order.
        seed: of those orders.
        start_index, end_index: windows are cut from data[start_index:end_index].
        format: of Keras; the result is a PyDataset.
    Returns:
        A PyDataset of (windows (batch, sequence_length, ...), targets (batch, ...)), or of windows alone.
    Raises:
        ArgumentError: numbers that do not go with the series.
    Source: Keras 3 `utils.timeseries_dataset_from_array`.

    >>> for windows, targets in timeseries_dataset_from_array(np.arange(10), np.arange(3, 10), 3, batch_size=4):
    ...     print(windows[0], targets)
    [0 1 2] [3 4 5 6]
    [4 5 6] [7 8 9]
    """
    series = np.asarray(data)
    count = len(series)
    for word, value, low, high in (
        ("sequence_length", sequence_length, 1, None),
        ("sequence_stride", sequence_stride, 1, count),
        ("sampling_rate", sampling_rate, 1, count),
        ("batch_size", 1 if batch_size is None else batch_size, 1, None),
        ("start_index", start_index or 0, 0, count),
        ("end_index", count if end_index is None else end_index, (start_index or 0) + 1, count + 1),
    ):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < low or (high is not None and value >= high):
            limits = f"at least {low}" if high is None else f"in {low}..{high - 1}"
            raise ArgumentError(
                f"timeseries_dataset_from_array: {word} must be an integer, {limits} (data has length {count}); got {value!r}."
            )
    first, last = start_index or 0, count if end_index is None else end_index
    windows = last - first - (sequence_length - 1) * sampling_rate
    wanted = None if targets is None else np.asarray(targets)
    if wanted is not None:
        windows = min(windows, len(wanted) - first)
    if windows < 1:
        raise ArgumentError(
            f"timeseries_dataset_from_array: no window of {sequence_length} points, {sampling_rate} steps apart, fits into "
            f"rows {first}..{last - 1}" + (f" with a target: there are {len(wanted)}." if wanted is not None else ".")
        )
    starts = first + np.arange(0, windows, sequence_stride)
    generator = random.SeedGenerator(seed) if shuffle else None
    return TimeseriesDataset(series, wanted, starts, sequence_length, sampling_rate, batch_size, generator)
