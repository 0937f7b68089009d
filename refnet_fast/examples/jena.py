"""Chollet 6.3: tomorrow's temperature from ten days of weather: common sense, dense, GRU, dropout, stacked, bidirectional.

python -m refnet_fast.examples.jena
"""

import contextlib

import numpy as np

from refnet_fast import errors, evaluation, layers, models, optimizers, random, visualize
from refnet_fast.datasets import jena_climate
from refnet_fast.examples.support import Job, run_program

LOOKBACK, STEP, DELAY, BATCH = 1440, 6, 144, 128
WHOLE = 420551  # rows of the book's file


def tables():
    """The book's file; where it is not at hand, the months of 2009 and of 2024 that are."""
    for names in (("jena_climate_2009_2016.csv",), jena_climate.PARTS[::-1]):
        found = []
        for name in names:
            with contextlib.suppress(errors.MissingFileError):
                found.append(jena_climate.load_data(name))
        if found:
            return found
    return [jena_climate.load_data()]  # which says where to get it


class Weather:
    """The readings of all tables one after the other, normalized by what is trained on, and their windows."""

    def __init__(self, seed):
        parts = tables()
        columns = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
        readings = np.concatenate([part.data[:, [part.columns.index(name) for name in columns]] for part in parts])
        begins = np.cumsum([0] + [len(part.data) for part in parts])
        self.whole, self.target = len(readings) == WHOLE, columns.index("T (degC)")
        self.bounds = (200000, 300000) if self.whole else (int(begins[-2] + 0.55 * len(parts[-1].data)), len(readings))
        train = readings[: self.bounds[0]]
        self.mean, self.deviation = train.mean(axis=0)[self.target], train.std(axis=0)[self.target]
        self.data = ((readings - train.mean(axis=0)) / train.std(axis=0)).astype("float32")
        ends = [*begins[1:-1], self.bounds[0]]
        self.rows = np.concatenate([np.arange(a + LOOKBACK, b - DELAY) for a, b in zip(begins, ends)])
        spans = " and ".join(f"{part.times[0][:10]} to {part.times[-1][:10]}" for part in parts)
        self.about = f"{len(readings)} of {WHOLE} rows ({spans}), {len(columns)} of 14 columns"
        self.seeds = random.SeedGenerator(seed)

    def windows(self, rows):
        """Ten days before each row, one reading an hour; and the temperature a day after it."""
        back = rows[:, None] + np.arange(-LOOKBACK, 0, STEP)
        return self.data[back], self.data[rows + DELAY, self.target]

    def training(self, backwards=False):
        """Batches at random rows, without end."""
        while True:
            x, y = self.windows(self.rows[random.randint((BATCH,), 0, len(self.rows), seed=self.seeds)])
            yield (x[:, ::-1] if backwards else x), y

    def validation(self, every):
        """Windows at every so many rows of what follows the rows that are trained on."""
        return self.windows(np.arange(self.bounds[0] + LOOKBACK, self.bounds[1] - DELAY, every))


def candidates():
    """The book's networks: layers before the last Dense, and its best validation MAE."""
    gru = {"dropout": 0.2, "recurrent_dropout": 0.2}
    return {
        "dense": ([layers.Flatten(), layers.Dense(32, activation="relu")], 0.2994),
        "GRU": ([layers.GRU(32)], 0.2644),
        "GRU, backwards": ([layers.GRU(32)], 0.3990),
        "GRU, dropout": ([layers.GRU(32, **gru)], 0.2619),
        "two GRUs, dropout": (
            [
                layers.GRU(32, dropout=0.1, recurrent_dropout=0.5, return_sequences=True),
                layers.GRU(64, activation="relu", dropout=0.1, recurrent_dropout=0.5),
            ],
            0.2633,
        ),
        "bidirectional GRU": ([layers.Bidirectional(layers.GRU(32))], 0.2615),
    }


def sizes(job, weather):
    """Steps of an epoch, epochs, and how far apart the rows are that are validated on: as in the book where its file is at hand."""
    steps, epochs, every = job.pick((500, 20, 1) if weather.whole else (100, 12, 3), (40, 3, 12))
    return steps, job.epochs(epochs, epochs), every


def trained(weather, stack, steps, epochs, every, backwards=False):
    x_val, y_val = weather.validation(every)
    model = models.Sequential([layers.Input(x_val.shape[1:]), *stack, layers.Dense(1)])
    model.compile(optimizer=optimizers.RMSprop(), loss="mae")
    x_val = x_val[:, ::-1] if backwards else x_val
    batches = weather.training(backwards)
    history = model.fit(batches, steps_per_epoch=steps, epochs=epochs, validation_data=(x_val, y_val))
    return model, history


def by_epoch(histories):
    """The validation losses of several trainings under their own name, which is MAE."""
    return {name: {"val_MAE": history.history["val_loss"]} for name, history in histories.items()}


def main(job: Job) -> None:
    weather = Weather(job.seed)
    steps, epochs, every = sizes(job, weather)
    first, second = weather.bounds
    naive = evaluation.last_value(weather.data[:, weather.target], DELAY, first + LOOKBACK, second - DELAY)
    job.result("common sense, as warm as now: MAE", naive, book=0.28974)
    job.result("the same in degrees", naive * weather.deviation, book=2.57)
    histories, kept = {}, None
    for name, (stack, book) in candidates().items():
        if job.quick and name == "two GRUs, dropout":
            job.note("quick: the two GRUs one above the other are left out")
            continue
        job.say(f"{name}: {epochs} epochs of {steps} batches")
        model, histories[name] = trained(weather, stack, steps, epochs, every, "backwards" in name)
        job.result(f"{name}: best validation MAE", min(histories[name].history["val_loss"]), book)
        kept = model if name == "GRU" else kept
    if not weather.whole:
        job.note(f"the book's file is not at hand; this is {weather.about}; the last {second - first} rows validate")

    title = "Validation MAE by epoch, normalized temperature"
    job.picture("curves", visualize.training_curves(by_epoch(histories), title=title, baseline={"MAE": naive}))
    rows = np.arange(first + LOOKBACK, first + LOOKBACK + 1440, 6)
    x, y = weather.windows(rows)
    lines = {
        "measured": y,
        "GRU, a day before": kept.predict(x, verbose=0)[:, 0],
        "as warm as a day before": x[:, -1, weather.target],
    }
    lines = {name: values * weather.deviation + weather.mean for name, values in lines.items()}
    days = np.arange(len(rows)) / 24
    job.picture("forecast", visualize.series(lines, days, "Ten days that training has not seen", "days", "degrees"))


if __name__ == "__main__":
    run_program(main)
