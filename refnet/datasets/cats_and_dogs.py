"""Cats and dogs: photos in the folders of the book's fifth chapter (Kaggle 2013; Asirra, Microsoft Research and Petfinder)."""

import pathlib

from refnet.datasets import files
from refnet.errors import DataError

COUNTS = {"train": 2000, "validation": 1000, "test": 1000}


def directory(path: str = "cats_and_dogs_small", allow_part: bool = False) -> pathlib.Path:
    """The folder with train, validation and test, in each of them cats and dogs: for `flow_from_directory` and its like.

    Args:
        path: the folder's name, see `refnet.datasets.files`, or its full path.
        allow_part: whether fewer photos than the book's 2,000, 1,000 and 1,000 will do.
    Raises:
        MissingFileError: the folder is nowhere.  DataError: other folders, or fewer photos than asked for.
    """
    found = files.by_hand(
        path,
        source="https://www.kaggle.com/c/dogs-vs-cats/data; listing 5.4 of the book sorts its photos into this folder",
    )
    for part, count in COUNTS.items():
        for kind in ("cats", "dogs"):
            folder = found / part / kind
            photos = sum(1 for _ in folder.glob("*.jpg")) if folder.is_dir() else 0
            if photos == 0:
                raise DataError(
                    f"{found} has no photos in {part}/{kind}; the book's folders are train, validation and test."
                )
            if photos < count // 2 and not allow_part:
                raise DataError(
                    f"{folder} holds {photos} photos, not {count // 2}: it is a part of the set. "
                    "To take it as it is:  cats_and_dogs.directory(allow_part=True)"
                )
    return found
