"""Bad input gets a clear error, before anything changes. Each message is quoted."""

import warnings
from typing import Any

import numpy as np
import pytest

from refnet import Variable, backend, callbacks, optimizers
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.layers import Activation, Dense, Input, Rescaling
from refnet.models import Model, Sequential

X = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4)
LABELS = np.array([0, 1, 2, 0, 1, 2])
ROWS = np.eye(3, dtype="float32")[LABELS]


@pytest.mark.parametrize(
    "method", ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"]
)
def test_a_wrong_feature_count_names_the_layer_and_both_shapes(classifier: Any, refuses: Any, method: str) -> None:
    model = classifier()
    data = (X[:, :3],) if "predict" in method else (X[:, :3], LABELS)
    message = f"{method}: hidden (in net) expects inputs of shape (None, 4), got x of shape (6, 3)."
    refuses(model, ShapeError, message, lambda: getattr(model, method)(*data))


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_a_wrong_rank_names_the_layer_and_both_shapes(classifier: Any, refuses: Any, method: str) -> None:
    model = classifier()
    data = (X.reshape(6, 2, 2),) if method == "predict" else (X.reshape(6, 2, 2), LABELS)
    message = f"{method}: hidden (in net) expects inputs of shape (None, 4), got x of shape (6, 2, 2)."
    refuses(model, ShapeError, message, lambda: getattr(model, method)(*data))


def test_a_model_built_by_its_first_data_says_so_too(classifier: Any, refuses: Any) -> None:
    model = classifier(deferred=True)
    model.fit(X, LABELS, verbose=0)
    message = "predict: hidden (in net) expects inputs of shape (None, 4), got x of shape (6, 3)."
    refuses(model, ShapeError, message, lambda: model.predict(X[:, :3]))


def test_a_layer_called_on_other_features() -> None:
    layer = Dense(2, name="dense_7")
    layer(X)
    with pytest.raises(ShapeError) as caught:
        layer(X[:, :3])
    assert str(caught.value) == (
        "dense_7 expects inputs with 4 features (last axis), got shape (None, 3). "
        "Its kernel was built for 4 in an earlier call; make a new layer for other inputs."
    )
    with pytest.raises(
        ShapeError, match=r"dense_8 expects inputs of at least 2 axes \(batch, features\), got shape \(None,\)."
    ):
        Dense(2, name="dense_8")(np.ones(3, "float32"))


def test_images_that_want_a_reshape_or_a_batch_axis(refuses: Any) -> None:
    model = Sequential([Dense(2, input_shape=(6,))], name="net")
    message = "expects inputs of shape (None, 6), got x of shape (4, 2, 3). x.reshape(4, 6) has it."
    refuses(model, ShapeError, message, lambda: model.predict(np.zeros((4, 2, 3))))
    message = "expects inputs of shape (None, 6), got x of shape (6,). One sample is a batch of one: x[None]."
    refuses(model, ShapeError, message, lambda: model.predict(np.zeros(6)))
    picture = Sequential([Dense(2, input_shape=(4, 3, 1))])
    message = (
        "expects inputs of shape (None, 4, 3, 1), got x of shape (4, 3, 1). One sample is a batch of one: x[None]."
    )
    refuses(picture, ShapeError, message, lambda: picture.predict(np.zeros((4, 3, 1))))


