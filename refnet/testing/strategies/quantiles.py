"""Calls of quantiles."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.ops.quantiles import METHODS
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("median")
def median_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(2, 3, 1), draw.floating())
    return (x, draw.choice((None, 0, -1, (0, 1)))), {"keepdims": draw.flag()}


@usage("quantile")
def quantile_usages(draw: Draw) -> Any:
    (x, axis), keywords = median_usages(draw)
    q = draw.array(draw.choice(((), (2,), (1, 3))), "float64", low=0, high=1, calm=(0, 1), refused=True)
    return (x, q, axis), {"method": draw.choice(METHODS), **keywords}


refuse("median", np.zeros((2, 0)), axis=1, error=ShapeError, words="of nothing")
refuse("quantile", np.zeros(3), 0.5, method="middle", error=ArgumentError, words="method")
refuse("quantile", np.zeros(3), 0.5, axis=1, error=ArgumentError, words="axis 1")
