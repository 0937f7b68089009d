"""Whole numbers reach a model as they were given: where a dtype does not hold them that is told, not wrapped round."""

from typing import Any

import numpy as np
import pytest

from refnet import Model, Sequential, ops
from refnet.engine import use_engine
from refnet.errors import DataError
from refnet.layers import Embedding, Input


def words(dtype: str) -> Sequential:
    return Sequential([Input((2,), dtype=dtype), Embedding(300, 1, embeddings_initializer=lambda shape, dtype: ROWS)])


ROWS = np.arange(300.0, dtype="float32")[:, None]


@pytest.mark.parametrize(
    ("dtype", "number", "shown"),
    [
        ("int32", 2**32 + 3, "4294967299; int32 holds whole numbers in -2147483648..2147483647"),
        ("int32", -(2**31) - 1, "-2147483649; int32 holds whole numbers in -2147483648..2147483647"),
        ("int32", 2.0**31, "2147483648.0; int32 holds whole numbers in -2147483648..2147483647"),
        ("int32", np.nan, "nan; int32 holds whole numbers in -2147483648..2147483647"),
        ("uint8", 258, "258; uint8 holds whole numbers in 0..255"),
        ("uint8", -1, "-1; uint8 holds whole numbers in 0..255"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is nan, the first of 1 values")
def test_inputs_that_their_dtype_does_not_hold(dtype: str, number: Any, shown: str) -> None:
    model = words(dtype)
    model.compile("sgd", "mse")
    x, y = np.array([[1, 2], [3, number]]), np.zeros((2, 2, 1))
    advice = r"An Input\(\.\.\., dtype='int64'\) takes whole numbers up to 9223372036854775807\."
    for method, call in (
        ("fit", lambda: model.fit(x, y, verbose=0)),
        ("fit", lambda: model.fit(iter([(x, y)]), verbose=0)),
        ("predict", lambda: model.predict(x, verbose=0)),
        ("predict_on_batch", lambda: model.predict_on_batch(x)),
        ("function", lambda: model.function()(x)),
    ):
        with pytest.raises(DataError, match=rf"^{method}: x\[1, 1\] is {shown}\. {advice}$"):
            call()
    assert np.array_equal(model.get_weights()[0], ROWS)


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize(
    ("dtype", "number", "shown"),
    [
        ("uint32", 2**32 - 1, "4294967295"),  # which would be -1 in 32 bits, the last row
        ("uint32", 2**31, "2147483648"),
        ("uint64", 2**32 + 3, "4294967299"),
        ("uint64", 2**63, "9223372036854775807"),  # as far as an index can be told
        ("uint64", 2**64 - 1, "9223372036854775807"),
    ],
)
def test_rows_that_no_embedding_has(dtype: str, number: int, shown: str, engine: str) -> None:
    with use_engine(engine):
        model = words(dtype)
        model.compile("sgd", "mse")
        x, y = np.array([[1, 2], [3, number]], dtype), np.zeros((2, 2, 1))
        for call in (model.predict_on_batch, lambda x: model.train_on_batch(x, y)):
            with pytest.raises(DataError, match=rf"indices must lie in -300..299; the one at \[1, 1\] is {shown}\."):
                call(x)
        assert np.array_equal(model.get_weights()[0], ROWS)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "uint32", "int32", "uint8", "float64"])
def test_inputs_that_it_holds(dtype: str) -> None:
    x = np.array([[0, 3], [2, 255]], dtype)
    for wanted in ("int64", "uint64", "uint32", "int32", "uint8"):
        assert np.array_equal(words(wanted).predict(x, verbose=0)[..., 0], x)


def test_fractions_are_cut_off_before_the_range_is_looked_at() -> None:
    """As NumPy casts them: -0.9 is 0, and 255.9, which a resized image may hold, is 255."""
    x = np.array([[-0.9, 255.9]])
    assert words("uint8").predict(x, verbose=0)[..., 0].tolist() == [[0, 255]]
    for number in (-1.0, 256.0):
        with pytest.raises(DataError, match="uint8 holds whole numbers in 0..255"):
            words("uint8").predict(np.array([[1.5, number]]), verbose=0)
    with pytest.raises(DataError, match="int64 holds whole numbers"):
        words("int64").predict(np.array([[1.5, 2.0**63]]), verbose=0)


def test_targets_of_a_step_of_ones_own() -> None:
    class Largest(Model):
        def call(self, x: Any) -> Any:
            return x

        def test_step(self, data: Any) -> Any:
            return {"largest": ops.max(data[1])}

    class Bare(Model):
        def test_step(self, data: Any) -> Any:
            return {"largest": ops.max(data[0])}

    model, bare, x = Largest(), Bare(), np.ones((2, 1))
    model.compile()
    bare.compile()
    for dtype in ("int64", "uint32"):
        y = np.array([[7], [3_000_000_000]], dtype)
        said = r"\[1, 0\] is 3000000000; int32 holds .* as floats"
        with pytest.raises(DataError, match=f"^evaluate: y{said}"):
            model.evaluate(x, y, verbose=0)
        with pytest.raises(DataError, match=f"^evaluate: x{said}"):
            bare.evaluate(y, verbose=0)
        assert model.evaluate(x, y.astype("float64"), verbose=0) == 3e9  # 2**9 * 5859375: float32 has it
        assert model.evaluate(x, y[:1].repeat(2, 0), verbose=0) == 7


@pytest.mark.parametrize("first", ["bool", "uint8", "int32"])
def test_a_subclass_takes_each_integer_dtype_as_it_is(first: str) -> None:
    class Itself(Model):
        def call(self, x: Any) -> Any:
            return x * 1

    model = Itself()
    model.predict(np.array([[1]], first), verbose=0)
    for number in (300, 2**40):
        assert model.predict(np.array([[number]]), verbose=0).tolist() == [[number]]
