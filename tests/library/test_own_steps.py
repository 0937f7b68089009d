"""Steps that a model writes itself, steps run op by op, and losses and metrics that it computes its own way."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from refnet import callbacks, losses, metrics, ops, optimizers, random, utils, value_and_grad
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.layers import Dense, Dropout, Input, Lambda, Layer, concatenate
from refnet.models import Model, Sequential
from refnet.testing.closeness import close

generator = np.random.default_rng(3)
X = generator.standard_normal((10, 4)).astype("float32")
LABELS = generator.integers(0, 3, 10)
Y = generator.standard_normal((10, 2)).astype("float32")


def layers_of(kind: Any) -> Any:
    """The same small network, as a model of some class."""
    a = Input((4,))
    return kind(a, Dense(2, kernel_regularizer="l2")(Dense(3, "tanh")(a)))


class Own(Model):
    """The step of the documentation, written out."""

    def train_step(self, data: Any) -> Any:
        x, y, sample_weight = utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=True)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        gradients = ops.gradients(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


def trained(model: Any, eagerly: bool = False) -> Any:
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"], run_eagerly=eagerly)
    history = model.fit(X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0, validation_data=(X, Y))
    return history.history


@pytest.mark.parametrize(("kind", "eagerly"), [(Own, False), (Own, True), (Model, True)])
def test_a_step_written_out_trains_as_the_built_in_one(kind: Any, eagerly: bool) -> None:
    plain = layers_of(Model)
    own = layers_of(kind)
    own.set_weights(plain.get_weights())
    first, second = trained(plain), trained(own, eagerly)
    assert list(first) == list(second) == ["loss", "mae", "val_loss", "val_mae"]
    for key in first:
        close(first[key], second[key], 2 * (Y.size + 4))  # either takes the means of rows and batches in its own order
    for a, b in zip(plain.get_weights(), own.get_weights()):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(own.evaluate(X, Y, verbose=0), plain.evaluate(X, Y, verbose=0))
    np.testing.assert_array_equal(own.predict(X), plain.predict(X))


def test_a_model_whose_call_nobody_needs() -> None:
    """Two networks, two optimizers, no `call`: what an adversarial model looks like."""

    class Pair(Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = Sequential([Input((4,)), Dense(1)])
            self.second = Sequential([Input((1,)), Dense(4)])
            self.tracker = metrics.Mean("first_loss")

        def compile(self, first: Any, second: Any) -> None:
            super().compile()
            self.one, self.two = first, second

        def train_step(self, data: Any) -> Any:
            code = self.first(data)
            loss = ops.mean(ops.square(self.second(code) - data))
            for optimizer, part in ((self.one, self.first), (self.two, self.second)):
                weights = part.trainable_weights
                optimizer.apply_gradients(zip(ops.gradients(loss, weights), weights))
            self.tracker.update_state(loss)
            return {"first_loss": self.tracker.result(), "now": loss}

    model = Pair()
    model.compile(optimizers.SGD(0.05), optimizers.Adam(0.05))
    assert [metric.name for metric in model.metrics] == ["loss", "first_loss"]  # as in Keras
    history = model.fit(X, epochs=20, batch_size=5, verbose=0).history
    assert history["first_loss"][-1] < 0.9 * history["first_loss"][0] and len(history["now"]) == 20
    assert int(model.one.iterations) == int(model.two.iterations) == 40


def test_data_come_as_the_user_gave_them() -> None:
    seen: list[Any] = []

    class Shapes(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs["a"]) + self.dense(inputs["b"])

        def test_step(self, data: Any) -> Any:
            seen.append(data)
            return {"loss": ops.sum(self(data[0]))}

    model = Shapes()
    model.compile("sgd", "mse")
    model.evaluate({"a": X, "b": X}, {"left": Y, "right": LABELS}, sample_weight=np.ones(10), verbose=0)
    ((x, y, weight),) = seen
    assert list(x) == ["a", "b"] and list(y) == ["left", "right"] and weight.shape == (None,)
    assert all(isinstance(t, Tensor) for t in x.values()) and y["right"].dtype == "int32"
    assert model.predict({"a": X, "b": X}).shape == (10, 1)


def test_own_losses_metrics_and_predictions() -> None:
    class Changed(Model):
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, **more: Any) -> Any:
            return super().compute_loss(x=x, y=y, y_pred=y_pred, **more) * 2.0 + ops.sum(y_pred) * 0.0

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "largest": ops.max(y_pred)}

        def predict_step(self, data: Any) -> Any:
            return {"doubled": self(data, training=False) * 2.0}

    plain, model = layers_of(Model), layers_of(Changed)
    model.set_weights(plain.get_weights())
    for each in (plain, model):
        each.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    a, b = plain.evaluate(X, Y, return_dict=True, verbose=0), model.evaluate(X, Y, return_dict=True, verbose=0)
    p = plain.predict(X)
    assert b["loss"] == 2 * a["loss"] and b["mae"] == a["mae"]
    assert b["largest"] == p.max()
    assert model.train_on_batch(X, Y, return_dict=True)["loss"] == b["loss"]
    np.testing.assert_array_equal(model.predict(X)["doubled"], 2 * p)
    np.testing.assert_array_equal(model.predict_on_batch(X)["doubled"], 2 * p)


class Stop(Layer):
    """Looks at its input's values, as someone in a debugger does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def call(self, inputs: Any) -> Any:
        if inputs.known is not None:
            self.seen.append((inputs.numpy(), float(ops.sum(inputs)), "value=" in repr(inputs)))
            if ops.sum(inputs) > 1e9:
                raise AssertionError("values are small here")
        self.add_loss(ops.sum(inputs) * 0.5)
        return inputs


