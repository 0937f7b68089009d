"""Mixed policies against Keras: the dtype of everything, values within a few roundings, training, files both ways."""

import numpy as np
import pytest

import refnet
from refnet import layers, mixed_precision, models, saving

pytestmark = pytest.mark.peers

POLICIES = [("mixed_float16", 2.0**-8), ("mixed_bfloat16", 2.0**-5)]  # a handful of roundings of that dtype


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


@pytest.mark.parametrize("policy, bound", POLICIES)
def test_a_network(policy, bound, tmp_path):
    import keras

    keras.mixed_precision.set_global_policy(policy)
    mixed_precision.set_global_policy(policy)
    theirs, own = network(keras), network(refnet)
    own.set_weights(theirs.get_weights())
    for a, b in zip(own.layers, theirs.layers, strict=True):
        assert (a.dtype, a.compute_dtype, a.variable_dtype) == (b.dtype, b.compute_dtype, b.variable_dtype), a.name
        assert a.dtype_policy.name == b.dtype_policy.name and a.output.dtype == b.output.dtype, a.name
        assert [w.dtype for w in a.weights] == [w.dtype for w in b.weights]
    generator = np.random.default_rng(2)
    x, labels = generator.standard_normal((6, 4)).astype("float32"), generator.integers(0, 3, 6)
    np.testing.assert_allclose(own.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=0, atol=bound)
    for model in (own, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy")
    assert type(own.optimizer).__name__ == type(theirs.optimizer).__name__
    for _ in range(3):
        losses = [float(model.train_on_batch(x, labels)) for model in (own, theirs)]
        assert abs(losses[0] - losses[1]) <= 4 * bound
    for a, b in zip(own.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=4 * bound)

    own.save(tmp_path / "own.keras")
    theirs.save(tmp_path / "theirs.keras")
    keras.mixed_precision.set_global_policy("float32")
    mixed_precision.set_global_policy(None)
    for model in (keras.saving.load_model(tmp_path / "own.keras"), saving.load_model(tmp_path / "theirs.keras")):
        assert [layer.dtype_policy.name for layer in model.layers] == [policy] * 6 + ["float32"]
        assert type(model.optimizer).__name__ == type(own.optimizer).__name__
        source = own if isinstance(model, keras.Model) else theirs
        np.testing.assert_allclose(model.predict(x, verbose=0), source.predict(x, verbose=0), rtol=0, atol=bound)


def test_a_policy_of_one_layer():
    import keras

    for library in (keras, refnet):
        layer = library.layers.Dense(2, dtype=library.DTypePolicy("mixed_bfloat16"))
        assert (layer.compute_dtype, layer.variable_dtype, layer.dtype) == ("bfloat16", "float32", "float32")
        assert str(layer.dtype_policy) == '<DTypePolicy "mixed_bfloat16">'
    assert isinstance(models.Sequential([layers.Dense(1)]).dtype_policy, mixed_precision.Policy)
