"""Texts, sequences, and tables of numbers prepared by functions, against the installed Keras: same inputs, equal outputs.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

from typing import Any

import numpy as np
import pytest

from refnet import utils
from refnet.preprocessing import sequence, text
from refnet.testing.closeness import ELEMENTARY, close

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")

RANDOM = np.random.default_rng(7)
TEXTS = ["The cat sat on the mat.", "The dog ate my homework; the CAT did not!", "", "mat mat mat"]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"num_words": 4}, {"num_words": 5, "oov_token": "?"}, {"char_level": True}, {"lower": False, "filters": ""}],
)
def test_tokenizer(arguments: dict[str, Any]) -> None:
    from keras.src.legacy.preprocessing import text as theirs

    their, our = theirs.Tokenizer(**arguments), text.Tokenizer(**arguments)
    for tokenizer in (their, our):
        tokenizer.fit_on_texts(TEXTS)
    assert our.word_index == their.word_index and dict(our.word_counts) == dict(their.word_counts)
    assert our.index_docs == dict(their.index_docs) and our.document_count == their.document_count
    new = ["the cat ate unheard-of things", "mat"]
    numbers = our.texts_to_sequences(new)
    assert numbers == their.texts_to_sequences(new)
    assert our.sequences_to_texts(numbers) == their.sequences_to_texts(numbers)
    for mode in text.MODES:
        np.testing.assert_array_equal(our.texts_to_matrix(new, mode), their.texts_to_matrix(new, mode))
    assert text.tokenizer_from_json(their.to_json()).texts_to_sequences(new) == numbers
    assert theirs.tokenizer_from_json(our.to_json()).texts_to_sequences(new) == numbers


def test_functions_of_texts() -> None:
    from keras.src.legacy.preprocessing import text as theirs

    for given in TEXTS:
        assert text.text_to_word_sequence(given) == theirs.text_to_word_sequence(given)
        assert text.hashing_trick(given, 30, "md5") == theirs.hashing_trick(given, 30, "md5")
        assert text.one_hot(given, 30) == theirs.one_hot(given, 30)


def test_pad_sequences() -> None:
    lists = [[1, 2, 3], [], [4], list(range(9))]
    for maxlen in (None, 2, 5, 12):
        for padding in ("pre", "post"):
            for truncating in ("pre", "post"):
                how = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": -1, "dtype": "int64"}
                np.testing.assert_array_equal(
                    utils.pad_sequences(lists, **how), keras.utils.pad_sequences(lists, **how)
                )


def test_timeseries_generator_and_sampling_table() -> None:
    from keras.src.legacy.preprocessing import sequence as theirs

    data = RANDOM.random((40, 2))
    for how in ({}, {"sampling_rate": 2, "stride": 3}, {"reverse": True, "start_index": 3, "end_index": 30}):
        our = sequence.TimeseriesGenerator(data, data[:, 0], 6, batch_size=4, **how)
        their = theirs.TimeseriesGenerator(data, data[:, 0], 6, batch_size=4, **how)
        assert len(our) == len(their)
        for i in range(len(our)):
            for a, b in zip(our[i], their[i]):
                np.testing.assert_array_equal(a, b)
    close(sequence.make_sampling_table(50), theirs.make_sampling_table(50), 4 * ELEMENTARY)
    ours, labels = sequence.skipgrams([1, 4, 2, 0, 3], 9, window_size=2, negative_samples=0, shuffle=False)
    assert (ours, labels) == theirs.skipgrams([1, 4, 2, 0, 3], 9, window_size=2, negative_samples=0, shuffle=False)


def test_normalize_and_split() -> None:
    x = RANDOM.random((6, 4))
    for order in (1, 2):
        close(utils.normalize(x, -1, order), keras.utils.normalize(x, -1, order), 2 * (x.shape[-1] + ELEMENTARY))
    left, right = utils.split_dataset(x, left_size=0.5)
    theirs = keras.utils.split_dataset(x, left_size=0.5)
    assert [len(left), len(right)] == [len(part) for part in theirs]
