"""Calls of differences and areas."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("trapezoid")
def trapezoid_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(1, 2, 1), draw.floating()
    return (draw.array(shape, dtype), draw.array(draw.choice((shape, shape[:1])), dtype)), {"axis": 0}


M = np.zeros((2, 3))
refuse("diff", M, -1, error=ArgumentError, words="0..1000")
refuse("trapezoid", M, np.zeros(2), error=ShapeError, words="one place for each of 3")
