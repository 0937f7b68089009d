"""Common sense: what a model must beat before it has learned anything."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError
from refnet.evaluation.samples import as_numbers


def _labels(y: Any, what: str) -> Array:
    """Labels (n,), of integers or one-hot rows."""
    labels: Array = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels.argmax(1)
    if labels.size == 0:
        raise DataError(f"{what}: there are no labels.")
    return labels.reshape(-1)


def majority_class(y_train: Any, y_test: Any) -> float:
    """The accuracy of always answering the class that is most frequent in training; of equally frequent ones the first.

    Args:
        y_train, y_test: labels (n,) or (n, 1), or one-hot rows.

    >>> majority_class([0, 1, 1], [1, 0, 1, 1])
    0.75
    """
    classes, counts = np.unique(_labels(y_train, "majority_class"), return_counts=True)
    return float(np.mean(_labels(y_test, "majority_class") == classes[np.argmax(counts)]))


def random_labels(y_test: Any) -> float:
    """The accuracy to expect of answers drawn at random, each class as often as it occurs: the sum of the squared shares.

    Source: Chollet 3.5.4, where one draw gives 0.19 for Reuters.

    >>> random_labels([0, 0, 1, 1])
    0.5
    """
    _, counts = np.unique(_labels(y_test, "random_labels"), return_counts=True)
    return float(np.sum((counts / counts.sum()) ** 2))


def best_constant(y_train: Any, y_test: Any) -> dict[str, float]:
    """The errors of always answering the same number: the median of the training targets for the absolute error, their mean
    for the squared one.

    Returns:
        {"mean_absolute_error": ..., "mean_squared_error": ...}

    >>> best_constant([0.0, 1.0, 5.0], [1.0, 3.0])
    {'mean_absolute_error': 1.0, 'mean_squared_error': 1.0}
    """
    train, test = as_numbers("best_constant", y_train), as_numbers("best_constant", y_test)
    if not train.size or not test.size:
        raise DataError("best_constant: there are no targets.")
    return {
        "mean_absolute_error": float(np.mean(np.abs(test - np.median(train)))),
        "mean_squared_error": float(np.mean((test - train.mean()) ** 2)),
    }


def last_value(series: Any, delay: int, start: int = 0, stop: int | None = None) -> float:
    """The mean absolute error of answering that a series will be, `delay` steps on, what it is.

    Args:
        series: (steps,).
        start, stop: the steps at which the question is asked; all at which the answer is known if not given.
    Raises:
        ArgumentError: a delay below 1, or no steps left.
    Source: Chollet 6.3.3, where it is 0.29 for the temperature in Jena.

    >>> last_value([1.0, 2.0, 4.0, 4.0], 1)
    1.0
    """
    values = as_numbers("last_value", series).reshape(-1)
    if isinstance(delay, bool) or not isinstance(delay, (int, np.integer)) or delay < 1:
        raise ArgumentError(f"last_value: delay is an integer of at least 1; got {delay!r}.")
    asked = np.arange(len(values))[start:stop]
    asked = asked[asked + delay < len(values)]
    if not len(asked):
        raise ArgumentError(f"last_value: of {len(values)} steps none from {start} on has one {delay} later.")
    return float(np.mean(np.abs(values[asked + delay] - values[asked])))
