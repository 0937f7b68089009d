"""Mistakes of somebody who knows Keras: each is refused, or warned of, in words that say what to do; data change nothing."""

import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, callbacks, layers, losses, metrics, ops, utils
from refnet.errors import ArgumentError, DtypeError, MissingArgumentError, ShapeError, UsageError

X = np.linspace(-1, 1, 32).astype("float32").reshape(8, 4)
LABELS = np.arange(8) % 3
YES = np.arange(8) % 2


def classifier(loss: Any = "sparse_categorical_crossentropy", units: int = 3, end: Any = "softmax", **told: Any) -> Any:
    model = Sequential([Input((4,), name="start"), layers.Dense(units, end, name="last")], name="net")
    model.compile("sgd", loss, **told)
    return model


def batches() -> Iterator[Any]:
    yield X, LABELS


class Nothing(utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> None:
        pass


class InCall(layers.Layer):
    """Its `call` is the function that it is given."""

    def __init__(self, function: Any):
        super().__init__(name="own")
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(self, inputs)


class Counting(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs: Any) -> Any:
        self.count += 1
        return inputs


def written_to(layer: Any, x: Any) -> Any:
    x[:, 0] = 0
    return x


class Table:
    """What pandas has: names of columns, and objects where a column holds words."""

    columns = ("a", "b", "c", "d")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        values = X.astype(object)
        values[:, 3] = "red"
        return values


class OfLogits(losses.Loss):
    """A function of what a sigmoid makes of the outputs, held under the name that our losses have for theirs."""

    def __init__(self, fn: Any):
        super().__init__()
        self.fn = fn

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, ops.sigmoid(y_pred))


class YesOrNo(layers.Dense):
    def call(self, inputs: Any) -> Any:
        return ops.sigmoid(super().call(inputs))


class Anything:
    """It has no get_config."""


