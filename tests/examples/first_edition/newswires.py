"""One-hot newswires, one of several topics: attribute imports, optimizers with lr=, losses and metrics as functions, 'acc'."""

import keras
import numpy as np
from keras import layers, losses, metrics, models, optimizers, regularizers
from keras.utils.np_utils import to_categorical

TOPICS, WORDS = 4, 30
draws = np.random.RandomState(0)
sequences = [draws.randint(topic * 6, topic * 6 + 8, 5) for topic in np.arange(40) % TOPICS]


def vectorize_sequences(sequences, dimension=WORDS):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


x_train, one_hot_train_labels = vectorize_sequences(sequences), to_categorical(np.arange(40) % TOPICS)
x_val, partial_x_train = x_train[:8], x_train[8:]
y_val, partial_y_train = one_hot_train_labels[:8], one_hot_train_labels[8:]

model = keras.models.Sequential()
model.add(layers.Dense(8, activation="relu", kernel_regularizer=regularizers.l2(0.001), input_shape=(WORDS,)))
model.add(layers.Dropout(0.1))
model.add(layers.Dense(8, activation="relu"))
model.add(layers.Dense(TOPICS, activation="softmax"))
model.compile(optimizer=optimizers.RMSprop(lr=0.02), loss=losses.categorical_crossentropy, metrics=["accuracy"])
history = model.fit(partial_x_train, partial_y_train, epochs=8, batch_size=8, validation_data=(x_val, y_val), verbose=0)
history_dict = history.history
acc, val_acc = history_dict["acc"], history_dict["val_acc"]
assert len(val_acc) == 8 and acc[-1] > 0.6 and history_dict["loss"][-1] < history_dict["loss"][0]
results = model.evaluate(x_val, y_val, verbose=0)
assert len(results) == 2
predictions = model.predict(x_val, verbose=0)
assert abs(predictions[0].sum() - 1) < 1e-5

binary = models.Sequential()
binary.add(layers.Dense(4, activation="relu", input_dim=WORDS))
binary.add(layers.Dense(1, activation="sigmoid"))
binary.compile(
    optimizer=optimizers.RMSprop(lr=0.01), loss=losses.binary_crossentropy, metrics=[metrics.binary_accuracy]
)
kept = binary.fit(x_train, np.arange(40) % 2, nb_epoch=2, batch_size=10, validation_split=0.2, verbose=0).history
assert sorted(kept) == ["binary_accuracy", "loss", "val_binary_accuracy", "val_loss"]

price = models.Sequential([layers.Dense(4, activation="relu", input_shape=(WORDS,)), layers.Dense(1)])
price.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
mae_history = price.fit(
    x_train, x_train.sum(1), validation_data=(x_val, x_val.sum(1)), epochs=2, batch_size=1, verbose=0
)
assert len(mae_history.history["val_mean_absolute_error"]) == 2
keras.backend.clear_session()
