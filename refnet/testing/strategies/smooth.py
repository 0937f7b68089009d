"""Calls of smooth activations and of gates."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage
from refnet.testing.strategies.elementwise import operands


@usage("celu", "log_sigmoid", "mish", "squareplus", "tanh_shrink")
def smooth_usages(draw: Draw) -> Any:
    return tuple(operands(draw, 1, draw.floating())), {}


@usage("glu")
def glu_usages(draw: Draw) -> Any:
    shape = draw.shape(1, 3)
    axis = draw.integer(0, len(shape) - 1)
    doubled = tuple(2 * n if i == axis else n for i, n in enumerate(shape))
    return (draw.array(doubled, draw.floating()),), {"axis": axis}


refuse("celu", np.zeros(2), 0.0, error=ArgumentError, words="alpha")
refuse("glu", np.zeros((2, 3)), error=ShapeError, words="even")
refuse("glu", np.zeros((2, 4)), axis=2, error=ArgumentError, words="axis")
