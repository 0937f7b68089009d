"""Strings of digits read as a whole: nobody says where a digit begins (connectionist temporal classification).

python -m refnet_fast.examples.ctc_digits
"""

import numpy as np

from refnet_fast import layers, models, ops, random, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program

WIDTH, LONGEST, BLANK = 112, 5, 10


def strings(images, labels, count, draws):
    """Images of 2 to 5 MNIST digits side by side, some touching, and their labels, -1 after the last."""
    chosen = np.asarray(random.randint((count, LONGEST), 0, len(images), seed=draws))
    lengths = np.asarray(random.randint((count,), 2, LONGEST + 1, seed=draws))
    gaps = np.asarray(random.randint((count, LONGEST), -2, 3, seed=draws))
    x, y = np.zeros((count, 28, WIDTH), "float32"), np.full((count, LONGEST), -1, "int32")
    for n in range(count):
        left = 2
        for k in range(lengths[n]):
            digit = images[chosen[n, k], :, 4:24] / 255
            x[n, :, left : left + 20] = np.maximum(x[n, :, left : left + 20], digit)
            y[n, k] = labels[chosen[n, k]]
            left += 20 + gaps[n, k]
    return x, y


def build_model():
    image = layers.Input((28, WIDTH))
    x = layers.Permute((2, 1))(image)  # the width is the time
    x = layers.Reshape((WIDTH, 28, 1))(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Reshape((WIDTH // 4, 7 * 32))(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(x)
    model = models.Model(image, layers.Dense(BLANK + 1)(x))
    model.compile(optimizer="adam", loss=ctc)
    return model


def ctc(y_true, y_pred):
    given = ops.cast(y_true, "int32")
    lengths = ops.sum(ops.cast(given >= 0, "int32"), axis=1)
    steps = lengths * 0 + WIDTH // 4
    return ops.ctc_loss(ops.maximum(given, 0), y_pred, lengths, steps, mask_index=BLANK)


def read(model, x):
    logits = model.predict(x, batch_size=100, verbose=0)
    labels, _ = ops.ctc_decode(logits, np.full(len(x), WIDTH // 4), mask_index=BLANK)
    return ["".join(str(k) for k in row if k >= 0) for row in np.asarray(labels)[0]]


def main(job: Job) -> None:
    (images, labels), (test_images, test_labels) = mnist.load_data()
    draws = random.SeedGenerator(job.seed)
    x_train, y_train = strings(images, labels, job.pick(20000, 4000), draws)
    x_test, y_test = strings(test_images, test_labels, job.pick(2000, 500), draws)
    spelled = ["".join(str(k) for k in row if k >= 0) for row in y_test]

    model = build_model()
    job.say(f"training on {len(x_train)} strings made from MNIST's training digits")
    history = model.fit(
        x_train, y_train, epochs=job.epochs(12, 8), batch_size=job.pick(64, 32), validation_data=(x_test, y_test)
    )
    texts = read(model, x_test)
    job.result("validation loss, last epoch", history.history["val_loss"][-1])
    job.result("strings read without an error", np.mean([a == b for a, b in zip(texts, spelled)]))
    job.result("their lengths right", np.mean([len(a) == len(b) for a, b in zip(texts, spelled)]))
    job.note("the book has no such program")
    titles = [f"{a} ✓" if a == b else f"{a}, not {b}" for a, b in zip(texts, spelled)]
    job.picture(
        "read",
        visualize.image_grid(1 - x_test[:24], titles[:24], columns=4, size=2.4, title="Strings as they were read"),
    )
    job.picture("curves", visualize.training_curves(history, title="CTC loss"))


if __name__ == "__main__":
    run_program(main)
