"""Second and third edition, chapter 8: photos of a folder, changed at random, and the features of a convnet that is kept as it is."""

import pathlib

import keras
import numpy as np
from keras import layers
from keras.utils import image_dataset_from_directory

draw = np.random.default_rng(0)
for part in ("train", "validation"):
    for name, low in (("cat", 0), ("dog", 120)):
        folder = pathlib.Path("photos", part, name)
        folder.mkdir(parents=True)
        for i in range(6):
            keras.utils.save_img(folder / f"{name}.{i}.png", draw.integers(low, low + 130, (10, 12, 3)), scale=False)

train = image_dataset_from_directory("photos/train", image_size=(8, 8), batch_size=4, seed=1)
validation = image_dataset_from_directory("photos/validation", image_size=(8, 8), batch_size=4, shuffle=False)
for images, labels in train:
    assert images.shape == (4, 8, 8, 3) and labels.shape == (4,)
    break

augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.2)])
for images, _ in train.take(1):
    first, second = augment(images, training=True), augment(images, training=True)
    assert first.shape == images.shape and np.any(first != second)
    assert np.array_equal(augment(images, training=False), images)

inputs = keras.Input(shape=(8, 8, 3))
x = layers.Rescaling(1.0 / 255)(augment(inputs))
x = layers.Conv2D(filters=3, kernel_size=3, activation="relu")(x)
x = layers.MaxPooling2D(pool_size=2)(x)
x = layers.Dropout(0.5)(layers.Flatten()(x))
model = keras.Model(inputs=inputs, outputs=layers.Dense(1, activation="sigmoid")(x))
model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
kept = keras.callbacks.ModelCheckpoint(filepath="convnet.keras", save_best_only=True, monitor="val_loss")
history = model.fit(train, epochs=2, validation_data=validation, callbacks=[kept], verbose=0).history
again = keras.models.load_model("convnet.keras")
loss, accuracy = again.evaluate(validation, verbose=0)
assert loss == min(history["val_loss"])

ahead = train.map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=8).prefetch(1)
model.fit(ahead, epochs=1, validation_data=validation.cache(), verbose=0)

base = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 3, strides=2), layers.BatchNormalization()])
base.trainable = False
assert not base.trainable_weights and len(base.weights) == 6


def features_of(dataset):
    features, labels = [], []
    for images, of_images in dataset:
        features.append(base.predict(keras.applications.vgg16.preprocess_input(images), verbose=0))
        labels.append(of_images)
    return np.concatenate(features), np.concatenate(labels)


features, labels = features_of(validation)
assert features.shape == (12, 3, 3, 3) and labels.tolist() == [0] * 6 + [1] * 6
top = keras.Sequential([layers.Flatten(), layers.Dense(1, activation="sigmoid")])
top.compile(optimizer=keras.optimizers.RMSprop(0.01), loss="binary_crossentropy", metrics=["accuracy"])
top.fit(features, labels, epochs=10, verbose=0)
assert top.evaluate(features, labels, verbose=0)[1] > 0.9

inputs = keras.Input(shape=(8, 8, 3))
x = base(keras.applications.vgg16.preprocess_input(augment(inputs)))
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Flatten()(x)))
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
before = base.get_weights()
model.fit(train, epochs=1, verbose=0)
assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights()))
base.trainable = True
for layer in base.layers[:-1]:
    layer.trainable = False
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
model.fit(train, epochs=1, verbose=0)
assert [bool(np.any(a != b)) for a, b in zip(before, base.get_weights())] == [False, False, True, True, True, True]
