"""What is told where the output is no terminal: a file, a pipe, a notebook's server. There, too, a training shows how far it is."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from refnet import layers, models, progress, use_engine
from refnet.callbacks import EarlyStopping

X, Y = np.arange(12.0, dtype="float32").reshape(6, 2), np.ones(6, "float32")
PROGRAM = """
import numpy as np
from refnet import layers, models, use_engine
use_engine("reference")
model = models.Sequential([layers.Input((2,)), layers.Dense(1)])
model.compile("sgd", "mse")
x, y = np.ones((4, 2), "float32"), np.ones(4, "float32")
model.fit(x, y, epochs=2, batch_size=2)
model.evaluate(x, y, batch_size=2)
model.predict(x, batch_size=2)
"""


def network() -> models.Sequential:
    model = models.Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def test_a_file_gets_a_line_of_each_epoch_and_no_escape() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and len(lines) == 6
    assert all(line.startswith("2/2 - 0s - ") for line in (lines[1], *lines[3:])) and " - loss: " in lines[4]
    assert not {"\x1b", "\r", "\b"} & set(done.stdout)


def test_an_epoch_is_announced_before_it_begins_and_told_before_the_next(capsys: Any, monkeypatch: Any) -> None:
    shown: list[str] = []
    begin = progress.Lines.begin

    def watched(self: progress.Lines, *given: Any) -> None:
        begin(self, *given)
        shown.append(capsys.readouterr().out)

    monkeypatch.setattr(progress.Lines, "begin", watched)
    with use_engine("reference"):
        network().fit(X, Y, epochs=3, batch_size=3, validation_split=0.5)
    assert shown[0] == "Epoch 1/3\n"
    for number, text in enumerate(shown[1:], 2):
        told, announced = text.splitlines()
        assert told.startswith("1/1 - ") and " - val_loss: " in told and announced == f"Epoch {number}/3"


@pytest.mark.parametrize("verbose", [0, False])
def test_silence_is_silent(verbose: Any, capsys: Any) -> None:
    with use_engine("reference"):
        model = network()
        model.fit(X, Y, verbose=verbose)
        model.evaluate(X, Y, verbose=verbose)
        model.predict(X, verbose=verbose)
    assert capsys.readouterr().out == ""


def test_a_training_that_is_stopped_has_told_of_the_epochs_it_had(capsys: Any) -> None:
    with use_engine("reference"):
        model = network()
        model.fit(X, Y, epochs=9, callbacks=[EarlyStopping("loss", patience=0, min_delta=1e9)])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "/9" in line] == ["Epoch 1/9", "Epoch 2/9"] == lines[::2]
    assert len(lines) == 4 and " - loss: " in lines[3]
