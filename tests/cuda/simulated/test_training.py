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
    """The kernels' tasks compute what the definitions say, in their order, so not one bit differs."""
    for got, due in zip(trained("cuda-sim", make, optimizer), trained("reference", make, optimizer), strict=True):
        np.testing.assert_array_equal(got, due)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_the_references(policy):
    mixed_precision.set_global_policy(policy)
    try:
        results = [trained(engine, convnet, "sgd") for engine in ("cuda-sim", "reference")]
    finally:
        mixed_precision.set_global_policy(None)
    for got, due in zip(*results, strict=True):
        np.testing.assert_array_equal(np.asarray(got, "float64"), np.asarray(due, "float64"))
        assert np.isfinite(np.asarray(got, "float64")).all()
