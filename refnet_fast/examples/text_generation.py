"""Chollet 8.1: a network that writes like Nietzsche, letter by letter, at several temperatures.

python -m refnet_fast.examples.text_generation
"""

import numpy as np

from refnet_fast import layers, models, ops, optimizers, random, visualize
from refnet_fast.datasets import nietzsche
from refnet_fast.examples.support import Job, run_program

MAXLEN, STEP = 60, 3


def build_model(chars, units):
    model = models.Sequential()
    model.add(layers.Input((MAXLEN,), dtype="int32"))
    model.add(layers.Lambda(lambda letters: ops.one_hot(letters, chars)))
    model.add(layers.LSTM(units))
    model.add(layers.Dense(chars, activation="softmax"))
    model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizers.RMSprop(learning_rate=0.01))
    return model


def sample(chances, temperature, draws):
    """The number of a letter, drawn from the chances after these were made sharper or flatter."""
    logits = np.log(np.maximum(chances, 1e-12)) / temperature
    weights = np.exp(logits - logits.max())
    return int(np.searchsorted(np.cumsum(weights / weights.sum()), float(random.uniform((), seed=draws)) * 0.999999))


def written(model, chars, seed_text, temperature, length, draws):
    """What the model goes on with."""
    letters = [chars.index(c) for c in seed_text]
    for _ in range(length):
        chances = model.predict_on_batch(np.array([letters[-MAXLEN:]], "int32"))[0]
        letters.append(sample(chances.astype("float64"), temperature, draws))
    return "".join(chars[i] for i in letters[len(seed_text) :])


def main(job: Job) -> None:
    text = nietzsche.load_data().lower()
    chars = sorted(set(text))
    letters = np.array([chars.index(c) for c in text], "int32")
    starts = np.arange(0, len(text) - MAXLEN, STEP)
    job.result("characters", len(text), book=600893)
    job.result("different characters", len(chars), book=57)
    job.result("sequences", len(starts), book=200278)
    units, count, length = job.pick((128, len(starts), 400), (64, 12000, 200))
    starts = starts[:count]
    x, y = letters[starts[:, None] + np.arange(MAXLEN)], letters[starts + MAXLEN]

    model, draws = build_model(len(chars), units), random.SeedGenerator(job.seed)
    losses = []
    begin = text[200000:200060].replace("\n", " ")
    for epoch in range(job.epochs(60, 4)):
        losses += model.fit(x, y, batch_size=128, epochs=1).history["loss"]
        job.say(f"epoch {epoch + 1}: loss {losses[-1]:.4f}")
        last = epoch + 1 == job.epochs(60, 4)
        for temperature in (0.2, 0.5, 1.0, 1.2) if last else (0.5,) * (epoch % 10 == 9):
            job.say(f'temperature {temperature}: "{begin}"{written(model, chars, begin, temperature, length, draws)}')
    job.result("loss, first epoch", losses[0], book=1.9895)
    job.result("least loss", min(losses), book=1.3014)
    job.note("the book's loss grows again after epoch 55 (learning rate 0.01); its least one stands here")
    job.picture("loss", visualize.training_curves({"loss": losses}, title="Nietzsche, letter by letter"))


if __name__ == "__main__":
    run_program(main)
