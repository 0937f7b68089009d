"""Arrays brought to length 1."""

from typing import Any

import numpy as np

from refnet import engine, ops
from refnet.errors import called_as
from refnet.graph import Tensor
from refnet.ops.arguments import converted


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Rows (along an axis) divided by their length; rows of zeros stay.

    Args:
        x: an array or tensor; a list's numbers take the default floating dtype, an array's integers too.
        axis: along which lengths are taken.
        order: of the norm: 2 for the Euclidean one, 1 for the sum of absolute values, ...
    Raises:
        ArgumentError: an axis that x does not have.
    Source: Keras 3 `utils.normalize`, but that a vector stays one: there, an array of one axis gets another.

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    if isinstance(x, Tensor):
        return ops.normalize(x, axis, order)
    with engine.eager_on_current(), called_as("normalize", "norm"):
        x = converted("normalize", x)
        length = np.asarray(ops.norm(x, order, axis, keepdims=True))
        return np.asarray(ops.divide(x, ops.where(ops.equal(length, 0), np.ones_like(length), length)))
