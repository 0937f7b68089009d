"""Text in images: a convnet, Bidirectional GRUs merged by add and concatenate, and CTC in a Lambda that is itself the loss."""

import itertools

import numpy as np
from keras import backend as K
from keras.callbacks import Callback
from keras.layers import GRU, Activation, Conv2D, Dense, Input, Lambda, MaxPooling2D, Reshape
from keras.layers.merge import add, concatenate
from keras.models import Model
from keras.optimizers import SGD

alphabet = "abc "
img_w, img_h, absolute_max_string_len, minibatch_size, downsample_factor = 32, 8, 3, 4, 4


def text_to_labels(text):
    return [alphabet.find(char) for char in text]


def labels_to_text(labels):
    return "".join("" if c == len(alphabet) else alphabet[c] for c in labels)


def ctc_lambda_func(args):
    y_pred, labels, input_length, label_length = args
    y_pred = y_pred[:, 2:, :]  # the first outputs of the RNN tend to be garbage
    return K.ctc_batch_cost(labels, y_pred, input_length, label_length)


def decode_batch(test_func, word_batch):
    out = test_func([word_batch])[0]
    ret = []
    for j in range(out.shape[0]):
        out_best = list(np.argmax(out[j, 2:], 1))
        out_best = [k for k, g in itertools.groupby(out_best)]
        ret.append(labels_to_text(out_best))
    return ret


class TextImageGenerator(Callback):
    def __init__(self, words):
        self.words, self.cur = words, 0

    def get_output_size(self):
        return len(alphabet) + 1

    def get_batch(self, size):
        X_data = np.random.uniform(0, 0.1, [size, img_w, img_h, 1])
        labels = np.ones([size, absolute_max_string_len]) * -1
        input_length, label_length = np.zeros([size, 1]), np.zeros([size, 1])
        for i in range(size):
            word = self.words[(self.cur + i) % len(self.words)]
            for k, char in enumerate(word):
                X_data[i, 10 * k : 10 * k + 8, alphabet.find(char) * 2, 0] = 1
            labels[i, 0 : len(word)] = text_to_labels(word)
            input_length[i] = img_w // downsample_factor - 2
            label_length[i] = len(word)
        inputs = {"the_input": X_data, "the_labels": labels, "input_length": input_length, "label_length": label_length}
        return (inputs, {"ctc": np.zeros([size])})

    def next_train(self):
        while 1:
            ret = self.get_batch(minibatch_size)
            self.cur += minibatch_size
            yield ret

    def on_train_begin(self, logs=None):
        if logs is None:
            logs = {}
        self.began = True


class VizCallback(Callback):
    def __init__(self, test_func, text_img_gen):
        self.test_func, self.text_img_gen, self.read = test_func, text_img_gen, []

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            logs = {}
        word_batch = next(self.text_img_gen)[0]
        self.read.append(decode_batch(self.test_func, word_batch["the_input"][0:2]))


img_gen = TextImageGenerator(["abc", "cab", "ba", "a"])
input_data = Input(name="the_input", shape=(img_w, img_h, 1), dtype="float32")
inner = Conv2D(4, (3, 3), padding="same", activation="relu", kernel_initializer="he_normal", name="conv1")(input_data)
inner = MaxPooling2D(pool_size=(2, 2), name="max1")(inner)
inner = Conv2D(4, (3, 3), padding="same", activation="relu", kernel_initializer="he_normal", name="conv2")(inner)
inner = MaxPooling2D(pool_size=(2, 2), name="max2")(inner)
inner = Reshape(target_shape=(img_w // 4, (img_h // 4) * 4), name="reshape")(inner)
inner = Dense(6, activation="relu", name="dense1")(inner)
gru_1 = GRU(5, return_sequences=True, kernel_initializer="he_normal", name="gru1")(inner)
gru_1b = GRU(5, return_sequences=True, go_backwards=True, kernel_initializer="he_normal", name="gru1_b")(inner)
gru1_merged = add([gru_1, gru_1b])
gru_2 = GRU(5, return_sequences=True, kernel_initializer="he_normal", name="gru2")(gru1_merged)
gru_2b = GRU(5, return_sequences=True, go_backwards=True, kernel_initializer="he_normal", name="gru2_b")(gru1_merged)
inner = Dense(img_gen.get_output_size(), kernel_initializer="he_normal", name="dense2")(concatenate([gru_2, gru_2b]))
y_pred = Activation("softmax", name="softmax")(inner)
Model(inputs=input_data, outputs=y_pred).summary()

labels = Input(name="the_labels", shape=[absolute_max_string_len], dtype="float32")
input_length = Input(name="input_length", shape=[1], dtype="int64")
label_length = Input(name="label_length", shape=[1], dtype="int64")
loss_out = Lambda(ctc_lambda_func, output_shape=(1,), name="ctc")([y_pred, labels, input_length, label_length])
sgd = SGD(lr=0.02, decay=1e-6, momentum=0.9, nesterov=True, clipnorm=5)
model = Model(inputs=[input_data, labels, input_length, label_length], outputs=loss_out)
model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer=sgd)
test_func = K.function([input_data], [y_pred])

viz_cb = VizCallback(test_func, img_gen.next_train())
history = model.fit_generator(
    generator=img_gen.next_train(),
    steps_per_epoch=4,
    epochs=3,
    validation_data=img_gen.next_train(),
    validation_steps=1,
    callbacks=[viz_cb, img_gen],
    initial_epoch=0,
)
assert img_gen.began and [len(read) for read in viz_cb.read] == [2, 2, 2]
assert history.history["loss"][-1] < history.history["loss"][0]
