"""Reuters: 11,228 newswires as word numbers, each on one of 46 topics (Reuters-21578, D. Lewis)."""

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.datasets.sequences import Encoding, as_lists
from refnet.errors import ArgumentError

SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
WORD_INDEX_SHA256 = "9b56000edc4b34a32e89fd5a23b2605594682c74efcf7d8f4e2a5514b771e633"

TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass crude "
    "nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi iron-steel "
    "rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The newswires, shuffled, encoded and split as in `keras.datasets.reuters`.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path; reuters_flat.npz serves as well.
        num_words, skip_top, maxlen, start_char, oov_char, index_from: see `refnet.datasets.sequences.Encoding`.
        test_split: the part of the samples that goes into the test set, at least 0, less than 1.
        seed: of the shuffle.
    Returns:
        (x_train, y_train), (x_test, y_test): object arrays of lists of ints, and int64 topics 0 to 45. With
        num_words=None every word stays, as Keras documents; Keras 3.15 itself cuts the one with the highest number.
    Raises:
        MissingFileError: the file is nowhere and cannot be fetched.
        ArgumentError: test_split out of range; maxlen leaves nothing.
    """
    if not 0 <= test_split < 1:
        raise ArgumentError(f"reuters.load_data: test_split must be at least 0 and less than 1; got {test_split}.")
    found = files.find(*files.names_of(path, "reuters.npz", "reuters_flat.npz"), sha256=SHA256)
    texts, (labels,) = files.ragged(found, "x"), files.arrays(found, "y")
    order = np.arange(len(texts))
    np.random.RandomState(seed).shuffle(order)  # Keras's generator: the order is part of the data set
    encoding = Encoding(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    encoded, labels = encoding.encode([texts[i] for i in order], labels[order])
    first = int(len(encoded) * (1 - test_split))
    return (as_lists(encoded[:first]), labels[:first]), (as_lists(encoded[first:]), labels[first:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """{word: rank}, 1 for the most frequent. In the encoded newswires a word's number is its rank + index_from."""
    return files.word_index(path, WORD_INDEX_SHA256)


def get_label_names() -> tuple[str, ...]:
    """The topics, by label."""
    return tuple(TOPICS.split())