def test_op_by_op_a_layer_sees_values_in_every_batch() -> None:
    stop = Stop()
    model = Sequential([Input((4,)), stop, Dropout(0.5), Dense(2)])
    model.compile(optimizers.SGD(0.0), "mse", run_eagerly=True)
    loss = model.evaluate(X, Y, batch_size=4, verbose=0)
    assert [len(values) for values, _, _ in stop.seen] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([values for values, _, _ in stop.seen]), X)
    for values, total, shown in stop.seen:
        close(total, values.sum(), 2 * values.size, abs(values).sum())
        assert shown
    fast = Sequential([Input((4,)), Stop(), Dropout(0.5), Dense(2)])
    fast.set_weights(model.get_weights())
    fast.compile(optimizers.SGD(0.0), "mse")
    assert loss == fast.evaluate(X, Y, batch_size=4, verbose=0)
    assert len({model.train_on_batch(X, Y) for _ in range(4)}) > 1  # dropout draws anew
    model.run_eagerly = False
    assert model.evaluate(X, Y, batch_size=4, verbose=0) == loss


def test_a_step_op_by_op_that_fails_changes_nothing() -> None:
    class Falls(Layer):
        armed = False

        def call(self, inputs: Any) -> Any:
            if self.armed and inputs.known is not None:
                raise RuntimeError("here")
            return inputs

    falls = Falls()
    model = Sequential([Input((4,)), Dense(2), falls])
    model.compile("adam", "mse", run_eagerly=True)
    model.train_on_batch(X, Y)
    before = model.get_weights()
    falls.armed = True
    with pytest.raises(RuntimeError, match="here"):
        model.train_on_batch(X, Y)
    assert (
        all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())) and int(model.optimizer.iterations) == 1
    )


def test_what_a_step_must_give() -> None:
    class Wrong(Model):
        def train_step(self, data: Any) -> Any:
            return ops.sum(data[0])

        def test_step(self, data: Any) -> Any:
            return {"rows": ops.sum(data[0], axis=1)}

    model = layers_of(Wrong)
    model.compile("sgd", losses.MeanSquaredError())
    with pytest.raises(ArgumentError, match="train_step must give a dict of values to show"):
        model.fit(X, Y, verbose=0)
    with pytest.raises(ArgumentError, match="'rows' that a step shows has an open shape"):
        model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("words, given", [("it gave None", None), ("it gave shape .*, 2.. Reduce it: ops.mean", True)])
