"""Chollet 5.4: inside a convnet: what its layers answer, which pattern each filter looks for, where a decision comes from.

python -m refnet_fast.examples.inside_a_convnet
"""

import numpy as np

from refnet_fast import layers, models, visualize
from refnet_fast.datasets import cifar10
from refnet_fast.examples.support import Job, run_program


def build_model():
    model = models.Sequential()
    model.add(layers.Input((32, 32, 3)))
    model.add(layers.Conv2D(32, 5, activation="relu", padding="same", name="edges"))
    model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(64, 3, activation="relu", padding="same", name="textures"))
    model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(64, 3, activation="relu", padding="same", name="parts"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (x_train, y_train), (x_test, y_test) = cifar10.load_data(allow_part=True)
    x_train, x_test = x_train.astype("float32") / 255, x_test.astype("float32") / 255
    mirrored = np.concatenate([x_train, x_train[:, :, ::-1]]), np.concatenate([y_train, y_train])
    count = len(x_train)

    model = build_model()
    job.say(f"training on {count} photos and their mirror images")
    model.fit(*mirrored, epochs=job.epochs(20, 5), batch_size=32, validation_data=(x_test, y_test))
    job.result("test accuracy", model.evaluate(x_test, y_test)[1])
    job.result("baseline: one class of ten", 0.1)
    job.note(
        f"a small net, trained here on {count} CIFAR-10 photos; the book looks inside VGG16, whose weights are not at hand"
    )

    names = cifar10.get_label_names()
    chances = model.predict(x_test)
    right = np.flatnonzero(chances.argmax(1) == y_test[:, 0])
    surest = right[np.argsort(-chances[right].max(1))]
    photo = x_test[surest[0]]
    convolutions = ["edges", "textures", "parts"]
    job.say("activations, filter patterns, heat maps")
    title = f"What the layers answer to a photo: {names[y_test[surest[0], 0]]}"
    job.picture("activations", visualize.activation_grids(model, photo, convolutions, title=title))
    for name in convolutions:
        answers = models.Model(model.input, model.get_layer(name).output).predict(x_test[:200])
        busiest = np.argsort(-answers.mean(axis=(0, 1, 2)))[:24]
        title = f"What the busiest filters of {name} look for"
        patterns = visualize.filter_patterns(
            model, name, busiest.tolist(), steps=job.pick(100, 40), rate=2, title=title
        )
        job.picture(f"patterns_{name}", patterns)
    each = [next(i for i in surest if y_test[i, 0] == kind) for kind in np.unique(y_test[surest, 0])[:8]]
    images, titles = [], []
    for i in each:
        heat = visualize.heatmap(model, x_test[i], "parts")
        images += [x_test[i], visualize.overlay(x_test[i], heat)]
        titles += [names[y_test[i, 0]], f"{chances[i].max():.0%}"]
    job.picture(
        "grad_cam", visualize.image_grid(images, titles, columns=8, size=1.4, title="Where the evidence lies: Grad-CAM")
    )


if __name__ == "__main__":
    run_program(main)
