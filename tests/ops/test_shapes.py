"""Joining, slicing and filling, by hand and against NumPy."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, ShapeError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def run(inputs, outputs, *feeds):
    return reference.prepare(Program(inputs, outputs)).run(feeds)


def open_tensor():
    return Tensor((None, None, None))


KEYS = [
    np.s_[0],
    np.s_[-1],
    np.s_[:, 1],
    np.s_[..., -2],
    np.s_[1, ..., 0],
    np.s_[:, ::-1],
    np.s_[:, -2:, 1:3],
    np.s_[:, :-1, ::-2],
    np.s_[None, :, 1:1],
    np.s_[0, None, 2, :, None],
    np.s_[:, :, 10:],
    np.s_[1:0:-1, 5:0:-2],
    np.s_[...],
    np.s_[:, [2, 0, -1]],
    np.s_[..., np.array([[0, 1], [3, -1]])],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_get_item_is_numpys(key):
    np.testing.assert_array_equal(ops.get_item(X, key), X[key])
    x = open_tensor()
    y = x[key]
    np.testing.assert_array_equal(run([x], [y], X)[0], X[key])
    assert all(a in (None, b) for a, b in zip(y.shape, X[key].shape, strict=True))


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 4), (None, None, None)])
def test_gradient_of_get_item_counts_how_often_an_element_was_picked(key, shape):
    x = Tensor(shape)
    picked = run([x], gradients(ops.multiply(x[key], x[key]), [x]), X)[0]
    expected = np.zeros(X.shape)
    np.add.at(expected, key, 2 * X[key])
    np.testing.assert_array_equal(picked, expected)


def test_get_item_refuses_what_it_cannot_mean():
    with pytest.raises(ArgumentError, match="index 3 is outside an axis of length 3"):
        ops.get_item(X, (0, 3))
    with pytest.raises(ArgumentError, match="4 indices"):
        ops.get_item(X, (0, 0, 0, 0))
    with pytest.raises(ArgumentError, match="step"):
        ops.get_item(X, np.s_[::0])
    with pytest.raises(ArgumentError, match="boolean"):
        open_tensor()[X > 3]
    x = open_tensor()
    with pytest.raises(ArgumentError, match="index 3 is outside"):
        run([x], [x[:, 3]], X)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("shape", [(2, 3, 4), (None, None, None)])
def test_concatenate_and_its_gradient(axis, shape):
    a, b = Tensor(shape), Tensor(shape)
    other = X[:, :1] if axis == 1 else X
    b = Tensor(tuple(d and n for d, n in zip(shape, other.shape)))
    y = ops.concatenate([a, b, a], axis)
    weights = np.arange(np.concatenate([X, other, X], axis).size, dtype=np.float32)
    weights = weights.reshape(np.concatenate([X, other, X], axis).shape)
    got, da, db = run([a, b], [y, *gradients(ops.multiply(y, weights), [a, b])], X, other)
    np.testing.assert_array_equal(got, np.concatenate([X, other, X], axis))
    n = X.shape[axis]
    first, middle, last = np.split(weights, [n, n + other.shape[axis]], axis)
    np.testing.assert_array_equal(da, first + last)
    np.testing.assert_array_equal(db, middle)


def test_concatenate_takes_empty_parts_and_promotes():
    y = ops.concatenate([np.zeros((0, 2), np.float32), np.ones((1, 2), np.int32), np.zeros((0, 2), np.float32)])
    assert y.dtype == np.float32 and y.tolist() == [[1, 1]]
    with pytest.raises(ShapeError, match=r"\(2, 3, 4\), \(2, 3, 3\)"):
        ops.concatenate([X, X[..., :3]], axis=1)
    with pytest.raises(ArgumentError, match="empty list"):
        ops.concatenate([])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_split_undoes_concatenate_and_stack_is_numpys(axis):
    parts = ops.split(X, [1, 2], axis)
    np.testing.assert_array_equal(ops.concatenate(parts, axis), X)
    np.testing.assert_array_equal(ops.stack([X, X + 1], axis), np.stack([X, X + 1], axis))
    x = open_tensor()
    got = run([x], ops.split(x, X.shape[axis], axis), X)
    for a, b in zip(got, np.split(X, X.shape[axis], axis), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ShapeError, match="does not divide into 5 equal parts"):
        ops.split(X, 5, axis)


@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric"])
def test_pad_is_numpys(mode):
    widths = ((1, 0), (0, 2), (3, 1))
    np.testing.assert_array_equal(ops.pad(X, widths, mode), np.pad(X, widths, mode))


def test_gradient_of_pad_is_the_middle():
    x = open_tensor()
    y = ops.pad(x, ((1, 0), (0, 2), (3, 1)), constant_values=5)
    got, dx = run([x], [y, *gradients(ops.multiply(y, y), [x])], X)
    np.testing.assert_array_equal(got, np.pad(X, ((1, 0), (0, 2), (3, 1)), constant_values=5))
    np.testing.assert_array_equal(dx, 2 * X)
    with pytest.raises(ArgumentError, match="pad_width"):
        ops.pad(X, ((1, 2), (3, 4)))


def test_slice_and_its_second_gradient():
    np.testing.assert_array_equal(ops.slice(X, (0, 1, 2), (2, 2, 1)), X[0:2, 1:3, 2:3])
    with pytest.raises(ShapeError, match="leaves shape"):
        ops.slice(X, (0, 2, 0), (1, 2, 1))
    x = Tensor((2, 3, 4))
    y = x[:, ::2, 1:]
    (first,) = gradients(ops.multiply(ops.multiply(y, y), y), [x])
    (second,) = gradients(first, [x])
    expected = np.zeros_like(X)
    expected[:, ::2, 1:] = 6 * X[:, ::2, 1:]
    np.testing.assert_array_equal(run([x], [second], X)[0], expected)


def test_axes_move_as_in_numpy():
    np.testing.assert_array_equal(ops.moveaxis(X, (0, 1), (-1, 0)), np.moveaxis(X, (0, 1), (-1, 0)))
    np.testing.assert_array_equal(ops.swapaxes(X, 0, -1), np.swapaxes(X, 0, -1))
    np.testing.assert_array_equal(ops.flip(X), np.flip(X))
    np.testing.assert_array_equal(ops.flip(X, (0, 2)), np.flip(X, (0, 2)))
    np.testing.assert_array_equal(ops.ravel(X), X.ravel())


def test_filling_follows_open_dimensions():
    x = Tensor((None, 3))
    n = ops.shape(x)[0]
    made = [ops.zeros((n, 2)), ops.full((2, n), 7, "int32"), ops.ones_like(x), ops.arange(n), ops.arange(2, n)]
    got = run([x], made, np.zeros((4, 3)))
    expected = [np.zeros((4, 2)), np.full((2, 4), 7), np.ones((4, 3)), np.arange(4), np.arange(2, 4)]
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [a.dtype.name for a in got] == ["float32", "int32", "float32", "int32", "int32"]


def test_arange_and_full_take_keras_dtypes():
    assert ops.arange(3).dtype == np.int32 and ops.arange(0.0, 1.0, 0.25).dtype == np.float32
    assert ops.full((2,), 1).dtype == np.float32 and ops.full_like(np.zeros(2, np.int8), 3).dtype == np.int8
    assert ops.full((2, 2), [1, 2], "int32").tolist() == [[1, 2], [1, 2]]
    assert ops.eye(2, 3, 1).tolist() == [[0, 1, 0], [0, 0, 1]]
    with pytest.raises(ArgumentError, match="step"):
        ops.arange(0, 3, 0)


def test_identity_is_a_matrix():
    np.testing.assert_array_equal(ops.identity(3), np.identity(3, "float32"))
    assert ops.identity(2, dtype="int32").dtype == "int32" and ops.identity(0).shape == (0, 0)
    for n in (-1, 1.5, [1, 2]):
        with pytest.raises(ArgumentError, match="identity"):
            ops.identity(n)


CUTS = {  # pieces of (batch, 6, 2), as keys; and whether they are all of it, each place once, so that their gradients are joined
    "unstacked": ([np.s_[:, k] for k in range(6)], True),
    "from the end": ([np.s_[:, -1 - k] for k in range(6)], True),
    "split": ([np.s_[:, 0:2], np.s_[:, 2:3], np.s_[:, -3:]], True),
    "last axis": ([np.s_[..., 0], np.s_[..., 1:]], True),
    "one twice": ([np.s_[:, 0:3], np.s_[:, 2:]], False),
    "the same piece twice": ([np.s_[:, 0:3], np.s_[:, 0:3], np.s_[:, 3:]], False),
    "one missing": ([np.s_[:, 0:2], np.s_[:, 3:]], False),
    "two axes": ([np.s_[:, 0:3], np.s_[:, 3:, 0:1], np.s_[:, 3:, 1:]], False),
    "another axis": ([np.s_[:, 0:3], np.s_[..., 1:]], False),
    "backwards": ([np.s_[:, 2::-1], np.s_[:, 3:]], False),
    "every other": ([np.s_[:, ::2], np.s_[:, 1::2]], False),
    "empty ones between": ([np.s_[:, 0:2], np.s_[:, 2:2], np.s_[:, 2:]], True),
    "the open axis": ([np.s_[0:1], np.s_[1:]], False),
}


@pytest.mark.parametrize("keys, whole", CUTS.values(), ids=CUTS)
def test_gradients_of_pieces_are_joined_where_they_are_all_of_a_tensor(keys, whole):
    x = Tensor((None, 6, 2), "float64")
    pieces = [ops.get_item(x, key) for key in keys]
    y = sum((k + 1) * ops.sum(ops.multiply(piece, piece)) for k, piece in enumerate(pieces))
    (dx,) = gradients(y, [x])
    (ddx,) = gradients(ops.sum(ops.multiply(dx, dx)), [x])
    given = np.arange(36.0).reshape(3, 6, 2) - 17
    weight = np.zeros_like(given)
    for k, key in enumerate(keys):
        weight[key] += k + 1
    found, again = reference.prepare(Program([x], [dx, ddx])).run([given])
    np.testing.assert_array_equal(found, 2 * weight * given)
    np.testing.assert_array_equal(again, 8 * weight**2 * given)
    assert (dx.node.op.name == "concatenate") == whole


def test_a_tensor_that_is_also_read_whole_gets_all_that_comes_back():
    x = Tensor((None, 4), "float64")
    first, second = ops.split(x, 2, axis=1)
    (dx,) = gradients(ops.sum(first) + 2 * ops.sum(second) + 3 * ops.sum(x), [x])
    (found,) = reference.prepare(Program([x], [dx])).run([np.ones((2, 4))])
    np.testing.assert_array_equal(found, [[4, 4, 5, 5]] * 2)
