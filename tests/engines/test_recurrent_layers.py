"""The book's recurrent networks train on the cpu engine: reviews through an embedding and an LSTM, weather through a GRU with dropout."""

import numpy as np
import pytest

import refnet_fast
from refnet.testing.whole import hold_program
from refnet_fast import layers

RANDOM = np.random.default_rng(0)


@pytest.mark.api("Embedding", "LSTM")
def test_reviews_through_an_embedding_and_a_masked_lstm() -> None:
    """A review is good or bad by one word somewhere in it; the rest is padding and noise."""
    refnet_fast.utils.set_random_seed(1)
    labels = RANDOM.integers(0, 2, 256)
    words = RANDOM.integers(4, 50, (256, 20))
    words[np.arange(256), RANDOM.integers(0, 12, 256)] = np.where(labels == 1, 2, 3)
    words[np.arange(20) >= RANDOM.integers(12, 21, (256, 1))] = 0
    model = refnet_fast.Sequential(
        [layers.Embedding(50, 8, mask_zero=True), layers.LSTM(8), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(refnet_fast.optimizers.RMSprop(0.02), "binary_crossentropy", metrics=["acc"])
    with refnet_fast.use_engine("cpu"):
        history = model.fit(words, labels, epochs=8, batch_size=32, validation_split=0.25, verbose=0).history
        assert history["accuracy"][-1] > 0.95 and history["val_accuracy"][-1] > 0.8
        batches = model._fed("predict", {"x": words[:2]})
        assert hold_program(model._executable("predict", batches).program, batches.arrays, "cpu") <= 1


@pytest.mark.api("GRU", "Bidirectional")
def test_weather_through_a_gru_with_dropout_and_recurrent_dropout() -> None:
    refnet_fast.utils.set_random_seed(1)
    x = RANDOM.standard_normal((128, 12, 3)).astype("float32")
    y = x[:, -6:, 0].mean(1)
    model = refnet_fast.Sequential(
        [
            layers.GRU(8, dropout=0.1, recurrent_dropout=0.2, return_sequences=True, input_shape=(None, 3)),
            layers.Bidirectional(layers.GRU(8, activation="relu", dropout=0.1, recurrent_dropout=0.2)),
            layers.Dense(1),
        ]
    )
    model.compile(refnet_fast.optimizers.RMSprop(0.005), "mae")
    with refnet_fast.use_engine("cpu"):
        before = model.evaluate(x, y, verbose=0)
        model.fit(x, y, epochs=10, batch_size=32, verbose=0)
        assert model.evaluate(x, y, verbose=0) < 0.7 * before
