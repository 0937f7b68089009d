"""Chollet 3.6: house prices, judged by k-fold validation because there are so few of them.

python -m refnet_fast.examples.boston
"""

import numpy as np

from refnet_fast import evaluation, layers, models, visualize
from refnet_fast.datasets import boston_housing
from refnet_fast.examples.support import Job, run_program


def build_model():
    model = models.Sequential()
    model.add(layers.Dense(64, activation="relu", input_shape=(13,)))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(1))
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    return model


def main(job: Job) -> None:
    (train_data, train_targets), (test_data, test_targets) = boston_housing.load_data()
    x_train, x_test = evaluation.standardized(train_data, test_data)
    epochs, batch = job.pick(500, 60), job.pick(1, 4)
    epochs = job.epochs(epochs, epochs)

    job.say(f"4 folds of {epochs} epochs, each fold normalized by what it is trained on")
    scores = evaluation.k_fold(
        build_model, train_data, train_targets, prepare=evaluation.standardized, epochs=epochs, batch_size=batch
    )
    by_epoch = scores.history["val_mae"]
    at = min(100, epochs) - 1
    for number, (one, book) in enumerate(zip(scores.histories, (2.0751, 2.1172, 2.9140, 2.4288)), 1):
        job.result(f"fold {number}: MAE after {at + 1} epochs", one["val_mae"][at], book)
    job.result(f"mean of the folds after {at + 1} epochs", by_epoch[at], book=2.3838)
    job.result("epoch with the least mean MAE", 1 + int(np.argmin(by_epoch)), book=80)
    job.result(
        "baseline: always the median", evaluation.best_constant(train_targets, test_targets)["mean_absolute_error"]
    )
    title = "Validation error by epoch, mean of 4 folds, smoothed"
    smooth = visualize.series({"MAE": _without_beginning(by_epoch)}, None, title, "epoch", "thousands of dollars")
    job.picture("folds", smooth)

    job.say("the final model, 80 epochs on all training data")
    model = build_model()
    model.fit(x_train, train_targets, epochs=80, batch_size=16)
    _, mae = model.evaluate(x_test, test_targets)
    job.result("test MAE, thousands of dollars", mae, book=2.5532)
    predicted = model.predict(x_test)[:, 0]
    order = np.argsort(test_targets)
    lines = {"true price": test_targets[order], "predicted": predicted[order]}
    prices = visualize.series(
        lines, title="102 test houses, cheapest first", x_label="house", y_label="thousands of dollars"
    )
    prices.axes[0].lines[1].set(linestyle="", marker="o", markersize=4)
    prices.axes[0].legend(frameon=False)
    job.picture("prices", prices)


def _without_beginning(values, factor=0.9):
    """Smoothed as in the book, the first ten epochs left out, which would hide all others."""
    from refnet_fast.visualize.curves import smoothed

    return [float("nan")] * 10 + smoothed(values[10:], factor)


if __name__ == "__main__":
    run_program(main)
