"""Layers and models whose building an error or Ctrl-C breaks off: the next call builds them as if it were the first."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refnet import initializers
from refnet.layers import Dense, Layer
from refnet.models import Model, Sequential, steps

X = np.ones((4, 3), "float32")


class Once(initializers.Zeros):
    """Zeros, but at the first time Ctrl-C."""

    def __init__(self) -> None:
        super().__init__()
        self.first = True

    def __call__(self, shape: Any, dtype: Any = None, **more: Any) -> Any:
        if self.first:
            self.first = False
            raise KeyboardInterrupt
        return super().__call__(shape, dtype, **more)


class Pair(Layer):
    """Two layers, of which the second fails to be built."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Dense(2), Dense(2, bias_initializer=Once())

    def build(self, input_shape: Any) -> None:
        self.one.build(input_shape)
        self.two.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.one(inputs) + self.two(inputs)


class Subclass(Model):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Dense(2), Dense(2, bias_initializer=Once())

    def call(self, inputs: Any) -> Any:
        return self.two(self.one(inputs))


@pytest.mark.parametrize(
    "make",
    [lambda: Sequential([Dense(2), Dense(2, bias_initializer=Once())]), Pair, Subclass],
    ids=["list", "layer", "class"],
)
@pytest.mark.parametrize("how", [lambda x: x.build((None, 3)), lambda x: x(X)], ids=["build", "call"])
def test_weights_are_made_once(make: Callable[[], Any], how: Callable[[Any], Any]) -> None:
    built = make()
    with pytest.raises(KeyboardInterrupt):
        how(built)
    assert all(len(layer._own_weights) == 2 * layer.built for layer in built._flatten_layers()[1:])
    how(built)
    assert [w.shape for w in built.weights] == [(3, 2), (2,), (built.weights[2].shape[0], 2), (2,)]
    assert built(X).shape == (4, 2)


def test_an_optimizer_keeps_no_states_of_weights_that_went(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Sequential([Dense(2)])
    model.compile("adam", "mse")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(steps, "Program", interrupted)
        model.fit(X, X[:, :2], verbose=0)
    model.fit(X, X[:, :2], verbose=0)
    assert len(model.optimizer.variables) == 2 + 2 * len(model.weights) == 6
