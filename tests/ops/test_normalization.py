"""Normalizations, worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import closeness as counted
from refnet.testing.closeness import ELEMENTARY

NAN = float("nan")


def close(result, expected):
    """Numbers of size 1 less a mean of up to 8, over a root of a mean of squares; what is stored as float32 is rounded twice."""
    kind, due = np.asarray(result).dtype.name, np.asarray(expected, "float64")
    counted.close(result, due, 4 if kind != "float64" else 4 * (8 + ELEMENTARY), np.maximum(abs(due), 1))


def run(function, *arrays):
    xs = [Tensor((None, *np.shape(a)[1:]), "float64") for a in arrays]
    return reference.prepare(Program(xs, list(function(*xs)))).run(arrays)


def test_epsilon_stands_under_the_root():
    close(ops.batch_normalization([[2.0]], [0.0], [0.0], -1, epsilon=0.25), [[4.0]])
    close(ops.layer_normalization([[1.0, -1.0]], epsilon=3.0), [[0.5, -0.5]])
    close(ops.rms_normalization([1.0, -1.0], epsilon=3.0), [0.5, -0.5])


def test_the_variance_is_the_mean_square():
    y, mean, variance = ops.batch_normalization_training([[0.0], [2.0], [4.0]], -1, epsilon=0.0)
    close(mean, [2])
    close(variance, [8 / 3])
    close(y, [[-np.sqrt(1.5)], [0], [np.sqrt(1.5)]])


def test_channels_first_and_last():
    x = np.arange(12.0).reshape(2, 3, 2)
    first, *moments = ops.batch_normalization_training(x, 1, offset=[0.0, 1.0, 2.0], scale=[1.0, 2.0, 3.0])
    last, *same = ops.batch_normalization_training(x.swapaxes(1, 2), -1, offset=[0.0, 1.0, 2.0], scale=[1.0, 2.0, 3.0])
    close(first, last.swapaxes(1, 2))
    close(moments, same)
    close(moments[0], x.mean((0, 2)))
    close(ops.batch_normalization(x, *moments, 1), ops.batch_normalization_training(x, 1)[0])


def test_a_shift_of_the_batch_gets_no_gradient():
    """The mean takes it away; and a constant gradient of the result moves nothing but the offset."""
    x = np.array([[1.0], [2.0], [4.0]])
    w = np.array([[1.0], [-2.0], [3.0]])

    def gradients(x, w):
        return ops.gradients(ops.sum(ops.multiply(ops.batch_normalization_training(x, -1, epsilon=0.0)[0], w)), x)

    dx = run(gradients, x, w)[0]
    # an element of dx is w less two means of three terms, times 1 / deviation; then their sum
    counted.close(dx.sum(), 0, 2 * (3 + 8 + ELEMENTARY), 3 * abs(w).sum())
    close(run(gradients, x, np.full_like(w, 5.0))[0], np.zeros_like(x))


def test_gradients_reach_the_moments():
    x = np.array([[1.0], [3.0]])

    def gradients(x):
        _, mean, variance = ops.batch_normalization_training(x, -1)
        return [*ops.gradients(ops.sum(mean), x), *ops.gradients(ops.sum(variance), x)]

    dmean, dvariance = run(gradients, x)
    close(dmean, [[0.5], [0.5]])
    close(dvariance, [[-1], [1]])


def test_several_axes_are_one_row():
    x = np.array([[[1.0, 2.0], [3.0, 4.0]], [[10.0, 10.0], [10.0, 30.0]]])
    close(ops.layer_normalization(x, axis=(1, 2)), ops.layer_normalization(x.reshape(2, 4)).reshape(x.shape))
    first = ops.layer_normalization(x, gamma=[1.0, 2.0], axis=0)
    close(first, ops.layer_normalization(x.transpose(1, 2, 0), gamma=[1.0, 2.0]).transpose(2, 0, 1))


def test_groups_are_neighbours():
    x = [[1.0, 3.0, 10.0, 30.0]]
    close(ops.group_normalization(x, 2, epsilon=0.0), [[-1, 1, -1, 1]])
    close(ops.group_normalization(x, 1), ops.layer_normalization(x, epsilon=1e-3))
    close(ops.group_normalization(x, 4, gamma=[1.0] * 4, beta=[1.0, 2.0, 3.0, 4.0]), [[1, 2, 3, 4]])


def test_normalize_of_zeros_and_of_large_numbers():
    close(ops.normalize([0.0, 0.0]), [0, 0])
    close(ops.normalize(np.array([3e30, 4e30], "float32"), order=3), np.array([3, 4]) / 91 ** (1 / 3))
    close(ops.normalize([[1, 2], [2, 2]], axis=(0, 1), order=1), np.array([[1, 2], [2, 2]]) / 7)
    close(run(lambda x: ops.gradients(ops.sum(ops.normalize(x, epsilon=0.5)), x), np.zeros((1, 2)))[0], [[2, 2]])


def test_special_values_and_nothing():
    y, mean, variance = ops.batch_normalization_training([[1.0, NAN], [3.0, 1.0]], -1, epsilon=0.0)
    close(y, [[-1, NAN], [1, NAN]])
    assert np.isnan([mean[1], variance[1]]).all()
    y, mean, variance = ops.batch_normalization_training(np.zeros((0, 2), "float32"), -1)
    assert y.shape == (0, 2) and np.isnan(mean).all() and np.isnan(variance).all()
    assert ops.layer_normalization(np.zeros((0, 3), "float32")).shape == (0, 3)
    assert ops.layer_normalization(np.zeros((3, 0), "float32")).shape == (3, 0)


def test_half_precision_is_computed_in_single():
    x = np.array([[60000.0], [-60000.0]], "float16")
    y, mean, variance = ops.batch_normalization_training(x, -1)
    assert y.dtype == "float16" and variance.dtype == mean.dtype == "float32"
    close(y, [[1], [-1]])
    close(variance, [60000.0**2])


def test_what_does_not_fit():
    x = np.zeros((2, 3), "float32")
    with pytest.raises(ShapeError, match="one number of scale for each of the 3 channels"):
        ops.batch_normalization(x, np.zeros(3), np.ones(3), -1, scale=np.ones(2))
    with pytest.raises(ShapeError, match="one number of beta for each feature"):
        ops.layer_normalization(x, beta=np.ones((3, 1)))
    with pytest.raises(ShapeError, match="3 channels .* groups = 2"):
        ops.group_normalization(x, 2)
    with pytest.raises(ArgumentError, match="order must be a whole number from 1; got 1.5"):
        ops.normalize(x, order=1.5)
