"""Checkpoints, logs, and callbacks that watch a value."""

import http.server
import json
import pathlib
import threading
import urllib.parse
from typing import Any

import numpy as np
import pytest

from refnet import Input, Sequential, callbacks, layers, optimizers, progress, saving
from refnet.callbacks.watching import Watch
from refnet.errors import ArgumentError, PlaceError

x = np.linspace(-1, 1, 24, dtype="float32").reshape(12, 2)
y = x[:, :1] * 2


def model_with(rate: float = 0.1) -> Any:
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.compile(optimizers.SGD(rate), "mse")
    return model


class Feed(callbacks.Callback):
    """Puts chosen values into the logs, before the callbacks after it see them."""

    def __init__(self, *values: float):
        self.values = values

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["watched"] = self.values[epoch]


@pytest.mark.api("ModelCheckpoint")
def test_checkpoints_have_their_fields_in_their_names(tmp_path: pathlib.Path) -> None:
    model = model_with()
    name = tmp_path / "kept" / "m_{epoch:02d}_{watched:.1f}.keras"
    model.fit(x, y, epochs=2, callbacks=[Feed(0.5, 0.25), callbacks.ModelCheckpoint(name)])
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["m_01_0.5.keras", "m_02_0.2.keras"]
    again = saving.load_model(tmp_path / "kept" / "m_02_0.2.keras")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    with pytest.raises(ArgumentError, match="asks for 'val_loss'; there are epoch, loss"):
        model.fit(x, y, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{val_loss}.keras")])
    with pytest.raises(ArgumentError, match=r"ends in '.weights.h5'"):
        callbacks.ModelCheckpoint("m.keras", save_weights_only=True)


def test_checkpoints_under_the_first_editions_names(tmp_path: pathlib.Path) -> None:
    model = model_with()
    model.compile("sgd", "mse", metrics=["mae"])
    name = tmp_path / "m{epoch:02d}-{val_mean_absolute_error:.1f}.hdf5"
    history = model.fit(x, y, epochs=1, validation_data=(x, y), callbacks=[callbacks.ModelCheckpoint(name)]).history
    (path,) = tmp_path.iterdir()
    assert path.name == f"m01-{history['val_mae'][0]:.1f}.hdf5"
    np.testing.assert_array_equal(saving.load_model(path).predict(x), model.predict(x))
    model.fit(x, y, callbacks=[callbacks.ModelCheckpoint(tmp_path / "w.h5", save_weights_only=True)])
    other = model_with()
    other.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


@pytest.mark.parametrize(
    ("mode", "threshold", "saved"), [("min", None, [0, 2]), ("max", None, [0, 1, 3]), ("min", 0.25, [2])]
)
def test_only_the_best_is_saved(mode: str, threshold: Any, saved: list[int], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "{epoch}.weights.h5"
    best = callbacks.ModelCheckpoint(path, "watched", 0, True, True, mode, initial_value_threshold=threshold)
    model_with().fit(x, y, epochs=4, callbacks=[Feed(0.5, 0.7, 0.2, 0.9), best])
    assert sorted(int(path.name[0]) - 1 for path in tmp_path.iterdir()) == saved


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_value_that_is_no_number_is_never_the_best(mode: str, tmp_path: pathlib.Path) -> None:
    sign = {"min": 1, "max": -1}[mode]
    feed = Feed(np.nan, 1.0 * sign, np.nan, 0.5 * sign, np.nan)
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "m{epoch}.weights.h5", "watched", 0, True, True, mode)
    stop = callbacks.EarlyStopping("watched", mode=mode, patience=2, restore_best_weights=True)
    reduce = callbacks.ReduceLROnPlateau("watched", mode=mode, patience=1, factor=0.5)
    model, kept = model_with(), Weights()
    history = model.fit(x, y, epochs=5, callbacks=[feed, checkpoint, stop, reduce, kept], verbose=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m2.weights.h5", "m4.weights.h5"]
    assert stop.best == 0.5 * sign and stop.best_epoch == 3
    np.testing.assert_array_equal(model.get_weights()[0], kept.at_ends[3])
    assert np.round(history.history["learning_rate"], 6).tolist() == [0.1, 0.05, 0.05, 0.025, 0.025]
    only = callbacks.EarlyStopping("watched", mode=mode, patience=2)
    assert model.fit(x, y, epochs=5, callbacks=[Feed(*[np.nan] * 5), only], verbose=0).epoch == [0, 1]
    assert only.best is None


def test_the_best_is_what_was_saved(tmp_path: pathlib.Path) -> None:
    model, path = model_with(), tmp_path / "m.weights.h5"
    best = callbacks.ModelCheckpoint(path, "watched", 0, True, True, "min")
    path.mkdir()  # a folder of that name: the file cannot be written
    with pytest.raises(PlaceError):
        model.fit(x, y, callbacks=[Feed(0.5), best], verbose=0)
    assert best.watch.best is None
    path.rmdir()
    model.fit(x, y, callbacks=[Feed(0.5), best], verbose=0)
    assert best.watch.best == 0.5 and path.is_file()


def test_a_checkpoint_may_count_batches(tmp_path: pathlib.Path) -> None:
    each = callbacks.ModelCheckpoint(tmp_path / "{epoch}_{batch}.keras", save_freq=4)
    model_with().fit(x, y, epochs=2, batch_size=2, callbacks=[each])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1_4.keras", "2_2.keras", "2_6.keras"]


def rates(feed: Any, **arguments: Any) -> list[float]:
    model, seen = model_with(0.8), []
    log = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate)))
    plateau = callbacks.ReduceLROnPlateau("watched", **arguments)
    model.fit(x, y, epochs=len(feed), callbacks=[Feed(*feed), plateau, log])
    return [round(rate, 6) for rate in seen]


