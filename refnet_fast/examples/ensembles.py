"""Chollet 7.3.3: networks, a random forest and gradient-boosted trees answer together; Nelder and Mead weigh them.

python -m refnet_fast.examples.ensembles
"""

import numpy as np

from refnet_fast import ensemble, layers, models, visualize
from refnet_fast.datasets import mnist
from refnet_fast.examples.support import Job, needed, run_program


def dense_network():
    model = models.Sequential([layers.Input((784,))])
    model.add(layers.Dense(256, activation="relu"))
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def convnet():
    model = models.Sequential([layers.Input((784,)), layers.Reshape((28, 28, 1))])
    model.add(layers.Conv2D(16, 3, activation="relu"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(32, 3, activation="relu"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (x, y), (x_test, y_test) = mnist.load_data()
    count = job.pick(10000, 1500)
    x, x_test = x.reshape(-1, 784).astype("float32") / 255, x_test.reshape(-1, 784).astype("float32") / 255
    held = job.pick(5000, 2000)
    x_val, y_val = x[-held:], y[-held:]
    x, y = x[:count], y[:count]
    trees = needed("sklearn.ensemble", "scikit-learn")
    members = {
        "dense network": dense_network(),
        "convnet": convnet(),
        "random forest": trees.RandomForestClassifier(job.pick(300, 100), random_state=job.seed),
        "boosted trees": trees.HistGradientBoostingClassifier(max_iter=job.pick(100, 4), random_state=job.seed),
    }
    accuracies = {}
    for name, member in members.items():
        job.say(f"training: {name}")
        if isinstance(member, models.Model):
            member.fit(x, y, epochs=job.epochs(10, 5), batch_size=64)
        else:
            member.fit(x, y)
        accuracies[name] = float(np.mean(ensemble.answers(member, x_test).argmax(1) == y_test))

    together = ensemble.Ensemble(list(members.values()))
    accuracies["mean of all"] = float(np.mean(together.predict(x_test).argmax(1) == y_test))
    job.say("weights by Nelder and Mead, on validation digits")
    loss = together.fit_weights(x_val, y_val)
    accuracies["weighted mean"] = float(np.mean(together.predict(x_test).argmax(1) == y_test))
    for name, accuracy in accuracies.items():
        job.result(f"{name}: test accuracy", accuracy)
    for name, weight in zip(members, together.weights):
        job.result(f"weight: {name}", weight)
    job.result("validation loss of the weighted mean", loss)
    job.note(f"{count} training digits; the book describes ensembles without a figure")
    bars = visualize.bars(accuracies, title="Alone and together", x_label="test accuracy")
    bars.axes[0].set_xlim(min(accuracies.values()) - 0.02, 1.0)
    job.picture("accuracies", bars)


if __name__ == "__main__":
    run_program(main)
