"""Autoencoders: digits cleaned of noise; and a code of two numbers beside principal components and k-means.

python -m refnet_fast.examples.autoencoder
"""

import numpy as np

from refnet_fast import layers, models, random, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, needed, run_program


def build_denoiser():
    model = models.Sequential(name="denoiser")
    model.add(layers.Input((28, 28, 1)))
    model.add(layers.Conv2D(32, 3, activation="relu", padding="same"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(32, 3, activation="relu", padding="same"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(32, 3, activation="relu", padding="same"))
    model.add(layers.UpSampling2D(2))
    model.add(layers.Conv2D(32, 3, activation="relu", padding="same"))
    model.add(layers.UpSampling2D(2))
    model.add(layers.Conv2D(1, 3, activation="sigmoid", padding="same"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["mse"])
    return model


def build_coder():
    image, code = layers.Input((784,)), layers.Input((2,))
    x = layers.Dense(256, activation="relu")(image)
    x = layers.Dense(64, activation="relu")(x)
    encoder = models.Model(image, layers.Dense(2)(x), name="encoder")
    x = layers.Dense(64, activation="relu")(code)
    x = layers.Dense(256, activation="relu")(x)
    decoder = models.Model(code, layers.Dense(784, activation="sigmoid")(x), name="decoder")
    whole = models.Model(image, decoder(encoder(image)))
    whole.compile(optimizer="adam", loss="mse")
    return whole, encoder


def purity(clusters, labels):
    """The share of digits that are the most frequent one of their cluster."""
    return sum(np.bincount(labels[clusters == k]).max() for k in np.unique(clusters)) / len(labels)


def main(job: Job) -> None:
    cluster, decomposition = (needed(f"sklearn.{part}", "scikit-learn") for part in ("cluster", "decomposition"))
    (x_train, _), (x_test, y_test) = mnist.load_data()
    count, tested = job.pick((60000, 10000), (6000, 2000))
    x_train = x_train[:count, :, :, None].astype("float32") / 255
    x_test, y_test = x_test[:tested, :, :, None].astype("float32") / 255, y_test[:tested]

    draws = random.SeedGenerator(job.seed)
    noisy_train, noisy_test = (
        np.clip(x + 0.5 * np.asarray(random.normal(x.shape, seed=draws)), 0, 1) for x in (x_train, x_test)
    )
    job.say(f"a denoising autoencoder on {count} digits")
    denoiser = build_denoiser()
    denoiser.fit(noisy_train, x_train, epochs=job.epochs(10, 3), batch_size=job.pick(128, 64))
    cleaned = denoiser.predict(noisy_test)
    job.result("noisy digits: mean squared error", np.mean((noisy_test - x_test) ** 2))
    job.result("cleaned digits: mean squared error", np.mean((cleaned - x_test) ** 2))
    rows = np.concatenate([noisy_test[:12], cleaned[:12], x_test[:12]])
    job.picture("denoised", visualize.image_grid(rows, columns=12, title="Noisy, cleaned, as they were"))

    job.say("two numbers for a digit: by an autoencoder, by principal components")
    coder, encoder = build_coder()
    flat_train, flat_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)
    coder.fit(flat_train, flat_train, epochs=job.epochs(30, 20), batch_size=128)
    pca = decomposition.PCA(2, random_state=job.seed).fit(flat_train)
    codes = {"autoencoder": encoder.predict(flat_test), "principal components": pca.transform(flat_test)}
    back = coder.predict(flat_test), pca.inverse_transform(codes["principal components"])
    for (name, code), rebuilt in zip(codes.items(), back):
        clusters = cluster.KMeans(10, n_init=4, random_state=job.seed).fit_predict(code)
        job.result(f"{name}: error of the digits rebuilt", np.mean((rebuilt - flat_test) ** 2))
        job.result(f"{name}: purity of ten clusters (k-means)", purity(clusters, y_test))
        words = name.replace(" ", "_")
        job.picture(words, visualize.scatter_2d(code, y_test, title=f"Test digits, two numbers each: {name}"))
    job.note("the book has no such program; it names denoising and codes as uses of autoencoders")


if __name__ == "__main__":
    run_program(main)
