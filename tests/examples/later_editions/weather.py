"""Second edition, chapter 10, third, chapter 13: windows of a series, and what is worth training on them."""

import keras
import numpy as np
from keras import layers

hours = np.arange(160.0)
raw = np.stack([np.sin(hours / 4), np.cos(hours / 4), np.sin(hours / 9)], axis=1)
temperature = raw[:, 0].copy()
count = 90
raw -= raw[:count].mean(axis=0)
raw /= raw[:count].std(axis=0)

whole = np.arange(10)
small = keras.utils.timeseries_dataset_from_array(whole[:-3], targets=whole[3:], sequence_length=3, batch_size=2)
rows = [[*map(int, window), int(target)] for x, y in small for window, target in zip(x, y)]
assert rows == [[i, i + 1, i + 2, i + 3] for i in range(5)]

rate, length = 2, 6
delay = rate * (length + 2 - 1)
told = {"sampling_rate": rate, "sequence_length": length, "batch_size": 16}
train = keras.utils.timeseries_dataset_from_array(
    raw[:-delay], targets=temperature[delay:], shuffle=True, seed=3, start_index=0, end_index=count, **told
)
validation = keras.utils.timeseries_dataset_from_array(
    raw[:-delay], targets=temperature[delay:], start_index=count, **told
)
for samples, targets in train:
    assert samples.shape == (16, length, 3) and targets.shape == (16,)
    break


def trained(outputs_of, epochs=1):
    inputs = keras.Input(shape=(length, 3))
    model = keras.Model(inputs, layers.Dense(1)(outputs_of(inputs)))
    model.compile(optimizer=keras.optimizers.RMSprop(0.01), loss="mse", metrics=["mae"])
    kept = keras.callbacks.ModelCheckpoint("series.keras", save_best_only=True)
    history = model.fit(train, epochs=epochs, validation_data=validation, callbacks=[kept], verbose=0).history
    best = keras.models.load_model("series.keras").evaluate(validation, verbose=0)
    assert best[0] == min(history["val_loss"])
    return best[1]


naive = np.mean([np.abs(x[:, -1, 0] * np.std(np.sin(hours[:count] / 4)) - y).mean() for x, y in validation])
assert trained(lambda x: layers.Dense(8, activation="relu")(layers.Flatten()(x)), epochs=8) < naive
trained(lambda x: layers.GlobalAveragePooling1D()(layers.MaxPooling1D(2)(layers.Conv1D(4, 3, activation="relu")(x))))
trained(lambda x: layers.Dropout(0.5)(layers.LSTM(4, recurrent_dropout=0.25)(x)))
trained(lambda x: layers.GRU(4, recurrent_dropout=0.5)(layers.GRU(4, recurrent_dropout=0.5, return_sequences=True)(x)))
trained(lambda x: layers.Bidirectional(layers.LSTM(4))(x))
trained(lambda x: layers.LSTM(3, recurrent_dropout=0.2, unroll=True)(x))
