"""Hashing, lookups and text vectorization by hand-computed examples; what they refuse."""

import math

import numpy as np
import pytest

from refnet import layers, models
from refnet.errors import ArgumentError, DataError, DtypeError, FileError, MissingFileError, ShapeError
from refnet.layers import Input
from refnet.layers.fingerprints import fingerprint64, siphash64
from refnet.registration import reading_file
from refnet.testing.closeness import ELEMENTARY, close

# ---- hashes


def test_hashes_are_the_published_ones():
    """SipHash's own test vectors (key 00..0f, messages 00, 00 01, ...), and lengths of every branch of FarmHash."""
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    due = {
        0: 0x726FDB47DD0E0E31,
        1: 0x74F839C593DC67FD,
        7: 0xAB0200F58B01D137,
        8: 0x93F5F5799A932462,
        15: 0xA129CA6149BE45E5,
    }
    assert {n: siphash64(bytes(range(n)), key) for n in due} == due
    assert fingerprint64(b"") == 0x9AE16A3B2F90404F
    hashes = [fingerprint64(bytes(n)) for n in (1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 129, 500)]
    assert len(set(hashes)) == 14 and all(0 <= h < 2**64 for h in hashes)
    assert fingerprint64(b"hello world") == 0x588FB7478BD6B01B


