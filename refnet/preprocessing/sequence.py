"""Sequences: padded, cut into windows of time, and as pairs of neighbouring words."""

import json
from typing import Any

import numpy as np

from refnet import engine, random
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.utils.chained_datasets import checked_index
from refnet.utils.py_dataset import PyDataset
from refnet.utils.sequence_utils import pad_sequences as pad_sequences


class TimeseriesGenerator(PyDataset):
    """Windows of a time series with the value that follows each of them.

    A batch's rows t are start_index + length + k * stride; its windows data[t - length : t : sampling_rate], its targets targets[t].

    Args:
        data: an array, a list, or a table of pandas, whose rows count by their place; time first.
        targets: as long as `data`.
        length: how far back a window goes.
        sampling_rate: steps from one point of a window to the next.
        stride: steps from one window to the next.
        start_index, end_index: the first and the last row of `data` that is used; the last one if None.
        shuffle: whether the rows t are drawn, each anew, instead.
        reverse: whether windows go back in time.
        batch_size: windows in a batch.
        seed: of the draws.
    Source: Keras 2 `preprocessing.sequence.TimeseriesGenerator`.

    >>> windows, targets = TimeseriesGenerator(np.arange(10), np.arange(10), length=3, batch_size=4)[0]
    >>> windows[0], targets
    (array([0, 1, 2]), array([3, 4, 5, 6]))
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        seed: int | None = None,
        **more: Any,
    ):
        super().__init__(**more)
        if len(data) != len(targets):
            raise ArgumentError(
                f"TimeseriesGenerator: data and targets are equally long; got {len(data)} and {len(targets)} rows."
            )
        for word, value in (
            ("length", length),
            ("sampling_rate", sampling_rate),
            ("stride", stride),
            ("batch_size", batch_size),
        ):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ArgumentError(f"TimeseriesGenerator: {word} is an integer of at least 1; got {value!r}.")
        if not isinstance(start_index, (int, np.integer)) or start_index < 0:
            raise ArgumentError(f"TimeseriesGenerator: start_index is an integer of at least 0; got {start_index!r}.")
        self.data, self.targets, self.length = by_place(data), by_place(targets), length
        self.sampling_rate, self.stride, self.shuffle, self.reverse = sampling_rate, stride, shuffle, reverse
        self.start_index, self.batch_size = start_index + length, batch_size
        self.end_index = len(data) - 1 if end_index is None else end_index
        if self.start_index > self.end_index:
            raise ArgumentError(
                f"TimeseriesGenerator: start_index + length is {self.start_index}, end_index {self.end_index}: no row has a whole "
                "window before it."
            )
        if self.end_index >= len(data):
            raise ArgumentError(
                f"TimeseriesGenerator: end_index is {end_index}, but the last row of data is {len(data) - 1}. Leave it out to use all."
            )
        self.generator = random.SeedGenerator(seed) if shuffle else None

    def __len__(self) -> int:
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        index = checked_index(index, len(self))
        if self.generator is not None:
            with engine.eager_on_current():
                rows = random.randint((self.batch_size,), self.start_index, self.end_index + 1, "int64", self.generator)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = np.array([self.data[t - self.length : t : self.sampling_rate] for t in rows])
        targets = np.array([self.targets[t] for t in rows])
        return (windows[:, ::-1] if self.reverse else windows), targets

    def get_config(self) -> dict[str, Any]:
        """The arguments; the series itself as JSON, as Keras writes it."""
        names = ("length", "sampling_rate", "stride", "end_index", "shuffle", "reverse", "batch_size")
        config: dict[str, Any] = {name: getattr(self, name) for name in names}
        series = {name: json.dumps(np.asarray(getattr(self, name)).tolist()) for name in ("data", "targets")}
        return {**series, **config, "start_index": self.start_index}

    def to_json(self, **more: Any) -> str:
        """The generator as JSON."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **more)


