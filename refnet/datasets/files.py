"""Where the files of data sets are found: in a folder of yours, in Keras's folder, else fetched once and kept there.

    1. $REFNET_DATA_DIR
    2. $KERAS_HOME/datasets, or ~/.keras/datasets
    3. the address that Keras takes the file from; it is kept in folder 2 if its SHA-256 is the known one

A file that is already here is used as it is. Nothing is ever unpickled freely: object arrays go through `SequenceUnpickler`.
"""

import hashlib
import json
import os
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np
from numpy._core import multiarray

from refnet.annotations import Array
from refnet.errors import DataError, MissingFileError

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
TIMEOUT = 20  # seconds without an answer


def folders() -> list[pathlib.Path]:
    """The folders that are searched, in order; downloads go into the last."""
    own = os.environ.get("REFNET_DATA_DIR")
    keras = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras") / "datasets"
    return [pathlib.Path(own).expanduser(), keras] if own else [keras]


def find(path: str, *others: str, sha256: str) -> pathlib.Path:
    """The file of a data set.

    Args:
        path: a file's name, or its full path.
        others: names of files with the same contents in another form, which serve as well.
        sha256: of the file that Keras offers under the name `path`.
    Raises:
        MissingFileError: it is in no folder and cannot be fetched. Nothing is left behind.
    """
    for folder in folders():
        for name in (path, *others):
            found = folder / pathlib.Path(name).expanduser()  # an absolute name stays what it is
            if found.is_file():
                return found
    return fetched(pathlib.Path(path), sha256)


def fetched(path: pathlib.Path, sha256: str) -> pathlib.Path:
    """Fetches the file that Keras offers under that name, and keeps it if it is the known one."""
    import urllib.request  # with it come http, ssl and email, which nothing else needs

    target = folders()[-1] / path
    address = ORIGIN + path.name
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            content = response.read()
        got = hashlib.sha256(content).hexdigest()
        if got != sha256:
            raise DataError(f"{address} gave a file with SHA-256 {got}; the known one has {sha256}. It was not kept.")
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        looked = " and ".join(str(folder) for folder in folders())
        raise MissingFileError(
            f"the data set file {path.name} is not in {looked}, and {address} could not be fetched ({error}).\n"
            f"  Put the file into a folder and name it:  export REFNET_DATA_DIR=/that/folder\n"
            f"  or fetch it where there is a network:    curl -o {target} {address}"
        ) from None
    return target


def arrays(path: pathlib.Path, *names: str) -> list[Array]:
    """Arrays of an .npz file. Raises DataError if one is missing or the file is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            if missing:
                raise DataError(f"{path} holds {', '.join(file.files)}, not {', '.join(missing)}: it is another file.")
            return [file[name] for name in names]
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is not an .npz file ({error}). Delete it to have it fetched again.") from error


def word_index(path: str, sha256: str) -> dict[str, int]:
    """{word: rank} from a JSON file."""
    index: dict[str, int] = json.loads(find(path, sha256=sha256).read_text(encoding="utf-8"))
    return index


# ---- sequences of unequal length


class SequenceUnpickler(pickle.Unpickler):
    """Rebuilds object arrays of lists of numbers, and refuses everything else that a pickle could ask for."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in (
            "_reconstruct",
            "ndarray",
            "dtype",
        ):
            return getattr(multiarray if name == "_reconstruct" else np, name)
        raise DataError(f"the file asks for {module}.{name}, which a data set has no need of; it was not read.")


def ragged(path: pathlib.Path, name: str) -> list[Array]:
    """Sequences from an .npz file: stored flat (`name_flat` with `name_offsets`), or as Keras has them, pickled lists."""
    with zipfile.ZipFile(path) as file:
        if f"{name}.npy" in file.namelist():
            with file.open(f"{name}.npy") as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                read(stream)
                return [np.asarray(sequence, np.int64) for sequence in SequenceUnpickler(stream).load()]
    flat, offsets = arrays(path, f"{name}_flat", f"{name}_offsets")
    return [flat[low:high].astype(np.int64) for low, high in zip(offsets[:-1], offsets[1:])]
