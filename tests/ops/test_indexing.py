"""take, take_along_axis and one_hot, by hand and against NumPy."""

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import ops
from refnet.definition import Op
from refnet.engine import get_engine, interpret, reference, use_engine
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def run(inputs, outputs, *feeds):
    return reference.prepare(Program(inputs, outputs)).run(feeds)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [1, [0, -1, 1], [[0, 1], [-2, 0]], []], ids=str)
def test_take_is_numpys(axis, indices):
    np.testing.assert_array_equal(ops.take(X, indices, axis), np.take(X, np.asarray(indices, int), axis))


@pytest.mark.parametrize("shape", [(2, 3, 4), (None, None, None)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gradient_of_take_adds_up_repeated_rows(shape, axis):
    x, indices = Tensor(shape), Tensor((None,), "int32")
    y = ops.take(x, indices, axis)
    picked = np.array([1, -1, 1], np.int32)
    got, dx = run([x, indices], [y, *gradients(ops.multiply(y, y), [x])], X, picked)
    np.testing.assert_array_equal(got, np.take(X, picked, axis))
    expected = np.zeros_like(X)
    np.add.at(expected, (slice(None),) * axis + (picked,), 2 * np.take(X, picked, axis))
    np.testing.assert_array_equal(dx, expected)


def test_gradient_of_take_keeps_its_sum_wide():
    dy = np.full((2**12,), 1 + 2**-23, np.float32)
    dx = ops.take_x_gradient(dy, np.zeros(2**12, np.int32), np.zeros(2), 0)
    assert dx.tolist() == [np.float32(2**12 * (1 + 2**-23)), 0]


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take_along_axis_is_numpys_and_so_is_its_gradient(axis):
    order = np.argsort(-X, axis=axis)
    np.testing.assert_array_equal(ops.take_along_axis(X, order, axis), np.take_along_axis(X, order, axis))


def test_take_along_axis_broadcasts_and_adds_up_in_its_gradient():
    indices = np.array([[[0], [0], [-1]]])
    np.testing.assert_array_equal(ops.take_along_axis(X, indices, 1), np.take_along_axis(X, indices, 1))
    x = Tensor((None, None, None))
    (dx,) = gradients(ops.take_along_axis(x, indices, 1), [x])
    np.testing.assert_array_equal(run([x], [dx], X)[0][0, :, 0], [2, 0, 1])
    with pytest.raises(ShapeError, match="rank"):
        ops.take_along_axis(X, [0], 1)


def test_an_index_outside_is_an_error_and_no_loop_reads_outside():
    with pytest.raises(DataError, match=r"take: indices must lie in -3..2; the one at \[1\] is 3"):
        ops.take(X, [0, 3], axis=1)
    with pytest.raises(DataError, match="-3..2"):
        ops.take(X, [-4], axis=1)
    x, indices = Tensor((None, 2)), Tensor((None,), "int32")
    with pytest.raises(DataError, match="is 5"):
        run([x, indices], [ops.take(x, indices, 0)], np.zeros((3, 2)), [0, 5])
    y = np.empty(3, np.float32)
    interpret(Op.named["take"], [np.array([1, 2, 3], np.float32), np.array([99, -99, 1])], {"axis": 0}, [y])
    assert y.tolist() == [3, 1, 2]


@pytest.mark.parametrize("function", [ops.take, ops.take_along_axis])
@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_an_index_beyond_int64_does_not_come_round_to_the_last_places(function, number):
    x, indices = Tensor((3,)), Tensor((1,), "uint64")
    for name in ("reference", "cpu"):
        with use_engine(name), pytest.raises(DataError, match=r"-3\.\.2; the one at \[0\] is 9223372036854775807\."):
            function(np.arange(3.0), np.array([number], "uint64"), axis=0)
        program = get_engine(name).prepare(Program([x, indices], [function(x, indices, axis=0)]))
        with pytest.raises(DataError, match=r"-3\.\.2; the one at \[0\] is 9223372036854775807\."):
            program.run([np.arange(3.0), np.array([number], "uint64")])
        assert program.run([np.arange(3.0), np.array([2], "uint64")])[0] == 2


def test_take_refuses_floats_and_empty_axes():
    with pytest.raises(DtypeError, match="integers"):
        ops.take(X, [0.5], 0)
    with pytest.raises(ShapeError, match="empty"):
        ops.take(np.zeros((0, 3)), [0], 0)
    assert ops.take(np.zeros((0, 3)), [], 0).shape == (0, 3)


def test_one_hot_puts_the_classes_where_asked():
    labels = np.array([[0, 2], [-1, 7]])
    expected = np.zeros((2, 2, 3), np.float32)
    expected[0, 0, 0] = expected[0, 1, 2] = 1
    np.testing.assert_array_equal(ops.one_hot(labels, 3), expected)
    np.testing.assert_array_equal(ops.one_hot(labels, 3, axis=0), np.moveaxis(expected, -1, 0))
    np.testing.assert_array_equal(ops.one_hot(labels, 3, axis=1), np.moveaxis(expected, -1, 1))
    assert ops.one_hot(labels, 3, dtype="int8").dtype == np.int8
    x = Tensor((None,), "int32")
    assert ops.one_hot(x, 4).shape == (None, 4)
    with pytest.raises(DtypeError, match="x must be integers"):
        ops.one_hot([0.0], 3)
    with pytest.raises(ArgumentError, match="num_classes"):
        ops.one_hot([0], -1)


def test_the_messages_of_take() -> None:
    for index, message in ((6, "the index is 6"), ([0, -7], r"the one at \[1\] is -7")):
        with pytest.raises(DataError, match=rf"take: indices must lie in -6\.\.5; {message}\."):
            ops.take(np.arange(6.0), index)
    for name in ("reference", "cpu"):
        with (
            use_engine(name),
            pytest.raises(ShapeError, match=r"take cannot pick from axis 0 of shape \(0,\): it is empty\."),
        ):
            ops.take(np.zeros(0), 0)
