"""Normalization layers and EinsumDense: by hand, moving statistics, freezing, and their errors."""

from typing import Any

import numpy as np
import pytest

from refnet import layers, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Dense, Input
from refnet.models import Model, Sequential
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

X = np.array([[1.0, 0.0], [3.0, 8.0]], "float32")  # columns of mean 2 and 4, variance 1 and 16


def batch_normalization(**more: Any) -> Any:
    return layers.BatchNormalization(epsilon=0.0, momentum=0.75, name="bn", **more)


@pytest.mark.api("BatchNormalization")
def test_training_takes_the_batch_and_inference_the_moving_statistics() -> None:
    layer = batch_normalization()
    np.testing.assert_array_equal(layer(X, training=True), [[-1, -1], [1, 1]])
    gamma, beta, mean, variance = layer.get_weights()
    np.testing.assert_array_equal([mean, variance], [[0.5, 1.0], [1.0, 4.75]])
    assert [v.name for v in layer.trainable_weights] == ["bn/gamma", "bn/beta"]
    assert [v.name for v in layer.non_trainable_weights] == ["bn/moving_mean", "bn/moving_variance"]
    layer.set_weights([gamma * 2, beta + 1, mean, variance])
    agree(layer, (X - mean) / np.sqrt(variance) * 2 + 1, X)
    np.testing.assert_array_equal(layer.get_weights()[2], mean)  # inference changes nothing
    bare = batch_normalization(center=False, scale=False)
    bare(X)
    assert [v.name for v in bare.weights] == ["bn/moving_mean", "bn/moving_variance"]


def test_batch_normalization_over_another_axis_and_in_half_precision() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3, 5)).astype("float32")
    moved = layers.BatchNormalization(axis=1)(x, training=True)
    np.testing.assert_array_equal(moved, layers.BatchNormalization()(x.swapaxes(1, 2), training=True).swapaxes(1, 2))
    half = layers.BatchNormalization(dtype="float16")
    large = (x * 300 + 1000).astype("float16")  # whose squares float16 does not hold
    y = half(large, training=True)
    wide = y.astype("float64")
    # each number is rounded to float16 once; that moves a mean, and a root of a mean of squares, by no more than the largest of them
    assert y.dtype == np.float16 and max(abs(wide.mean()), abs(wide.std() - 1)) <= 2.0**-11 * abs(wide).max()


def test_renormalized_training_takes_slower_statistics() -> None:
    layer = batch_normalization(renorm=True, renorm_momentum=0.5)
    np.testing.assert_array_equal(layer(X, training=True), X)  # as long as the slow ones are 0 and 1
    values = dict(zip([v.name.partition("/")[2] for v in layer.weights], layer.get_weights()))
    np.testing.assert_array_equal(values["renorm_mean"], [1, 2])
    np.testing.assert_array_equal(values["renorm_stddev"], [1, 2.5])
    np.testing.assert_array_equal(values["moving_stddev"], [1, 1.75])
    np.testing.assert_array_equal(values["moving_variance"], [1, 1.75**2])
    close(layer(X, training=True), (X - [1, 2]) / [1, 2.5], 2 * 8, (abs(X) + [1, 2]) / [1, 2.5])
    limits = batch_normalization(renorm=True, renorm_clipping={"rmin": 1, "rmax": 1, "dmax": 0})
    np.testing.assert_array_equal(limits(X, training=True), [[-1, -1], [1, 1]])


def test_masked_steps_do_not_count() -> None:
    x = np.array([[[1.0], [3.0], [100.0]], [[5.0], [100.0], [100.0]]], "float32")
    mask = np.array([[True, True, False], [True, False, False]])
    layer = layers.BatchNormalization(epsilon=0.0, momentum=0.0)
    y = layer(x, training=True, mask=mask)
    close(layer.get_weights()[2:], [[3.0], [8 / 3]], 2 * (3 + 4))
    close(y[0, :2, 0], [-2 / np.sqrt(8 / 3), 0], 2 * (3 + 4), (3 + 3) / np.sqrt(8 / 3))
    with pytest.raises(ShapeError, match=r"a mask has one axis less than the inputs; got a mask of shape \(None,\)"):
        layer(x, training=True, mask=mask[:, 0])


def test_a_frozen_layer_infers_in_training_if_it_was_frozen_at_compile() -> None:
    layer = batch_normalization()
    model = Sequential([Input((2,)), layer, Dense(1)])
    layer.trainable = False
    model.compile("sgd", "mse")
    layer.trainable = True  # too late
    model.train_on_batch(X, np.ones((2, 1)))
    assert [w.tolist() for w in layer.get_weights()] == [[1, 1], [0, 0], [0, 0], [1, 1]]
    model.compile("sgd", "mse")
    model.train_on_batch(X, np.ones((2, 1)))
    np.testing.assert_array_equal(layer.get_weights()[2], [0.5, 1.0])
    frozen = batch_normalization(trainable=False)
    np.testing.assert_array_equal(frozen(X, training=True), X)


