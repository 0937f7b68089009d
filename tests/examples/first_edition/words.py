"""Texts as numbers: Tokenizer, pad_sequences, a matrix of word vectors put into an Embedding, weights by layer order."""

import numpy as np
from keras import preprocessing
from keras.layers import LSTM, Dense, Embedding, Flatten, SimpleRNN
from keras.models import Sequential
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing.text import Tokenizer

samples = ["The cat sat on the mat.", "The dog ate my homework.", "A cat ate a dog", "My mat sat"] * 3
labels = np.asarray([0, 1, 1, 0] * 3)
tokenizer = Tokenizer(num_words=10)
tokenizer.fit_on_texts(samples)
sequences = tokenizer.texts_to_sequences(samples)
one_hot_results = tokenizer.texts_to_matrix(samples, mode="binary")
word_index = tokenizer.word_index
assert one_hot_results.shape == (12, 10) and word_index["the"] == 1 and len(word_index) == 10
data = pad_sequences(sequences, maxlen=4)
assert (
    data.shape == (12, 4)
    and data.dtype == "int32"
    and (data == preprocessing.sequence.pad_sequences(sequences, maxlen=4)).all()
)

embedding_matrix = np.zeros((10, 3))
draws = np.random.RandomState(0)
for _word, i in word_index.items():
    if i < 10:
        embedding_matrix[i] = draws.normal(size=3)

model = Sequential()
model.add(Embedding(10, 3, input_length=4))
model.add(Flatten())
model.add(Dense(4, activation="relu"))
model.add(Dense(1, activation="sigmoid"))
model.layers[0].set_weights([embedding_matrix])
model.layers[0].trainable = False
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
history = model.fit(data, labels, epochs=3, batch_size=4, validation_data=(data[:4], labels[:4]), verbose=0)
assert len(history.history["val_acc"]) == 3
assert np.array_equal(model.layers[0].get_weights()[0], embedding_matrix.astype("float32"))
model.save_weights("pre_trained_glove_model.h5")

other = Sequential(
    [Embedding(10, 3, input_length=4), Flatten(), Dense(4, activation="relu"), Dense(1, activation="sigmoid")]
)
other.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
other.load_weights("pre_trained_glove_model.h5")
assert other.evaluate(data, labels, verbose=0) == model.evaluate(data, labels, verbose=0)

for recurrent in (SimpleRNN, LSTM):
    model = Sequential()
    model.add(Embedding(10, 3))
    model.add(recurrent(3, return_sequences=True))
    model.add(recurrent(3))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    model.fit(data, labels, epochs=1, batch_size=6, validation_split=0.2, verbose=0)
    model.summary()
