"""Sounds in folders: what WAV files hold, what becomes of lengths, channels and rates, and files that nobody should have written."""

import pathlib
import struct
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refnet import layers, models
from refnet.errors import ArgumentError, DataError, FileError, MissingFileError
from refnet.utils import audio_dataset_from_directory
from refnet.utils.audio_dataset_utils import read_wav

RANDOM = np.random.default_rng(3)


def written(path: pathlib.Path, numbers: Any, width: int = 2, rate: int = 8000) -> None:
    """A WAV file of whole numbers, (steps,) or (steps, channels), of so many bytes each."""
    numbers = np.asarray(numbers)
    numbers = numbers[:, None] if numbers.ndim == 1 else numbers
    with wave.open(str(path), "wb") as file:
        file.setnchannels(numbers.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        signed = width > 1
        file.writeframes(b"".join(int(x).to_bytes(width, "little", signed=signed) for x in numbers.reshape(-1)))


@pytest.fixture
def sounds(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two classes: in "a" sounds of 3 and 5 places, in "b" one of 4; two channels."""
    for kind, lengths in (("a", (3, 5)), ("b", (4,))):
        (tmp_path / kind).mkdir()
        for length in lengths:
            written(
                tmp_path / kind / f"{length}.wav", np.full((length, 2), [16384, -8192]) * (-1 if kind == "b" else 1)
            )
    (tmp_path / "a" / "notes.txt").write_text("no sound")
    return tmp_path


@pytest.mark.parametrize(
    ("width", "numbers", "due"),
    [
        (1, [0, 128, 192, 255], [-1, 0, 0.5, 127 / 128]),
        (2, [-(2**15), 0, 2**14, 1], [-1, 0, 0.5, 2.0**-15]),
        (3, [-(2**23), 0, 2**22, -1], [-1, 0, 0.5, -(2.0**-23)]),
        (4, [-(2**31), 0, 2**30, -1], [-1, 0, 0.5, -(2.0**-31)]),
    ],
)
def test_whole_numbers_of_every_width(tmp_path: pathlib.Path, width: int, numbers: list[int], due: list[float]) -> None:
    written(tmp_path / "x.wav", numbers, width, rate=44100)
    sound, rate = read_wav(str(tmp_path / "x.wav"))
    assert sound.dtype == np.float32 and sound.shape == (4, 1) and sound[:, 0].tolist() == due and rate == 44100


def test_batches_are_as_long_as_their_longest(sounds: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = audio_dataset_from_directory(sounds, shuffle=False, batch_size=2)
    assert capsys.readouterr().out == "Found 3 files belonging to 2 classes.\n"
    x, y = data[0]
    assert x.shape == (2, 5, 2) and x.dtype == np.float32 and y.tolist() == [0, 0] and data.class_names == ["a", "b"]
    assert x[0].tolist() == [[0.5, -0.25]] * 3 + [[0.0, 0.0]] * 2
    assert data[1][0].tolist() == [[[-0.5, 0.25]] * 4] and data[1][1].tolist() == [1]
    cut = audio_dataset_from_directory(
        sounds, shuffle=False, output_sequence_length=4, label_mode="binary", verbose=False
    )
    x, y = cut[0]
    assert x.shape == (3, 4, 2) and y.tolist() == [[0.0], [0.0], [1.0]]
    assert x[:, 3].tolist() == [[0.0, 0.0], [0.5, -0.25], [-0.5, 0.25]]
    single = audio_dataset_from_directory(sounds, labels=None, batch_size=None, shuffle=False, verbose=False)
    assert [x.shape for x in single] == [(3, 2), (5, 2), (4, 2)]
    two = audio_dataset_from_directory(sounds, seed=1, validation_split=0.4, subset="both", verbose=False)
    assert [len(part.file_paths) for part in two] == [2, 1]


def test_a_model_learns_from_a_folder(sounds: pathlib.Path) -> None:
    data = audio_dataset_from_directory(sounds, output_sequence_length=4, batch_size=2, seed=1, sampling_rate=8000)
    model = models.Sequential(
        [
            layers.Input((4, 2)),
            layers.STFTSpectrogram("real", 4),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    losses = model.fit(data, epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[0]


def test_rates_and_channels_must_agree(sounds: pathlib.Path) -> None:
    with pytest.raises(
        DataError, match=r"3.wav has 8000 places in a second; sampling_rate is 16000. Files are not resampled"
    ):
        audio_dataset_from_directory(sounds, sampling_rate=16000, shuffle=False, verbose=False)[0]
    written(sounds / "b" / "5.wav", [1, 2, 3])
    mixed = audio_dataset_from_directory(sounds, shuffle=False, batch_size=2, verbose=False)
    assert mixed[0][0].shape == (2, 5, 2)
    for size, row in ((1, 3), (2, 1)):  # whichever file is read first
        data = audio_dataset_from_directory(sounds, shuffle=False, batch_size=size, verbose=False)
        with pytest.raises(DataError, match=r"one number of channels; .*3.wav has 2, .*b.5.wav has 1"):
            data[row]
    alone = audio_dataset_from_directory(sounds, labels=None, batch_size=None, shuffle=False, verbose=False)
    assert [x.shape[1] for x in alone] == [2, 2, 2, 1]


def header(channels: int = 1, bits: int = 16, kind: int = 1, rate: int = 8000, size: int = 8) -> bytes:
    """A WAV file of four numbers, whose head says what it is told to."""
    block = channels * bits // 8
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * block % 2**32, block % 65536, bits)
    body += b"data" + struct.pack("<I", size) + bytes(range(8))
    return b"RIFF" + struct.pack("<I", len(body)) + body


HOSTILE: list[tuple[bytes, str]] = [
    (b"", "ends too early"),
    (b"no sound at all, whatever its name says", "does not start with RIFF"),
    (header()[:30], "ends too early"),
    (header()[:-4], "says that it holds 8 bytes of sound, and holds fewer"),
    (header(size=2**32 - 2), "says that it holds 4294967294 bytes of sound, and holds fewer"),
    (header(channels=0), "bad # of channels"),
    (header(bits=0), "bad sample width"),
    (header(bits=64), "numbers of 64 bits; 8, 16, 24 and 32 are read"),
    (header(kind=3, bits=32), "unknown format"),
    (header(rate=0), "has the sampling rate 0"),
    (header(channels=65535, size=8), ""),
    (b"RIFF" + struct.pack("<I", 4) + b"AVI ", "not a WAVE file"),
    (header().replace(b"fmt ", b"fmz "), "data chunk before fmt chunk|fmt chunk"),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_files_that_are_none(tmp_path: pathlib.Path, number: int) -> None:
    held, words = HOSTILE[number]
    (tmp_path / "x.wav").write_bytes(held)
    if not words:  # more channels than numbers: not one whole place
        assert read_wav(str(tmp_path / "x.wav"))[0].shape == (0, 65535)
        return
    with pytest.raises(FileError, match=rf"x\.wav (is|has) .*({words})"):
        audio_dataset_from_directory(tmp_path, labels=None, verbose=False)[0]


def test_damaged_files_are_read_or_refused_in_words(tmp_path: pathlib.Path) -> None:
    """Bytes of the head set to others: each ends in a sound or in an error of ours."""
    whole, refused = header(), 0
    for _ in range(400):
        held = bytearray(whole[: RANDOM.integers(1, len(whole) + 1)])
        for place in RANDOM.integers(0, len(held), RANDOM.integers(0, 4)):
            held[place] = RANDOM.integers(0, 256)
        (tmp_path / "x.wav").write_bytes(held)
        try:
            sound, rate = read_wav(str(tmp_path / "x.wav"))
            assert sound.ndim == 2 and rate > 0
        except FileError:
            refused += 1
    assert 0 < refused < 400


def test_a_sound_without_a_place_is_continued_by_zeros(tmp_path: pathlib.Path) -> None:
    written(tmp_path / "x.wav", np.zeros((0, 1)))
    data = audio_dataset_from_directory(tmp_path, labels=None, output_sequence_length=3, verbose=False)
    assert data[0].tolist() == [[[0.0]] * 3]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sampling_rate": 8000.0}, r"sampling_rate is an integer of at least 1, or None; got 8000\.0"),
        ({"output_sequence_length": 0}, "output_sequence_length is an integer of at least 1, or None; got 0"),
        ({"ragged": True}, "ragged must be False: arrays have one length"),
        ({"label_mode": "one"}, "label_mode is 'int'"),
        ({"validation_split": 0.5}, "subset and validation_split go together"),
    ],
)
def test_what_is_refused(sounds: pathlib.Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=f"audio_dataset_from_directory: {words}"):
        audio_dataset_from_directory(sounds, verbose=False, **more)


def test_folders_without_sounds(tmp_path: pathlib.Path) -> None:
    call: Callable[..., Any] = audio_dataset_from_directory
    with pytest.raises(MissingFileError, match=r"holds no files that end in \.wav"):
        call(tmp_path, labels=None)
    with pytest.raises(MissingFileError, match="there is no folder"):
        call(tmp_path / "x")
