"""CIFAR-100: 60,000 colour photos, 32 by 32 pixels, in a hundred classes of twenty groups (Krizhevsky 2009)."""

from refnet.annotations import Array
from refnet.datasets import cifar, files
from refnet.errors import ArgumentError

ARCHIVE = "cifar-100-python.tar.gz"
FOLDER = "cifar-100-python"
SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode: str = "fine") -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The photos, as in `keras.datasets.cifar100`; read from the original archive (packed or unpacked).

    Args:
        label_mode: "fine" (a hundred classes) or "coarse" (twenty).
    Returns:
        (x_train, y_train), (x_test, y_test): uint8 images (50000, 32, 32, 3) and (10000, 32, 32, 3), 0 to 255, and int64 labels
        in a column.
    Raises:
        MissingFileError: the files are nowhere and cannot be fetched.  DataError: damaged files.  ArgumentError: label_mode.
    """
    if label_mode not in ("fine", "coarse"):
        raise ArgumentError(f"cifar100.load_data: label_mode is 'fine' or 'coarse'; got {label_mode!r}.")
    found = files.find(*cifar.unpacked(ARCHIVE, FOLDER), sha256=SHA256, origin=cifar.ORIGIN)
    train, test = cifar.members(found, FOLDER, ["train", "test"])
    return cifar.images_and_labels(train, f"{label_mode}_labels"), cifar.images_and_labels(test, f"{label_mode}_labels")
