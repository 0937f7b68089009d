"""Real film reviews: decoding, multi-hot rows, regularizers and their penalty, recurrent and convolutional readers."""

import numpy as np
from keras import backend as K
from keras import layers, losses, metrics, models, optimizers, regularizers
from keras.datasets import imdb
from keras.layers import LSTM, Bidirectional, Dense, Embedding, SimpleRNN
from keras.models import Sequential
from keras.optimizers import RMSprop
from keras.preprocessing import sequence

WORDS, READ, HELD = 200, 48, 16
(train_data, train_labels), (test_data, test_labels) = imdb.load_data(num_words=WORDS)
assert len(train_data) == 25000 and train_data[0][:4] == [1, 14, 22, 16] and train_labels[0] == 1
assert max(max(review) for review in train_data) == WORDS - 1
word_index = imdb.get_word_index()
reverse_word_index = {value: key for (key, value) in word_index.items()}
decoded_review = " ".join([reverse_word_index.get(i - 3, "?") for i in train_data[0]])
assert decoded_review.startswith("? this film was just ")


def vectorize_sequences(sequences, dimension=WORDS):
    results = np.zeros((len(sequences), dimension))
    for i, review in enumerate(sequences):
        results[i, review] = 1.0
    return results


x_train, x_val = vectorize_sequences(train_data[HELD:READ]), vectorize_sequences(train_data[:HELD])
y_train = np.asarray(train_labels[HELD:READ]).astype("float32")
y_val = np.asarray(train_labels[:HELD]).astype("float32")


def dense_net(**first):
    model = models.Sequential()
    model.add(layers.Dense(4, activation="relu", input_shape=(WORDS,), **first))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


model = dense_net()
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
model.compile(optimizer=optimizers.RMSprop(lr=0.001), loss="binary_crossentropy", metrics=["accuracy"])
model.compile(optimizer=optimizers.RMSprop(lr=0.01), loss=losses.binary_crossentropy, metrics=[metrics.binary_accuracy])
kept = model.fit(x_train, y_train, epochs=6, batch_size=16, validation_data=(x_val, y_val), verbose=0).history
assert kept["loss"][-1] < kept["loss"][0] and len(kept["val_binary_accuracy"]) == 6
chances = model.predict(x_val, verbose=0)
assert chances.shape == (HELD, 1) and chances.dtype == "float32" and 0 < chances.min() < chances.max() < 1

for penalty in (regularizers.l2(0.01), regularizers.l1(0.01), regularizers.l1_l2(l1=0.01, l2=0.01)):
    model = dense_net(kernel_regularizer=penalty)
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    kernel = model.layers[0].get_weights()[0]
    expected = sum(
        0.01 * part
        for word, part in (("l1", abs(kernel).sum()), ("l2", (kernel**2).sum()))
        if float(getattr(penalty, word, 0))
    )
    loss, acc = model.evaluate(x_val, y_val, verbose=0)  # the penalty is in it, though nothing is trained
    p = model.predict(x_val, verbose=0)[:, 0]
    alone = -np.mean(y_val * np.log(p) + (1 - y_val) * np.log(1 - p))
    assert np.isclose(loss, alone + expected, rtol=1e-4)

model = Sequential()
model.add(Embedding(10000, 32))
model.add(SimpleRNN(32, return_sequences=True))
model.add(SimpleRNN(32))
lines = []
model.summary(print_fn=lines.append)
assert any("322,080" not in line and "320,000" in line for line in lines) and model.count_params() == 324160

maxlen = 12
backwards = sequence.pad_sequences([review[::-1] for review in train_data[:READ]], maxlen=maxlen)
input_train = sequence.pad_sequences(train_data[:READ], maxlen=maxlen)
assert input_train.shape == (READ, maxlen) and (backwards[0] == train_data[0][:maxlen][::-1]).all()
for reader in (SimpleRNN(3), LSTM(3), Bidirectional(LSTM(2))):
    model = Sequential()
    model.add(Embedding(WORDS, 4))
    model.add(reader)
    model.add(Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    history = model.fit(backwards, train_labels[:READ], epochs=1, batch_size=16, validation_split=0.25, verbose=0)
    assert {"acc", "loss", "val_acc", "val_loss"} <= set(history.history)

K.clear_session()
model = Sequential()
model.add(layers.Embedding(WORDS, 4, input_length=maxlen))
model.add(layers.Conv1D(3, 3, activation="relu"))
model.add(layers.MaxPooling1D(2))
model.add(layers.Conv1D(3, 3, activation="relu"))
model.add(layers.GlobalMaxPooling1D())
model.add(layers.Dense(1))  # no sigmoid: what lies outside of 0 to 1 is clipped
model.compile(optimizer=RMSprop(lr=1e-3), loss="binary_crossentropy", metrics=["acc"])
history = model.fit(input_train, train_labels[:READ], epochs=2, batch_size=16, validation_split=0.25, verbose=0)
assert np.isfinite(history.history["loss"]).all() and model.layers[0].name == "embedding"
