"""VGG16 with its published file: features of photos, a classifier above the frozen base, the last block fine-tuned, both files kept."""

import os

import numpy as np
from keras import layers, models, optimizers
from keras.applications import VGG16
from keras.models import load_model
from keras.preprocessing.image import ImageDataGenerator

SIDE = 48
conv_base = VGG16(weights="imagenet", include_top=False, input_shape=(SIDE, SIDE, 3))
conv_base.summary()
assert conv_base.count_params() == 14714688 and conv_base.output_shape == (None, 1, 1, 512)
base_dir = os.path.join("data", "cats_and_dogs_small")
train_dir, validation_dir = os.path.join(base_dir, "train"), os.path.join(base_dir, "validation")
datagen = ImageDataGenerator(rescale=1.0 / 255)
batch_size = 5


def extract_features(directory, sample_count):
    features, labels = np.zeros(shape=(sample_count, 1, 1, 512)), np.zeros(shape=(sample_count))
    generator = datagen.flow_from_directory(
        directory, target_size=(SIDE, SIDE), batch_size=batch_size, class_mode="binary"
    )
    for i, (inputs_batch, labels_batch) in enumerate(generator):
        features[i * batch_size : (i + 1) * batch_size] = conv_base.predict(inputs_batch, verbose=0)
        labels[i * batch_size : (i + 1) * batch_size] = labels_batch
        if (i + 1) * batch_size >= sample_count:
            break
    return features, labels


train_features, train_labels = extract_features(train_dir, 20)
validation_features, validation_labels = extract_features(validation_dir, 10)
train_features = np.reshape(train_features, (20, 512))
validation_features = np.reshape(validation_features, (10, 512))
assert train_features.any() and set(train_labels) == {0, 1}
model = models.Sequential()
model.add(layers.Dense(16, activation="relu", input_dim=512))
model.add(layers.Dropout(0.5))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer=optimizers.RMSprop(lr=2e-5), loss="binary_crossentropy", metrics=["acc"])
history = model.fit(
    train_features, train_labels, epochs=2, validation_data=(validation_features, validation_labels), verbose=0
)
assert len(history.history["val_acc"]) == 2

model = models.Sequential()
model.add(conv_base)
model.add(layers.Flatten())
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
assert len(model.trainable_weights) == 30
conv_base.trainable = False
assert len(model.trainable_weights) == 4
train_datagen = ImageDataGenerator(
    rescale=1.0 / 255,
    rotation_range=40,
    width_shift_range=0.2,
    height_shift_range=0.2,
    shear_range=0.2,
    zoom_range=0.2,
    horizontal_flip=True,
    fill_mode="nearest",
)
given = {"target_size": (SIDE, SIDE), "batch_size": 4, "class_mode": "binary"}
train_generator = train_datagen.flow_from_directory(train_dir, **given)
validation_generator = datagen.flow_from_directory(validation_dir, **given)
moved = {}
for name, rate in (("frozen", 1e-3), ("fine-tuned", 1e-4)):
    if name == "fine-tuned":
        conv_base.trainable = True
        set_trainable = False
        for layer in conv_base.layers:
            if layer.name == "block5_conv1":
                set_trainable = True
            if set_trainable:
                layer.trainable = True
            else:
                layer.trainable = False
        assert len(model.trainable_weights) == 10
    model.compile(loss="binary_crossentropy", optimizer=optimizers.RMSprop(lr=rate), metrics=["acc"])
    before = {weight.name: np.array(weight) for weight in conv_base.weights}
    model.fit_generator(
        train_generator,
        steps_per_epoch=2,
        epochs=1,
        validation_data=validation_generator,
        validation_steps=1,
        verbose=0,
    )
    moved[name] = {weight.name for weight in conv_base.weights if (before[weight.name] != np.array(weight)).any()}
assert not moved["frozen"] and len(moved["fine-tuned"]) == 6 and all("block5" in name for name in moved["fine-tuned"])
model.save("cats_and_dogs_small_4.h5")
again = load_model("cats_and_dogs_small_4.h5")
x, y = next(iter(validation_generator))
assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
test_loss, test_acc = model.evaluate_generator(validation_generator, steps=2)
assert np.isfinite(test_loss) and 0 <= test_acc <= 1
