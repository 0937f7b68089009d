"""Layers that move, join, pool, look up and disturb: by hand, with open dimensions, in models, and their errors."""

from typing import Any

import numpy as np
import pytest

from refnet import layers, ops
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.layers import Dense, Embedding, Flatten, Input, Lambda
from refnet.models import Model, Sequential
from refnet.testing.closeness import close
from refnet.testing.conformance import agree

X = np.arange(24, dtype="float32").reshape(2, 3, 4)


def through(layer: Any, shape: tuple[Any, ...], x: Any) -> Any:
    """The layer in a model whose inputs have open dimensions: (static output shape, prediction)."""
    slot = Input(shape)
    model = Model(slot, layer(slot))
    return model.output_shape, model.predict(x, verbose=0)


@pytest.mark.api("Reshape", "Dynamic spatial / time axes")
@pytest.mark.parametrize(
    ("layer", "static", "value"),
    [
        (layers.Reshape((-1, 2)), (None, None, 2), X.reshape(2, 6, 2)),
        (layers.Permute((2, 1)), (None, 4, None), X.transpose(0, 2, 1)),
        (layers.UpSampling1D(2), (None, None, 4), X.repeat(2, 1)),
        (layers.Cropping1D((1, 0)), (None, None, 4), X[:, 1:]),
        (layers.ZeroPadding1D((0, 2)), (None, None, 4), np.pad(X, ((0, 0), (0, 2), (0, 0)))),
        (layers.GlobalAveragePooling1D(), (None, 4), X.mean(1)),
        (layers.GlobalMaxPooling1D(keepdims=True), (None, 1, 4), X.max(1, keepdims=True)),
        (layers.UnitNormalization(), (None, None, 4), X / np.linalg.norm(X, axis=-1, keepdims=True)),
        (
            layers.Softmax(axis=1),
            (None, None, 4),
            np.exp(X - X.max(1, keepdims=True)) / np.exp(X - X.max(1, keepdims=True)).sum(1, keepdims=True),
        ),
    ],
)
def test_layers_on_an_open_time_axis(layer: Any, static: Any, value: Any) -> None:
    shape, got = through(layer, (None, 4), X)
    assert shape == static
    np.testing.assert_array_equal(got, layer(X))
    agree(layer, value, X)


def test_reshape_says_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"cannot turn samples of shape \(3, 4\) \(12 elements\) into \(5, 2\)"):
        layers.Reshape((5, 2))(X)
    with pytest.raises(ArgumentError, match="only one entry of target_shape can be -1"):
        layers.Reshape((-1, -1))
    assert layers.Reshape([3, -1])(Input((2, 6))).shape == (None, 3, 4)
    assert layers.Reshape(())(Input((1,))).shape == (None,)


def test_wrong_ranks_and_arguments() -> None:
    with pytest.raises(ShapeError, match=r"expects inputs of 2 axes \(batch, features\), got shape \(None, 3, 4\)"):
        layers.RepeatVector(2)(X)
    with pytest.raises(ShapeError, match=r"batch, rows, columns, channels\), got shape \(None, 3, 4\)"):
        layers.GlobalAveragePooling2D()(X)
    with pytest.raises(ShapeError, match=r"cuts 2 \+ 1 elements off axis 1, which has 3"):
        layers.Cropping1D((2, 1))(X)
    with pytest.raises(ArgumentError, match="dims holds every axis of a sample"):
        layers.Permute((0, 1))
    with pytest.raises(ArgumentError, match="n must be an integer of at least 1; got 0"):
        layers.RepeatVector(0)
    for wrong in (-1, (1, 2, 3), ((1, 2), 1, 1), "1"):
        with pytest.raises(ArgumentError, match="cropping"):
            layers.Cropping2D(wrong)
    with pytest.raises(ArgumentError, match="data_format is 'channels_last' or 'channels_first'; got 'last'"):
        layers.ZeroPadding2D(data_format="last")
    with pytest.raises(ArgumentError, match="stddev must be a number from 0 to 1; got 2"):
        layers.GaussianNoise(2)
    with pytest.raises(ArgumentError, match="rate must be a number from 0 to below 1; got 1"):
        layers.GaussianDropout(1)
    with pytest.raises(ArgumentError, match=r"ReLU has no argument 'max_valu'.*max_value"):
        layers.ReLU(max_valu=6)


