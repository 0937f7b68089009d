"""A run that is killed goes on to the same weights, bit for bit, as one that was not; no file is ever half written."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, callbacks, layers, ops, optimizers, utils
from refnet import random as random_numbers
from refnet.errors import ArgumentError, FileError
from refnet.saving import files

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
KILLS = 25 if os.environ.get("REFNET_PROFILE") == "deep" else 2  # of each kind


def child(folder: pathlib.Path, save_freq: str, seed: int) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REFNET_ENGINE": "reference"}
    command = [sys.executable, str(HERE / "run_with_backup.py"), str(folder), save_freq, str(seed)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(process: "subprocess.Popen[str]") -> str:
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    return text


def arrays(folder: pathlib.Path) -> list[Any]:
    with np.load(folder / "final.npz") as file:
        return [file[name] for name in file.files]


def line(process: "subprocess.Popen[str]", wanted: str) -> None:
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith(wanted):
            return
    raise AssertionError(f"the child ended before {wanted!r}")


@pytest.mark.parametrize("save_freq", ["epoch", "3"])
def test_a_killed_run_goes_on_bit_for_bit(save_freq: str, tmp_path: pathlib.Path) -> None:
    """Killed a moment after one of its batches: while it trains, while it writes, or when it is done."""
    batches = finished(child(tmp_path / "whole", save_freq, seed=1)).count("batch")
    draws = random.Random(os.urandom(8))
    for moment in range(KILLS):
        folder, number, delay = tmp_path / f"killed_{moment}", draws.randrange(batches), draws.uniform(0, 0.02)
        process = child(folder, save_freq, seed=1)
        for _ in range(number + 1):
            line(process, "batch")
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # another seed: what matters of it comes from the backup, if there is one
        seed = 2 if (folder / "backup" / "latest.backup").exists() else 1
        if not (folder / "final.npz").exists():
            finished(child(folder, save_freq, seed))
        for a, b in zip(arrays(folder), arrays(tmp_path / "whole"), strict=True):
            assert a.tobytes() == b.tobytes(), f"differs after a kill {delay:.3f} s after batch {number} of {batches}"
        assert not (folder / "backup").exists()


def model_and_data(units: int = 4, seed: int = 1) -> Any:
    utils.set_random_seed(seed)
    model = Sequential([Input((3,)), layers.Dense(units), layers.Dropout(0.5), layers.Dense(2)])
    model.compile("rmsprop", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    return model, x, x[:, :2]


class Stop(Exception):
    pass


def stopping(epoch: int, batch: int | None = None) -> Any:
    at = {"epoch": 0}

    def on_epoch_begin(number: int, logs: Any) -> None:
        at["epoch"] = number
        if batch is None and number == epoch:
            raise Stop

    def on_train_batch_end(number: int, logs: Any) -> None:
        if batch is not None and (at["epoch"], number) == (epoch, batch):
            raise Stop

    return callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin, on_train_batch_end=on_train_batch_end)


@pytest.mark.parametrize("save_freq", ["epoch", 1, 2, 5])
@pytest.mark.parametrize("batch", [None, 0, 3])
def test_every_place_is_taken_up(save_freq: Any, batch: int | None, tmp_path: pathlib.Path) -> None:
    model, x, y = model_and_data()
    whole = model.fit(x, y, epochs=4, batch_size=4)
    killed = model_and_data()[0]
    with pytest.raises(Stop):
        killed.fit(
            x,
            y,
            epochs=4,
            batch_size=4,
            callbacks=[callbacks.BackupAndRestore(tmp_path, save_freq), stopping(2, batch)],
        )
    again = model_and_data(seed=77)[0]
    history = again.fit(x, y, epochs=4, batch_size=4, callbacks=[callbacks.BackupAndRestore(tmp_path, save_freq)])
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert history.epoch[-1] == 3 and len(history.epoch) < 4
    assert history.history["loss"] == whole.history["loss"][-len(history.epoch) :]  # the metrics' states too
    assert again.evaluate(x, y) == model.evaluate(x, y)


@pytest.mark.parametrize("stop", [(1, None), (2, 1), (3, 0)])
@pytest.mark.parametrize("save_freq", ["epoch", 1])
def test_epochs_that_end_within_a_pass_are_taken_up(save_freq: Any, stop: Any, tmp_path: pathlib.Path) -> None:
    """Three batches an epoch, five in a pass over the samples."""
    more = {"epochs": 5, "batch_size": 4, "steps_per_epoch": 3}
    model, x, y = model_and_data()
    model.fit(x, y, **more)
    killed = model_and_data()[0]
    with pytest.raises(Stop):
        killed.fit(x, y, **more, callbacks=[callbacks.BackupAndRestore(tmp_path, save_freq), stopping(*stop)])
    again = model_and_data(seed=77)[0]
    again.fit(x, y, **more, callbacks=[callbacks.BackupAndRestore(tmp_path, save_freq)])
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_nothing_is_left_of_a_backup_when_training_has_ended(tmp_path: pathlib.Path) -> None:
    model, x, y = model_and_data()
    model.fit(x, y, callbacks=[callbacks.BackupAndRestore(tmp_path / "backup")])
    assert not (tmp_path / "backup").exists()
    model.fit(x, y, callbacks=[callbacks.BackupAndRestore(tmp_path / "kept", delete_checkpoint=False)])
    (tmp_path / "kept" / "notes.txt").write_text("not ours")
    model.fit(x, y, epochs=2, callbacks=[callbacks.BackupAndRestore(tmp_path / "kept")])
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["notes.txt"]
    twice = [callbacks.BackupAndRestore(tmp_path / "backup") for _ in range(2)]
    model.fit(x, y, callbacks=twice)  # the first has removed the folder when the second looks
    assert not (tmp_path / "backup").exists()


class OwnStep(Model):
    """Draws in a step of its own, and keeps a second optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.dropout = layers.Dense(2), layers.Dropout(0.5)
        self.other = optimizers.Adam(0.05)

    def call(self, inputs: Any) -> Any:
        return self.inner(self.dropout(inputs))

    def train_step(self, data: Any) -> Any:
        x, y = data
        loss = ops.mean(ops.square(self(x, training=True) - y)) + ops.mean(random_numbers.normal((3,))) * 0.0
        weights = self.trainable_weights
        self.other.apply_gradients(zip(ops.gradients(loss, weights), weights))
        return {"loss": loss}


