"""`model.function()`: predictions as a plain function of arrays."""

import numpy as np
import pytest

import refnet
from refnet import layers
from refnet.errors import ArgumentError, ShapeError
from refnet.models import lean


def perceptron() -> refnet.Sequential:
    return refnet.Sequential([refnet.Input((3,)), layers.Dense(2, kernel_initializer="ones")])


def test_it_answers_as_predict_does_for_any_batch() -> None:
    model = perceptron()
    function = model.function()
    for size in (1, 4, 1):
        x = np.arange(3.0 * size, dtype="float32").reshape(size, 3)
        assert np.array_equal(function(x), model.predict(x, verbose=0))
    y = function(x)
    y += 1  # belongs to the caller
    assert np.array_equal(function(x), model.predict(x, verbose=0))


def test_what_is_quick_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    function, looks = perceptron().function(), []
    checked = lean.ModelFunction._checked
    monkeypatch.setattr(lean.ModelFunction, "_checked", lambda self, arrays: looks.append(1) or checked(self, arrays))
    for x in (np.ones((1, 3), "float32"), np.ones((2, 3), "float32"), np.ones((1, 3)), [[1, 1, 1]]):
        assert function(x).tolist() == [[3.0, 3.0]] * len(x)
    assert len(looks) == 3  # the first, and both that must be converted


def test_it_follows_weights_layers_and_compile() -> None:
    model, x = perceptron(), np.ones((1, 3), "float32")
    function = model.function()
    function(x)
    model.set_weights([np.full((3, 2), 2.0), np.zeros(2)])
    assert function(x).tolist() == [[6.0, 6.0]]
    model.add(layers.Dense(1, kernel_initializer="ones"))
    assert function(x).tolist() == [[12.0]]
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((1, 1)), verbose=0)
    assert np.array_equal(function(x), model.predict(x, verbose=0))


def test_it_follows_a_layer_that_is_changed() -> None:
    model, x = perceptron(), np.full((1, 3), -1.0, "float32")
    inner = refnet.Sequential([refnet.Input((3,)), model])
    functions = [model.function(), inner.function()]
    for activation, expected in ((None, -3.0), ("relu", 0.0), (None, -3.0), (None, -3.0)):
        model.layers[0].activation = refnet.activations.get(activation)
        for function in functions:
            assert function(x).tolist() == [[expected, expected]]


def test_several_inputs_and_outputs() -> None:
    a, b = refnet.Input((2,)), refnet.Input((2,))
    model = refnet.Model([a, b], {"sum": layers.Add()([a, b]), "product": layers.Multiply()([a, b])})
    function = model.function()
    for _ in range(2):
        got = function(np.full((1, 2), 3.0, "float32"), np.full((1, 2), 4.0, "float32"))
        assert got["sum"].tolist() == [[7.0, 7.0]] and got["product"].tolist() == [[12.0, 12.0]]
    with pytest.raises(ShapeError, match="function: .* has 3 samples .* must have the same number"):
        function(np.ones((3, 2), "float32"), np.ones((1, 2), "float32"))


def test_what_it_refuses() -> None:
    function = perceptron().function()
    for _ in range(2):
        with pytest.raises(ShapeError, match=r"function: dense\S* \(in \S+\) expects inputs of shape \(None, 3\)"):
            function(np.ones((1, 4), "float32"))
        with pytest.raises(ArgumentError, match=r"^function: \S+ has 1 inputs \(.*\); got 2 arrays\.$"):
            function(np.ones((1, 3), "float32"), np.ones((1, 3), "float32"))
        with pytest.raises(ArgumentError, match=r"^function: \S+ needs an array for each of its inputs; got none\.$"):
            function()
        with pytest.raises(ArgumentError, match=r"^function: x holds no samples \(shape \(0, 3\)\)\.$"):
            function(np.ones((0, 3), "float32"))
        with pytest.raises(ShapeError, match=r"^function: x must have one row per sample; got a single number"):
            function(np.float32(1))
        # and shapes of this rank are quick the next time
        assert function(np.ones((1, 3), "float32")).tolist() == [[3.0, 3.0]]
