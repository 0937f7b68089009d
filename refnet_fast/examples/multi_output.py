"""Chollet 7.1.3: one image, three answers of different kinds, each with a loss and a weight of its own.

python -m refnet_fast.examples.multi_output
"""

import numpy as np

from refnet_fast import Input, layers, models, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program


def build_model():
    image = Input((28, 28, 1), name="image")
    x = layers.Conv2D(16, 3, activation="relu")(image)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    odd = layers.Dense(1, activation="sigmoid", name="odd")(x)
    ink = layers.Dense(1, name="ink")(x)
    model = models.Model(image, [digit, odd, ink])
    model.compile(
        optimizer="rmsprop",
        loss={"digit": "sparse_categorical_crossentropy", "odd": "binary_crossentropy", "ink": "mse"},
        loss_weights={"digit": 1.0, "odd": 0.5, "ink": 0.25},
        metrics={"digit": "accuracy", "odd": "accuracy", "ink": "mae"},
    )
    return model


def answers(images, labels):
    """Which digit, whether it is odd, and how many tenths of the image are ink."""
    return {"digit": labels, "odd": labels % 2, "ink": images.mean(axis=(1, 2, 3)) * 10}


def main(job: Job) -> None:
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    count = job.pick(60000, 6000)
    x_train, x_test = x_train[:count, :, :, None].astype("float32") / 255, x_test[:, :, :, None].astype("float32") / 255
    model = build_model()
    job.say(f"training on {count} digits")
    told, told_test = answers(x_train, y_train[:count]), answers(x_test, y_test)
    model.fit(x_train, told, epochs=job.epochs(5, 3), batch_size=64)
    scores = model.evaluate(x_test, told_test, return_dict=True)
    job.result("which digit: test accuracy", scores["digit_accuracy"])
    job.result("whether odd: test accuracy", scores["odd_accuracy"])
    job.result("ink, tenths of the image: MAE", scores["ink_mae"])
    job.result("ink: MAE of always the mean", np.abs(told_test["ink"] - told["ink"].mean()).mean())
    job.note(
        "the book asks for age, income and gender of people whose posts it has not; here the answers are about digits"
    )
    job.picture("model", visualize.model_graph(model, show_layer_names=True))
    digit, odd, ink = model.predict(x_test[:24])
    titles = [f"{d.argmax()}, {'odd' if o > 0.5 else 'even'}, {i:.2f}" for d, o, i in zip(digit, odd[:, 0], ink[:, 0])]
    job.picture(
        "answers", visualize.image_grid(1 - x_test[:24], titles, columns=8, title="Three answers to each image")
    )


if __name__ == "__main__":
    run_program(main)
