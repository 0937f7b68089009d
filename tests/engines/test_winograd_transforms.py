"""Minimal filtering in one dimension: the sum that it stands for, on whole numbers, and matrices that do not round."""

import math

import numpy as np
import pytest

from refnet_fast.cpu.winograd_transforms import MOST, OF_DATA, OF_KERNEL, OF_RESULTS, OF_SLOPES, OF_TAPS, filtering

# Results at a time, and products for them.
COUNTS = {2: (2, 3), 3: (2, 4), 4: (4, 9), 5: (4, 11), 6: (4, 12), 7: (4, 16)}


def transformed(taps, which, numbers):
    for matrix in filtering(taps).factors(which):
        numbers = np.array(matrix) @ numbers
    return numbers


def drawn(taps):
    random, (_, results, _) = np.random.default_rng(taps), filtering(taps).shape
    return (random.integers(-9, 10, n) for n in (results + taps - 1, taps, results))


def test_every_number_of_taps_has_its_products():
    assert {taps: filtering(taps).shape for taps in range(2, MOST + 1)} == {n: (n, *COUNTS[n]) for n in COUNTS}


@pytest.mark.parametrize("taps", COUNTS)
def test_results_are_sums_of_taps_over_places(taps):
    places, kernel, results = drawn(taps)
    made = transformed(taps, OF_RESULTS, transformed(taps, OF_TAPS, kernel) * transformed(taps, OF_DATA, places))
    assert made.tolist() == [kernel @ places[i : i + taps] for i in range(len(results))]


@pytest.mark.parametrize("taps", COUNTS)
def test_slopes_over_places_are_the_gradient_of_the_taps(taps):
    places, kernel, slopes = drawn(taps)
    made = transformed(taps, OF_KERNEL, transformed(taps, OF_SLOPES, slopes) * transformed(taps, OF_DATA, places))
    assert made.tolist() == [slopes @ places[p : p + len(slopes)] for p in range(taps)]


@pytest.mark.parametrize("taps", COUNTS)
def test_matrices_have_powers_of_two(taps):
    for which in (OF_DATA, OF_TAPS, OF_RESULTS):
        numbers = {abs(number) for matrix in filtering(taps).factors(which) for row in matrix for number in row}
        assert all(math.frexp(number)[0] in (0, 0.5) for number in numbers)
