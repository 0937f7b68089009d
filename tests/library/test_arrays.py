"""Data as users have them: every kind of array and list means the same numbers, and a smaller last batch counts as it should."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import Variable, grad, losses, ops
from refnet.arrays import as_array
from refnet.engine import use_engine
from refnet.errors import DtypeError
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
    "sparse": scipy.sparse.csr_matrix(X.astype("float32")),
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


class ByDlpack:
    """An array of a package that knows DLPack alone."""

    def __init__(self, array: Any):
        self.array = array

    def __dlpack__(self, **more: Any) -> Any:
        return self.array.__dlpack__(**more)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class ByInterface:
    def __init__(self, array: Any):
        self.array, self.__array_interface__ = array, array.__array_interface__


class ByMethod:
    """A table's column, a tensor of another package."""

    def __init__(self, array: Any):
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.array, dtype)


class Unreadable:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("it lives on a device; bring it home first.")


PROTOCOLS = [ByDlpack, ByInterface, ByMethod]


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_arrays_of_other_packages_are_the_same_data(kind: Any) -> None:
    x, y = X.astype("float32"), Y[:, None].astype("float32")
    with use_engine("reference"):
        assert trained(kind(x), kind(y)) == trained(x, y)
        model = net()
        kernel = np.arange(4, dtype="float32")[:, None]
        model.set_weights([kind(kernel), kind(np.ones(1, "float32"))])
        expected = model.predict(x)
        np.testing.assert_array_equal(model(kind(x)), expected)
        np.testing.assert_array_equal(model.layers[-1](kind(x)), expected)
        batches = ((kind(x), kind(y)) for _ in range(1))
        assert model.evaluate(batches, verbose=0) == model.evaluate(x, y, verbose=0)
    np.testing.assert_array_equal(ops.add(kind(x), 1), x + 1)
    np.testing.assert_array_equal(losses.MeanAbsoluteError(reduction=None)(kind(x), kind(x + 1)), np.ones(6))
    variable = Variable(kind(kernel))
    variable.assign(kind(kernel + 1))
    np.testing.assert_array_equal(variable.value, kernel + 1)
    gradient: Any = grad(lambda v: ops.sum(v * v))(kind(kernel))
    np.testing.assert_array_equal(gradient, 2 * kernel)


def test_memory_that_numpy_can_read_is_not_copied() -> None:
    x = X.astype("float32")
    for kind in (ByDlpack, ByInterface):
        assert np.shares_memory(as_array(kind(x)), x)


def test_what_cannot_be_read_is_said_with_the_reason() -> None:
    model = net()
    for call in (lambda: model.predict(Unreadable()), lambda: model(Unreadable()), lambda: ops.exp(Unreadable())):
        with pytest.raises(DtypeError, match=r"cannot be read as a NumPy array: .* bring it home first"):
            call()
    with pytest.raises(DtypeError, match="set_weights: an array cannot be read"):
        model.set_weights([Unreadable(), Unreadable()])


def test_a_variable_hands_out_copies_and_on_request_its_value() -> None:
    variable = Variable(np.arange(3.0, dtype="float32"))
    for copy in (np.asarray(variable), np.from_dlpack(variable), np.array(variable), variable.numpy()):
        assert copy.tolist() == [0, 1, 2]
        assert not np.shares_memory(copy, variable.value)
    for same in (np.asarray(variable, copy=False), np.from_dlpack(variable, copy=False), variable.value):
        assert np.shares_memory(same, variable.array)
        with pytest.raises(ValueError, match="read-only"):
            same[0] = 5
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(variable, "float64", copy=False)
    usual = np.from_dlpack(np.zeros(3)).flags.writeable  # not in NumPy 2.1, which makes all that it takes read-only
    assert np.from_dlpack(variable).flags.writeable == usual
    with pytest.raises(DtypeError, match="no values yet"):
        np.from_dlpack(Input((3,)))
