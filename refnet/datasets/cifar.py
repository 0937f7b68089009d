"""What `cifar10` and `cifar100` share: their files, pickles of Python 2 in an archive, read without running anything."""

import io
import pathlib
import tarfile
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.errors import DataError

ORIGIN = "https://www.cs.toronto.edu/~kriz/"


def members(found: pathlib.Path, folder: str, names: list[str]) -> list[dict[str, Any]]:
    """The contents of the data set's files, from the archive or from the folder it was unpacked into."""
    if found.is_dir():
        inner = found / folder if (found / folder).is_dir() else found
        return [files.pickled(io.BytesIO((inner / name).read_bytes())) for name in names]
    try:
        with tarfile.open(found) as archive:
            contents = [archive.extractfile(f"{folder}/{name}") for name in names]
            return [files.pickled(stream) for stream in contents]
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise DataError(f"{found} is not the archive ({error}). Delete it to have it fetched again.") from error


def images_and_labels(content: dict[str, Any], key: str) -> tuple[Array, Array]:
    """Images (n, 32, 32, 3) and labels (n, 1), from rows of 1,024 red, 1,024 green and 1,024 blue bytes."""
    if key not in content or "data" not in content:
        raise DataError(f"the file holds {', '.join(map(str, content))}, not data and {key}: it is another file.")
    rows, labels = np.asarray(content["data"], np.uint8), np.asarray(content[key])
    if rows.ndim != 2 or rows.shape[1] != 3072 or labels.shape != rows.shape[:1]:
        raise DataError(f"the file's data have shape {rows.shape}, its labels {labels.shape}: it is another file.")
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), labels.reshape(-1, 1)


def unpacked(archive: str, folder: str) -> tuple[str, ...]:
    """The names under which the archive or its contents may lie, in Keras's folder too."""
    return archive, f"{folder}-target", f"{folder}-target_archive", folder
