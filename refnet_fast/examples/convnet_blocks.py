"""Chollet 7.1.4 and 7.3.1: an Inception module, residual blocks and separable convolutions on small photos.

python -m refnet_fast.examples.convnet_blocks
"""

from refnet_fast import Input, layers, models, visualize
from refnet_fast.datasets import cifar10
from refnet_fast.examples.support import Job, run_program


def inception_module(x, width):
    branch_a = layers.Conv2D(width, 1, activation="relu", strides=2)(x)
    branch_b = layers.Conv2D(width, 1, activation="relu")(x)
    branch_b = layers.Conv2D(width, 3, activation="relu", strides=2, padding="same")(branch_b)
    branch_c = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    branch_c = layers.Conv2D(width, 3, activation="relu", padding="same")(branch_c)
    branch_d = layers.Conv2D(width, 1, activation="relu")(x)
    branch_d = layers.Conv2D(width, 3, activation="relu", padding="same")(branch_d)
    branch_d = layers.Conv2D(width, 3, activation="relu", strides=2, padding="same")(branch_d)
    return layers.concatenate([branch_a, branch_b, branch_c, branch_d], axis=-1)


def residual_block(x, width):
    y = layers.Conv2D(width, 3, activation="relu", padding="same")(x)
    y = layers.BatchNormalization(momentum=0.9)(y)
    y = layers.Conv2D(width, 3, activation="relu", padding="same")(y)
    y = layers.MaxPooling2D(2, strides=2)(y)
    residual = layers.Conv2D(width, 1, strides=2, padding="same")(x)
    return layers.add([y, residual])


def separable_block(x, width):
    x = layers.SeparableConv2D(width, 3, activation="relu", padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.SeparableConv2D(width, 3, activation="relu", padding="same")(x)
    return layers.MaxPooling2D(2)(x)


def build_model(block, first, second):
    image = Input((32, 32, 3))
    x = layers.Conv2D(16, 3, activation="relu", padding="same")(image)
    x = block(x, first)
    x = block(layers.BatchNormalization(momentum=0.9)(x), second)
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.3)(x)
    model = models.Model(image, layers.Dense(10, activation="softmax")(x))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (x_train, y_train), (x_test, y_test) = cifar10.load_data(allow_part=True)
    x_train, x_test = x_train.astype("float32") / 255, x_test.astype("float32") / 255
    count, histories = job.pick(len(x_train), 1000), {}
    for name, block, widths in (
        ("inception", inception_module, (12, 24)),
        ("residual", residual_block, (32, 64)),
        ("separable", separable_block, (64, 128)),
    ):
        model = build_model(block, *widths)
        job.say(f"{name}: {model.count_params():,} parameters")
        histories[name] = model.fit(
            x_train[:count], y_train[:count], epochs=job.epochs(25, 4), batch_size=32, validation_data=(x_test, y_test)
        )
        job.result(f"{name}: parameters", model.count_params())
        job.result(f"{name}: best validation accuracy", max(histories[name].history["val_accuracy"]))
        job.picture(f"{name}_model", visualize.model_graph(model))
    job.result("baseline: one class of ten", 0.1)
    job.note(f"the book shows these blocks without training them; here: {count} CIFAR-10 photos")
    job.picture("curves", visualize.training_curves(histories, title="Three kinds of blocks, validation"))


if __name__ == "__main__":
    run_program(main)
