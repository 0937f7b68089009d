"""Stateful LSTMs: batch_size= on the first layer, reset_states of the model; characters decoded from predict_classes."""

import numpy as np
from keras import layers
from keras.layers import LSTM, Dense
from keras.models import Sequential
from keras.optimizers import Adam

lahead, batch_size, epochs = 1, 1, 2
data = np.random.uniform(-0.1, 0.1, size=(20, 1, 1))
expected = np.cumsum(data[:, 0]).reshape(-1, 1)


def create_model(stateful):
    model = Sequential()
    model.add(LSTM(4, input_shape=(lahead, 1), batch_size=batch_size, stateful=stateful))
    model.add(Dense(1))
    model.compile(loss="mse", optimizer="adam")
    return model


model_stateful = create_model(stateful=True)
for _ in range(epochs):
    model_stateful.fit(
        data,
        expected,
        batch_size=batch_size,
        epochs=1,
        verbose=0,
        validation_data=(data[:5], expected[:5]),
        shuffle=False,
    )
    model_stateful.reset_states()
predicted_stateful = model_stateful.predict(data, batch_size=batch_size)
model_stateless = create_model(stateful=False)
model_stateless.fit(data, expected, batch_size=batch_size, epochs=1, verbose=0, shuffle=False)


class CharacterTable:
    def __init__(self, chars):
        self.chars = sorted(set(chars))
        self.char_indices = {c: i for i, c in enumerate(self.chars)}
        self.indices_char = dict(enumerate(self.chars))

    def encode(self, C, num_rows):
        x = np.zeros((num_rows, len(self.chars)))
        for i, c in enumerate(C):
            x[i, self.char_indices[c]] = 1
        return x

    def decode(self, x, calc_argmax=True):
        if calc_argmax:
            x = x.argmax(axis=-1)
        return "".join(self.indices_char[x] for x in x)


ctable = CharacterTable("0123456789+ ")
sums = [(f"{a}+{b}"[::-1], f"{a + b:<2}") for a in range(6) for b in range(4)]
x = np.array([ctable.encode(question, 3) for question, _ in sums], dtype=bool)
y = np.array([ctable.encode(answer, 2) for _, answer in sums], dtype=bool)
model = Sequential()
model.add(layers.LSTM(5, input_dim=12, input_length=3))
model.add(layers.RepeatVector(2))
model.add(layers.LSTM(5, return_sequences=True))
model.add(layers.TimeDistributed(layers.Dense(12, activation="softmax")))
model.compile(loss="categorical_crossentropy", optimizer=Adam(lr=0.01, epsilon=None), metrics=["accuracy"])
losses = [model.fit(x, y, batch_size=8, epochs=1, verbose=0, validation_data=(x, y)).history["loss"][0] for _ in "123"]
assert losses[-1] < losses[0]
preds = model.predict_classes(x[:1], verbose=0)
assert ctable.decode(preds[0], calc_argmax=False) == ctable.decode(model.predict_proba(x[:1])[0])
assert model.layers[0].input_shape == (None, 3, 12) and model.layers[0].get_output_shape_at(0) == (None, 5)
