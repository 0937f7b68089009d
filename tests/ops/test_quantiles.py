"""Medians and quantiles: NumPy's, ties, infinities, gradients, open dimensions."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, DataError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.ops.quantiles import METHODS
from refnet.program import Program
from refnet.testing import close

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("method", METHODS)
def test_quantile_is_numpys(method):
    x = np.random.default_rng(1).normal(size=(3, 4, 5))
    for q in (0.3, np.array([0.0, 0.5, 1.0]), np.array([[0.25, 0.75], [0.1, 0.5]])):
        for axis in (None, 0, (0, 2), -1):
            for keepdims in (False, True):
                got = ops.quantile(x, q, axis, method, keepdims)
                close(got, np.quantile(x, q, axis, method=method, keepdims=keepdims), 2 * (3 + x.size), abs(x).max())


@pytest.mark.parametrize("method", METHODS)
def test_every_place_of_short_and_long_rows(method):
    for n in range(1, 12):
        x, q = np.random.default_rng(n).normal(size=n), np.linspace(0, 1, 41)
        close(ops.quantile(x, q, method=method), np.quantile(x, q, method=method), 2 * (3 + n), abs(x).max())


def test_what_is_not_finite():
    assert ops.median(np.array([INF, INF])) == INF
    assert ops.quantile(np.array([1.0, INF]), [0.0, 0.5]).tolist() == [1, INF]
    assert np.isnan(ops.median([1.0, NAN, 2.0]))
    assert ops.median(np.array([[1.0, NAN], [3.0, 4.0]]), axis=1).tolist()[1] == 3.5
    assert ops.median([True, False]).dtype == "float32"


def test_gradient_goes_to_the_elements_that_were_read():
    x = Tensor((4,), "float64")
    feed = np.array([5.0, 1.0, 9.0, 2.0])
    for y, expected in [
        (ops.median(x), [0.5, 0, 0, 0.5]),
        (ops.quantile(x, 0.25), [0, 0.25, 0, 0.75]),
        (ops.quantile(x, 1.0), [0, 0, 1, 0]),
        (ops.quantile(x, 0.4, method="lower"), [0, 0, 0, 1]),
    ]:
        (dx,) = reference.prepare(Program([x], gradients(y, [x]))).run([feed])
        np.testing.assert_array_equal(dx, expected)


def test_open_dimensions_and_parts_that_come_while_running():
    x, q = Tensor((None, 3), "float64"), Tensor((2,), "float64")
    executable = reference.prepare(Program([x, q], [ops.median(x, 0), ops.quantile(x, q)]))
    feed, parts = np.arange(12.0).reshape(4, 3), np.array([0.1, 0.9])
    middle, both = executable.run([feed, parts])
    assert middle.tolist() == [4.5, 5.5, 6.5]
    close(both, np.quantile(feed, parts), 2 * (3 + 4), feed.max())
    for wrong in (-0.1, 1.2):
        with pytest.raises(DataError, match=r"must lie in .* the one at \[1\]"):
            executable.run([feed, np.array([0.5, wrong])])
    with pytest.raises(ArgumentError, match="0..1"):
        ops.quantile([1.0, 2.0], 1.5)
