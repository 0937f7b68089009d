"""Texts as lists of word numbers, and as rows with a column for every word."""

import collections
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, did_you_mean, shown

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text.

    Args:
        input_text: the text.
        filters: characters that stand for `split`.
        lower: whether it is put into lower case.
        split: what lies between words.
    Source: Keras 2 `preprocessing.text.text_to_word_sequence`.

    >>> text_to_word_sequence("The cat sat on the mat.")
    ['the', 'cat', 'sat', 'on', 'the', 'mat']
    """
    text = input_text.lower() if lower else input_text
    spaced = "".join(split if letter in filters else letter for letter in text)
    return [word for word in spaced.split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """The words of a text as numbers 1..n-1, by their hashes; different words may share a number.

    Args:
        text: the text.
        n: one more than the largest number, at least 2.
        hash_function: "md5", or a function from words to integers. None is Python's own `hash`, which differs from one process
            to the next unless PYTHONHASHSEED is set.
        filters, lower, split: see `text_to_word_sequence`.
        analyzer: a function that gives the words instead.
    Source: Keras 2 `preprocessing.text.hashing_trick`.

    >>> hashing_trick("the cat sat on the mat", 100, "md5")
    [51, 3, 10, 28, 51, 26]
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ArgumentError(f"hashing_trick: n must be an integer of at least 2; got {n!r}.")
    if hash_function == "md5":
        number: Callable[[str], int] = md5
    elif hash_function is None or callable(hash_function):
        number = hash if hash_function is None else hash_function
    else:
        raise ArgumentError(f"hashing_trick: hash_function is 'md5', a function or None; got {hash_function!r}.")
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [number(word) % (n - 1) + 1 for word in words]


def md5(word: str) -> int:
    """The MD5 hash of a word, in UTF-8, as a number."""
    return int(hashlib.md5(word.encode()).hexdigest(), 16)


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """`hashing_trick` with Python's `hash`: numbers, in spite of the name, that one process alone understands."""
    return hashing_trick(input_text, n, None, filters, lower, split, analyzer)


