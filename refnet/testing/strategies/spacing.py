"""Calls for the next number of a dtype."""

from typing import Any

import numpy as np

from refnet.errors import ShapeError
from refnet.ops.spacing import spacing
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.elementwise import operands


@strategy("nextafter")
def nextafter_calls(draw: Draw) -> Any:
    """Powers of two among the numbers: there the gaps of the two sides differ."""
    dtype = draw.floating()
    x1, x2 = operands(draw, 2, dtype)
    if not draw.calm and draw.flag():
        x1 = np.ldexp(1.0, draw.array(x1.shape, "int32", low=-9, high=9)).astype(x1.dtype)
    return [x1, x2], spacing(dtype)


@usage("nextafter")
def nextafter_usages(draw: Draw) -> Any:
    return tuple(operands(draw, 2, draw.choice(("float32", "int32")))), {}


refuse("nextafter", np.zeros((2, 3)), np.zeros((2, 4)), error=ShapeError, words="nextafter")
