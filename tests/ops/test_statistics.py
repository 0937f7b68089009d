"""Running totals, norms and weighted means, worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.definition import Op
from refnet.engine import reference
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.gradients import check_function, check_gradient
from refnet.testing.strategies import Case, Usage, load

INF, NAN = float("inf"), float("nan")


def same(result, expected):
    np.testing.assert_array_equal(result, expected)


def gradient(function, array):
    x = Tensor(np.shape(array), "float64")
    return reference.prepare(Program([x], ops.gradients(ops.sum(function(x)), x))).run([np.asarray(array, float)])[0]


def test_running_totals_include_their_place():
    x = [[1, 2, 3], [4, 5, 6]]
    same(ops.cumsum(x, 0), [[1, 2, 3], [5, 7, 9]])
    same(ops.cumsum(x, -1), [[1, 3, 6], [4, 9, 15]])
    same(ops.cumsum(x), [1, 3, 6, 10, 15, 21])
    same(ops.cumprod(x, 1), [[1, 2, 6], [4, 20, 120]])
    same(ops.cumsum(np.zeros((2, 0)), 1), np.zeros((2, 0)))


def test_running_totals_have_a_dtype():
    assert ops.cumsum([True, True]).dtype == "int32"
    same(ops.cumsum(np.array([100, 100], "int8")), np.array([100, -56], "int8"))
    same(ops.cumsum(np.array([100, 100], "int8"), dtype="int16"), [100, 200])


def test_gradients_of_running_totals():
    same(gradient(lambda x: ops.cumsum(x, 0), [1.0, 2.0, 3.0]), [3, 2, 1])
    same(gradient(lambda x: ops.cumprod(x, 0), [2.0, 0.0, 5.0]), [1, 12, 0])


def test_logsumexp_of_infinities():
    same(ops.logsumexp([[-INF, -INF], [INF, 0.0], [NAN, INF], [-INF, 3.0]], 1), [-INF, INF, NAN, 3])
    same(ops.logsumexp(np.zeros((2, 3, 4)), (0, 2), keepdims=True).shape, (1, 3, 1))


def test_norms_of_vectors():
    x = np.array([3.0, -4.0, 0.0])
    for order, expected in ((None, 5), (2, 5), (1, 7), (0, 2), (INF, 4), (-INF, 0)):
        assert ops.norm(x, order) == expected
    assert ops.norm(np.ones((2, 2, 1))) == 2
    assert ops.norm(x, 1, axis=0, keepdims=True).shape == (1,)


def test_norms_of_matrices():
    x = np.array([[1.0, -2.0], [3.0, 4.0]])
    for order, expected in ((1, 6), (-1, 4), (INF, 7), (-INF, 3)):
        assert ops.norm(x, order) == expected
        assert ops.norm(x.T, order, axis=(1, 0)) == expected
    assert ops.norm(x, "fro") == np.float64(30) ** 0.5
    with pytest.raises(ArgumentError, match="ord 'nuc' is not defined for axis None of an array with 2 axes"):
        ops.norm(x, "nuc")


def test_averages():
    x = [[1.0, 2.0], [3.0, 6.0]]
    assert ops.average(x) == 3
    same(ops.average(x, 0, [1.0, 3.0]), [2.5, 5])
    assert ops.average(x, None, [[1.0, 0.0], [0.0, 1.0]]) == 3.5
    assert ops.average([1, 2, 6], weights=[1, 1, 2]).dtype == "float32"
    halves = np.array([1, 1, 2], "float16")  # integers take the dtype of the floats they meet, as in every op
    for given in (([1, 2, 6], halves), (halves, [1, 2, 1]), (np.ones(3, bool), halves)):
        assert ops.average(given[0], weights=given[1]).dtype == "float16"
    with pytest.raises(ShapeError, match="got weights of shape .2,. and axis None"):
        ops.average(x, None, [1.0, 2.0])


def test_moments():
    mean, variance = ops.moments(np.array([[1.0, 3.0], [5.0, 9.0]]), [1], keepdims=True)
    same(mean, [[2], [7]])
    same(variance, [[1], [4]])


def test_the_proof_kit_takes_slopes_at_zero():
    """A scaleless function of nothing, or of nothing but zeros, has no element to scale by."""
    load()
    check_function(Usage("normalize", (np.zeros((0, 3)),), {}))


def test_a_mean_without_a_value_has_no_gradient_to_be_checked():
    check_function(Usage("average", (np.array([1.5, -2.0]), None, np.array([1.0, -1.0])), {}))


@pytest.mark.parametrize("seed", range(8))
def test_a_bend_is_not_taken_for_a_line(seed):
    """sparsemax is linear up to the edge of its support, where its gradient is 0."""
    load()
    check_gradient(Case(Op.named["sparsemax"], [np.array([[1.0, 0.0]])], {"axis": 1}), seed)
