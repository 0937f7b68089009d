"""Elementary functions, rounding and bits: the edges by hand, the rest against NumPy and SciPy."""

import numpy as np
import pytest
from scipy import special

from refnet import ops, scalars
from refnet.engine import reference
from refnet.errors import ArgumentError, DtypeError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

INF, NAN = float("inf"), float("nan")
RNG = np.random.default_rng(5)
EVERYWHERE = np.concatenate([RNG.normal(0, 3, 40), [0.0, -0.0, INF, -INF, NAN, 0.5, 1.0, -1.0, 1e10]])


def same(result, expected, dtype):
    """Equal, the signs of zeros included."""
    assert result.dtype == dtype
    expected = np.asarray(expected, dtype)
    np.testing.assert_array_equal(result, expected)
    numbers = ~np.isnan(expected) if expected.dtype.kind == "f" else slice(None)
    np.testing.assert_array_equal(np.signbit(result)[numbers], np.signbit(expected)[numbers])


THEIRS = {
    **{
        name: getattr(np, name)
        for name in [
            "sin",
            "cos",
            "tan",
            "arcsin",
            "arccos",
            "arctan",
            "sinh",
            "cosh",
            "arcsinh",
            "arccosh",
            "arctanh",
            "cbrt",
            "exp2",
            "log2",
            "log10",
            "sinc",
        ]
    },
    "erfc": special.erfc,
    "erfinv": special.erfinv,
}


@pytest.mark.parametrize("name", THEIRS)
def test_functions_are_numpys_and_scipys(name):
    with np.errstate(all="ignore"):
        expected = THEIRS[name](EVERYWHERE)
        result = getattr(ops, name)(EVERYWHERE)
        # SciPy takes exp(-x * x) of the rounded square, which is 750 at most where the result is not 0
        if name == "erfc":
            close(result, expected, 2 * ELEMENTARY + np.fmin(EVERYWHERE**2, 750))
        else:
            agree(getattr(ops, name), expected, EVERYWHERE)
    numbers = ~np.isnan(expected) & ((expected != 0) | (name != "erfinv"))  # SciPy forgets the sign of -0.0
    np.testing.assert_array_equal(np.signbit(result)[numbers], np.signbit(expected)[numbers])


@pytest.mark.parametrize("name", ["arctan2", "logaddexp", "fmod"])
def test_functions_of_two_are_numpys(name):
    x1, x2 = EVERYWHERE[:, None], EVERYWHERE[None, :]
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x1, x2)
        result = getattr(ops, name)(x1, x2)
        agree(getattr(ops, name), expected, x1, x2)
    if name != "logaddexp":
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(result)[numbers], np.signbit(expected)[numbers])


def test_logarithms_of_powers_are_whole():
    same(ops.log2([1.0, 8.0, 2.0**-20, 0.0, -1.0]), [0, 3, -20, -INF, NAN], "float32")
    same(ops.log10([1000.0, 1e-5]), [3, -5], "float32")


def test_erfc_keeps_its_digits_where_erf_is_one():
    agree(ops.erfc, 5.395865611607901e-176, np.array(20.0))


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round"])
def test_whole_numbers(name):
    x = np.array([0.5, -0.5, 1.5, 2.5, -2.5, -0.0, 0.0, INF, -INF, NAN, 1e30, 4503599627370497.5])
    same(getattr(ops, name)(x), getattr(np, name)(x), "float64")
    assert np.signbit(scalars.floor(-0.0))


def test_round_with_decimals():
    same(ops.round(np.array([1.25, 1.35, -1.25]), 1), np.round([1.25, 1.35, -1.25], 1), "float64")
    same(ops.round(np.array([125.0, 135.0]), -1), [120, 140], "float64")
    same(ops.round(np.array([1250, -1350], "int32"), -2), [1200, -1400], "int32")
    same(ops.round(np.array([5], "int8"), 3), [5], "int8")
    with pytest.raises(ArgumentError, match="decimals must be an integer; got 0.5"):
        ops.round([1.0], 0.5)


