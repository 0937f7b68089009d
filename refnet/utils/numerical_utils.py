"""Arrays brought to length 1."""

from typing import Any

import numpy as np

from refnet import engine, ops
from refnet.graph import Tensor


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Rows (along an axis) divided by their length; rows of zeros stay.

    Args:
        x: an array or tensor.
        axis: along which lengths are taken.
        order: of the norm: 2 for the Euclidean one, 1 for the sum of absolute values, ...
    Source: Keras 3 `utils.normalize`.

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    if isinstance(x, Tensor):
        return ops.normalize(x, axis, order)
    with engine.eager_on_current():
        x = np.asarray(x)
        length = np.asarray(ops.norm(x, order, axis, keepdims=True))
        return np.asarray(ops.divide(x, ops.where(ops.equal(length, 0), np.ones_like(length), length)))