def test_a_shared_layer_updates_its_statistics_call_by_call() -> None:
    layer, a = batch_normalization(), Input((2,))
    model = Model(a, layer(layer(a) + 1.0))
    model.compile("sgd", "mse")
    model.train_on_batch(X, np.zeros((2, 2)))
    # first the mean 2 and 4, then that of the normalized values plus 1
    np.testing.assert_array_equal(layer.get_weights()[2], [0.75 * 0.5 + 0.25, 0.75 * 1.0 + 0.25])


def test_rows_and_groups_by_hand() -> None:
    rows = layers.LayerNormalization(epsilon=0.0)
    np.testing.assert_array_equal(rows(X[:, ::-1]), [[-1, 1], [1, -1]])
    rows.set_weights([np.array([1.0, 3.0]), np.array([0.0, 10.0])])
    np.testing.assert_array_equal(rows(X[:, ::-1]), [[-1, 13], [1, 7]])
    two = layers.LayerNormalization(axis=[1, 2], center=False, scale=False)
    y = two(np.arange(8, dtype="float32").reshape(1, 4, 2))
    assert two.weights == [] and y.shape == (1, 4, 2)
    close(y.mean(), 0, 4 + 8, abs(y).mean())  # each number four times, and their sum
    x = np.array([[1.0, 3.0, 5.0, 9.0]], "float32")
    np.testing.assert_array_equal(layers.GroupNormalization(2, epsilon=0.0)(x), [[-1, 1, -1, 1]])
    np.testing.assert_array_equal(layers.GroupNormalization(-1)(x), [[0, 0, 0, 0]])
    close(layers.RMSNormalization(epsilon=0.0)(x), x / np.sqrt(29), 2 * (x.size + ELEMENTARY))
    across = layers.RMSNormalization(axis=1, epsilon=0.0)
    assert across(np.stack([x, 3 * x], 1)).shape == (1, 2, 4) and across.scale.shape == (2,)
    across.set_weights([np.array([1.0, 10.0])])
    np.testing.assert_array_equal(across(np.stack([x, x], 1)), [[[1.0] * 4, [10.0] * 4]])


def test_normalized_as_it_comes_then_cast() -> None:
    x = np.array([[1e100, 3e100]])
    layer = layers.LayerNormalization()
    y = layer(x)
    np.testing.assert_array_equal(y, [[-1, 1]])
    assert y.dtype == np.float32 and layer.gamma.dtype == "float32"


def test_wrong_normalizations() -> None:
    for make, message in (
        (lambda: layers.BatchNormalization(axis=[1, 2], name="n"), "n: axis is one integer; got [1, 2]."),
        (lambda: layers.BatchNormalization(momentum=2, name="n"), "n: momentum must be a number from 0 to 1; got 2."),
        (lambda: layers.BatchNormalization(epsilon=-1, name="n"), "n: epsilon must be a number of at least 0; got -1."),
        (
            lambda: layers.BatchNormalization(renorm_clipping={"r": 1}, name="n"),
            "n: renorm_clipping is a dict with rmin,",
        ),
        (
            lambda: layers.BatchNormalization(renorm_clipping={"rmin": 2, "rmax": 1}, name="n"),
            "n: renorm_clipping: rmin",
        ),
        (lambda: layers.BatchNormalization(synchronized=True, name="n"), "n: synchronized=True needs several devices"),
        (
            lambda: layers.LayerNormalization(axis="last", name="n"),
            "n: axis is an integer or a list of integers; got 'last'.",
        ),
        (lambda: layers.GroupNormalization(0, name="n"), "n: groups must be an integer of at least 1, or -1"),
        (
            lambda: layers.GroupNormalization(axis=0, name="n"),
            "n: axis is one integer, and not 0, where the samples are",
        ),
        (lambda: layers.SpectralNormalization(Dense(1), 10**9, name="n"), "n: power_iterations must be at most 1000"),
        (lambda: layers.SpectralNormalization("dense", name="n"), "n wraps a layer; got 'dense'."),
        (
            lambda: layers.SpectralNormalization(layers.ReLU(name="r"), name="n")(X),
            "n wraps a layer with a kernel or with",
        ),
    ):
        with pytest.raises(ArgumentError) as caught:
            make()
        assert str(caught.value).startswith(message)
    for layer, inputs, message in (
        (layers.BatchNormalization(axis=2, name="n"), X, "n normalizes over axis 2, got inputs of shape (None, 2)."),
        (
            layers.BatchNormalization(name="n"),
            Input((None,)),
            "n needs to know the length of axis -1; got inputs of shape",
        ),
        (layers.LayerNormalization(axis=[1, -1], name="n"), X, "n normalizes over axis [1, -1], got inputs of shape"),
        (layers.GroupNormalization(name="n"), X, "n has 32 groups, which must divide the number of channels (axis -1)"),
    ):
        with pytest.raises(ShapeError) as shape:
            layer(inputs)
        assert str(shape.value).startswith(message) and layer.weights == []
    for layer in (layers.BatchNormalization(name="n"), layers.RMSNormalization(name="n")):
        layer(X)
        with pytest.raises(
            ShapeError, match=r"n was built for features of shape \(2,\), got inputs of shape \(None, 3\)"
        ):
            layer(np.ones((1, 3), "float32"))


