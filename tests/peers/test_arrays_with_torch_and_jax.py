"""PyTorch's and JAX's arrays go in, and what comes out goes into them."""

from typing import Any

import numpy as np
import pytest

from refnet import Input, Sequential, Variable, layers, ops, use_engine
from refnet.errors import DtypeError

pytestmark = pytest.mark.peers

X = np.arange(12, dtype="float32").reshape(3, 4)


@pytest.fixture(autouse=True)
def interpreted() -> Any:
    with use_engine("reference"):
        yield


def kinds() -> list[Any]:
    import jax.numpy
    import torch

    return [torch.tensor, jax.numpy.asarray]


@pytest.mark.parametrize("which", [0, 1], ids=["torch", "jax"])
def test_their_arrays_are_data(which: int) -> None:
    kind = kinds()[which]
    model = Sequential([Input((4,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = kind(X), kind(X[:, :1])
    model.fit(x, y, epochs=1, validation_data=(x, y), sample_weight=kind(np.ones(3, "float32")), verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(X, verbose=0))
    np.testing.assert_array_equal(model(x), model(X))
    np.testing.assert_array_equal(ops.matmul(x, kind(X.T.copy())), ops.matmul(X, X.T))
    model.set_weights([kind(np.ones((4, 1), "float32")), kind(np.zeros(1, "float32"))])
    assert model(X)[0, 0] == 6


def test_ours_are_theirs() -> None:
    import jax.dlpack
    import torch

    variable = Variable(X)
    for taken in (torch.from_dlpack(variable), torch.as_tensor(np.asarray(variable)), jax.dlpack.from_dlpack(variable)):
        np.testing.assert_array_equal(np.asarray(taken), X)
    taken = torch.from_dlpack(variable)
    taken[0, 0] = 99
    assert variable.value[0, 0] == 0  # PyTorch does not heed read-only memory, so it gets a copy
    result = ops.add(X, 1)
    shared = torch.from_dlpack(result)
    shared[0, 0] = 7
    assert result[0, 0] == 7  # a result belongs to whoever called, and is handed over without a copy


def test_tensors_that_numpy_cannot_read() -> None:
    import torch

    with pytest.raises(DtypeError, match=r"predict: x cannot be read as a NumPy array.*detach\(\)"):
        Sequential([Input((4,)), layers.Dense(1)]).predict(torch.tensor(X, requires_grad=True))
    with pytest.raises(DtypeError, match="BFloat16"):
        ops.exp(torch.tensor(X).bfloat16())


def test_a_function_that_jax_traces() -> None:
    import jax

    for traced in (jax.grad(lambda x: ops.sum(ops.square(x))), jax.jit(layers.Rescaling(2.0))):
        with pytest.raises(
            DtypeError, match="JAX or TensorFlow traces cannot call refnet. refnet.grad, value_and_grad"
        ):
            traced(X)


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_loader_of_pytorch(epochs: int) -> None:
    from torch import tensor
    from torch.utils.data import DataLoader, TensorDataset

    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    loader: Any = DataLoader(TensorDataset(tensor(X), tensor(X[:, :1])), batch_size=2)
    assert len(model.fit(loader, epochs=epochs, verbose=0).history["loss"]) == epochs
    assert int(model.optimizer.iterations) == 2 * epochs
