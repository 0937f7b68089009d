"""Checked data, as a model's programs take it."""

import functools
from typing import Any

import numpy as np

from refnet.annotations import Array


class Arrays(list[Array]):
    """The arrays of one call of fit, evaluate or predict. An engine may keep copies of them for as long as this list lives."""

    __slots__ = ("__weakref__",)


class Batches:
    """Checked data: one array per program input, and what the program has to know of them.

    Args:
        labels: of inputs, targets and weights, as `data.arrays_of` gives them.
    """

    def __init__(
        self, inputs: list[Array], targets: list[Array], weights: list[Array | None], labels: tuple[list[str], ...]
    ):
        self.inputs, self.targets, self.weights, self.labels = inputs, targets, weights, labels

    @functools.cached_property
    def arrays(self) -> "Arrays":
        return Arrays([*self.inputs, *self.targets, *[w for w in self.weights if w is not None]])

    @property
    def key(self) -> tuple[Any, ...]:
        parts = (self.inputs, self.targets, self.weights)
        return tuple(tuple(None if a is None else (a.shape[1:], a.dtype.name) for a in part) for part in parts)

    @property
    def arrangement(self) -> tuple[Any, ...]:
        """How the arrays were given: see `data.arranged`."""
        return tuple(map(tuple, self.labels))

    def emptied(self) -> "Batches":
        """What a step has to know of such data, their kinds and arrangement, without the samples: for what outlives them."""
        inputs, targets = ([_emptied(a) for a in part] for part in (self.inputs, self.targets))
        return Batches(inputs, targets, [None if a is None else _emptied(a) for a in self.weights], self.labels)

    def __len__(self) -> int:
        return len(self.inputs[0])


def _emptied(array: Array) -> Array:
    return np.empty((0, *array.shape[1:]), array.dtype)