def test_a_loss_of_ones_own_is_one_number(words: str, given: Any, eagerly: bool) -> None:
    class Wrong(Model):
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
            return given and ops.square(y - y_pred)

    model = layers_of(Wrong)
    model.compile("sgd", run_eagerly=eagerly)
    for use in (model.fit, model.evaluate):
        with pytest.raises(ArgumentError, match=f"{model.name}.compute_loss must give .*one number; {words}"):
            use(X, Y, verbose=0)


@pytest.mark.parametrize("value", [None, "text", {"inner": 1.0}])
@pytest.mark.parametrize("eagerly", [False, True])
def test_what_a_step_shows_is_a_number(value: Any, eagerly: bool) -> None:
    class Wrong(Model):
        def train_step(self, data: Any) -> Any:
            return {"mine": value}

    model = layers_of(Wrong)
    model.compile("sgd", run_eagerly=eagerly)
    with pytest.raises(
        ArgumentError, match="train_step: the value 'mine' to show must be a number, a tensor or a metric"
    ):
        model.fit(X, Y, verbose=0)


def test_nothing_is_no_loss() -> None:
    class Wrong(Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(None)
            return inputs

    with pytest.raises(ArgumentError, match="empty.add_loss takes a tensor or a number; got None"):
        Wrong(name="empty")(Input((4,)))


class Assigning(Model):
    """Its step assigns the batch's rows, or a part of them, to a kernel of shape (4, 2)."""

    def train_step(self, data: Any) -> Any:
        self.trainable_variables[0].assign(self.part(data[0]))
        return {"shown": 0.0}


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize(
    "part",
    [
        lambda rows: rows[:, :2],  # known when a batch comes: too many
        lambda rows: ops.reshape(rows, (-1, 2)),
        lambda rows: ops.ones((5, 2)),
        lambda rows: ops.ones((1, 4, 2)),
        lambda rows: ops.ones((4,)),
    ],
)
def test_what_does_not_fit_a_variable_is_not_assigned_to_it(part: Any, eagerly: bool) -> None:
    a = Input((4,))
    model = Assigning(a, Dense(2)(a))
    model.part = part
    model.compile("sgd", run_eagerly=eagerly)
    before = model.get_weights()[0]
    with pytest.raises(ShapeError, match="kernel has shape .4, 2.; cannot be assigned a value of shape"):
        model.fit(X, Y, batch_size=10, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("value", [3.0, np.float32([[3]]), np.float32([3, 3]), np.float32([[3]] * 4)])
def test_a_value_is_repeated_to_a_variables_shape_in_a_step_as_outside(value: Any, eagerly: bool) -> None:
    a = Input((4,))
    model = Assigning(a, Dense(2)(a))
    model.part = lambda rows: ops.multiply(value, ops.cast(ops.shape(rows)[0] > 0, "float32"))
    model.compile("sgd", run_eagerly=eagerly)
    model.fit(X, Y, batch_size=10, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], np.full((4, 2), 3))


def variational(eagerly: bool) -> Any:
    """A layer that closes over tensors of the model, an inner model, dropout and draws, and a loss of its own."""
    utils.set_random_seed(1)
    x = Input((4,))
    mean, spread = Dense(2)(x), Dense(2)(x)
    z = Lambda(lambda a: a[0] + ops.exp(a[1]) * random.normal((ops.shape(a[0])[0], 2), seed=2))([mean, spread])
    code = Input((2,))
    decoded = Model(code, Dense(4, "sigmoid")(Dropout(0.5, seed=3)(code)))(z)

    class Divergence(Layer):
        def call(self, inputs: Any) -> Any:
            a, b = inputs
            divergence = ops.mean(1 + spread - ops.square(mean) - ops.exp(spread))
            self.add_loss(ops.mean(ops.square(a - b)) - 5e-4 * divergence)
            return a

    model = Model(x, Divergence()([x, decoded]))
    model.compile("rmsprop", loss=None, run_eagerly=eagerly)
    return model


def branched(eagerly: bool) -> Any:
    utils.set_random_seed(1)
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared, inner = Dense(4, "tanh", activity_regularizer="l2"), Sequential([Input((4,)), Dense(3)])
    u, w = shared(a), shared(b)
    outputs = [Dense(1, name="p")(inner(u)), Dense(3, activation="softmax", name="q")(concatenate([inner(w), u]) * 2.0)]
    model = Model({"a": a, "b": b}, outputs)
    losses_of = ["mse", "sparse_categorical_crossentropy"]
    more = {"loss_weights": [0.5, 2.0], "metrics": [["mae"], ["accuracy"]]}
    model.compile("adam", losses_of, run_eagerly=eagerly, **more)
    return model


def test_op_by_op_every_kind_of_graph_computes_the_same() -> None:
    runs = [variational(eagerly).fit(X, epochs=2, batch_size=10, shuffle=False, verbose=0) for eagerly in (False, True)]
    np.testing.assert_array_equal(runs[0].history["loss"], runs[1].history["loss"])
    inputs, y = {"a": X, "b": 2 * X}, [Y[:, 0], LABELS]
    models = [branched(False), branched(True)]
    more = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0, "validation_split": 0.5}
    first, second = (model.fit(inputs, y, sample_weight=np.arange(10.0), **more).history for model in models)
    assert list(first) == list(second) and "val_q_accuracy" in first
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])
    for a, b in zip(models[0].predict(inputs), models[1].predict(inputs)):
        np.testing.assert_array_equal(a, b)


