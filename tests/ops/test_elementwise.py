"""Arithmetic, comparison and casts: the edges, worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.graph import Tensor

INF, NAN = float("inf"), float("nan")


def same(result, expected, dtype):
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.asarray(expected))


def i32(*values):
    return np.array(values, "int32")


def test_integer_division_and_remainder_round_down():
    x = i32(7, -7, 7, -7, 5)
    y = i32(2, 2, -2, -2, 0)
    same(ops.floor_divide(x, y), [3, -4, -4, 3, 0], "int32")
    same(ops.mod(x, y), [1, 1, -1, -1, 0], "int32")


def test_division_by_zero_follows_ieee():
    same(ops.divide([1.0, -1.0, 0.0, 1.0], [0.0, 0.0, 0.0, -0.0]), [INF, -INF, NAN, -INF], "float32")
    assert np.isnan(ops.mod(1.0, 0.0))


def test_integers_divide_to_floats():
    same(ops.divide(i32(1, 2), i32(2, 2)), [0.5, 1.0], "float32")


def test_integer_powers_wrap_and_negative_ones_are_whole():
    same(ops.power(i32(2, 2, -1, -1, 1, 3, 0), i32(3, 32, -3, -2, -9, -1, 0)), [8, 0, -1, 1, 1, 0, 1], "int32")


def test_integers_wrap():
    same(ops.add(np.array([127], "int8"), np.array([1], "int8")), [-128], "int8")
    same(ops.negative(np.array([1, 0], "uint8")), [255, 0], "uint8")
    same(ops.abs(np.array([-128, -5], "int8")), [-128, 5], "int8")


def test_dtypes_promote_as_in_keras():
    assert ops.add(np.zeros(1, "int8"), np.zeros(1, "uint8")).dtype == "int16"
    assert ops.add(np.zeros(1, "int32"), np.zeros(1, "float16")).dtype == "float16"
    assert ops.add(np.zeros(1, "float16"), 2.5).dtype == "float16"
    assert ops.multiply(np.zeros(1, "int32"), 2.5).dtype == "float32"


def test_signed_zeros():
    zeros = ops.abs([-0.0, 0.0])
    assert not np.signbit(zeros).any()
    assert np.signbit(ops.negative([0.0])).all()


def test_bool_has_no_negative():
    with pytest.raises(DtypeError, match="subtract is not defined for bool"):
        ops.subtract(np.array([True]), np.array([True]))


def test_nan_wins_in_maximum_and_minimum():
    same(ops.maximum([NAN, 1.0, 3.0], [1.0, NAN, 2.0]), [NAN, NAN, 3.0], "float32")
    same(ops.minimum([NAN, 1.0, 3.0], [1.0, NAN, 2.0]), [NAN, NAN, 2.0], "float32")


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ShapeError, match=r"subtract cannot combine the shapes \(2,\) and \(3,\)"):
        ops.subtract([1.0, 2.0], [1.0, 2.0, 3.0])


def test_empty_arrays():
    same(ops.multiply(np.zeros((0, 3), "float32"), 2), np.zeros((0, 3)), "float32")


def test_comparisons_with_nan():
    x, y = [NAN, 1.0], [NAN, 1.0]
    same(ops.equal(x, y), [False, True], "bool")
    same(ops.not_equal(x, y), [True, False], "bool")
    for op in (ops.less_equal, ops.greater_equal):
        same(op(x, y), [False, True], "bool")
    for op in (ops.less, ops.greater):
        same(op(x, y), [False, False], "bool")


def test_logic_takes_any_number():
    same(ops.logical_and(i32(0, 2), [NAN, NAN]), [False, True], "bool")
    same(ops.logical_or(i32(0, 2), [0.0, 0.0]), [False, True], "bool")


def test_where_chooses_without_touching_the_rest():
    same(ops.where([True, False], [1.0, NAN], 0.0), [1.0, 0.0], "float32")
    with pytest.raises(ArgumentError, match="both x1 and x2"):
        ops.where([True])


def test_clip():
    same(ops.clip([-INF, NAN, 2.0, INF], 0, 1), [0.0, NAN, 1.0, 1.0], "float32")
    same(ops.clip(i32(5), 9, 3), [3], "int32")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int8", [1, -1, 0, 127, -128, 127]),
        ("uint8", [1, 0, 0, 255, 0, 255]),
        ("int64", [1, -1, 0, 2**63 - 1, -(2**63), 10**10]),
        ("uint64", [1, 0, 0, 2**64 - 1, 0, 10**10]),
        ("bool", [True, True, True, True, True, True]),
    ],
)
def test_cast_from_floats_truncates_and_saturates(dtype, expected):
    x = np.array([1.9, -1.9, NAN, INF, -INF, 1e10])
    same(ops.cast(x, dtype), np.array(expected, dtype), dtype)


def test_cast_to_uint64_keeps_the_upper_half():
    same(ops.cast(np.array([2.0**63, 2.0**64 - 2048, 2.0**64]), "uint64"), [2**63, 2**64 - 2048, 2**64 - 1], "uint64")


def test_cast_between_integers_keeps_the_low_bits():
    same(ops.cast(i32(300, -1), "uint8"), [44, 255], "uint8")


def test_logarithms_at_the_edges():
    same(ops.log([0.0, -0.0, -1.0, INF]), [-INF, -INF, NAN, INF], "float32")
    same(ops.log1p([-1.0, -2.0]), [-INF, NAN], "float32")
    same(ops.sqrt([-1.0, INF, 9.0]), [NAN, INF, 3.0], "float32")
    same(ops.exp([1000.0, -INF, 0.0]), [INF, 0.0, 1.0], "float32")


def test_stop_gradient_stops_it():
    x = Tensor((2,))
    assert ops.gradients(ops.stop_gradient(x), x) == [None]
