"""Samples as users give them: an array, nested lists of numbers, or arrays in a list, tuple or dict for several inputs."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import DataError, shown


def as_arrays(x: Any) -> Any:
    """The same, of NumPy arrays: {name: array}, a list of arrays, or one array.

    >>> as_arrays([[1, 2], [3, 4]]).shape
    (2, 2)
    >>> [a.shape for a in as_arrays([np.zeros((5, 2)), np.zeros(5)])]
    [(5, 2), (5,)]
    """
    if isinstance(x, dict):
        return {name: np.asarray(part) for name, part in x.items()}
    if isinstance(x, (list, tuple)) and x and all(hasattr(part, "__array__") and np.ndim(part) for part in x):
        return [np.asarray(part) for part in x]
    return np.asarray(x)


def as_numbers(what: str, x: Any) -> Array:
    """x as float64. Raises DataError, naming the call, where it holds what is no number."""
    try:
        numbers: Array = np.asarray(x, "float64")
    except (TypeError, ValueError):
        raise DataError(f"{what} takes numbers, in rows of equal length; got {shown(x)}.") from None
    return numbers


def listed(x: Any) -> list[Array]:
    """The arrays of what `as_arrays` gives, in order."""
    arrays = as_arrays(x)
    return list(arrays.values()) if isinstance(arrays, dict) else arrays if isinstance(arrays, list) else [arrays]
