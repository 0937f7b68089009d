"""Which pixel belongs to which digit: a small network that goes down and up again (U-Net) on scenes of MNIST digits.

python -m refnet_fast.examples.segmentation
"""

import numpy as np

from refnet_fast import layers, models, optimizers, random, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, needed, run_program

SIZE, BACKGROUND = 48, 10


def scenes(images, labels, count, draws):
    """Scenes of three digits on a noisy ground, and for each pixel the digit it belongs to, or 10."""
    chosen = np.asarray(random.randint((count, 3), 0, len(images), seed=draws))
    corners = np.asarray(random.randint((count, 3, 2), 0, SIZE - 28 + 1, seed=draws))
    x = 0.35 * np.asarray(random.uniform((count, SIZE, SIZE), seed=draws))
    y = np.full((count, SIZE, SIZE), BACKGROUND, "int32")
    for n in range(count):
        for k, (row, column) in zip(chosen[n], corners[n]):
            window = np.s_[n, row : row + 28, column : column + 28]
            ink = images[k] / np.float32(255)
            y[window] = np.where(ink > 0.4, labels[k], y[window])
            x[window] = np.maximum(x[window], ink)
    return x[..., None].astype("float32"), y


def build_model(width):
    def two(x, filters):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return layers.BatchNormalization(momentum=0.9)(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))

    image = layers.Input((SIZE, SIZE, 1))
    fine = two(image, width)
    middle = two(layers.MaxPooling2D(2)(fine), 2 * width)
    coarse = two(layers.MaxPooling2D(2)(middle), 4 * width)
    coarse = two(layers.MaxPooling2D(2)(coarse), 4 * width)
    up = layers.UpSampling2D(4)(coarse)
    middle = two(layers.concatenate([up, middle]), 2 * width)
    up = layers.UpSampling2D(2)(middle)
    fine = two(layers.concatenate([up, fine]), width)
    model = models.Model(image, layers.Conv2D(11, 1, activation="softmax")(fine))
    model.compile(optimizer=optimizers.Adam(0.002), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def mean_iou(truth, found):
    """Intersection over union, the mean over background and digits."""
    shares = [((truth == k) & (found == k)).sum() / ((truth == k) | (found == k)).sum() for k in range(11)]
    return np.mean(shares)


def main(job: Job) -> None:
    (images, labels), (test_images, test_labels) = mnist.load_data()
    draws = random.SeedGenerator(job.seed)
    count, tested, width = job.pick((8000, 500, 24), (900, 60, 10))
    x_train, y_train = scenes(images, labels, count, draws)
    x_test, y_test = scenes(test_images, test_labels, tested, draws)
    job.say(f"training on {count} scenes")
    model = build_model(width)
    history = model.fit(
        x_train, y_train, epochs=job.epochs(15, 9), batch_size=job.pick(16, 8), validation_data=(x_test, y_test)
    )
    found = model.predict(x_test, batch_size=20).argmax(-1)
    job.result("pixels right", np.mean(found == y_test))
    job.result("pixels of digits right", np.mean(found[y_test != BACKGROUND] == y_test[y_test != BACKGROUND]))
    job.result("mean intersection over union", mean_iou(y_test, found))
    job.result("baseline: all background, pixels right", np.mean(y_test == BACKGROUND))
    job.note("the book has no such program; it names segmentation as a kind of task")

    needed("matplotlib", "matplotlib")
    from matplotlib import colormaps

    colours = np.concatenate([colormaps["tab10"](range(10))[:, :3], np.ones((1, 3))])
    shown = [picture for n in range(8) for picture in (1 - x_test[n], colours[y_test[n]], colours[found[n]])]
    titles = ["scene", "true", "found"] * 8
    job.picture("masks", visualize.image_grid(shown, titles, columns=6, size=1.5, title="A colour for each digit"))
    job.picture("curves", visualize.training_curves(history, title="Segmentation"))


if __name__ == "__main__":
    run_program(main)
