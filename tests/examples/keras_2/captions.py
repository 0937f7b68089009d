"""Text in images by CTC: a Lambda over K.ctc_batch_cost, a loss that hands its output on, K.function in a callback."""

import itertools

import keras.callbacks
import numpy as np
from keras import backend as K
from keras.layers import Activation, Dense, Input, Lambda, Reshape
from keras.layers.convolutional import Conv2D, MaxPooling2D
from keras.layers.merge import add
from keras.layers.recurrent import GRU
from keras.models import Model
from keras.optimizers import SGD

np.random.seed(55)
alphabet = "abc "


def ctc_lambda_func(args):
    y_pred, labels, input_length, label_length = args
    y_pred = y_pred[:, 2:, :]
    return K.ctc_batch_cost(labels, y_pred, input_length, label_length)


def decode_batch(test_func, word_batch):
    out = test_func([word_batch])[0]
    ret = []
    for j in range(out.shape[0]):
        out_best = list(np.argmax(out[j, 2:], 1))
        out_best = [k for k, g in itertools.groupby(out_best)]
        ret.append("".join(alphabet[int(c)] if c < len(alphabet) else "" for c in out_best))
    return ret


class TextImageGenerator(keras.callbacks.Callback):
    def __init__(self, size):
        self.size = size

    def get_output_size(self):
        return len(alphabet) + 1

    def next_train(self):
        while 1:
            X = np.random.rand(self.size, img_w, img_h, 1)
            labels = np.random.randint(0, 4, (self.size, 4)).astype("float64")
            inputs = {
                "the_input": X,
                "the_labels": labels,
                "input_length": np.ones((self.size, 1)) * (img_w // 4 - 2),
                "label_length": np.ones((self.size, 1)) * 2,
                "source_str": np.array(["x"] * self.size),
            }
            outputs = {"ctc": np.zeros([self.size])}
            del inputs["source_str"]
            yield (inputs, outputs)

    def on_train_begin(self, logs=None):
        self.begun = True

    def on_epoch_begin(self, epoch, logs=None):
        pass


class VizCallback(keras.callbacks.Callback):
    def __init__(self, test_func, gen):
        self.test_func, self.gen = test_func, gen

    def on_epoch_end(self, epoch, logs=None):
        self.model.save_weights(f"weights{epoch:02d}.h5")
        word_batch = next(self.gen)[0]
        self.seen = decode_batch(self.test_func, word_batch["the_input"][0:2])


img_w, img_h, conv_filters, kernel_size, pool_size, time_dense_size, rnn_size, minibatch_size = (
    24,
    8,
    3,
    (3, 3),
    2,
    5,
    4,
    4,
)
input_shape = (img_w, img_h, 1)
img_gen = TextImageGenerator(minibatch_size)
act = "relu"
input_data = Input(name="the_input", shape=input_shape, dtype="float32")
inner = Conv2D(conv_filters, kernel_size, padding="same", activation=act, kernel_initializer="he_normal", name="conv1")(
    input_data
)
inner = MaxPooling2D(pool_size=(pool_size, pool_size), name="max1")(inner)
inner = Conv2D(conv_filters, kernel_size, padding="same", activation=act, kernel_initializer="he_normal", name="conv2")(
    inner
)
inner = MaxPooling2D(pool_size=(pool_size, pool_size), name="max2")(inner)
conv_to_rnn_dims = (img_w // (pool_size**2), (img_h // (pool_size**2)) * conv_filters)
inner = Reshape(target_shape=conv_to_rnn_dims, name="reshape")(inner)
inner = Dense(time_dense_size, activation=act, name="dense1")(inner)
gru_1 = GRU(rnn_size, return_sequences=True, kernel_initializer="he_normal", name="gru1")(inner)
gru_1b = GRU(rnn_size, return_sequences=True, go_backwards=True, kernel_initializer="he_normal", name="gru1_b")(inner)
gru1_merged = add([gru_1, gru_1b])
inner = Dense(img_gen.get_output_size(), kernel_initializer="he_normal", name="dense2")(gru1_merged)
y_pred = Activation("softmax", name="softmax")(inner)
Model(inputs=input_data, outputs=y_pred).summary()
labels = Input(name="the_labels", shape=[4], dtype="float32")
input_length = Input(name="input_length", shape=[1], dtype="int64")
label_length = Input(name="label_length", shape=[1], dtype="int64")
loss_out = Lambda(ctc_lambda_func, output_shape=(1,), name="ctc")([y_pred, labels, input_length, label_length])
sgd = SGD(lr=0.02, decay=1e-6, momentum=0.9, nesterov=True, clipnorm=5)
model = Model(inputs=[input_data, labels, input_length, label_length], outputs=loss_out)
model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer=sgd)
test_func = K.function([input_data], [y_pred])
viz_cb = VizCallback(test_func, img_gen.next_train())
h = model.fit_generator(
    generator=img_gen.next_train(),
    steps_per_epoch=3,
    epochs=2,
    validation_data=img_gen.next_train(),
    validation_steps=1,
    callbacks=[viz_cb, img_gen],
    initial_epoch=0,
    verbose=0,
)
assert len(viz_cb.seen) == 2 and h.history["loss"][1] < h.history["loss"][0] * 1.5
