"""Second and third edition, chapter 7: a training step of one's own, twice; then adversaries, with two optimizers.

The tape of TensorFlow, or the backward pass of PyTorch, is `ops.gradients` here.
"""

import keras
import numpy as np
from keras import layers, ops

draw = np.random.default_rng(0)
inputs, targets = draw.random((24, 6)).astype("float32"), draw.integers(0, 3, 24)
loss_fn = keras.losses.SparseCategoricalCrossentropy()
loss_tracker = keras.metrics.Mean(name="loss")


class Written(keras.Model):
    def train_step(self, data):
        x, y = data
        predictions = self(x, training=True)
        loss = loss_fn(y, predictions)
        gradients = ops.gradients(loss, self.trainable_weights)
        self.optimizer.apply(gradients, self.trainable_weights)
        loss_tracker.update_state(loss)
        return {"loss": loss_tracker.result()}

    @property
    def metrics(self):
        return [loss_tracker]


class Compiled(keras.Model):
    def train_step(self, data):
        x, y = data
        predictions = self(x, training=True)
        loss = self.compute_loss(y=y, y_pred=predictions)
        gradients = ops.gradients(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, predictions)
        return {metric.name: metric.result() for metric in self.metrics}


class Older(keras.Model):
    def train_step(self, data):
        x, y = data
        predictions = self(x, training=True)
        loss = self.compiled_loss(y, predictions)
        gradients = ops.gradients(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        self.compiled_metrics.update_state(y, predictions)
        return {metric.name: metric.result() for metric in self.metrics}


def trained(kind):
    keras.utils.set_random_seed(0)
    start = keras.Input(shape=(6,))
    model = kind(start, layers.Dense(3, activation="softmax")(layers.Dense(8, activation="relu")(start)))
    if kind is Written:
        model.compile(optimizer=keras.optimizers.RMSprop())
    else:
        model.compile(keras.optimizers.RMSprop(), loss_fn, metrics=[keras.metrics.SparseCategoricalAccuracy()])
    return model.fit(inputs, targets, batch_size=8, epochs=3, shuffle=False, verbose=0).history


wanted = trained(keras.Model)
for kind in (Compiled, Older):
    found = trained(kind)
    assert list(found) == ["loss", "sparse_categorical_accuracy"]
    assert all(np.allclose(found[key], wanted[key], rtol=1e-6) for key in found)
assert np.allclose(trained(Written)["loss"], wanted["loss"], rtol=1e-6)


class Adversaries(keras.Model):
    def __init__(self, discriminator, generator, latent):
        super().__init__()
        self.discriminator, self.generator, self.latent = discriminator, generator, latent
        self.d_tracker, self.g_tracker = keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")
        self.seeds = keras.random.SeedGenerator(7)

    def compile(self, d_optimizer, g_optimizer, loss):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_of = d_optimizer, g_optimizer, loss

    @property
    def metrics(self):
        return [self.d_tracker, self.g_tracker]

    def train_step(self, real):
        size = ops.shape(real)[0]
        made = self.generator(keras.random.normal((size, self.latent), seed=self.seeds))
        both = ops.concatenate([made, real], axis=0)
        marks = ops.concatenate([ops.ones((size, 1)), ops.zeros((size, 1))], axis=0)
        marks += 0.05 * keras.random.uniform(ops.shape(marks), seed=self.seeds)
        d_loss = self.loss_of(marks, self.discriminator(both, training=True))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(ops.gradients(d_loss, weights), weights))

        made = self.generator(keras.random.normal((size, self.latent), seed=self.seeds))
        g_loss = self.loss_of(ops.zeros((size, 1)), self.discriminator(made))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(ops.gradients(g_loss, weights), weights))
        self.d_tracker.update_state(d_loss)
        self.g_tracker.update_state(g_loss)
        return {"d_loss": self.d_tracker.result(), "g_loss": self.g_tracker.result()}


class Monitor(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        images = self.model.generator(keras.random.normal(shape=(2, 3))) * 255
        for image in images:
            keras.utils.array_to_img(image).save(f"made_{epoch}.png")


discriminator = keras.Sequential(
    [
        keras.Input(shape=(4, 4, 3)),
        layers.Conv2D(3, kernel_size=4, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid"),
    ]
)
generator = keras.Sequential(
    [
        keras.Input(shape=(3,)),
        layers.Dense(2 * 2 * 3),
        layers.Reshape((2, 2, 3)),
        layers.Conv2DTranspose(3, kernel_size=4, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(3, kernel_size=3, padding="same", activation="sigmoid"),
    ]
)
gan = Adversaries(discriminator, generator, 3)
gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy())
before = [network.get_weights() for network in (discriminator, generator)]
history = gan.fit(draw.random((8, 4, 4, 3)).astype("float32"), batch_size=4, epochs=2, callbacks=[Monitor()], verbose=0)
assert set(history.history) == {"d_loss", "g_loss"}
for old, network in zip(before, (discriminator, generator)):
    assert all(np.any(a != b) for a, b in zip(old, network.get_weights()))
assert int(gan.d_optimizer.iterations) == int(gan.g_optimizer.iterations) == 4