class WithAnything(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thing": Anything()}


def made_by(package: str) -> Any:
    """An object whose class says that it is of another package."""
    return types.new_class("Adam", (), {}, lambda body: body.update(__module__=f"{package}.src.optimizers"))()


ONE = "takes one tensor; got a {}. layers.Concatenate() makes one of several; of a layer that returns several (return_state=True)"
NO_TENSORS = "In a layer, a loss, a metric or a step, compute with refnet.ops, not with NumPy or another package"
MIXED = "It is of the package keras, which cannot be mixed with refnet: take what has its name in refnet."

MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: layers.Dense(3, name="d")([X, X]), ArgumentError, "d " + ONE.format("list of 2")),
    (
        lambda: Sequential([Input((4, 3)), layers.LSTM(3, return_state=True), layers.Dense(2, name="d")]),
        ArgumentError,
        "d " + ONE.format("tuple of 3"),
    ),
    (
        lambda: layers.Dense(3, name="d")([X]),
        ArgumentError,
        "d takes one tensor; got a list of 1. Take it out of the list: x[0].",
    ),
    (
        lambda: layers.Resizing(2, 2, name="small")({"images": X, "labels": LABELS}),
        ArgumentError,
        "small takes one tensor; got a dict of 2. Take the entry that is meant, of 'images', 'labels'.",
    ),
    (
        lambda: ops.divide(5, -(10**400)),
        ArgumentError,
        "divide: a number of 1329 bits is larger than any float.",
    ),
    (
        lambda: (lambda net: net.add(net))(classifier()),
        ArgumentError,
        "net.add: net holds net; a model cannot stand inside itself.",
    ),
    (lambda: classifier(loss=made_by("keras")), ArgumentError, MIXED),
    (lambda: classifier(metrics=[made_by("keras")]), ArgumentError, MIXED),
    (lambda: Sequential().compile(made_by("keras"), "mse"), ArgumentError, MIXED),
    (lambda: Sequential([made_by("keras")]), ArgumentError, MIXED),
    (lambda: classifier().fit(X, LABELS, callbacks=[made_by("keras")]), ArgumentError, MIXED),
    (lambda: classifier(metrics=["f1"]), ArgumentError, "unknown metric 'f1'. Did you mean 'f1_score' or 'F1Score'?"),
    (
        lambda: classifier(loss=lambda t, p: np.mean(np.asarray(p))).fit(X, LABELS, verbose=0),
        DtypeError,
        "the loss <lambda>: a symbolic tensor (shape (None, 3)) has no values yet. " + NO_TENSORS,
    ),
    (
        lambda: classifier(loss=lambda t, p: np.exp(p)).fit(X, LABELS, verbose=0),
        DtypeError,
        "the loss <lambda>: np.exp computes with arrays; a symbolic tensor (shape (None, 3)) has no values yet. Use ops.exp.",
    ),
    (
        lambda: classifier(metrics=[lambda t, p: 0.0 if p[0, 0] > 1 else 1.0]).fit(X, LABELS, verbose=0),
        DtypeError,
        "the metric lambda: a symbolic tensor (shape ()) has no truth value yet",
    ),
    (lambda: Sequential([Input((4,)), InCall(lambda s, x: np.asarray(x))]), DtypeError, NO_TENSORS),
    (
        lambda: Sequential([Input((4,)), InCall(lambda s, x: x @ s.add_weight(shape=(4, 3)))]),
        ArgumentError,
        "own.add_weight in `call` would make a weight at every call: make weights in __init__ or in build.",
    ),
    (
        lambda: Sequential([Input((4,)), InCall(lambda s, x: x + ops.zeros((x.shape[0], 4)))]),
        ArgumentError,
        "got (None, 4). For an open dimension use ops.shape(x)[i].",
    ),
    (
        lambda: Sequential([Input((4,)), InCall(written_to)]),
        UsageError,
        "own: a tensor (shape (None, 4)) cannot be written to.",
    ),
    (lambda: layers.Layer()(X), NotImplementedError, "Layer has no `call`. Write `def call(self, inputs)`"),
    (
        lambda: classifier().layers[0].kernel.assign(np.zeros((3, 3))),
        ShapeError,
        "last/kernel has shape (4, 3); cannot be assigned a value of shape (3, 3).",
    ),
    (
        lambda: Sequential([Input((4,)), WithAnything(name="odd")]).save("never.keras"),
        ArgumentError,
        "odd: thing in its config: <",
    ),
    (
        lambda: Sequential(
            [Input((4,)), layers.Dense(2, activation=lambda x: x, kernel_regularizer=lambda w: 0.0)]
        ).to_json(),
        ArgumentError,
        "in its config: a lambda cannot be saved",
    ),
    (lambda: Counting()(X), ArgumentError, "Use self.count.assign(...) or self.count.assign_add(...)."),
    (
        lambda: classifier().fit(X, LABELS, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda epoch: None)]),
        ArgumentError,
        "LearningRateScheduler: schedule(0) returned None; it has to return the rate.",
    ),
]

