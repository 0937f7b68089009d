"""Chollet 8.5: a generative adversarial network that learns to draw frogs.

python -m refnet_fast.examples.gan
"""

import numpy as np

from refnet_fast import layers, models, optimizers, random, visualize
from refnet_fast.datasets import cifar10
from refnet_fast.examples.support import Job, run_program

LATENT, FROG, BATCH = 32, 6, 20


def build_generator(width):
    model = models.Sequential(name="generator")
    model.add(layers.Dense(width // 2 * 16 * 16, input_shape=(LATENT,)))
    model.add(layers.LeakyReLU())
    model.add(layers.Reshape((16, 16, width // 2)))
    model.add(layers.Conv2D(width, 5, padding="same"))
    model.add(layers.LeakyReLU())
    model.add(layers.Conv2DTranspose(width, 4, strides=2, padding="same"))
    model.add(layers.LeakyReLU())
    model.add(layers.Conv2D(width, 5, padding="same"))
    model.add(layers.LeakyReLU())
    model.add(layers.Conv2D(width, 5, padding="same"))
    model.add(layers.LeakyReLU())
    model.add(layers.Conv2D(3, 7, activation="tanh", padding="same"))
    return model


def build_discriminator(width):
    model = models.Sequential(name="discriminator")
    model.add(layers.Conv2D(width, 3, input_shape=(32, 32, 3)))
    model.add(layers.LeakyReLU())
    for _ in range(3):
        model.add(layers.Conv2D(width, 4, strides=2))
        model.add(layers.LeakyReLU())
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.4))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizers.RMSprop(learning_rate=0.0008, clipvalue=1.0), loss="binary_crossentropy")
    return model


def main(job: Job) -> None:
    (x_train, y_train), _ = cifar10.load_data(allow_part=True)
    at_hand = x_train[y_train.flatten() == FROG].astype("float32") / 127.5 - 1
    frogs = at_hand[: job.pick(None, 200)]
    width, every = job.pick((256, 50), (24, 10))
    iterations = job.epochs(40, 4) * len(frogs) // BATCH  # 10,000 with the 5,000 frogs of the book
    quarters = [iterations * quarter // 4 for quarter in range(4)]

    generator, discriminator = build_generator(width), build_discriminator(width // 2)
    discriminator.trainable = False
    code = layers.Input((LATENT,))
    gan = models.Model(code, discriminator(generator(code)))
    gan.compile(optimizers.RMSprop(learning_rate=0.0004, clipvalue=1.0), loss="binary_crossentropy")

    draws = random.SeedGenerator(job.seed)
    fixed = np.asarray(random.normal((10, LATENT), seed=draws))
    curves, stages = {"discriminator": [], "generator": []}, []
    start = 0
    for number in range(iterations):
        drawn = generator.predict_on_batch(np.asarray(random.normal((BATCH, LATENT), seed=draws)))
        real = frogs[start : start + BATCH]
        start = start + BATCH if start + 2 * BATCH <= len(frogs) else 0
        labels = np.concatenate([np.ones((BATCH, 1)), np.zeros((BATCH, 1))])
        labels += 0.05 * np.asarray(random.uniform(labels.shape, seed=draws))
        curves["discriminator"].append(discriminator.train_on_batch(np.concatenate([drawn, real]), labels))
        codes = np.asarray(random.normal((BATCH, LATENT), seed=draws))
        curves["generator"].append(gan.train_on_batch(codes, np.zeros((BATCH, 1))))
        last = number == iterations - 1
        if number % every == 0 or last:
            losses = ", ".join(f"{name} loss {float(x[-1]):.4f}" for name, x in curves.items())
            job.say(f"step {number} of {iterations}: {losses}")
        if number in quarters or last:
            stages += [(image + 1) / 2 for image in generator.predict_on_batch(fixed)]

    job.result("discriminator loss, last tenth", np.mean(curves["discriminator"][-iterations // 10 :]), book=0.6693)
    job.result("adversarial loss, last tenth", np.mean(curves["generator"][-iterations // 10 :]), book=0.6777)
    job.result("parameters of the generator", generator.count_params(), None if job.quick else 6264579)
    job.result("parameters of the discriminator", discriminator.count_params(), None if job.quick else 790913)
    if len(at_hand) < 5000:
        job.note(f"{len(at_hand)} frogs are at hand; the book has 5000, whose 40 epochs are 10,000 steps")
    if job.quick:
        job.note("quick: networks a tenth as wide; at so few steps there are colours, no frogs yet")
    job.picture("frogs", visualize.image_grid(stages, columns=10, title="Ten codes as training goes on"))
    job.picture("real", visualize.image_grid((frogs[:20] + 1) / 2, columns=10, title="Frogs of CIFAR-10"))
    title = "Two networks against each other"
    job.picture("losses", visualize.series(curves, title=title, x_label="step", y_label="loss", log=True))


if __name__ == "__main__":
    run_program(main)
