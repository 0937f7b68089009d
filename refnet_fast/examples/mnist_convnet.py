"""Chollet 5.1: a convolutional network reads handwritten digits.

python -m refnet_fast.examples.mnist_convnet
"""

from refnet_fast import layers, models, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program
from refnet_fast.utils import to_categorical


def build_model():
    model = models.Sequential()
    model.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (train_images, train_labels), (test_images, test_labels) = mnist.load_data()
    count, tested = job.pick((60000, 10000), (6000, 2000))
    train_images = train_images[:count].reshape((-1, 28, 28, 1)).astype("float32") / 255
    test_images = test_images[:tested].reshape((-1, 28, 28, 1)).astype("float32") / 255
    test_labels = test_labels[:tested]

    model = build_model()
    model.summary()
    job.say(f"training on {count} digits")
    history = model.fit(train_images, to_categorical(train_labels[:count]), epochs=job.epochs(5, 2), batch_size=64)
    _, accuracy = model.evaluate(test_images, to_categorical(test_labels))
    job.result("parameters", model.count_params(), book=93322)
    job.result("training accuracy, last epoch", history.history["accuracy"][-1], book=0.9943)
    job.result("test accuracy", accuracy, book=0.9913)

    chances = model.predict(test_images)
    read = chances.argmax(axis=1)
    wrong = sorted((read != test_labels).nonzero()[0], key=lambda i: -chances[i, read[i]])[:40]
    titles = [f"{test_labels[i]} → {read[i]}" for i in wrong]
    job.picture(
        "misread", visualize.image_grid(1 - test_images[wrong], titles, columns=10, title="The surest mistakes")
    )
    job.picture("activations", visualize.activation_grids(model, test_images[0], title="What the layers see in a 7"))


if __name__ == "__main__":
    run_program(main)
