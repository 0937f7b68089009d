"""What a new user types by mistake, and what is answered: each message says what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, Variable, callbacks, layers, ops, regularizers, use_engine, utils
from refnet.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    EngineError,
    MissingArgumentError,
    PlaceError,
    RefnetError,
    ShapeError,
)
from refnet.utils import FeatureSpace

X = np.zeros((8, 4), "float32")
IMAGES = np.zeros((8, 6, 6), "float32")
LABELS = np.arange(8) % 3


def classifier() -> Any:
    model = Sequential([Input((4,), name="start"), layers.Dense(3, "softmax", name="last")], name="net")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def convolutional() -> Any:
    model = Sequential([Input((6, 6, 1)), layers.Conv2D(4, 3), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def with_words() -> Any:
    model = Sequential([Input((3,)), layers.Embedding(10, 2, name="words"), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class WithoutSuper(Model):
    def __init__(self) -> None:
        self.dense = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


WORDS = np.array([["a", "b"]])


class Forgetful(Model):
    def call(self, inputs: Any) -> Any:
        ops.exp(inputs)


MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: layers.Conv2D(32), MissingArgumentError, "Conv2D needs kernel_size: Conv2D(32, kernel_size=...)."),
    (lambda: layers.Embedding(64), MissingArgumentError, "Embedding needs output_dim: Embedding(64, output_dim=...)."),
    (lambda: layers.LSTM(), MissingArgumentError, "LSTM needs units: LSTM(units=...)."),
    (
        lambda: layers.Flatten(1, 2, 3),
        MissingArgumentError,
        "Flatten: too many positional arguments. Its arguments: data_format.",
    ),
    (
        lambda: layers.Dense(3, activatoin="relu"),
        ArgumentError,
        "Dense has no argument 'activatoin'. Did you mean 'activation'?",
    ),
    (
        lambda: with_words().fit(np.full((4, 3), 12), np.ones((4, 1)), verbose=0),
        DataError,
        "words: take: indices must lie in -10..9; the one at [0, 0] is 12. Embedding(input_dim=10) has rows for 0..9: numbers up "
        "to 12 need input_dim=13, or a smaller vocabulary.",
    ),
    (
        lambda: layers.Conv2D(4, 3, name="conv")(IMAGES),
        ShapeError,
        "conv expects inputs of 4 axes (batch, rows, columns, channels), got shape (None, 6, 6). One channel (grey images, a single "
        "series) is an axis of length 1: x[..., None], and Input((6, 6, 1)).",
    ),
    (lambda: layers.Conv1D(4, 3)(X), ShapeError, "x[..., None], and Input((4, 1))."),
    (lambda: Sequential([layers.Dense]), ArgumentError, "Dense is a class: call it, Dense(...)."),
    (
        lambda: (lambda start: Model(layers.Dense(1)(start), start))(Input((3,))),
        ArgumentError,
        "Model takes the inputs first, then the outputs: Model(inputs, outputs).",
    ),
    (
        lambda: convolutional().fit(IMAGES[..., None], LABELS, verbose=0),
        ShapeError,
        "got y of shape (8,). The output has a row for each place or step: a Flatten or global pooling layer before the last Dense, or ",
    ),
    (
        lambda: classifier().predict(X[0], verbose=0),
        ShapeError,
        "predict: last (in net) expects inputs of shape (None, 4), got x of shape (4,). One sample is a batch of one: x[None].",
    ),
    (
        lambda: classifier()([1, 2, 3, 4]),
        ShapeError,
        "last (in net) expects inputs of shape (None, 4), got shape (None,). Inputs begin with the axis of the batch: one sample is "
        "x[None].",
    ),
    (
        lambda: Sequential([layers.Dense(1)]).compile(optimiser="adam"),
        ArgumentError,
        "compile has no argument 'optimiser'. Did you mean 'optimizer'?",
    ),
    (
        lambda: np.exp(Input((3,))),
        DtypeError,
        "np.exp computes with arrays; a symbolic tensor (shape (None, 3)) has no values yet. Use ops.exp.",
    ),
    (
        lambda: Forgetful(name="mine")(X),
        ArgumentError,
        "mine: `call` of Forgetful returned None; it has to return its outputs.",
    ),
    (
        lambda: utils.pad_sequences([["a", "b"], ["c"]]),
        DtypeError,
        "pad_sequences: sequences[0] holds 'a', which is no int32. Number words first (TextVectorization, StringLookup), or give "
        "dtype=object.",
    ),
    (lambda: layers.Dense(3, kernel_regularizer=0.01), ArgumentError, "say which one takes it, regularizers.L2(0.01)."),
    (
        lambda: classifier().fit(LABELS, X, verbose=0),
        ShapeError,
        "expects inputs of shape (None, 4), got x of shape (8,).",
    ),
    (lambda: classifier().fit(X, LABELS + 1, verbose=0), DataError, "whole numbers in 0..2 for 3 classes; y[2] is 3."),
    (
        lambda: classifier().fit(X, LABELS, epochs=2.5),
        ArgumentError,
        "epochs must be an integer of at least 0; got 2.5.",
    ),
    (lambda: classifier().fit(X, LABELS, validation_data=X), ArgumentError, "validation_data is (x, y)"),
    (
        lambda: classifier().fit(X, np.array(["a", "b"] * 4)),
        DtypeError,
        "y must hold numbers; got an array of dtype <U1.",
    ),
    (lambda: use_engine(None), EngineError, "an engine is named by a string, such as 'cpu'; got None."),
    (lambda: classifier().get_layer(index="last"), ArgumentError, "net has 1 layers; there is no layer 'last'."),
    (lambda: classifier().get_layer("dense_9"), ArgumentError, "net has no layer 'dense_9'. Its layers: last."),
    (lambda: layers.Dropout(20), ArgumentError, "rate must be a number from 0 to 1; got 20."),
    (
        lambda: Sequential([Input((6, 4)), layers.LSTM(3), layers.LSTM(3)]),
        ShapeError,
        "A recurrent layer in front of it needs return_sequences=True.",
    ),
    (lambda: layers.MultiHeadAttention(2, 4)(Input((5, 4))), ArgumentError, "layer(query, value); the same tensor"),
    (
        lambda: layers.Dense(2, name="d")(WORDS),
        DtypeError,
        "d is called on arrays of numbers; got an array of dtype <U1. Of class names",
    ),
    (
        lambda: classifier()(np.array([[1, None]], object)),
        DtypeError,
        "net is called on arrays of numbers; got an array of",
    ),
    (lambda: layers.Flatten(name="f")(X.astype("datetime64[s]")), DtypeError, "f is called on arrays of numbers; got"),
    (
        lambda: WithoutSuper().compile("sgd"),
        ArgumentError,
        "WithoutSuper.__init__ has to call super().__init__() first.",
    ),
    (lambda: WithoutSuper().summary(), ArgumentError, "WithoutSuper.__init__ has to call super().__init__() first."),
    (
        lambda: Sequential([WithoutSuper()]),
        ArgumentError,
        "WithoutSuper.__init__ has to call super().__init__() first.",
    ),
    (lambda: layers.StringLookup(name="s").adapt([]), ArgumentError, "s.adapt: the data hold no tokens."),
    (lambda: layers.Discretization(num_bins=2).adapt(WORDS), DtypeError, "adapt: data must hold numbers"),
    (
        lambda: classifier().fit(X, LABELS, callbacks=[callbacks.CSVLogger("/dev/null/log.csv")]),
        PlaceError,
        "/dev/null/log.csv cannot be written",
    ),
    (lambda: callbacks.CSVLogger("log.csv", separator=", "), ArgumentError, "separator is one character; got ', '."),
    (lambda: callbacks.RemoteMonitor("localhost:9000"), ArgumentError, "root begins with http:// or https://; got"),
    (lambda: callbacks.LearningRateScheduler(0.1), ArgumentError, "schedule is a function of the epoch (and the rate)"),
    (
        lambda: FeatureSpace({"n": "float"})({"n": [[1.0], [1.0, 2.0]]}),
        DataError,
        "'n' is a column, whose rows have one",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES)
def test_a_mistake(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, RefnetError) and message in str(caught.value)


def test_a_missing_argument_is_a_type_error_too() -> None:
    for kind in (TypeError, ValueError):
        with pytest.raises(kind, match="Dense needs units"):
            layers.Dense()  # type: ignore[call-arg]


def test_operators_between_arrays_and_tensors_are_ops() -> None:
    x, ones = Input((3,)), np.ones(3, "float32")
    for made in (ones + x, np.float32(2) * x, ones / x, np.ones((2, 3), "float32") @ ops.transpose(x), ones < x):
        assert utils.is_keras_tensor(made)
    model = Model(x, 2 - ones * x % 2)
    np.testing.assert_array_equal(model.predict(np.array([[1.0, 2, 3]]), verbose=0), [[1, 2, 1]])
    assert (ones == x).dtype == "bool" and x in {x: 1}
    assert regularizers.get(0 == 1 or None) is None
    assert not isinstance(Variable(ones) + ones, np.ndarray)