def test_integers_stay_where_there_is_nothing_to_round():
    same(ops.trunc(np.array([3, -3], "int16")), [3, -3], "int16")
    same(ops.nan_to_num(np.array([3], "int16")), [3], "int16")
    same(ops.floor(np.array([3, -3], "int32")), [3, -3], "float32")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_to_num(dtype):
    x = np.array([NAN, INF, -INF, 2.5], dtype)
    same(ops.nan_to_num(x), np.nan_to_num(x), dtype)
    same(ops.nan_to_num(x, 1.0, 2.0, 3.0), [1, 2, 3, 2.5], dtype)


def test_bits_of_negative_numbers():
    x, y = np.array([-1, 12, -128], "int8"), np.array([5, 10, 1], "int8")
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"):
        same(getattr(ops, name)(x, y), getattr(np, name)(x, y), "int8")
    same(ops.bitwise_xor(np.array([True, True]), np.array([True, False])), [False, True], "bool")
    same(ops.left_shift(np.array([1, 1, 1], "int32"), np.array([31, 32, -1], "int32")), [-(2**31), 0, 0], "int32")
    same(ops.right_shift(np.array([-8, -8, 8], "int64"), np.array([64, -1, 99], "int64")), [-1, -1, 0], "int64")
    same(ops.right_shift(np.array([2**63], "uint64"), np.array([63], "uint64")), [1], "uint64")
    with pytest.raises(DtypeError, match="bitwise_and works on integers and bools; got int32 and float32"):
        ops.bitwise_and(np.zeros(1, "int32"), np.zeros(1, "float32"))


def test_fmod_of_integers_has_the_sign_of_the_first():
    x, y = np.array([7, -7, 7, -7, -128, 5], "int8"), np.array([3, 3, -3, -3, 3, 0], "int8")
    same(ops.fmod(x, y), [1, -1, 1, -1, -2, 0], "int8")


def test_divide_no_nan():
    same(ops.divide_no_nan([1.0, 0.0, NAN, 4.0], [0.0, -0.0, 0.0, 2.0]), [0, 0, 0, 2], "float32")


def gradient(function, *points):
    """The gradients of a function of numbers, at a point."""
    xs = [Tensor((), "float64") for _ in points]
    dxs = gradients(function(*xs), xs)
    return [float(d) for d in reference.prepare(Program(xs, dxs)).run([np.float64(p) for p in points])]


def test_gradients_at_the_edges():
    assert gradient(ops.sinc, 0.0) == [0.0]
    assert gradient(ops.logaddexp, 1.0, 1.0) == [0.5, 0.5]
    assert gradient(ops.divide_no_nan, 3.0, 0.0) == [0.0, 0.0]
    assert gradient(ops.fmod, -7.0, 3.0) == [1.0, 2.0]
    assert gradient(ops.arccosh, 1.0) == [INF]


@pytest.mark.peers
def test_gradients_are_pytorchs():
    import torch

    compared = 0
    inside = RNG.uniform(0.05, 0.95, 9)
    ours_and_theirs = {
        **{
            n: getattr(torch, n)
            for n in [
                "sin",
                "cos",
                "tan",
                "arcsin",
                "arccos",
                "arctan",
                "sinh",
                "cosh",
                "arcsinh",
                "arctanh",
                "exp2",
                "log2",
                "log10",
            ]
        },
        **{"erfc": torch.erfc, "erfinv": torch.erfinv, "sinc": torch.sinc},
    }
    for name, theirs in ours_and_theirs.items():
        t = torch.tensor(inside, requires_grad=True)
        theirs(t).sum().backward()
        x = Tensor(inside.shape, "float64")
        (dx,) = reference.prepare(Program([x], gradients(getattr(ops, name)(x), [x]))).run([inside])
        due = t.grad.numpy()
        # 1 - x * x loses what its reciprocal is larger than 1, and the gradient of sinc is a difference of terms of 1 / x
        close(dx, due, 2 * (3 * ELEMENTARY + 8), abs(due) * (1 + abs(due)) + 1 / abs(inside))
        compared += 1
    print(f"{compared} functions' gradients compared with PyTorch")
