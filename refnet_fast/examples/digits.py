"""Reads handwritten digits: trains a small network, shows how well it reads, and proves one of its training steps.

    python -m refnet_fast.examples.digits [--data digits|mnist] [--quick] [--engine NAME] [--seed N] [--epochs N] [--json]

`digits` are scikit-learn's 1,797 scanned digits of 8 by 8 pixels; 360 of them, always the same, are the test. `mnist` is the
first network of Chollet's book. A picture goes to output/digits.png, or into the folder --output.
"""

import argparse
import json
import time
from typing import Any, NamedTuple

import numpy as np

from refnet_fast import Sequential, layers, optimizers, use_engine, utils
from refnet_fast.examples.support import OUTPUT, folder, needed, run, save

TEST_SIZE, VALIDATION_SIZE = 360, 144
REPLAYED = 4  # samples of the training step that is proved
CERTIFIED = 60  # tasks of each node


class Digits(NamedTuple):
    """Images and labels; for MNIST, as in the book, nothing is held back for validation."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray | None
    y_validation: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray


def load_digits(seed: int) -> Digits:
    """scikit-learn's digits. The test set does not depend on the seed, the validation set does."""
    images, labels = needed("sklearn.datasets", "scikit-learn").load_digits(return_X_y=True)
    split = needed("sklearn.model_selection", "scikit-learn").train_test_split
    images = images.reshape(-1, 8, 8).astype("float32")
    x, x_test, y, y_test = split(images, labels, test_size=TEST_SIZE, stratify=labels, random_state=0)
    x, x_validation, y, y_validation = split(x, y, test_size=VALIDATION_SIZE, stratify=y, random_state=seed)
    return Digits(x, y, x_validation, y_validation, x_test, y_test)


def load_mnist() -> Digits:
    from refnet_fast.datasets import mnist

    (x, y), (x_test, y_test) = mnist.load_data()
    return Digits(x, y, None, None, x_test, y_test)


