"""Linear equations and factors beside NumPy's and SciPy's."""

import numpy as np
import pytest
import scipy.linalg

from refnet import ops
from refnet.errors import ArgumentError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.testing.conformance import agree

RNG = np.random.default_rng(0)
A = RNG.normal(size=(2, 3, 5, 5))
B = RNG.normal(size=(2, 3, 5, 2))
S = A @ A.swapaxes(-1, -2) + np.eye(5)


def near(function, theirs, *arguments, **keywords):
    """Theirs and ours hold the certificate of our direct method: whoever pivots alike and adds up in any order stays inside."""
    theirs = list(theirs) if isinstance(theirs, tuple) else theirs
    agree(function, theirs, *arguments, **keywords)


def test_cholesky():
    near(ops.cholesky, np.linalg.cholesky(S), S)
    near(ops.cholesky, np.linalg.cholesky(S).swapaxes(-1, -2), S, upper=True)
    for upper in (False, True):
        near(lambda s, upper=upper: ops.cholesky_inverse(ops.cholesky(s, upper), upper), np.linalg.inv(S), S)
    assert np.isnan(ops.cholesky(-np.eye(2))[0, 0])


@pytest.mark.parametrize("lower", [False, True])
def test_triangular_equations(lower):
    a, b = A[0, 0] + 3 * np.eye(5), B[0, 0]
    near(ops.solve_triangular, scipy.linalg.solve_triangular(a, b, lower=lower), a, b, lower)
    near(ops.solve_triangular, scipy.linalg.solve_triangular(a, b[:, 0], lower=lower), a, b[:, 0], lower)


def test_equations():
    near(ops.solve, np.linalg.solve(A, B), A, B)
    near(ops.solve, np.linalg.solve(A, B[..., :1])[..., 0], A, B[..., 0])
    near(ops.solve, np.linalg.solve(A, B[:1, :1]), A, B[:1, :1])
    near(ops.inv, np.linalg.inv(A), A)
    near(ops.det, np.linalg.det(A), A)
    near(ops.slogdet, tuple(np.linalg.slogdet(A)), A)
    near(ops.logdet, np.linalg.slogdet(S)[1], S)
    assert ops.det(np.ones((2, 2))) == 0 and ops.slogdet(np.ones((2, 2)))[0] == 0
    assert ops.det(np.zeros((0, 0))) == 1


@pytest.mark.parametrize("shape", [(5, 5), (5, 3), (3, 5), (1, 4), (4, 1)])
def test_gauss(shape):
    x = RNG.normal(size=shape)
    near(ops.lu_factor, scipy.linalg.lu_factor(x), x)


@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("shape", [(5, 5), (5, 3), (3, 5), (1, 4), (4, 1)])
def test_householder(shape, mode):
    x = RNG.normal(size=(2, *shape))
    near(ops.qr, tuple(np.linalg.qr(x, mode)), x, mode)


@pytest.mark.parametrize("shape", [(5, 5), (6, 3), (3, 6)])
def test_least_squares(shape):
    a, b = RNG.normal(size=shape), RNG.normal(size=(shape[0], 2))
    near(ops.lstsq, np.linalg.lstsq(a, b)[0], a, b)
    near(ops.lstsq, np.linalg.lstsq(a, b[:, 0])[0], a, b[:, 0])


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
    q, r = np.linalg.qr(x)
    near(ops.qr, (q, r * scale), x * scale)
    b = np.array([1.0, 2.0, 3.0])
    near(ops.lstsq, np.linalg.lstsq(x, b)[0], x * scale, b * scale)
    near(ops.lstsq, np.linalg.lstsq(x.T, b[:2])[0], x.T * scale, b[:2] * scale)


@pytest.mark.parametrize("name", ["solve", "solve_triangular", "lstsq"])
def test_integers_take_the_floating_dtype_they_meet(name):
    a, b = np.array([[2, 0], [0, 4]], "int32"), np.array([2, 4], "float16")
    for p, q in ((a, b), (a.astype("float16"), b.astype("int32"))):
        x = getattr(ops, name)(p, q)
        assert x.dtype == "float16" and x.tolist() == [1, 1]