class Tokenizer:
    """Numbers the words of texts, the most frequent first, and turns texts into lists of numbers or rows of a matrix.

    Args:
        num_words: only words numbered below this are used; None: all.
        filters, lower, split: see `text_to_word_sequence`.
        char_level: whether characters are the words.
        oov_token: stands for words that have no number or are not used; None: they are left out.
        analyzer: a function that gives a text's words instead.

    After `fit_on_texts`: word_index {word: number from 1}, index_word, word_counts {word: how often}, word_docs {word: in how
    many texts}, index_docs {number: in how many texts}, document_count.

    Source: Keras 2 `preprocessing.text.Tokenizer`; Chollet 6.1.1.

    >>> tokenizer = Tokenizer(num_words=4)
    >>> tokenizer.fit_on_texts(["the cat sat on the mat", "the dog ate my homework"])
    >>> tokenizer.word_index["the"], tokenizer.texts_to_sequences(["the cat and the dog"])
    (1, [[1, 2, 1]])
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], list[str]] | None = None,
        **more: Any,
    ):
        if "nb_words" in more:
            num_words = more.pop("nb_words")
        self.document_count: int = more.pop("document_count", 0)
        if more:
            word = next(iter(more))
            known = ["num_words", "filters", "lower", "split", "char_level", "oov_token", "analyzer"]
            raise ArgumentError(f"Tokenizer has no argument {word!r}.{did_you_mean(word, known)}")
        if num_words is not None and (not isinstance(num_words, (int, np.integer)) or num_words < 1):
            raise ArgumentError(f"Tokenizer: num_words is an integer of at least 1, or None; got {num_words!r}.")
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.word_counts: dict[str, int] = {}
        self.word_docs: dict[str, int] = {}
        self.index_docs: dict[int, int] = {}
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    # ---- learning

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Counts the words of texts and numbers all that were ever counted. May be called again with more texts.

        Args:
            texts: strings, or lists of words.
        """
        if isinstance(texts, str):
            raise ArgumentError("Tokenizer.fit_on_texts takes a list of texts; got one string. Put it into a list.")
        for text in texts:
            self.document_count += 1
            words = list(self.words_of(text))
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] = self.word_docs.get(word, 0) + 1
        ranked = sorted(self.word_counts, key=lambda word: -self.word_counts[word])  # stable: ties as they came
        if self.oov_token is not None:
            ranked = [self.oov_token, *ranked]
        self.word_index = dict(zip(ranked, range(1, len(ranked) + 1)))
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Iterable[Iterable[int]]) -> None:
        """Counts, for "tfidf", in how many sequences each number occurs; only for sequences that were not texts here."""
        for sequence in sequences:
            self.document_count += 1
            for number in set(sequence):
                self.index_docs[number] = self.index_docs.get(number, 0) + 1

    def words_of(self, text: Any) -> Iterable[str]:
        """The words of a text; a list's elements are words."""
        if isinstance(text, (list, tuple)):
            return [str(word).lower() for word in text] if self.lower else [str(word) for word in text]
        if not isinstance(text, str):
            raise ArgumentError(f"Tokenizer: a text is a string or a list of words; got {shown(text)}.")
        if self.char_level:
            return text.lower() if self.lower else text
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    # ---- texts to numbers and back

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """Lists of the numbers of the words in use."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one by one."""
        for text in texts:
            numbers = (self._in_use(self.word_index.get(word)) for word in self.words_of(text))
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Texts again, as far as the numbers tell: words in use, with spaces between them."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """`sequences_to_texts`, one by one."""
        for sequence in sequences:
            numbers = (self._in_use(number if number in self.index_word else None) for number in sequence)
            yield " ".join(self.index_word[number] for number in numbers if number is not None)

    def _in_use(self, number: int | None) -> int | None:
        """The number, that of the oov_token where it is not used, or None."""
        if number is not None and (not self.num_words or number < self.num_words):
            return number
        return None if self.oov_token is None else self.word_index.get(self.oov_token)

    # ---- rows

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> Array:
        """A row for each text; see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Any, mode: str = "binary") -> Array:
        """A row for each sequence, with a column for every number below num_words.

            binary: 1 where it occurs;  count: how often, c;  freq: c / length;
            tfidf: (1 + log c) * log(1 + document_count / (1 + how many texts have it))

        Args:
            sequences: lists of numbers.
            mode: one of the four.
        Returns:
            (number of sequences, num_words), float64.
        Raises:
            ArgumentError: another mode; nothing is known of the number of words, or, for tfidf, of texts.
        """
        if mode not in MODES:
            raise ArgumentError(f"Tokenizer: mode is one of {', '.join(MODES)}; got {mode!r}.")
        columns = self.num_words or (len(self.word_index) + 1 if self.word_index else 0)
        if not columns:
            raise ArgumentError("Tokenizer: give num_words, or fit on texts first; the number of columns is not known.")
        if mode == "tfidf" and not self.document_count:
            raise ArgumentError("Tokenizer: tfidf needs to know other texts; fit on texts or on sequences first.")
        matrix = np.zeros((len(sequences), columns))
        for row, sequence in zip(matrix, sequences):
            for number, count in collections.Counter(n for n in sequence if n < columns).items():
                row[number] = self._entry(mode, number, count, len(sequence))
        return matrix

    def _entry(self, mode: str, number: int, count: int, length: int) -> float:
        if mode == "binary":
            return 1.0
        if mode == "count":
            return float(count)
        if mode == "freq":
            return count / length
        return float((1 + np.log(count)) * np.log(1 + self.document_count / (1 + self.index_docs.get(number, 0))))

    # ---- as JSON

    def get_config(self) -> dict[str, Any]:
        """What `tokenizer_from_json` needs; the tables are JSON themselves, as Keras writes them."""
        tables = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        plain = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        config = {name: getattr(self, name) for name in plain}
        return {**config, **{name: json.dumps(getattr(self, name)) for name in tables}}

    def to_json(self, **more: Any) -> str:
        """The tokenizer as JSON, which `tokenizer_from_json` (Keras's too) reads. An analyzer is not in it."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **more)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `to_json` wrote, of refnet or of Keras.

    Raises:
        ArgumentError: something else.
    """
    try:
        config = dict(json.loads(json_string)["config"])
        read = {name: json.loads(config.pop(name)) for name in ("word_counts", "word_docs", "word_index")}
        numbered = {
            name: {int(number): value for number, value in json.loads(config.pop(name)).items()}
            for name in ("index_docs", "index_word")
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArgumentError(f"tokenizer_from_json takes what Tokenizer.to_json wrote ({error!r}).") from error
    config.pop("analyzer", None)
    tokenizer = Tokenizer(**config)
    for name, table in {**read, **numbered}.items():
        setattr(tokenizer, name, table)
    return tokenizer
