"""What Keras shows and gives for programs of the second and third edition of the book."""

from typing import Any

import numpy as np
import pytest

import refnet

pytestmark = pytest.mark.peers
X = np.arange(12, dtype="float32").reshape(4, 3) / 8
Y = [np.ones((4, 1), "float32"), np.eye(2, dtype="float32")[[0, 1, 1, 0]]]


def two_heads(lib: Any) -> Any:
    """A subclass whose outputs have no names."""

    class Heads(lib.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = lib.layers.Dense(1, "sigmoid"), lib.layers.Dense(2, "softmax")

        def call(self, inputs: Any) -> Any:
            return self.first(inputs), self.second(inputs)

    model = Heads()
    model(X)
    model.set_weights([np.linspace(-1, 1, w.size, dtype="float32").reshape(w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("loss", "metrics"),
    [
        (["mse", "categorical_crossentropy"], [["mean_absolute_error"], ["accuracy"]]),
        (["mse", "categorical_crossentropy"], None),
        (["binary_crossentropy", None], [["accuracy", "mae"], ["mean_squared_error"]]),
        (["mse", "mae"], [None, ["accuracy"]]),
    ],
)
def test_logs_of_outputs_without_names(loss: Any, metrics: Any) -> None:
    keras = pytest.importorskip("keras")
    shown = []
    for lib in (refnet, keras):
        model = two_heads(lib)
        model.compile("sgd", loss=loss, metrics=metrics)
        history = model.fit(X, Y, epochs=1, batch_size=4, verbose=0).history
        found = model.evaluate(X, Y, verbose=0, return_dict=True)
        order = [min(found, key=lambda name: abs(found[name] - value)) for value in model.evaluate(X, Y, verbose=0)]
        shown.append((sorted(history), sorted(found), order))
        assert len({round(value, 4) for value in found.values()}) == len(found)  # so that `order` says which is which
    assert shown[0] == shown[1]
