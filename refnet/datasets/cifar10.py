"""CIFAR-10: 60,000 colour photos, 32 by 32 pixels, in ten classes (Krizhevsky 2009)."""

import numpy as np

from refnet.annotations import Array
from refnet.datasets import cifar, files
from refnet.errors import MissingFileError

ARCHIVE = "cifar-10-python.tar.gz"
FOLDER = "cifar-10-batches-py"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_data(allow_part: bool = False) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The photos, as in `keras.datasets.cifar10`.

    Read from the original archive (packed or unpacked), see `refnet.datasets.files`, or from cifar10.npz with the arrays
    x_train, y_train, x_test and y_test.

    Args:
        allow_part: whether cifar10_small.npz, the first 2,000 and 500 photos, will do where there is nothing else.
    Returns:
        (x_train, y_train), (x_test, y_test): uint8 images (50000, 32, 32, 3) and (10000, 32, 32, 3), 0 to 255, and uint8 labels
        0 to 9 in a column, whose names `get_label_names` has. Fewer of them, if it is a part.
    Raises:
        MissingFileError: the files are nowhere and cannot be fetched.  DataError: damaged files.
    """
    whole, part = files.present("cifar10.npz"), files.present("cifar10_small.npz")
    archive = files.present(*cifar.unpacked(ARCHIVE, FOLDER))
    if whole is None and archive is None and allow_part:
        whole = part
    if whole is not None:
        x_train, y_train, x_test, y_test = files.arrays(whole, "x_train", "y_train", "x_test", "y_test")
        return (x_train, y_train), (x_test, y_test)
    try:
        found = archive or files.find(ARCHIVE, sha256=SHA256, origin=cifar.ORIGIN)
    except MissingFileError as error:
        hint = f"\n  A part of it is in {part}:  cifar10.load_data(allow_part=True)" if part else ""
        raise MissingFileError(f"{error}{hint}") from None
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    batches = [cifar.images_and_labels(content, "labels") for content in cifar.members(found, FOLDER, names)]
    x_train, y_train = (np.concatenate([batch[k] for batch in batches[:5]]) for k in range(2))
    x_test, y_test = batches[5]
    return (x_train, y_train.astype(np.uint8)), (x_test, y_test.astype(np.uint8))


def get_label_names() -> tuple[str, ...]:
    """The classes, by label."""
    return NAMES
