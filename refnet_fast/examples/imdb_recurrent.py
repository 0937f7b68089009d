"""Chollet 6.2: film reviews read word by word: SimpleRNN and LSTM.

python -m refnet_fast.examples.imdb_recurrent
"""

from refnet_fast import layers, models, visualize
from refnet_fast.datasets import imdb
from refnet_fast.examples.support import Job, run_program
from refnet_fast.preprocessing.sequence import pad_sequences


def build_model(recurrent):
    model = models.Sequential()
    model.add(layers.Embedding(10000, 32))
    model.add(recurrent(32))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=10000)
    count, maxlen = job.pick((25000, 500), (5000, 80))
    x_train, y_train = pad_sequences(x_train[:count], maxlen=maxlen), y_train[:count]
    x_test, y_test = pad_sequences(x_test[:count], maxlen=maxlen), y_test[:count]
    histories = {}
    for recurrent, book in ((layers.SimpleRNN, 0.8460), (layers.LSTM, 0.8928)):
        name = recurrent.__name__
        job.say(f"{name} over {maxlen} words of {count} reviews")
        model = build_model(recurrent)
        histories[name] = model.fit(x_train, y_train, epochs=job.epochs(10, 4), batch_size=128, validation_split=0.2)
        job.result(f"{name}: best validation accuracy", max(histories[name].history["val_accuracy"]), book)
    job.result("LSTM: test accuracy", model.evaluate(x_test, y_test, batch_size=128)[1])
    job.picture("curves", visualize.training_curves(histories, title="IMDB reviews word by word: validation"))


if __name__ == "__main__":
    run_program(main)