def test_x_and_y_of_different_lengths(classifier: Any, refuses: Any) -> None:
    message = "fit: x has 6 samples (shape (6, 4)), y has 5 (shape (5,)); they must have the same number."
    model = classifier(deferred=True)
    refuses(model, ShapeError, message, lambda: model.fit(X, LABELS[:5]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("sgd", "categorical_crossentropi"),
            "unknown loss 'categorical_crossentropi'. Did you mean 'categorical_crossentropy'",
        ),
        (("adm", "mse"), "unknown optimizer 'adm'. Did you mean 'adam'"),
        (("sgd", "mse", None, ["acuracy"]), "unknown metric 'acuracy'. Did you mean 'accuracy'"),
        (("sgd", ["mse", "mae"]), "compile: loss has 2 entries; the model has 1 outputs (out)."),
        (("sgd", {"ot": "mse"}), "compile: loss names an output 'ot'. Did you mean 'out'?"),
        (("sgd", ["mse"], ["1"]), "compile: loss_weights holds numbers; for out it has '1'."),
        ((3, "mse"), "optimizer: give a name, an object or a function; got 3."),
    ],
)
def test_unknown_names_in_compile(classifier: Any, refuses: Any, arguments: tuple[Any, ...], message: str) -> None:
    model = classifier()
    refuses(model, ArgumentError, message, lambda: model.compile(*arguments))
    model.fit(X, LABELS, verbose=0)  # what was compiled before still holds


