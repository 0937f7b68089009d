"""Recurrence of one's own: cells in RNN, stacked cells, K.rnn inside of a layer."""

import keras
import numpy as np
from keras import backend as K
from keras.layers import RNN, Input, Layer
from keras.models import Model


class MinimalRNNCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        self.units = units
        self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )
        self.built = True

    def call(self, inputs, states):
        prev_output = states[0]
        h = K.dot(inputs, self.kernel)
        output = h + K.dot(prev_output, self.recurrent_kernel)
        return output, [output]


cell = MinimalRNNCell(4)
x = keras.Input((None, 5))
layer = RNN(cell)
y = layer(x)
cells = [MinimalRNNCell(4), MinimalRNNCell(6)]
y2 = RNN(cells)(x)
model = Model(x, [y, y2])
model.compile("sgd", "mse")
model.fit(np.random.rand(4, 3, 5), [np.random.rand(4, 4), np.random.rand(4, 6)], verbose=0)


class Decoder(Layer):
    def __init__(self, units, **kw):
        self.units = units
        super().__init__(**kw)

    def build(self, s):
        self.W = (
            self.add_weight("W", (s[-1], self.units), initializer="normal")
            if False
            else self.add_weight(name="W", shape=(s[-1], self.units), initializer="normal")
        )
        self.built = True

    def call(self, x, mask=None):
        h0 = K.sum(K.zeros_like(x), axis=(1, 2))
        h0 = K.tile(K.expand_dims(h0), [1, self.units])

        def step(inp, states):
            h = K.tanh(K.dot(inp, self.W) + states[0])
            return h, [h]

        last, outs, states = K.rnn(step, x, [h0], mask=mask)
        return outs

    def compute_output_shape(self, s):
        return s[:-1] + (self.units,)


i = Input((4, 3))
m = Model(i, Decoder(5)(i))
assert m.predict(np.ones((2, 4, 3))).shape == (2, 4, 5)
