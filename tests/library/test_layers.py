"""Layers, initializers, regularizers and losses by themselves."""

from typing import Any

import numpy as np
import pytest

from refnet import initializers, losses, metrics, ops, regularizers, utils
from refnet.errors import ArgumentError, DataError
from refnet.graph import Tensor
from refnet.layers import Activation, Dense, Dropout, Flatten, Input, Layer, Rescaling
from refnet.models import Model
from refnet.testing.closeness import ELEMENTARY, close

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


@pytest.mark.api("Dense")
def test_dense_is_a_product_a_bias_and_an_activation() -> None:
    layer = Dense(2, activation="relu")
    y = layer(X)
    kernel, bias = layer.get_weights()
    close(y, np.maximum(X @ kernel + bias, 0), 2 * (X.shape[-1] + 1), abs(X) @ abs(kernel) + abs(bias))
    assert y.dtype == np.float32 and layer.count_params() == 10
    assert [v.name for v in layer.weights] == [f"{layer.name}/kernel", f"{layer.name}/bias"]
    assert Dense(2, use_bias=False)(X[None]).shape == (1, 3, 2)  # any rank: the last axis


def test_default_names_count_per_class() -> None:
    utils.clear_session()
    assert [Dense(1).name, Dense(1).name, Dropout(0.1).name, Dense(1).name] == [
        "dense",
        "dense_1",
        "dropout",
        "dense_2",
    ]
    a = Input((2,))
    assert Model(a, a * 2).name == "functional"


@pytest.mark.api("Dropout")
def test_dropout_scales_what_it_keeps() -> None:
    x = np.ones((40, 10), "float32")
    layer = Dropout(0.25, seed=1)
    y = layer(x, training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)} and 0.15 < np.mean(y == 0) < 0.35
    assert np.array_equal(layer(x), x) and np.any(layer(x, training=True) != y)
    rows = Dropout(0.5, noise_shape=(None, 1), seed=2)(x, training=True)
    assert all(len(set(row)) == 1 for row in rows) and len(set(rows[:, 0])) == 2
    with pytest.raises(ArgumentError, match="rate must be a number from 0 to 1; got 1.5"):
        Dropout(1.5)


@pytest.mark.api("Flatten")
def test_flatten_rescaling_and_activation() -> None:
    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    assert np.array_equal(Flatten()(x), x.reshape(2, 12))
    assert np.array_equal(Flatten(data_format="channels_first")(x), x.transpose(0, 2, 1).reshape(2, 12))
    assert Flatten()(Input((3, 4))).shape == (None, 12) and Flatten()(Input((None, 4))).shape == (None, None)
    assert Flatten()(np.ones(3, "float32")).shape == (3, 1)
    np.testing.assert_array_equal(Rescaling(1 / 255, offset=-1)(np.array([[0, 255]], "uint8")), [[-1, 0]])
    close(Activation("softmax")(X).sum(-1), np.ones(3), 2 * X.shape[-1] + 1)
    assert np.array_equal(Activation(lambda x: x * 2)(X), X * 2)


class Scale(Layer):
    """A layer of a user's own."""

    def __init__(self, factor: float = 2.0, **more: Any):
        super().__init__(**more)
        self.factor = factor

    def build(self, input_shape: Any) -> None:
        self.gain = self.add_weight((input_shape[-1],), "ones", name="gain")
        self.seen = self.add_weight((), "zeros", trainable=False, dtype="int32", name="seen")

    def call(self, inputs: Any) -> Any:
        self.seen.assign_add(1)
        return inputs * self.gain * self.factor


@pytest.mark.api("layers.Layer subclass")
def test_a_layer_of_ones_own() -> None:
    layer = Scale(3.0, name="scale")
    assert np.array_equal(layer(X), X * 3) and np.array_equal(layer(X), X * 3)
    assert int(layer.seen) == 2  # an assignment in `call` is made each time, on arrays too
    assert [v.name for v in layer.trainable_weights] == ["scale/gain"]
    assert [v.name for v in layer.non_trainable_weights] == ["scale/seen"]
    layer.trainable = False
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 2
    again = Scale.from_config(layer.get_config())
    assert (again.factor, again.name, again.trainable, again.built) == (3.0, "scale", False, False)
    assert layer.compute_output_shape((None, 4)) == (None, 4)


def test_calls_on_arrays_are_kept_and_follow_new_shapes_and_weights() -> None:
    layer = Dense(2)
    first = layer(X)
    programs = len(layer._programs)
    layer.set_weights([w + 1 for w in layer.get_weights()])
    # another batch size: the same program
    assert np.all(layer(X[:2]) != first[:2]) and len(layer._programs) == programs
    assert layer(X.astype("float64")).dtype == np.float32 and layer(X.astype("int32")).dtype == np.float32


def test_several_inputs_and_outputs() -> None:
    class Both(Layer):
        def call(self, inputs: Any) -> Any:
            a, b = inputs
            return {"sum": a + b, "difference": a - b}

    y = Both()([X, X * 2])
    assert list(y) == ["sum", "difference"] and np.array_equal(y["difference"], -X)
    tensors = Both()([Input((4,)), Input((4,))])
    assert isinstance(tensors["sum"], Tensor) and tensors["sum"].shape == (None, 4)


