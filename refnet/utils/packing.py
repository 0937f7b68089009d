"""What a step is given: x, y and sample weights in one."""

from typing import Any

from refnet.errors import ArgumentError


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) from what a step is given; None for what is not there.

    Args:
        data: x, or a tuple of x, y and sample weights as far as there are.
    Raises:
        ArgumentError: a tuple of another length.
    Source: Keras 3 `utils.unpack_x_y_sample_weight`.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ArgumentError(f"data are x, (x, y) or (x, y, sample_weight); got a tuple of {len(data)}.")
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """What a step is given: x alone, or a tuple of what there is.

    Source: Keras 3 `utils.pack_x_y_sample_weight`.

    >>> pack_x_y_sample_weight(1), pack_x_y_sample_weight(1, 2), pack_x_y_sample_weight(1, 2, 3)
    (1, (1, 2), (1, 2, 3))
    """
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
