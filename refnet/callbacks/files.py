"""Callbacks that write files: checkpoints, backups to go on from, logs."""

import csv
import pathlib
from typing import Any

import numpy as np

from refnet.callbacks.base import Callback, Values
from refnet.callbacks.rates import rated
from refnet.callbacks.watching import Watch, Watching
from refnet.errors import ArgumentError
from refnet.paths import as_path
from refnet.progress import tell
from refnet.saving import files
from refnet.saving.state import packed_state, restore_state


def _frequency(owner: str, save_freq: Any) -> int | None:
    """After how many batches a file is written; None for after every epoch."""
    if save_freq == "epoch":
        return None
    if isinstance(save_freq, bool) or not isinstance(save_freq, (int, np.integer)) or save_freq < 1:
        raise ArgumentError(f"{owner}: save_freq is 'epoch' or a number of batches; got {save_freq!r}.")
    return int(save_freq)


class ModelCheckpoint(Watching):
    """Saves the model, or its weights, after epochs or batches. A file is replaced whole or not at all.

    Args:
        filepath: ends in what `save` takes, or `save_weights` with save_weights_only; may have fields such as {epoch:02d} and
            {val_loss:.2f}.
        monitor: the value of the logs that save_best_only looks at.
        verbose: 1 prints a line for each file.
        save_best_only: whether only a better model is saved.
        save_weights_only: whether only the weights are.
        mode: "min", "max", or "auto": see `watching.Watch`.
        save_freq: "epoch", or a number of batches (which makes training stop after every batch, and costs speed).
        initial_value_threshold: what the first model has to beat.
        period: of Keras 2: after how many epochs it looks at the model.
    Source: Keras 3 `callbacks.ModelCheckpoint`.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
        *,
        period: int = 1,
    ):
        self.filepath, old = str(filepath), (".h5", ".hdf5")
        if not self.filepath.endswith(old if save_weights_only else (".keras", *old)):
            said = "weights ends in '.weights.h5'" if save_weights_only else "a whole model ends in '.keras' or '.h5'"
            raise ArgumentError(f"ModelCheckpoint: the file of {said}; got {self.filepath!r}.")
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        self.monitor, self.mode, self.save_freq = monitor, mode, save_freq
        self.frequency = _frequency("ModelCheckpoint", save_freq)
        self.watch = Watch("ModelCheckpoint", monitor, mode, best=initial_value_threshold)
        if not isinstance(period, int) or period < 1:
            raise ArgumentError(f"ModelCheckpoint: period is a number of epochs, at least 1; got {period!r}.")
        self.batches, self.epoch, self.epochs, self.period = 0, 0, 0, period

    def hears(self, hook: str) -> bool:
        return super().hears(hook) and (self.frequency is not None or self.overrides(hook, ModelCheckpoint))

    def on_train_begin(self, logs: Any = None) -> None:
        self.watch.model = self.model

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        if self.frequency is not None and self.batches % self.frequency == 0:
            self.consider(logs or {}, {"batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs += 1
        unseen = self.save_best_only and self.watch.unseen(logs or {})
        if self.frequency is None and self.epochs % self.period == 0 and not unseen:
            self.consider(logs or {}, {})

    def consider(self, logs: dict[str, Any], fields: dict[str, Any]) -> None:
        """Saves the model unless a better one was."""
        value, best = self.watch.read(logs) if self.save_best_only else None, self.watch.best
        if value is not None and not self.watch.better(value, best):
            if self.verbose:
                tell(f"Epoch {self.epoch + 1}: {self.watch.monitor} did not get better than {best}")
            return
        try:
            known: dict[str, Any] = {**logs, **fields, "epoch": self.epoch + 1}
            path = pathlib.Path(self.filepath.format_map(Values(known)))
        except KeyError as error:
            raise ArgumentError(
                f"ModelCheckpoint: the name {self.filepath!r} asks for {error.args[0]!r}; there are epoch, "
                f"{', '.join([*fields, *logs])}."
            ) from None
        with files.writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if value is not None:
            self.watch.best = value  # only now that its file is there
        if self.verbose:
            tell(f"Epoch {self.epoch + 1}: saved to {path}")


class BackupAndRestore(Callback):
    """Writes the state of a run after every epoch or so many batches; a run that was killed goes on from there, bit for bit.

    The state has weights, the optimizer's and the metrics' variables, the counter and the seeds of random layers, and the
    shuffling. The next `fit` with the same folder, model and data takes it up; what other callbacks remember is not in it.

    Args:
        backup_dir: a folder of this run alone; made if it does not exist.
        save_freq: "epoch", or a number of batches (which makes training stop after every batch, and costs speed).
        double_checkpoint: whether the state before the last is kept too, as `previous.backup`.
        delete_checkpoint: whether the files are removed when training has ended, and the folder if nothing else is in it.
    Raises:
        FileError: at the beginning of fit, for a damaged file, or one of another model. Nothing is changed then.
    Source: Keras 3 `callbacks.BackupAndRestore`.
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        if not str(backup_dir):
            raise ArgumentError("BackupAndRestore: backup_dir names a folder; got an empty string.")
        self.folder = as_path("BackupAndRestore", backup_dir)
        self.backup_dir, self.save_freq = backup_dir, save_freq
        self.frequency = _frequency("BackupAndRestore", save_freq)
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self.latest, self.previous = self.folder / "latest.backup", self.folder / "previous.backup"
        self.batches, self.epoch = 0, 0
        self.shuffler: list[int] = [0, 0]

    def hears(self, hook: str) -> bool:
        return super().hears(hook) and (self.frequency is not None or self.overrides(hook, BackupAndRestore))

    def on_train_begin(self, logs: Any = None) -> None:
        with files.writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        for part in self.folder.glob(".*.backup.*.part"):  # a run that was killed while it wrote has left it
            part.unlink()
        self.model._resume = None
        if self.latest.is_file():
            with files.reading(self.latest):
                self.model._resume = restore_state(self.model, self.latest.read_bytes())

    def on_run_failed(self, logs: Any = None) -> None:
        # Another callback has refused this run; a later one without a backup begins at its beginning.
        self.model._resume = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch, self.shuffler = epoch, self.model.shuffler_state()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        if self.frequency is not None and self.batches % self.frequency == 0:
            self.write(self.epoch, batch + 1, self.shuffler)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.frequency is None:
            self.write(epoch + 1, 0, self.model.shuffler_state())

    def write(self, epoch: int, step: int, shuffler: list[int]) -> None:
        """Puts the state in place of the one before."""
        content = packed_state(self.model, epoch, step, shuffler)
        if self.double_checkpoint and self.latest.is_file():
            files.write_atomically(self.previous, self.latest.read_bytes())
        files.write_atomically(self.latest, content)

    def on_train_end(self, logs: Any = None) -> None:
        if self.delete_checkpoint:
            self.latest.unlink(missing_ok=True)
            self.previous.unlink(missing_ok=True)
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                self.folder.rmdir()