def test_spectral_normalization_finds_the_largest_singular_value() -> None:
    inner = Dense(2, kernel_initializer=lambda shape, dtype: np.diag([4.0, 2.0]).astype(dtype))
    layer = layers.SpectralNormalization(inner, power_iterations=30)
    layer(X)
    assert np.array_equal(inner.get_weights()[0], np.diag([4.0, 2.0]))  # inference changes nothing
    np.testing.assert_array_equal(layer(X, training=True), X * [1, 0.5])
    np.testing.assert_array_equal(inner.get_weights()[0], np.diag([1.0, 0.5]))
    assert layer.count_params() == 6 + 2 and len(layer.trainable_weights) == 2
    empty = layers.SpectralNormalization(Dense(2, kernel_initializer="zeros"))
    assert np.array_equal(empty(X, training=True), np.zeros((2, 2)))
    start = np.array([[0.0, 2.0], [4.0, 0.0], [0.0, 0.0]], "float32")
    table = layers.SpectralNormalization(layers.Embedding(3, 2, lambda shape, dtype: start), power_iterations=30)
    table(np.array([[0, 2]]), training=True)
    np.testing.assert_array_equal(table.layer.get_weights()[0], start / 4)


def test_einsum_dense_by_hand() -> None:
    x = np.arange(12, dtype="float32").reshape(1, 3, 4)
    layer = layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", activation="relu")
    layer(x)
    kernel, bias = layer.get_weights()
    agree(layer, np.maximum(x @ kernel + bias, 0), x)
    heads = layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", bias_initializer="ones")
    heads(x)
    agree(heads, np.einsum("abc,cde->abde", x, heads.get_weights()[0]) + 1, x)
    assert heads.count_params() == 24 + 6 and heads.bias.shape == (2, 3)
    over = layers.EinsumDense("ab...,bc->ac...", 2, bias_axes="c")
    over(x)
    agree(over, np.einsum("abx,bc->acx", x, over.get_weights()[0]), x)
    assert over.bias.shape == (2, 1)
    any_rank = layers.EinsumDense("...x,xy->...y", 2)
    assert any_rank(Input((None, 6, 4))).shape == (None, None, 6, 2) and any_rank.bias is None
    again = layers.EinsumDense.from_config(layer.get_config())
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), layer(x))


def test_einsum_dense_counts_inputs_and_outputs_by_the_letters() -> None:
    layer = layers.EinsumDense("abc,cde->abde", (None, 20, 30))  # 10 inputs, 600 outputs
    layer(np.ones((1, 2, 10), "float32"))
    limit = np.sqrt(6 / (10 + 600))
    kernel = layer.get_weights()[0]
    assert 0.97 * limit < np.abs(kernel).max() <= limit  # that none of 600 lies in the last 0.03 has a chance of 1e-8


def test_wrong_einsums() -> None:
    for make, message in (
        (lambda: layers.EinsumDense("ab->ac", 2, name="e"), "e: an equation is like 'ab,bc->ac'"),
        (lambda: layers.EinsumDense("...a,ab->b", 2, name="e"), "e: an equation is like 'ab,bc->ac'"),
        (
            lambda: layers.EinsumDense("ab,bc->ac", 0, name="e"),
            "e: output_shape is a tuple of integers and None; got 0.",
        ),
        (
            lambda: layers.EinsumDense("ab,bc->ac", 2, bias_axes="b", name="e"),
            "e: bias_axes names 'b', which is no axis",
        ),
        (
            lambda: layers.EinsumDense("ab,bz->ac", 2, name="e")(X),
            "e: axis 'z' of the kernel is neither an axis of the",
        ),
    ):
        with pytest.raises(ArgumentError) as caught:
            make()
        assert str(caught.value).startswith(message)
    for layer, message in (
        (layers.EinsumDense("abc,cd->abd", (None, 2), name="e"), "e expects inputs with the axes of 'abc'"),
        (
            layers.EinsumDense("ab,bc->ac", (2, 3), name="e"),
            "e: output_shape has the axes of the outputs but for the batch",
        ),
        (
            layers.EinsumDense("ab,bc->abc", (5, 3), name="e"),
            "e: axis 'b' of the equation 'ab,bc->abc' has length 2 in inputs",
        ),
    ):
        with pytest.raises(ShapeError) as shape:
            layer(X)
        assert str(shape.value).startswith(message) and layer.weights == []
    layer = layers.EinsumDense("ab,bc->ac", 2, name="e")
    layer(X)
    with pytest.raises(ShapeError, match=r"e has a kernel of shape \(2, 2\)"):
        layer(ops.zeros((1, 3)))
