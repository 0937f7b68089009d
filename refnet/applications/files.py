"""Where the files that Keras publishes are found: weights trained on ImageNet, and the names of its 1000 classes.

1. $REFNET_DATA_DIR; a file there is used as it is
2. $KERAS_HOME/models, or ~/.keras/models, if its hash is the published one
3. the address that Keras takes it from; it is kept in folder 2
"""

import os
import pathlib

from refnet.errors import MissingFileError
from refnet.utils.file_utils import get_file

ORIGIN = "https://storage.googleapis.com/"
FOLDER = "models"  # in Keras's folder


def folders() -> list[pathlib.Path]:
    """The folders that are searched, in order; downloads go into the last."""
    own = os.environ.get("REFNET_DATA_DIR")
    kept = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras").expanduser() / FOLDER
    return [pathlib.Path(own).expanduser(), kept] if own else [kept]


def at_hand(name: str) -> bool:
    """Whether one of the folders has a file of that name, so that nothing needs to be fetched."""
    return any((folder / name).is_file() for folder in folders())


def published(name: str, address: str, known: str | None) -> pathlib.Path:
    """A file that Keras publishes.

    Args:
        name: the file's name in the folders.
        address: where it is offered.
        known: its hash, MD5 or SHA-256; None where Keras publishes none.
    Raises:
        MissingFileError: it is in neither folder and cannot be fetched.  DataError: what came has another hash.
    """
    *own, kept = folders()
    for folder in own:
        if (folder / name).is_file():
            return folder / name
    try:
        return pathlib.Path(get_file(name, address, file_hash=known, cache_subdir=FOLDER))
    except MissingFileError as error:
        instead = "  weights=None makes the same net with random weights." if name.endswith(".h5") else ""
        there = f"has another hash than {known} in" if (kept / name).is_file() else "is not in"
        searched = " or ".join([*(f"{folder} ($REFNET_DATA_DIR)" for folder in own), str(kept)])
        raise MissingFileError(
            f"the file {name} {there} {searched}, and {address} could not be fetched.\n"
            f"  Where there is a network:    curl -o {name} {address}\n"
            f"  Put the file into {kept}, or into a folder of yours and name it:  export REFNET_DATA_DIR=/that/folder\n"
            f"{instead}"
        ) from error