def test_hashing_gives_keras_numbers():
    letters = [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert layers.Hashing(num_bins=3)(letters).tolist() == [[1], [0], [1], [1], [2]]
    assert layers.Hashing(num_bins=3, mask_value="")([["A"], ["B"], [""], ["C"], ["D"]]).tolist() == [
        [1],
        [1],
        [0],
        [2],
        [2],
    ]
    assert layers.Hashing(num_bins=3, salt=[133, 137])(letters).tolist() == [[1], [2], [1], [0], [2]]
    assert layers.Hashing(num_bins=3, salt=133)(letters).tolist() == [[0], [0], [2], [1], [0]]
    assert layers.Hashing(num_bins=3)(np.arange(5)).tolist() == [1, 0, 1, 0, 2]
    assert layers.Hashing(num_bins=3, salt=[133, 137])(np.arange(5)).tolist() == [1, 1, 2, 0, 1]
    assert layers.Hashing(3, output_mode="one_hot")(np.array([[0], [1]])).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert layers.HashedCrossing(5)([np.array(list("ABABA")), np.array([101, 101, 101, 102, 102])]).tolist() == [
        1,
        4,
        1,
        1,
        3,
    ]
    assert layers.HashedCrossing(5, "one_hot")(["A", 101]).tolist() == [0, 1, 0, 0, 0]
    for make, words in (
        (lambda: layers.Hashing(0), "num_bins"),
        (lambda: layers.Hashing(2, salt="x"), "salt"),
        (lambda: layers.Hashing(2, dtype="float32"), "integers"),
        (lambda: layers.HashedCrossing(2)(["a"]), "at least two"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    with pytest.raises(ShapeError, match="one shape"):
        layers.HashedCrossing(2)([["a"], ["a", "b"]])
    with pytest.raises(DtypeError, match="strings and integers"):
        layers.HashedCrossing(2)([[0.5], [1.5]])


# ---- vocabularies


def test_string_lookup():
    """Keras's own examples."""
    data = [["a", "c", "d"], ["d", "z", "b"]]
    layer = layers.StringLookup(vocabulary=["a", "b", "c", "d"])
    assert layer(data).tolist() == [[1, 3, 4], [4, 0, 2]] and layer(np.array(data)).dtype == "int64"
    learned = layers.StringLookup()
    learned.adapt(data)
    assert learned.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    two = layers.StringLookup(vocabulary=["a", "b", "c", "d"], num_oov_indices=2)
    m, z = fingerprint64(b"m") % 2, fingerprint64(b"z") % 2
    assert two([["a", "c", "d"], ["m", "z", "b"]]).tolist() == [[2, 4, 5], [m, z, 3]]
    assert layers.StringLookup(vocabulary=["a", "b", "c", "d"], output_mode="one_hot")(["a", "z"]).tolist() == [
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
    ]
    multi = layers.StringLookup(vocabulary=["a", "b", "c", "d"], output_mode="multi_hot")
    assert multi([["a", "c", "d", "d"], ["d", "z", "b", "z"]]).tolist() == [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]
    count = layers.StringLookup(vocabulary=["a", "b", "c", "d"], output_mode="count")
    assert count([["a", "c", "d", "d"], ["d", "z", "b", "z"]]).tolist() == [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]
    weighted = layers.StringLookup(
        vocabulary=["a", "b", "c", "d"], idf_weights=[0.25, 0.75, 0.6, 0.4], output_mode="tf_idf"
    )
    close(weighted([["a", "c", "d", "d"], ["d", "z", "b", "z"]]), [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]], 8)
    back = layers.StringLookup(vocabulary=["a", "b", "c", "d"], invert=True)
    assert back(np.array([[1, 3, 4], [4, 0, 2]])).tolist() == [["a", "c", "d"], ["d", "[UNK]", "b"]]


def test_masks_limits_and_what_is_learned():
    masked = layers.StringLookup(mask_token="", vocabulary=["a", "b"])
    assert masked.get_vocabulary() == ["", "[UNK]", "a", "b"] and masked([["b", "", "x"]]).tolist() == [[3, 0, 1]]
    assert layers.StringLookup(mask_token="", vocabulary=["", "[UNK]", "a"])(["a"]).tolist() == [2]
    dropped = layers.StringLookup(mask_token="", vocabulary=["a"], output_mode="count")
    assert dropped([["a", "", "q", ""]]).tolist() == [[1, 1]]
    few = layers.StringLookup(max_tokens=3)
    few.adapt(["b", "b", "a", "c", "c", "c"])
    ended_by_zero = layers.StringLookup()
    for shape in ((2,), (1, 2), (2, 1, 1)):
        data = np.array(["a\0", "b"], object).reshape(shape)
        for given in (data, iter([data, np.empty((0, 3), object)])):
            ended_by_zero.adapt(given)
            assert ended_by_zero.get_vocabulary() == ["[UNK]", "b", "a\0"]
    assert few.get_vocabulary() == ["[UNK]", "c", "b"] and few.vocabulary_size() == 3
    padded = layers.StringLookup(max_tokens=5, vocabulary=["a"], output_mode="multi_hot", pad_to_max_tokens=True)
    assert padded([["a"]]).tolist() == [[0, 1, 0, 0, 0]]
    idf = layers.StringLookup(output_mode="tf_idf")
    idf.adapt(np.array([["a", "a"], ["a", "b"]], object))
    due = {"a": math.log(1 + 2 / 3), "b": math.log(1 + 2 / 2)}
    assert idf.get_vocabulary() == ["[UNK]", "a", "b"]
    close(idf([["a", "a", "b", "?"]]), [[sum(due.values()) / 2, 2 * due["a"], due["b"]]], 2 * ELEMENTARY + 4)
    again = layers.StringLookup.from_config(idf.get_config())
    np.testing.assert_array_equal(again([["a", "?"]]), idf([["a", "?"]]))
    assert layers.StringLookup(vocabulary=["ü"])([b"\xc3\xbc"]).tolist() == [1]


def test_integer_lookup():
    data = np.array([[12, 1138, 42], [42, 1000, 36]])
    layer = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
    assert layer(data).tolist() == [[1, 3, 4], [4, 0, 2]]
    learned = layers.IntegerLookup()
    learned.adapt(data)
    assert learned.get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]
    two = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2)
    assert two(np.array([[12, 1138, 42], [37, 1000, 36]])).tolist() == [[2, 4, 5], [1, 0, 3]]  # Keras's own example
    back = layers.IntegerLookup(vocabulary=[12, 36], invert=True)
    assert back(np.array([2, 0, 1])).tolist() == [36, -1, 12]
    hashed = layers.IntegerLookup(vocabulary=[5], num_oov_indices=3, oov_method="farmhash")
    assert hashed([1, 2]).tolist() == [fingerprint64(b"1") % 3, fingerprint64(b"2") % 3]
    again = layers.IntegerLookup.from_config(learned.get_config())
    assert again(data).tolist() == learned(data).tolist()
    with pytest.raises(DtypeError, match="takes integers"):
        layer(np.array([0.5]))
    with pytest.raises(ArgumentError, match="oov_method"):
        layers.IntegerLookup(oov_method="md5")


def test_vocabularies_in_files(tmp_path):
    (tmp_path / "words.txt").write_text("eins\nzwei\n", encoding="utf-8")
    layer = layers.StringLookup(vocabulary=str(tmp_path / "words.txt"))
    assert layer(["zwei", "drei"]).tolist() == [2, 0]
    (tmp_path / "numbers.txt").write_text("7\n8")
    assert layers.IntegerLookup(vocabulary=str(tmp_path / "numbers.txt"))([8]).tolist() == [2]
    with pytest.raises(MissingFileError, match="no vocabulary file"):
        layers.StringLookup(vocabulary=str(tmp_path / "none.txt"))
    with reading_file(safe=True), pytest.raises(FileError, match="files outside are not read"):
        layers.StringLookup(vocabulary=str(tmp_path / "words.txt"))


