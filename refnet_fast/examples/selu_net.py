"""Chollet 7.3: a deep dense network that normalizes itself: SELU, LeCun's initializer and AlphaDropout, beside plain ReLU.

python -m refnet_fast.examples.selu_net
"""

from refnet_fast import evaluation, layers, models, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, run_program

DEPTH = 16


def build_model(activation, initializer, dropout):
    model = models.Sequential([layers.Input((784,))])
    for _ in range(DEPTH):
        model.add(layers.Dense(64, activation=activation, kernel_initializer=initializer))
    model.add(dropout)
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    count = job.pick(60000, 12000)
    x_train, x_test = evaluation.standardized(x_train[:count].reshape(-1, 784), x_test.reshape(-1, 784))
    x_train, x_test = x_train.clip(-4, 4), x_test.clip(-4, 4)
    histories, depths = {}, {}
    for name, model in {
        "SELU": build_model("selu", "lecun_normal", layers.AlphaDropout(0.05)),
        "ReLU": build_model("relu", "glorot_uniform", layers.Dropout(0.05)),
    }.items():
        inner = models.Model(model.inputs, [layer.output for layer in model.layers[:DEPTH]])
        depths[name] = [float(y.std()) for y in inner.predict(x_test[:500])]
        job.say(f"{name}, {DEPTH} layers")
        histories[name] = model.fit(
            x_train, y_train[:count], epochs=job.epochs(10, 6), batch_size=64, validation_data=(x_test, y_test)
        )
        job.result(f"{name}: test accuracy", histories[name].history["val_accuracy"][-1])
        job.result(f"{name}: deviation after {DEPTH} layers, untrained", depths[name][-1])
    job.note(
        "the book names SELU without a figure; a self-normalizing layer keeps a deviation near 1 however deep it lies"
    )
    title = "Deviation of the answers, layer by layer, before training"
    job.picture("deviations", visualize.series(depths, range(1, DEPTH + 1), title, "layer", "standard deviation"))
    job.picture("curves", visualize.training_curves(histories, title=f"{DEPTH} dense layers, plain SGD: validation"))


if __name__ == "__main__":
    run_program(main)
