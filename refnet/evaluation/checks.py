"""What makes a result look better than it is: repeated rows, a shuffled future, statistics that saw the test data.

The checks warn and go on: what is found may be as it should be.
"""

import warnings
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ShapeError
from refnet.evaluation.samples import as_numbers, listed


class EvaluationWarning(UserWarning):
    """Something that may make an evaluation look better than the model is."""


def _rows(x: Any) -> list[bytes]:
    """Each sample as bytes; several inputs count together."""
    arrays = [np.ascontiguousarray(part) for part in listed(x)]
    if any(a.dtype == object for a in arrays):
        return [repr([list(np.ravel(a[i])) for a in arrays]).encode() for i in range(len(arrays[0]))]
    return [b"".join(a[i].tobytes() for a in arrays) for i in range(len(arrays[0]))] if arrays else []


def rows_in_both(train: Any, test: Any) -> Array:
    """The numbers of the test samples that are, value for value, among the training samples.

    Args:
        train, test: an array each, samples first, or lists or dicts of arrays for several inputs.

    >>> rows_in_both([[1, 2], [3, 4]], [[5, 6], [3, 4]])
    array([1])
    """
    known = set(_rows(train))
    found: Array = np.array([i for i, row in enumerate(_rows(test)) if row in known], int)
    return found


def check_repeats(train: Any, test: Any, y: Any = None, stacklevel: int = 2) -> Array:
    """Warns if test samples are among the training samples.

    Args:
        y: the pair of the targets, training and test; then samples count as the same only with the same target.
    Returns:
        The numbers of those test samples.
    Source: Chollet 4.2.2.
    """
    first, second = listed(train), listed(test)
    if y is not None:
        first, second = first + listed(y[0]), second + listed(y[1])
    found = rows_in_both(first, second)
    if len(found):
        count = len(_rows(second))
        message = (
            f"{len(found)} of {count} test samples are also among the training samples (the first is number {found[0]}): "
            "the score tells partly what was learned by heart. Keep copies of a sample on one side of the split."
        )
        warnings.warn(message, EvaluationWarning, stacklevel=stacklevel + 1)
    return found


def check_times(train_times: Any, test_times: Any, stacklevel: int = 2) -> int:
    """Warns if something is trained on that lies after the beginning of the test: a model may not know the future.

    Args:
        train_times, test_times: when the samples were taken: numbers, dates, or what else has an order.
    Returns:
        How many training samples are not before the first test sample.
    Source: Chollet 4.2.2.
    """
    train, test = np.asarray(train_times), np.asarray(test_times)
    late = int((train >= np.sort(test, axis=None)[0]).sum()) if train.size and test.size else 0
    if late:
        message = (
            f"{late} of {len(train)} training samples are not from before the first test sample: what is to be predicted in time "
            "must be split by time. Do not shuffle before splitting (hold_out: shuffle=False)."
        )
        warnings.warn(message, EvaluationWarning, stacklevel=stacklevel + 1)
    return late


def _how(x: Array) -> list[str]:
    """The ways in which every feature of x has been normalized: "standardized", "scaled"."""
    moving = x[:, x.std(0) > 0]
    if not moving.size:
        return []
    near = 1e-4
    found = []
    if (np.abs(moving.mean(0)) < near).all() and (np.abs(moving.std(0) - 1) < near).all():
        found.append("standardized")
    if (np.abs(moving.min(0)) < near).all() and (np.abs(moving.max(0) - 1) < near).all():
        found.append("scaled")
    return found


def check_statistics(train: Any, test: Any, stacklevel: int = 2) -> list[str]:
    """Warns if features were normalized with the statistics of training and test data together.

    Seen from the data: mean 0 and deviation 1, or minimum 0 and maximum 1, hold exactly for both parts together, or for the test
    data alone, but not for the training data.

    Args:
        train, test: (samples, ..., features), as the model gets them.
    Returns:
        What was found: "standardized", "scaled", or nothing.
    Raises:
        ShapeError: features that do not agree.
    Source: Chollet 3.6.2, 4.3.1.
    """
    first, second = (as_numbers("check_statistics", part) for part in (train, test))
    if first.shape[-1:] != second.shape[-1:] or first.ndim < 2:
        raise ShapeError(f"both parts must be (samples, ..., features); got {first.shape} and {second.shape}.")
    first, second = (part.reshape(-1, part.shape[-1]) for part in (first, second))
    own = _how(first)
    both = [*_how(np.concatenate([first, second])), *_how(second)]
    found = [word for word in dict.fromkeys(both) if word not in own]
    if found:
        message = (
            f"the features are {found[0]} over the test data too, not over the training data alone: the model has been told "
            "about the test. Take statistics from the training data (evaluation.standardized does)."
        )
        warnings.warn(message, EvaluationWarning, stacklevel=stacklevel + 1)
    return found


def check_split(x_train: Any, x_test: Any, train_times: Any = None, test_times: Any = None) -> None:
    """All checks that the data allow: repeated samples, normalization, and, if times are given, their order.

    Args:
        x_train, x_test: an array each, samples first.
        train_times, test_times: see `check_times`.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as said:
    ...     check_split([[0.5], [1.5]], [[2.5], [0.5]])
    >>> print(str(said[0].message).split(":")[0])
    1 of 2 test samples are also among the training samples (the first is number 1)
    """
    check_repeats(x_train, x_test, stacklevel=3)
    if np.ndim(x_train) >= 2 and np.asarray(x_train).dtype.kind == "f":
        check_statistics(x_train, x_test, stacklevel=3)
    if train_times is not None and test_times is not None:
        check_times(train_times, test_times, stacklevel=3)
