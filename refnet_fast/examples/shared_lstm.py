"""Chollet 7.1.5: one LSTM reads two inputs with the same weights and says whether they are alike: are two digits the same?

python -m refnet_fast.examples.shared_lstm
"""

import numpy as np

from refnet_fast import Input, layers, models, ops, random, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program


def build_model():
    lstm = layers.LSTM(64)
    left, right = Input((28, 28)), Input((28, 28))  # an image is a sequence of 28 rows
    left_output, right_output = lstm(left), lstm(right)
    apart = layers.Lambda(lambda two: ops.abs(two[0] - two[1]))([left_output, right_output])
    hidden = layers.Dense(32, activation="relu")(apart)
    model = models.Model([left, right], layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def pairs(labels, count, draws):
    """Numbers of images that make pairs, half of them of the same digit."""
    first = np.asarray(random.randint((count,), 0, len(labels), seed=draws))
    second = np.asarray(random.randint((count,), 0, len(labels), seed=draws))
    rank = np.asarray(random.uniform((count,), seed=draws))
    of = [np.flatnonzero(labels == digit) for digit in range(10)]
    for n in range(0, count, 2):
        alike = of[labels[first[n]]]
        second[n] = alike[int(rank[n] * len(alike))]
    return first, second, (labels[first] == labels[second]).astype("float32")


def main(job: Job) -> None:
    (images, labels), (test_images, test_labels) = mnist.load_data()
    images, test_images = images.astype("float32") / 255, test_images.astype("float32") / 255
    draws = random.SeedGenerator(job.seed)
    count, tested = job.pick((60000, 10000), (12000, 2000))
    a, b, same = pairs(labels, count, draws)
    c, d, same_test = pairs(test_labels, tested, draws)

    model = build_model()
    job.say(f"training on {count} pairs of digits")
    history = model.fit(
        [images[a], images[b]],
        same,
        epochs=job.epochs(10, 5),
        batch_size=128,
        validation_data=([test_images[c], test_images[d]], same_test),
    )
    job.result("test accuracy", history.history["val_accuracy"][-1])
    job.result("baseline: the more frequent answer", max(same_test.mean(), 1 - same_test.mean()))
    job.result("LSTM layers", sum(isinstance(layer, layers.LSTM) for layer in model.layers), book=1)
    job.note("the book has no data for this model; here the two inputs are MNIST digits, read row by row")
    job.picture("model", visualize.model_graph(model, show_layer_names=True))
    sure = model.predict([test_images[c[:20]], test_images[d[:20]]])[:, 0]
    both = np.concatenate([test_images[c[:20]], test_images[d[:20]]], axis=2)
    titles = [f"same: {p:.0%}" for p in sure]
    job.picture("pairs", visualize.image_grid(1 - both, titles, columns=5, size=2, title="Are these the same digit?"))


if __name__ == "__main__":
    run_program(main)
