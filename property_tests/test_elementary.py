"""The CPU engine's elementary functions keep the error limits that they declare, and IEEE 754's special values.

float32: every STRIDE-th bit pattern, or every one with REFNET_PROFILE=deep, against the C library in float64, whose own
error is 1e-9 of a float32 unit in the last place. float64: values drawn from a fixed seed, against mpmath.
`pytest -s` prints the errors measured.
"""

import math
import os
import re

import mpmath
import numpy as np
import pytest
from numba import njit

from refnet_fast.cpu.elementary import FUNCTIONS, ULP_LIMIT
from refnet_fast.cpu.intrinsics import bits, from_bits

DEEP = os.environ.get("REFNET_PROFILE") == "deep"
STRIDE = 1 if DEEP else 4999
DRAWS = 200_000 if DEEP else 1_500
INF, NAN = math.inf, math.nan
ONE_ARGUMENT = [name for name in FUNCTIONS if name not in ("divide", "isnan")]
PLAIN = {"error_model": "numpy"}


def looped(function):
    """The loop that a kernel would run: function over a whole array."""

    @njit(**PLAIN)
    def loop(x, y):
        for i in range(y.size):
            y[i] = function(x[i])

    return loop


LOOPS = {(name, kind): looped(FUNCTIONS[name][kind]) for name in ONE_ARGUMENT for kind in ("float32", "float64")}


def applied(name, x):
    """The function of that name on every element of a float32 or float64 array."""
    y = np.empty_like(x)
    LOOPS[name, x.dtype.name](x, y)
    return y


# ---- float32: references in float64, and the sweep


def in_float64(function):
    return njit(**PLAIN)(lambda x: function(x))


@njit(**PLAIN)
def log_reference(x):
    return math.log(x) if x > 0 else (-INF if x == 0 else NAN)


@njit(**PLAIN)
def log1p_reference(x):
    return math.log1p(x) if x > -1 else (-INF if x == -1 else NAN)


@njit(**PLAIN)
def sigmoid_reference(x):
    e = math.exp(-abs(x))
    return (e if x < 0 else 1.0) / (1.0 + e)


REFERENCES = {
    "exp": in_float64(math.exp),
    "expm1": in_float64(math.expm1),
    "log": log_reference,
    "log1p": log1p_reference,
    "tanh": in_float64(math.tanh),
    "sigmoid": sigmoid_reference,
    "erf": in_float64(math.erf),
    "sin": in_float64(math.sin),
    "cos": in_float64(math.cos),
    "sqrt": in_float64(math.sqrt),
    "floor": in_float64(np.floor),
}


@njit(**PLAIN)
def error32(got, exact):
    """The error in float32 units in the last place of the exact value; inf for a lost NaN or the wrong sign of a zero.

    An infinite result counts as 2**128, the number that would follow the largest one.
    """
    if got != got or exact != exact:
        return 0.0 if got != got and exact != exact else INF
    if got == 0 and exact == 0 and math.copysign(1.0, got) != math.copysign(1.0, exact):
        return INF
    size = min(max(abs(exact), 2.0**-126), 2.0**127)
    unit = from_bits(bits(size) & np.int64(0x7FF0000000000000)) * 2.0**-23
    wide = min(max(np.float64(got), -(2.0**128)), 2.0**128)
    return abs(wide - min(max(exact, -(2.0**128)), 2.0**128)) / unit


def sweep_of(function, reference):
    """The worst error over the float32 values whose bits are first, first + stride, ... and where it is."""

    @njit(**PLAIN)
    def sweep(first, last, stride):
        worst, where = -1.0, np.float32(0)
        for pattern in range(first, last, stride):
            x = from_bits(np.int32(pattern))
            error = error32(function(x), reference(np.float64(x)))
            if not error <= worst:
                worst, where = error, x
        return worst, where

    return sweep


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_float32_error_is_below_the_declared_limit(name):
    sweep = sweep_of(FUNCTIONS[name]["float32"], REFERENCES[name])
    error, where = sweep(-(2**31), 2**31, STRIDE)
    print(f"\n{name:8s} float32 {error:.3f} ULP at {where!r}, declared {ULP_LIMIT[name]['float32']}")
    assert error <= ULP_LIMIT[name]["float32"]


def test_error32_sees_what_is_wrong():
    one = np.float32(1)
    assert error32(np.nextafter(one, np.float32(2)), 1.0) == 1.0
    assert error32(np.float32(NAN), 1.0) == error32(one, NAN) == error32(np.float32(-0.0), 0.0) == INF
    assert error32(np.float32(0), 2.0**-149) == 1.0
    assert error32(np.float32(INF), float(np.finfo("float32").max)) == 1.0


# ---- float64: references in mpmath

SPAN = {"exp": 745, "sigmoid": 744, "expm1": 40, "tanh": 20, "erf": 6, "log": 10, "log1p": 3, "sqrt": 10}
SMALL_ONLY = ("exp", "sigmoid", "expm1", "tanh", "erf", "floor")


def exact(name):
    if name == "sigmoid":
        return lambda x: 1 / (1 + mpmath.exp(-x))
    return getattr(mpmath, name)


def draws64(name, count):
    """Values spread evenly over the interesting range, near 0, and over all exponents where the function has them."""
    random = np.random.default_rng(20)
    sign = random.choice([-1.0, 1.0], count)
    span = SPAN.get(name, 100)
    spread = [random.uniform(-span, min(span, 709), count), random.uniform(-1.5, 1.5, count)]
    spread.append(sign * np.ldexp(random.uniform(1, 2, count), random.integers(-60, 3, count)))
    if name not in SMALL_ONLY:
        spread.append(sign * np.ldexp(random.uniform(1, 2, count), random.integers(-1074, 1023, count)))
    if name in ("sin", "cos"):
        # Next to multiples of pi/2, where a reduction loses its leading digits; the last is the worst of all float64.
        spread.append(np.round(10 ** random.uniform(0, 16, count)) * (np.pi / 2))
        spread.append(np.array([6381956970095103 * 2.0**797]))
    x = np.concatenate(spread)
    if name in ("log", "sqrt"):
        return np.abs(x[x != 0])
    return x[x > -1] if name == "log1p" else x


