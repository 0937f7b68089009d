"""MNIST: 70,000 handwritten digits, 28 by 28 pixels (LeCun, Cortes, Burges)."""

from refnet.annotations import Array
from refnet.datasets import files

SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path: str = "mnist.npz") -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The digits, as in `keras.datasets.mnist`.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path.
    Returns:
        (x_train, y_train), (x_test, y_test): uint8 images (60000, 28, 28) and (10000, 28, 28), 0 to 255, white on black,
        and uint8 labels 0 to 9.
    Raises:
        MissingFileError: the file is nowhere and cannot be fetched.
    """
    found = files.find(path, sha256=SHA256)
    x_train, y_train, x_test, y_test = files.arrays(found, "x_train", "y_train", "x_test", "y_test")
    return (x_train, y_train), (x_test, y_test)
