"""Data as users have them: every kind of array and list means the same numbers, and a smaller last batch counts as it should."""

from typing import Any

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet.engine import use_engine
from refnet.initializers import Constant
from refnet.layers import Dense, Input
from refnet.models import Sequential

X = np.array([[0, 1, 2, 0], [2, 2, 1, 0], [1, 0, 0, 1], [1, 1, 2, 2], [0, 2, 0, 1], [2, 0, 1, 1]])
Y = np.array([0, 1, 1, 0, 1, 0])
FORMS: dict[str, Any] = {
    "float64": X.astype("float64"),
    "float16": X.astype("float16"),
    "uint8": X.astype("uint8"),
    "int64": X,
    "big-endian": X.astype(">f8"),
    "list": X.tolist(),
    "tuple": tuple(map(tuple, X.tolist())),
    "column by column": np.asfortranarray(X.astype("float32")),
    "every second row": np.repeat(X, 2, 0)[::2].astype("float32"),
    "backwards": X[::-1].astype("float32")[::-1],
}


def net(activation: str = "sigmoid", loss: str = "binary_crossentropy") -> Sequential:
    model = Sequential([Input((4,)), Dense(1, activation, kernel_initializer=Constant(1.0))])
    model.compile("adam", loss, metrics=["mae"])
    return model


def trained(x: Any, y: Any) -> list[Any]:
    model = net()
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, validation_data=(x, y), verbose=0).history
    return [history, model.evaluate(x, y, batch_size=4, verbose=0), model.predict(x, batch_size=4).tolist()]


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_x_is_the_same_data(form: str) -> None:
    with use_engine("cpu"):
        assert trained(FORMS[form], Y) == trained(X.astype("float32"), Y)


@pytest.mark.parametrize("y", [Y.astype(bool), Y.tolist(), Y[:, None].astype("float64"), Y.astype("uint8")], ids=str)
def test_every_kind_of_y_is_the_same_data(y: Any) -> None:
    with use_engine("cpu"):
        assert trained(X, y) == trained(X, Y)


def test_booleans_are_zeros_and_ones() -> None:
    with use_engine("cpu"):
        assert trained(X > 1, Y) == trained((X > 1).astype("float32"), Y)


@pytest.mark.parametrize("engine", ["reference", "derived", "cpu"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_smaller_last_batch_counts_its_samples(engine: str, batch_size: int) -> None:
    """Whole numbers and batches of 1, 2, 4: only the last division, by 6, can round."""
    errors = X.sum(1) - Y
    with use_engine(engine):
        model = net("linear", "mse")
        loss, mae = model.evaluate(X, Y, batch_size=batch_size, verbose=0)
        assert (loss, mae) == (np.float32(np.mean(errors**2)), np.float32(np.mean(np.abs(errors))))
        assert model.predict(X, batch_size=batch_size).tolist() == X.sum(1, keepdims=True).tolist()
        larger = model.evaluate(X[:4], Y[:4], batch_size=100, verbose=0)
        assert larger == [np.mean(errors[:4] ** 2), np.mean(np.abs(errors[:4]))]