def test_unknown_activation_and_initializer() -> None:
    with pytest.raises(ArgumentError, match="unknown activation 'rleu'. Did you mean 'relu'"):
        Dense(3, activation="rleu")
    with pytest.raises(ArgumentError, match="unknown activation 'sofmax'. Did you mean 'softmax'"):
        Activation("sofmax")
    with pytest.raises(ArgumentError, match="unknown initializer 'glorot'. "):
        Dense(3, kernel_initializer="glorot")
    with pytest.raises(ArgumentError, match="unknown regularizer 'l3'. Known: L1, L1L2, L2"):
        Dense(3, kernel_regularizer="l3")
    with pytest.raises(ArgumentError, match="Dense has no argument 'activaton'. Did you mean 'activation'"):
        Dense(3, activaton="relu")
    with pytest.raises(ArgumentError, match="units must be an integer of at least 1; got 0"):
        Dense(0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_training_before_compile(refuses: Any, method: str) -> None:
    model = Sequential([Dense(3)], name="net")
    message = f"net must be compiled before {method}: call model.compile(optimizer=..., loss=..., metrics=[...])."
    refuses(model, ArgumentError, message, lambda: getattr(model, method)(X, LABELS))


def test_strings_and_objects(classifier: Any, refuses: Any) -> None:
    model = classifier(deferred=True)
    message = "fit: x must hold numbers; got an array of dtype <U1. Of class names, "
    message += "np.unique(names, return_inverse=True)[1] makes numbers; of texts, layers.TextVectorization."
    refuses(model, DtypeError, message, lambda: model.fit(np.array([["a", "b"]] * 6), LABELS))
    strange = np.array([[1, None]] * 6, dtype=object)
    refuses(
        model,
        DtypeError,
        "predict: x must hold numbers; got an array of dtype object: the element [0, 1] is None.",
        lambda: model.predict(strange),
    )
    names = np.array(["cat", "dog", "frog"])[LABELS]
    refuses(model, DtypeError, "fit: y must hold numbers; got an array of dtype <U4.", lambda: model.fit(X, names))
    refuses(
        model,
        ShapeError,
        "x must be an array; its rows have different lengths",
        lambda: model.fit([[1.0], [1.0, 2.0]], [0, 1]),
    )
    refuses(
        model,
        ArgumentError,
        "fit: x must be an array with one row per sample; got None.",
        lambda: model.fit(None, LABELS),
    )
    refuses(model, ArgumentError, "fit: the loss needs targets; y is None.", lambda: model.fit(X))


def test_empty_data(classifier: Any, refuses: Any) -> None:
    model = classifier(deferred=True)
    refuses(model, ArgumentError, "fit: x holds no samples (shape (0, 4)).", lambda: model.fit(X[:0], LABELS[:0]))
    refuses(model, ArgumentError, "predict: x holds no samples (shape (0, 4)).", lambda: model.predict(X[:0]))


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_a_batch_size_that_is_none(classifier: Any, refuses: Any, size: Any) -> None:
    model = classifier(deferred=True)
    message = f"batch_size must be an integer of at least 1; got {size!r}."
    refuses(model, ArgumentError, "fit: " + message, lambda: model.fit(X, LABELS, batch_size=size))
    refuses(model, ArgumentError, "evaluate: " + message, lambda: model.evaluate(X, LABELS, batch_size=size))
    refuses(model, ArgumentError, "predict: " + message, lambda: model.predict(X, batch_size=size))


def test_other_arguments_of_fit(classifier: Any, refuses: Any) -> None:
    model = classifier(deferred=True)
    share = "fit: validation_split is a share of the samples, at least 0 and below 1; got 1.5."
    refuses(model, ArgumentError, share, lambda: model.fit(X, LABELS, validation_split=1.5))
    few = "fit: validation_split=0.9 of 6 samples leaves 0 for training and 6 for validation; both need at least one."
    refuses(model, ArgumentError, few, lambda: model.fit(X, LABELS, validation_split=0.9))
    refuses(
        model,
        ArgumentError,
        "fit: epochs must be an integer of at least 0; got -1.",
        lambda: model.fit(X, LABELS, epochs=-1),
    )
    refuses(model, ArgumentError, "verbose is 'auto', 0, 1 or 2; got 3.", lambda: model.fit(X, LABELS, verbose=3))
    refuses(model, ArgumentError, "callbacks are objects of classes", lambda: model.fit(X, LABELS, callbacks=[print]))
    given_as_class = [callbacks.EarlyStopping]
    refuses(model, ArgumentError, "is a class: call it", lambda: model.fit(X, LABELS, callbacks=given_as_class))
    bad = (X, LABELS + 1)
    refuses(model, DataError, "fit (validation): labels must be", lambda: model.fit(X, LABELS, validation_data=bad))
    refuses(
        model,
        ArgumentError,
        "fit: class_weight has the entry {'1': 2.0}; a class and its weight are numbers.",
        lambda: model.fit(X, LABELS, class_weight={0: 1.0, "1": 2.0}),
    )


def test_set_weights_checks_everything_first(classifier: Any, refuses: Any) -> None:
    model = classifier()
    weights = model.get_weights()
    weights[3] = np.zeros(4, "float32")
    weights[0] = weights[0] + 1
    message = "net.set_weights: out/bias has shape (3,); got an array of shape (4,)."
    refuses(model, ShapeError, message, lambda: model.set_weights(weights))
    message = "net.set_weights needs 4 arrays (hidden/kernel (4, 5), hidden/bias (5,), out/kernel (5, 3), out/bias (3,)); got 2."
    refuses(model, ArgumentError, message, lambda: model.set_weights(weights[:2]))


@pytest.mark.parametrize("kind", ["optimizer", "backend"])
def test_whatever_sets_several_variables_checks_them_first(kind: str) -> None:
    optimizer, weight = optimizers.Adam(0.5), Variable(np.zeros(3, "float32"), name="w")
    optimizer.build([weight])
    own = optimizer.variables
    values = [np.full(v.shape, 77, "float32") for v in own]

    def put(arrays: Any) -> None:
        if kind == "optimizer":
            optimizer.set_weights(arrays)
        else:
            backend.batch_set_value(zip(own, arrays))

    with pytest.raises(ShapeError, match=r"adam/w/velocity has shape \(3,\); got an array of shape \(4,\)"):
        put([*values[:-1], np.zeros(4)])
    with pytest.raises(ArgumentError, match="needs numbers; got dtype <U1"):
        put([*values[:-1], np.array(["a", "b", "c"])])
    assert [v.numpy().max() for v in own] == [0, 0.5, 0, 0]
    put(values)
    assert all((v.numpy() == 77).all() for v in own)


def test_the_first_number_that_is_not_finite_is_named_once(classifier: Any) -> None:
    model = classifier("mse")
    x, y = X.copy(), ROWS.copy()
    x[2, 1], x[4, 0], y[1, 1] = np.nan, np.inf, np.nan
    with pytest.warns(UserWarning) as caught:
        model.fit(x, y, verbose=0)
    assert [str(w.message) for w in caught] == [
        "fit: x[2, 1] is nan, the first of 2 values that are not finite. "
        "Losses and weights will turn into nan where they are used."
    ]
    with pytest.warns(UserWarning) as caught:
        model.fit(X, ROWS, validation_data=(x, y), verbose=0)
    assert len(caught) == 1 and str(caught[0].message).startswith("fit: validation x[2, 1] is nan")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"evaluate: y\[1, 1\] is nan, the first of 1 "):
        model.evaluate(X, y, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(np.full((6, 4), 3e38, "float32"))  # a sum that overflows is no infinity in the data


def test_a_missing_or_unused_input() -> None:
    a, b = Input((4,), name="left"), Input((4,), name="right")
    both = Dense(2)(a) + Dense(2)(b)
    with pytest.raises(
        ArgumentError, match=r"the graph is disconnected: its outputs need the input 'right' of shape \(None, 4\)"
    ):
        Model(a, both)
    model = Model([a, b], both)
    with pytest.raises(ArgumentError, match=r"has 2 inputs \(left, right\); got 1 arrays"):
        model.predict(X)
    with pytest.raises(
        ArgumentError, match=r"x is a dict with the keys \['left'\]; the model's names are \['left', 'right'\]"
    ):
        model.predict({"left": X})


def test_models_and_layers_that_are_not_built(classifier: Any) -> None:
    with pytest.raises(ArgumentError, match="dense_5 has no weights yet: it is built by its first call"):
        Dense(3, name="dense_5").count_params()
    with pytest.raises(ArgumentError, match="net has no layer 'hiden'. Its layers: hidden, out."):
        classifier().get_layer("hiden")
    with pytest.raises(ArgumentError, match="net has a layer called 'hidden' already"):
        classifier().add(Dense(2, name="hidden"))

    class Forgetful(Dense):
        def __init__(self) -> None:
            self.units = 3

    with pytest.raises(ArgumentError, match=r"Forgetful.__init__ has to call super\(\).__init__\(\) first"):
        Forgetful()(X)


@pytest.mark.parametrize("word", ["validation_batch_size", "validation_steps"])
@pytest.mark.parametrize("value", [0, -3, "a"])
def test_validation_counts_are_checked_before_training(classifier: Any, refuses: Any, word: str, value: Any) -> None:
    model = classifier()
    message = f"fit: {word} must be an integer of at least 1; got {value!r}."
    refuses(model, ArgumentError, message, lambda: model.fit(X, LABELS, validation_data=(X, LABELS), **{word: value}))


@pytest.mark.parametrize("value", [0, -1, "a"])
def test_steps_of_evaluate_and_predict(classifier: Any, refuses: Any, value: Any) -> None:
    model = classifier()
    message = f"steps must be an integer of at least 1; got {value!r}."
    refuses(model, ArgumentError, "evaluate: " + message, lambda: model.evaluate(X, LABELS, steps=value))
    refuses(model, ArgumentError, "predict: " + message, lambda: model.predict(X, steps=value))


def test_an_array_in_the_wrong_place_is_quoted_by_its_shape(classifier: Any, refuses: Any) -> None:
    model = classifier()
    message = "predict: batch_size must be an integer of at least 1; got a ndarray of shape (6, 4)."
    refuses(model, ArgumentError, message, lambda: model.predict(X, X))
    with pytest.raises(ArgumentError, match=r"inputs must be tensors, .* got a ndarray of shape \(6, 4\)\."):
        Model(X, X)


@pytest.mark.parametrize("value", [3, None, [[1, [2]]] * 4])
def test_set_weights_of_something_else(classifier: Any, refuses: Any, value: Any) -> None:
    message = "net.set_weights takes a list of arrays, in the order of get_weights; got "
    model = classifier()
    refuses(model, ArgumentError, message, lambda: model.set_weights(value))


@pytest.mark.parametrize("arguments", [(), (None,), ("a",), ({},)])
def test_a_layer_called_on_nothing(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"dense_4 is called on a tensor or an array of numbers; got "):
        Dense(3, name="dense_4")(*arguments)


def test_arguments_of_layers_models_and_optimizers() -> None:
    with pytest.raises(ArgumentError, match=r"net takes a list of layers; got <Dense name=dense_9 built=False>\."):
        Sequential(Dense(3, name="dense_9"), name="net")
    with pytest.raises(ArgumentError, match=r"rescaling_9: scale must be a number or an array of numbers; got 'a'\."):
        Rescaling("a", name="rescaling_9")
    with pytest.raises(ArgumentError, match=r"adam: beta_1 must be a number, at least 0 and below 1; got 1\.5\."):
        optimizers.Adam(beta_1=1.5)
    with pytest.raises(ArgumentError, match=r"adam: beta_2 must be a number, at least 0 and below 1; got 1\."):
        optimizers.Adam(beta_2=1)
    with pytest.raises(ArgumentError, match=r"rm_sprop: rho must be a number, at least 0 and below 1; got 'x'\."):
        optimizers.RMSprop(rho="x")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"rm_sprop: epsilon must be a number of at least 0; got -1\."):
        optimizers.RMSprop(epsilon=-1)


