"""Activations at their edges, worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import close

INF, NAN = float("inf"), float("nan")


def gradient(function, *arrays):
    """The gradient of the sum of a function of arrays, on the reference engine."""
    xs = [Tensor(np.shape(a)) for a in arrays]
    return reference.prepare(Program(xs, ops.gradients(function(*xs), xs))).run(arrays)


def test_relu_keeps_nan_and_has_no_slope_at_zero():
    np.testing.assert_array_equal(ops.relu([NAN, -INF, 0.0, INF]), [NAN, 0.0, 0.0, INF])
    np.testing.assert_array_equal(gradient(ops.relu, [-1.0, 0.0, 2.0, NAN])[0], [0, 0, 1, 0])


def test_sigmoid_does_not_overflow():
    np.testing.assert_array_equal(ops.sigmoid([-1e4, 0.0, 1e4]), [0.0, 0.5, 1.0])


def test_softmax_sums_to_one_along_each_axis():
    x = np.arange(24.0).reshape(2, 3, 4) % 5
    for axis in (0, 1, -1, (0, 2), None):
        close(ops.softmax(x, axis).sum(axis), 1, 2 * x.size + 1)


def test_softmax_of_large_and_of_nan():
    np.testing.assert_array_equal(ops.softmax([[1e4, 1e4], [NAN, 0.0]]), [[0.5, 0.5], [NAN, NAN]])


def test_softmax_gradient_by_hand():
    # y = (1/2, 1/2); dy = (1, 0): y * (dy - 1/2)
    np.testing.assert_array_equal(
        gradient(lambda x: ops.multiply(ops.softmax(x), [1.0, 0.0]), [3.0, 3.0])[0], [0.25, -0.25]
    )


def test_log_softmax_where_softmax_rounds_to_zero():
    np.testing.assert_array_equal(ops.log_softmax([0.0, 1e4]), [-1e4, 0.0])


def test_softmax_of_nothing_and_of_a_number():
    assert ops.softmax(np.zeros((2, 0), "float32")).shape == (2, 0)
    with pytest.raises(ArgumentError, match="needs an array with axes"):
        ops.softmax(1.0)


def test_elu_gradient_where_the_exponential_would_overflow():
    np.testing.assert_array_equal(gradient(ops.elu, [1e4, 0.0])[0], [1.0, 1.0])
