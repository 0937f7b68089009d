"""Paths as users give them."""

import os
import pathlib
from typing import Any

from refnet.errors import ArgumentError, shown


def as_path(what: str, path: Any) -> pathlib.Path:
    """A path of a string or a path. Raises ArgumentError, naming the call, for anything else.

    >>> as_path("load_model", "models/digits.keras").suffix
    '.keras'
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"{what}: a path is needed, a string or a pathlib.Path; got {shown(path)}.")
    return pathlib.Path(path)
