"""Chollet 8.4: a variational autoencoder: digits laid out in a plane, so that every point of it is one.

python -m refnet_fast.examples.vae
"""

from refnet_fast import layers, losses, models, ops, random, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program

LATENT = 2


def build_encoder():
    image = layers.Input((28, 28, 1))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(64, 3, padding="same", activation="relu", strides=(2, 2))(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Dense(32, activation="relu")(layers.Flatten()(x))
    return models.Model(image, [layers.Dense(LATENT)(x), layers.Dense(LATENT)(x)])


def build_decoder():
    code = layers.Input((LATENT,))
    x = layers.Dense(14 * 14 * 64, activation="relu")(code)
    x = layers.Reshape((14, 14, 64))(x)
    x = layers.Conv2DTranspose(32, 3, padding="same", activation="relu", strides=(2, 2))(x)
    return models.Model(code, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def sampling(means_and_spreads):
    z_mean, z_log_var = means_and_spreads
    return z_mean + ops.exp(z_log_var) * random.normal(ops.shape(z_mean))


class VariationalLayer(layers.Layer):
    """Adds the loss: how unlike the image is, and how unlike a normal distribution the codes are."""

    def call(self, inputs):
        x, decoded, z_mean, z_log_var = inputs
        unlike = losses.binary_crossentropy(ops.reshape(x, (-1, 784)), ops.reshape(decoded, (-1, 784)))
        spread = -5e-4 * ops.mean(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=-1)
        self.add_loss(ops.mean(unlike + spread))
        return decoded


def main(job: Job) -> None:
    (x_train, _), (x_test, y_test) = mnist.load_data()
    count, tested = job.pick((60000, 10000), (1600, 200))
    x_train = x_train[:count, :, :, None].astype("float32") / 255
    x_test, y_test = x_test[:tested, :, :, None].astype("float32") / 255, y_test[:tested]

    encoder, decoder = build_encoder(), build_decoder()
    image = layers.Input((28, 28, 1))
    z_mean, z_log_var = encoder(image)
    decoded = decoder(layers.Lambda(sampling)([z_mean, z_log_var]))
    vae = models.Model(image, VariationalLayer()([image, decoded, z_mean, z_log_var]))
    # rmsprop begins with steps of three times its rate in all 12,544 weights of a unit: the logarithm of the variance overshoots, and
    # a batch near the beginning has a loss of hundreds or more (with Keras on TensorFlow, too). The next ones bring it back.
    vae.compile(optimizer="rmsprop", loss=None)

    job.say(f"training on {count} digits")
    history = vae.fit(x_train, epochs=job.epochs(10, 6), batch_size=16, validation_data=(x_test, None))
    job.result("parameters", vae.count_params(), book=550629)
    job.result("parameters of the decoder", decoder.count_params(), book=56385)
    job.result("loss, last epoch", history.history["loss"][-1], book=0.1794)
    job.result("validation loss, last epoch", history.history["val_loss"][-1], book=0.1801)

    job.note(
        "one of the first batches may have a huge loss, which the first epoch's mean shows: rmsprop begins with long steps"
    )

    job.picture("manifold", visualize.latent_manifold(decoder, 15, title="Digits, decoded from all over the plane"))
    codes, _ = encoder.predict(x_test)
    job.picture("codes", visualize.scatter_2d(codes, y_test, title="Where test digits lie in the plane"))
    falling = {"validation": {"loss": history.history["val_loss"]}}
    job.picture("curves", visualize.training_curves(falling, title="Variational autoencoder"))


if __name__ == "__main__":
    run_program(main)
