"""Spectrograms in the simulator: a step that trains their kernels, and mel bands."""

import numpy as np
import pytest

import refnet_fast
from refnet import layers
from refnet.engine import use_engine
from refnet.models import Sequential
from refnet.testing.whole import hold_step

SIGNALS = np.random.default_rng(2).standard_normal((2, 8, 2)).astype("float32")


@pytest.mark.parametrize("mode", ["log", "stft"])
def test_a_step_trains_the_kernels(mode):
    refnet_fast.utils.set_random_seed(1)
    with use_engine("cuda-sim"):
        model = Sequential([layers.Input((8, 2)), layers.STFTSpectrogram(mode, 4), layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse")
        before = model.get_weights()
        assert 0 < hold_step(model, SIGNALS, np.ones((2, 1), "float32")) <= 1
        assert [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)] == [True] * 4


def test_mel_bands():
    with use_engine("cuda-sim"):
        mel = layers.MelSpectrogram(4, 3, sampling_rate=100, num_mel_bins=2)
        model = Sequential([layers.Input((8,)), mel, layers.Flatten(), layers.Dense(1)])
        assert 0 < hold_step(model, SIGNALS[..., 0]) <= 1
