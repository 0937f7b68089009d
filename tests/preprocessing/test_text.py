"""Texts as numbers: the first edition's Tokenizer and its kin, by answers that are known."""

import json
import math

import numpy as np
import pytest

import refnet
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.preprocessing import sequence, text
from refnet.testing.closeness import ELEMENTARY, close
from refnet.utils import pad_sequences

TEXTS = ["The cat sat on the mat.", "The dog ate my homework."]


def test_the_places_where_keras_has_them():
    assert refnet.preprocessing.sequence.pad_sequences is refnet.utils.pad_sequences
    assert refnet.preprocessing.text.Tokenizer is text.Tokenizer
    assert refnet.preprocessing.image.load_img is refnet.utils.load_img


def test_words_of_a_text():
    assert text.text_to_word_sequence("Hello, world! Don't\tstop") == ["hello", "world", "don't", "stop"]
    assert text.text_to_word_sequence("A-B c", filters="-", lower=False) == ["A", "B", "c"]
    assert text.text_to_word_sequence("a,b;c", filters=";", split=",") == ["a", "b", "c"]


@pytest.mark.api("hashing trick, word / character one-hot, n-grams, bag of words")
def test_the_hashing_trick():
    numbers = text.hashing_trick("the cat sat on the mat", 50, "md5")
    assert numbers == [43, 32, 29, 3, 43, 29]  # "sat" and "mat" share a number
    md5_of_the = int("8fc42c6ddf9966db3b09e84365034357", 16)
    assert numbers[0] == md5_of_the % 49 + 1
    assert text.hashing_trick("a bb", 9, len) == [2, 3]
    assert text.one_hot("a b a", 1000) == text.hashing_trick("a b a", 1000)
    with pytest.raises(ArgumentError, match="n must be an integer of at least 2"):
        text.hashing_trick("a", 1)
    with pytest.raises(ArgumentError, match="hash_function"):
        text.hashing_trick("a", 10, "sha1")


@pytest.mark.api("text.Tokenizer")
def test_a_tokenizer_numbers_words_by_their_frequency():
    """Listing 6.3 of the book."""
    tokenizer = text.Tokenizer(num_words=1000)
    tokenizer.fit_on_texts(TEXTS)
    assert len(tokenizer.word_index) == 9
    assert tokenizer.word_index == dict(
        zip(["the", "cat", "sat", "on", "mat", "dog", "ate", "my", "homework"], range(1, 10))
    )
    assert tokenizer.texts_to_sequences(TEXTS) == [[1, 2, 3, 4, 1, 5], [1, 6, 7, 8, 9]]
    assert tokenizer.sequences_to_texts([[1, 6], [2, 77]]) == ["the dog", "cat"]
    one_hot = tokenizer.texts_to_matrix(TEXTS, mode="binary")
    assert one_hot.shape == (2, 1000) and one_hot.sum(1).tolist() == [5, 5] and one_hot[0, 1:6].tolist() == [1] * 5
    assert (tokenizer.word_counts["the"], tokenizer.word_docs["the"], tokenizer.document_count) == (3, 2, 2)
    assert tokenizer.index_docs[1] == 2 and tokenizer.index_word[9] == "homework"


def test_only_the_words_in_use_have_numbers():
    tokenizer = text.Tokenizer(num_words=3)
    tokenizer.fit_on_texts(TEXTS)
    assert tokenizer.texts_to_sequences(["the cat sat unheard"]) == [[1, 2]]
    assert len(tokenizer.word_index) == 9
    known = text.Tokenizer(num_words=4, oov_token="<?>")
    known.fit_on_texts(TEXTS)
    assert known.word_index["<?>"] == 1 and known.texts_to_sequences(["the cat sat unheard"]) == [[2, 3, 1, 1]]
    assert known.sequences_to_texts([[2, 3, 1, 99]]) == ["the cat <?> <?>"]


