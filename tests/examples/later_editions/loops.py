"""Third edition, chapters 2, 3 and 7: nets without a model, loops without fit, and the same with values that are handed on.

What jax.value_and_grad and jax.jit are there is `keras.value_and_grad` and `keras.jit` here.
"""

import keras
import numpy as np
from keras import layers, ops

draw = np.random.default_rng(0)
inputs, targets = draw.random((24, 6)).astype("float32"), draw.integers(0, 3, 24)


class NaiveDense:
    def __init__(self, input_size, output_size, activation=None):
        self.activation = activation
        self.W = keras.Variable(shape=(input_size, output_size), initializer="uniform")
        self.b = keras.Variable(shape=(output_size,), initializer="zeros")

    def __call__(self, inputs):
        x = ops.matmul(inputs, self.W) + self.b
        return x if self.activation is None else self.activation(x)


class NaiveSequential:
    def __init__(self, layers):
        self.layers = layers

    def __call__(self, inputs):
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    @property
    def weights(self):
        return [weight for layer in self.layers for weight in (layer.W, layer.b)]


net = NaiveSequential([NaiveDense(6, 8, ops.relu), NaiveDense(8, 3, ops.softmax)])
optimizer = keras.optimizers.SGD(learning_rate=0.5)
optimizer.build(net.weights)


@keras.jit
def one_step(images, labels):
    loss = ops.mean(keras.losses.sparse_categorical_crossentropy(labels, net(images)))
    optimizer.apply(ops.gradients(loss, net.weights), net.weights)
    return loss


losses = [float(one_step(inputs, targets)) for _ in range(10)]
assert losses[-1] < losses[0] and abs(losses[0] - np.log(3)) < 0.05
found = float(ops.mean(keras.losses.sparse_categorical_crossentropy(targets, net(inputs))))
assert found < losses[-1]

# ---- with variables that are written to, and with values that are handed on: the same numbers


def made():
    keras.utils.set_random_seed(1)
    start = keras.Input((6,))
    x = layers.BatchNormalization()(layers.Dense(8, activation="relu")(start))
    return keras.Model(start, layers.Dense(3, activation="softmax")(layers.Dropout(0.0)(x)))


loss_fn = keras.losses.SparseCategoricalCrossentropy()
batches = [(inputs[i : i + 8], targets[i : i + 8]) for i in range(0, 24, 8)]

model, metric = made(), keras.metrics.SparseCategoricalAccuracy()
optimizer = keras.optimizers.SGD(learning_rate=0.1)
optimizer.build(model.trainable_variables)


@keras.jit
def train(x, y):
    predictions = model(x, training=True)
    loss = loss_fn(y, predictions)
    optimizer.apply(ops.gradients(loss, model.trainable_weights), model.trainable_weights)
    return loss, predictions


written = []
for x, y in batches:
    loss, predictions = train(x, y)
    metric.update_state(y, predictions)
    written.append(float(loss))
accuracy = float(metric.result())
metric.reset_state()

pure, optimizer = made(), keras.optimizers.SGD(learning_rate=0.1)
optimizer.build(pure.trainable_variables)


def loss_and_updates(trainable, others, x, y):
    outputs, others = pure.stateless_call(trainable, others, x, training=True)
    return loss_fn(y, outputs), (outputs, others)


gradients_of = keras.value_and_grad(loss_and_updates, has_aux=True)


@keras.jit
def step(state, x, y):
    trainable, others, of_optimizer, of_metric = state
    (loss, (outputs, others)), gradients = gradients_of(trainable, others, x, y)
    trainable, of_optimizer = optimizer.stateless_apply(of_optimizer, gradients, trainable)
    of_metric = metric.stateless_update_state(of_metric, y, outputs)
    return loss, (trainable, others, of_optimizer, of_metric)


held = (pure.trainable_variables, pure.non_trainable_variables, optimizer.variables, metric.variables)
state, handed = tuple([variable.value for variable in variables] for variables in held), []
for x, y in batches:
    loss, state = step(state, x, y)
    handed.append(float(loss))
assert np.allclose(handed, written, rtol=1e-5)
assert float(metric.stateless_result(state[3])) == accuracy and float(metric.result()) == 0
for variables, values in zip(held[:2], state):
    for variable, value in zip(variables, values):
        variable.assign(value)
assert np.allclose(pure(inputs), model(inputs), atol=1e-5)
