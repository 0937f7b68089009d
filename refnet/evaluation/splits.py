"""Which samples train and which test."""

import numbers
from typing import Any

import numpy as np

from refnet import random
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.evaluation.samples import as_numbers

Pair = tuple[Array, Array]


def _order(samples: int, shuffle: bool, seed: int | None) -> Array:
    order: Array = np.arange(samples)
    return np.asarray(random.permutation(samples, seed=seed)) if shuffle else order


def hold_out_indices(samples: int, share: float = 0.25, shuffle: bool = True, seed: int | None = None) -> Pair:
    """The numbers of the samples to train on, and of those held out.

    Args:
        share: how much is held out, of the end of the order; at least one sample.
        shuffle: whether the order is a random one. Do not shuffle what is to be predicted in time.
        seed: of the order; one from the global stream if None.
    Raises:
        ArgumentError: a share outside (0, 1).  DataError: fewer than two samples.
    Source: Chollet 4.2.1.

    >>> hold_out_indices(5, 0.4, shuffle=False)
    (array([0, 1, 2]), array([3, 4]))
    """
    if not isinstance(share, numbers.Real) or not 0 < share < 1:
        raise ArgumentError(f"hold_out: share lies between 0 and 1; got {share!r}.")
    if samples < 2:
        raise DataError(f"hold_out needs at least 2 samples; got {samples}.")
    held = min(max(int(samples * share), 1), samples - 1)
    order = _order(samples, shuffle, seed)
    return order[:-held], order[-held:]


def fold_indices(samples: int, k: int = 4, shuffle: bool = False, seed: int | None = None) -> list[Pair]:
    """For each of k folds, the numbers of the samples to train on, and of those in the fold.

    Args:
        k: how many folds; the first ones have one sample more where the samples cannot be shared out evenly.
        shuffle, seed: see `hold_out_indices`.
    Raises:
        ArgumentError: k below 2.  DataError: fewer samples than folds.
    Source: Chollet 4.2.1.

    >>> fold_indices(4, 2)
    [(array([2, 3]), array([0, 1])), (array([0, 1]), array([2, 3]))]
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 2:
        raise ArgumentError(f"k_fold: k is an integer, at least 2; got {k!r}.")
    if samples < k:
        raise DataError(f"k_fold: {samples} samples cannot make {k} folds.")
    parts = np.array_split(_order(samples, shuffle, seed), k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)]


def standardized(train: Any, test: Any) -> Pair:
    """Both parts, less the mean and over the standard deviation of each feature of the training part alone.

    Args:
        train, test: (samples, ..., features).
    Returns:
        Both as float32; a feature that is constant in the training part becomes 0 there.
    Raises:
        DataError: what are no numbers.  ShapeError: parts with other features, or without an axis of them.
    Source: Chollet 3.6.2.

    >>> standardized([[1.0], [3.0]], [[5.0]])[1]
    array([[3.]], dtype=float32)
    """
    first, second = as_numbers("standardized", train), as_numbers("standardized", test)
    if first.ndim < 2 or first.shape[-1:] != second.shape[-1:]:
        raise ShapeError(
            f"standardized: both parts must be (samples, ..., features); got {first.shape} and {second.shape}. A single feature "
            "is a column: x[:, None]."
        )
    axes = tuple(range(first.ndim - 1))
    mean, deviation = first.mean(axes), first.std(axes)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return ((first - mean) / deviation).astype("float32"), ((second - mean) / deviation).astype("float32")
