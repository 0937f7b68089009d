"""copy.deepcopy, copy.copy and pickle of layers by themselves."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from refnet import Sequential, layers, ops
from refnet.utils import FeatureSpace
from refnet.variables import Variable

COPIES = {"deepcopy": copy.deepcopy, "copy": copy.copy, "pickle": lambda layer: pickle.loads(pickle.dumps(layer))}


class Scaled(layers.Layer):
    """A layer of a user's own, without get_config, with a layer inside that is built when it is called."""

    def __init__(self, units: int, factor: float = 2.0):
        super().__init__()
        self.inner, self.factor = layers.Dense(units), factor

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs) * self.factor


MADE: dict[str, Any] = {
    "dense": lambda: layers.Dense(3, activation="tanh", kernel_regularizer="l2"),
    "batch normalization": layers.BatchNormalization,
    "wrapper": lambda: layers.TimeDistributed(layers.Dense(3)),
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(2)),
    "own": lambda: Scaled(3),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", MADE)
def test_a_copy_computes_the_same_and_has_weights_of_its_own(kind: str, how: str) -> None:
    layer = MADE[kind]()
    x = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 4)
    Sequential([layers.Input((3, 4)), layer])  # it stands in a graph, and a program is kept for it
    y = layer(x)
    again = COPIES[how](layer)
    assert type(again) is type(layer) and again.name == layer.name
    np.testing.assert_array_equal(again(x), y)
    before = layer.get_weights()
    again.set_weights([w + 1 for w in again.get_weights()])
    for own, old in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, old)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_a_layer_that_is_not_built_is_built_by_itself(how: str) -> None:
    layer = layers.Dense(3)
    again = COPIES[how](layer)
    assert again(np.ones((1, 2))).shape == (1, 3) and not layer.built and not layer.weights
    layer(np.ones((1, 5)))
    assert [w.shape for w in again.weights] == [(2, 3), (3,)]


def test_a_copy_of_a_layer_that_was_trained_can_be_trained_again() -> None:
    dense = layers.Dense(1)
    model = Sequential([layers.Input((2,)), dense])
    model.compile("adam", "mse")
    x = np.linspace(-1, 1, 16, dtype="float32").reshape(8, 2)
    model.fit(x, x[:, :1], verbose=0)
    other = Sequential([layers.Input((2,)), copy.deepcopy(dense)])
    np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))
    before = dense.get_weights()
    other.compile("sgd", "mse")
    other.fit(x, x[:, :1], verbose=0)
    np.testing.assert_array_equal(dense.get_weights()[0], before[0])
    assert (other.get_weights()[0] != before[0]).any()


@pytest.mark.parametrize("how", COPIES)
def test_what_layers_have_learned_is_in_the_copy(how: str) -> None:
    words = layers.StringLookup()
    words.adapt(["a", "b", "b"])
    np.testing.assert_array_equal(COPIES[how](words)(["b", "c"]), words(["b", "c"]))
    space = FeatureSpace({"n": "float_normalized"})
    space.adapt({"n": [1.0, 3.0]})
    assert space.get_inputs()  # it holds tensors of a graph now
    np.testing.assert_array_equal(COPIES[how](space)({"n": [5.0]}), [[3.0]])


def test_a_copy_of_a_variable_has_its_value_alone() -> None:
    variable = Variable(np.arange(3.0), name="v")
    again = copy.deepcopy(variable)
    again.assign(ops.multiply(again, 2))
    np.testing.assert_array_equal(variable.value, [0, 1, 2])
    np.testing.assert_array_equal(again.value, [0, 2, 4])
