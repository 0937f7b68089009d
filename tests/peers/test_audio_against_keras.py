"""Spectrograms and the kernels they start from, beside the installed Keras. Files of both: test_saving_with_keras.py."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refnet import initializers, layers
from refnet.layers import Input
from refnet.models import Model
from refnet.testing.closeness import ELEMENTARY, close

pytestmark = pytest.mark.peers

RANDOM = np.random.default_rng(7)
SIGNALS = RANDOM.standard_normal((2, 13, 2)).astype("float32")
ARRAY = [1.0, 3.0, 2.0, 0.5, 0.25, 1.0]


def plain(keras: Any, x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.parametrize("window", ["hann", "hamming", "bartlett", "cosine", None, ARRAY])
@pytest.mark.parametrize("side", ["real", "imag"])
def test_kernels(keras: Any, side: str, window: Any) -> None:
    """Keras multiplies up its angles in float32: a cosine is as wrong as its angle, which has five roundings."""
    for scaling, periodic in (("density", False), ("spectrum", True), (None, False)):
        theirs = keras.initializers.STFT(side, window, scaling, periodic)
        ours = initializers.STFT(side, window, scaling, periodic)
        angles = 2 * math.pi * np.arange(6)[:, None] * np.arange(5) / 8
        taper = np.abs(initializers.STFT("real", window, scaling, periodic)((6, 1, 5), "float64")[:, 0, :1])
        due = plain(keras, theirs((6, 1, 5)))[:, 0]
        close(ours((6, 1, 5))[:, 0], due, 2 * (5 + ELEMENTARY + 2 * 6), taper * (1 + angles))
        assert ours.get_config() == theirs.get_config()
        read = initializers.deserialize(keras.initializers.serialize(theirs))
        np.testing.assert_array_equal(read((6, 1, 5)), ours((6, 1, 5)))
        back = keras.initializers.deserialize(initializers.serialize(ours))
        np.testing.assert_array_equal(plain(keras, back((6, 1, 5)))[:, 0], due)
    for name in ("stft", "STFT", "STFTInitializer"):
        assert initializers.get(name).get_config() == keras.initializers.get(name).get_config()


CASES: list[dict[str, Any]] = [
    {"frame_length": 6},
    {"frame_length": 6, "frame_step": 4, "padding": "same", "window": "hamming", "periodic": True},
    {"frame_length": 6, "frame_step": 1, "fft_length": 16, "scaling": "spectrum", "expand_dims": True},
    {"frame_length": 6, "window": ARRAY, "scaling": None, "padding": "same", "expand_dims": True},
    {"frame_length": 6, "window": None},
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("mode", ["log", "magnitude", "psd", "real", "imag", "stft"])
def test_spectrograms(keras: Any, compared: Callable[..., None], mode: str, data_format: str) -> None:
    signals = SIGNALS if data_format == "channels_last" else SIGNALS.transpose(0, 2, 1).copy()
    for more in CASES if data_format == "channels_last" else CASES[1:4:2]:
        more = {**more, "mode": mode, "data_format": data_format, "name": "s"}
        theirs, ours = keras.layers.STFTSpectrogram(**more), layers.STFTSpectrogram(**more)
        compared(theirs, ours, [signals], {})
        own, due = ours.get_config(), theirs.get_config()
        assert {**own, "dtype": 0} == {**due, "dtype": 0}
        shape = tuple(theirs.compute_output_shape(signals.shape))
        assert tuple(ours.compute_output_shape(signals.shape)) == ours(signals).shape == shape
        slots = Input(signals.shape[1:]), keras.Input(signals.shape[1:])
        assert Model(slots[0], ours(slots[0])).output_shape == tuple(theirs(slots[1]).shape)


def test_angles(keras: Any) -> None:
    """Times the magnitude they say what the parts are; of a part that is 0 but for rounding they say nothing."""
    more: dict[str, Any] = {"frame_length": 6, "expand_dims": True}
    theirs, ours = (kind("angle", **more) for kind in (keras.layers.STFTSpectrogram, layers.STFTSpectrogram))
    due, got = plain(keras, theirs(SIGNALS)), ours(SIGNALS)
    size = layers.STFTSpectrogram("magnitude", **more)(SIGNALS).astype("float64")
    # seven terms of a part, whose error is that of the angle times the magnitude
    for turn in (np.cos, np.sin):
        close((size * turn(got)).astype("float32"), size * turn(due), 2 * (7 + 2 * ELEMENTARY), 6 * abs(SIGNALS).max())


def test_mel_matrix(keras: Any) -> None:
    """Keras works in float32 from mel numbers of up to 2840, of which differences are divided by the distance of two bands."""
    ours, theirs = layers.MelSpectrogram(), keras.layers.MelSpectrogram()
    for more in (
        {},
        {"num_mel_bins": 5, "num_spectrogram_bins": 33, "sampling_rate": 16000, "upper_edge_hertz": 7600.0},
    ):
        got = ours.linear_to_mel_weight_matrix(**more)
        due = plain(keras, theirs.linear_to_mel_weight_matrix(**more))
        top = 1127 * math.log1p(more.get("upper_edge_hertz", 3800.0) / 700)
        distance = (top - 1127 * math.log1p(125 / 700)) / (got.shape[1] + 1)
        # 1127 ln(1 + h / 700) has an error of its own size at least, even where it is small: that of the sum 1 + h / 700
        close(got, due, 2 * (ELEMENTARY + 8), (1127 + top) / distance)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"mag_exp": 1.0},
        {"window": "hamming", "sequence_length": 12},
        {"window": None},
        {"max_freq": 30.0, "min_freq": 5.0},
    ],
)
def test_mel_spectrograms(keras: Any, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    more = {"fft_length": 16, "sequence_stride": 8, "sampling_rate": 100, "num_mel_bins": 5, "name": "m", **more}
    signals = SIGNALS[..., 0]
    theirs = keras.layers.MelSpectrogram(power_to_db=False, **more)
    bounds = more.get("min_freq", 20.0), more.get("max_freq", 50)
    matrix = plain(keras, theirs.linear_to_mel_weight_matrix(5, 9, 100, *bounds))
    monkeypatch.setattr(layers.MelSpectrogram, "linear_to_mel_weight_matrix", lambda *a: matrix)  # compared above
    ours, due = layers.MelSpectrogram(power_to_db=False, **more), plain(keras, theirs(signals))
    assert {**ours.get_config(), "dtype": 0} == {**theirs.get_config(), "dtype": 0}
    assert ours.compute_output_shape(signals.shape) == due.shape == tuple(theirs.compute_output_shape(signals.shape))
    # A part is a sum of 16 terms no larger than the signal; its error is multiplied by twice itself in a power, by 1 in a magnitude.
    part = 16 * abs(signals).max()
    size = 9 * part ** more.get("mag_exp", 2.0)
    close(ours(signals), due, 2 * (2 * (16 + ELEMENTARY) + 9 + 4), size)
    close(ours(signals[1]), plain(keras, theirs(signals[1])), 2 * (2 * (16 + ELEMENTARY) + 9 + 4), size)
    more = {**more, "top_db": 25.0, "ref_power": 2.0}
    got, told = (m(signals) for m in (layers.MelSpectrogram(**more), keras.layers.MelSpectrogram(**more)))
    told = plain(keras, told)
    # 10 log10 turns an error e of the power s into 4.35 e / s decibels
    close(got, told, 2 * (2 * (16 + ELEMENTARY) + 9 + 4 + 2 * ELEMENTARY), abs(told) + 25 + 4.35 * size / due.min())


def test_both_refuse(keras: Any) -> None:
    for kind in ("STFTSpectrogram", "MelSpectrogram"):
        wrong: list[dict[str, Any]] = [{"fft_length": 4, "frame_length": 8}, {"frame_length": 4, "frame_step": 5}]
        wrong += [{"mode": "power"}, {"scaling": "power"}, {"padding": "causal"}, {"window": "hannn"}]
        for more in wrong if kind == "STFTSpectrogram" else [{"fft_length": 4, "sequence_length": 8}]:
            for library in (keras.layers, layers):
                with pytest.raises(ValueError):
                    getattr(library, kind)(**more)
    whole = np.ones((1, 8, 1), "int32")
    for library in (keras.layers, layers):
        with pytest.raises(TypeError, match="float32"):
            library.STFTSpectrogram(frame_length=4)(whole)
