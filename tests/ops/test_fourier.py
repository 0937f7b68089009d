"""Fourier's transforms beside NumPy's, there and back again."""

import numpy as np
import pytest
import scipy.signal

from refnet import ops
from refnet.graph import Tensor
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 7))
Y = RNG.normal(size=(2, 3, 7))


def parts(x):
    return x.real, x.imag


def roundings(n):
    """Of a transform of n numbers, ours and theirs: n products and sums of a number and a cosine, whose angle, below 2 pi, is
    rounded three times."""
    return 2 * (2 * n + ELEMENTARY + 3 * 7)


def test_whole_arrays():
    agree(lambda x, y: ops.fft((x, y)), parts(np.fft.fft(X + 1j * Y)), X, Y)
    agree(lambda x, y: ops.fft2((x, y)), parts(np.fft.fft2(X + 1j * Y)), X, Y)
    agree(lambda x, y: ops.ifft2((x, y)), parts(np.fft.ifft2(X + 1j * Y)), X, Y)


@pytest.mark.parametrize("n", [None, 1, 2, 5, 7, 8, 12])
def test_real_signals(n):
    size = abs(X).sum(-1, keepdims=True)
    # theirs are exactly 0 where terms cancel
    for ours, theirs in zip(ops.rfft(X, n), parts(np.fft.rfft(X, n)), strict=True):
        close(ours, theirs, roundings(n or 7), size)
    agree(lambda x, y: ops.irfft((x, y), n), np.fft.irfft(X + 1j * Y, n), X, Y)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("window", ["hann", "hamming", None, RNG.uniform(1, 2, 6)])
def test_pieces(window, center):
    x = RNG.normal(size=(2, 40))
    pair = ops.stft(x, 6, 2, 8, window, center)
    taper = np.ones(6) if window is None else scipy.signal.get_window(window, 6) if isinstance(window, str) else window
    taper = np.ones(8) if window is None else np.pad(taper, 1)
    long = np.pad(x, ((0, 0), (4, 4)), "reflect") if center else x
    pieces = np.stack([long[:, p : p + 8] for p in range(0, long.shape[1] - 7, 2)], 1)
    size = abs(pieces * taper).sum(-1, keepdims=True)
    for ours, theirs in zip(pair, parts(np.fft.rfft(pieces * taper)), strict=True):
        close(ours, theirs, roundings(8) + 2 * ELEMENTARY, size)  # the tapers are ours and SciPy's cosines
    back = ops.istft(pair, 6, 2, 8, None, window, center)
    # Two transforms of 8 numbers, each of which makes numbers 8 times as large; at most 4 pieces overlap.
    there_and_back, largest = 2 * 8 * roundings(8) + 2 * ELEMENTARY + 8, np.abs(long).max()
    if window is None:  # what overlaps is added up
        close(back[:, 10:20], 4 * x[:, 10:20], there_and_back, 4 * largest)
    else:  # and is divided by the sum of the squared tapers of the pieces there, of which one is at least a quarter of the largest
        close(back[:, 3:-3], x[:, 3:-3], there_and_back, 4 * 4 * largest)
    assert ops.istft(pair, 6, 2, 8, 30, window, center).shape == (2, 30)


def test_open_batches():
    re, im = ops.stft(Tensor((None, 40), "float32"), 6, 2, 8)
    assert re.shape == im.shape == (None, 21, 5)
    assert ops.istft((re, im), 6, 2, 8).shape == (None, 40)


def test_a_window_of_zeros_leaves_nothing():
    """Nothing is divided by the window's sum."""
    for part in ops.stft(RNG.normal(size=20), 4, 2, 8, np.zeros(4)):
        assert not part.any()
