"""What functions and layers take that are not told: the small number `epsilon`, and where the channels of images are."""

import numpy as np

from refnet import dtypes
from refnet.errors import ArgumentError, shown

_chosen: tuple[float, str] = (1e-7, "channels_last")


def chosen() -> tuple[str, float, str]:
    """These and floatx, for the keys of programs that are kept: what is traced under other settings is another program."""
    return dtypes.floatx(), *_chosen


def epsilon() -> float:
    """The small number that losses, metrics, constraints and some layers add, or keep away from 0: 1e-7 unless `set_epsilon` changed it.

    >>> epsilon()
    1e-07
    """
    return _chosen[0]


def set_epsilon(value: float) -> None:
    """Sets the small number for all that is called from here on. `epsilon=` of a layer or an optimizer is a number of its own.

    Args:
        value: a number above 0.
    Raises:
        ArgumentError: another value. The number is unchanged then.
    Source: Keras 3 `config.set_epsilon`.

    >>> set_epsilon(1e-5)
    >>> epsilon()
    1e-05
    >>> set_epsilon(1e-7)
    """
    global _chosen
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):
        raise ArgumentError(f"set_epsilon takes a number above 0; got {shown(value)}.")
    _chosen = float(value), _chosen[1]


def image_data_format() -> str:
    """What `data_format=None` stands for: "channels_last" unless `set_image_data_format` changed it.

    >>> image_data_format()
    'channels_last'
    """
    return _chosen[1]


def set_image_data_format(data_format: str) -> None:
    """Sets what `data_format=None` stands for in layers that are made and ops that are called from here on.

    Args:
        data_format: "channels_last" or "channels_first".
    Raises:
        ArgumentError: another value. The format is unchanged then.
    Source: Keras 3 `config.set_image_data_format`.

    >>> set_image_data_format("channels_first")
    >>> image_data_format()
    'channels_first'
    >>> set_image_data_format("channels_last")
    """
    global _chosen
    name = str(data_format).lower()
    if name not in ("channels_last", "channels_first"):
        raise ArgumentError(
            f"set_image_data_format takes 'channels_last' or 'channels_first'; got {shown(data_format)}."
        )
    _chosen = _chosen[0], name