def test_mistakes_with_vocabularies():
    for make, error, words in (
        (lambda: layers.StringLookup(vocabulary=[]), ArgumentError, "is empty"),
        (lambda: layers.StringLookup(vocabulary=["a", "b", "a"]), ArgumentError, "repeats"),
        (lambda: layers.StringLookup(mask_token="m", vocabulary=["a", "m"]), ArgumentError, "holds 'm' inside"),
        (lambda: layers.StringLookup(max_tokens=2, vocabulary=["a", "b"]), ArgumentError, "max_tokens is 2"),
        (lambda: layers.StringLookup(max_tokens=1), ArgumentError, "max_tokens"),
        # what was learned once ignored it: the first of max_tokens - 3 tokens were all but the last
        (lambda: layers.StringLookup(2, num_oov_indices=3), ArgumentError, "there are 3; max_tokens=2 leaves no room"),
        (lambda: layers.IntegerLookup(2, num_oov_indices=2), ArgumentError, "Give at least 3"),
        (lambda: layers.TextVectorization(2), ArgumentError, "there are 2; max_tokens=2 leaves no room"),
        (lambda: layers.StringLookup(output_mode="tf_idf", vocabulary=["a"]), ArgumentError, "idf_weights"),
        (
            lambda: layers.StringLookup(output_mode="tf_idf", vocabulary=["a"], idf_weights=[1.0, 2.0]),
            ArgumentError,
            "shape",
        ),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), ArgumentError, "invert goes with"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ArgumentError, "needs max_tokens"),
        (lambda: layers.StringLookup()(["a"]), ArgumentError, "no vocabulary yet"),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), ArgumentError, "was given"),
        (lambda: layers.StringLookup().adapt("text"), ArgumentError, "got one string"),
        (lambda: layers.StringLookup(vocabulary=["a"])([3]), DtypeError, "element \\[0\\] is 3"),
        (
            lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]),
            DataError,
            "'b' is not in the vocabulary",
        ),
        (lambda: layers.StringLookup(vocabulary=["a"], invert=True)([0.5]), DtypeError, "integers into tokens"),
    ):
        with pytest.raises(error, match=words):
            make()


def test_layers_of_strings_do_not_stand_in_models():
    for layer in (layers.StringLookup(vocabulary=["a"]), layers.TextVectorization(), layers.Hashing(3)):
        with pytest.raises(ArgumentError, match="cannot stand inside a model. Apply it to the data first"):
            layer(Input((1,)))
    with pytest.raises(ArgumentError, match="cannot stand inside a model"):
        models.Sequential([Input((1,), dtype="int32"), layers.IntegerLookup(vocabulary=[1])])
    with pytest.raises(ArgumentError, match="call it on data"):
        layers.Hashing(3).compute_output_shape((None, 1))


# ---- texts


def test_text_vectorization():
    vectorize = layers.TextVectorization(max_tokens=6, output_sequence_length=5)
    vectorize.adapt(["The cat sat, the cat!", "the DOG"])
    assert vectorize.get_vocabulary() == ["", "[UNK]", "the", "cat", "sat", "dog"]
    assert vectorize(["the dog barked", "cat"]).tolist() == [[2, 5, 1, 0, 0], [3, 0, 0, 0, 0]]
    assert vectorize([["the dog"]]).tolist() == [[2, 5, 0, 0, 0]] and vectorize("cat").tolist() == [3, 0, 0, 0, 0]
    assert vectorize(["a b c d e f g"]).shape == (1, 5)
    given = layers.TextVectorization(vocabulary=["earth", "wind", "and", "fire"])  # Keras's own example
    assert given.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"]
    assert given(["wind and", "fire"]).tolist() == [[3, 4], [5, 0]]
    again = layers.TextVectorization.from_config(vectorize.get_config())
    assert again(["the dog barked"]).tolist() == [[2, 5, 1, 0, 0]]
    assert layers.TextVectorization(vocabulary=["a"], ragged=True)(["a b a", "b"]).tolist() == [[2, 1, 2], [1]]


def test_standardizing_splitting_and_runs_of_words():
    words = lambda *texts, **more: layers.TextVectorization(vocabulary=["x"], **more).words(list(texts))
    assert words("Don't STOP,\tnow ") == [["dont", "stop", "now"]]
    assert words("A-b C", standardize="lower") == [["a-b", "c"]] and words("A-b", standardize="strip_punctuation") == [
        ["Ab"]
    ]
    assert words("A b", standardize=None) == [["A", "b"]] and words("Ab", split="character") == [["a", "b"]]
    assert words("a b", split=None) == [["a b"]]
    assert words("a b c", ngrams=2) == [["a", "b", "c", "a b", "b c"]] and words("a b c", ngrams=(2,)) == [
        ["a b", "b c"]
    ]
    assert words("a b", standardize=lambda t: np.array([s + "!" for s in t], object)) == [["a", "b!"]]
    assert words("a|b", standardize=None, split=lambda t: [s.split("|") for s in t]) == [["a", "b"]]


