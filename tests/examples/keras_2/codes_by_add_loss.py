"""A variational autoencoder as in Keras 2's examples: K.random_normal in a Lambda, a loss of symbols given to add_loss."""

import numpy as np
from keras import backend as K
from keras.layers import Dense, Input, Lambda
from keras.losses import binary_crossentropy, mse
from keras.models import Model
from keras.utils import plot_model


def sampling(args):
    z_mean, z_log_var = args
    batch = K.shape(z_mean)[0]
    dim = K.int_shape(z_mean)[1]
    epsilon = K.random_normal(shape=(batch, dim))
    return z_mean + K.exp(0.5 * z_log_var) * epsilon


original_dim, intermediate_dim, batch_size, latent_dim, epochs = 12, 8, 8, 2, 2
x_train = np.random.uniform(size=(32, original_dim))
x_test = np.random.uniform(size=(8, original_dim))

for loss in (mse, binary_crossentropy):
    inputs = Input(shape=(original_dim,), name="encoder_input")
    x = Dense(intermediate_dim, activation="relu")(inputs)
    z_mean = Dense(latent_dim, name="z_mean")(x)
    z_log_var = Dense(latent_dim, name="z_log_var")(x)
    z = Lambda(sampling, output_shape=(latent_dim,), name="z")([z_mean, z_log_var])
    encoder = Model(inputs, [z_mean, z_log_var, z], name="encoder")
    encoder.summary()
    latent_inputs = Input(shape=(latent_dim,), name="z_sampling")
    x = Dense(intermediate_dim, activation="relu")(latent_inputs)
    outputs = Dense(original_dim, activation="sigmoid")(x)
    decoder = Model(latent_inputs, outputs, name="decoder")
    outputs = decoder(encoder(inputs)[2])
    vae = Model(inputs, outputs, name="vae_mlp")

    reconstruction_loss = loss(inputs, outputs)
    reconstruction_loss *= original_dim
    kl_loss = 1 + z_log_var - K.square(z_mean) - K.exp(z_log_var)
    kl_loss = K.sum(kl_loss, axis=-1)
    kl_loss *= -0.5
    vae_loss = K.mean(reconstruction_loss + kl_loss)
    vae.add_loss(vae_loss)
    vae.compile(optimizer="adam")
    vae.summary()
    plot_model(vae, to_file="vae_mlp.png", show_shapes=True)
    history = vae.fit(x_train, epochs=epochs, batch_size=batch_size, validation_data=(x_test, None))
    vae.save_weights("vae_mlp_mnist.h5")
    assert sorted(history.history) == ["loss", "val_loss"] and np.isfinite(history.history["val_loss"]).all()
    before = decoder.predict(np.zeros((1, latent_dim)))
    vae.fit(x_train, epochs=1, batch_size=batch_size, verbose=0)
    vae.load_weights("vae_mlp_mnist.h5")
    assert np.array_equal(decoder.predict(np.zeros((1, latent_dim))), before)
    z_mean, _, _ = encoder.predict(x_test, batch_size=batch_size)
    assert z_mean.shape == (8, latent_dim)
