"""Lanes longer than those that are drawn elsewhere: tuned kernels take them in blocks or digit by digit; the answer is the definition's."""

import numpy as np
import pytest

import refnet_fast
from refnet.definition import Op
from refnet.engine import get_engine
from refnet.testing import check
from refnet_fast import ops

SHAPES = [(3, 63), (2, 64), (3, 129), (2, 700), (2, 70, 3), (1500, 2)]


def awkward(shape, dtype, special):
    """Few different numbers, so that many are equal; zeros of both signs; and what is special."""
    rng = np.random.default_rng(7)
    x = np.round(rng.standard_normal(shape) * 3).astype(dtype) * np.asarray(rng.choice([1, -1], shape), dtype)
    if special == "zeros":
        return np.where(x > 0, np.asarray(-0.0, dtype), x)
    if special is not None:
        x.reshape(-1)[rng.integers(0, x.size, 3)] = special
    return x


def bits(x):
    """Numbers as they are stored; every NaN as one."""
    x = np.asarray(x)
    return np.where(np.isnan(x), np.nan, x).view(f"u{x.itemsize}") if x.dtype.kind == "f" else x


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "argsort", "sort"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("special", [None, "zeros", np.nan, np.inf, -np.inf])
def test_long_lanes_give_what_is_defined_to_the_bit(name, dtype, special):
    for shape in SHAPES:
        x = awkward(shape, dtype, special)
        for axis in range(len(shape)):
            with refnet_fast.use_engine("cpu"):
                ours = getattr(ops, name)(x, axis=axis)
            order = np.argsort(x, axis=axis, kind="stable")
            if name in ("sort", "argsort"):
                wanted = order if name == "argsort" else np.take_along_axis(x, order, axis)
            else:
                place = np.expand_dims(
                    getattr(np, name if name.startswith("arg") else f"arg{name}")(x, axis=axis), axis
                )
                wanted = (place if name.startswith("arg") else np.take_along_axis(x, place, axis)).squeeze(axis)
            assert np.array_equal(bits(ours), bits(wanted)), (shape, axis)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("special", [None, "zeros", np.nan, np.inf])
def test_the_slope_of_a_long_lane_goes_to_the_first_of_equals(name, special):
    op, rng = Op.named[f"{name}_gradient"], np.random.default_rng(3)
    for shape in [*SHAPES, (2, 5, 1100)]:
        for dtype in ("float32", "float64"):
            x = awkward(shape, dtype, special)
            for axis in range(len(shape)):
                place = np.expand_dims(getattr(np, f"arg{name}")(x, axis=axis), axis)
                dy, wanted = rng.standard_normal(place.shape).astype(dtype), np.zeros_like(x)
                np.put_along_axis(wanted, place, dy, axis)
                attributes = {"start": axis, "count": 1, "keepdims": True}
                (dx,) = get_engine("cpu").compute(op, [dy, x], attributes)
                assert np.array_equal(bits(dx), bits(wanted)), (shape, dtype, axis)


def test_descending_order_of_a_long_lane_keeps_equal_numbers_in_their_order():
    x = awkward((2, 700), "float32", np.nan)
    with refnet_fast.use_engine("cpu"):
        values, places = ops.top_k(x, 700)
    keys = np.where(np.isnan(x), -np.inf, -x)  # NaN counts as the largest
    wanted = np.argsort(keys, axis=-1, kind="stable")
    assert np.array_equal(places, wanted)
    assert np.array_equal(bits(values), bits(np.take_along_axis(x, wanted, -1)))


def picked(dy, places):
    """The sums of the rows of dy that go to each place."""
    total = np.zeros((3, dy.shape[1]), dy.dtype)
    np.add.at(total, places, dy)
    return total


def slopes_of_taps(x, dy, pairs="nijc,nijf->cf"):
    """The gradient of a kernel of 2x2 taps."""
    rows, columns = dy.shape[1:3]
    found = [np.einsum(pairs, x[:, p : p + rows, q : q + columns], dy, optimize=True) for p in (0, 1) for q in (0, 1)]
    return np.reshape(found, (2, 2, -1, dy.shape[3]))


