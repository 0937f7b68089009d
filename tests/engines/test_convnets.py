"""Convolution, pooling and normalization in training, on the compiled engine."""

import numpy as np
import pytest
from refnet_fast.layers import Dense, Flatten

import refnet_fast
from refnet.testing.whole import hold_step
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
            layers.Conv2D(4, 3, padding="same", kernel_constraint="max_norm"),
            layers.BatchNormalization(momentum=0.8),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(4, 3, activation="relu"),
            Flatten(),
            Dense(2, activation="softmax"),
        ]
    )
    model.compile(refnet_fast.optimizers.RMSprop(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.api("BatchNormalization", "Conv2D")
def test_a_convnet_with_batch_normalization_steps_as_certified_and_learns():
    """Two steps of few images hold what their nodes certify; then it learns to tell the images."""
    x, labels = spots()
    with use_engine("cpu"):
        model = convnet()
        for batch in (slice(2), slice(2, 4)):
            assert 0 < hold_step(model, x[batch], labels[batch]) <= 1
        history = model.fit(x, labels, epochs=14, batch_size=16, verbose=0).history
        assert history["accuracy"][-1] > 0.95 and history["loss"][-1] < 0.4 * history["loss"][0]
        assert model.evaluate(x, labels, verbose=0)[1] > 0.9  # with the moving statistics
