"""A variational autoencoder: Lambda over a closure, a layer whose loss closes over tensors, loss=None, fit without targets."""

import keras
import numpy as np
from keras import backend as K
from keras import layers
from keras.models import Model

img_shape, batch_size, latent_dim = (6, 6, 1), 4, 2
input_img = keras.Input(shape=img_shape)
x = layers.Conv2D(2, 3, padding="same", activation="relu")(input_img)
x = layers.Conv2D(3, 3, padding="same", activation="relu", strides=(2, 2))(x)
shape_before_flattening = K.int_shape(x)
x = layers.Flatten()(x)
x = layers.Dense(4, activation="relu")(x)
z_mean = layers.Dense(latent_dim)(x)
z_log_var = layers.Dense(latent_dim)(x)


def sampling(args):
    z_mean, z_log_var = args
    epsilon = K.random_normal(shape=(K.shape(z_mean)[0], latent_dim), mean=0.0, stddev=1.0)
    return z_mean + K.exp(z_log_var) * epsilon


z = layers.Lambda(sampling)([z_mean, z_log_var])
decoder_input = layers.Input(K.int_shape(z)[1:])
x = layers.Dense(np.prod(shape_before_flattening[1:]), activation="relu")(decoder_input)
x = layers.Reshape(shape_before_flattening[1:])(x)
x = layers.Conv2DTranspose(2, 3, padding="same", activation="relu", strides=(2, 2))(x)
x = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
decoder = Model(decoder_input, x)
z_decoded = decoder(z)


class CustomVariationalLayer(keras.layers.Layer):
    def vae_loss(self, x, z_decoded):
        x = K.flatten(x)
        z_decoded = K.flatten(z_decoded)
        xent_loss = keras.metrics.binary_crossentropy(x, z_decoded)
        kl_loss = -5e-4 * K.mean(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
        return K.mean(xent_loss + kl_loss)

    def call(self, inputs):
        x = inputs[0]
        z_decoded = inputs[1]
        loss = self.vae_loss(x, z_decoded)
        self.add_loss(loss, inputs=inputs)
        return x


y = CustomVariationalLayer()([input_img, z_decoded])
vae = Model(input_img, y)
vae.compile(optimizer="rmsprop", loss=None)
vae.summary()
x_train = (np.random.RandomState(0).uniform(size=(16,) + img_shape) > 0.7).astype("float32")
history = vae.fit(
    x=x_train, y=None, shuffle=True, epochs=3, batch_size=batch_size, validation_data=(x_train[:8], None), verbose=0
)
assert history.history["loss"][-1] < history.history["loss"][0] and len(history.history["val_loss"]) == 3
z_sample = np.tile(np.array([[0.1, -0.3]]), batch_size).reshape(batch_size, 2)
assert decoder.predict(z_sample, batch_size=batch_size, verbose=0)[0].reshape(6, 6).shape == (6, 6)