@pytest.mark.api("concatenate / add (functional merges)")
def test_merging_by_hand() -> None:
    a, b = X[0, :, :2], X[1, :, :2]
    assert np.array_equal(layers.add([a, b, b]), a + 2 * b) and np.array_equal(layers.subtract([a, b]), a - b)
    assert np.array_equal(layers.multiply([a, b]), a * b) and np.array_equal(layers.average([a, b]), (a + b) / 2)
    assert np.array_equal(layers.maximum([a, b]), b) and np.array_equal(layers.minimum([a, b]), a)
    assert np.array_equal(layers.concatenate([a, b]), np.hstack([a, b]))
    assert np.array_equal(layers.concatenate([a, b], axis=0), np.vstack([a, b]))
    np.testing.assert_array_equal(layers.dot([a, b], axes=1), (a * b).sum(1, keepdims=True))
    np.testing.assert_array_equal(layers.Dot((1, 1))([X, X]), np.einsum("nki,nkj->nij", X, X))


def test_merging_in_a_model_with_open_dimensions() -> None:
    a, b = Input((None, 4)), Input((None, 4))
    model = Model([a, b], [layers.add([a, b]), layers.concatenate([a, b], axis=1), layers.dot([a, b], axes=2)])
    assert model.output_shape == [(None, None, 4), (None, None, 4), (None, None, None)]
    summed, joined, products = model.predict([X, X[:, :3] * 2], verbose=0)
    assert np.array_equal(summed, X * 3) and joined.shape == (2, 6, 4)
    np.testing.assert_array_equal(products, 2 * X @ X.transpose(0, 2, 1))


def test_merging_says_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="add(_[0-9]+)? is called on a list of tensors"):
        layers.Add()(X)
    with pytest.raises(ArgumentError, match="exactly 2 tensors; got 3"):
        layers.subtract([X, X, X])
    with pytest.raises(ShapeError, match=r"multiply(_[0-9]+)?.*\(None, 3, 4\) and \(None, 3, 3\)"):
        layers.multiply([X, X[:, :, :3]])
    with pytest.raises(ShapeError, match="equal shapes but for axis -1"):
        layers.concatenate([X, X[:, :2]])
    with pytest.raises(ShapeError, match="differ: 3 and 4"):
        layers.dot([X, X], axes=(1, 2))
    with pytest.raises(ShapeError, match="sums over axis 0 of a sample"):
        layers.dot([X, X], axes=0)


