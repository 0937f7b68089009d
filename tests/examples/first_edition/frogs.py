"""A generative adversarial network: the discriminator is compiled, then frozen inside a second model, and learns all the same."""

import os

import keras
import numpy as np
from keras import layers
from keras.preprocessing import image

latent_dim, height, width, channels = 3, 4, 4, 3
generator_input = keras.Input(shape=(latent_dim,))
x = layers.Dense(3 * 2 * 2)(generator_input)
x = layers.LeakyReLU()(x)
x = layers.Reshape((2, 2, 3))(x)
x = layers.Conv2DTranspose(3, 4, strides=2, padding="same")(x)
x = layers.LeakyReLU()(x)
x = layers.Conv2D(channels, 3, activation="tanh", padding="same")(x)
generator = keras.models.Model(generator_input, x)
generator.summary()

discriminator_input = layers.Input(shape=(height, width, channels))
x = layers.Conv2D(3, 3)(discriminator_input)
x = layers.LeakyReLU()(x)
x = layers.Flatten()(x)
x = layers.Dropout(0.4)(x)
x = layers.Dense(1, activation="sigmoid")(x)
discriminator = keras.models.Model(discriminator_input, x)
discriminator_optimizer = keras.optimizers.RMSprop(lr=0.0008, clipvalue=1.0, decay=1e-8)
discriminator.compile(optimizer=discriminator_optimizer, loss="binary_crossentropy")

discriminator.trainable = False
gan_input = keras.Input(shape=(latent_dim,))
gan = keras.models.Model(gan_input, discriminator(generator(gan_input)))
gan_optimizer = keras.optimizers.RMSprop(lr=0.0004, clipvalue=1.0, decay=1e-8)
gan.compile(optimizer=gan_optimizer, loss="binary_crossentropy")

x_train = np.random.RandomState(0).uniform(size=(12, height, width, channels))
iterations, batch_size, start = 3, 4, 0
os.makedirs("gan_images")
for step in range(iterations):
    random_latent_vectors = np.random.normal(size=(batch_size, latent_dim))
    generated_images = generator.predict(random_latent_vectors, verbose=0)
    stop = start + batch_size
    combined_images = np.concatenate([generated_images, x_train[start:stop]])
    labels = np.concatenate([np.ones((batch_size, 1)), np.zeros((batch_size, 1))])
    labels += 0.05 * np.random.random(labels.shape)
    before = [w.copy() for w in discriminator.get_weights()]
    d_loss = discriminator.train_on_batch(combined_images, labels)
    learned = discriminator.get_weights()
    assert all((a != b).any() for a, b in zip(before, learned)), "the discriminator must learn"
    made = [w.copy() for w in generator.get_weights()]
    a_loss = gan.train_on_batch(np.random.normal(size=(batch_size, latent_dim)), np.zeros((batch_size, 1)))
    assert all((a == b).all() for a, b in zip(learned, discriminator.get_weights())), "it is frozen within the gan"
    assert any((a != b).any() for a, b in zip(made, generator.get_weights()))
    assert np.isscalar(float(d_loss)) and np.isfinite(a_loss)
    start = 0 if start > len(x_train) - 2 * batch_size else start + batch_size
    img = image.array_to_img(generated_images[0] * 255.0, scale=False)
    img.save(os.path.join("gan_images", f"generated_frog{step}.png"))
