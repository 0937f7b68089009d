"""What makes networks better: batch normalization, separable convolutions, self-normalizing layers, answers averaged."""

import keras
import numpy as np
from keras import layers
from keras.layers import AlphaDropout, Dense
from keras.models import Sequential
from keras.optimizers import SGD

draws = np.random.RandomState(0)
pictures, marks = draws.random_sample((16, 8, 8, 3)), draws.random_sample((16, 4))
model = Sequential()
model.add(layers.Conv2D(3, 3, activation="relu", input_shape=(8, 8, 3)))
model.add(layers.BatchNormalization())
model.add(layers.Flatten())
model.add(layers.Dense(4, activation="relu"))
model.add(layers.BatchNormalization())
model.add(layers.Dense(4))
model.compile("rmsprop", "mse")
normalization = model.layers[1]
assert len(normalization.trainable_weights) == len(normalization.non_trainable_weights) == 2
before = [w.copy() for w in normalization.get_weights()]
losses = model.fit(pictures, marks, epochs=3, batch_size=8, verbose=0).history["loss"]
assert losses[-1] < losses[0]
assert all((a != b).any() for a, b in zip(before, normalization.get_weights()))  # scale, shift, mean and variance
alone, together = model.predict(pictures[:1], verbose=0), model.predict(pictures, verbose=0)[:1]
assert np.allclose(alone, together, atol=1e-5)  # at inference a sample does not depend on its batch

height, width, channels, num_classes = 12, 12, 3, 4


def separable(seed):
    keras.utils.set_random_seed(seed)
    model = Sequential()
    model.add(layers.SeparableConv2D(4, 3, activation="relu", input_shape=(height, width, channels)))
    model.add(layers.SeparableConv2D(5, 3, activation="relu"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.SeparableConv2D(4, 3, activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(4, activation="relu"))
    model.add(layers.Dense(num_classes, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    return model


x_val = draws.random_sample((6, height, width, channels))
y_val = keras.utils.to_categorical(np.arange(6) % num_classes, num_classes)
models = [separable(seed) for seed in range(4)]
assert models[0].layers[0].count_params() == 3 * 3 * channels + channels * 4 + 4
for model in models:
    model.fit(x_val, y_val, epochs=1, batch_size=3, verbose=0)
preds_a, preds_b, preds_c, preds_d = (model.predict(x_val, verbose=0) for model in models)
final_preds = 0.25 * (preds_a + preds_b + preds_c + preds_d)
weighted = 0.5 * preds_a + 0.25 * preds_b + 0.1 * preds_c + 0.15 * preds_d
assert np.allclose(final_preds.sum(1), 1) and np.allclose(weighted.sum(1), 1, atol=1e-6)
errors = [-np.mean(np.sum(y_val * np.log(p), axis=1)) for p in (preds_a, preds_b, preds_c, preds_d, final_preds)]
assert errors[-1] <= np.mean(errors[:-1])  # the logarithm is concave

depth = Sequential()
for i in range(6):
    shape = {"input_shape": (8,)} if i == 0 else {}
    depth.add(Dense(16, activation="selu", kernel_initializer="lecun_normal", **shape))
depth.add(AlphaDropout(0.1))
depth.add(Dense(1))
depth.compile(optimizer=SGD(lr=0.01, momentum=0.9, nesterov=True, decay=1e-6), loss="mean_squared_error")
x = draws.normal(size=(64, 8))
inner = keras.models.Model(depth.input, depth.layers[5].output).predict(x, verbose=0)
assert 0.5 < inner.std() < 2 and abs(inner.mean()) < 0.5
losses = depth.fit(x, x.sum(1), epochs=4, batch_size=16, verbose=0).history["loss"]
assert losses[-1] < losses[0]
