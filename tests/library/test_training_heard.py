"""What callbacks hear of training, evaluation and prediction, and what is shown of them. Single callbacks: tests/saving."""

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

from refnet import callbacks, ops
from refnet.errors import ArgumentError
from refnet.layers import Input
from refnet.models import Model

generator = np.random.default_rng(1)
X = generator.standard_normal((11, 4)).astype("float32")
LABELS = generator.integers(0, 3, 11)


@pytest.mark.api("Callback subclass")
def test_callbacks_hear_everything_in_order(classifier: Any) -> None:
    heard: list[str] = []

    class Listener(callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            heard.append(f"begin {self.params['epochs']} {self.params['steps']}")

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            heard.append(f"epoch {epoch}")

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            heard.append(f"batch {batch} {sorted(logs)}")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            heard.append(f"end {epoch}")
            if epoch == 2:
                self.model.stop_training = True

    model = classifier()
    history = model.fit(X, LABELS, batch_size=6, epochs=9, initial_epoch=1, callbacks=[Listener()], verbose=0)
    batches = ["batch 0 ['accuracy', 'loss']", "batch 1 ['accuracy', 'loss']"]
    assert heard == ["begin 9 2", "epoch 1", *batches, "end 1", "epoch 2", *batches, "end 2"] and history.epoch == [
        1,
        2,
    ]


@pytest.mark.api("EarlyStopping", "CSV/metric logging, LR schedule")
def test_early_stopping_puts_the_best_weights_back(classifier: Any) -> None:
    model, seen = classifier(), []
    rates = callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 if epoch < 2 else 50.0)
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    stop = callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    history = model.fit(
        X, LABELS, epochs=20, validation_data=(X, LABELS), callbacks=[rates, keep, stop], verbose=0
    ).history
    best = int(np.argmin(history["val_loss"]))
    assert len(history["loss"]) == best + 3
    assert all(np.array_equal(a, b) for a, b in zip(seen[best], model.get_weights()))
    with pytest.raises(ArgumentError, match="EarlyStopping watches 'val_los'; the logs have accuracy, loss"):
        model.fit(X, LABELS, callbacks=[callbacks.EarlyStopping("val_los")], verbose=0)


@pytest.mark.api("Callback subclass")
def test_hooks_around_validation_and_predictions(classifier: Any) -> None:
    heard: list[Any] = []

    class Listener(callbacks.Callback):
        def on_test_begin(self, logs: Any = None) -> None:
            heard.append("begin")

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            heard.append((batch, sorted(logs)))

        def on_test_end(self, logs: Any = None) -> None:
            heard.append(("end", sorted(logs)))

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            heard.append((batch, logs["outputs"].shape))

    model = classifier()
    listener = Listener()
    model.fit(X, LABELS, validation_data=(X, LABELS), validation_batch_size=6, callbacks=[listener], verbose=0)
    names = ["accuracy", "loss"]
    assert heard == ["begin", (0, names), (1, names), ("end", names)]
    assert [a.shape for a in listener.validation_data] == [(11, 4), (11,)]
    heard.clear()
    whole = model.predict(X, batch_size=8, callbacks=[listener])
    assert heard == [(0, (8, 3)), (1, (3, 3))] and whole.shape == (11, 3)


def test_predictions_without_a_row_for_each_sample_are_heard_of_too() -> None:
    x = Input((2,))
    model, heard = Model(x, ops.sum(x, axis=0, keepdims=True)), []
    listener = callbacks.LambdaCallback(
        on_predict_batch_begin=lambda batch, logs: heard.append(batch),
        on_predict_batch_end=lambda batch, logs: heard.append((batch, logs["outputs"].tolist())),
    )
    found = model.predict(np.arange(10.0).reshape(5, 2), batch_size=2, callbacks=[listener], verbose=0)
    assert found.tolist() == [[2, 4], [10, 12], [8, 9]]
    assert heard == [0, (0, [[2, 4]]), 1, (1, [[10, 12]]), 2, (2, [[8, 9]])]


def printed(model: Any, verbose: Any, **more: Any) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        model.fit(X, LABELS, epochs=2, batch_size=4, verbose=verbose, **more)
    return out.getvalue()


@pytest.mark.api("History / BaseLogger / ProgbarLogger")
def test_what_is_shown_when_the_output_is_no_terminal(classifier: Any) -> None:
    assert printed(classifier(), 0) == ""
    for verbose in ("auto", 1, 2):
        lines = printed(classifier(), verbose, validation_split=0.3).splitlines()
        assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and len(lines) == 4
        assert lines[1].startswith("2/2 - 0s - ")
        for word in ("/step - accuracy: 0.", " - loss: ", " - val_accuracy: ", " - val_loss: "):
            assert word in lines[1]


def test_the_live_bar(classifier: Any, monkeypatch: Any) -> None:
    from rich.console import Console

    from refnet import progress

    out = io.StringIO()
    monkeypatch.setattr(progress, "live", lambda: True)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    console = lambda **more: Console(file=out, force_terminal=True, width=120, **more)
    monkeypatch.setattr("rich.console.Console", console)
    classifier().fit(X, LABELS, batch_size=4, validation_split=0.3)
    text = out.getvalue()
    assert "Epoch 1/1" in text and "━" in text and "val_loss: " in text and "2/2" in text