def error64(got, true):
    """The error in float64 units in the last place of the mpmath number `true`."""
    exponent = max(mpmath.frexp(true)[1] - 1, -1022) if true else -1022
    return abs(float(mpmath.ldexp(mpmath.mpf(got) - true, 52 - int(exponent))))


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_float64_error_is_below_the_declared_limit(name):
    x = draws64(name, DRAWS)
    with mpmath.workprec(160):
        function = exact(name)
        pairs = zip(x.tolist(), applied(name, x).tolist(), strict=True)
        error, where = max((error64(got, function(mpmath.mpf(value))), value) for value, got in pairs)
    print(f"\n{name:8s} float64 {error:.3f} ULP at {where!r}, declared {ULP_LIMIT[name]['float64']}")
    assert error <= ULP_LIMIT[name]["float64"]


# ---- special values

SPECIAL = {
    "exp": [(-INF, 0.0), (INF, INF), (0.0, 1.0), (-0.0, 1.0), (1e4, INF), (-1e4, 0.0)],
    "expm1": [(-INF, -1.0), (INF, INF), (0.0, 0.0), (-0.0, -0.0), (1e4, INF), (-1e4, -1.0)],
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (-INF, NAN)],
    "log1p": [(-1.0, -INF), (0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1.5, NAN), (-INF, NAN)],
    "tanh": [(-INF, -1.0), (INF, 1.0), (0.0, 0.0), (-0.0, -0.0), (50.0, 1.0), (-50.0, -1.0)],
    "sigmoid": [(-INF, 0.0), (INF, 1.0), (0.0, 0.5), (-0.0, 0.5), (-1e4, 0.0), (1e4, 1.0)],
    "erf": [(-INF, -1.0), (INF, 1.0), (0.0, 0.0), (-0.0, -0.0), (10.0, 1.0), (-10.0, -1.0)],
    "sin": [(-INF, NAN), (INF, NAN), (0.0, 0.0), (-0.0, -0.0)],
    "cos": [(-INF, NAN), (INF, NAN), (0.0, 1.0), (-0.0, 1.0)],
    "sqrt": [(-INF, NAN), (INF, INF), (0.0, 0.0), (-0.0, -0.0), (-1.0, NAN), (4.0, 2.0)],
    "floor": [(-INF, -INF), (INF, INF), (0.0, 0.0), (-0.0, -0.0), (-0.5, -1.0), (1e30, 1e30)],
}


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_special_values(name, kind):
    pairs = [*SPECIAL[name], (NAN, NAN)]
    x, expected = (np.array(column, kind) for column in zip(*pairs, strict=True))
    got = applied(name, x)
    np.testing.assert_array_equal(got, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(expected)[numbers])


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_the_least_numbers_keep_their_value(kind):
    """Subnormal results are neither flushed nor rounded twice; near 0 the odd functions are x."""
    info = np.finfo(kind)
    x = np.array([info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny, -info.tiny], kind)
    for name in ("expm1", "log1p", "tanh", "sin"):
        np.testing.assert_array_equal(applied(name, x), x, err_msg=name)
    depth = math.log(float(info.smallest_subnormal)) + np.array([-0.5, 0.3, 0.5, 1.0], kind)
    steps = applied("exp", depth.astype(kind)) / info.smallest_subnormal
    np.testing.assert_array_equal(steps, [1, 1, 2, 3])
    np.testing.assert_array_equal(applied("sigmoid", depth.astype(kind)) / info.smallest_subnormal, [1, 1, 2, 3])


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_divide_and_isnan(kind):
    quotient, is_nan = FUNCTIONS["divide"][kind], FUNCTIONS["isnan"][kind]
    divide, isnan = njit(lambda a, b: quotient(a, b)), njit(lambda a: is_nan(a))
    one, zero = np.dtype(kind).type(1), np.dtype(kind).type(0)
    assert (divide(one, zero), divide(-one, zero)) == (INF, -INF)
    assert isnan(divide(zero, zero)) and not isnan(one)
    assert divide(one, one + one + one) == one / 3


# ---- laws of the loop


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_same_bits_wherever_an_element_stands(name, kind):
    """In the vectorised part of a loop, in its remainder, or alone: an engine may cut the work anywhere."""
    x = np.random.default_rng(3).normal(0, 3, 203).astype(kind)
    whole = applied(name, x)
    for size in (1, 7, 64):
        pieces = [applied(name, x[i : i + size]) for i in range(0, x.size, size)]
        assert np.concatenate(pieces).tobytes() == whole.tobytes()


def stores_vectors(loop, element):
    """Whether the one compiled form of a loop writes several elements at a time."""
    (code,) = loop.inspect_llvm().values()
    return re.search(rf"store <\d+ x ({element})>", code) is not None


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_loops_are_vectorised(name, kind):
    applied(name, np.ones(4, kind))
    assert stores_vectors(LOOPS[name, kind], "float|i32" if kind == "float32" else "double|i64")


def test_a_call_of_the_c_library_is_seen_as_not_vectorised():
    loop = looped(in_float64(math.erf))
    loop(np.ones(4), np.empty(4))
    assert not stores_vectors(loop, "double|i64")
