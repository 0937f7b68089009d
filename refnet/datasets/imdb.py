"""IMDB: 50,000 film reviews as word numbers, positive (1) or negative (0) (Maas et al. 2011)."""

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.datasets.sequences import Encoding, as_lists

SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
WORD_INDEX_SHA256 = "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6"


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The reviews, shuffled and encoded as in `keras.datasets.imdb`.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path; imdb_flat.npz serves as well.
        num_words, skip_top, maxlen, start_char, oov_char, index_from: see `refnet.datasets.sequences.Encoding`.
        seed: of the shuffle.
    Returns:
        (x_train, y_train), (x_test, y_test): object arrays of lists of ints, and int64 labels, 25,000 each. With
        num_words=None every word stays, as Keras documents; Keras 3.15 itself cuts the one with the highest number.
    Raises:
        MissingFileError: the file is nowhere and cannot be fetched.
        ArgumentError: maxlen leaves nothing.
    """
    found = files.find(*files.names_of(path, "imdb.npz", "imdb_flat.npz"), sha256=SHA256)
    encoding = Encoding(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    random = np.random.RandomState(seed)  # Keras's generator: the order is part of the data set
    parts = []
    for part in ("train", "test"):
        texts, (labels,) = files.ragged(found, f"x_{part}"), files.arrays(found, f"y_{part}")
        order = np.arange(len(texts))
        random.shuffle(order)
        encoded, labels = encoding.encode([texts[i] for i in order], labels[order])
        parts.append((as_lists(encoded), labels))
    return parts[0], parts[1]


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """{word: rank}, 1 for the most frequent. In the encoded reviews a word's number is its rank + index_from."""
    return files.word_index(path, WORD_INDEX_SHA256)
