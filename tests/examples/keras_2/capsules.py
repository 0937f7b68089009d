"""A layer of capsules with routing by agreement: K.conv1d with a weight of one's own, K.permute_dimensions, a margin loss."""
# ruff: noqa: F405

import numpy as np
from keras import activations, utils
from keras import backend as K
from keras.layers import *  # noqa: F403
from keras.models import Model
from keras.preprocessing.image import ImageDataGenerator


def squash(x, axis=-1):
    s_squared_norm = K.sum(K.square(x), axis, keepdims=True) + K.epsilon()
    scale = K.sqrt(s_squared_norm) / (0.5 + s_squared_norm)
    return scale * x


def softmax(x, axis=-1):
    ex = K.exp(x - K.max(x, axis=axis, keepdims=True))
    return ex / K.sum(ex, axis=axis, keepdims=True)


def margin_loss(y_true, y_pred):
    lamb, margin = 0.5, 0.1
    high = y_true * K.square(K.relu(1 - margin - y_pred))
    return K.sum(high + lamb * (1 - y_true) * K.square(K.relu(y_pred - margin)), axis=-1)


class Capsule(Layer):
    def __init__(self, num_capsule, dim_capsule, routings=3, activation="squash", **kwargs):
        super().__init__(**kwargs)
        self.num_capsule = num_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings
        self.activation = squash if activation == "squash" else activations.get(activation)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="capsule_kernel",
            shape=(1, input_shape[-1], self.num_capsule * self.dim_capsule),
            initializer="glorot_uniform",
            trainable=True,
        )

    def call(self, inputs):
        hat_inputs = K.conv1d(inputs, self.kernel)
        batch_size = K.shape(inputs)[0]
        input_num_capsule = K.shape(inputs)[1]
        hat_inputs = K.reshape(hat_inputs, (batch_size, input_num_capsule, self.num_capsule, self.dim_capsule))
        hat_inputs = K.permute_dimensions(hat_inputs, (0, 2, 1, 3))
        b = K.zeros_like(hat_inputs[:, :, :, 0])
        for i in range(self.routings):
            c = softmax(b, 1)
            o = self.activation(K.sum(K.expand_dims(c, -1) * hat_inputs, axis=2))
            if i < self.routings - 1:
                b = K.sum(K.expand_dims(o, 2) * hat_inputs, axis=3)
        return o

    def compute_output_shape(self, input_shape):
        return (None, self.num_capsule, self.dim_capsule)


x_train = np.random.uniform(size=(8, 10, 10, 3)).astype("float32")
y_train = utils.to_categorical(np.arange(8) % 3, 3)
input_image = Input(shape=(None, None, 3))
x = Conv2D(4, (3, 3), activation="relu")(input_image)
x = AveragePooling2D((2, 2))(x)
x = Reshape((-1, 4))(x)
capsule = Capsule(3, 4, 3)(x)
output = Lambda(lambda z: K.sqrt(K.sum(K.square(z), 2)))(capsule)
model = Model(inputs=input_image, outputs=output)
model.compile(loss=margin_loss, optimizer="adam", metrics=["accuracy"])
model.summary()
datagen = ImageDataGenerator(width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True)
datagen.fit(x_train)
model.fit_generator(
    datagen.flow(x_train, y_train, batch_size=4), epochs=2, validation_data=(x_train, y_train), workers=4
)
before = model.evaluate(x_train, y_train)[0]
model.fit(x_train, y_train, epochs=5, verbose=0)
assert model.evaluate(x_train, y_train)[0] < before
assert model.predict(x_train[:, :6, :6]).shape == (8, 3)
