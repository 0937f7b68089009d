"""Convolution, pooling and normalization in training, on the compiled engine."""

import numpy as np
import pytest
from refnet_fast.layers import Dense, Flatten

import refnet_fast
from refnet_fast import Input, Sequential, layers, use_engine


def spots():
    """Noise with a bright spot in the middle, or without."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 64)
    x = generator.standard_normal((64, 6, 6, 1)).astype("float32") * 0.3
    x[:, 2:4, 2:4, 0] += labels[:, None, None]
    return x, labels


def convnet():
    refnet_fast.utils.set_random_seed(1)
    model = Sequential(
        [
            Input((6, 6, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu", kernel_constraint="max_norm"),
            layers.BatchNormalization(momentum=0.8),
            layers.MaxPooling2D(2),
            layers.Conv2D(4, 3, activation="relu"),
            Flatten(),
            Dense(2, activation="softmax"),
        ]
    )
    model.compile(refnet_fast.optimizers.RMSprop(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.api("BatchNormalization", "Conv2D")
def test_a_convnet_with_batch_normalization_learns_as_on_the_reference():
    x, labels = spots()
    with use_engine("reference"):
        expected = convnet()
        expected.fit(x[:32], labels[:32], epochs=1, batch_size=16, verbose=0)
    with use_engine("cpu"):
        model = convnet()
        model.fit(x[:32], labels[:32], epochs=1, batch_size=16, verbose=0)
        for got, due in zip(model.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_allclose(got, due, rtol=1e-4, atol=1e-5)
        history = model.fit(x, labels, epochs=10, batch_size=16, verbose=0).history
        assert history["accuracy"][-1] > 0.95 and history["loss"][-1] < 0.3 * history["loss"][0]
        assert model.evaluate(x, labels, verbose=0)[1] > 0.9  # with the moving statistics
