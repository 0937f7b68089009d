"""What programs written for Keras 3 do, as its guides show it."""

import pathlib
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, Variable, callbacks, layers, models, ops, optimizers, saving
from refnet.errors import ArgumentError
from refnet.testing.closeness import close

X = np.arange(12.0, dtype="float32").reshape(3, 4) / 12


class Shifted(layers.Dense):
    """A layer whose own variable is put into an attribute."""

    def __init__(self, units: int, **more: Any):
        super().__init__(units, **more)
        self.shift = Variable(np.zeros(units), name="shift", dtype="float32")
        self.scales = [Variable(np.ones(units), trainable=False)]

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) * self.scales[0] + self.shift


def test_variables_in_attributes_are_weights(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((4,)), Shifted(1)])
    layer = model.layers[0]
    assert len(layer.trainable_weights) == 3 and layer.non_trainable_weights == layer.scales
    model.compile(optimizers.SGD(0.1), "mse")
    model.fit(X, np.ones((3, 1)), verbose=0)
    assert layer.shift.numpy() != 0
    model.save(tmp_path / "a.keras")
    again = models.load_model(tmp_path / "a.keras", custom_objects={"Shifted": Shifted})
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_variable_before_super_init_is_refused() -> None:
    class Early(layers.Layer):
        def __init__(self) -> None:
            self.w = Variable(1.0)
            super().__init__()

    with pytest.raises(ArgumentError, match="super"):
        Early()


class Penalty(layers.Layer):
    def call(self, inputs: Any) -> Any:
        self.add_loss(0.5 * ops.mean(inputs))
        return inputs


class Outer(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Penalty()

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


def test_losses_of_a_call_on_arrays_are_those_of_the_last_call() -> None:
    layer = Outer()
    assert layer.losses == []
    for value in (2.0, 4.0):
        y = layer(np.full((1, 1), value))
        assert [float(loss) for loss in layer.losses] == [value / 2] and y.shape == (1, 1)
    weighed = layers.Dense(1, kernel_regularizer="l2", kernel_initializer="ones")
    weighed(X)
    close(weighed.losses[0], 0.01 * weighed.kernel.shape[0], 2 * 6)


def test_what_variables_alone_make_has_a_value_outside_of_calls() -> None:
    variable = Variable([1.0, 2.0])
    assert np.asarray(ops.sum(variable * 2.0)) == 6 and float(variable[1] - 1) == 1
    assert not isinstance(variable * 2.0, np.ndarray)  # in a graph it is read when the program runs
    with pytest.raises(TypeError, match="has no values yet"):
        np.asarray(ops.sum(Input((2,)) * variable))


def test_a_variable_takes_at_once_what_variables_alone_make() -> None:
    a, b = Variable([1.0, 2.0]), Variable([5.0, 6.0])
    a.assign(a * 2.0)
    assert a.numpy().tolist() == [2, 4]
    a.assign_add(b)
    a.assign_sub(b * 0.5)
    assert a.numpy().tolist() == [4.5, 7]
    b.assign(a)
    a.assign([0.0, 0.0])
    assert b.numpy().tolist() == [4.5, 7]


class Halving(callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = self.model.optimizer.learning_rate * 0.5


def test_a_callback_sets_the_learning_rate_from_the_learning_rate() -> None:
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.5), "mse")
    model.fit(X, np.ones((3, 1)), epochs=2, verbose=0, callbacks=[Halving()])
    assert float(model.optimizer.learning_rate) == 0.125


class Own(layers.Layer):
    def __init__(self, units: int = 2, tool: Any = None, **more: Any):
        super().__init__(**more)
        self.units, self.tool = units, tool

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return dict(units=self.units, **super().get_config())


def test_a_config_that_a_class_writes_begins_with_the_name_alone() -> None:
    layer = Own(3, tool=object(), name="own")
    assert layer.get_config() == {"units": 3, "name": "own", "trainable": True, "dtype": "float32"}
    assert Own.from_config(layer.get_config()).units == 3