TURNED = {"transpose1": True, "transpose2": False}
TAPS = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (0, 0), "extents": (2, 2)}
EXACT = {  # op: shapes of what it is given, its attributes, what it gives
    "sum of columns": ("sum", [(2500, 37)], {"start": 0, "count": 1, "keepdims": False}, lambda x: x.sum(0)),
    "sum of planes": ("sum", [(2, 2500, 3)], {"start": 1, "count": 1, "keepdims": False}, lambda x: x.sum(1)),
    "sum of rows": ("sum", [(3, 2500)], {"start": 1, "count": 1, "keepdims": False}, lambda x: x.sum(1)),
    "product": ("matmul", [(5, 1300), (1300, 70)], {**TURNED, "transpose1": False}, lambda a, b: a @ b),
    "product of columns": ("matmul", [(1300, 70), (1300, 90)], TURNED, lambda a, b: a.T @ b),
    "narrow product of columns": ("matmul", [(1300, 9), (1300, 3)], TURNED, lambda a, b: a.T @ b),
    "picks": ("take_x_gradient", [(7000, 19)], {"axis": 0, "length": 3}, picked),
    "images": ("conv2d_kernel_gradient", [(1030, 4, 5, 3), (1030, 3, 4, 40)], TAPS, slopes_of_taps),
    "images of few filters": ("conv2d_kernel_gradient", [(1030, 4, 5, 40), (1030, 3, 4, 2)], TAPS, slopes_of_taps),
    "images, channel by channel": (
        "conv2d_kernel_gradient",
        [(1030, 4, 5, 19), (1030, 3, 4, 19)],
        {**TAPS, "groups": 19},
        lambda x, dy: slopes_of_taps(x, dy, "nijc,nijc->c"),
    ),
    "columns": ("max", [(3, 2500)], {"start": 0, "count": 1, "keepdims": False}, lambda x: x.max(0)),
    "columns of planes": ("min", [(2, 3, 2500)], {"start": 1, "count": 1, "keepdims": False}, lambda x: x.min(1)),
    "transposition": ("transpose", [(50, 2500)], {"axes": (1, 0)}, lambda x: x.T),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("what", EXACT)
def test_whole_numbers_in_long_lanes_are_exact(what, dtype):
    """Small whole numbers, whose sums are exact in whatever order blocks and parts of them are added up."""
    name, shapes, attributes, wanted = EXACT[what]
    rng = np.random.default_rng(5)
    arrays = [rng.integers(-4, 5, shape).astype(dtype) for shape in shapes]
    if name == "take_x_gradient":
        arrays.append(rng.integers(0, 3, len(arrays[0])))
    (y,) = get_engine("cpu").compute(Op.named[name], arrays, attributes)
    np.testing.assert_array_equal(y, wanted(*arrays))


@pytest.mark.parametrize("last", [1, 3, 8])
def test_views_of_many_axes_are_copied_as_they_lie(last):
    """Whose axes cannot be joined, with a short last axis and a long one."""
    whole = np.arange(2 * 3 * 2 * 4 * 3 * last, dtype="float32").reshape(2, 3, 2, 4, 3, last)
    with refnet_fast.use_engine("cpu"):
        for x in (whole, whole[0]):
            for axes in ((1, 0, 3, 2, 4, 5), (3, 1, 4, 0, 2, 5), (4, 5, 2, 0, 1, 3)):
                axes = tuple(axis for axis in axes if axis < x.ndim)
                assert np.array_equal(ops.transpose(x, axes), np.transpose(x, axes))
            for cut in (0, 1):
                start = [cut] * (x.ndim - 1) + [0]
                some = tuple(slice(first, n - (1 - cut) * (n > 1)) for first, n in zip(start, x.shape))
                assert np.array_equal(ops.slice(x, start, x[some].shape), x[some])
            thin = x[:, :1, :, :1]
            assert np.array_equal(ops.broadcast_to(thin, x.shape), np.broadcast_to(thin, x.shape))


@pytest.mark.parametrize("name, extent", [("resize_axis", 5), ("resize_axis_gradient", 10)])
def test_more_places_than_weights_are_kept_of(name, extent):
    x = np.random.default_rng(0).standard_normal((1, extent, 8)).astype("float32")
    assert 0 < check(name, "cpu", [x], {"axis": 1, "length": 140, "cubic": True}) <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_infinite_in_sums_of_exponentials(dtype):
    x = np.array([[-np.inf, -np.inf], [np.inf, 1], [np.nan, 1], [-np.inf, 2], [np.inf, -np.inf]], dtype)
    with refnet_fast.use_engine("cpu"):
        np.testing.assert_array_equal(ops.logsumexp(x, axis=1), np.array([-np.inf, np.inf, np.nan, 2, np.inf], dtype))
