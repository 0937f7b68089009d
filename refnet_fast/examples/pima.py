"""Diabetes among the Pima, 768 women, 8 measurements: a small network, judged by iterated k-fold with shuffling.

python -m refnet_fast.examples.pima
"""

from refnet_fast import evaluation, layers, models, visualize
from refnet_fast.datasets import pima
from refnet_fast.examples.support import Job, run_program


def build_model():
    model = models.Sequential()
    model.add(layers.Dense(12, activation="relu", input_shape=(8,)))
    model.add(layers.Dense(8, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    data, labels = pima.load_data()
    iterations, epochs = job.pick(3, 1), job.epochs(60, 40)
    job.say(f"{iterations} x 4 folds of {epochs} epochs")
    scores = evaluation.iterated_k_fold(
        build_model,
        data,
        labels,
        k=4,
        iterations=iterations,
        prepare=evaluation.standardized,
        epochs=epochs,
        batch_size=16,
    )
    job.result("accuracy, mean of the folds", scores.mean["accuracy"])
    job.result("its standard deviation over the folds", scores.std["accuracy"])
    job.result("baseline: always healthy", evaluation.majority_class(labels, labels))
    job.picture("curves", visualize.training_curves(scores.history, title="Pima Indians diabetes, mean of the folds"))
    job.note("the notes around the book name this set; they print no figure for it")


if __name__ == "__main__":
    run_program(main)
