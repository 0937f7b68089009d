"""Three steps of training in the simulator: a perceptron, a convnet with batch normalization, an LSTM."""

import numpy as np
import pytest

import refnet_fast
from refnet import layers, mixed_precision
from refnet.engine import use_engine
from refnet.models import Sequential

STEPS, BATCH = 3, 2


def perceptron():
    return Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )


def convnet():
    return Sequential(
        [
            layers.Input((5, 5, 1)),
            layers.Conv2D(2, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def recurrent():
    return Sequential(
        [
            layers.Input((3,)),
            layers.Embedding(6, 2, mask_zero=True),
            layers.LSTM(2),
            layers.Dense(3, activation="softmax"),
        ]
    )


def data(model):
    generator = np.random.default_rng(7)
    shape = (STEPS * BATCH, *model.input_shape[1:])
    if isinstance(model.layers[0], layers.Embedding):
        return generator.integers(0, 6, shape), generator.integers(0, 3, STEPS * BATCH)
    return generator.standard_normal(shape).astype("float32"), generator.integers(0, 3, STEPS * BATCH)


def trained(engine, make, optimizer):
    """The loss of each step, the weights after the third, what the model then predicts."""
    with use_engine(engine):
        refnet_fast.utils.set_random_seed(1)
        model = make()
        model.compile(optimizer, "sparse_categorical_crossentropy")
        x, labels = data(model)
        batches = [slice(k * BATCH, (k + 1) * BATCH) for k in range(STEPS)]
        losses = [model.train_on_batch(x[b], labels[b]) for b in batches]
        return [*losses, *model.get_weights(), model.predict(x, verbose=0)]


@pytest.mark.parametrize("make, optimizer", [(perceptron, "adam"), (convnet, "sgd"), (recurrent, "rmsprop")])
def test_three_steps_are_the_references(make, optimizer):
    """Products are added up in tiles, in float32, where the reference adds in float64 and rounds once: no more than that differs."""
    for got, due in zip(trained("cuda-sim", make, optimizer), trained("reference", make, optimizer), strict=True):
        np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-6)


def test_the_same_seed_gives_the_same_batches_and_dropout_masks():
    """Nothing but dropout between data and loss: losses are equal to the bit where batches and masks are."""

    def losses(name):
        with use_engine(name):
            refnet_fast.utils.set_random_seed(3)
            model = Sequential([layers.Input((6,)), layers.Dropout(0.5)])
            model.compile("sgd", "mean_squared_error")
            x = 2.0 ** np.arange(36).reshape(6, 6) % 1021  # sums of powers and their squares say which were taken
            return model.fit(x, np.zeros_like(x), batch_size=2, epochs=2, verbose=0).history["loss"]

    due = losses("reference")
    assert losses("cuda-sim") == due == losses("cpu")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_the_references(policy):
    mixed_precision.set_global_policy(policy)
    try:
        results = [trained(engine, convnet, "sgd") for engine in ("cuda-sim", "reference")]
    finally:
        mixed_precision.set_global_policy(None)
    for got, due in zip(*results, strict=True):
        np.testing.assert_allclose(np.asarray(got, "float64"), np.asarray(due, "float64"), rtol=1e-5, atol=1e-6)
        assert np.isfinite(np.asarray(got, "float64")).all()
