"""Real digits, read by a dense network, then by a convolutional one, whose table has the numbers that a reader counts."""

import keras
from keras import layers, models
from keras.datasets import mnist
from keras.utils import to_categorical

assert keras.__version__
(train_images, train_labels), (test_images, test_labels) = mnist.load_data()
assert (
    train_images.shape == (60000, 28, 28) and train_images.dtype == "uint8" and train_labels[:3].tolist() == [5, 0, 4]
)

network = models.Sequential()
network.add(layers.Dense(12, activation="relu", input_shape=(7 * 7,)))
network.add(layers.Dense(10, activation="softmax"))
network.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
flat_train = train_images[:200, 2::4, 2::4].reshape((200, 7 * 7)).astype("float32") / 255
flat_test = test_images[:100, 2::4, 2::4].reshape((100, 7 * 7)).astype("float32") / 255
one_hot_train, one_hot_test = to_categorical(train_labels[:200]), to_categorical(test_labels[:100])
assert one_hot_train.shape == (200, 10) and one_hot_train[0].argmax() == 5
untrained_loss, untrained_acc = network.evaluate(flat_test, one_hot_test, verbose=0)
network.fit(flat_train, one_hot_train, epochs=10, batch_size=4, verbose=0)
test_loss, test_acc = network.evaluate(flat_test, one_hot_test, verbose=0)
assert test_loss < 0.85 * untrained_loss and test_acc > untrained_acc + 0.2

model = models.Sequential()
model.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Conv2D(64, (3, 3), activation="relu"))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Conv2D(64, (3, 3), activation="relu"))
rows = []
model.summary(print_fn=rows.append)
assert model.count_params() == 55744 and model.output_shape == (None, 3, 3, 64)
model.add(layers.Flatten())
model.add(layers.Dense(64, activation="relu"))
model.add(layers.Dense(10, activation="softmax"))
table = []
model.summary(print_fn=table.append)
assert len(table) > len(rows) and any("93,322" in row for row in table)
assert [layer.output_shape if hasattr(layer, "output_shape") else layer.output.shape for layer in model.layers][
    -3:
] == [
    (None, 576),
    (None, 64),
    (None, 10),
]

small = models.Sequential()
small.add(layers.Conv2D(3, (3, 3), activation="relu", input_shape=(14, 14, 1)))
small.add(layers.MaxPooling2D((2, 2)))
small.add(layers.Conv2D(4, (3, 3), activation="relu"))
small.add(layers.Flatten())
small.add(layers.Dense(10, activation="softmax"))
small.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
images = train_images[:48, ::2, ::2].reshape((48, 14, 14, 1)).astype("float32") / 255
history = small.fit(images, one_hot_train[:48], epochs=4, batch_size=8, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0] and len(history.history["acc"]) == 4
