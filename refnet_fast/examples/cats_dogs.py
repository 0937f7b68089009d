"""Chollet 5.2: cats or dogs, a convnet from scratch on few photos; without and with data augmentation.

python -m refnet_fast.examples.cats_dogs
"""

from refnet_fast import layers, models, optimizers, visualize
from refnet_fast.datasets import cats_and_dogs
from refnet_fast.examples.support import Job, run_program
from refnet_fast.preprocessing.image import ImageDataGenerator


def build_model(size, dropout):
    model = models.Sequential()
    model.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(size, size, 3)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(128, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(128, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    if dropout:
        model.add(layers.Dropout(0.5))
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer=optimizers.RMSprop(learning_rate=1e-4), metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    folder = cats_and_dogs.directory(allow_part=True)
    size = job.pick(150, 80)
    plain = ImageDataGenerator(rescale=1.0 / 255)
    augmenting = ImageDataGenerator(
        rescale=1.0 / 255,
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
    )

    def photos(generator, part, **more):
        where = str(folder / part)
        return generator.flow_from_directory(
            where, target_size=(size, size), batch_size=20, class_mode="binary", seed=job.seed, **more
        )

    validation = photos(plain, "validation", shuffle=False)
    histories = {}
    for name, generator, dropout, epochs, book in (
        ("as they are", plain, False, job.epochs(30, 12), (0.9895, 0.7310)),
        ("augmented, with dropout", augmenting, True, job.epochs(100, 8), (0.8491, 0.8460)),
    ):
        train = photos(generator, "train")
        job.say(f"{train.samples} photos {name}, {epochs} epochs")
        model = build_model(size, dropout)
        history = model.fit(
            train,
            steps_per_epoch=len(train),
            epochs=epochs,
            validation_data=validation,
            validation_steps=len(validation),
        )
        histories[name] = history
        job.result(f"{name}: training accuracy, last epoch", history.history["accuracy"][-1], book[0])
        job.result(f"{name}: best validation accuracy", max(history.history["val_accuracy"]), book[1])

    test = photos(plain, "test", shuffle=False)
    job.result("augmented: test accuracy", model.evaluate(test, steps=len(test))[1])
    if train.samples < 2000:
        job.note(
            f"{train.samples} training and {validation.samples} validation photos are at hand, the book has 2000 and 1000: with "
            "so few, a net learns them by heart and knows little about others; the book's figures are out of reach"
        )
    job.result("parameters", model.count_params(), None if job.quick else 3453121)
    photo = photos(plain, "train", shuffle=False)[0][0][:1] * 255
    changed = augmenting.flow(photo, batch_size=1, seed=job.seed)
    images = [next(changed)[0] for _ in range(8)]
    job.picture("augmented", visualize.image_grid(images, columns=4, size=2, title="One photo, as training sees it"))
    for name, history in histories.items():
        words = "_".join(name.replace(",", "").split())
        job.picture(words, visualize.training_curves(history, smooth=0.5, title=f"Cats and dogs, {name}"))


if __name__ == "__main__":
    run_program(main)