def small_network() -> Sequential:
    """For 8 by 8 pixels of 0 to 16."""
    model = Sequential(
        [
            layers.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def book_network() -> Sequential:
    """For 28 by 28 pixels of 0 to 255: Chollet 2.1."""
    model = Sequential(
        [
            layers.Input((28, 28)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizers.RMSprop(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# ---- what is shown


def confusion_table(truth: np.ndarray, read: np.ndarray) -> Any:
    """A table of how often each digit was read as which."""
    from rich.table import Table

    counts = np.zeros((10, 10), int)
    np.add.at(counts, (truth, read), 1)
    table = Table(title="digit (rows), read as (columns)", title_justify="left")
    table.add_column("")
    for digit in range(10):
        table.add_column(str(digit), justify="right")
    table.add_column("right", justify="right")
    for digit, row in enumerate(counts):
        cells = [f"[green]{n}" if n and k == digit else f"[bold red]{n}" if n else "[dim]·" for k, n in enumerate(row)]
        table.add_row(str(digit), *cells, f"{row[digit] / max(row.sum(), 1):.1%}")
    return table


def draw(path: Any, history: dict[str, list[float]], data: Digits, chances: np.ndarray, title: str) -> None:
    """The curves of the training, and the misread digits with what was read."""
    figure_module = needed("matplotlib.figure", "matplotlib")
    read = chances.argmax(1)
    wrong = np.flatnonzero(read != data.y_test)
    wrong = wrong[np.argsort(-chances[wrong, read[wrong]], kind="stable")]
    figure = figure_module.Figure(figsize=(12, 6.2), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=13, fontweight="bold")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.25))
    if history:  # of no epoch there is none
        curves(left.subplots(2, 1, sharex=True), history, 1 - len(wrong) / len(read))
    misread(right, data, chances, wrong)
    save(figure, path)


def curves(axes: Any, history: dict[str, list[float]], test_accuracy: float) -> None:
    """Loss above, accuracy below, by epoch."""
    epochs = np.arange(1, len(history["loss"]) + 1)
    marker = "o" if len(epochs) < 12 else None
    for axis, name in zip(axes, ("loss", "accuracy")):
        axis.plot(epochs, history[name], color="#1f5fa8", marker=marker, label="training")
        if f"val_{name}" in history:
            axis.plot(epochs, history[f"val_{name}"], color="#d9730d", marker=marker, label="validation")
        axis.set_ylabel(name)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].axhline(test_accuracy, color="#2f8f4e", linestyle="--", label=f"test, at the end: {test_accuracy:.1%}")
    ticker = needed("matplotlib.ticker", "matplotlib")
    axes[0].set_yscale("log")
    axes[0].yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_locator(ticker.NullLocator())
    axes[1].set_ylim(max(0.0, min(history["accuracy"][min(2, len(epochs) - 1)], 0.95) - 0.02), 1.005)
    axes[1].set_xlabel("epoch")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend(frameon=False)
    axes[1].legend(frameon=False, loc="lower right")


def misread(figure: Any, data: Digits, chances: np.ndarray, wrong: np.ndarray) -> None:
    """The misread digits, those read with most confidence first."""
    columns = 4 if len(wrong) <= 12 else 6
    shown = wrong[: 4 * columns]
    rows = max(1, -(-len(shown) // columns))
    all_of_them = f"all {len(wrong)}" if len(shown) == len(wrong) else f"{len(shown)} of {len(wrong)}"
    figure.suptitle(f"misread: {all_of_them}; written → read (how sure)", fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    for axis, number in zip(grid.flat, shown):
        axis.imshow(data.x_test[number], cmap="gray_r", interpolation="nearest")
        guess = chances[number].argmax()
        axis.set_title(f"{data.y_test[number]} → {guess}  ({chances[number, guess]:.0%})", fontsize=10)


# ---- the job


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m refnet_fast.examples.digits", description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--engine", help="reference, derived, cpu (the default), cuda or cuda-sim")
    parser.add_argument("--seed", type=int, default=0, help="of weights, dropout, shuffling and the validation set")
    parser.add_argument("--quick", action="store_true", help="a third of the epochs for digits, one for mnist")
    parser.add_argument("--epochs", type=int, help="60 for digits, 5 for mnist")
    parser.add_argument("--json", action="store_true", help="a last line for programs")
    parser.add_argument("--output", type=folder, default=OUTPUT, help="the folder for the picture; output")
    return parser.parse_args()


def trained(given: argparse.Namespace, data: Digits) -> tuple[Sequential, dict[str, list[float]]]:
    """A network of the kind that the data need, and how its training went."""
    validation = None if data.x_validation is None else (data.x_validation, data.y_validation)
    if given.data == "mnist":
        model, batch_size, usual = book_network(), 128, 1 if given.quick else 5
    else:
        model, batch_size, usual = small_network(), 32, 20 if given.quick else 60
    epochs = usual if given.epochs is None else given.epochs
    history = model.fit(data.x, data.y, batch_size=batch_size, epochs=epochs, validation_data=validation)
    return model, history.history


def main() -> None:
    from rich.console import Console

    from refnet.engine import current_engine
    from refnet.testing.replay import replay_step

    started = time.perf_counter()
    given, console = arguments(), Console(highlight=False)
    needed("matplotlib", "matplotlib")
    if given.engine:
        use_engine(given.engine)
    utils.set_random_seed(given.seed)
    data = load_mnist() if given.data == "mnist" else load_digits(given.seed)
    engine = current_engine().name
    sizes = f"{len(data.x)} to train on, {len(data.y_test)} to test"
    console.print(f"{given.data}: {sizes}; engine {engine}, seed {given.seed}")

    before = time.perf_counter()
    model, history = trained(given, data)
    seconds = time.perf_counter() - before

    chances = model.predict(data.x_test, batch_size=TEST_SIZE, verbose=0)
    read = chances.argmax(1)
    accuracy, wrong = float(np.mean(read == data.y_test)), np.sum(read != data.y_test)
    console.print(confusion_table(data.y_test, read))
    console.print(f"test accuracy {accuracy:.2%}: {wrong} of {len(read)} misread; trained in {seconds:.2f} s")

    path = given.output / "digits.png"
    title = f"{given.data}, seed {given.seed}: {accuracy:.1%} of {len(read)} test digits read"
    draw(path, history, data, chances, title)
    console.print(f"picture: {path}")

    proof = replay_step(model, data.x[:REPLAYED], data.y[:REPLAYED], tasks=CERTIFIED)
    console.print(
        f"one training step on {REPLAYED} samples, replayed on the reference and the derived engine: {proof.nodes} nodes, "
        f"{proof.tasks} results certified on each; worst error {proof.worst:.3f} of its bound ({proof.op}, {proof.engine})"
    )
    if given.json:
        result = {
            "test_accuracy": accuracy,
            "seconds": round(time.perf_counter() - started, 3),
            "worst_error_over_bound": proof.worst,
            "engine": engine,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    run(main)
