"""Chollet 3.5: newswires into 46 topics, and what a bottleneck of 4 units costs.

python -m refnet_fast.examples.reuters
"""

from refnet_fast import evaluation, layers, models, visualize
from refnet_fast.datasets import reuters
from refnet_fast.examples.imdb_dense import vectorize_sequences
from refnet_fast.examples.support import Job, run_program
from refnet_fast.utils import to_categorical


def build_model(middle=64):
    model = models.Sequential()
    model.add(layers.Dense(64, activation="relu", input_shape=(10000,)))
    model.add(layers.Dense(middle, activation="relu"))
    model.add(layers.Dense(46, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (train_data, train_labels), (test_data, test_labels) = reuters.load_data(num_words=10000)
    x_train, x_test = vectorize_sequences(train_data), vectorize_sequences(test_data)
    y_train, y_test = to_categorical(train_labels), to_categorical(test_labels, 46)
    x_val, partial_x = x_train[:1000], x_train[1000:]
    y_val, partial_y = y_train[:1000], y_train[1000:]

    epochs = job.epochs(20, 9)
    job.say(f"{epochs} epochs, to see when it overfits")
    history = build_model().fit(partial_x, partial_y, epochs=epochs, batch_size=512, validation_data=(x_val, y_val))
    job.result("best validation accuracy", max(history.history["val_accuracy"]), book=0.8150)
    job.picture("curves", visualize.training_curves(history, title="Reuters newswires"))

    job.say("a new one, eight epochs")
    model = build_model()
    model.fit(partial_x, partial_y, epochs=8, batch_size=512, validation_data=(x_val, y_val))
    loss, accuracy = model.evaluate(x_test, y_test)
    job.result("test loss", loss, book=0.98765)
    job.result("test accuracy", accuracy, book=0.77694)
    job.result("baseline: answers at random, by frequency", evaluation.random_labels(test_labels), book=0.18477)
    job.result("baseline: the most frequent topic", evaluation.majority_class(train_labels, test_labels))

    job.say("with a bottleneck of 4 units")
    narrow = build_model(middle=4).fit(
        partial_x, partial_y, epochs=job.epochs(20, 8), batch_size=128, validation_data=(x_val, y_val)
    )
    job.result("bottleneck, best validation accuracy", max(narrow.history["val_accuracy"]), book=0.7110)
    names = reuters.get_label_names()
    title = "Which topic was taken for which"
    job.picture("confusion", visualize.confusion_matrix(test_labels, model.predict(x_test), names, title))


if __name__ == "__main__":
    run_program(main)
