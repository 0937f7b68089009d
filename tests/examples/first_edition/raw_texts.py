"""Raw texts in folders: one-hot by hand and by hashing, a tokenizer, a GloVe file, vectors kept as they are, weights in a file."""

import os
import string

import numpy as np
from keras.datasets import imdb
from keras.layers import Dense, Embedding, Flatten
from keras.models import Sequential
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing.text import Tokenizer

samples = ["The cat sat on the mat.", "The dog ate my homework."]
token_index = {}
for sample in samples:
    for word in sample.split():
        token_index.setdefault(word, len(token_index) + 1)
by_hand = np.zeros((len(samples), 10, max(token_index.values()) + 1))
hashed = np.zeros((len(samples), 10, 1000))
letters = np.zeros((len(samples), 50, len(string.printable) + 1))
for i, sample in enumerate(samples):
    for j, word in list(enumerate(sample.split()))[:10]:
        by_hand[i, j, token_index[word]] = 1.0
        hashed[i, j, abs(hash(word)) % 1000] = 1.0
    for j, character in enumerate(sample[:50]):
        letters[i, j, string.printable.index(character)] = 1.0
assert by_hand.sum() == hashed.sum() == 11
tokenizer = Tokenizer(num_words=1000)
tokenizer.fit_on_texts(samples)
assert len(tokenizer.word_index) == 9 and tokenizer.texts_to_sequences(samples)[0] == [1, 2, 3, 4, 1, 5]
assert tokenizer.texts_to_matrix(samples, mode="binary").sum() == 10

(x, y), _ = imdb.load_data(num_words=400)
words = {rank + 3: word for word, rank in imdb.get_word_index().items()}
for label, name in enumerate(["neg", "pos"]):
    os.makedirs(os.path.join("aclImdb", "train", name))
    for i in [i for i in range(120) if y[i] == label][:20]:
        with open(os.path.join("aclImdb", "train", name, f"{i}_7.txt"), "w", encoding="utf-8") as f:
            f.write(" ".join(words.get(rank, "") for rank in x[i][1:]))

labels, texts = [], []
for label_type in ["neg", "pos"]:
    dir_name = os.path.join("aclImdb", "train", label_type)
    for fname in sorted(os.listdir(dir_name)):
        if fname[-4:] == ".txt":
            with open(os.path.join(dir_name, fname), encoding="utf-8") as f:
                texts.append(f.read())
            labels.append(0 if label_type == "neg" else 1)

maxlen, max_words, embedding_dim = 20, 100, 3
tokenizer = Tokenizer(num_words=max_words)
tokenizer.fit_on_texts(texts)
sequences = tokenizer.texts_to_sequences(texts)
word_index = tokenizer.word_index
assert len(word_index) > max_words > max(max(line) for line in sequences)
data, labels = pad_sequences(sequences, maxlen=maxlen), np.asarray(labels)
indices = np.arange(data.shape[0])
np.random.RandomState(0).shuffle(indices)
data, labels = data[indices], labels[indices]
x_train, y_train, x_val, y_val = data[:30], labels[:30], data[30:], labels[30:]

draws = np.random.RandomState(0)
with open("glove.6B.100d.txt", "w", encoding="utf-8") as f:
    for word in list(word_index)[:90]:
        f.write(word + "".join(f" {v:.4f}" for v in draws.normal(size=embedding_dim)) + "\n")
embeddings_index = {}
with open("glove.6B.100d.txt", encoding="utf-8") as f:
    for line in f:
        values = line.split()
        embeddings_index[values[0]] = np.asarray(values[1:], dtype="float32")
embedding_matrix = np.zeros((max_words, embedding_dim))
for word, i in word_index.items():
    vector = embeddings_index.get(word)
    if i < max_words and vector is not None:
        embedding_matrix[i] = vector


def reader():
    model = Sequential()
    model.add(Embedding(max_words, embedding_dim, input_length=maxlen))
    model.add(Flatten())
    model.add(Dense(4, activation="relu"))
    model.add(Dense(1, activation="sigmoid"))
    return model


model = reader()
model.summary()
model.layers[0].set_weights([embedding_matrix])
model.layers[0].trainable = False
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
history = model.fit(x_train, y_train, epochs=5, batch_size=8, validation_data=(x_val, y_val), verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0] and len(history.history["val_acc"]) == 5
assert (model.layers[0].get_weights()[0] == embedding_matrix.astype("float32")).all()
model.save_weights("pre_trained_glove_model.h5")

other = reader()
other.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
other.fit(x_train, y_train, epochs=1, batch_size=8, verbose=0)
trained = other.layers[0].get_weights()[0]
other.load_weights("pre_trained_glove_model.h5")
assert (trained != other.layers[0].get_weights()[0]).any()
assert other.evaluate(x_val, y_val, verbose=0) == model.evaluate(x_val, y_val, verbose=0)
