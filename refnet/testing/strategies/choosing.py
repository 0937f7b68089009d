"""Calls that choose."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("segment_min")
def segment_min_usages(draw: Draw) -> Any:
    count = draw.extent()
    return (draw.array((count, 2), draw.real()), draw.array((count,), "int32", low=-1, high=2), 3), {}


refuse("select", [], [], error=ArgumentError, words="a choice for each")
refuse("select", [True], [1, 2], error=ArgumentError, words="a choice for each")
refuse("switch", 0, [], error=ArgumentError, words="functions")
refuse("bitwise_invert", np.zeros(2), error=DtypeError, words="integers")
refuse("argpartition", np.zeros(2), 2, error=ArgumentError, words="kth")
refuse("segment_prod", np.zeros(2), [0, 5], 2, error=DataError, words="segment_ids")
refuse("segment_prod", np.zeros(2), [0], 2, error=ShapeError, words="leading axes")
refuse("associative_scan", np.add, np.zeros((0, 2)), error=ShapeError, words="above 0")
refuse("segment_min", np.zeros(2), np.array([0]), 1, error=ShapeError, words="segment_min: segment_ids")
