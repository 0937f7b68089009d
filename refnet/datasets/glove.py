"""GloVe: vectors of words, learned from billions of words of text (Pennington, Socher, Manning 2014)."""

import numpy as np

from refnet.annotations import Array
from refnet.datasets import files
from refnet.errors import DataError


def load_data(path: str = "glove.6B.100d.txt") -> dict[str, Array]:
    """The vectors by word.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path: a word and its numbers in each line.
    Returns:
        {word: float32 vector}; 400,000 words and 100 numbers each in the file of that name.
    Raises:
        MissingFileError: the file is nowhere.  DataError: something else than such a file.
    """
    found = files.by_hand(
        path,
        source="https://nlp.stanford.edu/projects/glove",
        commands=f"curl -LO https://nlp.stanford.edu/data/glove.6B.zip && unzip -d {files.folders()[-1]} glove.6B.zip",
    )
    vectors: dict[str, Array] = {}
    length = 0
    with files.reading_text(found), open(found, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            word, _, rest = line.rstrip("\n").partition(" ")
            vector = np.fromstring(rest, np.float32, sep=" ") if rest.isascii() else np.zeros(0, np.float32)
            length = length or len(vector)
            if not len(vector) or len(vector) != length:
                raise DataError(
                    f"{found}, line {number}: a word and {length or 'its'} numbers are expected; got {line[:60]!r}."
                )
            vectors[word] = vector
    return vectors


def embedding_matrix(vectors: dict[str, Array], word_index: dict[str, int], num_words: int) -> Array:
    """The weights of an Embedding whose words are numbered by word_index: the vectors of those below num_words, zeros for others.

    Returns:
        (num_words, length of a vector), float32.

    >>> embedding_matrix({"a": np.array([1.0, 2.0], "float32")}, {"a": 1, "b": 2}, 3)
    array([[0., 0.],
           [1., 2.],
           [0., 0.]], dtype=float32)
    """
    length = len(next(iter(vectors.values()), ()))
    matrix = np.zeros((num_words, length), np.float32)
    for word, number in word_index.items():
        if number < num_words and word in vectors:
            matrix[number] = vectors[word]
    return matrix