def test_the_four_kinds_of_rows():
    tokenizer = text.Tokenizer()
    tokenizer.fit_on_texts(["a a b", "b c"])
    assert tokenizer.word_index == {"a": 1, "b": 2, "c": 3}
    rows = {mode: tokenizer.texts_to_matrix(["a a c c"], mode)[0].tolist() for mode in text.MODES}
    assert rows["binary"] == [0, 1, 0, 1] and rows["count"] == [0, 2, 0, 2] and rows["freq"] == [0, 0.5, 0, 0.5]
    idf = math.log(1 + 2 / (1 + 1))
    close(rows["tfidf"], [0, (1 + math.log(2)) * idf, 0, (1 + math.log(2)) * idf], 4 * ELEMENTARY)
    assert tokenizer.sequences_to_matrix([[1, 1, 9]], "count").tolist() == [[0, 2, 0, 0]]
    with pytest.raises(ArgumentError, match="binary, count, freq, tfidf"):
        tokenizer.texts_to_matrix(["a"], "log")
    with pytest.raises(ArgumentError, match="num_words"):
        text.Tokenizer().texts_to_matrix(["a"])
    with pytest.raises(ArgumentError, match="tfidf"):
        text.Tokenizer(num_words=3).sequences_to_matrix([[1]], "tfidf")


def test_characters_lists_of_words_and_analyzers():
    letters = text.Tokenizer(char_level=True)
    letters.fit_on_texts(["Abba"])
    assert letters.texts_to_sequences(["ab c"]) == [[1, 2]]
    words = text.Tokenizer()
    words.fit_on_texts([["New York", "x"], ["x"]])
    assert words.word_index == {"x": 1, "new york": 2}
    own = text.Tokenizer(analyzer=lambda t: t.split("-"))
    own.fit_on_texts(["a-b-a"])
    assert own.texts_to_sequences(["b-a"]) == [[2, 1]]


def test_fitting_on_more_texts_counts_on():
    tokenizer = text.Tokenizer()
    tokenizer.fit_on_texts(["a b"])
    tokenizer.fit_on_texts(["b c"])
    assert tokenizer.word_index == {"b": 1, "a": 2, "c": 3} and tokenizer.document_count == 2
    other = text.Tokenizer(num_words=5)
    other.fit_on_sequences([[1, 1, 2], [2]])
    assert other.document_count == 2 and other.index_docs == {1: 1, 2: 2}


def test_a_tokenizer_as_json():
    tokenizer = text.Tokenizer(num_words=4, oov_token="?", lower=False)
    tokenizer.fit_on_texts(TEXTS)
    again = text.tokenizer_from_json(tokenizer.to_json(indent=1))
    assert again.get_config() == tokenizer.get_config()
    assert again.texts_to_sequences(TEXTS) == tokenizer.texts_to_sequences(TEXTS)
    assert json.loads(tokenizer.to_json())["class_name"] == "Tokenizer"
    for wrong in ("{}", "no json", '{"config": {"word_counts": 1}}'):
        with pytest.raises(ArgumentError, match="to_json"):
            text.tokenizer_from_json(wrong)


def test_mistakes_with_a_tokenizer():
    with pytest.raises(ArgumentError, match="Did you mean 'num_words'"):
        text.Tokenizer(num_word=3)
    with pytest.raises(ArgumentError, match="got one string"):
        text.Tokenizer().fit_on_texts("a text")
    with pytest.raises(ArgumentError, match="a string or a list of words; got 3"):
        text.Tokenizer().fit_on_texts([3])
    with pytest.raises(ArgumentError, match="num_words"):
        text.Tokenizer(num_words=0)
    assert text.Tokenizer(nb_words=7).num_words == 7  # an old spelling


# ---- sequences


