"""What the first edition of Keras called otherwise."""

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from refnet import layers, metrics, optimizers
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.testing.closeness import close

generator = np.random.default_rng(0)
X = generator.standard_normal((12, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


@pytest.fixture(autouse=True)
def no_noise() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.api("argument `lr`", "optimizers.RMSprop")
@pytest.mark.parametrize("kind", [optimizers.SGD, optimizers.RMSprop, optimizers.Adam])
def test_lr_and_decay(kind: Any) -> None:
    optimizer = kind(lr=0.25, decay=0.5)
    assert float(optimizer.learning_rate) == float(optimizer.lr) == 0.25
    optimizer.lr = 0.125
    assert float(optimizer.learning_rate) == 0.125
    again = kind.from_config(optimizer.get_config())
    assert float(again.lr) == 0.125 and again.decay == 0.5
    assert "decay" not in kind().get_config()
    with pytest.raises(ArgumentError, match="decay must be a number of at least 0"):
        kind(decay=-1)
    with pytest.raises(ArgumentError, match="lrr"):
        kind(lrr=0.1)


@pytest.mark.api("argument `decay`")
def test_decay_shrinks_the_rate_by_the_steps_done() -> None:
    model = Sequential([Input((1,)), Dense(1, use_bias=False)])
    model.set_weights([np.array([[0.0]], "float32")])
    model.compile(optimizers.SGD(lr=0.1, decay=0.5, clipvalue=1.0), "mse")
    ones, far = np.ones((1, 1), "float32"), np.full((1, 1), 100.0, "float32")
    steps = []
    for _ in range(4):
        before = model.get_weights()[0].item()
        model.train_on_batch(ones, far)  # the clipped gradient is -1
        steps.append(model.get_weights()[0].item() - before)
    close(steps, [0.1 / (1 + 0.5 * n) for n in range(4)], 2 * 6, 1)


@pytest.mark.api("History keys (legacy)", "History")
@pytest.mark.parametrize("names", [["accuracy", "mae", "mse"], ["acc", "mean_absolute_error", "mean_squared_error"]])
def test_history_finds_both_names_of_a_metric(names: list[str]) -> None:
    model = Sequential([Dense(3, activation="relu", input_shape=(4,)), Dense(1, activation="sigmoid")])
    model.compile("rmsprop", "binary_crossentropy", metrics=names)
    history = model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y)).history
    assert set(history) == {"loss", "val_loss", *names, *(f"val_{name}" for name in names)}
    for old, new in (("acc", "accuracy"), ("mean_absolute_error", "mae"), ("mean_squared_error", "mse")):
        assert history[old] is history[new] and history["val_" + old] is history["val_" + new]
    assert len(history["acc"]) == 2 and history.get("val_acc") is history["val_accuracy"]
    assert history.get("precision") is None and history.get("precision", 3) == 3
    with pytest.raises(KeyError, match="precision.*the history has .*loss"):
        history["precision"]


@pytest.mark.api("History keys (legacy)", "metrics.binary_accuracy", "fit `nb_epoch`")
def test_a_metric_given_as_a_function_keeps_its_name() -> None:
    model = Sequential([Dense(1, activation="sigmoid", input_dim=4)])
    model.compile(optimizers.RMSprop(lr=0.001), "binary_crossentropy", metrics=[metrics.binary_accuracy])
    history = model.fit(X, Y, nb_epoch=3, verbose=0).history
    assert len(history["binary_accuracy"]) == 3
    with pytest.raises(KeyError):
        history["acc"]  # as in Keras


def test_shapes_on_first_layers_and_positional_input() -> None:
    assert Sequential([Dense(2, input_dim=4)]).input_shape == (None, 4)
    assert Sequential([Dense(2, input_shape=(4,))]).count_params() == 10
    assert Sequential([layers.Flatten(input_shape=(3, 4)), Dense(1)]).output_shape == (None, 1)
    assert Sequential([layers.Embedding(10, 2, input_length=5)]).output_shape == (None, 5, 2)
    assert Sequential([layers.Reshape((2, 2), input_shape=(4,))]).output_shape == (None, 2, 2)
    assert layers.Input((3,)).shape == (None, 3)


def test_np_utils() -> None:
    from refnet.utils.np_utils import to_categorical

    assert to_categorical([0, 2]).tolist() == [[1, 0, 0], [0, 0, 1]]
    program = (
        "import refnet.utils, refnet_fast.utils.np_utils as n; print(n.to_categorical is refnet.utils.to_categorical)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "True\n"
