"""Chollet 5.3: a convnet that has seen a million photos, on few of one's own: features, a frozen base, fine-tuning.

python -m refnet_fast.examples.pretrained_features
"""

import numpy as np

from refnet_fast import layers, models, optimizers
from refnet_fast.applications import vgg16
from refnet_fast.datasets import cats_and_dogs
from refnet_fast.examples.pretrained import book, net, randomly
from refnet_fast.examples.support import Job, run_program
from refnet_fast.preprocessing.image import ImageDataGenerator

BATCH = 20
PLAIN = {"rescale": 1.0 / 255}
AUGMENTED = {
    **PLAIN,
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "fill_mode": "nearest",
}


def photos(job, part, side, **changes):
    """Batches of the photos of a part: train, validation or test."""
    return ImageDataGenerator(**changes).flow_from_directory(
        str(cats_and_dogs.directory(allow_part=True) / part),
        target_size=(side, side),
        batch_size=BATCH,
        class_mode="binary",
        shuffle=part == "train",
        seed=job.seed,
    )


def extract_features(conv_base, generator):
    """What the base answers to every photo, flat, and the labels."""
    batches = [generator[i] for i in range(len(generator))]
    features = np.concatenate([conv_base.predict(images, verbose=0) for images, _ in batches])
    return features.reshape(len(features), -1), np.concatenate([labels for _, labels in batches])


def classifier(conv_base=None, features=None):
    """Two dense layers on features, or on the base that makes them; the dropout of the first only, as in the book."""
    model = models.Sequential()
    if conv_base is None:
        model.add(layers.Dense(256, activation="relu", input_dim=features))
        model.add(layers.Dropout(0.5))
    else:
        model.add(conv_base)
        model.add(layers.Flatten())
        model.add(layers.Dense(256, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


def compiled(model, rate):
    model.compile(optimizers.RMSprop(learning_rate=rate), loss="binary_crossentropy", metrics=["accuracy"])
    return model


def unfreeze_from(conv_base, name):
    """Makes the layers from that one on trainable, and no other."""
    conv_base.trainable = True
    reached = False
    for layer in conv_base.layers:
        reached = reached or layer.name == name
        layer.trainable = reached


def curves(histories, title):
    """A figure of the accuracy of each way."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(histories), figsize=(3.6 * len(histories), 3), sharey=True, layout="constrained"
    )
    figure.suptitle(title, fontsize=13, fontweight="bold")
    for place, (name, history) in zip(axes, histories.items()):
        epochs = range(1, len(history["accuracy"]) + 1)
        place.plot(epochs, history["accuracy"], "o", markersize=4, label="training")
        place.plot(epochs, history["val_accuracy"], label="validation")
        place.set(title=name, xlabel="epoch", ylim=(0, 1.03))
        place.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("accuracy")
    axes[0].legend(loc="lower right", frameon=False)
    return figure


def main(job: Job) -> None:
    side = job.pick(150, 48)
    conv_base = net(job, vgg16.VGG16, vgg16.PUBLISHED.names, input_shape=(side, side, 3))
    job.result("parameters of the base", conv_base.count_params(), 14714688)
    train, validation, test = (photos(job, part, side, **PLAIN) for part in ("train", "validation", "test"))
    if train.samples < 2000:
        job.note(
            f"{train.samples} photos for training and {validation.samples} for validation; the book has 2000 and 1000"
        )
    histories = {}

    job.say("features of every photo, then a classifier on them")
    x, y = extract_features(conv_base, train)
    model = compiled(classifier(features=x.shape[1]), 2e-5)
    held_out = extract_features(conv_base, validation)
    history = model.fit(x, y, epochs=job.epochs(30, 10), batch_size=BATCH, validation_data=held_out)
    histories["classifier on features"] = history.history
    job.result("features: validation accuracy", history.history["val_accuracy"][-1], book(job, 0.903))

    job.say("the base frozen, photos augmented")
    augmented = photos(job, "train", side, **AUGMENTED)
    model = classifier(conv_base)
    job.result("weights trained with the base", len(model.trainable_weights), 30)
    conv_base.trainable = False
    job.result("weights trained with it frozen", len(model.trainable_weights), 4)
    history = compiled(model, 2e-5).fit(augmented, epochs=job.epochs(30, 2), validation_data=validation)
    histories["frozen base, augmented"] = history.history
    job.result("frozen: validation accuracy", history.history["val_accuracy"][-1], book(job, 0.951))

    job.say("block 5 trained too")
    unfreeze_from(conv_base, "block5_conv1")
    history = compiled(model, 1e-5).fit(augmented, epochs=job.epochs(100, 2), validation_data=validation)
    histories["block 5 fine-tuned"] = history.history
    job.result("fine-tuned: validation accuracy", history.history["val_accuracy"][-1], book(job, 0.975))
    job.result("fine-tuned: test accuracy", model.evaluate(test, verbose=0)[1], book(job, 0.968))
    job.picture("accuracy", curves(histories, f"Cats and dogs, VGG16{randomly(job)}"))


if __name__ == "__main__":
    run_program(main)
