"""Attention layers of blogs: engine.topology, K.dot over three axes, masks, weights= of an Embedding, CuDNNGRU, a metric of K."""

import numpy as np
from keras import backend as K
from keras import constraints, initializers, regularizers
from keras.engine.topology import Input, Layer
from keras.layers import (
    Bidirectional,
    CuDNNGRU,
    Dense,
    Embedding,
    SpatialDropout1D,
    concatenate,
)
from keras.models import Model


def dot_product(x, kernel):
    if K.backend() == "tensorflow":
        return K.squeeze(K.dot(x, K.expand_dims(kernel)), axis=-1)
    else:
        return K.dot(x, kernel)


class AttentionWithContext(Layer):
    def __init__(
        self,
        W_regularizer=None,
        u_regularizer=None,
        b_regularizer=None,
        W_constraint=None,
        u_constraint=None,
        b_constraint=None,
        bias=True,
        **kwargs,
    ):
        self.supports_masking = True
        self.init = initializers.get("glorot_uniform")
        self.W_regularizer = regularizers.get(W_regularizer)
        self.u_regularizer = regularizers.get(u_regularizer)
        self.b_regularizer = regularizers.get(b_regularizer)
        self.W_constraint = constraints.get(W_constraint)
        self.u_constraint = constraints.get(u_constraint)
        self.b_constraint = constraints.get(b_constraint)
        self.bias = bias
        super().__init__(**kwargs)

    def build(self, input_shape):
        assert len(input_shape) == 3
        self.W = self.add_weight(
            (
                input_shape[-1],
                input_shape[-1],
            ),
            initializer=self.init,
            name=f"{self.name}_W",
            regularizer=self.W_regularizer,
            constraint=self.W_constraint,
        )
        if self.bias:
            self.b = self.add_weight(
                (input_shape[-1],),
                initializer="zero",
                name=f"{self.name}_b",
                regularizer=self.b_regularizer,
                constraint=self.b_constraint,
            )
        self.u = self.add_weight(
            (input_shape[-1],),
            initializer=self.init,
            name=f"{self.name}_u",
            regularizer=self.u_regularizer,
            constraint=self.u_constraint,
        )
        super().build(input_shape)

    def compute_mask(self, input, input_mask=None):
        return None

    def call(self, x, mask=None):
        uit = dot_product(x, self.W) if K.backend() != "tensorflow" else K.dot(x, self.W)
        if self.bias:
            uit += self.b
        uit = K.tanh(uit)
        ait = dot_product(uit, self.u)
        a = K.exp(ait)
        if mask is not None:
            a *= K.cast(mask, K.floatx())
        a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        a = K.expand_dims(a)
        weighted_input = x * a
        return K.sum(weighted_input, axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1]


class Attention(Layer):
    def __init__(self, step_dim, bias=True, **kwargs):
        self.step_dim = step_dim
        self.features_dim = 0
        self.bias = bias
        self.supports_masking = True
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight((input_shape[-1],), initializer="glorot_uniform", name=f"{self.name}_W")
        self.features_dim = input_shape[-1]
        self.b = self.add_weight((input_shape[1],), initializer="zero", name=f"{self.name}_b")
        self.built = True

    def call(self, x, mask=None):
        eij = K.reshape(
            K.dot(K.reshape(x, (-1, self.features_dim)), K.reshape(self.W, (self.features_dim, 1))), (-1, self.step_dim)
        )
        eij += self.b
        eij = K.tanh(eij)
        a = K.exp(eij)
        if mask is not None:
            a *= K.cast(mask, K.floatx())
        a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        return K.sum(x * K.expand_dims(a), axis=1)


inp = Input(shape=(7,))
x = Embedding(20, 5, weights=[np.random.rand(20, 5)], trainable=False)(inp)
x = SpatialDropout1D(0.1)(x)
y = Bidirectional(CuDNNGRU(3, return_sequences=True))(x)
out = concatenate(
    [
        AttentionWithContext(W_regularizer="l2")(y),
        Attention(7)(y),
        AttentionWithContext()(Embedding(20, 5, mask_zero=True)(inp)),
    ]
)
model = Model(inputs=inp, outputs=Dense(1, activation="sigmoid")(out))


def f1(y_true, y_pred):
    tp = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
    possible = K.sum(K.round(K.clip(y_true, 0, 1)))
    predicted = K.sum(K.round(K.clip(y_pred, 0, 1)))
    p = tp / (predicted + K.epsilon())
    r = tp / (possible + K.epsilon())
    return 2 * ((p * r) / (p + r + K.epsilon()))


model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy", f1])
model.fit(np.random.randint(0, 20, (12, 7)), np.arange(12) % 2, epochs=2, batch_size=4, verbose=0)