DATA: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (
        lambda net: net.fit((X, LABELS)),
        ArgumentError,
        "got 2 arrays. fit(x, y) takes the targets as its second argument.",
    ),
    (
        lambda net: net.fit([X, LABELS]),
        ArgumentError,
        "got 2 arrays. fit(x, y) takes the targets as its second argument.",
    ),
    (lambda net: net.fit(batches), DtypeError, "Call it: batches()."),
    (lambda net: net.evaluate(batches), DtypeError, "Call it: batches()."),
    (
        lambda net: net.fit(net.layers[0], LABELS),
        DtypeError,
        "fit: x must hold numbers; got <Dense name=last built=True>.",
    ),
    (lambda net: net.fit("train.csv", LABELS), DtypeError, "fit: x must hold numbers; got 'train.csv'."),
    (
        lambda net: net.fit(Nothing()),
        ArgumentError,
        "fit: x (Nothing) gave None in place of a batch; it must give (x, y).",
    ),
    (lambda net: net.fit(iter(zip(X, LABELS))), ShapeError, "a data set that gives single samples is batched first."),
    (
        lambda net: net.fit(X, np.array([0, 1, None, 1, 2, 0, 1, 2], object)),
        DtypeError,
        "got an array of dtype object: the element [2] is None.",
    ),
    (
        lambda net: net.fit(X.astype(object), LABELS),
        DtypeError,
        "numbers all the same: astype('float32') makes floats of them.",
    ),
    (lambda net: net.fit(X + 1j, LABELS), DtypeError, "dtype complex64. Turn it into floats or integers first."),
    (
        lambda net: net.fit(X, LABELS, epoch=3),
        MissingArgumentError,
        "fit has no argument 'epoch'. Did you mean 'epochs'?",
    ),
    (
        lambda net: net.evaluate(X, LABELS, return_dicts=True),
        MissingArgumentError,
        "evaluate has no argument 'return_dicts'. Did you mean 'return_dict'?",
    ),
    (
        lambda net: net.predict(X, batchsize=2),
        MissingArgumentError,
        "predict has no argument 'batchsize'. Did you mean 'batch_size'?",
    ),
    (lambda net: net.predict(inputs=X), MissingArgumentError, "predict has no argument 'inputs'. Known: batch_size,"),
    (lambda net: net.predict(), ArgumentError, "predict: x must be an array with one row per sample; got None."),
]


@pytest.mark.parametrize("call, kind, message", MISTAKES)
def test_a_mistake(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize("call, kind, message", DATA)
def test_data_that_are_refused(call: Callable[[Any], Any], kind: type[Exception], message: str, refuses: Any) -> None:
    model = classifier(metrics=["accuracy"])
    refuses(model, kind, message, lambda: call(model))


@pytest.mark.parametrize("metric", [metrics.Precision(), metrics.AUC(), metrics.F1Score()])
def test_class_numbers_for_a_metric_of_rows(metric: Any, refuses: Any) -> None:
    model = classifier(metrics=[metric])
    for message in (f"{metric.name} needs ", "Of class numbers, utils.to_categorical makes rows."):
        refuses(model, ShapeError, message, lambda: model.fit(X, LABELS, verbose=0))
    model.compile("sgd", "categorical_crossentropy", metrics=[metric])
    model.fit(X, utils.to_categorical(LABELS), verbose=0)


def test_a_score_of_one_output_takes_a_column() -> None:
    model = classifier("binary_crossentropy", 1, "sigmoid", metrics=[metrics.F1Score(threshold=0.5)])
    with pytest.raises(ShapeError, match=r"needs targets .* y\[:, None\] makes a column of them\.$"):
        model.fit(X, YES, verbose=0)
    assert "f1_score" in model.fit(X, YES[:, None], verbose=0).history


def test_the_column_of_a_table_that_holds_words(refuses: Any) -> None:
    model = classifier()
    refuses(model, DtypeError, "the element [0, 3] is 'red', in the column 'd'.", lambda: model.fit(Table(), LABELS))


@pytest.mark.parametrize(
    "where, call",
    [
        ("in the call of own (InCall)", lambda: Sequential([Input((4,)), InCall(lambda s, x: x.no_such_name)])),
        ("in the loss <lambda>", lambda: classifier(loss=lambda t: t).fit(X, LABELS, verbose=0)),
        ("in the metric lambda", lambda: classifier(metrics=[lambda t, p: t.no_such_name]).fit(X, LABELS, verbose=0)),
    ],
)
def test_errors_of_others_say_in_which_function_they_were_raised(where: str, call: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, AttributeError)) as caught:
        call()
    told = "".join(traceback.format_exception_only(caught.value))
    assert where in told and told.count("its inputs are tensors of refnet. refnet.ops computes with them") == 1