@pytest.mark.api("concatenate / add (functional merges)")
def test_a_residual_and_an_inception_block_train() -> None:
    a = Input((4,))
    branch = Dense(4, activation="relu")(a)
    block = layers.add([branch, a])
    wide = layers.concatenate([Dense(2)(block), Dense(3)(block)], axis=-1)
    model = Model(a, Dense(1)(wide))
    assert model.layers[-2].name.startswith("concatenate") and wide.shape == (None, 5)
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).standard_normal((16, 4)).astype("float32")
    y = x.sum(1, keepdims=True)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=20, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before / 2
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.api("Embedding")
def test_embedding_looks_up_learns_and_checks() -> None:
    table = np.arange(10, dtype="float32").reshape(5, 2)
    layer = Embedding(5, 2, weights=[table])
    assert np.array_equal(layer(np.array([[4, 0]])), table[[[4, 0]]]) and layer.count_params() == 10
    with pytest.raises(DataError, match=r"embedding(_[0-9]+)?: take: indices must lie in .*; the one at \[0, 1\] is 5"):
        layer(np.array([[0, 5]]))
    with pytest.raises(ArgumentError, match="input_dim must be an integer of at least 1; got 0"):
        Embedding(0, 2)
    model = Sequential([Embedding(6, 3, input_length=4), Flatten(), Dense(1, activation="sigmoid")])
    assert model.input_shape == (None, 4) and model.inputs[0].dtype == "int32" and model.output_shape == (None, 1)
    assert model.count_params() == 18 + 13
    model.compile("sgd", "binary_crossentropy", metrics=["acc"])
    before = model.layers[0].get_weights()[0]
    model.train_on_batch(np.array([[0, 1, 1, 2]]), np.array([1]))
    moved = np.any(model.layers[0].get_weights()[0] != before, axis=1)
    assert list(moved) == [True, True, True, False, False, False]  # only the rows that were looked up
    deferred = Sequential([Embedding(6, 3, embeddings_initializer="zeros", mask_zero=True), Flatten()])
    assert deferred.predict(np.array([[1, 2]]), verbose=0).shape == (1, 6) and deferred.layers[0].mask_zero
    again = Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    x = np.array([[5, 4, 3, 2]])
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_prelu_learns_its_slopes() -> None:
    layer = layers.PReLU("ones", shared_axes=[1])
    assert np.array_equal(layer(-X), -X) and layer.alpha.shape == (1, 4)
    with pytest.raises(ShapeError, match="shared axis 3 is no axis of a sample"):
        layers.PReLU(shared_axes=3)(X)
    model = Sequential([Input((4,)), layers.PReLU()])
    model.compile("sgd", "mse")
    model.train_on_batch(-X[0], -X[0])
    (alpha,) = model.get_weights()
    close(alpha, 0.01 * 2 * (X[0] ** 2).sum(0) / 12, 2 * (3 + 5))


def test_noise_only_in_training_and_fresh_every_time() -> None:
    x = np.ones((30, 4, 3), "float32")
    for layer in (
        layers.GaussianNoise(0.5),
        layers.GaussianDropout(0.5),
        layers.AlphaDropout(0.5),
        layers.SpatialDropout1D(0.5),
    ):
        assert np.array_equal(layer(x), x)
        first, second = layer(x, training=True), layer(x, training=True)
        assert np.any(first != x) and np.any(first != second)
    maps = layers.SpatialDropout1D(0.5)(x, training=True)
    assert np.array_equal(maps, np.broadcast_to(maps[:, :1], maps.shape)) and set(np.unique(maps)) == {0, 2}
    images = layers.SpatialDropout2D(0.5, "channels_first")(x[:, :, :, None], training=True)
    assert np.array_equal(images, np.broadcast_to(images[:, :, :1], images.shape))
    low = layers.AlphaDropout(0.5, noise_shape=(None, 1, 3))(x, training=True)
    assert len(np.unique(low)) == 2 and np.array_equal(low, np.broadcast_to(low[:, :1], low.shape))


@pytest.mark.parametrize("kind", ["Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D"])
def test_noise_takes_whole_numbers_as_floats_in_both_phases(kind: str) -> None:
    x = np.arange(12, dtype="int32").reshape(2, 3, 2)
    still = getattr(layers, kind)(0.5)(x)
    assert still.dtype == np.float32 and np.array_equal(still, x)
    assert getattr(layers, kind)(0.5, dtype="mixed_float16")(x, training=True).dtype == np.float16


def test_activity_regularization_adds_to_the_loss_and_nothing_else() -> None:
    model = Sequential([Input((2,)), layers.ActivityRegularization(l1=0.5, l2=0.25)])
    model.compile("sgd", "mse")
    x = np.array([[1.0, -2.0], [3.0, 0.0]], "float32")
    assert np.array_equal(model.predict(x, verbose=0), x)
    np.testing.assert_array_equal(model.evaluate(x, x, verbose=0), (0.5 * 6 + 0.25 * 14) / 2)
    again = Sequential.from_config(model.get_config())
    again.compile("sgd", "mse")
    np.testing.assert_array_equal(again.evaluate(x, x, verbose=0), 3.25)


OUTSIDE: list[Any] = []


