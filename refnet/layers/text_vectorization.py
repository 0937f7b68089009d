"""Texts as numbers: TextVectorization."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError, did_you_mean
from refnet.layers.encoding import output_mode_of
from refnet.layers.lookup import StringLookup
from refnet.layers.strings import PipelineLayer
from refnet.layers.vocabulary import token_batches

PUNCTUATION = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLIT = ("whitespace", "character")


class TextVectorization(PipelineLayer):
    """Texts as lists of word numbers, or as rows of counts: standardized, split into words, joined into n-grams, looked up.

    Works on arrays and lists, outside of models; see `PipelineLayer`. Upper case is that of Unicode (Keras's only that of ASCII).

    Args:
        max_tokens: the largest size of the vocabulary, special tokens included; None: any.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", None, or a function of an array of strings.
        split: "whitespace", "character", None (a text is one word), or a function of an array of strings that gives a list of
            words for each.
        ngrams: n: runs of 1 to n words count as words too; or a tuple of the lengths of runs.
        output_mode: "int", "multi_hot", "count" or "tf_idf".
        output_sequence_length: texts are cut or filled up with 0 to this number of words; None: to the longest. For "int".
        pad_to_max_tokens: whether rows have max_tokens columns.
        vocabulary: the words, or the path of a text file; else `adapt` learns them.
        idf_weights: of the words, for "tf_idf".
        sparse: must be False.
        ragged: whether "int" gives an object array of lists, neither cut nor filled up.
        encoding: of bytes.
    In "int" mode 0 is no word and 1 any unknown one ("[UNK]"); in the others 0 is any unknown one.

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["the cat", "the dog"])
    >>> layer.get_vocabulary(), layer(["The dog, the bird!"])
    (['', '[UNK]', 'the', 'dog', 'cat'], array([[2, 3, 2, 1]]))
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **more: Any,
    ):
        super().__init__(name=name, **more)
        self.output_mode = output_mode_of(self.name, output_mode, ("int", "multi_hot", "count", "tf_idf"))
        self.standardize = known(self.name, "standardize", standardize, STANDARDIZE)
        self.split = known(self.name, "split", split, SPLIT)
        self.ngrams, self.runs = ngrams, runs_of(self.name, ngrams)
        if (output_sequence_length is not None or ragged) and self.output_mode != "int":
            raise ArgumentError(f"{self.name}: output_sequence_length and ragged go with output_mode='int'.")
        if ragged and output_sequence_length is not None:
            raise ArgumentError(f"{self.name}: ragged texts have no output_sequence_length.")
        if output_sequence_length is not None and output_sequence_length < 1:
            raise ArgumentError(f"{self.name}: output_sequence_length is at least 1; got {output_sequence_length!r}.")
        self.output_sequence_length, self.ragged, self.encoding = output_sequence_length, ragged, encoding
        self.lookup = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            encoding=encoding,
            name=f"{self.name}_lookup",
        )

    # ---- the vocabulary

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learns a vocabulary, the most frequent words first, and forgets what was learned before.

        Args:
            data: a list or an array of texts, a PyDataset or an iterable of batches of them.
            batch_size: of Keras.
            steps: how many batches are seen; None: all.
        """
        if self.lookup.given:
            raise ArgumentError(f"{self.name}.adapt: a vocabulary was given when the layer was made.")
        self.lookup.learn(self.words(batch) for batch in token_batches(self.name, data, steps))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The words, each at the place of its number."""
        return self.lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many numbers there are, special ones included."""
        return self.lookup.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Takes a vocabulary; see `Lookup.set_vocabulary`."""
        self.lookup.set_vocabulary(vocabulary, idf_weights)

    # ---- texts to words to numbers

    def words(self, inputs: Any) -> list[list[str]]:
        """The words of each text."""
        x = self.texts([inputs] if isinstance(inputs, (str, bytes)) else inputs, self.encoding)
        if self.split is None:
            lines = [list(row) if isinstance(row, np.ndarray) else [row] for row in self.standard(np.atleast_1d(x))]
            return [self.joined(line) for line in lines]
        if x.ndim > 1 and x.shape[-1] != 1 or x.ndim > 2:
            raise ShapeError(f"{self.name} takes texts (batch,) or (batch, 1); got shape {x.shape}.")
        texts = self.standard(x.reshape(-1))
        if callable(self.split):
            return [self.joined([str(w) for w in words]) for words in self.split(texts)]
        return [self.joined(text.split() if self.split == "whitespace" else list(text)) for text in texts]

    def standard(self, texts: Array) -> Array:
        if callable(self.standardize):
            result = np.asarray(self.standardize(texts), object)
            if result.shape != texts.shape:
                raise ShapeError(
                    f"{self.name}: standardize gave an array of shape {result.shape} for one of shape {texts.shape}."
                )
            return result
        result = np.empty(texts.shape, object)
        strip = str.maketrans("", "", PUNCTUATION)
        for index in np.ndindex(*texts.shape):
            text = texts[index].lower() if self.standardize in STANDARDIZE[:2] else texts[index]
            result[index] = text.translate(strip) if self.standardize in STANDARDIZE[::2] else text
        return result

    def joined(self, words: list[str]) -> list[str]:
        """The n-grams of words; the words themselves without `ngrams`."""
        if self.runs is None:
            return words
        return [" ".join(words[i : i + n]) for n in self.runs for i in range(len(words) - n + 1)]

    def call(self, inputs: Any) -> Any:
        single = isinstance(inputs, (str, bytes)) or np.ndim(inputs) == 0
        lines = self.words(inputs)
        if not self.lookup.tokens:
            raise ArgumentError(f"{self.name} has no vocabulary yet: give one, or call adapt(texts) first.")
        numbers = [[self.lookup.number_of(word) for word in line] for line in lines]
        if self.output_mode == "int":
            found: Array = padded(numbers, self.output_sequence_length)
            if self.ragged:
                found = np.empty(len(numbers), object)
                found[:] = numbers
        else:
            found = self.lookup.rows(padded(numbers, None, -1))  # -1 is no token: it is left out
        if self.split is None and self.runs is None and self.output_mode == "int" and np.ndim(inputs) == 1:
            found = found[:, 0]  # each text is one token
        return found[0] if single else found

    def get_config(self) -> dict[str, Any]:
        """The arguments, with the vocabulary as it is."""
        own = ("standardize", "split", "ngrams", "output_mode", "output_sequence_length", "ragged", "encoding", "name")
        held = ("max_tokens", "pad_to_max_tokens", "sparse", "vocabulary", "idf_weights")
        inner = self.lookup.get_config()
        return {**{name: getattr(self, name) for name in own}, **{name: inner[name] for name in held}}


