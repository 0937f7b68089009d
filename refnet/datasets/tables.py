"""Tables of numbers in text files."""

import pathlib

import numpy as np

from refnet.annotations import Array
from refnet.errors import DataError


def numbers(path: pathlib.Path, lines: list[str], columns: int, skip: int = 0, first: int = 1) -> Array:
    """The float64 table of lines of numbers between commas; empty lines are passed over.

    Args:
        columns: how many entries each line has.
        skip: how many of them, at its beginning, are not read.
        first: the number of the first line, for messages.
    Raises:
        DataError: a line with another number of entries, or with something that is no number.
    """
    rows = []
    for number, line in enumerate(lines, first):
        entries = line.strip().split(",")
        if entries == [""]:
            continue
        if len(entries) != columns:
            raise DataError(f"{path}, line {number}: {columns} entries are expected, there are {len(entries)}.")
        try:
            rows.append([float(entry) for entry in entries[skip:]])
        except ValueError:
            raise DataError(f"{path}, line {number}: not all entries are numbers: {line.strip()[:60]!r}.") from None
    if not rows:
        raise DataError(f"{path} has no rows.")
    return np.array(rows)
