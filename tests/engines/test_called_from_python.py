"""A function that only compiled code may call refuses Python, also after compiled code has called it: its entry would be address 0."""

import numpy as np
import pytest
from numba import njit

from refnet_fast import native
from refnet_fast.cpu.rows import row_sum


@native.njit(error_model="numpy")
def twice(x):
    return 2 * x


@njit
def four_times(x):
    return twice(twice(x))


def test_it_is_refused_before_and_after_it_was_compiled():
    with pytest.raises(TypeError, match=r"twice: compiled code alone can call it.*call its `py_func`"):
        twice(3)
    assert four_times(3) == 12
    with pytest.raises(TypeError, match=r"twice: compiled code alone can call it"):
        twice(3)
    assert twice.py_func(3) == 6


def test_a_helper_of_kernels_too():
    with pytest.raises(TypeError, match=r"refnet_fast\.cpu\.rows\.row_sum: compiled code alone can call it"):
        row_sum(np.ones(3))