def test_texts_as_rows():
    counts = layers.TextVectorization(output_mode="count", vocabulary=["a", "b"])
    assert counts(["a a c", "b"]).tolist() == [[1, 2, 0], [0, 0, 1]]
    hot = layers.TextVectorization(output_mode="multi_hot", max_tokens=5, pad_to_max_tokens=True, vocabulary=["a", "b"])
    assert hot(["a a", ""]).tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    weights = layers.TextVectorization(output_mode="tf-idf")
    weights.adapt(["a a", "a b"])
    due = {"a": math.log(1 + 2 / 3), "b": math.log(1 + 2 / 2)}
    close(weights(["a a b"]), [[0, 2 * due["a"], due["b"]]], 2 * ELEMENTARY + 4)
    model = models.Sequential([Input((3,)), layers.Dense(1)])
    assert model.predict(counts(["a b"]), verbose=0).shape == (1, 1)


def test_empty_words_are_no_words():
    """Whole texts as words: an empty one is neither learned nor counted, whatever the output mode."""
    for mode in ("int", "count", "multi_hot", "tf_idf"):
        layer = layers.TextVectorization(split=None, output_mode=mode)
        layer.adapt(["", "a", "", "b"])
        assert [w for w in layer.get_vocabulary() if w not in ("", "[UNK]")] == ["b", "a"]
    counts = layers.TextVectorization(split=None, output_mode="count", vocabulary=["a"])
    assert counts([[""], ["a"], ["b"]]).tolist() == [[0, 0], [0, 1], [1, 0]]


def test_one_text_that_is_not_split():
    layer = layers.TextVectorization(split=None, vocabulary=["a b"])
    assert np.asarray(layer(np.array("A b!", object))).tolist() == [2]
    assert np.asarray(layer("A b!")).tolist() == [2]


def test_a_batch_without_a_second_axis_is_one_document():
    """Rows of an array are documents, of one token each where there is one axis; a batch of a data set is one document then."""
    tokens = np.array([1, 1, 2])
    rows, batches = (layers.IntegerLookup(output_mode="tf_idf") for _ in range(2))
    rows.adapt(tokens)
    batches.adapt(iter([tokens[:2], tokens[2:]]))
    weights = {1: math.log(1 + 3 / 3), 2: math.log(1 + 3 / 2)}
    close(rows(np.array([[1, 2]])), [[0, weights[1], weights[2]]], 2 * ELEMENTARY + 4)
    close(batches(np.array([[1, 2]])), [[0, math.log(2), math.log(2)]], 2 * ELEMENTARY + 4)


def test_mistakes_with_texts():
    for arguments, words in (
        ({"standardize": "upper"}, "standardize"),
        ({"split": "words"}, "split"),
        ({"ngrams": 0}, "ngrams"),
        ({"output_mode": "one_hot"}, "output_mode"),
        ({"output_mode": "count", "output_sequence_length": 3}, "go with output_mode='int'"),
        ({"output_sequence_length": 0}, "at least 1"),
        ({"ragged": True, "output_sequence_length": 3}, "ragged"),
        ({"sparse": True}, "sparse"),
    ):
        with pytest.raises(ArgumentError, match=words):
            layers.TextVectorization(**arguments)
    with pytest.raises(ArgumentError, match="no vocabulary yet"):
        layers.TextVectorization()(["a"])
    with pytest.raises(ShapeError, match="texts \\(batch,\\)"):
        layers.TextVectorization(vocabulary=["a"])([["a", "b"]])
    with pytest.raises(DtypeError, match="takes strings"):
        layers.TextVectorization(vocabulary=["a"])(np.zeros(3))
    with pytest.raises(ShapeError, match="standardize gave"):
        layers.TextVectorization(vocabulary=["a"], standardize=lambda t: t[:1])(["a", "b"])


@pytest.mark.parametrize("kind", [layers.StringLookup, layers.IntegerLookup, layers.TextVectorization])
def test_a_config_of_keras_says_how_large_the_vocabulary_is(kind):
    layer = kind(vocabulary=[3, 5] if kind is layers.IntegerLookup else ["a", "b"])
    again = kind.from_config({**layer.get_config(), "vocabulary_size": layer.vocabulary_size()})
    assert again.get_vocabulary() == layer.get_vocabulary()


def test_a_config_of_keras_says_how_unknown_strings_are_hashed_though_one_way_is_left():
    """Keras 3.15 writes oov_method for strings too, and then hashes them by FarmHash whatever it says."""
    layer = layers.StringLookup(vocabulary=["a"], num_oov_indices=3)
    again = layers.StringLookup.from_config({**layer.get_config(), "oov_method": "floormod"})
    assert again(["a", "b", "c", "d"]).tolist() == layer(["a", "b", "c", "d"]).tolist()
