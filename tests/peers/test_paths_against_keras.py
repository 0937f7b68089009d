"""Paths of layers and weights are Keras's, wherever a layer is built."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import refnet

pytestmark = pytest.mark.peers
X = np.ones((2, 3), "float32")


def classes(lib: Any) -> Any:
    """Layers with layers inside, of one library."""
    layers = lib.layers

    class Block(layers.Layer):
        def __init__(self, by_build: bool, **more: Any):
            super().__init__(**more)
            self.by_build, self.hidden, self.more = (
                by_build,
                layers.Dense(2, name="hidden"),
                [layers.Dense(2, name="m")],
            )
            self.early = self.add_weight(shape=(2,), name="early")

        def build(self, input_shape: Any) -> None:
            self.late = self.add_weight(shape=(2,), name="late")
            if self.by_build:
                self.hidden.build(input_shape)
                self.more[0].build((None, 2))
            self.built = True

        def call(self, inputs: Any) -> Any:
            return self.more[0](self.hidden(inputs)) + self.late + self.early

    class Net(lib.Model):
        def __init__(self, **more: Any):
            super().__init__(**more)
            self.a, self.b = Block(True, name="a"), Block(False, name="b")
            self.stack = lib.Sequential([layers.Dense(2, name="s")], name="stack")
            start = layers.Input((3,))
            self.drawn = lib.Model(start, layers.Dense(2, name="d")(start), name="drawn")

        def call(self, inputs: Any) -> Any:
            return self.a(inputs) + self.b(inputs) + self.stack(inputs) + self.drawn(inputs)

    class Holder(layers.Layer):
        def __init__(self, held: Any, **more: Any):
            super().__init__(**more)
            self.held = held

        def call(self, inputs: Any) -> Any:
            return self.held(inputs)

    return SimpleNamespace(Block=Block, Net=Net, Holder=Holder)


def late(lib: Any, own: Any) -> Any:
    model = lib.Sequential([own.Block(True, name="b"), lib.layers.Dense(2, name="d")], name="model")
    model(X)
    return model


def stacks(lib: Any, own: Any) -> Any:
    layers = lib.layers
    begun = lib.Sequential([layers.Input((2,)), layers.Dense(2, name="d")], name="begun")
    inner = lib.Sequential([own.Block(False, name="b")], name="inner")
    return lib.Sequential([layers.Input((3,)), inner, begun], name="outer")


def subclass(lib: Any, own: Any) -> Any:
    model = own.Net(name="net")
    model(X)
    return model


def subclass_inside(lib: Any, own: Any) -> Any:
    return lib.Sequential([lib.layers.Input((3,)), own.Net(name="net")], name="model")


def shared(lib: Any, own: Any) -> Any:
    held = lib.layers.Dense(3, name="held")
    return lib.Sequential(
        [lib.layers.Input((3,)), own.Holder(held, name="x"), own.Holder(held, name="y"), held], name="model"
    )


def drawn(lib: Any, own: Any) -> Any:
    layers, steps = lib.layers, lib.layers.Input((4, 3))
    y = layers.TimeDistributed(layers.Dense(2, name="d"), name="each")(steps)
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="ls"), name="both")(y)
    cells = layers.StackedRNNCells([layers.LSTMCell(2, name="c"), layers.GRUCell(2, name="g")], name="cells")
    y = layers.RNN(cells, return_sequences=True, name="rnn")(y)
    y = layers.MultiHeadAttention(2, 2, name="heads")(y, y)
    y = layers.SpectralNormalization(layers.Conv1D(2, 2, name="conv"), name="norm")(y)
    return lib.Model(steps, layers.BatchNormalization(name="bn")(y), name="model")


@pytest.mark.parametrize("make", [late, stacks, subclass, subclass_inside, shared, drawn], ids=lambda f: f.__name__)
def test_paths(keras: Any, make: Callable[[Any, Any], Any]) -> None:
    ours, theirs = make(refnet, classes(refnet)), make(keras, classes(keras))
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [x.path for x in ours.layers if x.weights] == [x.path for x in theirs.layers if x.weights]
    assert ours.path == theirs.path
