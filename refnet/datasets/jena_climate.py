"""The weather in Jena every ten minutes (Max Planck Institute for Biogeochemistry): the book's time series (6.3)."""

from typing import NamedTuple

from refnet.annotations import Array
from refnet.datasets import files, tables
from refnet.errors import DataError, MissingFileError

PARTS = ("jena_climate_2024_part.csv", "jena_climate_2009_part.csv")


class Climate(NamedTuple):
    """A table of weather: `columns` names what `data` (rows, columns), float64, holds; `times` when each row was measured."""

    columns: tuple[str, ...]
    times: tuple[str, ...]
    data: Array


def load_data(path: str = "jena_climate_2009_2016.csv", allow_part: bool = False) -> Climate:
    """The table: the years 2009 to 2016, 420,551 rows of 14 columns.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path.
        allow_part: whether a part will do where the whole is not found: some months of 2024 (the same columns), else of 2009
            (seven of them).
    Returns:
        A Climate. Temperature is the column "T (degC)", the second.
    Raises:
        MissingFileError: the file is nowhere.  DataError: something else than such a table.

    Use `data[:, columns.index("T (degC)")]` for one column.
    """
    part = files.present(*PARTS)
    try:
        found = files.by_hand(
            *((path, *PARTS) if allow_part else (path,)),
            source="the Max Planck Institute for Biogeochemistry, Jena; prepared by F. Chollet",
            commands="curl -O https://storage.googleapis.com/tensorflow/tf-keras-datasets/jena_climate_2009_2016.csv.zip "
            f"&& unzip -d {files.folders()[-1]} jena_climate_2009_2016.csv.zip",
        )
    except MissingFileError as error:
        hint = f"\n  A part of it is in {part}:  jena_climate.load_data(allow_part=True)" if part else ""
        raise MissingFileError(f"{error}{hint}") from None
    head, *lines = files.text(found).split("\n")
    names = tuple(name.strip().strip('"') for name in head.split(","))
    if names[0] != "Date Time" or len(names) < 2:
        raise DataError(f"{found} does not begin with a line of column names, 'Date Time' first; got {head[:60]!r}.")
    times = tuple(line.split(",", 1)[0] for line in lines if line.strip())
    return Climate(names[1:], times, tables.numbers(found, lines, len(names), skip=1, first=2))
