"""Third edition, chapter 17: noise is taken out of images, step by step; a variational autoencoder, and one with a step of its own."""

import keras
import numpy as np
from keras import layers, ops

size, draw = 4, np.random.default_rng(0)
images = draw.integers(0, 255, (6, size, size, 3)).astype("float32")


def block(x, width):
    residual = x if x.shape[3] == width else layers.Conv2D(width, 1)(x)
    x = layers.BatchNormalization(center=False, scale=False)(x)
    x = layers.Conv2D(width, 3, padding="same", activation="swish")(x)
    return layers.Conv2D(width, 3, padding="same")(x) + residual


def denoising(widths):
    noisy, rates = keras.Input(shape=(size, size, 3)), keras.Input(shape=(1, 1, 1))
    x = layers.Conv2D(widths[0], 1)(noisy)
    x = layers.Concatenate()([x, layers.UpSampling2D(size, interpolation="nearest")(rates)])
    skips = []
    for width in widths[:-1]:
        x = block(x, width)
        skips.append(x)
        x = layers.AveragePooling2D(pool_size=2)(x)
    x = block(x, widths[-1])
    for width in reversed(widths[:-1]):
        x = layers.Concatenate()([layers.UpSampling2D(size=2, interpolation="bilinear")(x), skips.pop()])
        x = block(x, width)
    return keras.Model([noisy, rates], layers.Conv2D(3, 1, kernel_initializer="zeros")(x))


def schedule(times, least=0.02, most=0.95):
    start, end = ops.cast(ops.arccos(most), "float32"), ops.cast(ops.arccos(least), "float32")
    angles = start + times * (end - start)
    return ops.sin(angles), ops.cos(angles)


class Diffusion(keras.Model):
    def __init__(self, widths, **kwargs):
        super().__init__(**kwargs)
        self.network = denoising(widths)
        self.seeds = keras.random.SeedGenerator(3)
        self.loss = keras.losses.MeanAbsoluteError()
        self.normalizer = layers.Normalization()

    def denoise(self, noisy, noise_rates, signal_rates):
        noises = self.network([noisy, noise_rates])
        return (noisy - noise_rates * noises) / signal_rates, noises

    def call(self, images):
        images = self.normalizer(images)
        noises = keras.random.normal(shape=ops.shape(images), seed=self.seeds)
        times = keras.random.uniform(shape=(ops.shape(images)[0], 1, 1, 1), seed=self.seeds)
        noise_rates, signal_rates = schedule(times)
        found, found_noises = self.denoise(signal_rates * images + noise_rates * noises, noise_rates, signal_rates)
        return found, found_noises, noises

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        _, found, noises = y_pred
        return self.loss(noises, found)

    def generate(self, count, steps):
        noisy = keras.random.normal((count, size, size, 3), seed=self.seeds)
        for step in range(steps):
            times = ops.ones((count, 1, 1, 1)) - step / steps
            noise_rates, signal_rates = schedule(times)
            found, noises = self.denoise(noisy, noise_rates, signal_rates)
            noise_rates, signal_rates = schedule(times - 1 / steps)
            noisy = signal_rates * found + noise_rates * noises
        return ops.clip(self.normalizer.mean + found * self.normalizer.variance**0.5, 0.0, 255.0)


class Shown(keras.callbacks.Callback):
    def on_epoch_end(self, epoch=None, logs=None):
        made = ops.convert_to_numpy(self.model.generate(2, 2))
        assert made.shape == (2, size, size, 3) and made.min() >= 0 and made.max() <= 255


noise_rates, signal_rates = schedule(ops.arange(0.0, 1.0, 0.25))
assert np.allclose(noise_rates**2 + signal_rates**2, 1, atol=1e-6) and np.allclose(signal_rates[0], 0.95, atol=1e-6)
model = Diffusion([3, 4])
model.normalizer.adapt(images)
model.compile(
    optimizer=keras.optimizers.AdamW(
        learning_rate=keras.optimizers.schedules.InverseTimeDecay(1e-2, decay_steps=10, decay_rate=1.0, staircase=True),
        use_ema=True,
        ema_overwrite_frequency=2,
    )
)
kept = keras.callbacks.ModelCheckpoint(
    "diffusion.weights.h5", save_weights_only=True, save_best_only=True, monitor="loss"
)
model.fit(images, epochs=2, batch_size=3, callbacks=[Shown(), kept], verbose=0)
model.load_weights("diffusion.weights.h5")

# ---- variational autoencoders

digits = draw.random((6, 4, 4, 1)).astype("float32")
inputs = keras.Input((4, 4, 1))
x = layers.Flatten()(layers.Conv2D(3, 3, activation="relu", strides=2, padding="same")(inputs))
encoder = keras.Model(inputs, [layers.Dense(2, name="z_mean")(x), layers.Dense(2, name="z_log_var")(x)], name="encoder")
inputs = keras.Input((2,))
x = layers.Reshape((2, 2, 3))(layers.Dense(2 * 2 * 3, activation="relu")(inputs))
x = layers.Conv2DTranspose(3, 3, activation="relu", strides=2, padding="same")(x)
decoder = keras.Model(inputs, layers.Conv2D(1, 3, activation="sigmoid", padding="same")(x), name="decoder")


class Sampler(keras.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator()
        self.built = True

    def call(self, z_mean, z_log_var):
        noise = keras.random.normal(shape=(ops.shape(z_mean)[0], ops.shape(z_mean)[1]), seed=self.seeds)
        return z_mean + ops.exp(0.5 * z_log_var) * noise


class VAE(keras.Model):
    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.sampler = encoder, decoder, Sampler()
        self.reconstruction, self.divergence = keras.metrics.Mean(name="reconstruction"), keras.metrics.Mean(name="kl")

    def call(self, inputs):
        return self.encoder(inputs)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        z_mean, z_log_var = y_pred
        found = self.decoder(self.sampler(z_mean, z_log_var))
        reconstruction = ops.mean(ops.sum(keras.losses.binary_crossentropy(x, found), axis=(1, 2)))
        divergence = ops.mean(-0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var)))
        self.reconstruction.update_state(reconstruction)
        self.divergence.update_state(divergence)
        return reconstruction + divergence


vae = VAE(encoder, decoder)
vae.compile(optimizer=keras.optimizers.Adam(0.01))
history = vae.fit(digits, epochs=2, batch_size=6, verbose=0).history
assert set(history) == {"loss", "reconstruction", "kl"}
parts = np.array(history["reconstruction"]) + history["kl"]
assert np.allclose(history["loss"], parts, rtol=1e-5)
assert vae.decoder.predict(np.zeros((1, 2)), verbose=0).shape == (1, 4, 4, 1)
