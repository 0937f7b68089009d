"""Windows of a time series from an endless generator, for dense, recurrent, bidirectional and convolutional networks."""

import numpy as np
from keras import layers
from keras.models import Sequential
from keras.optimizers import RMSprop

draws = np.random.RandomState(0)
float_data = np.cumsum(draws.normal(size=(200, 3)), axis=0)
mean = float_data[:100].mean(axis=0)
float_data -= mean
std = float_data[:100].std(axis=0)
float_data /= std
lookback, step, delay = 12, 3, 2


def generator(data, lookback, delay, min_index, max_index, shuffle=False, batch_size=6, step=6):
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
        for j, _row in enumerate(rows):
            indices = range(rows[j] - lookback, rows[j], step)
            samples[j] = data[indices]
            targets[j] = data[rows[j] + delay][1]
        yield samples, targets


train_gen = generator(float_data, lookback, delay, 0, 100, shuffle=True, step=step)
val_gen = generator(float_data, lookback, delay, 101, None, step=step)
shape = (None, float_data.shape[-1])
gru = {"dropout": 0.2, "recurrent_dropout": 0.2}
for stack in (
    [layers.Flatten(input_shape=(lookback // step, 3)), layers.Dense(4, activation="relu")],
    [layers.GRU(3, **gru, input_shape=shape)],
    [
        layers.GRU(3, dropout=0.1, recurrent_dropout=0.5, return_sequences=True, input_shape=shape),
        layers.GRU(3, activation="relu"),
    ],
    [layers.Bidirectional(layers.GRU(2), input_shape=shape)],
    [layers.Conv1D(3, 2, activation="relu", input_shape=shape), layers.MaxPooling1D(2), layers.GRU(2, **gru)],
):
    model = Sequential()
    for layer in stack:
        model.add(layer)
    model.add(layers.Dense(1))
    model.compile(optimizer=RMSprop(), loss="mae")
    history = model.fit_generator(
        train_gen, steps_per_epoch=3, epochs=1, validation_data=val_gen, validation_steps=2, verbose=0
    )
    assert np.isfinite(history.history["val_loss"][0])
