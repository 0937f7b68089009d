"""Normalization, discretization and encoding of features by hand-computed examples; preprocessing layers in models and files."""

import math

import numpy as np
import pytest

from refnet import layers, models, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Input

RANDOM = np.random.default_rng(4)


# ---- features


@pytest.mark.api("z-score normalisation with training statistics; min-max; mean normalisation; missing values = 0")
def test_normalization_learns_its_statistics():
    """The example of Keras's documentation."""
    data = np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0], [0.0, 7.0, 4.0], [2.0, 9.0, 6.0]], "float32")
    layer = layers.Normalization(axis=-1)
    layer.adapt(data)
    assert layer(np.array([[0.0, 7.0, 4.0]], "float32")).tolist() == [[-1, -1, -1]]
    back = layers.Normalization(axis=-1, invert=True)
    back.adapt(data)
    assert back(np.array([[1.0, 2.0, 3.0]], "float32")).tolist() == [[2, 10, 8]]
    whole = layers.Normalization(axis=None)
    whole.adapt(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    np.testing.assert_allclose(whole(np.array([1.0, 2.0, 3.0])), [-math.sqrt(2), -math.sqrt(0.5), 0], rtol=1e-6)
    given = layers.Normalization(mean=3.0, variance=2.0)
    np.testing.assert_allclose(
        given(np.array([[1.0], [2.0], [3.0]]))[:, 0], [-math.sqrt(2), -math.sqrt(0.5), 0], rtol=1e-6
    )
    constant = layers.Normalization()
    constant.adapt(np.ones((3, 1)))
    assert constant(np.array([[1.0]])).tolist() == [[0.0]]


def test_normalization_learns_the_same_from_batches():
    x = RANDOM.random((20, 3, 4)) * 5
    once, batches, source = (layers.Normalization(axis=(1, 2)) for _ in range(3))
    once.adapt(x)
    batches.adapt([x[:7], x[7:9], x[9:]])
    source.adapt(iter([(x[:11], None), (x[11:], None)]))  # pairs of inputs and targets
    for other in (batches, source):
        for a, b in zip(once.get_weights(), other.get_weights()):
            np.testing.assert_allclose(a, b, rtol=1e-5)
    assert [w.shape for w in once.get_weights()] == [(3, 4), (3, 4), ()]
    model = models.Sequential([Input((3, 4)), once])
    np.testing.assert_allclose(model.predict(x, verbose=0).mean(0), 0, atol=1e-5)
    once.adapt(x + 1)  # learns anew, in the model too
    np.testing.assert_allclose(model.predict(x + 1, verbose=0).std(0), 1, atol=1e-4)


def test_mistakes_with_normalization():
    for make, error, words in (
        (lambda: layers.Normalization(mean=1.0), ArgumentError, "together"),
        (lambda: layers.Normalization(mean=[1.0], variance=1.0), ShapeError, "mean has shape"),
        (lambda: layers.Normalization(axis=None, mean=[1.0], variance=[1.0]), ShapeError, "axes"),
        (lambda: layers.Normalization(axis=1.5), ArgumentError, "axis is"),
        (lambda: layers.Normalization(axis=3)(np.zeros((2, 2))), ShapeError, "not all axes"),
        (lambda: layers.Normalization()(Input((None,))), ShapeError, "known length"),
        (lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0])(np.zeros((2, 3))), ShapeError, "need"),
        (lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(np.zeros((2, 3))), ArgumentError, "were given"),
        (lambda: layers.Normalization().adapt([]), ArgumentError, "no batches|to learn from"),
        (lambda: layers.Normalization().adapt("text"), ArgumentError, "takes an array"),
    ):
        with pytest.raises(error, match=words):
            make()
    layer = layers.Normalization()
    layer.adapt(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="built for"):
        layer.adapt(np.zeros((2, 4)))


