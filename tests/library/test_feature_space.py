"""FeatureSpace: what each kind of column becomes, what is learned, files, models, and mistakes."""

from typing import Any

import numpy as np
import pytest

from refnet import Model, layers, models
from refnet.errors import ArgumentError, DataError, FileError, ShapeError
from refnet.testing import close
from refnet.utils import FeatureSpace

TABLE: dict[str, Any] = {
    "age": [20.0, 40, 30, 22],
    "city": ["Rome", "Oslo", "Rome", "Bern"],
    "n": [1, 2, 2, 5],
    "h": ["x", "y", "z", "x"],
    "g": [3, 4, 5, 6],
    "d": [0.0, 1, 2, 7],
    "f": [1.0, 2, 3, 4],
    "r": [0.0, 1, 2, 3],
}
OTHER: dict[str, Any] = {**TABLE, "city": ["Oslo", "Kiel", "Rome", "Bern"], "n": [5, 9, 8, 1]}


def whole(**more: Any) -> FeatureSpace:
    return FeatureSpace(
        {
            "age": "float_normalized",
            "city": "string_categorical",
            "n": FeatureSpace.integer_categorical(num_oov_indices=2),
            "h": "string_hashed",
            "g": "integer_hashed",
            "d": FeatureSpace.float_discretized(3),
            "f": "float",
            "r": FeatureSpace.float_rescaled(2.0, 1.0),
        },
        **{"crosses": [("city", "n"), ("h", "n")], "crossing_dim": 4, "hashing_dim": 3, **more},
    )


WIDTHS = {"age": 1, "city": 4, "d": 3, "f": 1, "g": 3, "h": 3, "n": 5, "r": 1, "city_X_n": 4, "h_X_n": 4}
CATEGORIES = {  # of the rows of OTHER, after adapt(TABLE): Keras 3.15's, on TensorFlow; nothing else tells hashes and crosses
    "city": [2, 0, 1, 3],
    "d": [0, 1, 2, 2],
    "g": [0, 2, 1, 2],
    "h": [2, 2, 1, 2],
    "n": [3, 1, 0, 4],
    "city_X_n": [0, 3, 1, 2],
    "h_X_n": [0, 0, 1, 3],
}


def test_every_kind_as_keras_gives_it() -> None:
    space = whole(output_mode="dict")
    space.adapt(TABLE)
    found = space(OTHER)
    assert list(found) == ["age", "city", "d", "f", "g", "h", "n", "r", "city_X_n", "h_X_n"]
    assert {name: part.shape[1] for name, part in found.items()} == WIDTHS
    for name, places in CATEGORIES.items():
        assert found[name].sum() == 4 and found[name].argmax(1).tolist() == places, name
    age = np.array(TABLE["age"])
    # Mean (4 terms), its difference, variance (4 squares of such), root, division: 4 + 1 + 4 + 2 * 6 + 2 at most; sizes up to 40 + 28.
    close(found["age"][:, 0], (age - age.mean()) / age.std(), 23, (age + age.mean()) / age.std())
    assert found["f"].tolist() == [[1], [2], [3], [4]] and found["r"].tolist() == [[1], [3], [5], [7]]
    together = whole()
    together.adapt(TABLE)
    np.testing.assert_array_equal(together(OTHER), np.concatenate(list(found.values()), 1))
    first = together({name: column[0] for name, column in OTHER.items()})
    np.testing.assert_array_equal(first, together(OTHER)[0])


def test_a_table_of_pandas_is_its_columns() -> None:
    class Table:
        iloc, columns = None, ("n",)

        def keys(self) -> Any:
            return self.columns

        def __getitem__(self, name: str) -> Any:
            return {"n": [1.0, 3.0]}[name]

    space = FeatureSpace({"n": "float_normalized"})
    space.adapt(Table())
    np.testing.assert_array_equal(space(Table()), [[-1.0], [1.0]])


def test_batches_are_learned_from_together() -> None:
    space, again = whole(), whole()
    space.adapt(TABLE)
    halves = [
        ({name: np.array(column[part]) for name, column in TABLE.items()}, 0) for part in (slice(0, 2), slice(2, 4))
    ]
    again.adapt(iter(halves))
    np.testing.assert_array_equal(again(OTHER), space(OTHER))


def test_categories_as_numbers_and_layers_of_ones_own() -> None:
    kinds = {
        "city": FeatureSpace.string_categorical(output_mode="int"),
        "bins": FeatureSpace.float_discretized(None, [0.15, 0.35]),
        "text": FeatureSpace.feature("string", layers.TextVectorization(output_mode="multi_hot"), "float"),
    }
    space = FeatureSpace(
        kinds, output_mode="dict", crosses=[FeatureSpace.cross(("city", "bins"), 5, output_mode="int")]
    )
    space.adapt({"city": ["a", "b", "a"], "bins": [0, 0, 0], "text": ["one two", "two", "two"]})
    found = space({"city": ["b", "c"], "bins": [0.4, 0.1], "text": ["two", "three one"]})
    assert found["city"].tolist() == [[2], [0]] and found["bins"].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert found["text"].tolist() == [[0, 1, 0], [1, 0, 1]] and found["city_X_bins"].shape == (2, 1)


