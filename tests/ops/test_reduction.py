"""Reductions: ties, NaN, nothing, axes; worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.program import Program

NAN = float("nan")


def gradient(function, array):
    """The gradient of the sum of a function of an array, on the reference engine."""
    x = Tensor(np.shape(array))
    return reference.prepare(Program([x], ops.gradients(function(x), x))).run([array])[0]


def test_tied_gradients_go_to_the_first():
    x = [[1.0, 3.0, 3.0], [3.0, 0.0, 0.0]]
    np.testing.assert_array_equal(gradient(ops.max, x), [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(gradient(lambda x: ops.max(x, 1), x), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(gradient(lambda x: ops.min(x, 1), x), [[1, 0, 0], [0, 1, 0]])


def test_nan_is_largest_and_smallest():
    x = [[1.0, NAN, 5.0, NAN]]
    assert np.isnan(ops.max(x)) and np.isnan(ops.min(x))
    assert ops.argmax(x) == ops.argmin(x) == 1


def test_argmax_takes_the_first_and_counts_in_row_major_order():
    x = np.array([[1, 7], [7, 2]])
    assert ops.argmax(x) == 1 and ops.argmax(x).dtype == "int32"
    np.testing.assert_array_equal(ops.argmax(x, axis=-1, keepdims=True), [[1], [0]])


def test_reductions_of_nothing():
    x = np.zeros((2, 0), "float32")
    np.testing.assert_array_equal(ops.sum(x, 1), [0, 0])
    np.testing.assert_array_equal(ops.prod(x, 1), [1, 1])
    np.testing.assert_array_equal(ops.any(x, 1), [False, False])
    np.testing.assert_array_equal(ops.all(x, 1), [True, True])
    assert np.isnan(ops.mean(x))
    for op in (ops.max, ops.min, ops.argmax, ops.argmin, ops.logsumexp):
        with pytest.raises(ShapeError, match="of nothing is not defined"):
            op(x, axis=1)
    np.testing.assert_array_equal(ops.max(x, 1, initial=3), [3, 3])
    assert ops.max(x, 0).shape == (0,)


def test_axes_that_are_not_neighbours():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(ops.mean(x, (0, -1)), x.mean((0, 2)))
    np.testing.assert_array_equal(ops.max(x, (0, 2), keepdims=True), x.max((0, 2), keepdims=True))


def test_axes_that_are_wrong():
    with pytest.raises(ArgumentError, match="axis 2 is outside an array with 2 axes"):
        ops.sum(np.zeros((2, 2)), axis=2)
    with pytest.raises(ArgumentError, match="twice"):
        ops.prod(np.zeros((2, 2)), axis=(0, -2))


def test_dtypes_of_totals():
    assert ops.sum(np.array([True, True])) == 2 and ops.sum(np.array([True])).dtype == "int32"
    assert ops.prod(np.array([200, 2], "uint8")) == 400
    assert ops.mean(np.array([1, 2], "int32")) == 1.5


def test_mean_of_float16_does_not_overflow():
    assert ops.mean(np.full(4, 60000, "float16")) == 60000


def test_mean_with_an_open_batch():
    x = Tensor((None, 2))
    run = reference.prepare(Program([x], [ops.mean(x), *ops.gradients(ops.mean(x), x)])).run
    for rows in (1, 4):
        mean, dx = run([np.ones((rows, 2), "float32")])
        assert mean == 1
        np.testing.assert_array_equal(dx, np.full((rows, 2), np.float32(1 / (2 * rows))))


def test_gradient_of_a_product_beside_zeros():
    np.testing.assert_array_equal(gradient(ops.prod, [2.0, 0.0, 5.0]), [0, 10, 0])
    np.testing.assert_array_equal(gradient(ops.prod, [0.0, 0.0, 5.0]), [0, 0, 0])


def test_logsumexp_of_infinities():
    np.testing.assert_array_equal(ops.logsumexp([[-np.inf, -np.inf], [np.inf, 0.0]], axis=1), [-np.inf, np.inf])
