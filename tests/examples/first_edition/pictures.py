"""Photos from folders: ImageDataGenerator, fit_generator, .h5 files, features of a frozen base, then its last block opened."""

import os

import numpy as np
from keras import layers, models, optimizers
from keras.models import load_model
from keras.preprocessing import image
from keras.preprocessing.image import ImageDataGenerator

base_dir = "cats_and_dogs_small"
draws = np.random.RandomState(0)
for part in ("train", "validation"):
    for number, kind in enumerate(("cats", "dogs")):
        folder = os.path.join(base_dir, part, kind)
        os.makedirs(folder)
        for i in range(4):
            pixels = draws.randint(0, 120, (9, 9, 3)) + 120 * number
            image.array_to_img(pixels.astype("float32"), scale=False).save(os.path.join(folder, f"{i}.jpg"))

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
test_datagen = ImageDataGenerator(rescale=1.0 / 255)
train_generator = train_datagen.flow_from_directory(
    os.path.join(base_dir, "train"), target_size=(8, 8), batch_size=4, class_mode="binary"
)
validation_generator = test_datagen.flow_from_directory(
    os.path.join(base_dir, "validation"), target_size=(8, 8), batch_size=4, class_mode="binary"
)
for data_batch, labels_batch in train_generator:
    assert data_batch.shape == (4, 8, 8, 3) and labels_batch.shape == (4,)
    break

conv_base = models.Sequential(name="base")
conv_base.add(layers.Conv2D(2, (3, 3), activation="relu", input_shape=(8, 8, 3), name="block1_conv1"))
conv_base.add(layers.MaxPooling2D((2, 2), name="block1_pool"))
conv_base.add(layers.Conv2D(3, (2, 2), activation="relu", name="block5_conv1"))

features = np.zeros(shape=(8, 2, 2, 3))

endless = test_datagen.flow_from_directory(
    os.path.join(base_dir, "train"), target_size=(8, 8), batch_size=4, class_mode="binary"
)
for i, (inputs_batch, _) in enumerate(endless):
    features[i * 4 : (i + 1) * 4] = conv_base.predict(inputs_batch, verbose=0)
    if (i + 1) * 4 >= 8:
        break
assert np.reshape(features, (8, 2 * 2 * 3)).any()

model = models.Sequential()
model.add(conv_base)
model.add(layers.Flatten())
model.add(layers.Dropout(0.5))
model.add(layers.Dense(4, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
assert len(model.trainable_weights) == 8
conv_base.trainable = False
assert len(model.trainable_weights) == 4
model.compile(loss="binary_crossentropy", optimizer=optimizers.RMSprop(lr=1e-3), metrics=["acc"])
history = model.fit_generator(
    train_generator,
    steps_per_epoch=2,
    epochs=2,
    validation_data=validation_generator,
    validation_steps=3,  # more than there are: it begins again
    verbose=2,
)
assert len(history.history["val_acc"]) == 2

conv_base.trainable = True
set_trainable = False
for layer in conv_base.layers:
    if layer.name == "block5_conv1":
        set_trainable = True
    layer.trainable = set_trainable
model.compile(loss="binary_crossentropy", optimizer=optimizers.RMSprop(lr=1e-3), metrics=["acc"])
before = [w.copy() for w in conv_base.get_weights()]
model.fit_generator(train_generator, steps_per_epoch=2, epochs=1, verbose=0)
moved = [bool((a != b).any()) for a, b in zip(before, conv_base.get_weights())]
assert moved[:2] == [False, False] and moved[2]

model.save("cats_and_dogs_small_1.h5")
again = load_model("cats_and_dogs_small_1.h5")
test_loss, test_acc = again.evaluate_generator(validation_generator, steps=2)
x = image.img_to_array(image.load_img(os.path.join(base_dir, "train", "cats", "0.jpg"), target_size=(8, 8)))
x = x.reshape((1,) + x.shape)
assert np.array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))

for i, batch in enumerate(train_datagen.flow(x, batch_size=1)):
    assert image.array_to_img(batch[0]).size == (8, 8)
    if i == 3:
        break
