"""Mixed policies against Keras: the dtype of everything, values, training, files both ways."""

import numpy as np
import pytest

import refnet
from refnet import layers, mixed_precision, models, saving
from refnet.testing.closeness import close

pytestmark = pytest.mark.peers

POLICIES = ("mixed_float16", "mixed_bfloat16")
EXACT = 256  # bfloat16 holds all whole numbers up to here


@pytest.fixture(params=POLICIES)
def policy(request):
    """A policy, which holds for both libraries."""
    import keras

    keras.mixed_precision.set_global_policy(request.param)
    mixed_precision.set_global_policy(request.param)
    return request.param


@pytest.fixture(autouse=True)
def own_policies():
    import keras

    yield
    mixed_precision.set_global_policy(None)
    keras.mixed_precision.set_global_policy("float32")


def network(library):
    kinds = library.layers
    return library.Sequential(
        [
            kinds.Input((4,)),
            kinds.Dense(6, activation="tanh", kernel_regularizer="l2"),
            kinds.BatchNormalization(),
            kinds.LayerNormalization(),
            kinds.Reshape((3, 2)),
            kinds.LSTM(3),
            kinds.Dense(3),
            kinds.Activation("softmax", dtype="float32"),
        ]
    )


def whole(generator, shape, most=1):
    return generator.integers(-most, most + 1, shape).astype("float32")


def beside(name, inputs, weights=None, **arguments):
    """A layer's results from the same weights in refnet and in Keras, and the layer."""
    import keras

    own, theirs = (getattr(library.layers, name)(**arguments) for library in (refnet, keras))
    own.build(inputs.shape)
    theirs.build(inputs.shape)
    own.set_weights([weights(w.shape) for w in own.weights] if weights else theirs.get_weights())
    theirs.set_weights(own.get_weights())
    y = keras.ops.convert_to_numpy(keras.ops.cast(theirs(inputs), "float32"))
    got = own(inputs)
    assert got.dtype.name == own.compute_dtype == theirs.compute_dtype
    return np.asarray(got, "float32"), y, own


@pytest.mark.parametrize(
    "name, arguments, shape",
    [
        ("Dense", {"units": 5, "activation": "relu"}, (6, 4)),
        ("Conv2D", {"filters": 3, "kernel_size": 2, "padding": "same"}, (2, 4, 5, 2)),
        ("SimpleRNN", {"units": 2, "activation": "relu"}, (5, 3, 2)),
        ("LSTM", {"units": 2, "activation": "relu", "recurrent_activation": "relu"}, (5, 2, 2)),
        ("GRU", {"units": 2, "activation": "relu", "recurrent_activation": "relu"}, (5, 2, 2)),
    ],
)
def test_layers_are_equal_on_whole_numbers(policy, name, arguments, shape):
    """Every sum and product is a whole number that 16 bits hold: nothing rounds."""
    generator = np.random.default_rng(11)
    got, due, _ = beside(name, whole(generator, shape), lambda shape: whole(generator, shape), **arguments)
    assert 0 < abs(due).max() <= EXACT
    np.testing.assert_array_equal(got, due)


@pytest.mark.parametrize("name", ["BatchNormalization", "LayerNormalization"])
def test_normalizations_round_once_to_16_bits(policy, name):
    x = np.asarray(np.random.default_rng(4).standard_normal((6, 5)), "float32")
    got, due, layer = beside(name, x)
    # both compute in float32, whose roundings beside a deviation near 1 are less than one of 16 bits, and round the result
    close(got, due, 2 * (1 + 1), 1 + abs(due), dtype=layer.compute_dtype)


def test_an_activation_reads_rounded_sums(policy):
    x = np.asarray(np.random.default_rng(5).standard_normal((6, 4)), "float32")
    got, due, layer = beside("Dense", x, units=5, activation="tanh")
    # The product, the bias and tanh (whose slope is at most 1) are rounded to 16 bits each, on both sides, and what float32 rounds
    # inside of the product and of tanh is less than one of these roundings each; inputs and kernel are rounded alike.
    close(got, due, 2 * (3 + 2), 1 + abs(x) @ abs(layer.get_weights()[0]), dtype=layer.compute_dtype)


def test_steps_are_equal_on_whole_numbers(policy):
    """float16's first gradients, times the scale of the loss, overflow: both halve the scale and leave the weights."""
    import keras

    def made(library):
        kinds = library.layers
        model = library.Sequential(
            [
                kinds.Input((4,)),
                kinds.Dense(8, activation="relu"),
                kinds.Reshape((4, 2)),
                kinds.Flatten(),
                kinds.Dense(2),
                kinds.Activation("linear", dtype="float32"),
            ]
        )
        model.compile(library.optimizers.SGD(2.0**-3), "mse")
        return model

    theirs, own = made(keras), made(refnet)
    generator = np.random.default_rng(0)
    start = [whole(generator, w.shape) for w in own.get_weights()]
    x, y = whole(generator, (4, 4), 2), whole(generator, (4, 2), 2)
    for model in (theirs, own):
        model.set_weights(start)
    np.testing.assert_array_equal(own.predict(x, verbose=0), theirs.predict(x, verbose=0))
    moved = []
    for _ in range(2):
        losses = [float(model.train_on_batch(x, y)) for model in (own, theirs)]
        close(losses[0], losses[1], 2 * (3 + 8))  # a difference, a square, a mean of 8, on both sides
        for a, b in zip(own.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        moved.append(any((a != b).any() for a, b in zip(own.get_weights(), start, strict=True)))
    assert moved == [policy == "mixed_bfloat16", True]
    if policy == "mixed_float16":
        assert float(own.optimizer.dynamic_scale) == float(theirs.optimizer.dynamic_scale) == 2.0**14


def test_a_network(policy, tmp_path):
    import keras

    theirs, own = network(keras), network(refnet)
    own.set_weights(theirs.get_weights())
    for a, b in zip(own.layers, theirs.layers, strict=True):
        assert (a.dtype, a.compute_dtype, a.variable_dtype) == (b.dtype, b.compute_dtype, b.variable_dtype), a.name
        assert a.dtype_policy.name == b.dtype_policy.name and a.output.dtype == b.output.dtype, a.name
        assert [w.dtype for w in a.weights] == [w.dtype for w in b.weights]
    for model in (own, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy")
    assert type(own.optimizer).__name__ == type(theirs.optimizer).__name__

    own.save(tmp_path / "own.keras")
    theirs.save(tmp_path / "theirs.keras")
    keras.mixed_precision.set_global_policy("float32")
    mixed_precision.set_global_policy(None)
    for model in (keras.saving.load_model(tmp_path / "own.keras"), saving.load_model(tmp_path / "theirs.keras")):
        assert [layer.dtype_policy.name for layer in model.layers] == [policy] * 6 + ["float32"]
        assert type(model.optimizer).__name__ == type(own.optimizer).__name__
        for a, b in zip(model.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_policy_of_one_layer():
    import keras

    for library in (keras, refnet):
        layer = library.layers.Dense(2, dtype=library.DTypePolicy("mixed_bfloat16"))
        assert (layer.compute_dtype, layer.variable_dtype, layer.dtype) == ("bfloat16", "float32", "float32")
        assert str(layer.dtype_policy) == '<DTypePolicy "mixed_bfloat16">'
    assert isinstance(models.Sequential([layers.Dense(1)]).dtype_policy, mixed_precision.Policy)
