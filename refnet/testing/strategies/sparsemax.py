"""Calls of sparsemax, along lanes."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.activation import lanes


@strategy("sparsemax")
def sparsemax_calls(draw: Draw) -> Any:
    return lanes(draw, 1)


@usage("sparsemax")
def sparsemax_usages(draw: Draw) -> Any:
    arrays, keywords = lanes(draw, 1)
    return tuple(arrays), keywords


refuse("sparsemax", np.zeros((2, 3)), axis=2, error=ArgumentError, words="axis")
refuse("sparsemax", np.zeros(()), error=ArgumentError, words="needs an array with axes")