@pytest.mark.api("ReduceLROnPlateau")
def test_the_rate_falls_on_a_plateau() -> None:
    assert rates([3, 2, 2, 2, 1, 1, 1], factor=0.5, patience=2) == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2]
    assert rates([1, 1, 1, 1, 1], factor=0.5, patience=1) == [0.8, 0.4, 0.2, 0.1, 0.05]
    assert rates([1, 1, 1, 1, 1], factor=0.5, patience=1, cooldown=2) == [0.8, 0.4, 0.4, 0.2, 0.2]
    assert rates([1, 1, 1], factor=0.1, patience=1, min_lr=0.5) == [0.8, 0.5, 0.5]
    assert rates([1, 2, 3, 3], factor=0.5, patience=1, mode="max") == [0.8, 0.8, 0.8, 0.4]
    assert rates([1, 0.99, 0.98], factor=0.5, patience=1, min_delta=0.1) == [0.8, 0.4, 0.2]
    with pytest.raises(ArgumentError, match="factor lies in 0..1"):
        callbacks.ReduceLROnPlateau(factor=1.0)
    with pytest.raises(ArgumentError, match="watches 'val_loss'; the logs have loss"):
        model_with().fit(x, y, callbacks=[callbacks.ReduceLROnPlateau()])


@pytest.mark.api("CSV/metric logging, LR schedule")
def test_rows_of_a_csv_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log.csv"
    history = model_with().fit(x, y, epochs=2, validation_split=0.25, callbacks=[callbacks.CSVLogger(path)])
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,loss,val_loss" and len(lines) == 3
    assert lines[2] == f"1,{history.history['loss'][1]},{history.history['val_loss'][1]}"
    model_with().fit(x, y, callbacks=[callbacks.CSVLogger(path, append=True)])
    assert len(path.read_text().splitlines()) == 4 and path.read_text().splitlines()[3].endswith(",NA")
    model_with().fit(x, y, callbacks=[callbacks.CSVLogger(path, separator=";")])
    assert path.read_text().splitlines()[0] == "epoch;loss"


