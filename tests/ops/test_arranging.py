"""Repeating, rolling, padding with edges, grids, triangles and diagonals: NumPy's answers, open dimensions included."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, ShapeError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def open_and_eager(function, theirs, x=X):
    """The same eagerly, and in a graph whose dimensions are open."""
    expected = theirs(x)
    np.testing.assert_array_equal(function(x), expected)
    t = Tensor((None,) * x.ndim, x.dtype.name)
    (y,) = reference.prepare(Program([t], [function(t)])).run([x])
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_repeat_is_numpys(axis):
    open_and_eager(lambda x: ops.repeat(x, 3, axis), lambda x: np.repeat(x, 3, axis))
    n = X.size if axis is None else X.shape[axis]
    each = np.arange(n) % 3
    np.testing.assert_array_equal(ops.repeat(X, each, axis), np.repeat(X, each, axis))


@pytest.mark.parametrize("times", [2, (2, 3), (1, 2, 1), (2, 1, 1, 3), (0, 1)])
def test_tile_is_numpys(times):
    open_and_eager(lambda x: ops.tile(x, times), lambda x: np.tile(x, times))


@pytest.mark.parametrize("shift, axis", [(1, None), (-5, None), (2, 1), (-9, 2), ((1, -1), (0, 2)), (3, (0, 1))])
def test_roll_is_numpys(shift, axis):
    np.testing.assert_array_equal(ops.roll(X, shift, axis), np.roll(X, shift, axis))


def test_roll_of_an_open_axis():
    open_and_eager(lambda x: ops.roll(x, -5, 1), lambda x: np.roll(x, -5, 1))


def test_unstack_is_the_reverse_of_stack():
    for axis in range(3):
        parts = ops.unstack(X, axis=axis)
        assert len(parts) == X.shape[axis]
        np.testing.assert_array_equal(ops.stack(parts, axis), X)
    with pytest.raises(ArgumentError, match="say it with num"):
        ops.unstack(Tensor((None, 2)))


def test_edges_repeat():
    widths = ((1, 2), (0, 0), (3, 0))
    open_and_eager(lambda x: ops.pad(x, widths, "edge"), lambda x: np.pad(x, widths, "edge"))
    with pytest.raises(ShapeError, match="no edge to repeat"):
        ops.pad(np.zeros((0, 2)), 1, "edge")


@pytest.mark.parametrize("k", [-4, -1, 0, 2, 9])
def test_triangles_and_diagonals_are_numpys(k):
    open_and_eager(lambda x: ops.tril(x, k), lambda x: np.tril(x, k))
    open_and_eager(lambda x: ops.triu(x, k), lambda x: np.triu(x, k))
    open_and_eager(lambda x: ops.diag(x, k), lambda x: np.diag(x, k), X[0, 0])
    np.testing.assert_array_equal(ops.diag(X[0], k), np.diag(X[0], k))
    np.testing.assert_array_equal(ops.tri(3, 5, k), np.tri(3, 5, k, "float32"))


def test_what_a_triangle_leaves_out_has_no_influence():
    x = np.array([[1.0, np.nan], [2.0, np.inf]])
    np.testing.assert_array_equal(ops.tril(x, -1), [[0, 0], [2, 0]])


@pytest.mark.parametrize("indexing", ["xy", "ij"])
def test_meshgrid_is_numpys(indexing):
    lines = np.arange(2.0), np.arange(3), np.arange(4, dtype="int8")
    for count in (1, 2, 3):
        for ours, theirs in zip(
            ops.meshgrid(*lines[:count], indexing=indexing), np.meshgrid(*lines[:count], indexing=indexing)
        ):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 7])
def test_linspace_is_numpys(num, endpoint):
    start, stop = np.array([[0.0], [1.0]]), np.array([3.0, -5.0, 2.0])
    expected = np.linspace(start, stop, num, endpoint, axis=-1)
    np.testing.assert_array_equal(ops.linspace(start, stop, num, endpoint, axis=-1), expected)
    a, b = Tensor(start.shape, "float64"), Tensor(stop.shape, "float64")
    program = Program([a, b], [ops.linspace(a, b, num, endpoint, axis=-1)])
    (y,) = reference.prepare(program).run([start, stop])
    np.testing.assert_array_equal(y, expected)
    if num > 1 and endpoint:
        assert y[..., -1].tolist() == np.broadcast_to(stop, (2, 3)).tolist()
    close(ops.logspace(start, stop, num, endpoint), np.logspace(start, stop, num, endpoint), 2 * ELEMENTARY)


def test_linspace_of_whole_numbers_rounds_down():
    y, step = ops.linspace(-3, 2, 4, retstep=True, dtype="int32")
    np.testing.assert_array_equal(y, np.linspace(-3, 2, 4, dtype="int32"))
    assert y.dtype == "int32" and step == np.float32(5 / 3)


def test_gradients_add_up_what_was_repeated():
    x = Tensor((2, 3), "float64")
    for y, expected in (
        (ops.repeat(x, [1, 0, 2], axis=1), [[1, 0, 2]] * 2),
        (ops.tile(x, (3, 2)), [[6] * 3] * 2),
        (ops.pad(x, ((0, 0), (2, 1)), "edge"), [[3, 1, 2]] * 2),
        (ops.triu(x, 1), [[0, 1, 1], [0, 0, 1]]),
    ):
        (dx,) = reference.prepare(Program([x], gradients(y, [x]))).run([np.ones((2, 3))])
        np.testing.assert_array_equal(dx, expected)
