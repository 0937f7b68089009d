"""Chollet 6.4: convolutions along a sequence: film reviews, and before a GRU on the weather in Jena.

python -m refnet_fast.examples.imdb_conv1d
"""

from refnet_fast import layers, models, optimizers, visualize
from refnet_fast.datasets import imdb
from refnet_fast.examples import jena
from refnet_fast.examples.support import Job, run_program
from refnet_fast.preprocessing.sequence import pad_sequences


def build_model(maxlen, learning_rate):
    model = models.Sequential()
    model.add(layers.Embedding(10000, 128, input_length=maxlen))
    model.add(layers.Conv1D(32, 7, activation="relu"))
    model.add(layers.MaxPooling1D(5))
    model.add(layers.Conv1D(32, 7, activation="relu"))
    model.add(layers.GlobalMaxPooling1D())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizers.RMSprop(learning_rate=learning_rate), loss="binary_crossentropy", metrics=["accuracy"])
    return model


def weather_stack(recurrent):
    stack = [layers.Conv1D(32, 5, activation="relu"), layers.MaxPooling1D(3), layers.Conv1D(32, 5, activation="relu")]
    if recurrent:
        return [*stack, layers.GRU(32, dropout=0.1, recurrent_dropout=0.5)]
    return [*stack, layers.MaxPooling1D(3), layers.Conv1D(32, 5, activation="relu"), layers.GlobalMaxPooling1D()]


def main(job: Job) -> None:
    (x_train, y_train), _ = imdb.load_data(num_words=10000)
    count, maxlen, rate = job.pick((25000, 500, 1e-4), (5000, 120, 1e-3))
    job.say(f"Conv1D on {maxlen} words of {count} reviews")
    model = build_model(maxlen, rate)
    history = model.fit(
        pad_sequences(x_train[:count], maxlen=maxlen),
        y_train[:count],
        epochs=job.epochs(10, 4),
        batch_size=128,
        validation_split=0.2,
    )
    job.result("reviews: best validation accuracy", max(history.history["val_accuracy"]), book=0.8382)
    job.result("reviews: best validation loss", min(history.history["val_loss"]), book=0.4040)
    job.result("parameters", model.count_params(), None if job.quick else 1315937)
    job.note("the book's last layer has no sigmoid by mistake; this one has, which is why it may do better")
    job.picture("curves", visualize.training_curves(history, title="IMDB reviews, Conv1D"))

    weather = jena.Weather(job.seed)
    steps, epochs, every = jena.sizes(job, weather)
    histories = {}
    for name, recurrent, book in (("Conv1D", False, 0.4521), ("Conv1D, then GRU", True, 0.2730)):
        job.say(f"weather: {name}")
        _, histories[name] = jena.trained(weather, weather_stack(recurrent), steps, epochs, every)
        job.result(f"weather, {name}: best validation MAE", min(histories[name].history["val_loss"]), book)
    job.note(f"weather: {weather.about}")
    job.picture("weather", visualize.training_curves(jena.by_epoch(histories), title="Jena: validation MAE by epoch"))


if __name__ == "__main__":
    run_program(main)
