"""Several index arrays at once, and blocks whose place is known while running only."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program

X = np.arange(120.0).reshape(2, 3, 4, 5)
ROW, COL = np.array([[1, 0, -1]]), np.array([[0], [1]])
KEYS = [
    (ROW, COL),
    np.s_[:, ROW, COL],
    np.s_[:, ROW, 1:3, COL],
    np.s_[ROW, :, 0],
    np.s_[0, :, ROW],
    (0, ROW),
    np.s_[:, None, ROW, COL],
    np.s_[ROW, None, COL],
    (..., ROW, COL),
    (1, ROW, COL, 0),
    ([0, 1], [1, 1]),
    np.s_[:, [0, 1], ::-1, [0, 4]],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_several_arrays_pick_as_numpys_do(key):
    np.testing.assert_array_equal(ops.get_item(X, key), X[key])
    x = Tensor((None, 3, 4, 5), "float64")
    y = ops.get_item(x, key)
    result, dx = reference.prepare(Program([x], [y, *gradients(y, [x])])).run([X])
    np.testing.assert_array_equal(result, X[key])
    counts = np.zeros_like(X)
    np.add.at(counts, key, 1)
    np.testing.assert_array_equal(dx, counts)


def test_each_index_must_lie_in_its_own_axis():
    with pytest.raises(DataError, match="one at .1. is 2"):
        ops.get_item(X, ([0, 2], [0, 0]))
    with pytest.raises(ArgumentError, match="index 2 is outside"):
        ops.get_item(X, (2, [0]))
    with pytest.raises(ShapeError, match="cannot combine"):
        ops.get_item(X, ([0, 1], [0, 1, 2]))


def test_rows_and_labels():
    """What a loss reads: row i's score of label i, the batch open."""
    scores, labels = Tensor((None, 3), "float32"), Tensor((None,), "int32")
    y = ops.get_item(scores, (ops.arange(ops.shape(scores)[0]), labels))
    executable = reference.prepare(Program([scores, labels], [y]))
    feed = np.arange(6, dtype="float32").reshape(2, 3)
    assert executable.run([feed, np.array([2, 0], "int32")])[0].tolist() == [2, 3]
    with pytest.raises(DataError, match=r"must lie in -3\.\.2; the one at \[1\] is 3"):
        executable.run([feed, np.array([2, 3], "int32")])


def blocks():
    x, at = Tensor((3, 4), "float64"), Tensor((), "int32")
    outputs = [ops.slice(x, (1, at), (2, 2)), ops.slice_update(x, (at, 0), np.full((1, 2), -1.0))]
    return reference.prepare(Program([x, at], outputs))


def test_blocks_at_places_known_while_running():
    x = np.arange(12.0).reshape(3, 4)
    for at in (0, 1, 2):
        cut, filled = blocks().run([x, np.array(at, "int32")])
        np.testing.assert_array_equal(cut, x[1:, at : at + 2])
        expected = x.copy()
        expected[at, :2] = -1
        np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize("at", [-1, 3])
def test_blocks_that_leave_the_array_are_found_out(at):
    with pytest.raises(DataError, match="must lie in"):
        blocks().run([np.zeros((3, 4)), np.array(at, "int32")])


def test_gradients_of_blocks():
    x, at, u = Tensor((4,), "float64"), Tensor((1,), "int64"), Tensor((2,), "float64")
    y = ops.add(
        ops.sum(ops.slice(x, at, (2,))), ops.sum(ops.multiply(ops.slice_update(x, at, u), [1.0, 2.0, 3.0, 4.0]))
    )
    dx, du = reference.prepare(Program([x, at, u], gradients(y, [x, u]))).run([np.ones(4), np.array([1]), np.ones(2)])
    assert dx.tolist() == [1, 1, 1, 4] and du.tolist() == [2, 3]


def test_starts_are_integers():
    with pytest.raises(ArgumentError, match="single integer"):
        ops.slice(X[0, 0], (Tensor((1,), "int32"), 0), (1, 1))
    with pytest.raises(ArgumentError, match="one for each axis"):
        ops.slice(X[0, 0], (0.5, 0), (1, 1))
    with pytest.raises(ArgumentError, match="an entry of shape must be a single integer"):
        ops.slice(X[0, 0], (0, 0), (Tensor((1,), "int32"), 1))
    with pytest.raises(DtypeError, match="shape must be integers; got float32"):
        ops.slice(X[0, 0], (0, 0), (Tensor((), "float32"), 1))
