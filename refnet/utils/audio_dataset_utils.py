"""Data sets of the sounds in folders, a folder for each class."""

import os
import wave
from collections.abc import Callable
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, FileError, shown
from refnet.utils.directory_dataset_utils import Files

NAME = "audio_dataset_from_directory"


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """The sounds (.wav) in folders, a folder for each class, as a data set.

    Args:
        sampling_rate: places in a second that every file must have; None: whatever they have. Files are not resampled.
        output_sequence_length: files are cut, or continued by zeros, to so many places; None: they are continued to the length of the
            longest of their batch.
        ragged: False; arrays have one length. `batch_size=None` gives each file in its own.
        The rest: see `image_dataset_from_directory`.
    Returns:
        A PyDataset of (sounds, float32 (batch, steps, channels) in -1..1, labels), or of sounds.
    Raises:
        MissingFileError: no folder, no sounds.  ArgumentError: see above.  When a batch is read, FileError: a file that is damaged or
        holds something else than whole numbers of 8, 16, 24 or 32 bits (PCM); DataError: another sampling rate, in a batch another
        number of channels than that of the first file.
    Source: Keras 3 `utils.audio_dataset_from_directory`, which reads 16 bits alone and continues missing channels by zeros.
    """
    for word, value in (("sampling_rate", sampling_rate), ("output_sequence_length", output_sequence_length)):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if value is not None and not (whole and value > 0):
            raise ArgumentError(f"{NAME}: {word} is an integer of at least 1, or None; got {shown(value)}.")
    if ragged:
        raise ArgumentError(
            f"{NAME}: ragged must be False: arrays have one length. Give output_sequence_length, or batch_size=None, which gives "
            "each file in its own length."
        )
    files = Files(NAME, directory, labels, label_mode, class_names, (".wav",), follow_links, verbose)
    same = _alike(files.paths[0], sampling_rate, batch_size is not None)

    def read(path: str) -> Array:
        sound, rate = read_wav(path)
        same(path, rate, sound.shape[1])
        return sound if output_sequence_length is None else of_length(sound, output_sequence_length)

    def join(sounds: list[Array]) -> Array:
        longest = max(len(sound) for sound in sounds)
        return np.stack([of_length(sound, longest) for sound in sounds])

    return files.datasets(read, join, batch_size, shuffle, seed, validation_split, subset)


def _alike(first: str, sampling_rate: int | None, batched: bool) -> Callable[[str, int, int], None]:
    """A function of path, sampling rate and number of channels that raises DataError where files cannot stand in one data set."""
    found: list[int] = []  # the first file's number of channels, when it has been asked for

    def same(path: str, rate: int, channels: int) -> None:
        if sampling_rate is not None and rate != sampling_rate:
            raise DataError(
                f"{NAME}: {path} has {rate} places in a second; sampling_rate is {sampling_rate}. Files are not resampled here: "
                "bring them to one rate first (scipy.signal.resample_poly)."
            )
        if batched and not found:
            found.append(channels if path == first else read_wav(first)[0].shape[1])
        if batched and channels != found[0]:
            raise DataError(
                f"{NAME}: the files of a batch have one number of channels; {first} has {found[0]}, {path} has {channels}."
            )

    return same


def of_length(sound: Array, count: int) -> Array:
    """(steps, channels) cut, or continued by zeros, to so many steps."""
    return np.pad(sound[:count], ((0, max(0, count - len(sound))), (0, 0)))


def read_wav(path: str) -> tuple[Array, int]:
    """A WAV file's sound and its sampling rate.

    Args:
        path: of a file of whole numbers (PCM) of 8, 16, 24 or 32 bits.
    Returns:
        (float32 (steps, channels): the numbers divided by the one above the greatest, so in -1..1; places in a second).
    Raises:
        FileError: damaged, cut off, or something else.
    """
    try:
        with wave.open(path, "rb") as file:
            width, channels, count, rate = (
                *(file.getsampwidth(), file.getnchannels()),
                *(file.getnframes(), file.getframerate()),
            )
            size = width * channels * count
            # asked before anything is read: a damaged file may claim gigabytes
            held = file.readframes(count) if size <= os.path.getsize(path) else b""
    except (wave.Error, EOFError, RuntimeError) as error:  # RuntimeError: parts of the file that lie outside of it
        raise FileError(
            f"{NAME}: {path} is no WAV file of whole numbers (PCM): {str(error) or 'it ends too early'}."
        ) from error
    if width not in (1, 2, 3, 4):
        raise FileError(f"{NAME}: {path} has numbers of {8 * width} bits; 8, 16, 24 and 32 are read.")
    if len(held) < size or rate < 1:
        told = (
            f"says that it holds {size} bytes of sound, and holds fewer"
            if len(held) < size
            else f"has the sampling rate {rate}"
        )
        raise FileError(f"{NAME}: {path} is damaged: it {told}.")
    return as_floats(held, width).reshape(count, channels), rate


def as_floats(held: bytes, width: int) -> Array:
    """Numbers of so many bytes, as -1..1. Those of one byte are 0..255, with 128 for 0."""
    if width == 1:
        return (np.frombuffer(held, "uint8").astype("float32") - 128) / 128
    whole = np.zeros((len(held) // width, 4), "uint8")
    whole[:, 4 - width :] = np.frombuffer(held, "uint8").reshape(-1, width)  # the upper bytes; those below are 0
    return (whole.view("<i4")[:, 0] / 2.0**31).astype("float32")