@pytest.mark.api("sequence.pad_sequences")
def test_padding_and_cutting():
    lists = [[1], [2, 3], [4, 5, 6]]
    assert pad_sequences(lists).tolist() == [[0, 0, 1], [0, 2, 3], [4, 5, 6]]
    assert pad_sequences(lists).dtype == "int32"
    assert pad_sequences(lists, maxlen=2).tolist() == [[0, 1], [2, 3], [5, 6]]
    assert pad_sequences(lists, maxlen=2, truncating="post", padding="post").tolist() == [[1, 0], [2, 3], [4, 5]]
    assert pad_sequences(lists, maxlen=4, value=-1, dtype="float32").tolist()[0] == [-1, -1, -1, 1]
    assert pad_sequences([[], [7]], maxlen=1).tolist() == [[0], [7]]
    vectors = pad_sequences([[[1, 1]], [[2, 2], [3, 3]]])
    assert vectors.tolist() == [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]
    words = pad_sequences([["a"], ["b", "c"]], dtype=object, value="-", padding="post")
    assert words.tolist() == [["a", "-"], ["b", "c"]]
    assert pad_sequences([[1, 2]], maxlen=0).shape == (1, 0)


def test_mistakes_with_padding():
    for arguments, error, words in (
        (([[1]], 2, "int32", "left"), ArgumentError, "padding is 'pre' or 'post'"),
        (([[1]], 2, "int32", "pre", "right"), ArgumentError, "truncating is"),
        (([[1], 3],), ArgumentError, r"sequences\[1\] is 3"),
        ((3,), ArgumentError, "list of sequences"),
        (([[1]], 2, "int32", "pre", "pre", "x"), ArgumentError, "dtype=object"),
        (([[[1, 2]], [[1, 2, 3]]],), ShapeError, r"sequences\[1\] have shape \(3,\)"),
    ):
        with pytest.raises(error, match=words):
            pad_sequences(*arguments)


def test_padding_refuses_numbers_that_do_not_go_into_arrays():
    for length in (2.0, np.mean([2, 1]), -1, True, "2"):
        with pytest.raises(ArgumentError, match="maxlen is an integer of at least 0"):
            pad_sequences([[1, 2], [3]], maxlen=length)
    with pytest.raises(DtypeError, match=r"sequences\[1\] holds a number that uint8 has no room for"):
        pad_sequences([[1], [300]], dtype="uint8")
    with pytest.raises(DtypeError, match=r"sequences\[0\] holds 'a', which is no int32. Number words first"):
        pad_sequences([[1, "a"], [2]])
    for nested, dtype in (([[1, 2], [[1, 2], [3]]], "int32"), ([["a", ["b"]], ["c"]], "str")):
        with pytest.raises(ShapeError, match="holds sequences, such as .*, but not all of one length"):
            pad_sequences(nested, dtype=dtype)
    for value in (-1, None, [1, 2]):
        with pytest.raises(ArgumentError, match="value .* is no uint8"):
            pad_sequences([[1, 2, 3], [3]], dtype="uint8", value=value)
    with pytest.raises(ArgumentError, match="dtype is one of NumPy's"):
        pad_sequences([[1]], dtype="strin")
    assert pad_sequences([[1, 2], [3]], maxlen=np.int64(0)).shape == (2, 0)
    assert pad_sequences([[1, 2], [3]], maxlen=np.array(1)).tolist() == [[2], [3]]


def test_padded_words_keep_all_their_letters():
    got = pad_sequences([["one", "three"], ["two"]], dtype="str", value="")
    assert got.tolist() == [["one", "three"], ["", "two"]]


class Column:
    """What a column of pandas has: rows by their labels, which a cut or a shuffle leaves behind, and by their places (`iloc`)."""

    def __init__(self, values, labels):
        self.values, self.labels = np.asarray(values), list(labels)

    iloc = property(lambda self: self.values)
    __array__ = lambda self, dtype=None, copy=None: self.values
    __len__ = lambda self: len(self.values)

    def __getitem__(self, label):
        return self.values[label] if isinstance(label, slice) else self.values[self.labels.index(label)]


