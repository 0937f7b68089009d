"""What is traced once and kept serves only calls of the same kind: the arguments' types, values and order, and the layers as they are."""

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from refnet import layers
from refnet.graph import trace
from refnet.layers import Dense, Layer
from refnet.models import Model

X = np.array([1.0, 2.0], "float32")


class Times(Layer):
    """100 more where k is True; a sign where it is a zero; else k times."""

    def call(self, x: Any, k: Any) -> Any:
        if k is True:
            return x + 100
        return x * k if k else x * math.copysign(1.0, k)


@pytest.mark.parametrize(("first", "second"), [(1, True), (True, 1.0), (2, 2.0), (0.0, -0.0)])
def test_numbers_that_are_equal_are_not_the_same(first: Any, second: Any) -> None:
    for x in (X, X.astype("int32")):
        layer = Times()
        for k in (first, second, first):
            wanted = Times()(x, k)
            for y in (layer(x, k), layer.stateless_call([], [], x, k)[0]):
                assert y.dtype == wanted.dtype and y.tobytes() == wanted.tobytes()


def test_dicts_that_are_read_in_another_order() -> None:
    class Difference(Layer):
        def call(self, d: Any) -> Any:
            return d["a"] - 2 * d["b"]

    layer = Difference()
    for d in (OrderedDict(b=X, a=5 * X), {"b": X, "a": 5 * X}, {"a": 5 * X, "b": X}):
        assert layer(d).tolist() == [3.0, 6.0]


def test_a_call_on_values_follows_a_changed_layer() -> None:
    layer, x = Dense(1, activation="relu", kernel_initializer="ones"), np.full((1, 1), -2.0, "float32")
    assert layer(x).tolist() == [[0.0]]
    values = [v.value for v in layer.trainable_variables]
    assert layer.stateless_call(values, [], x)[0].tolist() == [[0.0]]
    layer.activation = None
    assert layer.stateless_call(values, [], x)[0].tolist() == layer(x).tolist() == [[-2.0]]


class Reading(Model):
    """What it computes depends on how the inputs are put together."""

    def call(self, inputs: Any) -> Any:
        if isinstance(inputs, dict):
            return inputs["a"] - inputs["b"] if "b" in inputs else inputs.get("a", 0) + 10 * inputs.get("c", 0)
        return inputs[0] + inputs[1]


def test_a_models_steps_are_those_of_how_its_inputs_were_given() -> None:
    one, y = np.ones((1, 1), "float32"), np.zeros((1, 1), "float32")
    model, given = Reading(), [[one, one], {"a": one, "b": one}, {"a": one}, {"c": one}]
    model.compile("sgd", "mse")
    for x, expected in [*zip(given, (2.0, 0.0, 1.0, 10.0))] * 2:
        assert model.predict(x, verbose=0).tolist() == model.predict_on_batch(x).tolist() == [[expected]]
        assert model.evaluate(x, y, verbose=0) == expected**2


class Noisy(Model):
    def __init__(self) -> None:
        super().__init__()
        self.drop = layers.Dropout(0.999)

    def call(self, inputs: Any) -> Any:
        return self.drop(inputs)


class NoisyStep(Noisy):
    def predict_step(self, data: Any) -> Any:
        return self(data)


@pytest.mark.parametrize("kind", [Noisy, NoisyStep])
def test_a_models_steps_are_those_of_the_learning_phase(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Keras 2: a phase that is fixed holds from there on. Each of 8 elements stays with a chance of 0.001."""
    model, x = kind(), np.ones((1, 8), "float32")
    function = model.function()
    for fixed, total in ((None, 8.0), (True, 0.0), (False, 8.0), (True, 0.0)):
        monkeypatch.setattr(type(trace), "learning_phase", fixed)
        assert model.predict(x, verbose=0).sum() == model.predict_on_batch(x).sum() == function(x).sum() == total


def test_the_inputs_may_be_given_by_their_name() -> None:
    words = layers.Input((3,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(inputs=words)
    y = layers.LSTM(2, return_sequences=True)(training=False, sequences=x)
    attended = layers.MultiHeadAttention(1, 2)(value=y, query=y)
    model = Model(words, layers.Dropout(0.5)(inputs=layers.Add()(inputs=[y, attended])))
    assert x.mask is y.mask is attended.mask is not None
    ids = np.array([[1, 2, 0]])
    for again in (Model.from_config(model.get_config()), Model(words, model(inputs=words))):
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again(inputs=ids), model(ids))
    np.testing.assert_array_equal(Dense(1, kernel_initializer="ones")(inputs=X[None]), [[3.0]])
