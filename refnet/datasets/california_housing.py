"""California housing: 20,640 blocks of the 1990 census, 8 features each, and the median price of a home (Pace, Barry 1997)."""

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.errors import ArgumentError

SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
SMALL = 600  # samples


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The prices, shuffled and split as in `keras.datasets.california_housing`.

    Args:
        version: "large", or "small" for the first 600 samples.
        path: the file's name, see `refnet.datasets.files`, or its full path.
        test_split: the part of the samples that goes into the test set, at least 0, less than 1.
        seed: of the shuffle.
    Returns:
        (x_train, y_train), (x_test, y_test): float32 features (n, 8) and float32 prices (n,) in dollars.
    Raises:
        MissingFileError: the file is nowhere and cannot be fetched.  ArgumentError: version or test_split.
    """
    if version not in ("large", "small"):
        raise ArgumentError(f"california_housing.load_data: version is 'large' or 'small'; got {version!r}.")
    if not 0 <= test_split < 1:
        raise ArgumentError(
            f"california_housing.load_data: test_split must be at least 0 and less than 1; got {test_split}."
        )
    x, y = files.arrays(files.find(path, sha256=SHA256), "x", "y")
    if version == "small":
        x, y = x[:SMALL], y[:SMALL]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)  # Keras's generator: the split is part of the data set
    x, y = x[order], y[order]
    first = int(len(x) * (1 - test_split))
    return (x[:first], y[:first]), (x[first:], y[first:])
