"""What Keras's objects have besides what most programs use."""

from typing import Any

import numpy as np
import pytest

import refnet
from refnet import Sequential, Variable, callbacks, losses, metrics, ops, optimizers
from refnet.backend import name_scope
from refnet.errors import ArgumentError, UsageError
from refnet.layers import Dense, Input, Layer, MultiHeadAttention
from refnet.random import SeedGenerator, uniform

X = np.ones((2, 3), "float32")


class Measured(Layer):
    """A layer that counts what it saw, by itself and inside."""

    def __init__(self, inner: Any = None, **more: Any):
        super().__init__(**more)
        self.seen, self.inner = {"mean": metrics.Mean(name="seen")}, inner

    def call(self, inputs: Any) -> Any:
        self.seen["mean"].update_state(inputs)
        return inputs if self.inner is None else self.inner(inputs)


def test_layers_tell_their_metrics() -> None:
    inner = Measured(name="inner")
    outer = Measured(inner, name="outer")
    assert outer.metrics == [outer.seen["mean"], inner.seen["mean"]] and inner.metrics == [inner.seen["mean"]]
    assert [v.name for v in inner.metrics_variables] == ["seen/total", "seen/count"] and Dense(1).metrics == []
    model = Sequential([Input((3,)), outer, Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    assert float(outer.metrics[0].result()) == 1.0
    assert [m.name for m in model.metrics] == ["loss", "seen", "seen"]
    assert len(model.metrics_variables) == 6


def test_a_layer_may_have_attributes_of_these_names() -> None:
    class Own(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.metrics, self.path, self.input_dtype = ["a"], "b", "c"

        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

    layer = Own()
    layer(X)
    assert (layer.metrics, layer.path, layer.input_dtype) == (["a"], "b", "c")


def test_attention_may_have_attributes_that_keras_has_too() -> None:
    class Own(MultiHeadAttention):
        def __init__(self, **more: Any):
            super().__init__(**more)
            self._num_heads, self._dropout, self._dot_product_equation = 7, 0.5, "mine"

    x = np.ones((2, 3, 4), "float32")
    layer = Own(num_heads=2, key_dim=2)
    assert layer(x, x).shape == x.shape
    assert (layer._num_heads, layer._dropout, layer._dot_product_equation, layer._key_dim) == (7, 0.5, "mine", 2)


def test_a_stack_and_a_callback_may_have_attributes_of_the_users() -> None:
    class Stack(Sequential):
        def __init__(self, config: Any):
            super().__init__([Input((3,)), Dense(1)])
            self._config = config

    class Timed(callbacks.EarlyStopping):
        def on_train_begin(self, logs: Any = None) -> None:
            self._start = 0.5
            super().on_train_begin(logs)

    model, timed = Stack({"units": 1}), Timed("loss")
    assert len(model.get_config()["layers"]) == 2 and model._config == {"units": 1}
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0, callbacks=[timed])
    assert timed._start == 0.5 and timed.best is not None


@pytest.mark.parametrize("ask", ["symbolic_call", "compute_output_spec"])
def test_what_a_call_would_return(ask: str) -> None:
    class Two(Layer):
        def call(self, a: Any, b: Any, cut: bool = False) -> Any:
            return {"sum": ops.add(a, b), "top": ops.argmax(a, axis=-1, keepdims=cut)}

    layer, a = Two(), Input((3,))
    spec = getattr(layer, ask)(a, X, cut=True)
    assert {key: (x.shape, x.dtype) for key, x in spec.items()} == {
        "sum": ((2, 3), "float32"),
        "top": ((None, 1), "int32"),
    }
    model = Sequential([Dense(2)])
    assert getattr(model, ask)(a).shape == (None, 2) and model.built
    with pytest.raises(AttributeError, match="not been called on a tensor yet"):
        layer.output  # noqa: B018


def test_add_variable_and_input_dtype() -> None:
    layer = Dense(2, dtype="mixed_bfloat16")
    assert layer.input_dtype == "bfloat16"
    extra = layer.add_variable((2,), "ones", "float32", False, True, None, None, "extra")
    assert layer.weights == [extra] and extra.path.endswith("/extra")


def test_a_seed_generator_tells_the_seed_and_number_of_the_next_draw() -> None:
    generator, other = SeedGenerator(5), SeedGenerator(5)
    assert [generator.next().tolist() for _ in range(2)] == [[5, 0], [5, 1]]
    uniform((2,), seed=other)
    uniform((2,), seed=other)
    np.testing.assert_array_equal(uniform((2,), seed=generator), uniform((2,), seed=other))
    assert generator.next(ordered=False).tolist() == [5, 3]
    assert generator.state.numpy().tolist() == [6 * 5387 % 933199, 4 * 5387 % 933199]

    class Drawing(Layer):
        def call(self, inputs: Any) -> Any:
            return inputs + ops.cast(generator.next()[1], "float32")

    with pytest.raises(UsageError, match="hand the generator itself to the draw"):
        Drawing()(X)


def test_an_optimizers_variables_in_a_store() -> None:
    weight = Variable([1.0, 2.0], name="w")
    first, second = optimizers.Adam(0.5), optimizers.Adam()
    first.apply([[1.0, -1.0]], [weight])
    store: dict[str, Any] = {}
    first.save_own_variables(store)
    assert list(store) == ["0", "1", "2", "3"] and int(store["0"]) == 1
    with pytest.raises(
        ArgumentError, match=r"it has 2 variables, and the store has 4 entries. Call build\(variables\) first"
    ):
        second.load_own_variables(store)
    second.build([weight])
    second.load_own_variables(store)
    for a, b in zip(first.variables, second.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    first.apply([[1.0, 1.0]], [weight])
    assert int(store["0"]) == 1  # a copy


def test_names_around_what_is_made() -> None:
    with refnet.name_scope("tower"), name_scope("block"):
        layer = Dense(1, name="d")
        layer(X)
        made = Variable(0.0, name="scale")
        with name_scope("here", override_parent="elsewhere"):
            assert Variable(0.0, name="scale").path == "elsewhere/here/scale"
    assert [w.path for w in layer.weights] == ["tower/block/d/kernel", "tower/block/d/bias"]
    assert made.path == "tower/block/scale" and Variable(0.0, name="scale").path == "scale"
    assert refnet.dtype_policies.DTypePolicy is refnet.DTypePolicy


def test_arguments_of_losses_and_metrics_can_be_read() -> None:
    loss, metric = losses.BinaryCrossentropy(from_logits=True), metrics.TopKCategoricalAccuracy(3)
    assert (loss.from_logits, loss.label_smoothing, loss.axis, metric.k) == (True, 0.0, -1, 3)
    wrapped = losses.LossFunctionWrapper(lambda y_true, y_pred, mask: y_pred * mask, mask=2.0)
    assert float(wrapped([[1.0]], [[3.0]])) == 6.0  # the argument does not take the place of the method


def test_callbacks_that_watch_a_value_tell_what_they_know() -> None:
    stop = callbacks.EarlyStopping("loss", min_delta=0.5, mode="min", patience=9)
    assert (stop.wait, stop.best, stop.best_weights, stop.best_epoch, stop.stopped_epoch) == (0, None, None, 0, 0)
    assert (stop.monitor, stop.mode, stop.min_delta) == ("loss", "min", 0.5)
    plateau = callbacks.ReduceLROnPlateau("loss", patience=1, cooldown=1, min_delta=9.0, factor=0.5)
    cooling: list[bool] = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: cooling.append(plateau.in_cooldown()))
    model = Sequential([Input((3,)), Dense(1)])
    model.compile(optimizers.SGD(1e-3), "mse")
    history = model.fit(X, X[:, :1], epochs=3, verbose=0, callbacks=[stop, plateau, look]).history
    assert cooling == [False, True, True] and stop.best == history["loss"][0] == plateau.best


def test_a_callback_of_ones_own_says_which_value_stops() -> None:
    class Sum(callbacks.EarlyStopping):
        def get_monitor_value(self, logs: Any) -> float | None:
            return None if model.optimizer.iterations.numpy() == 2 else 1.0 - logs["loss"] * 0

    model, stop = Sequential([Input((3,)), Dense(1)]), Sum("no such value", patience=2)
    model.compile("sgd", "mse")
    assert (
        len(model.fit(X, X[:, :1], epochs=9, verbose=0, callbacks=[stop]).epoch) == 4
    )  # the second epoch has no value
    assert stop.stopped_epoch == 3 and stop.best == 1.0


def test_a_checkpoint_tells_the_best_value(tmp_path: Any) -> None:
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "m.keras", "loss", save_best_only=True, mode="min")
    assert (checkpoint.monitor, checkpoint.mode, checkpoint.save_freq, checkpoint.best) == (
        "loss",
        "min",
        "epoch",
        None,
    )
    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(X, X[:, :1], epochs=2, verbose=0, callbacks=[checkpoint]).history
    assert checkpoint.best == min(history["loss"])
    assert callbacks.BackupAndRestore(tmp_path, save_freq=3).save_freq == 3
