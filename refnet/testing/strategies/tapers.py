"""Calls that cut signals and images into pieces and put them together again."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("unfold")
def unfold_usages(draw: Draw) -> Any:
    x = draw.array((draw.extent(), 2, draw.integer(3, 5), 4), draw.real())
    return (x, draw.several(2, 2)), {"dilation": draw.several(2, 2), "padding": (0, 1), "stride": draw.several(2, 2)}


@usage("fold")
def fold_usages(draw: Draw) -> Any:
    size, kernel, stride = (draw.integer(3, 5), 4), draw.several(2, 2), draw.several(2, 2)
    counts = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, (0, 1), kernel, stride)]
    x = draw.array((draw.extent(), 2 * kernel[0] * kernel[1], counts[0] * counts[1]), draw.real())
    return (x, size, kernel), {"padding": (0, 1), "stride": stride}


refuse("unfold", np.zeros((2, 2, 3)), 2, error=ShapeError, words="of known size")
refuse("unfold", np.zeros((1, 1, 3, 3)), 4, error=ShapeError, words="does not fit")
refuse("unfold", np.zeros((1, 1, 3, 3)), 2, stride=0, error=ArgumentError, words="stride must be at least 1")
refuse("fold", np.zeros((1, 3, 4)), (3, 3), 2, error=ShapeError, words="channels * 4")
refuse("extract_sequences", np.zeros(4), 0, 1, error=ArgumentError, words="at least 1")
refuse("kaiser", 5, 1e4, error=ArgumentError, words="beta")
refuse("bartlett", 2.5, error=ArgumentError, words="whole number")
