"""Chollet 3.4 and 4.4: is a film review good or bad? A small dense network, and the same one smaller, bigger, regularized.

python -m refnet_fast.examples.imdb_dense
"""

import numpy as np

from refnet_fast import evaluation, layers, models, random, regularizers, utils, visualize
from refnet_fast.datasets import imdb
from refnet_fast.examples.support import Job, run_program

WORDS = 10000


def vectorize_sequences(sequences, dimension=WORDS):
    results = np.zeros((len(sequences), dimension), "float32")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


class Reviews(utils.PyDataset):
    """Batches of reviews as rows of zeros and ones, made when they are wanted: all 25,000 together would take a gigabyte."""

    def __init__(self, sequences, labels, shuffle=False, batch_size=512):
        super().__init__()
        self.sequences, self.labels = np.asarray(sequences, object), labels.astype("float32")
        self.order, self.shuffle, self.batch_size = np.arange(len(labels)), shuffle, batch_size

    def __len__(self):
        return -(-len(self.labels) // self.batch_size)

    def __getitem__(self, number):
        rows = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        return vectorize_sequences(self.sequences[rows]), self.labels[rows]

    def on_epoch_begin(self):
        if self.shuffle:
            self.order = np.asarray(random.permutation(len(self.labels)))


def build_model(units=16, penalty=None, dropout=0.0):
    model = models.Sequential()
    model.add(layers.Dense(units, kernel_regularizer=penalty, activation="relu", input_shape=(WORDS,)))
    model.add(layers.Dropout(dropout))
    model.add(layers.Dense(units, kernel_regularizer=penalty, activation="relu"))
    model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (train_data, train_labels), (test_data, test_labels) = imdb.load_data(num_words=WORDS)
    count, held = job.pick((25000, 10000), (6000, 2000))
    train_data, train_labels = train_data[:count], train_labels[:count]
    test = Reviews(test_data[:count], test_labels[:count])
    epochs = job.epochs(20, 6)

    job.say("the network of section 3.4, until it overfits")
    history = build_model().fit(
        Reviews(train_data[held:], train_labels[held:], shuffle=True),
        epochs=epochs,
        validation_data=Reviews(train_data[:held], train_labels[:held]),
    )
    job.picture(
        "curves", visualize.training_curves(history, title="IMDB reviews: overfitting sets in after few epochs")
    )
    job.result("best validation accuracy", max(history.history["val_accuracy"]), book=0.8908)
    job.result("best validation loss", min(history.history["val_loss"]), book=0.2735)

    job.say("a new one, four epochs on everything")
    model = build_model()
    model.fit(Reviews(train_data, train_labels, shuffle=True), epochs=4)
    loss, accuracy = model.evaluate(test)
    job.result("baseline: the more frequent class", evaluation.majority_class(train_labels, test.labels), book=0.5)
    job.result("test loss", loss, book=0.29185)
    job.result("test accuracy", accuracy, book=0.88496)

    variants = {
        "original, 16 units": ({}, 0.8487),
        "smaller, 4 units": ({"units": 4}, 0.8617),
        "bigger, 512 units": ({"units": 512}, 0.8682),
        "L2 0.001": ({"penalty": regularizers.l2(0.001)}, 0.8704),
        "L1 0.0001": ({"penalty": regularizers.l1(0.0001)}, None),
        "dropout 0.5": ({"dropout": 0.5}, 0.8738),
    }
    histories = {}
    for name, (options, book) in variants.items():
        job.say(f"section 4.4: {name}")
        train = Reviews(train_data[: job.pick(None, 2000)], train_labels[: job.pick(None, 2000)], shuffle=True)
        histories[name] = build_model(**options).fit(train, epochs=epochs, validation_data=test).history
        job.result(f"{name}: accuracy, last epoch", histories[name]["val_accuracy"][-1], book)
    job.picture("variants", visualize.training_curves(histories, title="Validation, by size and regularization"))


if __name__ == "__main__":
    run_program(main)
