"""Real weather from a file: columns as floats, an endless generator of windows, a naive answer, time told backwards."""

import os

import numpy as np
from keras import layers
from keras.models import Sequential
from keras.optimizers import RMSprop

with open(os.path.join("data", "jena_climate_2024_part.csv")) as f:
    lines = f.read().split("\n")
header = lines[0].split(",")
lines = [line for line in lines[1:] if line][:900]
float_data = np.zeros((len(lines), len(header) - 1))
for i, line in enumerate(lines):
    float_data[i, :] = [float(x) for x in line.split(",")[1:]]
assert float_data.shape == (900, 14) and 10 < float_data[:, 1].mean() < 25  # degrees of a June in Jena
mean = float_data[:600].mean(axis=0)
float_data -= mean
std = float_data[:600].std(axis=0)
float_data /= std


def windows(data, lookback, delay, min_index, max_index, shuffle=False, batch_size=8, step=6):
    if max_index is None:
        max_index = len(data) - delay - 1
    i = min_index + lookback
    while 1:
        if shuffle:
            rows = np.random.randint(min_index + lookback, max_index, size=batch_size)
        else:
            if i + batch_size >= max_index:
                i = min_index + lookback
            rows = np.arange(i, min(i + batch_size, max_index))
            i += len(rows)
        samples = np.zeros((len(rows), lookback // step, data.shape[-1]))
        targets = np.zeros((len(rows),))
        for j, row in enumerate(rows):
            samples[j] = data[range(row - lookback, row, step)]
            targets[j] = data[row + delay][1]
        yield samples, targets


def backwards(*args, **kwargs):
    for samples, targets in windows(*args, **kwargs):
        yield samples[:, ::-1, :], targets


lookback, step, delay = 72, 12, 36
train_gen = windows(float_data, lookback, delay, 0, 600, shuffle=True, step=step)
back_gen = backwards(float_data, lookback, delay, 0, 600, shuffle=True, step=step)
val_gen = windows(float_data, lookback, delay, 601, 780, step=step)
test_gen = windows(float_data, lookback, delay, 781, None, step=step)
val_steps = 2
batch_maes = []
for _ in range(val_steps):
    samples, targets = next(val_gen)
    batch_maes.append(np.mean(np.abs(samples[:, -1, 1] - targets)))
assert 0 < np.mean(batch_maes) < 3

shape = float_data.shape[-1]
for generator in (train_gen, back_gen):
    model = Sequential()
    model.add(layers.GRU(3, input_shape=(None, shape)))
    model.add(layers.Dense(1))
    model.compile(optimizer=RMSprop(), loss="mae")
    before = model.get_weights()
    history = model.fit_generator(
        generator, steps_per_epoch=3, epochs=2, validation_data=val_gen, validation_steps=val_steps, verbose=0
    )
    assert len(history.history["val_loss"]) == 2 and np.isfinite(history.history["loss"]).all()
    assert all((a != b).any() for a, b in zip(before, model.get_weights()))
assert np.isscalar(model.evaluate_generator(test_gen, steps=2))
assert model.predict_generator(test_gen, steps=3).shape == (24, 1)
try:
    model.fit_generator(train_gen, epochs=1)
except ValueError as error:
    assert "steps_per_epoch" in str(error)
else:
    raise AssertionError("an epoch of an endless generator ended")

model = Sequential()
model.add(layers.Conv1D(3, 2, activation="relu", input_shape=(None, shape)))
model.add(layers.MaxPooling1D(2))
model.add(layers.Conv1D(3, 2, activation="relu"))
model.add(layers.GlobalMaxPooling1D())
model.add(layers.Dense(1))
model.compile(optimizer=RMSprop(lr=0.01), loss="mae")
fixed = next(windows(float_data, lookback, delay, 0, 600, step=step))
first = model.evaluate(*fixed, verbose=0)
model.fit(*fixed, epochs=20, batch_size=8, verbose=0)
assert model.evaluate(*fixed, verbose=0) < first