@pytest.mark.parametrize("own", [False, True])
def test_a_csv_file_has_columns_for_an_evaluation_that_comes_later(own: bool, tmp_path: pathlib.Path) -> None:
    class Stepping(Sequential):
        def train_step(self, data: Any) -> Any:  # what it shows is known when it has run
            return super().train_step(data)

    path, model = tmp_path / "log.csv", (Stepping if own else Sequential)([Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    told: dict[str, Any] = {"epochs": 3, "validation_data": (x, y), "validation_freq": 2, "verbose": 0}
    rate = callbacks.LearningRateScheduler(lambda epoch: 0.1)
    history = model.fit(x, y, callbacks=[rate, callbacks.CSVLogger(path)], **told).history
    lines = [line.split(",") for line in path.read_text().splitlines()]
    assert lines[0] == ["epoch", "learning_rate", "loss", "mae", "val_loss", "val_mae"]
    assert lines[1][4:] == lines[3][4:] == ["NA", "NA"]
    assert [float(value) for value in lines[2][4:]] == [history["val_loss"][0], history["val_mae"][0]]


@pytest.mark.filterwarnings("ignore")
def test_training_ends_at_a_loss_that_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    model = model_with(1e30)
    history = model.fit(x, y, epochs=5, batch_size=4, callbacks=[callbacks.TerminateOnNaN()])
    assert len(history.epoch) < 5 and "training ends" in capsys.readouterr().out


class Server(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    seen: list[Any] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        Server.seen.append((self.path, self.headers["Content-Type"], self.headers["X-Key"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None: ...


def test_a_server_is_told_of_each_epoch() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    root = f"http://127.0.0.1:{server.server_port}"
    try:
        told = callbacks.RemoteMonitor(root, headers={"X-Key": "k"}, send_as_json=True)
        history = model_with().fit(x, y, epochs=2, callbacks=[told], verbose=0)
        model_with().fit(x, y, callbacks=[callbacks.RemoteMonitor(root, path="/p", field="f")], verbose=0)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    first, second, form = Server.seen
    assert first[:3] == ("/publish/epoch/end/", "application/json", "k")
    assert json.loads(second[3]) == {"epoch": 1, "loss": history.history["loss"][1]}
    assert form[0] == "/p" and json.loads(urllib.parse.parse_qs(form[3])["f"][0])["epoch"] == 0
    with pytest.warns(UserWarning, match="cannot be reached"):
        model_with().fit(x, y, callbacks=[callbacks.RemoteMonitor(root)], verbose=0)


@pytest.mark.api("History / BaseLogger / ProgbarLogger")
def test_a_progress_logger_shows_lines_though_fit_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    model_with().fit(x, y, epochs=2, callbacks=[callbacks.ProgbarLogger()], verbose=0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2" and "loss: " in lines[1] and len(lines) == 4


def test_a_progress_logger_puts_its_display_away_when_a_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    class Kept(progress.Lines):
        def __init__(self) -> None:
            shown.append(self)
            self.closed = False

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(progress, "display", lambda verbose: Kept() if verbose == 1 else progress.Silent())
    with pytest.raises(KeyboardInterrupt):
        model_with().fit(x, y, callbacks=[callbacks.ProgbarLogger(), Raises("on_train_batch_end")], verbose=0)
    assert [display.closed for display in shown] == [True]


@pytest.mark.parametrize(
    "callback",
    [
        callbacks.EarlyStopping("val_loss"),
        callbacks.ReduceLROnPlateau("val_loss"),
        callbacks.ModelCheckpoint("m.keras", "val_loss", save_best_only=True),
    ],
)
def test_a_value_that_will_not_be_there_is_told_before_training(callback: Any) -> None:
    model = model_with()
    before = model.get_weights()
    name = type(callback).__name__
    with pytest.raises(ArgumentError, match=f"{name} watches 'val_loss'; the logs have loss"):
        model.fit(x, y, callbacks=[callback])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    with pytest.raises(ArgumentError, match="Did you mean 'val_loss'"):
        model.fit(x, y, validation_split=0.5, callbacks=[callbacks.EarlyStopping("val_los")])


@pytest.mark.api("EarlyStopping")
def test_epochs_without_an_evaluation_do_not_count(tmp_path: pathlib.Path) -> None:
    model = model_with(1.0)
    model.layers[0].trainable = False  # so that no epoch is better than another
    model.compile(optimizers.SGD(1.0), "mse")
    watching = [
        callbacks.EarlyStopping("val_loss", patience=1),
        callbacks.ReduceLROnPlateau("val_loss", patience=1, factor=0.5),
        callbacks.ModelCheckpoint(tmp_path / "m{epoch}.keras", save_best_only=True),
    ]
    history = model.fit(x, y, epochs=7, validation_data=(x, y), validation_freq=2, verbose=0, callbacks=watching)
    # the fourth is no better than the second
    assert history.epoch == [0, 1, 2, 3] and len(history.history["val_loss"]) == 2
    assert float(model.optimizer.learning_rate) == 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["m2.keras"]
    with pytest.raises(ArgumentError, match="watches 'val_loss'; the logs have loss"):
        model.fit(x, y, verbose=0, callbacks=watching[:1])


def test_a_value_of_ones_own_stands_for_no_evaluation() -> None:
    class Own(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["val_own"] = 0.0

    def epochs(monitor: str) -> int:
        told = {"validation_data": (x, y), "validation_freq": 2, "verbose": 0}
        stop = callbacks.EarlyStopping(monitor, patience=2, baseline=-0.5)
        return len(model_with(0.0).fit(x, y, epochs=6, callbacks=[Own(), stop], **told).epoch)

    assert epochs("val_loss") == 4  # two are evaluated; the second is no better, and no loss is below 0
    assert epochs("val_own") == 2
    with pytest.raises(ArgumentError, match="watches 'val_los'; the logs have loss, val_loss, val_own"):
        epochs("val_los")


def test_a_watched_metric_says_which_way_it_gets_better_and_goes_by_its_other_name() -> None:
    watch = Watch("EarlyStopping", "val_mean_io_u", "auto")
    assert watch.sign == -1 and Watch("", "val_loss", "auto").sign == 1 and Watch("", "loss", "max").sign == -1
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    stop = callbacks.EarlyStopping("val_mean_absolute_error", min_delta=1e9)
    assert len(model.fit(x, y, epochs=9, validation_split=0.5, callbacks=[stop]).epoch) == 2
    model.metrics[1]._direction = "up"
    assert stop.watch.sign == 1  # of `mean_absolute_error`, which is no metric's name
    named = Watch("", "val_mae", "auto")
    named.model = model
    assert named.sign == -1


@pytest.mark.api("CSV/metric logging, LR schedule")
def test_the_learning_rate_is_among_the_logs() -> None:
    rates = callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    history = model_with().fit(x, y, epochs=2, callbacks=[rates], verbose=0).history
    assert history["learning_rate"] == [0.5, 0.25]
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    assert model_with(0.25).fit(x, y, epochs=3, callbacks=[plateau]).history["learning_rate"] == [0.25, 0.25, 0.125]


@pytest.mark.api("Callback subclass")
def test_a_list_of_callbacks_for_a_loop_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Any] = []
    listener = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: heard.append((batch, logs)),
        on_test_begin=lambda logs: heard.append("test"),
    )
    model = model_with()
    hooks = callbacks.CallbackList([listener], add_history=True, add_progbar=True, model=model, epochs=1, steps=3)
    hooks.on_train_begin()
    hooks.on_epoch_begin(0)
    for batch in range(3):
        hooks.on_train_batch_begin(batch)
        logs = model.train_on_batch(x[batch : batch + 4], y[batch : batch + 4], return_dict=True)
        hooks.on_train_batch_end(batch, logs)
    hooks.on_test_begin({})
    hooks.on_epoch_end(0, logs)
    hooks.on_train_end()
    assert [entry[0] for entry in heard[:3]] == [0, 1, 2] and heard[3] == "test"
    assert model.history.history == {"loss": [logs["loss"]]} and "3/3" in capsys.readouterr().out
    assert listener.model is model and listener.params == {"epochs": 1, "steps": 3}


def averaged(**more: Any) -> Any:
    model = Sequential([Input((2,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[0.0], [0.0]])])
    model.compile(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.75), "mse")
    return model


class Weights(callbacks.Callback):
    """Keeps the weights that it finds at the ends of epochs and in evaluations."""

    def __init__(self) -> None:
        self.at_ends: list[Any] = []
        self.tested: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.at_ends.append(self.model.get_weights()[0])

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tested.append(self.model.get_weights()[0])


@pytest.mark.parametrize("on_epoch", [False, True])
def test_evaluation_uses_the_averages_and_training_does_not(on_epoch: bool) -> None:
    plain, seen = averaged(), Weights()
    trace: list[Any] = []
    keep = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: trace.append(plain.get_weights()[0]))
    plain.fit(x, y, epochs=3, batch_size=6, shuffle=False, callbacks=[keep])
    average, averages = None, []
    for weights in trace:
        average = weights if average is None else 0.75 * average + 0.25 * weights
        averages.append(average)
    model = averaged()
    swap = callbacks.SwapEMAWeights(swap_on_epoch=on_epoch)
    model.fit(x, y, epochs=3, batch_size=6, shuffle=False, validation_data=(x, y), callbacks=[swap, seen])
    for epoch in range(3):
        np.testing.assert_array_equal(seen.tested[2 * epoch], averages[2 * epoch + 1])
        np.testing.assert_array_equal(seen.at_ends[epoch], (averages if on_epoch else trace)[2 * epoch + 1])
    np.testing.assert_array_equal(model.get_weights()[0], averages[-1])
    np.testing.assert_array_equal(model.get_weights()[0], plain.get_weights()[0])
    model.predict(x, callbacks=[callbacks.SwapEMAWeights()])
    np.testing.assert_array_equal(model.get_weights()[0], averages[-1])
    with pytest.raises(ArgumentError, match="needs an optimizer with use_ema=True; the model's is sgd"):
        model_with().fit(x, y, callbacks=[callbacks.SwapEMAWeights()])


class Raises(callbacks.Callback):
    """Ends a run by an error, in one of its hooks."""

    def __init__(self, hook: str):
        def fail(*args: Any) -> None:
            raise KeyboardInterrupt(hook)

        setattr(self, hook, fail)

    def hears(self, hook: str) -> bool:
        return hook in vars(self) or super().hears(hook)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("run", "hook"),
    [
        *(("predict", f"on_predict_{when}") for when in ("begin", "batch_begin", "end")),
        *(("evaluate", f"on_test_{when}") for when in ("begin", "batch_begin", "end")),
        *(("fit", hook) for hook in ("on_train_begin", "on_train_batch_end", "on_test_batch_end", "on_epoch_end")),
    ],
)
def test_a_run_that_fails_leaves_the_weights_in_the_model(run: str, hook: str, late: bool) -> None:
    model = averaged()
    model.fit(x, y, epochs=2, batch_size=6, verbose=0)
    model.set_weights([model.get_weights()[0] + 1])  # else they are their averages
    held = []
    keep = callbacks.LambdaCallback(**{hook: lambda *args: held.append(model.get_weights()[0])})
    swap, fail = callbacks.SwapEMAWeights(swap_on_epoch=True), Raises(hook)
    told: dict[str, Any] = {"verbose": 0, "callbacks": [swap, keep, fail] if late else [keep, fail, swap]}
    call = {
        "predict": lambda: model.predict(x, **told),
        "evaluate": lambda: model.evaluate(x, y, **told),
        "fit": lambda: model.fit(x, y, validation_data=(x, y), **told),
    }[run]
    before, trained = model.get_weights()[0], hook in ("on_train_batch_end", "on_test_batch_end", "on_epoch_end")
    with pytest.raises(KeyboardInterrupt, match=hook):
        call()
    assert not model.optimizer.averages_swapped and held
    average = model.optimizer.slot(model.weights[0], "average").numpy()
    assert not np.array_equal(model.get_weights()[0], average)
    if not trained:
        np.testing.assert_array_equal(model.get_weights()[0], before)
        seen: list[Any] = []
        look = callbacks.LambdaCallback(on_predict_batch_end=lambda *args: seen.append(model.get_weights()[0]))
        model.predict(x, verbose=0, callbacks=[swap, look])
        np.testing.assert_array_equal(seen[0], average)
        np.testing.assert_array_equal(model.get_weights()[0], before)
