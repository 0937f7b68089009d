"""Digits that move: a network of convolutional LSTMs says what the next frame shows. The labels are the film itself.

python -m refnet_fast.examples.next_frame
"""

import numpy as np

from refnet_fast import layers, models, optimizers, random, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program

SIZE, FRAMES = 28, 8


def films(digits, count, draws):
    """(count, FRAMES + 1, SIZE, SIZE, 1): MNIST digits at half size that move straight on and bounce off the walls."""
    small = digits.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    chosen = np.asarray(random.randint((count,), 0, len(small), seed=draws))
    place = np.asarray(random.uniform((count, 2), 0, SIZE - 14, seed=draws)).astype("float64")
    angle = np.asarray(random.uniform((count,), 0, 2 * np.pi, seed=draws))
    speed = 2.5 * np.stack([np.cos(angle), np.sin(angle)], 1)
    shown = np.zeros((count, FRAMES + 1, SIZE, SIZE, 1), "float32")
    for t in range(FRAMES + 1):
        for n, (row, column) in enumerate(np.rint(place).astype(int)):
            shown[n, t, row : row + 14, column : column + 14, 0] = small[chosen[n]]
        place += speed
        speed = np.where((place < 0) | (place > SIZE - 14), -speed, speed)
        place = np.clip(place, 0, SIZE - 14)
    return shown


def build_model(filters):
    frames = layers.Input((FRAMES, SIZE, SIZE, 1))
    x = layers.ConvLSTM2D(filters, 5, padding="same", return_sequences=True)(frames)
    x = layers.ConvLSTM2D(filters, 3, padding="same", return_sequences=True)(x)
    x = layers.concatenate([x, frames])
    model = models.Model(frames, layers.TimeDistributed(layers.Conv2D(1, 5, padding="same", activation="sigmoid"))(x))
    model.compile(optimizer=optimizers.Adam(0.003), loss="binary_crossentropy", metrics=["mse"])
    return model


def main(job: Job) -> None:
    (digits, _), (test_digits, _) = mnist.load_data()
    draws = random.SeedGenerator(job.seed)
    count, tested, filters = job.pick((3000, 500, 32), (320, 60, 8))
    train, test = films(digits, count, draws), films(test_digits, tested, draws)
    job.say(f"training on {count} films of {FRAMES + 1} frames")
    model = build_model(filters)
    history = model.fit(
        train[:, :-1],
        train[:, 1:],
        epochs=job.epochs(10, 5),
        batch_size=job.pick(16, 8),
        validation_data=(test[:, :-1], test[:, 1:]),
    )
    predicted = model.predict(test[:, :-1], batch_size=10)
    last = predicted[:, -1]
    job.result("last frame: mean squared error", np.mean((last - test[:, -1]) ** 2))
    job.result("common sense, the frame before: the same", np.mean((test[:, -2] - test[:, -1]) ** 2))
    job.result("common sense, an empty frame: the same", np.mean(test[:, -1] ** 2))
    job.note("the book has no such program; it names predicting the next frame as self-supervised learning")
    rows = [frame for n in range(4) for frame in (*test[n, -5:-1], test[n, -1], last[n])]
    titles = ["", "", "", "before", "next", "predicted"] * 4
    job.picture(
        "frames", visualize.image_grid(rows, titles, columns=6, size=1.4, title="Films, and what the network expects")
    )
    job.picture("curves", visualize.training_curves(history, title="Next-frame prediction"))


if __name__ == "__main__":
    run_program(main)
