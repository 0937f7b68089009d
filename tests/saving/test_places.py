"""What cannot be saved: wrong names, places that take no file, a package that is missing. Each is told before a file is touched."""

import errno
import os
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

from refnet import (
    Input,
    Sequential,
    callbacks,
    layers,
    preprocessing,
    saving,
    utils,
)
from refnet.errors import (
    ArgumentError,
    MissingFileError,
    MissingPackageError,
    PlaceError,
)

x, y = np.zeros((12, 5), "float32"), np.arange(12) % 3


def classifier() -> Any:
    model = Sequential([Input((5,)), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_wrong_names_say_what_is_needed(tmp_path: pathlib.Path) -> None:
    model = classifier()
    with pytest.raises(ArgumentError, match="ends in '.keras' or '.h5'"):
        model.save(tmp_path / "m.txt")
    with pytest.raises(ArgumentError, match="ends in '.weights.h5'"):
        model.save_weights(tmp_path / "m.keras")
    with pytest.raises(MissingFileError, match="does not exist; make it"):
        model.save(tmp_path / "none" / "m.keras")
    with pytest.raises(MissingFileError, match="there is no file"):
        saving.load_model(tmp_path / "m.keras")
    with pytest.raises(ArgumentError, match="not built yet"):
        Sequential([layers.Dense(3)]).save(tmp_path / "m.keras")
    model.save(tmp_path / "m.keras")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(tmp_path / "m.keras", overwrite=False)


def test_what_is_no_path(tmp_path: pathlib.Path) -> None:
    model = classifier()
    for call in (
        model.save,
        model.load_weights,
        saving.load_model,
        callbacks.CSVLogger,
        callbacks.BackupAndRestore,
        utils.image_dataset_from_directory,
        lambda path: utils.plot_model(model, path or 3),
        preprocessing.image.ImageDataGenerator().flow_from_directory,
    ):
        with pytest.raises(ArgumentError, match="a path is needed, a string or a pathlib.Path; got (None|3)"):
            call(None)


def test_a_failing_write_leaves_the_old_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier()
    model.save(tmp_path / "m.keras")
    before = (tmp_path / "m.keras").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    model.fit(x, y)
    with pytest.raises(PlaceError, match="m.keras cannot be written: No space left on device. Make room"):
        model.save(tmp_path / "m.keras")
    assert (tmp_path / "m.keras").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m", "m.weights.h5"])
@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EACCES, "Nothing can be written to the folder"),
        (errno.EROFS, "Nothing can be written to the folder"),
        (errno.ENAMETOOLONG, "Choose a shorter name."),
        (errno.EIO, "Choose another place."),
    ],
)
def test_a_place_that_takes_no_file(
    name: str, number: int, hint: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = classifier()

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    for function in ("fsync", "replace"):
        monkeypatch.setattr(os, function, refused)
    save = model.save_weights if ".weights" in name else model.save
    with pytest.raises(PlaceError) as caught:
        save(tmp_path / name, **({"zipped": False} if name == "m" else {}))
    assert f"{tmp_path / name} cannot be written: {os.strerror(number)}. {hint}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PlaceError, match="xx.keras cannot be written: File name too long. Choose a shorter name."):
        classifier().save(tmp_path / f"{'x' * 300}.keras")


def test_folders_of_the_system_are_refused() -> None:
    model = classifier()
    for call in (model.save, model.save_weights):
        with pytest.raises(PlaceError, match="/proc/m.*cannot be written: .* folder /proc; choose another one"):
            call("/proc/m.weights.h5" if call == model.save_weights else "/proc/m.keras")


def test_a_callback_that_cannot_make_its_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / "taken").write_text("")
    for callback in (
        callbacks.ModelCheckpoint(tmp_path / "taken" / "m.keras"),
        callbacks.BackupAndRestore(tmp_path / "taken"),
    ):
        with pytest.raises(PlaceError, match="taken cannot be written: "):
            classifier().fit(x, y, verbose=0, callbacks=[callback])


def test_h5py_missing_names_the_extra(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingPackageError, match=r'pip install -e "\.\[files\]"'):
        model.save(tmp_path / "m.keras")