WARNED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: classifier("binary_crossentropy", 1, "softmax").fit(X, YES, verbose=0),
        "training: last ends in a softmax of one class, which is 1 whatever comes. Use activation='sigmoid' for yes and no.",
    ),
    (
        lambda: classifier("binary_crossentropy", 1, None).fit(X, YES, verbose=0),
        "training: binary_crossentropy takes probabilities; last ends in last with activation='linear'. Use activation='sigmoid' there, or a "
        "loss with from_logits=True.",
    ),
    (
        lambda: classifier(end="relu").fit(X, LABELS, verbose=0),
        "takes probabilities; last ends in last with activation='relu'. Use activation='softmax' there",
    ),
    (
        lambda: classifier(losses.SparseCategoricalCrossentropy(from_logits=True)).fit(X, LABELS, verbose=0),
        "training: last ends in a softmax, and sparse_categorical_crossentropy has from_logits=True, which applies one again.",
    ),
    (
        lambda: classifier(lambda t, p: ops.mean(ops.cast(ops.argmax(p, -1), "float32"))).fit(X, LABELS, verbose=0),
        "training: the loss has no gradient with respect to any weight, so nothing will be learned.",
    ),
    (
        lambda: Sequential([Input((4,)), InCall(lambda s, x: layers.Dense(2, name="lost")(x))]),
        "own: its call uses lost, which is no attribute of own. Unless another layer of the model holds lost, its weights are neither "
        "trained nor saved.",
    ),
    (lambda: calling(True), "own: its call uses features, which is no attribute of own."),
    (
        lambda: classifier("binary_crossentropy", 1, None).train_on_batch(X, YES),
        "training: binary_crossentropy takes probabilities; last ends in last",
    ),
]


@pytest.mark.parametrize("call, message", WARNED)
def test_what_is_warned_of(call: Callable[[], Any], message: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert [message in str(w.message) for w in caught] == [True]
    assert caught[0].filename == __file__  # the user's line


def calling(trainable: bool) -> Any:
    """A layer whose call uses a model that it holds in no attribute."""
    features = Sequential([Input((4,)), layers.Dense(2)], name="features")
    features.trainable = trainable
    return Sequential([Input((4,)), InCall(lambda s, x: features(x))])


class Grouping(layers.Layer):
    """Its layers are attributes; what it calls is a model that it makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [layers.Dense(4), layers.Dense(2)]

    def call(self, inputs: Any) -> Any:
        return Sequential(self.parts)(inputs)


class Holding(Model):
    """Layers in attributes, lists and dicts, some inside others."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [layers.Dense(4), layers.Bidirectional(layers.GRU(2))]
        self.named = {"end": Sequential([layers.Dense(1, "sigmoid")])}

    def call(self, inputs: Any) -> Any:
        return self.named["end"](self.parts[1](self.parts[0](inputs)[:, None]))


@pytest.mark.parametrize(
    "call",
    [
        lambda: classifier("binary_crossentropy", 1, "sigmoid").fit(X, YES, verbose=0),
        lambda: classifier(losses.BinaryCrossentropy(from_logits=True), 1, None).fit(X, YES, verbose=0),
        lambda: classifier("mse", 3, "relu").fit(X, np.ones((8, 3)), verbose=0),
        lambda: classifier().fit(X, LABELS, verbose=0),
        lambda: classifier(OfLogits(losses.binary_crossentropy), 1, None).fit(X, YES, verbose=0),
        lambda: (lambda net: (net.compile("sgd", "binary_crossentropy"), net.fit(X, YES, verbose=0)))(
            Sequential([Input((4,)), YesOrNo(1)])
        ),
        lambda: (lambda net: (net.compile("sgd", "binary_crossentropy"), net.fit(X, YES, verbose=0)))(Holding()),
        lambda: layers.Dense(2)([[np.float32(1), np.float32(2)]]),
        lambda: calling(False),
        lambda: Grouping()(X),
    ],
)
def test_what_is_right_is_not_warned_of(call: Callable[[], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call()


def test_a_layer_derived_from_one_of_ours_may_take_several_tensors() -> None:
    class Both(layers.Dense):
        def build(self, input_shape: Any) -> None:
            super().build(input_shape[0])

        def call(self, inputs: Any) -> Any:
            return super().call(inputs[0] + inputs[1])

    assert Both(3)([X, X]).shape == (8, 3)