def test_discretization():
    layer = layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
    assert layer(x).tolist() == [[0, 2, 3, 1], [1, 3, 2, 1]] and layer(x).dtype == "int32"
    learned = layers.Discretization(num_bins=4, epsilon=0.01)
    learned.adapt(x)
    assert learned(x).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]  # Keras's own example
    assert layers.Discretization([0.0, 1.0], output_mode="one_hot")(np.array([0.5, 9.0])).tolist() == [
        [0, 1, 0],
        [0, 0, 1],
    ]
    many = RANDOM.standard_normal(4000)
    quarters = layers.Discretization(num_bins=4)
    quarters.adapt([many[:1500], many[1500:]])
    np.testing.assert_allclose(quarters.bin_boundaries, np.quantile(many, [0.25, 0.5, 0.75]), atol=0.05)
    again = layers.Discretization.from_config(quarters.get_config())
    np.testing.assert_array_equal(again(many), quarters(many))
    for arguments, words in (
        ({}, "give bin_boundaries, or num_bins"),
        ({"bin_boundaries": [2.0, 1.0]}, "increasing"),
        ({"num_bins": 0}, "num_bins"),
        ({"num_bins": 3, "output_mode": "two_hot"}, "output_mode"),
        ({"num_bins": 3, "sparse": True}, "sparse"),
    ):
        with pytest.raises(ArgumentError, match=words):
            layers.Discretization(**arguments)
    with pytest.raises(ArgumentError, match="call adapt"):
        layers.Discretization(num_bins=3)(x)
    with pytest.raises(ArgumentError, match="were given"):
        layer.adapt(x)


@pytest.mark.api("multi-hot vectorisation")
def test_category_encoding():
    """Keras's own examples."""
    assert layers.CategoryEncoding(4, "one_hot")(np.array([3, 2, 0, 1])).tolist() == np.eye(4)[[3, 2, 0, 1]].tolist()
    pairs = np.array([[0, 1], [0, 0], [1, 2], [3, 1]])
    assert layers.CategoryEncoding(4)(pairs).tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]]
    weights = np.array([[0.1, 0.2], [0.1, 0.1], [0.2, 0.3], [0.4, 0.2]])
    counted = layers.CategoryEncoding(4, "count")(pairs, count_weights=weights)
    np.testing.assert_allclose(
        counted, [[0.1, 0.2, 0, 0], [0.2, 0, 0, 0], [0, 0.2, 0.3, 0], [0, 0.2, 0, 0.4]], rtol=1e-6
    )
    assert layers.CategoryEncoding(3, "one_hot")(np.array([[1], [2]])).shape == (2, 3)
    assert layers.CategoryEncoding(3, "one_hot")(pairs).shape == (4, 2, 3)
    model = models.Sequential([Input((2,), dtype="int32"), layers.CategoryEncoding(4, "count")])
    assert model.predict(pairs, verbose=0)[1].tolist() == [2, 0, 0, 0]
    for arguments, words in (
        ({}, "num_tokens"),
        ({"num_tokens": 0}, "num_tokens"),
        ({"num_tokens": 3, "output_mode": "int"}, "output_mode"),
    ):
        with pytest.raises(ArgumentError, match=words):
            layers.CategoryEncoding(**arguments)
    with pytest.raises(ArgumentError, match="count_weights"):
        layers.CategoryEncoding(4)(pairs, count_weights=weights)


# ---- files


def test_models_with_preprocessing_layers_in_files(tmp_path):
    x = RANDOM.random((6, 5, 6, 3)).astype("float32")
    scaled = layers.Normalization(axis=-1)
    scaled.adapt(x)
    model = models.Sequential(
        [
            Input((5, 6, 3)),
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.1),
            layers.Resizing(4, 4),
            scaled,
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.save(tmp_path / "m.keras")
    read = models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(read.predict(x, verbose=0), model.predict(x, verbose=0))
    bins = models.Sequential([Input((2,)), layers.Discretization([0.2, 0.5], output_mode="multi_hot")])
    bins.save(tmp_path / "b.keras")
    np.testing.assert_array_equal(
        models.load_model(tmp_path / "b.keras").predict(x[:, 0, 0, :2], verbose=0), bins(x[:, 0, 0, :2])
    )


def test_random_layers_train_inside_of_a_model():
    x = RANDOM.random((8, 6, 6, 1)).astype("float32")
    model = models.Sequential(
        [
            Input((6, 6, 1)),
            layers.RandomZoom(0.3),
            layers.RandomTranslation(0.2, 0.2),
            layers.RandomCrop(4, 4),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(x, np.ones(8), epochs=2, batch_size=4, verbose=0).history["loss"]).all()
    y = ops.image.affine_transform(x, np.tile([1, 0, 0.5, 0, 1, 0.25, 0, 0], (8, 1)))
    assert y.shape == x.shape