class CSVLogger(Callback):
    """Writes the logs of each epoch as a row of a CSV file, at once; NA where an epoch has no value, as it was not evaluated.

    Args:
        filename: the file.
        separator: between values, one character.
        append: whether rows are added to a file that exists; else it is begun anew.
    Raises:
        PlaceError: the file cannot be written; at the beginning of fit.
    Source: Keras 3 `callbacks.CSVLogger`.

    >>> import tempfile
    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "log.csv"
    ...     history = model.fit(np.ones((4, 1)), np.zeros(4), epochs=2, verbose=0, callbacks=[CSVLogger(path)])
    ...     path.read_text().split()
    ['epoch,loss', '0,0.0', '1,0.0']
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        if not isinstance(separator, str) or len(separator) != 1:
            raise ArgumentError(f"CSVLogger: separator is one character; got {separator!r}.")
        self.filename, self.separator, self.append = as_path("CSVLogger", filename), separator, append
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.keys = None
        if not self.append:
            with files.writing(self.filename):
                self.filename.write_text("", encoding="utf-8")
        elif self.filename.is_file():
            with open(self.filename, encoding="utf-8", newline="") as file:
                titles = next(csv.reader(file, delimiter=self.separator), [])
            self.keys = titles[1:] if titles else None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        rows = []
        if self.keys is None:
            self.keys = self._titles(logs)
            rows.append(["epoch", *self.keys])
        rows.append([str(epoch), *(_text(logs.get(key, "NA")) for key in self.keys)])
        with files.writing(self.filename), open(self.filename, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=self.separator, lineterminator="\n").writerows(rows)

    def _titles(self, logs: Any) -> list[str]:
        """The names in the logs, and those of an evaluation that is still to come (`validation_freq`)."""
        names = set(logs)
        if self.params.get("do_validation") and not any(name.startswith("val_") for name in names):
            shown = self.model._shown_names()  # None: a step of the model's own says them when it has run
            names |= {
                f"val_{name}" for name in (names - rated(self.model.optimizer).keys() if shown is None else shown)
            }
        return sorted(names)


def _text(value: Any) -> str:
    array = np.asarray(value)
    return str(value) if array.ndim == 0 else "[" + ", ".join(map(str, array.tolist())) + "]"
