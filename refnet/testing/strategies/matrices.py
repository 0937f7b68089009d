"""Calls of diagonals, powers, products and distances."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("cross")
def cross_usages(draw: Draw) -> Any:
    dtype = draw.floating()
    return (draw.array((draw.extent(), 3), dtype), draw.array((draw.choice((2, 3)),), dtype)), {"axisc": 0}


@usage("kron")
def kron_usages(draw: Draw) -> Any:
    dtype = draw.real()
    return (draw.array((2, draw.extent()), dtype), draw.array((draw.extent(),), dtype)), {}


@usage("cdist")
def cdist_usages(draw: Draw) -> Any:
    dtype, k = draw.floating(), draw.extent(1)
    return (draw.array((2, draw.extent(), k), dtype), draw.array((draw.extent(), k), dtype)), {}


@usage("corrcoef")
def corrcoef_usages(draw: Draw) -> Any:
    return (draw.array((draw.extent(1, 3), draw.integer(3, 5)), draw.floating()),), {}


@usage("correlate")
def correlate_usages(draw: Draw) -> Any:
    dtype = draw.floating()
    rows = (draw.array((draw.integer(1, 5),), dtype), draw.array((draw.integer(1, 5),), dtype))
    return rows, {"mode": draw.choice(("valid", "same", "full"))}


M = np.zeros((2, 3))
refuse("diagonal", np.zeros(3), error=ShapeError, words="two axes")
refuse("trace", M, axis1=1, error=ArgumentError, words="two axes")
refuse("vander", M, error=ShapeError, words="one axis")
refuse("cross", M, np.zeros(4), error=ShapeError, words="length 2 or 3")
refuse("correlate", np.zeros(3), np.zeros(0), error=ShapeError, words="above 0")
refuse("correlate", np.zeros(3), np.zeros(2), "whole", error=ArgumentError, words="mode")
refuse("cdist", M, np.zeros((2, 2)), error=ShapeError, words="as many coordinates")
refuse("corrcoef", np.zeros((2, 2, 2)), error=ShapeError, words="matrix")
refuse("histogram", np.zeros(3), 0, error=ArgumentError, words="bins")
refuse("histogram", np.zeros(3), [1.0, 0.0], error=ArgumentError, words="ascend")
