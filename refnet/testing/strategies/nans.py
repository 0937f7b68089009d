"""Calls of reductions that leave NaN out."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("nanvar", "nanmax")
def nan_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(1, 3, 1), draw.floating())
    return (x, draw.choice((None, 0, -1))), {"keepdims": draw.flag()}


@usage("nanquantile")
def nanquantile_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(2, 2, 1), draw.floating())
    return (x, draw.choice((0.3, [0.0, 0.75]))), {"axis": draw.choice((0, -1)), "keepdims": draw.flag()}


refuse("nanmax", np.zeros((2, 0)), 1, error=ShapeError, words="of nothing")
refuse("nansum", np.zeros(2), 1, error=ArgumentError, words="axis 1")
refuse("nanquantile", np.zeros(2), 1.5, error=ArgumentError, words="0..1")
refuse("percentile", np.zeros(2), 101.0, error=ArgumentError, words="0..100")
for _name, _words in (("nanmax", "nanmax: axis 2"), ("nansum", "nansum: axis 2"), ("nanargmin", "nanargmin: axis 2")):
    refuse(_name, np.zeros((2, 3)), 2, error=ArgumentError, words=_words)
