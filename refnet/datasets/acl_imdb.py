"""IMDB's film reviews as texts: 25,000 to train and 25,000 to test (Maas et al. 2011); as word numbers they are in `imdb`."""

import pathlib

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.errors import ArgumentError, DataError


def directory(path: str = "aclImdb") -> pathlib.Path:
    """The folder with train and test, in each of them neg and pos: for `text_dataset_from_directory`.

    Args:
        path: the folder's name, see `refnet.datasets.files`, or its full path.
    Raises:
        MissingFileError: the folder is nowhere.  DataError: other folders.
    """
    found = files.by_hand(
        path,
        source="https://ai.stanford.edu/~amaas/data/sentiment",
        commands="curl https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz | "
        f"tar -xz -C {files.folders()[-1]}",
    )
    for part in ("train/neg", "train/pos", "test/neg", "test/pos"):
        if not (found / part).is_dir():
            raise DataError(f"{found} has no folder {part}: it is another folder, or not all of it.")
    return found


def load_data(part: str = "train", path: str = "aclImdb") -> tuple[list[str], Array]:
    """The reviews of one part: the negative ones (0), then the positive ones (1), each in the order of their files' names.

    Args:
        part: "train" or "test".
        path: see `directory`.
    Returns:
        The texts, and int64 labels.
    """
    if part not in ("train", "test"):
        raise ArgumentError(f"acl_imdb.load_data: part is 'train' or 'test'; got {part!r}.")
    folder = directory(path) / part
    groups = [sorted((folder / name).glob("*.txt")) for name in ("neg", "pos")]
    texts = [files.text(file) for group in groups for file in group]
    return texts, np.repeat(np.arange(2), [len(group) for group in groups])