def by_place(rows: Any) -> Any:
    """Rows that an index picks by their place: a table or column of pandas would go by its labels."""
    return np.asarray(rows) if hasattr(rows, "iloc") else rows


def timeseries_generator_from_json(json_string: str) -> TimeseriesGenerator:
    """The generator that `TimeseriesGenerator.to_json` wrote."""
    config = dict(json.loads(json_string)["config"])
    data, targets = (np.array(json.loads(config.pop(name))) for name in ("data", "targets"))
    config["start_index"] -= config["length"]
    return TimeseriesGenerator(data, targets, **config)


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> Array:
    """How likely `skipgrams` keeps the word of each rank, so that frequent words do not drown the others.

        p(r) = min(1, sqrt(factor / f(r))),  1 / f(r) = r * (log r + 0.577) + 1/2 - 1 / (12 r),  r = 1, 1, 2, ...

    f is how often the word of rank r occurs by Zipf's law.

    Args:
        size: the number of ranks, 0 included, which is no word.
        sampling_factor: of word2vec.
    Returns:
        (size,), float64.
    Source: Keras 2 `preprocessing.sequence.make_sampling_table`; Mikolov et al. 2013.

    >>> make_sampling_table(3).round(4)
    array([0.0032, 0.0032, 0.0055])
    """
    ranks = np.maximum(np.arange(size), 1)
    inverse = ranks * (np.log(ranks) + 0.577) + 0.5 - 1.0 / (12.0 * ranks)
    return np.asarray(np.minimum(1.0, np.sqrt(sampling_factor * inverse)))


def skipgrams(
    sequence: Any,
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words that stand near each other (label 1), and pairs with words drawn at random (label 0).

    Args:
        sequence: numbers of words; 0 is no word.
        vocabulary_size: words are drawn from 1..vocabulary_size-1.
        window_size: neighbours are at most so many places apart.
        negative_samples: random pairs for each true one.
        shuffle: whether the pairs are put into a random order.
        categorical: whether labels are [0, 1] and [1, 0] instead of 1 and 0.
        sampling_table: how likely each word is kept, see `make_sampling_table`.
        seed: of the draws; the next seed of the global stream if None.
    Returns:
        The pairs, and their labels.
    Source: Keras 2 `preprocessing.sequence.skipgrams`; Mikolov et al. 2013.

    >>> skipgrams([1, 2, 3], vocabulary_size=4, window_size=1, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    generator = random.SeedGenerator(seed)
    kept = np.ones(len(sequence), bool)
    with engine.eager_on_current():
        if sampling_table is not None:
            top = max(sequence, default=0)
            if top >= len(sampling_table):
                raise ArgumentError(
                    f"skipgrams: sampling_table has {len(sampling_table)} entries; word {top} needs "
                    f"make_sampling_table({top + 1}) or larger."
                )
            likely = np.array([sampling_table[word] for word in sequence])
            kept = likely >= random.uniform((len(sequence),), dtype="float64", seed=generator)
        pairs = true_pairs(sequence, kept, window_size)
        count = int(len(pairs) * negative_samples)
        order = random.permutation(len(pairs), generator)
        drawn = random.randint((count,), 1, vocabulary_size, "int64", generator) if count else []
        false = [[pairs[int(order[i % len(pairs)])][0], int(word)] for i, word in enumerate(drawn)]
        labels = [[0, 1] if categorical else 1] * len(pairs) + [[1, 0] if categorical else 0] * count
        pairs += false
        if shuffle:
            order = random.permutation(len(pairs), generator)
            pairs, labels = [pairs[int(i)] for i in order], [labels[int(i)] for i in order]
    return pairs, labels


def true_pairs(sequence: Any, kept: Array, window_size: int) -> list[list[int]]:
    """Each word that is kept with each of its neighbours."""
    pairs = []
    for i, word in enumerate(sequence):
        if word and kept[i]:
            around = range(max(0, i - window_size), min(len(sequence), i + window_size + 1))
            pairs += [[word, sequence[j]] for j in around if j != i and sequence[j]]
    return pairs
