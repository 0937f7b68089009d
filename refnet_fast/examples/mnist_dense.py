"""Chollet 2.1: a first network, which reads handwritten digits.

python -m refnet_fast.examples.mnist_dense
"""

from refnet_fast import layers, models, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program
from refnet_fast.utils import to_categorical


def main(job: Job) -> None:
    (train_images, train_labels), (test_images, test_labels) = mnist.load_data()
    count = job.pick(60000, 12000)
    train_images = train_images[:count].reshape((-1, 28 * 28)).astype("float32") / 255
    train_labels = to_categorical(train_labels[:count])
    test_pixels = test_images.reshape((-1, 28 * 28)).astype("float32") / 255

    network = models.Sequential()
    network.add(layers.Dense(512, activation="relu", input_shape=(28 * 28,)))
    network.add(layers.Dense(10, activation="softmax"))
    network.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])

    job.say(f"training on {count} digits")
    history = network.fit(train_images, train_labels, epochs=job.epochs(5, 5), batch_size=128)
    _, accuracy = network.evaluate(test_pixels, to_categorical(test_labels))
    job.result("training accuracy, last epoch", history.history["accuracy"][-1], book=0.9890)
    job.result("test accuracy", accuracy, book=0.9777)

    chances = network.predict(test_pixels)
    read = chances.argmax(axis=1)
    surest = sorted((read != test_labels).nonzero()[0], key=lambda i: -chances[i, read[i]])[:40]
    titles = [f"{test_labels[i]} → {read[i]}" for i in surest]
    job.picture("curves", visualize.training_curves(history, title="MNIST, a dense network"))
    job.picture("confusion", visualize.confusion_matrix(test_labels, read, title="Which digit was read as which"))
    job.picture(
        "misread", visualize.image_grid(1 - test_images[surest] / 255, titles, columns=10, title="The surest mistakes")
    )


if __name__ == "__main__":
    run_program(main)
