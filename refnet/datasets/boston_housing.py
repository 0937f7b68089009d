"""Boston housing: 506 suburbs, 13 features each, and the median price of a home (Harrison, Rubinfeld 1978)."""

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.errors import ArgumentError

SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The prices, shuffled and split as in `keras.datasets.boston_housing`.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path.
        test_split: the part of the samples that goes into the test set, at least 0, less than 1.
        seed: of the shuffle.
    Returns:
        (x_train, y_train), (x_test, y_test): float64 features (n, 13) and float64 prices (n,) in thousands of dollars.
    Raises:
        MissingFileError: the file is nowhere and cannot be fetched.
        ArgumentError: test_split out of range.
    """
    if not 0 <= test_split < 1:
        raise ArgumentError(
            f"boston_housing.load_data: test_split must be at least 0 and less than 1; got {test_split}."
        )
    x, y = files.arrays(files.find(path, sha256=SHA256), "x", "y")
    order = np.arange(len(x))
    # the generator that Keras shuffles with: the split is part of the data set
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    first = int(len(x) * (1 - test_split))
    return (x[:first], y[:first]), (x[first:], y[first:])
