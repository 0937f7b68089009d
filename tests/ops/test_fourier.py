"""Fourier's transforms beside NumPy's, there and back again."""

import numpy as np
import pytest
import scipy.signal

from refnet import ops
from refnet.graph import Tensor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 7))
Y = RNG.normal(size=(2, 3, 7))


def near(pair, expected):
    np.testing.assert_allclose(pair[0], expected.real, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(pair[1], expected.imag, rtol=1e-12, atol=1e-13)


def test_whole_arrays():
    near(ops.fft((X, Y)), np.fft.fft(X + 1j * Y))
    near(ops.fft2((X, Y)), np.fft.fft2(X + 1j * Y))
    near(ops.ifft2((X, Y)), np.fft.ifft2(X + 1j * Y))


@pytest.mark.parametrize("n", [None, 1, 2, 5, 7, 8, 12])
def test_real_signals(n):
    near(ops.rfft(X, n), np.fft.rfft(X, n))
    np.testing.assert_allclose(ops.irfft((X, Y), n), np.fft.irfft(X + 1j * Y, n), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("window", ["hann", "hamming", None, RNG.uniform(1, 2, 6)])
def test_pieces(window, center):
    x = RNG.normal(size=(2, 40))
    pair = ops.stft(x, 6, 2, 8, window, center)
    taper = np.ones(6) if window is None else scipy.signal.get_window(window, 6) if isinstance(window, str) else window
    taper = np.ones(8) if window is None else np.pad(taper, 1)
    long = np.pad(x, ((0, 0), (4, 4)), "reflect") if center else x
    pieces = np.stack([long[:, p : p + 8] for p in range(0, long.shape[1] - 7, 2)], 1)
    near(pair, np.fft.rfft(pieces * taper))
    back = ops.istft(pair, 6, 2, 8, None, window, center)
    if window is None:  # what overlaps is added up
        np.testing.assert_allclose(back[:, 10:20], 4 * x[:, 10:20], rtol=1e-12)
    else:
        np.testing.assert_allclose(back[:, 3:-3], x[:, 3:-3], rtol=1e-10)
    assert ops.istft(pair, 6, 2, 8, 30, window, center).shape == (2, 30)


def test_open_batches():
    re, im = ops.stft(Tensor((None, 40), "float32"), 6, 2, 8)
    assert re.shape == im.shape == (None, 21, 5)
    assert ops.istft((re, im), 6, 2, 8).shape == (None, 40)
