"""Texts as lists of word numbers: the encoding that `imdb` and `reuters` share."""

from typing import NamedTuple

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError


class Encoding(NamedTuple):
    """How ranks (1 = the most frequent word) become numbers. The fields are Keras's arguments.

    num_words: words numbered this or higher become oov_char; None: all are kept.
    skip_top: so do words numbered lower than this.
    maxlen: texts of this length or longer are left out; None: all stay.
    start_char: stands first in every text; None: nothing does.
    oov_char: stands for a word that is cut; None: it is left out.
    index_from: what is added to every rank.
    """

    num_words: int | None = None
    skip_top: int = 0
    maxlen: int | None = None
    start_char: int | None = 1
    oov_char: int | None = 2
    index_from: int = 3

    def encode(self, texts: list[Array], labels: Array) -> tuple[list[Array], Array]:
        """The texts that are not too long, encoded, with their labels."""
        marked = [self.marked(ranks) for ranks in texts]
        if self.maxlen:
            kept = [i for i, text in enumerate(marked) if len(text) < self.maxlen]
            if not kept:
                raise ArgumentError(f"no text is shorter than maxlen={self.maxlen}; increase maxlen.")
            marked, labels = [marked[i] for i in kept], labels[kept]
        return [self.cut(text) for text in marked], labels

    def marked(self, ranks: Array) -> Array:
        """Shifted, with the start mark. Without a start mark Keras 3 shifts too."""
        text = ranks + self.index_from
        return text if self.start_char is None else np.concatenate([[self.start_char], text])

    def cut(self, text: Array) -> Array:
        """Without the words that are too rare or too frequent."""
        inside = text >= self.skip_top
        if self.num_words:
            inside &= text < self.num_words
        return text[inside] if self.oov_char is None else np.where(inside, text, self.oov_char)


def as_lists(texts: list[Array]) -> Array:
    """An object array of lists of ints, which is what Keras returns."""
    result = np.empty(len(texts), object)
    for i, text in enumerate(texts):
        result[i] = text.tolist()
    return result
