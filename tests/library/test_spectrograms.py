"""Spectrograms and the kernels they start from, by hand; trained, saved, inside models and before them. Beside Keras: tests/peers."""

import math
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import layers, ops
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.initializers import STFT
from refnet.models import Model, Sequential
from refnet.ops.tapers import named_window
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

RANDOM = np.random.default_rng(4)
SIGNALS = RANDOM.standard_normal((2, 20, 2)).astype("float32")


def spectra(signal: Any, window: Any, step: int, period: int) -> Any:
    """(pieces, frequencies): NumPy's transforms of the pieces of one signal, float64."""
    starts = range(0, len(signal) - len(window) + 1, step)
    return np.stack([np.fft.rfft(signal[a : a + len(window)] * window, period) for a in starts])


# ---- kernels


def test_kernels_are_a_transform_of_each_place() -> None:
    """The kernel's place t is what the transform makes of a one at t, times the window there."""
    window = np.array([1.0, 2.0, 3.0, 4.0])
    due = np.fft.rfft(np.diag(window), 8)
    for side, part in (("real", due.real), ("imag", due.imag)):
        close(STFT(side, window, None)((4, 1, 5), "float64")[:, 0], part, 2 * (ELEMENTARY + 3), window[:, None])
        kernel = STFT(side, list(window), "density")((4, 1, 5), "float64")[:, 0]
        close(kernel, part / math.sqrt(30), 2 * (ELEMENTARY + 7), window[:, None])
        kernel = STFT(side, -window, "spectrum")((4, 1, 5), "float64")[:, 0]
        close(kernel, -part / 10, 2 * (ELEMENTARY + 7), window[:, None])
        assert STFT(side, None, "density")((4, 1, 5)).dtype == np.float32


def test_angles_of_long_pieces_lose_no_digits() -> None:
    """Turn 4095 * 2048 of period 4096 is half a turn, -1; in float32 its angle would be wrong in the third digit."""
    assert STFT("real", None)((4096, 1, 2049))[4095, 0, 2048] == -1


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "boxcar"])
def test_windows_of_a_name_are_those_of_scipy(name: str) -> None:
    signal = pytest.importorskip("scipy.signal")
    for count in (1, 2, 7, 8):
        for periodic in (False, True):
            due = signal.get_window(name, count, periodic)
            # sums of three terms up to 1/2; 1 is the largest angle's share of a turn
            close(named_window("STFT", name, count, periodic), due, 2 * (ELEMENTARY + 6), 1.0)