def test_the_warning_of_predict_speaks_of_predictions(classifier: Any) -> None:
    with pytest.warns(UserWarning) as caught:
        classifier().predict(np.where(X[3, 1] == X, np.inf, X), verbose=0)
    assert [str(w.message) for w in caught] == [
        "predict: x[3, 1] is inf, the first of 1 values that are not finite. "
        "Predictions will be nan or infinite where they are used."
    ]


def test_an_argument_that_an_optimizer_does_not_have() -> None:
    with pytest.raises(ArgumentError) as caught:
        optimizers.RMSprop(learningrate=0.1)
    assert str(caught.value) == "RMSprop has no argument 'learningrate'. Did you mean 'learning_rate'?"


def test_sequences_that_are_not_padded(classifier: Any, refuses: Any) -> None:
    model, rows = classifier(), [[1, 2], [1, 2, 3]]
    advice = " utils.pad_sequences brings sequences to one length."
    message = "fit: x must be an array; its rows have different lengths." + advice
    refuses(model, ShapeError, message, lambda: model.fit(rows, LABELS[:2], verbose=0))
    message = "fit: x must hold numbers; got an array of dtype object, whose elements are sequences." + advice
    refuses(model, DtypeError, message, lambda: model.fit(np.array(rows, object), LABELS[:2], verbose=0))


def test_generators_need_the_number_of_their_batches(classifier: Any, refuses: Any) -> None:
    """They would be read for ever."""

    def batches() -> Any:
        while True:
            yield X, LABELS

    model = classifier()
    for word, given in (("steps_per_epoch", {}), ("validation_steps", {"steps_per_epoch": 1})):
        message = f"fit_generator: {word} is needed with a generator: it has no length, and may never end."
        call = {**given, "validation_data": batches(), "verbose": 0}
        refuses(model, ArgumentError, message, lambda call=call: model.fit_generator(batches(), **call))  # type: ignore[misc]
    for method in ("evaluate_generator", "predict_generator"):
        message = f"{method}: steps is needed with a generator"
        refuses(model, ArgumentError, message, lambda method=method: getattr(model, method)(batches()))  # type: ignore[misc]
    alone = (X for _ in range(2))
    message = "fit: the loss needs targets; y is None. Give y; a generator gives pairs (x, y)."
    refuses(model, ArgumentError, message, lambda: model.fit_generator(alone, steps_per_epoch=2, verbose=0))
