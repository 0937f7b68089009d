"""What is traced once and kept serves only calls of the same kind: the arguments' types, values and order, and the layers as they are."""

import gc
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from refnet import config, jit, layers, ops
from refnet.graph import trace
from refnet.keeping import Kept
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


class Longest(Model):
    """Its step shows the length of the sequences, and its call takes any."""

    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight((), "ones", name="factor")

    def call(self, x: Any) -> Any:
        return ops.sum(x, axis=1, keepdims=True) * self.factor

    def test_step(self, data: Any) -> Any:
        x, y = data
        return {"length": ops.cast(ops.shape(x)[1], "float32") + 0 * ops.sum(self(x) - y)}


@pytest.mark.parametrize("own", [False, True])
def test_a_model_keeps_so_many_programs_whatever_shapes_come(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kept, "most", 3)
    x = layers.Input((None,))
    model = Longest() if own else Model(x, ops.sum(x, axis=1, keepdims=True))
    model.compile("sgd", "mse")
    function = model.function()
    for length in [1, 2, 3, 4, 5, 6, 1, 6]:
        given, due = np.ones((2, length), "float32"), np.full((2, 1), length, "float32")
        np.testing.assert_array_equal(model.predict_on_batch(given), due)
        np.testing.assert_array_equal(function(given), due)
        shown = model.evaluate(given, due, verbose=0, return_dict=True)
        assert shown == ({"length": length} if own else {"loss": 0.0})
    gc.collect()
    kept = (model._steps, model._executables, model._lean, model._traced, model._traced_steps)
    assert [len(store) for store in kept] == (
        [3, 3, 3, 3, 2] if own else [3, 3, 3, 0, 0]
    )  # of its own are the steps of evaluate
    assert len(model._logs) == len(model._structures) == len(model._traced_steps)


def test_another_floatx_is_another_kind() -> None:
    class Half(Layer):
        def call(self, x: Any) -> Any:
            return ops.ones((1,)) / 2 + ops.cast(x, config.floatx())

    class Cast(Model):
        def call(self, x: Any) -> Any:
            return ops.cast(x, config.floatx())

    layer, n, predict = Half(dtype="int32"), np.array([1]), Cast().function()
    function = jit(lambda n: ops.ones((1,)) + ops.cast(n, config.floatx()))
    try:
        for name in ("float32", "float64", "float32"):
            config.set_floatx(name)
            for y in (layer(n), function(n), layer.stateless_call([], [], n)[0], predict(n[None])):
                assert y.dtype == name
    finally:
        config.set_floatx("float32")
