"""Lanes longer than those that are drawn elsewhere: tuned kernels take them in blocks or digit by digit; the answer is the definition's."""

import numpy as np
import pytest

import refnet_fast
from refnet.definition import Op
from refnet.engine import get_engine
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
