"""A contributed normalization, frozen layers, weights by name, a JSON of the model, F1 in a callback, inner outputs."""

import keras
import numpy as np
from keras import backend as K
from keras import initializers
from keras.callbacks import Callback, CSVLogger, LambdaCallback
from keras.layers import (
    Activation,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    InputSpec,
    Layer,
    MaxPooling2D,
)
from keras.models import Sequential, model_from_json


class InstanceNormalization(Layer):
    def __init__(
        self,
        axis=None,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)

    def build(self, input_shape):
        ndim = len(input_shape)
        self.input_spec = InputSpec(ndim=ndim)
        shape = (1,) if self.axis is None else (input_shape[self.axis],)
        self.gamma = self.add_weight(shape=shape, name="gamma", initializer=self.gamma_initializer)
        self.beta = self.add_weight(shape=shape, name="beta", initializer=self.beta_initializer)
        self.built = True

    def call(self, inputs, training=None):
        input_shape = K.int_shape(inputs)
        reduction_axes = list(range(0, len(input_shape)))
        if self.axis is not None:
            del reduction_axes[self.axis]
        del reduction_axes[0]
        mean = K.mean(inputs, reduction_axes, keepdims=True)
        stddev = K.std(inputs, reduction_axes, keepdims=True) + self.epsilon
        normed = (inputs - mean) / stddev
        broadcast_shape = [1] * len(input_shape)
        if self.axis is not None:
            broadcast_shape[self.axis] = input_shape[self.axis]
        if self.scale:
            normed = normed * K.reshape(self.gamma, broadcast_shape)
        if self.center:
            normed = normed + K.reshape(self.beta, broadcast_shape)
        return normed

    def get_config(self):
        config = {
            "axis": self.axis,
            "epsilon": self.epsilon,
            "beta_initializer": initializers.serialize(self.beta_initializer),
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


feature_layers = [
    Conv2D(3, 3, padding="valid", input_shape=(8, 8, 1)),
    InstanceNormalization(axis=-1),
    Activation("relu"),
    MaxPooling2D(pool_size=2),
    Dropout(0.25),
    Flatten(),
]
classification_layers = [Dense(6), Activation("relu"), Dropout(0.5), Dense(3), Activation("softmax")]
model = Sequential(feature_layers + classification_layers)
x = np.random.rand(9, 8, 8, 1)
y = keras.utils.to_categorical(np.arange(9) % 3, 3)


class Metrics(Callback):
    def on_train_begin(self, logs=None):
        self.val_f1s = []

    def on_epoch_end(self, epoch, logs=None):
        val_predict = (np.asarray(self.model.predict(self.validation_data[0]))).round()
        val_targ = self.validation_data[1]
        self.val_f1s.append((val_predict == val_targ).mean())
        return


m = Metrics()
model.compile(loss="categorical_crossentropy", optimizer="adadelta", metrics=["accuracy"])
model.fit(
    x,
    y,
    batch_size=3,
    epochs=2,
    verbose=0,
    validation_data=(x, y),
    callbacks=[m, CSVLogger("log.csv"), LambdaCallback(on_epoch_end=lambda epoch, logs: None)],
)
assert len(m.val_f1s) == 2
for layer in feature_layers:
    layer.trainable = False
model.compile(loss="categorical_crossentropy", optimizer="adadelta", metrics=["accuracy"])
before = model.get_weights()
model.fit(x, y, batch_size=3, epochs=1, verbose=0)
assert np.array_equal(before[0], model.get_weights()[0])
json_string = model.to_json()
again = model_from_json(json_string, custom_objects={"InstanceNormalization": InstanceNormalization})
model.save_weights("w.h5")
again.load_weights("w.h5", by_name=True)
assert np.array_equal(again.predict(x), model.predict(x))
assert model.layers[0].output_shape == (None, 6, 6, 3)
get_3rd = K.function([model.layers[0].input, K.learning_phase()], [model.layers[3].output])
assert get_3rd([x, 0])[0].shape == (9, 3, 3, 3)
