"""Second edition, chapter 9, third, chapters 9 to 11: segmentation, a small Xception, what a convnet sees and what it looks for.

The tape around a convnet is `keras.grad` here.
"""

import keras
import numpy as np
from keras import layers, ops

draw = np.random.default_rng(0)
images = draw.integers(0, 255, (4, 8, 8, 3)).astype("float32")
masks = (images.mean(-1, keepdims=True) // 86).astype("uint8")


def segmenting(size, classes):
    inputs = keras.Input(shape=(*size, 3))
    x = layers.Rescaling(1.0 / 255)(inputs)
    x = layers.Conv2D(4, 3, strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2D(4, 3, activation="relu", padding="same")(x)
    x = layers.Conv2DTranspose(4, 3, activation="relu", padding="same")(x)
    x = layers.Conv2DTranspose(4, 3, activation="relu", padding="same", strides=2)(x)
    return keras.Model(inputs, layers.Conv2D(classes, 3, activation="softmax", padding="same")(x))


model = segmenting((8, 8), 3)
overlap = keras.metrics.IoU(3, (0,), name="foreground_iou", sparse_y_true=True, sparse_y_pred=False)
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=[overlap])
kept = keras.callbacks.ModelCheckpoint("segments.keras", save_best_only=True)
history = model.fit(images, masks, epochs=2, batch_size=2, validation_data=(images, masks), callbacks=[kept], verbose=0)
assert {"foreground_iou", "val_foreground_iou"} < set(history.history)
model = keras.models.load_model("segments.keras")
found = model.predict(images, verbose=0).argmax(-1)
truth = masks[..., 0]
wanted = np.sum((found == 0) & (truth == 0)) / np.sum((found == 0) | (truth == 0))
assert abs(model.evaluate(images, masks, verbose=0)[1] - wanted) < 1e-6

inputs = keras.Input(shape=(8, 8, 3))
x = layers.Conv2D(filters=3, kernel_size=3, use_bias=False)(inputs)
for size in (3, 4):
    residual = x
    for _ in range(2):
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
        x = layers.SeparableConv2D(size, 3, padding="same", use_bias=False)(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    residual = layers.Conv2D(size, 1, strides=2, padding="same", use_bias=False)(residual)
    x = layers.add([x, residual])
x = layers.GlobalAveragePooling2D(name="pool")(x)
model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="answer")(layers.Dropout(0.5, name="drop")(x)))
model.compile(loss="sparse_categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
model.fit(images / 255, np.arange(4) % 2, batch_size=2, epochs=1, verbose=0)

seen = [layer for layer in model.layers if isinstance(layer, (layers.Conv2D, layers.MaxPooling2D))]
shown = keras.Model(inputs=model.input, outputs=[layer.output for layer in seen])
activations = shown.predict(images[:1] / 255, verbose=0)
assert [a.shape[1:] for a in activations] == [layer.output.shape[1:] for layer in seen]

# ---- where it looks: the gradient of the answer by the last features

last = model.get_layer("pool").input
convnet = keras.Model(model.inputs, last)
start = keras.Input(shape=last.shape[1:])
x = start
for name in ("pool", "drop", "answer"):
    x = model.get_layer(name)(x)
classifier = keras.Model(start, x)
features = convnet(images[:1] / 255)
answers = classifier(features)
best = ops.argmax(answers[0])
gradients = keras.grad(lambda features: ops.take(classifier(features)[0], best))(features)
weights, _ = model.get_layer("answer").get_weights()
chances = np.asarray(answers[0], "float64")
by_hand = chances[int(best)] * (weights[:, int(best)] - weights @ chances) / 4  # four places in the mean
assert np.allclose(gradients[0, 0, 0], by_hand, atol=1e-5)
heatmap = np.maximum(np.mean(features[0] * ops.mean(gradients, axis=(0, 1, 2)), axis=-1), 0)
assert heatmap.shape == features.shape[1:3]

# ---- what a filter looks for: an image that climbs its gradient


def response(image, index):
    return ops.mean(convnet(image)[..., index])


@keras.jit
def climb(image, index, rate):
    gradient = keras.grad(response)(image, index)
    return image + rate * gradient / ops.sqrt(ops.maximum(ops.sum(ops.square(gradient)), 1e-12))


image = draw.random((1, 8, 8, 3)).astype("float32") * 0.2 + 0.4
before = float(response(image, 1))
for _ in range(4):
    image = climb(image, 1, 0.1)
assert float(response(image, 1)) > before