def known(layer: str, word: str, given: Any, names: tuple[str, ...]) -> str | Callable[..., Any] | None:
    """One of the names, a function, or None."""
    if given is None or callable(given) or given in names:
        return given  # type: ignore[no-any-return]
    raise ArgumentError(f"{layer}: unknown {word} {given!r}.{did_you_mean(given, names)}")


def runs_of(layer: str, ngrams: Any) -> list[int] | None:
    """The lengths of runs of words."""
    lengths = list(ngrams) if isinstance(ngrams, (tuple, list)) else None if ngrams is None else [ngrams]
    if lengths is not None and not all(isinstance(n, (int, np.integer)) and n > 0 for n in lengths):
        raise ArgumentError(f"{layer}: ngrams is an integer above 0, several of them, or None; got {ngrams!r}.")
    return lengths if isinstance(ngrams, (tuple, list)) or lengths is None else list(range(1, ngrams + 1))


def padded(rows: Sequence[Sequence[int]], length: int | None, empty: int = 0) -> Array:
    """Rows of numbers, cut at the end or filled up there to this length; to that of the longest if None."""
    longest = max((len(row) for row in rows), default=0) if length is None else length
    result = np.full((len(rows), longest), empty, np.int64)
    for row, target in zip(rows, result):
        target[: min(len(row), longest)] = row[:longest]
    return result