def test_further_windows_are_scipys(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = pytest.importorskip("scipy.signal")
    due = signal.get_window("parzen", 6, False)
    np.testing.assert_array_equal(named_window("STFT", "parzen", 6, False), due)
    for name in ("hannn", "kaiser"):  # unknown; one that needs a number
        with pytest.raises(ArgumentError, match=f"STFT: SciPy has no window '{name}'"):
            STFT(window=name)
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    with pytest.raises(ArgumentError, match="STFT: window is 'hann', .* got 'parzen'. Where SciPy is installed"):
        STFT(window="parzen")


def test_kernels_refuse() -> None:
    for make, words in (
        (lambda: STFT("left"), "STFT: side is 'real' or 'imag'; got 'left'"),
        (lambda: STFT(scaling="power"), "STFT: scaling is 'density', 'spectrum' or None; got 'power'"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    for shape in ((4, 5), (4, 2, 5), (4, 1, 1)):
        with pytest.raises(ShapeError, match=r"kernels \(places, 1, at least 2 frequencies\); got shape"):
            STFT()(shape)
    with pytest.raises(ShapeError, match="a number for each of 5 places; got shape"):
        STFT(window=[1.0, 2.0])((5, 1, 3))


# ---- spectrograms of kernels


@pytest.mark.parametrize("mode", ["stft", "real", "imag", "angle", "psd", "magnitude", "log"])
def test_every_mode_beside_numpys_transform(mode: str) -> None:
    window = np.array([0.5, 1.0, 2.0, 1.0, 0.5])
    layer = layers.STFTSpectrogram(mode, 5, 3, 8, window=window, scaling=None, expand_dims=True)
    got = layer(SIGNALS)
    assert got.shape == (2, 6, 10 if mode == "stft" else 5, 2)
    due = np.stack([[spectra(s[:, c].astype("float64"), window, 3, 8) for c in range(2)] for s in SIGNALS])
    due = due.transpose(0, 2, 3, 1)
    doubled = np.array([1, 2, 2, 2, 1])[:, None]
    forms = {
        "stft": np.concatenate([due.real, due.imag], 2),
        "real": due.real,
        "imag": due.imag,
        "angle": np.arctan2(due.imag, due.real),
        "psd": abs(due) ** 2 * doubled,
        "magnitude": np.sqrt(np.maximum(abs(due) ** 2, 1e-7)),
        "log": np.log(np.sqrt(np.maximum(abs(due) ** 2, 1e-7))),
    }
    if mode == "angle":  # the real ones of the ends have no angle that rounding could not turn
        got, forms["angle"] = got[:, :, 1:-1], forms["angle"][:, :, 1:-1]
    # An error of a part is at most so many roundings of the sum of the terms' sizes; that of the result is as much times its slope.
    whole = 5 * abs(SIGNALS).max() * 2
    parts = np.maximum(np.abs(due), 1e-3)[:, :, 1:-1] if mode == "angle" else np.maximum(np.abs(due), math.sqrt(1e-7))
    slope = {"psd": 4 * abs(due) + whole * 1e-6, "angle": 1 / parts, "log": 1 / parts}.get(mode, 1.0)
    sizes = whole * slope + abs(forms[mode])
    close(got, forms[mode], 2 * (5 + 3 + ELEMENTARY), sizes)


def test_arrangements_hold_the_same_numbers() -> None:
    """Channels last or first, with or without an axis of their own."""
    base = layers.STFTSpectrogram("magnitude", 8, expand_dims=True)(SIGNALS)
    assert base.shape == (2, 4, 5, 2)
    turned = SIGNALS.transpose(0, 2, 1).copy()
    flat = layers.STFTSpectrogram("magnitude", 8)(SIGNALS)
    np.testing.assert_array_equal(flat, base.transpose(0, 1, 3, 2).reshape(2, 4, 10))
    first = layers.STFTSpectrogram("magnitude", 8, data_format="channels_first", expand_dims=True)(turned)
    np.testing.assert_array_equal(first, base.transpose(0, 3, 1, 2))
    first = layers.STFTSpectrogram("magnitude", 8, data_format="channels_first")(turned)
    np.testing.assert_array_equal(first, base.transpose(0, 3, 2, 1).reshape(2, 10, 4))


def test_pieces_may_go_over_the_ends() -> None:
    """ "same": ceil(20 / 3) pieces; with (7 - 1) * 3 + 5 - 20 = 3 zeros, one before and two after."""
    more: dict[str, Any] = {"frame_length": 5, "frame_step": 3, "fft_length": 8}
    got = layers.STFTSpectrogram("real", padding="same", **more)(SIGNALS)
    around = np.pad(SIGNALS, ((0, 0), (1, 2), (0, 0)))
    np.testing.assert_array_equal(got, layers.STFTSpectrogram("real", **more)(around))
    assert got.shape == (2, 7, 10)


def test_in_a_model_with_open_batch_and_time() -> None:
    x = layers.Input((None, 2))
    model = Model(x, layers.STFTSpectrogram("log", 8, 4, padding="same")(x))
    assert model.output_shape == (None, None, 10)
    assert layers.STFTSpectrogram("stft", 8, expand_dims=True).compute_output_shape((None, None, 3)) == (
        *(None, None),
        *(10, 3),
    )
    got = model.predict(SIGNALS, verbose=0)
    assert got.shape == (2, 5, 10)
    agree(model, got, SIGNALS)
    assert [w.name.split("/")[-1] for w in model.weights] == ["real_kernel", "imag_kernel"]
    assert [w.name.split("/")[-1] for w in layers_of("real").weights] == ["real_kernel"]
    assert [w.name.split("/")[-1] for w in layers_of("imag").weights] == ["imag_kernel"]


def layers_of(mode: str) -> Any:
    layer = layers.STFTSpectrogram(mode, 4)
    layer.build((None, 20, 1))
    return layer


def test_kernels_are_trained_unless_they_are_frozen_and_come_back_from_files(tmp_path: pathlib.Path) -> None:
    x = layers.Input((20, 1))
    sound = layers.STFTSpectrogram("magnitude", 4, 4, name="sound")
    fixed = layers.STFTSpectrogram("log", 8, 8, window=np.hanning(8), trainable=False, name="fixed")
    both = layers.Concatenate()([layers.Flatten()(sound(x)), layers.Flatten()(fixed(x))])
    model = Model(x, layers.Dense(1)(both))
    model.compile("sgd", "mse")
    before = [w.numpy().copy() for w in (*sound.weights, *fixed.weights)]
    model.fit(SIGNALS[..., :1], np.ones((2, 1)), epochs=1, verbose=0)
    moved = [bool((a != w.numpy()).any()) for a, w in zip(before, (*sound.weights, *fixed.weights), strict=True)]
    assert moved == [True, True, False, False]
    model.save(tmp_path / "sound.keras")
    again = refnet.models.load_model(tmp_path / "sound.keras")
    np.testing.assert_array_equal(
        again.predict(SIGNALS[..., :1], verbose=0), model.predict(SIGNALS[..., :1], verbose=0)
    )
    np.testing.assert_array_equal(again.get_layer("fixed").window, np.hanning(8))


def test_spectrograms_refuse() -> None:
    kind = layers.STFTSpectrogram
    for make, words in (
        (
            lambda: kind("power", name="s"),
            "s: mode is one of log, magnitude, psd, real, imag, angle, stft; got 'power'",
        ),
        (
            lambda: kind(frame_length=8, frame_step=9, name="s"),
            "frame_step must not be greater than frame_length = 8; got 9",
        ),
        (lambda: kind(frame_length=8, frame_step=0, name="s"), "frame_step must be an integer of at least 1; got 0"),
        (lambda: kind(frame_length=8, fft_length=4, name="s"), "fft_length must be an integer of at least 8; got 4"),
        (lambda: kind(scaling="power", name="s"), "s: scaling is 'density', 'spectrum' or None; got 'power'"),
        (lambda: kind(padding="causal", name="s"), "s: padding must be 'valid' or 'same'; got 'causal'"),
        (lambda: kind(window="hannn", name="s"), "window"),
        (lambda: kind(data_format="last", name="s"), "s: data_format is"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    with pytest.warns(UserWarning, match="s: fft_length should be a power of two; got 6"):
        kind(frame_length=5, fft_length=6, name="s")
    with pytest.raises(DtypeError, match="s takes float16, float32 or float64; got int32"):
        kind(frame_length=4, name="s")(np.ones((1, 8, 1), "int32"))
    with pytest.raises(ShapeError, match=r"s expects inputs of 3 axes \(batch, steps, channels\)"):
        kind(frame_length=4, name="s")(np.ones((1, 8), "float32"))
    assert kind(frame_length=1, frame_step=1)(SIGNALS).shape == (2, 20, 4)  # two frequencies are the fewest


# ---- mel


def test_mel_bands_are_triangles_that_rise_to_one() -> None:
    layer = layers.MelSpectrogram()
    matrix = layer.linear_to_mel_weight_matrix(3, 9, 1400, 0.0, 700.0, "float64")
    mel = 1127 * np.log(1 + np.arange(9) * 87.5 / 700)  # at 700 hertz 1127 ln 2
    edges = 1127 * math.log(2) * np.arange(5) / 4
    due = np.stack([np.interp(mel, edges[b : b + 3], [0, 1, 0]) for b in range(3)], 1)
    due[0] = 0
    # mel numbers to 800 have so many roundings each, and are divided by distances of 195
    close(matrix, due, 2 * (2 * ELEMENTARY + 8), 800 / 195)


def test_mel_spectrogram_by_hand() -> None:
    more: dict[str, Any] = {
        "fft_length": 8,
        "sequence_stride": 5,
        "sampling_rate": 100,
        "num_mel_bins": 2,
        "max_freq": 50,
    }
    signals = SIGNALS[..., 0]
    around = np.pad(signals.astype("float64"), ((0, 0), (4, 4)), "reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(8) / 8)
    power = abs(np.stack([spectra(s, window, 5, 8) for s in around])) ** 2
    linear = layers.MelSpectrogram(power_to_db=False, dtype="float64", **more)
    matrix = linear.linear_to_mel_weight_matrix(2, 5, 100, 20.0, 50, "float64")
    due = (power @ matrix).transpose(0, 2, 1)
    assert due.shape == (2, 2, 5) and due.min() > 1e-3
    # a power is the square of a sum of eight terms, whose sizes are those of the signals
    size = (8 * abs(signals).max()) ** 2 * 5
    got = linear(signals.astype("float64"))
    close(got, due, 2 * (2 * (8 + ELEMENTARY) + 8), size)
    np.testing.assert_array_equal(linear(signals[0].astype("float64")), got[0])
    magnitudes = layers.MelSpectrogram(power_to_db=False, mag_exp=1.0, window="hamming", dtype="float64", **more)
    assert (magnitudes(signals) > 0).all()
    decibels = layers.MelSpectrogram(ref_power=-2.0, top_db=6.0, dtype="float64", **more)(signals.astype("float64"))
    level = 10 * np.log10(due) - 10 * math.log10(2)
    raised = np.maximum(level, level.max() - 6)
    assert (raised > level).any() and (raised == level).any()
    close(decibels, raised, 2 * (2 * (8 + ELEMENTARY) + 8 + 2 * ELEMENTARY), abs(level) + 6 + 5 * size / due)


def test_mel_spectrogram_before_and_inside_a_model(tmp_path: pathlib.Path) -> None:
    layer = layers.MelSpectrogram(16, 8, sampling_rate=100, num_mel_bins=3)
    assert layer.get_config()["sequence_length"] == 16 and layer.get_config()["max_freq"] == 50
    assert layer.compute_output_shape((None, 20)) == (None, 3, 3) and layer.compute_output_shape((20,)) == (3, 3)
    whole = (SIGNALS[..., 0] * 1000).astype("int16")  # as WAV files have them
    np.testing.assert_array_equal(layer(whole), layer(whole.astype("float32")))
    np.testing.assert_array_equal(layer(whole[0].tolist()), layer(whole)[0])
    np.testing.assert_array_equal(layer(inputs=whole[0]), layer(whole)[0])
    model = Sequential([layers.Input((20,)), layer, layers.Flatten(), layers.Dense(1)])
    model.save(tmp_path / "mel.keras")
    again = refnet.models.load_model(tmp_path / "mel.keras")
    np.testing.assert_array_equal(again.predict(whole, verbose=0), model.predict(whole, verbose=0))
    agree(layer, layer(SIGNALS[..., 0]), SIGNALS[..., 0])


def test_the_greatest_of_the_batch_decides() -> None:
    """So a loud signal raises the quiet one beside it; in powers each signal is by itself."""
    more: dict[str, Any] = {
        "fft_length": 16,
        "sequence_stride": 8,
        "sampling_rate": 100,
        "num_mel_bins": 3,
        "top_db": 10.0,
    }
    pair = SIGNALS[..., 0] * np.array([[1e-3], [1.0]], "float32")
    decibels = layers.MelSpectrogram(**more)
    assert (decibels(pair)[0] > decibels(pair[:1])[0]).all() and not decibels.samples_apart(2)
    linear = layers.MelSpectrogram(power_to_db=False, **more)
    np.testing.assert_array_equal(linear(pair)[:1], linear(pair[:1]))
    assert linear.samples_apart(2)


def test_mel_spectrograms_refuse() -> None:
    kind = layers.MelSpectrogram
    for make, words in (
        (
            lambda: kind(fft_length=8, sequence_length=9, name="m"),
            "m: fft_length must be at least sequence_length; got 8 and 9",
        ),
        (lambda: kind(num_mel_bins=0, name="m"), "m: num_mel_bins must be an integer of at least 1; got 0"),
        (lambda: kind(sampling_rate=0, name="m"), "m: sampling_rate is a number above 0; got 0"),
        (lambda: kind(fft_length=8, window="flat", name="m")(SIGNALS[..., 0]), "window must be 'hann', 'hamming'"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    with pytest.raises(
        ShapeError, match=r"m expects signals \(batch, steps\) or \(steps,\), got shape \(None, 20, 2\)"
    ):
        kind(fft_length=8, name="m")(SIGNALS)
    with pytest.raises(ShapeError, match="m: stft: with center=True signals must be longer than 32 places; got 20"):
        kind(fft_length=64, name="m")(SIGNALS[..., 0])
    with pytest.raises(ShapeError, match="m: stft needs a last axis of known length"):
        kind(name="m")(layers.Input((None,)))


def test_kernels_have_gradients_in_every_mode() -> None:
    for mode in ("stft", "real", "imag", "angle", "psd", "magnitude", "log"):
        layer = layers.STFTSpectrogram(mode, 4, 2)
        layer.build((None, 20, 2))
        for place, weight in enumerate(layer.weights):

            def sum_of(kernel: Any, layer: Any = layer, weight: Any = weight) -> Any:
                values = [kernel if v is weight else v for v in layer.trainable_variables]
                outputs, _ = layer.stateless_call(values, [], SIGNALS)
                return ops.sum(ops.square(outputs))

            slope = refnet.grad(sum_of)(weight.numpy())
            assert slope.shape == weight.shape and np.isfinite(slope).all() and (slope != 0).any(), (mode, place)