def uses_a_global(x: Any) -> Any:
    return x + OUTSIDE[0]


@pytest.mark.api("Lambda")
def test_lambda_and_its_config() -> None:
    double = Lambda(lambda x, factor: x * factor, arguments={"factor": 2.0})
    assert np.array_equal(double(X), X * 2)
    again = Lambda.from_config(double.get_config())
    assert np.array_equal(again(X), X * 2)
    phased = Lambda(lambda x, training: x * 0 if training else x)
    model = Sequential([Input((3, 4)), phased])
    model.compile("sgd", "mse")
    assert np.array_equal(model.predict(X, verbose=0), X) and np.array_equal(phased(X, training=True), X * 0)
    shared = Lambda(lambda pair: pair[0] - pair[1])
    a, b = Input((2,)), Input((2,))
    assert np.array_equal(
        Model([a, b], shared([a, b])).predict([X[0, :, :2], X[1, :, :2]], verbose=0), X[0, :, :2] - X[1, :, :2]
    )
    held = Dense(2)(a)
    with pytest.raises(ArgumentError, match="closes over the tensor 'held', so it has no config"):
        Lambda(lambda x: x + held).get_config()
    OUTSIDE[:] = [held]
    with pytest.raises(ArgumentError, match="closes over the tensor 'OUTSIDE', so it has no config"):
        Lambda(uses_a_global).get_config()
    with pytest.raises(ArgumentError, match="function must be a function"):
        Lambda("relu")


def test_every_layer_comes_back_from_its_config() -> None:
    made = [
        layers.Reshape((4, 3)), layers.ReLU(6.0), layers.LeakyReLU(alpha=0.1), layers.ELU(0.5), layers.Softmax(1),
        layers.UnitNormalization(), layers.Cropping1D(1), layers.ZeroPadding1D(2), layers.UpSampling1D(3),
        layers.GlobalMaxPooling1D(), layers.GaussianNoise(0.2, seed=3), layers.SpatialDropout1D(0.5, seed=3),
    ]  # fmt: skip
    for layer in made:
        config = layer.get_config()
        again = type(layer).from_config(config)
        assert again.get_config() == config and again.name == layer.name
        assert np.array_equal(again(X), layer(X))
    assert layers.LeakyReLU(alpha=0.1).get_config()["negative_slope"] == 0.1


def test_gradients_through_every_layer_agree_with_differences() -> None:
    from refnet import backend as K

    K.set_floatx("float64")  # conftest.py sets it back
    x = np.random.default_rng(3).standard_normal((2, 4, 3))
    made = [
        layers.Reshape((3, 4)), layers.Permute((2, 1)), layers.UpSampling1D(2), layers.Cropping1D(1),
        layers.ZeroPadding1D(1), layers.GlobalAveragePooling1D(), layers.GlobalMaxPooling1D(),
        layers.UnitNormalization(), layers.Softmax(), layers.ELU(), layers.LeakyReLU(), layers.ReLU(1.0, 0.1, 0.2),
        Lambda(lambda t: layers.dot([t, ops.exp(t)], axes=2, dtype="float64")), Lambda(lambda t: layers.average([t, ops.square(t)], dtype="float64")),
    ]  # fmt: skip
    for layer in made:
        slot = K.placeholder(x.shape, dtype="float64")
        y = K.sum(K.square(layer(slot)) + layer(slot))
        f = K.function([slot], [y, K.gradients(y, slot)[0], K.sum(K.square(layer(slot)) + K.abs(layer(slot)))])
        _, slope, size = f([x])
        for index in ((0, 1, 2), (1, 2, 0)):
            step = np.zeros_like(x)
            step[index] = 1.0
            wide, narrow = (float(f([x + h * step])[0] - f([x - h * step])[0]) / (2 * h) for h in (2e-4, 1e-4))
            # the narrow one is three times nearer than they are apart, but for 100 roundings of what it subtracts
            room = abs(wide - narrow) + 100 * 2**-53 * float(size) / 1e-4
            assert abs(slope[index] - narrow) <= room, layer.name