def test_the_models_loss_in_a_loop_of_ones_own() -> None:
    model = layers_of(Model)
    model.compile(optimizers.SGD(0.1), "mse")
    plain = layers_of(Model)
    plain.set_weights(model.get_weights())
    plain.compile(optimizers.SGD(0.1), "mse")

    def loss(weights: Any, x: Any, y: Any) -> Any:
        return model.compute_loss(x, y, model(x, training=True))

    for _ in range(3):
        value, gradients = value_and_grad(loss)(model.trainable_variables, X, Y)
        model.optimizer.apply(gradients, model.trainable_variables)
        close(value, plain.train_on_batch(X, Y), 2 * (Y.size + 4))
    for a, b in zip(model.get_weights(), plain.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("batchwise", [False, True])
@pytest.mark.parametrize("method", ["predict", "evaluate", "predict_on_batch", "test_on_batch"])
def test_what_training_shows_is_its_own_whatever_a_callback_asks_of_the_model(
    method: str, batchwise: bool, eagerly: bool
) -> None:
    class Telling(Model):
        def train_step(self, data: Any) -> Any:
            return {"given": ops.max(data[0])}

    def asked(batch: int, logs: Any) -> None:
        if method in ("predict", "predict_on_batch"):
            getattr(model, method)(X[:2])
        else:
            getattr(model, method)(X[:2], Y[:2])

    model, data = layers_of(Telling), (X[:4], Y[:4])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    given = {"x": iter([data, data]), "steps_per_epoch": 1} if batchwise else {"x": data[0], "y": data[1]}
    asking = callbacks.LambdaCallback(on_train_batch_end=asked)
    history = model.fit(**given, epochs=2, verbose=0, callbacks=[asking], validation_data=data).history
    assert list(history) == ["given", "val_loss"] and history["given"] == [float(X[:4].max())] * 2


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("kind", [Own, Model])
def test_no_step_keeps_the_data_alive(kind: Any, eagerly: bool) -> None:
    model = layers_of(kind)
    model.compile("sgd", "mse", run_eagerly=eagerly)
    calls = (model.train_on_batch, model.fit, model.evaluate, lambda x, y: model.predict(x, verbose=0))
    for call in calls:
        x, y = X.copy(), Y.copy()
        kept = [weakref.ref(x), weakref.ref(y)]
        call(x, y)
        del x, y
        gc.collect()
        assert [reference() for reference in kept] == [None, None]
