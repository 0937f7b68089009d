"""Spectrograms on the compiled engines: a step that trains their kernels, and mel bands, held to what their nodes certify."""

from typing import Any

import numpy as np
import pytest

import refnet_fast
from refnet.testing.whole import hold_step
from refnet_fast import layers

RANDOM = np.random.default_rng(2)
SIGNALS = RANDOM.standard_normal((2, 12, 2)).astype("float32")


def network(*first: Any) -> Any:
    refnet_fast.utils.set_random_seed(1)
    model = refnet_fast.Sequential([*first, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(("engine", "mode"), [("derived", "psd"), ("cpu", "log"), ("cpu", "stft")])
def test_a_step_trains_the_kernels(engine: str, mode: str) -> None:
    with refnet_fast.use_engine(engine):
        model = network(layers.Input((12, 2)), layers.STFTSpectrogram(mode, 4, 2, padding="same"))
        before = model.get_weights()
        assert 0 < hold_step(model, SIGNALS, np.ones((2, 1), "float32")) <= 1
        assert [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)] == [True] * 4


@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_mel_bands(engine: str) -> None:
    with refnet_fast.use_engine(engine):
        model = network(layers.Input((12,)), layers.MelSpectrogram(4, 3, sampling_rate=100, num_mel_bins=2))
        assert 0 < hold_step(model, SIGNALS[..., 0]) <= 1
