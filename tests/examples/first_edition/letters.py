"""A network that writes, letter by letter: bool one-hot windows, a temperature, predictions of one window at a time."""

import random
import sys

import keras
import numpy as np
from keras import layers

with open("nietzsche.txt", "w") as file:
    file.write("supposing that truth is a woman what then\n" * 4)
path = keras.utils.get_file(
    "nietzsche.txt", origin="https://example.invalid/nietzsche.txt", cache_dir=".", cache_subdir="."
)
with open(path) as file:
    text = file.read().lower()
maxlen, step = 6, 5
sentences, next_chars = [], []
for i in range(0, len(text) - maxlen, step):
    sentences.append(text[i : i + maxlen])
    next_chars.append(text[i + maxlen])
chars = sorted(set(text))
char_indices = {char: chars.index(char) for char in chars}
x = np.zeros((len(sentences), maxlen, len(chars)), dtype=bool)
y = np.zeros((len(sentences), len(chars)), dtype=bool)
for i, sentence in enumerate(sentences):
    for t, char in enumerate(sentence):
        x[i, t, char_indices[char]] = 1
    y[i, char_indices[next_chars[i]]] = 1

model = keras.models.Sequential()
model.add(layers.LSTM(4, input_shape=(maxlen, len(chars))))
model.add(layers.Dense(len(chars), activation="softmax"))
optimizer = keras.optimizers.RMSprop(lr=0.01)
model.compile(loss="categorical_crossentropy", optimizer=optimizer)


def sample(preds, temperature=1.0):
    preds = np.asarray(preds).astype("float64")
    preds = np.log(preds) / temperature
    exp_preds = np.exp(preds)
    preds = exp_preds / np.sum(exp_preds)
    probas = np.random.multinomial(1, preds, 1)
    return np.argmax(probas)


for _epoch in range(1, 3):
    model.fit(x, y, batch_size=16, epochs=1, verbose=0)
    start_index = random.randint(0, len(text) - maxlen - 1)
    generated_text = text[start_index : start_index + maxlen]
    for temperature in [0.2, 1.2]:
        for _ in range(3):
            sampled = np.zeros((1, maxlen, len(chars)))
            for t, char in enumerate(generated_text):
                sampled[0, t, char_indices[char]] = 1.0
            preds = model.predict(sampled, verbose=0)[0]
            next_char = chars[sample(preds, temperature)]
            generated_text += next_char
            generated_text = generated_text[1:]
            sys.stdout.write(next_char)
