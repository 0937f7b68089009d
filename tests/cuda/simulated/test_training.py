"""Three steps of training in the simulator: a perceptron, a convnet with batch normalization, an LSTM."""

import numpy as np
import pytest

import refnet_fast
from refnet import layers, mixed_precision
from refnet.engine import use_engine
from refnet.models import Sequential
from refnet.testing.whole import hold_step

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


def smooth_convnet():
    """Compares nothing: in 16 bits rounding would decide too many comparisons to follow them all. The last layer, whose slopes are
    multiplied by the loss's scale, is of float32, as in any network of mixed precision."""
    return Sequential(
        [
            layers.Input((4, 4, 1)),
            layers.Conv2D(2, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(1, dtype="float32"),
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


def certified(make, optimizer, steps, loss="sparse_categorical_crossentropy"):
    """The worst error / bound of some steps, each from where the one before has left the model, and of a prediction then."""
    with use_engine("cuda-sim"):
        refnet_fast.utils.set_random_seed(1)
        model = make()
        model.compile(optimizer, loss)
        x, labels = data(model)
        before, batches = model.get_weights(), [slice(k * BATCH, (k + 1) * BATCH) for k in range(steps)]
        ratios = [hold_step(model, x[b], labels[b]) for b in batches]
        assert all((new != old).any() for new, old in zip(model.get_weights(), before, strict=True))
        return max(*ratios, hold_step(model, x[:BATCH]))


@pytest.mark.parametrize("make, optimizer", [(perceptron, "adam"), (convnet, "sgd"), (recurrent, "rmsprop")])
def test_three_steps_hold_what_their_nodes_certify(make, optimizer):
    assert 0 < certified(make, optimizer, STEPS) <= 1


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


def test_an_adapter_learns_and_its_kernel_stays():
    """Whole numbers, so that both engines' steps are exact."""
    x = np.arange(6, dtype="float32").reshape(2, 3) - 2
    found = []
    for engine in ("reference", "cuda-sim"):
        with use_engine(engine):
            model = Sequential([layers.Input((3,)), layers.Dense(2, lora_rank=1, lora_alpha=2)])
            model.set_weights([np.arange(w.size).reshape(w.shape) % 3 - 1.0 for w in model.get_weights()])
            model.compile(refnet_fast.optimizers.SGD(2.0**-6), "mean_squared_error")
            model.fit(x, x[:, :2], batch_size=BATCH, verbose=0)
            found.append(model.get_weights())
    for due, got in zip(*found, strict=True):
        np.testing.assert_array_equal(got, due)
    np.testing.assert_array_equal(found[0][0], [[-1, 0], [1, -1], [0, 1]])
    assert np.any(found[0][2] != [[-1], [0], [1]])


def test_a_kernel_in_eight_bits():
    """The largest numbers are 127: all is exact."""
    x, kernel = np.array([[127, 3, -2], [0, 127, 5]], "float32"), np.array([[127, 1], [-4, 127], [9, 0]], "float32")
    with use_engine("cuda-sim"):
        model = Sequential([layers.Input((3,)), layers.Dense(2, use_bias=False)])
        model.set_weights([kernel])
        model.quantize("int8")
        np.testing.assert_array_equal(model.predict(x, verbose=0), x @ kernel)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_holds_what_its_nodes_certify(policy):
    mixed_precision.set_global_policy(policy)
    try:
        assert 0 < certified(smooth_convnet, "sgd", 2, "mean_squared_error") <= 1
    finally:
        mixed_precision.set_global_policy(None)