def test_dense_comes_back_from_its_config() -> None:
    layer = Dense(3, "tanh", kernel_initializer="he_normal", kernel_regularizer=regularizers.L2(0.02), name="d")
    again = Dense.from_config(layer.get_config())
    assert again.units == 3 and again.activation is layer.activation and again.kernel_regularizer.l2 == 0.02
    assert type(again.kernel_initializer) is initializers.HeNormal and again.name == "d"


@pytest.mark.parametrize(
    "name",
    [
        *("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"),
        *("random_normal", "truncated_normal", "random_uniform"),
    ],
)
def test_an_initializer_known_by_name_keeps_its_seed(name: str) -> None:
    utils.set_random_seed(5)
    initializer = initializers.get(name)
    values = initializer((20, 30))
    assert values.shape == (20, 30) and values.dtype == np.float32
    assert np.array_equal(values, initializer((20, 30)))  # the seed is the initializer's
    assert np.any(values != initializers.get(name)((20, 30)))
    utils.set_random_seed(5)
    assert np.array_equal(values, initializers.get(name)((20, 30)))


def test_other_initializers() -> None:
    assert np.array_equal(initializers.get("ones")((2,), "int32"), [1, 1])
    assert np.array_equal(initializers.Constant(3)((2, 1)), [[3], [3]])
    assert np.array_equal(initializers.Identity(2.0)((2, 2)), [[2, 0], [0, 2]])
    for shape in ((5, 3), (3, 5)):
        q = initializers.Orthogonal(seed=1)(shape)
        product = q @ q.T if shape[0] < shape[1] else q.T @ q
        close(product, np.eye(3), 5 + 2, 1)  # five products of numbers rounded once, of rows of length 1
    config = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}
    assert initializers.get(config).scale == 2.0
    assert initializers.compute_fans((3, 3, 8, 16)) == (72, 144)
    assert np.array_equal(Dense(1, kernel_initializer=np.full((4, 1), 2.0, "float32"))(X)[:, 0], X.sum(1) * 2)


def test_regularizers() -> None:
    w = np.array([[1.0, -2.0]], "float32")
    assert float(regularizers.L1(0.5)(w)) == 1.5 and float(regularizers.L2(0.5)(w)) == 2.5
    assert float(regularizers.L1L2(0.5, 0.5)(w)) == 4.0 and regularizers.get("l2").l2 == 0.01


def test_losses_reduce_as_asked() -> None:
    y, p = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [1.0, 0.0]])
    assert float(losses.MeanSquaredError()(y, p)) == 0.5
    assert float(losses.MeanSquaredError()(y, p, sample_weight=np.array([0.7, 0.3]))) == 0.25
    assert float(losses.MeanSquaredError(reduction="sum")(y, p)) == 1.0
    assert np.array_equal(losses.MeanSquaredError(reduction="none")(y, p), [0.5, 0.5])
    weighted = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert float(weighted(y, p, sample_weight=np.array([3.0, 1.0]))) == 0.5
    mean = losses.BinaryCrossentropy()(y, [[0.6, 0.4], [0.4, 0.6]])
    close(mean, -(3 * np.log(0.4) + np.log(0.6)) / 4, 2 * (ELEMENTARY + 6))
    smooth = losses.CategoricalCrossentropy(label_smoothing=0.3)
    hand = -(0.1 * np.log(0.05) + 0.8 * np.log(0.95) + 0.1 * np.log(1e-7))
    close(float(smooth([[0, 1, 0]], [[0.05, 0.95, 0.0]])), hand, 2 * (ELEMENTARY + 6))
    sparse = losses.SparseCategoricalCrossentropy()
    close(sparse([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), -(np.log(0.95) + np.log(0.1)) / 2, 2 * (ELEMENTARY + 6))
    assert float(losses.mean_absolute_error([0.0, 2.0], [1.0, 0.0])) == 1.5


def test_metrics_keep_a_running_mean() -> None:
    mean = metrics.Mean()
    mean.update_state([1, 3])
    mean.update_state([5.0, 7.0])
    assert float(mean.result()) == 4.0
    mean.reset_state()
    mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    assert float(mean.result()) == 2.0
    assert float(metrics.BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])) == 0.75
    assert float(metrics.CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])) == 0.5
    weighted = metrics.SparseCategoricalAccuracy()
    weighted.update_state([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]], sample_weight=[0.7, 0.3])
    close(float(weighted.result()), 0.3, 8)
    assert float(metrics.MeanAbsoluteError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])) == 0.25
    assert float(metrics.Mean().result()) == 0.0  # of nothing


def test_to_categorical() -> None:
    assert np.array_equal(utils.to_categorical([0, 2]), [[1, 0, 0], [0, 0, 1]])
    assert utils.to_categorical(np.array([[1], [0]]), 4).shape == (2, 4)
    with pytest.raises(DataError, match=r"labels must lie in 0..2; x\[1\] is 3"):
        utils.to_categorical([0, 3], 3)


def test_an_activity_regularizer_is_divided_by_the_batch() -> None:
    a = Input((4,))
    model = Model(a, Dense(2, activity_regularizer=regularizers.L2(0.5))(a))
    model.compile("sgd", "mse")
    loss = model.test_on_batch(X, np.zeros((3, 2)))
    y = model.predict(X)
    close(loss, np.mean(y**2) + 0.5 * np.sum(y**2) / 3, 2 * (y.size + 4))
    assert ops.shape(y) == (3, 2)