def test_a_run_with_steps_of_its_own_is_taken_up(tmp_path: pathlib.Path) -> None:
    def made(seed: int) -> Any:
        utils.set_random_seed(seed)
        model = OwnStep()
        model.compile()
        return model

    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    more = {"epochs": 4, "batch_size": 4}
    whole = made(1)
    whole.fit(x, x[:, :2], **more)
    with pytest.raises(Stop):
        made(1).fit(x, x[:, :2], **more, callbacks=[callbacks.BackupAndRestore(tmp_path, 1), stopping(2, 1)])
    again = made(77)
    again.fit(x, x[:, :2], **more, callbacks=[callbacks.BackupAndRestore(tmp_path, 1)])
    for a, b in zip([*again.weights, *again.other.variables], [*whole.weights, *whole.other.variables], strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_the_backup_of_another_model_or_a_damaged_one_is_refused(tmp_path: pathlib.Path) -> None:
    model, x, y = model_and_data()
    with pytest.raises(Stop):
        model.fit(x, y, epochs=3, callbacks=[callbacks.BackupAndRestore(tmp_path), stopping(2)])
    latest = tmp_path / "latest.backup"
    content = latest.read_bytes()
    other = model_and_data(units=5)[0]
    before = other.get_weights()
    with pytest.raises(FileError, match="latest.backup: it was written for a model of other weights"):
        other.fit(x, y, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    for damaged in (b"", content[:100], content[:-1], content[:200] + bytes([content[200] ^ 1]) + content[201:]):
        latest.write_bytes(damaged)
        with pytest.raises(FileError, match="it is damaged, or no backup"):
            other.fit(x, y, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert all((a == b).all() for a, b in zip(other.get_weights(), before))


def test_the_state_before_the_last_is_kept_if_asked_for(tmp_path: pathlib.Path) -> None:
    model, x, y = model_and_data()
    model.fit(x, y, epochs=3, callbacks=[callbacks.BackupAndRestore(tmp_path, "epoch", True, delete_checkpoint=False)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest.backup", "previous.backup"]
    with pytest.raises(ArgumentError, match="save_freq is 'epoch' or a number of batches"):
        callbacks.BackupAndRestore(tmp_path, save_freq=0)


def test_whoever_reads_while_files_are_replaced_finds_a_whole_one(tmp_path: pathlib.Path) -> None:
    """A child replaces a file over and over and is killed; what is there is one of the two contents."""
    path = tmp_path / "file"
    code = (
        "import sys; from refnet.saving import files\n"
        "n = 0\n"
        "while True:\n"
        "    files.write_atomically(sys.argv[1], bytes([n % 2]) * 3_000_000)\n"
        "    n += 1\n"
        "    print(n, flush=True)"
    )
    for _ in range(3):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], env=environment, stdout=subprocess.PIPE, text=True
        )
        line(process, "2")
        time.sleep(random.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        content = path.read_bytes()
        assert len(content) == 3_000_000 and content in (bytes(3_000_000), b"\1" * 3_000_000)
    files.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_run_that_did_not_begin_does_not_move_the_next_ones_beginning(tmp_path: pathlib.Path) -> None:
    """The backup was read, then another callback refused: what was read must not outlive that run."""

    class Refuses(callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            raise ValueError("not now")

    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    keep = callbacks.BackupAndRestore(tmp_path / "run", delete_checkpoint=False)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[keep])
    for listed in ([keep, Refuses()], [callbacks.CallbackList([keep]), Refuses()]):
        with pytest.raises(ValueError, match="not now"):
            model.fit(x, y, epochs=5, verbose=0, callbacks=listed)
        assert model.fit(x, y, epochs=5, verbose=0).epoch == [0, 1, 2, 3, 4]
    assert model.fit(x, y, epochs=5, verbose=0, callbacks=[keep]).epoch == [3, 4]
