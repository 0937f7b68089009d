"""What programs of the second and third edition of the book write, which those of the first do not."""

from typing import Any

import numpy as np
import pytest

from refnet import Model, Variable, grad, jit, layers, ops, optimizers
from refnet.errors import NoValueError
from refnet.graph import Tensor
from refnet.models import load_model

X = np.arange(8, dtype="float32").reshape(4, 2) - 3


def test_a_loss_begins_as_an_array_of_zeros_and_is_added_to() -> None:
    """As in deep dreams and style transfer: `loss = ops.zeros(shape=())`, then `loss += ...` for each layer."""

    def loss(image: Any) -> Any:
        total = ops.zeros(shape=())
        start = total
        for power in (1, 2):
            total += ops.sum(image**power)
        assert isinstance(start, np.ndarray) and isinstance(total, Tensor) and start == 0
        return total

    np.testing.assert_array_equal(grad(loss)(X), 1 + 2 * X)
    assert jit(loss)(X) == np.sum(X + X**2)


@pytest.mark.parametrize("out", [None, np.ones((4, 2), "float32")])
def test_a_function_that_is_told_where_to_write_is_refused(out: Any) -> None:
    a, t = np.ones((4, 2), "float32"), layers.Input((2,))
    with pytest.raises(NoValueError, match="np.add computes with arrays; a symbolic tensor"):
        np.add(a, t, out=a if out is None else out)


def test_all_operators_that_change_an_array_make_a_tensor_of_it() -> None:
    def changed(t: Any) -> Any:
        a = b = c = d = np.full((4, 2), 6.0, "float32")
        a -= t
        b *= t
        c /= t
        d **= t
        e = np.full((4, 2), 7, "float32")
        e //= t
        f = np.full((4, 2), 7, "float32")
        f %= t
        g = np.full((3, 4), 2, "float32")
        g @= t
        return a, b, c, d, e, f, g

    t = np.abs(X) % 3 + 1
    six, seven = np.float32(6), np.float32(7)
    wanted = six - t, six * t, six / t, six**t, seven // t, seven % t, np.full((3, 4), np.float32(2)) @ t
    for found, value in zip(jit(changed)(t), wanted):
        np.testing.assert_array_equal(found, value)


def test_a_part_of_an_array_takes_no_tensor() -> None:
    def write(t: Any) -> Any:
        a = np.zeros((4, 2), "float32")
        a[:2] += t[:2]
        return a

    with pytest.raises(NoValueError, match="has no values yet"):
        jit(write)(X)


def test_a_variable_added_to_an_array_outside_of_calls_is_added_in_place() -> None:
    total = whole = np.zeros(2, "float32")
    total += Variable(np.ones(2), dtype="float32")
    assert total is whole and whole.tolist() == [1, 1]


class Net(Model):
    def __init__(self, **more: Any):
        super().__init__(**more)
        self.first, self.second = layers.Dense(2, kernel_initializer="ones"), layers.Dense(2, kernel_initializer="ones")

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs))


@pytest.mark.parametrize("how", ["load", "build"])
@pytest.mark.parametrize("method", ["predict", "fit"])
def test_a_subclass_that_was_called_on_arrays_alone_has_an_optimizer_with_states(
    how: str, method: str, tmp_path: Any
) -> None:
    """The states are kept by weights, which are no keys that can be sorted."""
    model = Net()
    model(X)
    model.compile(optimizers.Adam(0.5), "mse")
    if how == "build":
        model.optimizer.build(model.trainable_variables)
    else:
        pytest.importorskip("h5py", reason="files need the extra `files`")
        model.fit(X, X, verbose=0)
        model.save(tmp_path / "net.keras")
        model = load_model(tmp_path / "net.keras", custom_objects={"Net": Net})
    first = np.asarray(model(X))
    if method == "predict":
        np.testing.assert_array_equal(model.predict(X, verbose=0), first)
    else:
        assert model.fit(X, X, verbose=0).history["loss"] == [np.mean((first - X) ** 2)]
        assert model.optimizer.iterations.numpy() == (2 if how == "load" else 1)
