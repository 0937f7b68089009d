"""Second edition, chapter 12: an image that a convnet is shown comes to be what it sees more and more of, or is painted in another's style."""

import keras
import numpy as np
from keras import layers, ops

draw = np.random.default_rng(0)
inputs = keras.Input((None, None, 3))
x = layers.MaxPooling2D()(layers.Conv2D(3, 3, padding="same", activation="relu", name="low")(inputs))
model = keras.Model(inputs, layers.Conv2D(4, 3, padding="same", activation="relu", name="high")(x))
strength = {"low": 1.0, "high": 1.5}
features_of = keras.Model(inputs=model.inputs, outputs={name: model.get_layer(name).output for name in strength})


def seen(image):
    features, loss = features_of(image), ops.zeros(shape=())
    for name in features:
        loss += strength[name] * ops.mean(ops.square(features[name][:, 1:-1, 1:-1, :]))
    return loss


@keras.jit
def ascend(image, rate):
    loss, gradient = keras.value_and_grad(seen)(image)
    return loss, image + rate * gradient / ops.norm(gradient)


original = draw.random((1, 12, 12, 3)).astype("float32")
shapes = [(6, 6), (12, 12)]
shrunk = image = ops.image.resize(original, shapes[0])
for shape in shapes:
    image = ops.image.resize(image, shape)
    before = float(seen(image))
    for _ in range(3):
        loss, image = ascend(image, 0.1)
    assert float(seen(image)) > before
    lost = ops.image.resize(original, shape) - ops.image.resize(shrunk, shape)
    image += lost
    shrunk = ops.image.resize(original, shape)
keras.utils.save_img("dream.png", ops.convert_to_numpy(image)[0])

content, style = draw.random((2, 1, 8, 8, 3)).astype("float32")


def gram(x):
    x = ops.reshape(ops.transpose(x, (2, 0, 1)), (ops.shape(x)[-1], -1))
    return ops.matmul(x, ops.transpose(x))


def roughness(x):
    down, right = x[:, :-1, :-1] - x[:, 1:, :-1], x[:, :-1, :-1] - x[:, :-1, 1:]
    return ops.sum(ops.power(ops.square(down) + ops.square(right), 1.25))


def distance(image):
    features, loss = features_of(ops.concatenate([content, style, image], axis=0)), ops.zeros(shape=())
    loss += 0.1 * ops.sum(ops.square(features["high"][2] - features["high"][0]))
    for name in features:
        loss += ops.sum(ops.square(gram(features[name][1]) - gram(features[name][2]))) / len(features)
    return loss + 1e-3 * roughness(image)


rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=100, decay_rate=0.96)
optimizer, painted = keras.optimizers.Adam(rate), keras.Variable(content)
optimizer.build([painted])
losses = []
for _ in range(6):
    loss, gradient = keras.value_and_grad(distance)(painted)
    optimizer.apply_gradients([(gradient, painted)])
    losses.append(float(loss))
assert losses[-1] < losses[0]