def test_files(tmp_path: Any) -> None:
    space = whole()
    space.adapt(TABLE)
    path = tmp_path / "space.keras"
    space.save(path)
    again = models.load_model(path)
    np.testing.assert_array_equal(again(OTHER), space(OTHER))
    assert again.get_config() == {**space.get_config()}
    with pytest.raises(ArgumentError, match="it was read with what it had learned"):
        again.adapt(TABLE)
    fresh = FeatureSpace.from_config(whole().get_config())
    fresh.adapt(TABLE)
    np.testing.assert_array_equal(fresh(OTHER), space(OTHER))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FileError):
        models.load_model(path)


def test_models_on_encoded_features() -> None:
    space = whole()
    space.adapt(TABLE)
    encoded = space.get_encoded_features()
    model = Model(encoded, layers.Dense(1)(encoded))
    model.compile("sgd", "mse")
    assert model.fit(space(OTHER), np.zeros((4, 1)), verbose=0).history["loss"][0] > 0
    with pytest.raises(ArgumentError, match="'city' works on strings, tables or hashes"):
        space.get_inputs()


def test_a_model_of_numbers_alone_reads_them_raw() -> None:
    space = FeatureSpace({"a": "float_normalized", "b": FeatureSpace.float_discretized(None, [0.5])})
    table = {"a": [0.0, 2.0], "b": [0.0, 1.0]}
    space.adapt(table)
    model = Model(space.get_inputs(), space.get_encoded_features())
    inputs = {name: np.array(column, "float32")[:, None] for name, column in table.items()}
    assert model.predict(inputs, verbose=0).tolist() == space(table).tolist() == [[-1, 1, 0], [1, 0, 1]]


def hashed(column: Any) -> Any:
    return FeatureSpace({"a": "integer_hashed"})({"a": column})


def test_whole_numbers_up_to_the_ends_of_int64() -> None:
    ends = np.array([-(2**63), 2**63 - 1])
    assert hashed(ends).sum() == 2
    np.testing.assert_array_equal(hashed(ends[1:].astype("uint64")), hashed(ends[1:]))
    np.testing.assert_array_equal(hashed([-(2.0**63)]), hashed(ends[:1]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FeatureSpace({}), ArgumentError, "a dict {name: kind} that is not empty"),
        (
            lambda: FeatureSpace({"a": "flot"}),
            ArgumentError,
            "'flot' is no kind of feature .'a'.. Did you mean 'float'",
        ),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), ArgumentError, "output_mode is 'concat' or 'dict'"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), ArgumentError, "names 'b', which is no feature"),
        (
            lambda: FeatureSpace({"a": "float"}, crosses=["a"], crossing_dim=0),
            ArgumentError,
            "crosses need crossing_dim",
        ),
        (
            lambda: FeatureSpace.string_hashed(3, output_mode="rows"),
            ArgumentError,
            "output_mode is 'int', 'one_hot' or",
        ),
        (lambda: FeatureSpace.feature("bytes", layers.Identity(), "int"), ArgumentError, "dtype is one of float32"),
        (lambda: FeatureSpace.feature("string", len, "int"), ArgumentError, "preprocessor is a layer"),
        (lambda: FeatureSpace.cross(("a", "b"), 3, "float"), ArgumentError, "output_mode is 'int' or 'one_hot'"),
        (lambda: whole()(TABLE), ArgumentError, "has not learned its features yet"),
        (lambda: whole().adapt(np.zeros(3)), ArgumentError, "adapt takes a dict of columns"),
        (lambda: whole().adapt([]), ArgumentError, "no batches to learn from"),
        (lambda: whole().adapt({"age": [1]}), ArgumentError, "the data have no 'city'; they have age"),
        (lambda: FeatureSpace({"a": "float"})([1.0]), ArgumentError, "takes dicts {name: column}"),
        (
            lambda: FeatureSpace(
                {"a": "integer_hashed", "b": "integer_hashed", "a_X_b": "float"}, crosses=[("a", "b")]
            ),
            ArgumentError,
            "called 'a_X_b', as is a feature. Give that feature another name",
        ),
        (
            lambda: FeatureSpace({"a": "integer_hashed", "b": "integer_hashed"}, crosses=[("a", "b"), ("a", "b")]),
            ArgumentError,
            "called 'a_X_b', as is another cross. Leave one of them out",
        ),
        (lambda: hashed([np.inf]), DataError, "feature 'a' holds whole numbers from .* of which inf is none"),
        (lambda: hashed([1.0, -np.inf]), DataError, "of which -inf is none"),
        (lambda: hashed([np.nan]), DataError, "of which nan is none"),
        (lambda: hashed([2.0**63]), DataError, "of which 9.2"),
        (lambda: hashed(np.array([3, 2**64 - 1], "uint64")), DataError, "of which 18446744073709551615 is none"),
        (lambda: FeatureSpace({"a": "float"})({"a": ["x"]}), DataError, "feature 'a' holds numbers"),
        (lambda: FeatureSpace({"a": "integer_hashed"})({"a": [0.5]}), DataError, "feature 'a' holds whole numbers"),
        (
            lambda: FeatureSpace({"a": "float", "b": "float"})({"a": [1, 2], "b": [1]}),
            ShapeError,
            "columns must have one length; got 1, 2",
        ),
        (
            lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(3, output_mode="int")})({"a": [1]}),
            ArgumentError,
            "which cannot stand beside others. Give it output_mode='one_hot'",
        ),
        (
            lambda: FeatureSpace({"a": FeatureSpace.feature("float32", layers.Identity(), "one_hot")})({"a": [1]}),
            ArgumentError,
            "but its layer gives no integers",
        ),
    ],
)
def test_mistakes(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
