"""What the generative and the contrastive examples of keras.io do: codes, masked kernels, averaged networks, queues, on a few numbers."""

from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, Variable, layers, losses, metrics, ops, optimizers
from refnet.models import clone_model

X = np.arange(8, dtype="float32").reshape(4, 2) - 3


class Quantizer(layers.Layer):
    """Of a VQ-VAE: the nearest code, with a gradient that goes straight through."""

    def __init__(self, codes: Any, beta: float = 0.25):
        super().__init__()
        self.codes, self.beta = Variable(codes, dtype="float32", trainable=True, name="codes"), beta

    def call(self, x: Any) -> Any:
        apart = ops.sum(x**2, axis=1, keepdims=True) + ops.sum(self.codes**2, axis=0) - 2 * ops.matmul(x, self.codes)
        nearest = ops.matmul(ops.one_hot(ops.argmin(apart, axis=1), 2), ops.transpose(self.codes))
        self.add_loss(self.beta * ops.mean((ops.stop_gradient(nearest) - x) ** 2))
        self.add_loss(ops.mean((nearest - ops.stop_gradient(x)) ** 2))
        return x + ops.stop_gradient(nearest - x)


def test_codes_learn_from_their_own_loss_and_what_is_before_them_from_what_follows() -> None:
    codes = np.array([[0.0, 4], [0, 4]])
    a = Input((2,))
    before = layers.Dense(2, use_bias=False, kernel_initializer="identity")
    model = Model(a, Quantizer(codes)(before(a)))
    model.compile(optimizers.SGD(0.25), "mse")
    x = np.array([[1.0, 0], [3, 3], [0, 0], [5, 4]], "float32")
    nearest = codes.T[[0, 1, 0, 1]]
    away = np.mean((nearest - x) ** 2)
    assert model.evaluate(x, x, verbose=0) == away + 1.25 * away
    model.fit(x, x, verbose=0)
    to_codes = 2 * (nearest - x) / x.size
    moved = np.stack([to_codes[[0, 2]].sum(0), to_codes[[1, 3]].sum(0)], axis=1)
    np.testing.assert_array_equal(model.layers[-1].codes.numpy(), codes - 0.25 * moved)
    through = 2 * (nearest - x) / x.size - 0.25 * 2 * (nearest - x) / x.size
    np.testing.assert_array_equal(before.get_weights()[0], np.eye(2) - 0.25 * x.T @ through)


class MaskedConv(layers.Layer):
    """Of a PixelCNN: a kernel that sees only what came before, masked whenever it is used."""

    def __init__(self, **more: Any):
        super().__init__()
        self.conv = layers.Conv2D(**more)

    def build(self, input_shape: Any) -> None:
        self.conv.build(input_shape)
        self.mask = np.zeros(ops.shape(self.conv.kernel))
        self.mask[:1], self.mask[1, :1] = 1, 1

    def call(self, inputs: Any) -> Any:
        self.conv.kernel.assign(self.conv.kernel * self.mask)
        return self.conv(inputs)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_kernel_is_masked_before_each_step(eagerly: bool) -> None:
    model = Sequential(
        [Input((2, 2, 1)), MaskedConv(filters=1, kernel_size=3, padding="same", kernel_initializer="ones")]
    )
    model.compile(optimizers.SGD(0.5), "mse", run_eagerly=eagerly)
    x = np.arange(8, dtype="float32").reshape(2, 2, 2, 1)
    past = np.stack([[[0, a], [a + b, a + b + c]] for a, b, c, _ in x.reshape(2, 4)])[..., None]
    assert model.fit(x, x, verbose=0).history["loss"] == [np.mean((past - x) ** 2)]
    kernel = model.layers[0].conv.kernel
    assert kernel.numpy()[1, 1:].any()  # the step has changed all of it
    model(x)
    np.testing.assert_array_equal(kernel.numpy()[..., 0, 0] != 0, np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0]], bool))


class Averaged(Model):
    """Of diffusion models: a second network of which each weight is the first's average over the steps."""

    def __init__(self, network: Model):
        super().__init__()
        self.network, self.averaged = network, clone_model(network)
        self.averaged.set_weights(network.get_weights())
        self.tracker = metrics.Mean(name="n_loss")

    @property
    def metrics(self) -> list[metrics.Metric]:
        return [self.tracker]

    def train_step(self, data: Any) -> Any:
        loss = self.loss(data, self.network(data, training=True))
        variables = self.network.trainable_weights
        self.optimizer.apply_gradients(zip(ops.gradients(loss, variables), variables))
        self.tracker.update_state(loss)
        for weight, average in zip(self.network.weights, self.averaged.weights):
            average.assign(0.75 * average + 0.25 * weight)
        return {m.name: m.result() for m in self.metrics}


def test_averages_are_those_of_the_updated_weights() -> None:
    network = Sequential([Input((2,)), layers.Dense(2, use_bias=False, kernel_initializer="zeros")])
    model = Averaged(network)
    model.compile(optimizers.SGD(0.5), losses.MeanSquaredError())
    assert model.fit(X, verbose=0).history == {"n_loss": [np.mean(X**2)]}
    step = 0.5 * 2 * X.T @ X / X.size
    np.testing.assert_array_equal(network.get_weights()[0], step)
    np.testing.assert_array_equal(model.averaged.get_weights()[0], 0.25 * step)


class Queue(Model):
    """Of contrastive learning with neighbours: what earlier batches gave is kept, the oldest goes."""

    def __init__(self) -> None:
        super().__init__()
        self.features = Variable(np.zeros((6, 2)), dtype="float32", trainable=False)

    def test_step(self, data: Any) -> Any:
        nearest = ops.take(self.features, ops.argmax(ops.matmul(data, ops.transpose(self.features)), axis=1), axis=0)
        self.features.assign(ops.concatenate([data, self.features[: -ops.shape(data)[0]]], axis=0))
        return {"nearest": ops.sum(nearest)}


def test_a_queue_of_features_moves_on_with_each_batch() -> None:
    model = Queue()
    model.compile()
    x = np.array([[1.0, 0], [0, 2], [3, 0], [0, 4]], "float32")
    assert model.evaluate(x, batch_size=2, verbose=0, return_dict=True) == {"nearest": 3.0}
    np.testing.assert_array_equal(model.features.numpy(), [*x[2:], *x[:2], [0, 0], [0, 0]])
