"""Floor division and remainder of floats, special values too, are NumPy's on the compiled engines, to the bit."""

import itertools

import numpy as np
import pytest

import refnet_fast as fast

NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.1, 3.5, -3.5, 1e30, 1e-40, np.inf, -np.inf, np.nan, 2.0, 7.0, -7.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_quotients_and_remainders_of_special_numbers(engine, dtype):
    x, y = np.array(list(itertools.product(NUMBERS, NUMBERS)), dtype).T
    with np.errstate(all="ignore"):
        quotient, rest = np.floor_divide(x, y), np.remainder(x, y)
    with fast.use_engine(engine):
        got = fast.ops.floor_divide(x, y), fast.ops.mod(x, y)
    for one, expected in zip(got, (quotient, rest)):
        np.testing.assert_array_equal(one, expected)
        known = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(one[known]), np.signbit(expected[known]))
