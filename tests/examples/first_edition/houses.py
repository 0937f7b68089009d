"""Prices of real houses: statistics of the training rows, a new model for each fold, curves of folds, a last test."""

import numpy as np
from keras import backend as K
from keras import layers, models
from keras.datasets import boston_housing

(train_data, train_targets), (test_data, test_targets) = boston_housing.load_data()
assert train_data.shape == (404, 13) and test_data.shape == (102, 13) and train_targets[:2].tolist() == [15.2, 42.3]
mean = train_data.mean(axis=0)
train_data -= mean
std = train_data.std(axis=0)
train_data /= std
test_data -= mean
test_data /= std
train_data, train_targets = train_data[:60], train_targets[:60]


def build_model():
    model = models.Sequential()
    model.add(layers.Dense(4, activation="relu", input_shape=(train_data.shape[1],)))
    model.add(layers.Dense(4, activation="relu"))
    model.add(layers.Dense(1))
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    return model


K.clear_session()
k, num_epochs = 3, 2
num_val_samples = len(train_data) // k
all_scores, all_mae_histories = [], []
for i in range(k):
    val_data = train_data[i * num_val_samples : (i + 1) * num_val_samples]
    val_targets = train_targets[i * num_val_samples : (i + 1) * num_val_samples]
    rest = np.concatenate([train_data[: i * num_val_samples], train_data[(i + 1) * num_val_samples :]], axis=0)
    rest_targets = np.concatenate(
        [train_targets[: i * num_val_samples], train_targets[(i + 1) * num_val_samples :]], axis=0
    )
    model = build_model()
    history = model.fit(
        rest, rest_targets, validation_data=(val_data, val_targets), epochs=num_epochs, batch_size=1, verbose=0
    )
    all_mae_histories.append(history.history["val_mean_absolute_error"])
    val_mse, val_mae = model.evaluate(val_data, val_targets, verbose=0)
    assert np.isclose(val_mae, np.mean(abs(model.predict(val_data, verbose=0)[:, 0] - val_targets)), rtol=1e-4)
    assert np.isclose(val_mae, all_mae_histories[-1][-1], rtol=1e-4) and val_mse >= val_mae**2
    all_scores.append(val_mae)
names = [layer.name for layer in model.layers]
assert names == ["dense_6", "dense_7", "dense_8"]
K.clear_session()
assert [layer.name for layer in build_model().layers] == ["dense", "dense_1", "dense_2"]

average_mae_history = [np.mean([x[i] for x in all_mae_histories]) for i in range(num_epochs)]
assert average_mae_history[1] < average_mae_history[0] and np.isfinite(np.mean(all_scores))
model = build_model()
untrained_mse, untrained_mae = model.evaluate(test_data, test_targets, verbose=0)
model.fit(train_data, train_targets, epochs=8, batch_size=4, verbose=0)
test_mse_score, test_mae_score = model.evaluate(test_data, test_targets, verbose=0)
assert test_mse_score < untrained_mse and test_mae_score < untrained_mae