class Started(layers.Layer):
    """A layer with a `build` of its own, whose arguments the file has beside the config."""

    def build(self, input_shape: Any, start: str = "zeros") -> None:
        self.start = start
        self.w = self.add_weight((input_shape[-1],), start)

    def call(self, inputs: Any) -> Any:
        return inputs * self.w

    def get_build_config(self) -> dict[str, Any]:
        return {"input_shape": (None, 4), "start": self.start}

    def build_from_config(self, config: dict[str, Any]) -> None:
        self.build(config["input_shape"], config["start"])


def test_a_layer_is_built_from_its_build_config() -> None:
    layer = Started()
    layer.build((None, 4), "ones")
    config = saving.serialize_keras_object(layer)
    assert config["build_config"] == {"input_shape": [None, 4], "start": "ones"}
    again = saving.deserialize_keras_object(config, custom_objects={"Started": Started})
    assert again.start == "ones" and again.w.numpy().tolist() == [1] * 4


class Stack(Model):
    def __init__(self, sizes: Any, **more: Any):
        super().__init__(**more)
        self.sizes, self.parts = sizes, [layers.Dense(n) for n in sizes]

    def call(self, inputs: Any) -> Any:
        x = inputs["a"] if isinstance(inputs, dict) else inputs
        for part in self.parts:
            x = part(x)
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}


@pytest.mark.parametrize("inputs", [X, {"a": X}])
def test_a_subclass_comes_back_built_as_it_was_called(inputs: Any, tmp_path: pathlib.Path) -> None:
    model = Stack([3, 2])
    expected = model(inputs)
    model.save(tmp_path / "a.keras")
    again = models.load_model(tmp_path / "a.keras", custom_objects={"Stack": Stack})
    np.testing.assert_array_equal(again(inputs), expected)


class Steps(layers.Layer):
    """A recurrence in Python, which reads the number of samples."""

    def call(self, inputs: Any) -> Any:
        state = ops.zeros((inputs.shape[0], 1))
        for t in range(inputs.shape[1]):
            state = state * 0.5 + inputs[:, t : t + 1]
        return state


def test_a_call_on_arrays_may_read_the_number_of_samples() -> None:
    layer, expected = Steps(), X @ np.array([[0.125], [0.25], [0.5], [1]], "float32")
    np.testing.assert_array_equal(layer(X), expected)
    np.testing.assert_array_equal(layer(X[:2]), expected[:2])
    with pytest.raises(ArgumentError, match=r"got \(None, 1\)"):
        layer(Input((4,)))


def test_masks_and_paths_go_by_keras_s_names() -> None:
    embedding = layers.Embedding(5, 2, mask_zero=True, name="words")
    x = embedding(Input((None,), dtype="int32"))
    assert x._keras_mask is x.mask is not None
    assert embedding.weights[0].path == "words/embeddings"


def test_blocks_are_repeated_as_often_as_there_are_samples() -> None:
    """The causal mask of Keras's example of translation, whose batch size is known when the model runs."""
    x = Input((3,))
    samples, steps = ops.shape(x)
    mask = ops.reshape(ops.arange(steps)[:, None] >= ops.arange(steps), (1, steps, steps))
    times = ops.concatenate([ops.expand_dims(samples, -1), ops.convert_to_tensor([1, 1])], axis=0)
    tiled = [ops.tile(mask, times), ops.tile(mask, (samples, 1, 1)), ops.repeat(mask, samples, axis=0)]
    model = Model(x, [ops.cast(y, "int32") for y in tiled])
    for samples in (5, 2):
        for y in model.predict(np.zeros((samples, 3)), verbose=0):
            np.testing.assert_array_equal(y, np.repeat(np.tri(3, dtype=int)[None], samples, axis=0))
    with pytest.raises(ArgumentError, match="one integer"):
        ops.repeat(mask, times, axis=0)
