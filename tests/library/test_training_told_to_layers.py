"""Whether a layer is told that it is training, and what holds when it is changed afterwards."""

from typing import Any

import numpy as np
import pytest

from refnet import activations, ops, optimizers
from refnet.layers import Dense, Dropout, Input, Layer
from refnet.models import Model, Sequential, load_model

# Small whole numbers: sums and means of them are exact, so they are compared exactly.
X = np.arange(8, dtype="float32").reshape(4, 2) - 3
Y = np.array([[1.0], [0.0], [2.0], [1.0]], "float32")


class Tells(Layer):
    """Ten times its inputs in training."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        return inputs * 10.0 if training else inputs


class TellsByDefault(Layer):
    """The same where nobody says whether it is training."""

    def call(self, inputs: Any, training: bool = True) -> Any:
        return inputs * 10.0 if training else inputs


class Silent(Model):
    """Its `call` does not take `training`."""

    def __init__(self, inner: Layer):
        super().__init__()
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


class Handing(Silent):
    """Its `call` does."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.inner(inputs)


# ---- `training`


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize(("kind", "factor"), [(Tells, 1), (TellsByDefault, 10)])
def test_a_call_in_a_step_that_leaves_training_open_goes_the_default_way(kind: Any, factor: int, eagerly: bool) -> None:
    class Steps(Model):
        def train_step(self, data: Any) -> Any:
            x = data[0]
            return {
                "open": ops.max(self(x)),
                "true": ops.max(self(x, training=True)),
                "false": ops.max(self(x, training=False)),
            }

    a = Input((2,))
    model = Steps(a, kind()(a))
    model.compile("sgd", run_eagerly=eagerly)
    history = model.fit(X, Y, verbose=0).history
    assert history == {"open": [4.0 * factor], "true": [40.0], "false": [4.0]}


def test_a_gradient_in_a_step_goes_the_same_way_as_the_step() -> None:
    class Steps(Silent):
        def train_step(self, data: Any) -> Any:
            loss = ops.sum(self(data[0]))
            (gradient,) = ops.gradients(loss, self.trainable_variables)
            return {"loss": loss, "gradient": gradient}

    class Doubles(Layer):
        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(shape=(), initializer="ones")

        def call(self, inputs: Any, training: bool = True) -> Any:
            return inputs * self.factor * (10.0 if training else 1.0)

    model = Steps(Doubles())
    model(X)
    model.compile("sgd")
    assert model.fit(X, Y, verbose=0).history == {"loss": [10.0 * X.sum()], "gradient": [10.0 * X.sum()]}


@pytest.mark.parametrize(("kind", "trained"), [(Silent, 4.0), (Handing, 40.0)])
def test_fit_tells_training_to_a_call_that_takes_it(kind: Any, trained: float) -> None:
    model = kind(Tells(name="tells"))
    model.compile(optimizers.SGD(0.0), loss=lambda y, p: ops.max(p))
    if kind is Silent:
        with pytest.warns(UserWarning, match="`call` of Silent has no argument `training`, so fit runs tells as in"):
            history = fitted(model)
    else:
        history = fitted(model)
    assert history["loss"] == [trained]
    assert model.evaluate(X, X, verbose=0) == 4.0
    np.testing.assert_array_equal(model.predict(X, verbose=0), X)


def fitted(model: Any) -> Any:
    return model.fit(X, X, verbose=0).history


def test_a_layer_whose_call_trains_by_default_trains_in_a_silent_model() -> None:
    model = Silent(TellsByDefault())
    np.testing.assert_array_equal(model(X), 10 * X)
    np.testing.assert_array_equal(model.predict(X, verbose=0), 10 * X)


# ---- layers that are changed after they were called


def net() -> Any:
    a = Input((2,))
    b = Dense(2, "relu", kernel_initializer="ones", name="first")(a)
    return Model(a, Dense(1, "relu", kernel_initializer="ones", name="last")(b))


def test_an_activation_taken_off_a_built_model() -> None:
    model, s = net(), X.sum(1, keepdims=True)
    model.compile(optimizers.SGD(0.0), "mse")
    np.testing.assert_array_equal(model.predict(X, verbose=0), 2 * np.maximum(s, 0))
    np.testing.assert_array_equal(model(X), 2 * np.maximum(s, 0))
    model.get_layer("first").activation = None
    model.layers[-1].activation = None
    np.testing.assert_array_equal(model.predict(X, verbose=0), 2 * s)
    np.testing.assert_array_equal(model(X), 2 * s)
    wanted = np.mean((2 * s - Y) ** 2)
    assert model.evaluate(X, Y, verbose=0) == wanted
    assert model.fit(X, Y, verbose=0).history["loss"] == [wanted]
    inner = Model(model.inputs, [model.get_layer("first").output, model.output])  # as Grad-CAM does it
    np.testing.assert_array_equal(inner.predict(X, verbose=0)[0][:, :1], s)
    np.testing.assert_array_equal(inner(X)[1], 2 * s)


def test_a_change_reaches_models_around_the_layer_and_files(tmp_path: Any) -> None:
    model, s = net(), X.sum(1, keepdims=True)
    outer = Sequential([model])
    np.testing.assert_array_equal(outer.predict(X, verbose=0), 2 * np.maximum(s, 0))
    model.get_layer("first").activation = activations.linear
    model.get_layer("last").activation = activations.linear
    np.testing.assert_array_equal(outer.predict(X, verbose=0), 2 * s)
    model.save(tmp_path / "changed.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "changed.keras").predict(X, verbose=0), 2 * s)
    assert model.get_layer("last").output is model.output  # the tensors are those that were there before


def test_a_rate_that_is_changed_holds_from_the_next_step() -> None:
    a = Input((2,))
    model = Model(a, Dropout(0.5, name="drop")(a))
    model.compile(optimizers.SGD(0.0), loss=lambda y, p: ops.max(ops.abs(p - y)))
    assert model.fit(X, X, verbose=0).history["loss"][0] > 0
    model.get_layer("drop").rate = 0.0
    assert model.fit(X, X, verbose=0).history["loss"] == [0.0]


def test_a_change_in_a_subclassed_model() -> None:
    model = Silent(Dense(1, "relu", kernel_initializer="ones"))
    s = X.sum(1, keepdims=True)
    np.testing.assert_array_equal(model.predict(X, verbose=0), np.maximum(s, 0))
    model.inner.activation = None
    np.testing.assert_array_equal(model.predict(X, verbose=0), s)


# ---- losses and metrics that are functions
