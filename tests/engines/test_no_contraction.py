"""Definitions are compiled without contraction, whoever calls them first: a product and a sum are rounded one after the other."""

import numpy as np
from numba import njit

from refnet_fast.derive import compiled


def product_and_sum(a, b, c):
    return a * b + c


def test_a_kernel_that_contracts_does_not_change_the_definition_that_it_calls():
    definition = compiled(product_and_sum)

    @njit(error_model="numpy", fastmath={"contract"})
    def tuned(a, b, c):
        return definition(a, b, c)

    @njit(error_model="numpy")
    def plain(a, b, c):
        return definition(a, b, c)

    a, c = 1.0 + 2.0**-30, -1.0 - 2.0**-29
    assert a * a + c == 0.0 != np.longdouble(a) * np.longdouble(a) + np.longdouble(c)
    assert tuned(a, a, c) == 0.0
    assert plain(a, a, c) == 0.0
