"""Fashion-MNIST: 70,000 pictures of clothes, 28 by 28 pixels, in ten classes (Xiao, Rasul, Vollgraf 2017)."""

import gzip
import pathlib
import zlib

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.errors import DataError

FILES = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def load_data() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The clothes, as in `keras.datasets.fashion_mnist`.

    Read from the four files of the original in a folder `fashion-mnist`, see `refnet.datasets.files`, or from
    fashion_mnist.npz with the arrays x_train, y_train, x_test and y_test.

    Returns:
        (x_train, y_train), (x_test, y_test): uint8 images (60000, 28, 28) and (10000, 28, 28), 0 to 255, and uint8 labels 0
        to 9, whose names `get_label_names` has.
    Raises:
        MissingFileError: a file is nowhere and cannot be fetched.  DataError: a damaged file.
    """
    whole = files.present("fashion_mnist.npz")
    if whole is not None:
        x_train, y_train, x_test, y_test = files.arrays(whole, "x_train", "y_train", "x_test", "y_test")
        return (x_train, y_train), (x_test, y_test)
    found = [files.find(f"fashion-mnist/{name}", sha256=sha256) for name, sha256 in FILES.items()]
    x_train, y_train, x_test, y_test = (idx(path) for path in found)
    return (x_train, y_train), (x_test, y_test)


def get_label_names() -> tuple[str, ...]:
    """The classes, by label."""
    return NAMES


def idx(path: pathlib.Path) -> Array:
    """The array of bytes in an IDX file: two zeros, 8, the number of axes; their lengths; the elements."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it to have it fetched again.") from error
    axes = content[3] if content[:3] == b"\0\0\x08" else 0
    shape = (
        tuple(int(n) for n in np.frombuffer(content[4 : 4 + 4 * axes], ">i4")) if len(content) >= 4 + 4 * axes else ()
    )
    if not axes or len(content) != 4 + 4 * axes + int(np.prod(shape, dtype=np.int64)):
        raise DataError(f"{path} is not an IDX file of bytes. Delete it to have it fetched again.")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()
