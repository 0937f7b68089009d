"""Linear equations and factors beside NumPy's and SciPy's."""

import numpy as np
import pytest
import scipy.linalg

from refnet import ops
from refnet.errors import ArgumentError
from refnet.gradients import gradients
from refnet.graph import Tensor

RNG = np.random.default_rng(0)
A = RNG.normal(size=(2, 3, 5, 5))
B = RNG.normal(size=(2, 3, 5, 2))
S = A @ A.swapaxes(-1, -2) + np.eye(5)


def near(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_cholesky():
    near(ops.cholesky(S), np.linalg.cholesky(S))
    near(ops.cholesky(S, upper=True), np.linalg.cholesky(S).swapaxes(-1, -2))
    for upper in (False, True):
        near(ops.cholesky_inverse(ops.cholesky(S, upper), upper), np.linalg.inv(S))
    assert np.isnan(ops.cholesky(-np.eye(2))[0, 0])


@pytest.mark.parametrize("lower", [False, True])
def test_triangular_equations(lower):
    a, b = A[0, 0] + 3 * np.eye(5), B[0, 0]
    near(ops.solve_triangular(a, b, lower), scipy.linalg.solve_triangular(a, b, lower=lower))
    near(ops.solve_triangular(a, b[:, 0], lower), scipy.linalg.solve_triangular(a, b[:, 0], lower=lower))


def test_equations():
    near(ops.solve(A, B), np.linalg.solve(A, B))
    near(ops.solve(A, B[..., 0]), np.linalg.solve(A, B[..., :1])[..., 0])
    near(ops.solve(A, B[:1, :1]), np.linalg.solve(A, B[:1, :1]))
    near(ops.inv(A), np.linalg.inv(A))
    near(ops.det(A), np.linalg.det(A))
    for ours, theirs in zip(ops.slogdet(A), np.linalg.slogdet(A)):
        near(ours, theirs)
    near(ops.logdet(S), np.linalg.slogdet(S)[1])
    assert ops.det(np.ones((2, 2))) == 0 and ops.slogdet(np.ones((2, 2)))[0] == 0
    assert ops.det(np.zeros((0, 0))) == 1


@pytest.mark.parametrize("shape", [(5, 5), (5, 3), (3, 5), (1, 4), (4, 1)])
def test_gauss(shape):
    x = RNG.normal(size=shape)
    for ours, theirs in zip(ops.lu_factor(x), scipy.linalg.lu_factor(x)):
        near(ours, theirs)


@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("shape", [(5, 5), (5, 3), (3, 5), (1, 4), (4, 1)])
def test_householder(shape, mode):
    x = RNG.normal(size=(2, *shape))
    for ours, theirs in zip(ops.qr(x, mode), np.linalg.qr(x, mode)):
        near(ours, theirs)


@pytest.mark.parametrize("shape", [(5, 5), (6, 3), (3, 6)])
def test_least_squares(shape):
    a, b = RNG.normal(size=shape), RNG.normal(size=(shape[0], 2))
    near(ops.lstsq(a, b), np.linalg.lstsq(a, b)[0])
    near(ops.lstsq(a, b[:, 0]), np.linalg.lstsq(a, b[:, 0])[0])


def test_a_gradient_that_there_is_not_says_so():
    x = Tensor((3, 5), "float64")
    with pytest.raises(ArgumentError, match="qr has a gradient"):
        gradients(ops.sum(ops.qr(x)[0]), [x])
    with pytest.raises(ArgumentError, match="lu_factor has a gradient"):
        gradients(ops.sum(ops.lu_factor(x)[0]), [x])


def test_half_precision_is_computed_wider():
    x = S[0, 0].astype("float16")
    assert ops.cholesky(x).dtype == ops.inv(x).dtype == np.float16


@pytest.mark.parametrize("scale", [1e-200, 1e200, 2.0**-1000])
def test_magnitudes_whose_squares_are_out_of_range(scale):
    x = np.array([[1.0, 3.0], [2.0, 1.0], [0.0, 4.0]])
    (q, r), (true_q, true_r) = ops.qr(x * scale), np.linalg.qr(x)
    near(q, true_q)
    near(r / scale, true_r)
    b = np.array([1.0, 2.0, 3.0])
    near(ops.lstsq(x * scale, b * scale), np.linalg.lstsq(x, b)[0])
    near(ops.lstsq(x.T * scale, b[:2] * scale), np.linalg.lstsq(x.T, b[:2])[0])


@pytest.mark.parametrize("name", ["solve", "solve_triangular", "lstsq"])
def test_integers_take_the_floating_dtype_they_meet(name):
    a, b = np.array([[2, 0], [0, 4]], "int32"), np.array([2, 4], "float16")
    for p, q in ((a, b), (a.astype("float16"), b.astype("int32"))):
        x = getattr(ops, name)(p, q)
        assert x.dtype == "float16" and x.tolist() == [1, 1]
