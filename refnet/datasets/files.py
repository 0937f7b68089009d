"""Where the files of data sets are found: in a folder of yours, in Keras's folder, else fetched once and kept there.

    1. $REFNET_DATA_DIR
    2. $KERAS_HOME/datasets, or ~/.keras/datasets
    3. the address that Keras takes the file from; it is kept in folder 2 if its SHA-256 is the known one

A file that is already here is used as it is. Nothing is ever unpickled freely: object arrays go through `SequenceUnpickler`.
"""

import contextlib
import json
import os
import pathlib
import pickle
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy._core import multiarray

from refnet.annotations import Array
from refnet.errors import DataError, MissingFileError
from refnet.utils import download

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def folders() -> list[pathlib.Path]:
    """The folders that are searched, in order; downloads go into the last."""
    own = os.environ.get("REFNET_DATA_DIR")
    keras = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras") / "datasets"
    return [pathlib.Path(own).expanduser(), keras] if own else [keras]


def present(*names: str) -> pathlib.Path | None:
    """The first of these files or folders that is in one of the folders; full paths stay what they are."""
    for folder in folders():
        for name in names:
            found = folder / pathlib.Path(name).expanduser()
            if found.exists():
                return found
    return None


def names_of(path: str, default: str, other: str) -> tuple[str, ...]:
    """The names under which a set may lie: its own two; the one that somebody gives, and no other, if it is none of them.

    >>> names_of("imdb.npz", "imdb.npz", "imdb_flat.npz"), names_of("mine.npz", "imdb.npz", "imdb_flat.npz")
    (('imdb.npz', 'imdb_flat.npz'), ('mine.npz',))
    """
    return (path, other) if path == default else (path,)


def find(path: str, *others: str, sha256: str, origin: str = ORIGIN) -> pathlib.Path:
    """The file of a data set.

    Args:
        path: a file's name, or its full path.
        others: names of files with the same contents in another form, which serve as well.
        sha256: of the file that is offered under the name `path`.
        origin: the address of the folder where it is offered.
    Raises:
        MissingFileError: it is in no folder and cannot be fetched. Nothing is left behind.
    """
    return present(path, *others) or fetched(pathlib.Path(path), sha256, origin)


def fetched(path: pathlib.Path, sha256: str, origin: str = ORIGIN) -> pathlib.Path:
    """Fetches the file that is offered under that name, and keeps it if it is the known one."""
    target, address = folders()[-1] / path, origin + path.name
    try:
        download.fetch(address, target, sha256)
    except OSError as error:
        raise MissingFileError(
            f"{missing(path.name)}, and {address} could not be fetched ({error}).\n{PUT}"
            f"  or fetch it where there is a network:    curl -o {target} {address}"
        ) from None
    return target


PUT = "  Put the file into a folder and name it:  export REFNET_DATA_DIR=/that/folder\n"


def missing(name: str) -> str:
    return f"the data set file {name} is not in {' and '.join(str(folder) for folder in folders())}"


def by_hand(*names: str, source: str, commands: str = "") -> pathlib.Path:
    """A file or folder that is not fetched by itself: nobody offers it under a known hash.

    Args:
        names: any of them serves.
        source: where people find it.
        commands: how to fetch it, if that can be said in a line.
    Raises:
        MissingFileError: it is in no folder.
    """
    found = present(*names)
    if found is None:
        how = f"  It can be fetched by:  {commands}\n" if commands else ""
        raise MissingFileError(f"{missing(names[0])}. It comes from {source}.\n{how}{PUT.rstrip()}")
    return found


def arrays(path: pathlib.Path, *names: str) -> list[Array]:
    """Arrays of an .npz file. Raises DataError if one is missing or the file is none."""
    with reading_npz(path), np.load(path, allow_pickle=False) as file:
        missing = [name for name in names if name not in file.files]
        if missing:
            raise DataError(f"{path} holds {', '.join(file.files)}, not {', '.join(missing)}: it is another file.")
        return [file[name] for name in names]


@contextlib.contextmanager
def reading_npz(path: pathlib.Path) -> Iterator[None]:
    """Turns what comes of a damaged file, or of one that is no .npz file (a page that says "not found"), into a DataError."""
    again = "Delete it to have it fetched again."
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not an .npz file. {again}")
    try:
        yield
    except DataError:
        raise
    except (zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not an .npz file, or is damaged ({error}). {again}") from error


@contextlib.contextmanager
def reading_text(path: pathlib.Path) -> Iterator[None]:
    """Turns what comes of a file that is no text into a DataError."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8 ({error}): it is damaged, or another file.") from error


def text(path: pathlib.Path) -> str:
    """The text of a file in UTF-8. Raises DataError if it is none."""
    with reading_text(path):
        return path.read_text(encoding="utf-8")


def word_index(path: str, sha256: str) -> dict[str, int]:
    """{word: rank} from a JSON file."""
    found = find(path, sha256=sha256)
    try:
        index: dict[str, int] = json.loads(text(found))
    except json.JSONDecodeError as error:
        raise DataError(f"{found} is no JSON file ({error}). Delete it to have it fetched again.") from error
    return index


# ---- pickled files


def pickled(stream: Any) -> dict[str, Any]:
    """The dict of arrays, lists and numbers that a pickle of Python 2 holds, as CIFAR's files are; with str keys."""
    try:
        content = SequenceUnpickler(stream, encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"the file is damaged, or another one ({error}).") from error
    if not isinstance(content, dict):
        raise DataError(f"the file holds a {type(content).__name__}, not a dict of arrays: it is another file.")
    return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in content.items()}


class SequenceUnpickler(pickle.Unpickler):
    """Rebuilds arrays, and object arrays of lists of numbers; refuses everything else that a pickle could ask for."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in (
            "_reconstruct",
            "ndarray",
            "dtype",
        ):
            return getattr(multiarray if name == "_reconstruct" else np, name)
        if (module, name) == ("_codecs", "encode"):  # how Python 2's strings of bytes come in newer pickles
            return latin_bytes
        raise DataError(f"the file asks for {module}.{name}, which a data set has no need of; it was not read.")


def latin_bytes(text: str, encoding: str) -> bytes:
    """A string that stands for bytes, as bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise DataError(
            f"the file asks for the encoding {encoding!r}, which a data set has no need of; it was not read."
        )
    return text.encode("latin-1")


# ---- sequences of unequal length


def ragged(path: pathlib.Path, name: str) -> list[Array]:
    """Sequences from an .npz file: stored flat (`name_flat` with `name_offsets`), or as Keras has them, pickled lists."""
    with reading_npz(path), zipfile.ZipFile(path) as file:
        if f"{name}.npy" in file.namelist():
            with file.open(f"{name}.npy") as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                read(stream)
                return [np.asarray(sequence, np.int64) for sequence in SequenceUnpickler(stream).load()]
    flat, offsets = arrays(path, f"{name}_flat", f"{name}_offsets")
    return [flat[low:high].astype(np.int64) for low, high in zip(offsets[:-1], offsets[1:])]
