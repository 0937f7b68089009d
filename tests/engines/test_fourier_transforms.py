"""Transforms of lengths that go in all ways: within the certificate, and beside NumPy's in more digits."""

import gc
import weakref

import numpy as np
import pytest

from refnet.engine import get_engine, spec_of
from refnet.testing.certificates import check, named
from refnet_fast.cpu import fourier_tables
from refnet_fast.engine import single

LENGTHS = (1, 2, 3, 5, 7, 8, 14, 15, 16, 17, 60, 96, 97, 100, 1024, 4099)
PLAIN = (1, 2, 3, 7)  # are computed as they are defined
DFT = named("dft")


def signals(n, dtype, real=False):
    random = np.random.default_rng(n)
    re, im = random.standard_normal((2, 3, n))
    return [re.astype(dtype), (0 * im if real else im).astype(dtype)]


def transformed(arrays, sign=-1, count=None):
    return get_engine("cpu").compute(DFT, arrays, {"sign": sign, "count": count or arrays[0].shape[-1]})


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n", LENGTHS)
def test_every_length_is_within_its_certificate(n, sign, real):
    """Of long signals one, and its first frequencies: a definition of 4099 places takes a second."""
    count = n if n < 20 else max(1, 2000 // n)
    for dtype in ("float32", "float64"):
        arrays = [a[: 2 if n < 200 else 1] for a in signals(n, dtype, real)]
        assert check("dft", "cpu", arrays, {"sign": sign, "count": count}) <= 1


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n", [n for n in LENGTHS if n not in PLAIN])
def test_every_frequency_is_within_the_bound(n, sign, real):
    """NumPy sums in more digits than float64 where the machine has them, and otherwise about as exactly as we do: so twice the bound."""
    for dtype in ("float32", "float64"):
        arrays = signals(n, dtype, real)
        results, attributes = transformed(arrays, sign), {"sign": sign, "count": n}
        bounds = get_engine("cpu").bound_of(DFT, arrays, attributes)
        numbers = arrays[0].astype("longdouble") + 1j * arrays[1]
        due = np.fft.fft(numbers) if sign < 0 else np.fft.ifft(numbers) * n
        for got, part, number in zip(results, (due.real, due.imag), (0, 1), strict=True):
            for index in [(o, k) for o in range(3) for k in range(0, n, max(1, n // 40))]:
                assert abs(got[index] - part[index]) <= 2 * bounds[number](index)


@pytest.mark.parametrize("n", PLAIN)
def test_short_lengths_have_no_bound_of_their_own(n):
    assert get_engine("cpu").bound_of(DFT, signals(n, "float32"), {"sign": 1, "count": n}) is None


@pytest.mark.parametrize("n", [6, 96, 97])
def test_what_is_not_finite_is_as_defined(n):
    cases = []
    for spoiled in ([np.inf], [-np.inf, np.inf], [np.nan], [np.inf, np.nan]):
        for part in (0, 1):
            arrays = signals(n, "float32")
            arrays[part][1, 2 : 2 + len(spoiled)] = spoiled
            cases.append(arrays)
    alone = signals(n, "float32", real=True)
    alone[0][1] = 0
    alone[0][1, 0] = np.inf
    for arrays in (*cases, alone):
        for sign in (-1, 1):
            due = get_engine("derived").compute(DFT, arrays, {"sign": sign, "count": n})
            for got, right in zip(transformed(arrays, sign), due, strict=True):
                assert np.array_equal(got[1], right[1], equal_nan=True)  # nothing finite is among them
                assert np.isfinite(got[[0, 2]]).all()


@pytest.mark.parametrize("n", [6, 60, 97])
@pytest.mark.parametrize("size", [1e308, 1e-310, 5e-324])
def test_the_largest_and_the_least_numbers(n, size):
    for real in (False, True):
        arrays = [np.clip(a, -1, 1) * size for a in signals(n, "float64", real)]
        for sign in (-1, 1):
            assert check("dft", "cpu", arrays, {"sign": sign, "count": 3}) <= 1


def test_zeros_are_zeros():
    for n in (8, 97):
        assert not any(y.any() for y in transformed([np.zeros((2, n), "float32")] * 2))


def test_a_signal_is_the_same_alone_and_among_others():
    for n in (96, 97):
        arrays = signals(n, "float32")
        for got, alone in zip(transformed(arrays), transformed([a[1:2] for a in arrays]), strict=True):
            assert (got[1] == alone[0]).all()


def test_the_first_frequencies_are_those_of_all():
    for n in (96, 97, 100):
        for real in (False, True):
            arrays = signals(n, "float64", real)
            for some, every in zip(transformed(arrays, 1, 5), transformed(arrays, 1), strict=True):
                assert (some == every[:, :5]).all()


def test_tables_go_with_the_programs_that_hold_them():
    n = 768  # of no other test
    arrays = signals(n, "float32")
    concrete = single(DFT, tuple(map(spec_of, arrays)), {"sign": -1, "count": n})
    programs = [get_engine("cpu").build(concrete) for _ in range(2)]
    made = weakref.ref(fourier_tables.lengths[n])
    due = programs[0].run(arrays)
    del programs[0]
    gc.collect()
    assert made() is fourier_tables.of_length(n)
    assert all((a == b).all() for a, b in zip(programs[0].run(arrays), due, strict=True))
    del programs[0]
    gc.collect()
    assert made() is None and n not in fourier_tables.lengths


def test_more_frequencies_than_places_come_round_again():
    """No public op asks for them; the definition has them, and the kernel has no room for them."""
    re, im = transformed(signals(16, "float64"), count=40)
    for y in (re, im):
        np.testing.assert_array_equal(y[:, 16:32], y[:, :16])
        np.testing.assert_array_equal(y[:, 32:], y[:, :8])