def test_a_column_of_pandas_goes_by_its_places():
    rows = np.arange(8.0)
    for labels in (range(100, 108), range(7, -1, -1)):
        column = Column(rows, labels)
        windows, due = sequence.TimeseriesGenerator(column, column, length=3)[0]
        np.testing.assert_array_equal(windows[1], [1, 2, 3])
        np.testing.assert_array_equal(due, [3, 4, 5, 6, 7])


def test_mistakes_with_a_timeseries_generator_and_skipgrams():
    rows = np.arange(10)
    for word in ("length", "sampling_rate", "stride", "batch_size"):
        for value in (0, 2.5, "2", True):
            with pytest.raises(ArgumentError, match=f"{word} is an integer of at least 1"):
                sequence.TimeseriesGenerator(rows, rows, **{"length": 3, word: value})
    with pytest.raises(ArgumentError, match="start_index is an integer of at least 0"):
        sequence.TimeseriesGenerator(rows, rows, 3, start_index=-5)
    with pytest.raises(ArgumentError, match=r"sampling_table has 10 entries; word 30 needs make_sampling_table\(31\)"):
        sequence.skipgrams([1, 30], 40, sampling_table=sequence.make_sampling_table(10))


def test_a_timeseries_generator():
    data = np.arange(50)
    generator = sequence.TimeseriesGenerator(data, data, length=10, sampling_rate=2, batch_size=2)
    assert len(generator) == 20
    x, y = generator[0]
    assert x.tolist() == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]] and y.tolist() == [10, 11]
    backwards = sequence.TimeseriesGenerator(data, data, 3, reverse=True, stride=4, start_index=5, end_index=20)
    assert backwards[0][0].tolist() == [[7, 6, 5], [11, 10, 9], [15, 14, 13], [19, 18, 17]]
    assert backwards[0][1].tolist() == [8, 12, 16, 20]
    drawn = sequence.TimeseriesGenerator(data, data, 3, shuffle=True, batch_size=6, seed=1)
    x, y = drawn[0]
    assert (x[:, -1] + 1 == y).all() and y.min() >= 3 and len(set(y.tolist())) > 1
    again = sequence.timeseries_generator_from_json(backwards.to_json())
    np.testing.assert_array_equal(again[0][0], backwards[0][0])
    with pytest.raises(ArgumentError, match="equally long"):
        sequence.TimeseriesGenerator(data, data[:-1], 3)
    with pytest.raises(ArgumentError, match="no row has a whole window"):
        sequence.TimeseriesGenerator(data, data, 60)
    with pytest.raises(ArgumentError, match="end_index is 50, but the last row of data is 49"):
        sequence.TimeseriesGenerator(data, data, 3, end_index=50)
    with pytest.raises(IndexError):
        generator[20]


def test_skipgrams():
    pairs, labels = sequence.skipgrams([1, 0, 2, 3], 4, window_size=1, negative_samples=0, shuffle=False)
    assert pairs == [[2, 3], [3, 2]] and labels == [1, 1]
    pairs, labels = sequence.skipgrams(range(1, 6), 100, window_size=2, negative_samples=2.0, seed=3, categorical=True)
    assert len(pairs) == 14 * 3 and labels.count([0, 1]) == 14 and labels.count([1, 0]) == 28
    assert all(abs(a - b) <= 2 for (a, b), label in zip(pairs, labels) if label == [0, 1])
    assert all(1 <= b < 100 for _, b in pairs)
    assert sequence.skipgrams([1, 2, 3], 9, seed=5) == sequence.skipgrams([1, 2, 3], 9, seed=5)
    assert sequence.skipgrams([1, 2, 3], 9, sampling_table=np.zeros(9)) == ([], [])


def test_the_sampling_table():
    table = sequence.make_sampling_table(100)
    rank = np.arange(1, 100)
    frequency = 1 / (rank * (np.log(rank) + 0.577) + 0.5 - 1 / (12 * rank))
    close(table[1:], np.minimum(1, np.sqrt(1e-5 / frequency)), 4 * ELEMENTARY)
    assert table[0] == table[1]
