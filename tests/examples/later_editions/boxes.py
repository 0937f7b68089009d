"""Third edition, chapter 12: a grid in which each cell says where a box is and what is in it; a loss of one's own for one of two outputs."""

import keras
import numpy as np
from keras import layers, ops

grid, classes, size = 2, 3, 8
inputs = keras.Input((size, size, 3))
x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, kernel_initializer="he_normal")(inputs)
x = layers.Flatten()(layers.Activation("relu")(layers.BatchNormalization()(x)))
x = layers.Dense(8, activation="relu", kernel_initializer="glorot_normal")(x)
x = layers.Reshape((grid, grid, classes + 5))(layers.Dense(grid * grid * (classes + 5))(layers.Dropout(0.5)(x)))
outputs = {"box": x[..., :5], "class": layers.Activation("softmax")(x[..., 5:])}
model = keras.Model(inputs, outputs)


def unpack(box):
    return box[..., 0], box[..., 1], box[..., 2], box[..., 3]


def intersection(one, two):
    x1, y1, w1, h1 = unpack(one)
    x2, y2, w2, h2 = unpack(two)
    left, right = ops.maximum(x1 - w1 / 2, x2 - w2 / 2), ops.minimum(x1 + w1 / 2, x2 + w2 / 2)
    bottom, top = ops.maximum(y1 - h1 / 2, y2 - h2 / 2), ops.minimum(y1 + h1 / 2, y2 + h2 / 2)
    return ops.maximum(0.0, right - left) * ops.maximum(0.0, top - bottom)


def overlap(one, two):
    (_, _, w1, h1), (_, _, w2, h2) = unpack(one), unpack(two)
    both = intersection(one, two)
    areas = ops.maximum(w1, 0.0) * ops.maximum(h1, 0.0) + ops.maximum(w2, 0.0) * ops.maximum(h2, 0.0)
    return ops.divide_no_nan(both, areas - both)


def signed_sqrt(x):
    return ops.sign(x) * ops.sqrt(ops.abs(x) + keras.config.epsilon())


def box_loss(true, found):
    nothing = true[..., 4:] == 0.0
    places = ops.where(nothing, 0.0, ops.square(true[..., :2] - found[..., :2]) * 5.0)
    sizes = ops.square(signed_sqrt(true[..., 2:4]) - signed_sqrt(found[..., 2:4]))
    sizes = ops.where(nothing, 0.0, sizes * 5.0)
    sure = ops.square(ops.where(nothing, 0.0, ops.expand_dims(overlap(true, found), -1)) - found[..., 4:])
    sure = ops.where(nothing, sure * 0.5, sure)
    return ops.sum(ops.concatenate((places, sizes, sure), axis=-1), axis=(1, 2, 3))


box = np.array([[0.5, 0.5, 0.5, 0.5, 1]], "float32")
assert overlap(box, box).tolist() == [1] and overlap(box, box + [[0.25, 0, 0, 0, 0]]).tolist() == [1 / 3]
assert box_loss(box[None, None], box[None, None]).tolist() == [0]

draw = np.random.default_rng(0)
images = draw.random((8, size, size, 3)).astype("float32")
boxes, labels = np.zeros((8, grid, grid, 5), "float32"), np.zeros((8, grid, grid), "int32")
for i in range(8):
    row, column = draw.integers(0, grid, 2)
    boxes[i, row, column] = [*draw.random(4), 1]
    labels[i, row, column] = draw.integers(classes)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(index * 4, index * 4 + 4)
        return images[part], {"box": boxes[part], "class": labels[part]}


model.compile(
    optimizer=keras.optimizers.Adam(0.01),
    loss={"box": box_loss, "class": "sparse_categorical_crossentropy"},
    loss_weights={"box": 0.5, "class": 1.0},
)
history = model.fit(Batches(workers=1), epochs=4, validation_data=Batches(), verbose=0).history
assert history["val_loss"][-1] < history["val_loss"][0]
found = model.evaluate(images, {"box": boxes, "class": labels}, verbose=0, return_dict=True)
said = model.predict(images, verbose=0)
assert set(said) == {"box", "class"} and said["box"].shape == (8, grid, grid, 5)
assert np.isclose(found["box_loss"], np.mean(box_loss(boxes, said["box"])), rtol=1e-5)
assert np.isclose(found["loss"], 0.5 * found["box_loss"] + found["class_loss"], rtol=1e-5)
